"""Lists of addresses in a mixture: what falls under one is dropped by name; an edited list redoes `kept` alone."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import recipe as recipes
from pipeline.answers import stats
from pipeline.answers.why import lives
from pipeline.answers.why_text import life_text
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import kept
from stages.rules.url_lists import UrlList, compile_lists
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline

LISTS = """\
  urls:
    mirrors: {paths: lists/mirrors.txt}
    queues: {substrings: [QUEUE], expressions: ["json\\\\.J"]}
    fine: {allow: true, hosts: [code.example], urls: [docs.example/queue.Queue]}
"""


def with_lists(path: Path, folder: Path, lists: str = LISTS) -> Path:
    mixture = write_mixture(path, folder)
    mixture.write_text(mixture.read_text().replace("kept:\n  families", f"kept:\n{lists}  families"))
    return mixture


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), files=2)


@pytest.mark.slow
def test_an_edited_list_redoes_what_is_decided_and_nothing_that_is_measured(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "mirrors.txt").write_text("mirror.example\n")
    mixture = with_lists(tmp_path / "small.yaml", corpus)
    store = Store(str(tmp_path / "root"))
    run_inline(mixture, tmp_path / "root")
    figures = stats.stats_of(load(store))
    rules = {row["rule"]: row for row in figures["rules"]}
    assert rules["listed_in_mirrors"]["first"] > 10
    assert rules["listed_in_queues"]["documents"] > 2
    assert {row["entry"]: row["documents"] for row in figures["listed"]}["mirrors: mirror.example"] == (
        rules["listed_in_mirrors"]["documents"]
    )
    [dropped] = lives(load(store), "https://docs.example/json.JSONDecoder")
    assert dropped["decision"]["listed"] == r"queues: json\.J"
    assert "listed_in_queues" in life_text(dropped)
    [allowed] = lives(load(store), "https://docs.example/queue.Queue")
    assert allowed["decision"]["listed"] == "fine: docs.example/queue.queue"
    assert not str(allowed["decision"]["reason"]).startswith("listed")
    assert made(run_inline(mixture, tmp_path / "root")) == {}
    (tmp_path / "lists" / "mirrors.txt").write_text("mirror.example\nold.example\n")
    again = made(run_inline(mixture, tmp_path / "root"))
    assert again["kept"] == 3
    assert not {"documents", "language", "quality", "signatures", "families"} & set(again)
    assert {row["rule"]: row for row in stats.stats_of(load(store))["rules"]}["listed_in_mirrors"]["documents"] > (
        rules["listed_in_mirrors"]["documents"]
    )


def test_wrong_lists_are_reported_with_their_key_before_any_work(corpus: Path, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "root"))
    (tmp_path / "empty.txt").write_text("# nothing\n")
    wrong = "  urls:\n    gone: {paths: gone.txt}\n    none: {paths: empty.txt}\n    odd: {kinds: domains}\n"
    with pytest.raises(ConfigError) as caught:
        recipes.load(with_lists(tmp_path / "a.yaml", corpus, wrong), store)
    assert "kept.urls.odd.kinds: no such key; did you mean 'kind'?" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        recipes.load(with_lists(tmp_path / "b.yaml", corpus, wrong.replace("kinds: domains", "hosts: [a.b]")), store)
    message = str(caught.value)
    assert ":9: kept.urls.gone: " in message
    assert ":10: kept.urls.none: " in message
    assert len(message.splitlines()) == 2
    assert "no entry in this list" in message
    lists = "  urls: {adult: {hosts: [a.b]}}\n  overrides: [{sources: [web], rules: {listed_in_adlut: false}}]\n"
    with pytest.raises(ConfigError, match="unknown rule 'listed_in_adlut'; did you mean 'listed_in_adult'"):
        recipes.load(with_lists(tmp_path / "c.yaml", corpus, lists), store)


def test_an_override_switches_a_list_off_for_a_source_a_language_a_domain() -> None:
    lists = {"adult": UrlList(domains=("a.com",)), "spam": UrlList(domains=("b.com",))}
    pages = pa.table(
        {
            "source": ["web", "mine", "web", "web"],
            "language": ["en", "en", "de", "en"],
            "confidence": [1.0] * 4,
            "text_bytes": [10, 10, 10, 99],
            "url": ["http://x.a.com/"] * 4,
        }
    )
    for condition, kept_rows in (("sources", [1]), ("languages", [2]), ("domains", [3])):
        value = {"sources": ["mine"], "languages": ["de"], "domains": ["long"]}[condition]
        params = kept.Params(
            families=(), urls=lists, overrides=({condition: value, "rules": {"listed_in_adult": False}},)
        )
        domains = [kept.Domain(name="long", min={"text_bytes": 50}), kept.Domain(name="rest")]
        decided = kept.prepare(params, domains, compile_lists(lists))(pages)
        assert [row for row, keep in enumerate(decided.column("keep").to_pylist()) if keep] == kept_rows
        assert set(decided.column("reason").to_pylist()) == {None, "listed_in_adult"}
