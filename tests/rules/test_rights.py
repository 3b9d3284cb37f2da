"""Rights in a run: what a page asks of robots and the licence it states drop it, with reasons of their own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipeline import recipe as recipes
from pipeline.answers.stats import stats_of
from pipeline.answers.why import lives
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages.rules.rights import Licences, called, unwanted
from tests.support.archives import record
from tests.support.corpora import documented, page, write_corpus, write_mixture
from tests.support.runs import run_inline

RIGHTS = """\
kept:
  robots: {agents: [CCBot]}
  licences: {drop: [by-nc]}
"""


@pytest.mark.slow
def test_pages_that_ask_are_dropped_reported_and_counted(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "in", files=1)
    name, text = documented()[0]
    plain = page(name, text + " Told apart.")
    asked = {
        "noai": plain.replace(b"<head>", b'<head><meta name="robots" content="noai">', 1),
        "ccbot": plain.replace(b"<head>", b'<head><meta name="CCBot" content="noai">', 1),
        "index": plain.replace(b"<head>", b'<head><meta name="robots" content="noindex">', 1),
        "nc": plain.replace(b"</article>", b'</article><a rel="license" href="https://creativecommons.org/licenses/by-nc/4.0/">x</a>'),
    }  # fmt: skip
    records = [record(body, url=f"https://asks.example/{key}") for key, body in asked.items()]
    records.append(record(plain, http="X-Robots-Tag: noimageai", url="https://asks.example/header"))
    (folder / "web" / "asks.warc.gz").write_bytes(b"".join(gzip.compress(one, 6, mtime=0) for one in records))
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    mixture.write_text(mixture.read_text().replace("kept:\n  families", f"{RIGHTS}  families", 1))
    run_inline(mixture, tmp_path / "root")
    snapshot = load(Store(str(tmp_path / "root")))
    found = {}
    for key in (*asked, "header"):
        [life] = lives(snapshot, f"https://asks.example/{key}")
        found[key] = life["decision"]["reason"]
    assert found["index"] != "asked_not_to_be_used"
    expected = dict.fromkeys(("noai", "ccbot", "header"), "asked_not_to_be_used") | {"nc": "licence_not_wanted"}
    assert {key: found[key] for key in expected} == expected
    counted = {row["reason"]: row["documents"] for row in stats_of(snapshot)["reasons"]}
    assert (counted["asked_not_to_be_used"], counted["licence_not_wanted"]) == (3, 1)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ("rules: {asked_not_to_be_used: true}", "asked_not_to_be_used needs kept.robots"),
        ("licences: {keep: [by], drop: [by-nc]}", "one of the two"),
        ("robots: {agents: ['a b']}", "expected one word"),
        ("robots: {agents: [CCBot]}\n  rules: {asked_not_to_be_used: 0.5}", "has no threshold"),
    ],
)
def test_wrong_settings_are_reported(tmp_path: Path, kept: str, message: str) -> None:
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    mixture.write_text(mixture.read_text().replace("  rules: {too_few_words: 50}", f"  {kept}"))
    with pytest.raises(ConfigError, match=message):
        recipes.load(mixture, Store(str(tmp_path)))


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ("creativecommons.org/licenses/by-sa/4.0", "by-sa"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "zero"),
        ("CC-BY-NC-4.0", "by-nc"),
        ("CC BY-NC-SA 3.0 DE", "by-nc-sa"),
        ("cc_by_nd", "by-nd"),
        ("CC BY-SA-NC 4.0", "by-nc-sa"),
        ("CC0-1.0", "zero"),
        ("cc0", "zero"),
        ("CC-PDM-1.0", "mark"),
        ("CC BY or MIT", "cc by or mit"),
        ("ccby-nothing", "ccby-nothing"),
        ("MIT", "mit"),
    ],
)
def test_a_licence_is_called_alike_by_address_and_by_short_name(licence: str, name: str) -> None:
    assert called(licence) == name
    assert unwanted(licence, Licences(drop=(name,)))
    assert unwanted(licence, Licences(drop=(licence,)))
    assert not unwanted(licence, Licences(keep=(name,)))
    assert unwanted(licence, Licences(keep=("another",)))
