"""Meanings of a mixture file as a new user takes them: thresholds, languages, empty lists, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from pipeline import recipe as recipes
from pipeline.cli import main
from pipeline.errors import RunError
from pipeline.recipe import reach
from pipeline.store.storage import Store
from stages import kept, quality
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline
from tests.support.wrong_mixtures import refused

DOMAINS = "domains: {d: {}}\nmixture: {domains: {d: {share: 1}}}\n"
ENGLISH = "The mill stands by the river, and the people of the village have to be there with their corn. " * 12


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "some words"}\n')
    return tmp_path


def planned(folder: Path, text: str) -> str:
    path = folder / "m.yaml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["plan", str(path), "--root", str(folder / "root")])
    assert result.exit_code == 0, result.stderr
    return result.output


def test_a_threshold_switches_no_rule_on_where_its_family_is_off(lines: Path) -> None:
    sources = "sources: {prose: {paths: a.jsonl}, code: {paths: a.jsonl, kept: {families: []}}}\n"
    said = planned(lines, f"{sources}kept: {{families: [gopher_quality], rules: {{too_few_words: 30}}}}\n{DOMAINS}")
    assert "source code: too_few_words: off, whatever the threshold" in said
    recipe = recipes.load(lines / "m.yaml", Store(str(lines / "root")))
    active = {name: kept.active_rules(source.sections["kept"]) for name, source in recipe.sources.items()}
    assert "too_few_words" in active["prose"]
    assert "too_few_words" not in active["code"]


def test_a_threshold_that_no_source_has_a_use_for_is_refused_with_what_to_write(lines: Path) -> None:
    text = "sources: {a: {paths: a.jsonl}}\nkept:\n  families: []\n"
    text += "  rules: {too_few_words: 30, mostly_repeats: 0.5}\n"
    assert refused(lines, text + DOMAINS) == [
        "4: kept.rules.mostly_repeats: a number is a threshold and switches no rule on: add repeats to kept.families,"
        " or set a limit of your own, above_max_repeats_spare_fraction",
        "4: kept.rules.too_few_words: a number is a threshold and switches no rule on: add gopher_quality to"
        " kept.families, or set a limit of your own, below_min_gopher_num_words",
    ]
    override = "  overrides: [{languages: [de], rules: {too_few_words: 30}}]\n"
    [line] = refused(lines, text.partition("  rules")[0] + override + DOMAINS)
    assert line.startswith("4: kept.overrides[0].rules.too_few_words: a number is a threshold")


def test_a_rule_is_on_by_true_or_its_family_and_takes_the_threshold_that_is_set() -> None:
    pages = pa.table(
        {"source": ["web"] * 3, "language": ["en", "en", "de"], "text_bytes": [9] * 3, "confidence": [1.0] * 3}
        | {"gopher_num_words": [35, 25, 25]}
    )

    def reasons(**params: object) -> list[str | None]:
        decided = kept.prepare(kept.Params.model_validate({"families": [], **params}), [])(pages)
        found: list[str | None] = decided.column("reason").to_pylist()
        return found

    few = "too_few_words"
    assert reasons(rules={few: 30}) == [None, None, None]
    assert reasons(rules={few: True}) == [few, few, few]  # 50
    assert reasons(rules={few: 30}, overrides=[{"languages": ["en"], "rules": {few: True}}]) == [None, few, None]
    assert reasons(rules={few: True}, overrides=[{"languages": ["de"], "rules": {few: 20}}]) == [few, few, None]
    assert reasons(rules={few: False}, overrides=[{"rules": {few: 30}}]) == [None, None, None]
    assert reasons(rules={"below_min_gopher_num_words": 30})[1] == "below_min_gopher_num_words"


def test_stop_words_are_asked_of_languages_that_have_a_list() -> None:
    german = "Die Mühle steht am Fluss, und der Müller ist nicht da. " * 3
    texts = [
        german,
        "Kein Satz",
        "磨坊坐落在河边。村里的人们说这是好的。",
        "Mto unapita karibu",
        ENGLISH,
        "Mill corn river",
    ]
    labels = ["de", "de", "zh", "sw", "en", "eng"]
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])
    measured = quality.prepare(quality.Params())(batch)
    assert measured.column("stop_words_de").to_pylist()[:2] == [5, 0]
    assert measured.column("stop_words_zh").to_pylist()[2] >= 3
    pages = pa.Table.from_batches([measured]).append_column("language", pa.array(labels))
    for name, values in (("source", ["web"] * 6), ("text_bytes", [9] * 6), ("confidence", [1.0] * 6)):
        pages = pages.append_column(name, pa.array(values))
    off = {rule.name: False for rule in kept.PUBLISHED.values() if rule.name != "too_few_stop_words"}
    decided = kept.prepare(kept.Params(rules=off), [])(pages)
    few = "too_few_stop_words"
    assert decided.column("reason").to_pylist() == [None, few, None, None, None, few]
    columns = {rule["rule"]: rule["column"] for rule in kept.page_rules(pages.slice(3, 1), kept.Params(), [])}
    assert few not in columns
    columns = {rule["rule"]: rule["column"] for rule in kept.page_rules(pages.slice(0, 1), kept.Params(), [])}
    assert columns[few] == "stop_words_de"


def test_a_chinese_page_is_counted_by_its_script_and_kept_by_gophers_rules() -> None:
    text = "磨坊坐落在河边，村里的人们每天都会来到这里，他们说这是一个很好的地方，我们也在这里工作。" * 8
    batch = pa.RecordBatch.from_arrays([pa.array([text], pa.large_string())], ["text"])
    pages = pa.Table.from_batches([quality.prepare(quality.Params())(batch)])
    for name, value in (("source", "web"), ("language", "zh"), ("text_bytes", len(text)), ("confidence", 1.0)):
        pages = pages.append_column(name, pa.array([value]))
    gopher = kept.Params(families=("gopher_quality",))
    assert pages.column("gopher_num_words")[0].as_py() > 150
    assert kept.prepare(gopher, [])(pages).column("keep").to_pylist() == [True]
    said = kept.Params(families=("gopher_quality",), rules={"words_too_short": True})
    assert kept.prepare(said, [])(pages).column("reason").to_pylist() == ["words_too_short"]


def test_an_empty_list_of_languages_or_sources_is_refused(lines: Path) -> None:
    text = "sources: {a: {paths: a.jsonl}}\nkept:\n  languages: []\ndomains: {d: {sources: []}}\n"
    found = refused(lines, text + "mixture: {domains: {d: {share: 1}}}\n")
    assert [line.partition(": expected")[0] for line in found] == ["3: kept.languages", "4: domains.d.sources"]
    assert found[0].endswith("expected at least one name, found []; leave the key out, and all are meant")


def test_a_domain_that_no_page_can_reach_is_reported_before_any_work(lines: Path) -> None:
    text = "sources: {a: {paths: a.jsonl}}\nkept: {languages: [en]}\n"
    text += "domains:\n  de: {languages: [de]}\n  all: {}\n  a: {sources: [a]}\n"
    assert refused(lines, text + "mixture: {domains: {de: {share: 0.2}, all: {share: 0.4}, a: {share: 0.4}}}\n") == [
        "4: domains.de.languages: no page can come here: kept.languages leaves out de",
        "6: domains.a: no page can come here: 'all' stands before it and takes all it asks for; put 'a' first",
    ]


def test_an_override_for_a_domain_that_is_known_after_duplicates_is_refused(lines: Path) -> None:
    def said(domain: str, rules: str, limit: str = "min: {cluster_size: 3}") -> list[str]:
        text = "sources: {a: {paths: a.jsonl}}\nkept:\n"
        text += f"  overrides: [{{domains: [{domain}], rules: {rules}}}]\n"
        text += "domains: {first: {languages: [fr]}, big: {LIMIT}, rest: {sources: [a]}}\n".replace("LIMIT", limit)
        return refused(lines, text + "mixture: {domains: {frist: {share: 1}}}\n")  # so that it is refused at any rate

    known = said("first", "{too_few_words: 5}")
    assert len(known) == 1
    assert "frist" in known[0]
    assert said("big", "{below_min_cluster_size: 4}") == known
    ranked = said("rest", "{too_few_words: 5}", "percentiles: {cluster_size: [50, 100]}")
    assert any("limit on cluster_size is measured" in line for line in ranked)
    for domain, whose in (("big", "its"), ("rest", "'big' stands before it, whose")):
        for rules in ("{too_few_words: 5}", "{exact_duplicate: false}", "{near_duplicate: 0.9}"):
            expected = (
                f"which pages are of '{domain}' is known too late for this override: {whose} limit on cluster_size"
            )
            assert any(f"kept.overrides[0].domains[0]: {expected}" in line for line in said(domain, rules))


@pytest.mark.parametrize(
    ("big", "rest", "override", "late"),
    [
        ("sources: [b]", "sources: [a]", "", False),
        ("sources: [a, b]", "sources: [a]", "", True),
        ("languages: [de]", "languages: [fr, en]", "", False),
        ("max: {text_bytes: 99}", "min: {text_bytes: 100}", "", False),
        ("max: {text_bytes: 100}", "min: {text_bytes: 100}", "", True),
        ("languages: [de]", "sources: [a]", "languages: [en], ", False),
        ("languages: [de]", "sources: [a]", "languages: [en, de], ", True),
    ],
)
def test_an_override_is_for_a_domain_that_shares_no_page_with_one_known_later(
    lines: Path, big: str, rest: str, override: str, late: bool
) -> None:
    text = "sources: {a: {paths: a.jsonl}, b: {paths: a.jsonl}}\nkept:\n"
    text += f"  overrides: [{{{override}domains: [rest], rules: {{too_few_words: 5}}}}]\n"
    limit = big.replace("max: {", "max: {cluster_size: 3, ") if "max" in big else f"{big}, min: {{cluster_size: 3}}"
    text += (
        f"domains: {{big: {{{limit}}}, rest: {{{rest}}}, others: {{}}}}\nmixture: {{domains: {{rset: {{share: 1}}}}}}\n"
    )
    said = refused(lines, text)
    assert any("rset" in line for line in said)
    assert any("is known too late" in line for line in said) == late


def test_a_domain_without_a_page_names_what_took_its_pages_before_tokens(tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "m.yaml", write_corpus(tmp_path / "in", files=1))
    text = mixture.read_text().replace(
        "families: [], rules: {low", "families: [], rules: {above_max_text_bytes: 10, low"
    )
    mixture.write_text(text)
    message = (
        r"domain 'code' has no page: of the 5\d pages that meet its conditions, above_max_text_bytes \(5\d\) took all"
    )
    with pytest.raises(RunError, match=message):
        run_inline(mixture, tmp_path / "root")
    assert not (tmp_path / "root" / "tokens").exists()


def test_a_domain_without_a_page_is_not_blamed_on_those_behind_it(tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "m.yaml", write_corpus(tmp_path / "in", files=1))
    text = mixture.read_text()
    text = text.replace("domains:\n", "domains:\n  short: {sources: [code], max: {text_bytes: 1}}\n", 1)
    at = text.index("domains:", text.index("mixture:"))
    text = text[:at] + text[at:].replace("code:", "short: {epochs: 1}\n    code:", 1)
    mixture.write_text(text)
    told = r"'short' has no page: of the 5\d pages of its sources and languages 5\d do not meet max.text_bytes;"
    with pytest.raises(RunError, match=told):
        run_inline(mixture, tmp_path / "root")


def test_a_domain_by_labels_that_no_page_has_names_those_there_are(tmp_path: Path) -> None:
    topics = ["news", "sport", "news", "food", "news", "sport"]
    rows = [{"text": f"Page {number} says that {ENGLISH}", "topic": topic} for number, topic in enumerate(topics)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "m.yaml").write_text(
        "sources: {web: {paths: a.jsonl, carry: {topic: topic}}}\nkept: {families: []}\nclusters: {enabled: false}\n"
        "labels: {labellers: {topic: {column: topic}}}\n"
        "domains: {money: {labels: {topic: [finance, Sport]}}, rest: {}}\n"
        "mixture: {domains: {money: {share: 0.5}, rest: {share: 0.5}}}\n"
    )
    with pytest.raises(RunError) as error:
        run_inline(tmp_path / "m.yaml", tmp_path / "root")
    assert str(error.value).startswith(
        "domain 'money' has no page: of the 6 pages of its sources and languages 6 do not meet labels.topic"
        " (no page has a label finance or Sport of 'topic'; there are news (3), sport (2), food (1)); loosen"
    )


def test_labels_named_in_an_error_are_few_short_lines_and_files_not_looked_at_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for name, topic in (("a", "two\nlines "), ("b", "x" * 100)):
        rows = [{"text": f"Page {name} {number} says that {ENGLISH}", "topic": topic} for number in range(3)]
        (tmp_path / "in" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [f"label_{number}" for number in range(20)]
    (tmp_path / "m.yaml").write_text(
        "sources: {web: {paths: in/, group_bytes: 0, carry: {topic: topic}}}\nkept: {families: []}\n"
        "clusters: {enabled: false}\nlabels: {labellers: {topic: {column: topic}}}\n"
        f"domains: {{money: {{labels: {{topic: {asked}}}}}, rest: {{}}}}\n"
        "mixture: {domains: {money: {share: 0.5}, rest: {share: 0.5}}}\n"
    )
    named = " or ".join([*asked[:8], "12 others"])
    for files, pages in ((2, "page"), (1, "page of the first 1 files")):
        monkeypatch.setattr(reach, "LABEL_FILES", files)
        with pytest.raises(RunError) as error:
            run_inline(tmp_path / "m.yaml", tmp_path / "root")
        there = "two\u2039U+000A\u203alines  (3)" + (f", {'x' * 59}\u2026 (3)" if files == 2 else "")
        assert f"(no {pages} has a label {named} of 'topic'; there are {there})" in str(error.value)


SCORER = "def score(texts):\n    return [1.0] * (len(texts) - 1)\n"


def test_all_mistakes_are_reported_at_once(lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (lines / "my_scorer_of_nine.py").write_text(SCORER)
    monkeypatch.syspath_prepend(lines)
    text = """\
nmae: x
sources:
  a: {paths: a.jsonl, columns: {text: content}}
  b: {paths: nowhere.jsonl}
quality: {classifiers: {good: {model: no-such-model.bin}}}
scores: {scorers: {nine: {function: "my_scorer_of_nine:score"}}}
kept: {rules: {too_few_words: many}}
tokens: {tokenizer: mistral-v9}
domains: {d: {}}
mixture: {domains: {d: {share: 0.5}}}
"""
    found = refused(lines, text)
    assert [line.partition(": ")[2].partition(": ")[0] for line in found] == [
        "nmae", "sources.a.columns", "sources.b.paths", "quality.classifiers.good", "scores.scorers.nine",
        "kept.rules.too_few_words", "tokens.tokenizer", "mixture",
    ]  # fmt: skip
    assert "content" in found[1]
    assert found[4].endswith("expected 10 numbers, one a text, found 9")
