"""Survivors are chosen late, through a whole run: what a rule drops takes no copy with it, and every count says so."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from pipeline import recipe as recipes
from pipeline.answers import dedup_report, stats
from pipeline.answers.why import lives
from pipeline.answers.why_text import life_text
from pipeline.errors import UserError
from pipeline.recipe import doubts
from pipeline.recipe.snapshot import load
from pipeline.run import takedown
from pipeline.store.storage import Store
from tests.support.dedup_families import edited, words
from tests.support.runs import made, run_inline

MIXTURE = """\
name: late
sources:
  web: {{paths: "{folder}/*.jsonl"}}
kept:
  families: [gopher_quality]
  rules: {{low_language_confidence: false, too_few_stop_words: false, too_few_words: {words},
    words_too_short: false, words_too_long: false, too_few_alphabetic_words: false}}
  urls: {{blocked: {{domains: [scraper.example]}}}}
domains: {{long: {{min: {{text_bytes: 1}}}}}}
mixture: {{domains: {{long: {{share: 1}}}}}}
"""


def pages() -> list[dict[str, str]]:
    """50 originals, a longer near-copy of each on a host that is shut out, and short near-copies of some."""
    draw = random.Random(8)
    found = []
    for number in range(50):
        text = words(draw, 150)
        found.append({"url": f"https://good.example/{number}", "text": " ".join(text)})
        scraped = [*edited(draw, text, 0.95), "buy", "now"]
        found.append({"url": f"https://scraper.example/{number}", "text": " ".join(scraped)})
        if number % 5 == 0:
            found.append({"url": f"https://mirror.example/{number}", "text": " ".join(text[:140])})
            found.append({"url": f"https://again.example/{number}", "text": " ".join(text).upper() + "!"})
    return found


def write(folder: Path, rows: list[dict[str, str]], words: int = 50) -> Path:
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for part in range(2):
        lines = [json.dumps(row) for row in rows[part::2]]
        file = folder / "in" / f"{part}.jsonl"
        if not file.exists():
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "late.yaml"
    path.write_text(MIXTURE.format(folder=folder / "in", words=words), encoding="utf-8")
    return path


def decided(root: Path) -> dict[str, dict[str, Any]]:
    """By URL the rows of `documents`, `eligible`, `clusters` and `kept`."""
    snapshot = load(Store(str(root)))
    found = {}
    products = [snapshot.product(name) for name in ("documents", "eligible", "clusters", "kept")]
    for files in zip(*products, strict=True):
        tables = [snapshot.store.read_table(file.address).to_pylist() for file in files]
        for parts in zip(*tables, strict=True):
            row = {key: value for part in parts for key, value in part.items()}
            found[row["url"]] = row
    return found


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("late")
    run_inline(write(folder, pages()), folder / "root")
    return folder


def test_fifty_longer_copies_on_a_blocked_host_delete_no_good_page(blocked: Path) -> None:
    rows = decided(blocked / "root")
    assert all(rows[f"https://good.example/{number}"]["keep"] for number in range(50) if number % 5)
    scraped = [rows[f"https://scraper.example/{number}"] for number in range(50)]
    assert {row["reason"] for row in scraped} == {"listed_in_blocked"}
    stays = {row["doc_id"] for row in rows.values() if row["keep"]}
    assert len(stays) == 50
    assert all(row["survivor"] in stays for row in rows.values() if row["survivor"])
    assert all(row["survivor"] is not None for row in scraped)  # the bit is kept: each says what a page says that stays
    figures = stats.stats_of(load(Store(str(blocked / "root"))))
    rules = {row["rule"]: row for row in figures["rules"]}
    assert rules["listed_in_blocked"]["first"] == 50
    assert rules["near_duplicate"]["documents"] == 50 + rules["near_duplicate"]["first"]
    reasons = {row["reason"]: row["documents"] for row in figures["reasons"]}
    summary = figures["clusters"]
    assert reasons["exact_duplicate"] == summary["exact_removed"] == 10
    assert reasons["near_duplicate"] == summary["fuzzy_removed"] == 10
    assert (summary["rows"], summary["passing"]) == (120, 70)
    [life] = lives(load(Store(str(blocked / "root"))), "https://scraper.example/3")
    assert life["cluster"]["survivor_page"]["url"] == "https://good.example/3"
    assert "this page fails another rule" in life_text(life)


@pytest.mark.parametrize("words", [50, 145])
def test_the_pages_kept_are_those_of_a_run_over_the_eligible_pages_alone(
    blocked: Path, tmp_path: Path, words: int
) -> None:
    job = run_inline(write(blocked, pages(), words), blocked / "root")
    assert not {"documents", "quality", "signatures", "families"} & {*made(job)}
    rows = decided(blocked / "root")
    left = [page for page in pages() if rows[page["url"]]["eligible"]]
    assert 0 < len(left) < 120
    run_inline(write(tmp_path, left, words), tmp_path / "root")
    alone = decided(tmp_path / "root")
    assert {url for url, row in rows.items() if row["keep"]} == {url for url, row in alone.items() if row["keep"]}
    assert run_inline(write(blocked, pages(), words), blocked / "root")
    assert made(run_inline(write(blocked, pages()), blocked / "root")) == {}


def test_a_copy_of_a_page_taken_down_alone_stays_and_with_copies_goes(tmp_path: Path) -> None:
    root = tmp_path / "root"
    mixture = write(tmp_path, pages())
    run_inline(mixture, root)
    rows = decided(root)
    copy = next(row for row in rows.values() if row["reason"] == "exact_duplicate")
    stays = next(row for row in rows.values() if row["doc_id"] == copy["survivor"])
    entry = {"kind": "url", "value": stays["url"], "copies": False}
    takedown.add(Store(str(root)), [entry])
    run_inline(mixture, root)
    assert decided(root)[stays["url"]]["reason"] == "taken_down"
    assert decided(root)[copy["url"]]["keep"]
    takedown.add(Store(str(root)), [entry | {"copies": True}])
    run_inline(mixture, root)
    assert decided(root)[stays["url"]]["reason"] == "taken_down"
    assert not decided(root)[copy["url"]]["keep"]


NEAR = """\
name: near
sources:
  long: {{paths: "{folder}/long.jsonl"}}
  short: {{paths: "{folder}/short.jsonl"}}
kept:
  families: []
  rules: {rules}
  overrides: {overrides}
domains: {{all: {{}}}}
mixture: {{domains: {{all: {{share: 1}}}}}}
"""


@pytest.mark.parametrize(
    ("rules", "overrides", "stay"),
    [
        ("{}", "[]", 1),
        ("{near_duplicate: 0.9}", "[]", 2),  # of twelve pages of J 0.94 among themselves one, beside the longest
        ("{near_duplicate: 0.99}", "[]", 13),
        ("{}", "[{sources: [short], rules: {near_duplicate: 0.9}}]", 2),
        ("{}", "[{sources: [long], rules: {near_duplicate: 0.9}}]", 1),
        ("{}", "[{sources: [short], rules: {near_duplicate: false}}]", 12),  # the longest goes for them
    ],
)
def test_of_pages_that_a_stricter_near_duplicate_leaves_in_those_alike_go(
    tmp_path: Path, rules: str, overrides: str, stay: int
) -> None:
    draw = random.Random(9)
    text, more = words(draw, 160), words(draw, 16)
    short = [[*text[:5], f"edition{number}", *text[6:]] for number in range(12)]
    for name, texts in (("long", [text + more]), ("short", short)):
        lines = [json.dumps({"url": f"https://{name}.example/{n}", "text": " ".join(t)}) for n, t in enumerate(texts)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = tmp_path / "near.yaml"
    path.write_text(NEAR.format(folder=tmp_path, rules=rules, overrides=overrides), encoding="utf-8")
    run_inline(path, tmp_path / "root")
    rows = decided(tmp_path / "root")
    kept = {row["doc_id"] for row in rows.values() if row["keep"]}
    assert len(kept) == stay
    assert all(row["survivor"] in kept for row in rows.values() if not row["keep"])
    snapshot = load(Store(str(tmp_path / "root")))
    figures = stats.stats_of(snapshot)
    assert figures["clusters"]["fuzzy_removed"] == 13 - stay, "a page that stays counts as no loss"
    assert f"{13 - stay} similar copies removed" in dedup_report.text(snapshot.store, None, 1)


SAME = """\
name: same
sources:
  one: {{paths: "{folder}/one.jsonl"}}
  two: {{paths: "{folder}/two.jsonl"}}
clusters: {{urls: true, survivor: [longest, source], source_priority: [one]}}
kept:
  families: []
  rules: {rules}
  overrides: [{{sources: [two], rules: {two}}}]
domains: {{all: {{}}}}
mixture: {{domains: {{all: {{share: 1}}}}}}
"""
DUPLICATES = ("exact_duplicate", "near_duplicate", "same_address")
REMOVED = ("exact_removed", "fuzzy_removed", "url_removed")


def same_pages() -> dict[str, list[tuple[str, str]]]:
    """(URL, text) of two sources: four copies of a text, and a longer one like it; at one address a long text and, of
    the other source, a short one that stands elsewhere, too."""
    draw = random.Random(10)
    text, address, other = (" ".join(words(draw, count)) for count in (160, 120, 80))
    copies = [(f"https://a.example/{number}", text) for number in range(4)]
    one = [*copies[:2], ("https://longer.example/", f"{text} end"), ("https://b.example/", address)]
    return {"one": [*one, ("https://c.example/", other)], "two": [*copies[2:], ("https://b.example/", other)]}


@pytest.mark.parametrize(
    ("rules", "two", "stay", "removed"),
    [  # pages that stay: of the copies, the longer one, the long text at the address, the short one; removed: by rule
        ("{}", "{}", (0, 1, 1, 1), (3, 1, 1)),
        ("{near_duplicate: false}", "{}", (1, 1, 1, 1), (3, 0, 1)),
        ("{exact_duplicate: false}", "{}", (0, 1, 1, 1), (0, 4, 1)),
        ("{exact_duplicate: false, near_duplicate: 0.999}", "{}", (4, 1, 1, 1), (0, 0, 1)),
        ("{}", "{exact_duplicate: false}", (0, 1, 1, 1), (1, 3, 1)),
        ("{}", "{exact_duplicate: false, near_duplicate: false}", (3, 0, 1, 1), (1, 1, 1)),
        ("{same_address: false}", "{}", (0, 1, 1, 1), (4, 1, 0)),
        ("{}", "{same_address: false}", (0, 1, 1, 1), (4, 1, 0)),
        ("{}", "{same_address: false, exact_duplicate: false}", (0, 1, 1, 2), (1, 3, 0)),
        ("{exact_duplicate: false, near_duplicate: false, same_address: false}", "{}", (4, 1, 1, 2), (0, 0, 0)),
    ],
)
def test_report_brakes_and_pairs_count_no_page_that_a_rule_leaves_in(
    tmp_path: Path, rules: str, two: str, stay: tuple[int, ...], removed: tuple[int, int, int]
) -> None:
    for name, rows in same_pages().items():
        lines = [json.dumps({"url": url, "text": text}) for url, text in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = tmp_path / "same.yaml"
    path.write_text(SAME.format(folder=tmp_path, rules=rules, two=two), encoding="utf-8")
    run_inline(path, tmp_path / "root")
    snapshot = load(Store(str(tmp_path / "root")))
    rows: list[dict[str, Any]] = []
    for files in zip(*(snapshot.product(name) for name in ("documents", "clusters", "kept")), strict=True):
        tables = [snapshot.store.read_table(file.address).to_pylist() for file in files]
        rows += [{key: value for part in parts for key, value in part.items()} for parts in zip(*tables, strict=True)]
    assert len(rows) == 8
    of_size = {size: [row for row in rows if len(row["text"].split()) == size] for size in (160, 161, 120, 80)}
    assert tuple(sum(row["keep"] for row in group) for group in of_size.values()) == stay
    kept = {row["doc_id"] for row in rows if row["keep"]}
    # clusters, its summary, the reasons of kept and the labelled pairs say the same
    assert all((row["survivor"] in kept) if not row["keep"] else row["survivor"] is None for row in rows)
    reasons = [sum(row["reason"] == name for row in rows) for name in DUPLICATES]
    summary = snapshot.store.read_json(f"{snapshot.data['clusters']}/summary.json")
    assert tuple(reasons) == tuple(summary[name] for name in REMOVED) == removed
    assert sum(entry["pages"] for row in rows for entry in row["copies"] or ()) == sum(
        row["cluster_size"] > 1 or row["match"] == "url" for row in rows
    )
    report = dedup_report.text(snapshot.store, None, 1)
    cluster = next(line for line in report.splitlines() if line.startswith("cluster ") and "pages" in line)
    assert cluster.endswith(f": 5 pages, {stay[0] + stay[1]} of them stay")
    pairs = tmp_path / "pairs.csv"
    named = [[row["doc_id"].hex() for row in of_size[size]] for size in (160, 80)]
    every = [(a, b) for group in named for a, b in itertools.combinations(group, 2)]
    pairs.write_text("a,b,duplicate\n" + "".join(f"{a},{b},true\n" for a, b in every))
    stays = {row["doc_id"].hex(): (row["survivor"] or row["doc_id"]).hex() for row in rows}
    found = sum(stays[a] == stays[b] for a, b in every)
    assert f"7 labelled duplicates, {found} found" in dedup_report.pairs_text(snapshot.store, None, str(pairs))


def test_a_near_duplicate_below_what_clusters_compares_is_remarked_on(tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_text('{"text": "one"}\n', encoding="utf-8")
    (tmp_path / "short.jsonl").write_text('{"text": "two"}\n', encoding="utf-8")
    path = tmp_path / "near.yaml"
    for rules, remarks in (("{near_duplicate: 0.6}", 1), ("{near_duplicate: 0.8}", 0), ("{near_duplicate: false}", 0)):
        path.write_text(NEAR.format(folder=tmp_path, rules=rules, overrides="[]"), encoding="utf-8")
        found = doubts.unmeasured(recipes.load(path, Store(str(tmp_path / "root"))))
        assert len(found) == remarks
        assert all(line.startswith("kept: near_duplicate: 0.6 drops no page more than 0.8") for line in found)


# dedup-report --pairs


def test_labelled_pairs_are_judged_by_similarity(blocked: Path, tmp_path: Path) -> None:
    run_inline(write(blocked, pages()), blocked / "root")
    rows = decided(blocked / "root")
    good, mirror = "https://good.example/", "https://mirror.example/"
    lines = [f"{good}{n},{mirror}{n},true" for n in range(0, 50, 5)]
    lines += [f"{good}{n},{good}{n + 1},no" for n in range(9)]
    lines += [f"{rows[good + '0']['doc_id'].hex()},https://again.example/0,0"]  # a wrong label
    lines += [f"{good}1,{good}2,yes", f"{good}1,https://scraper.example/1,1", f"{good}1,https://nowhere.example/,1"]
    path = tmp_path / "pairs.csv"
    path.write_text("a,b,duplicate\n" + "\n".join(lines) + "\n")
    text = dedup_report.pairs_text(Store(str(blocked / "root")), None, str(path))
    assert "21 pairs judged: 11 labelled duplicates, 11 found, 10 of these so labelled" in text
    assert "recall 90.91%, precision 90.91%" in text
    assert "1 pairs not judged: another rule drops one of their pages" in text
    assert "1 pairs left out; 1 pages are not there, such as https://nowhere.example/" in text
    assert f"{good}1  {good}2  similarity 0.000" in text
    table = [line.split() for line in text.splitlines() if line.startswith(("  0.9 to 1.0", "  1.0 "))]
    assert table == [
        ["0.9", "to", "1.0", "10", "10", "10", "10", "100.00%", "100.00%"],
        ["1.0", "1", "0", "1", "0", "-", "0.00%"],
    ]
    as_json = tmp_path / "pairs.jsonl"
    as_json.write_text(
        "\n".join(
            json.dumps(dict(zip("ab", line.split(",")[:2], strict=True)) | {"duplicate": line.split(",")[2]})
            for line in lines
        )
    )
    assert dedup_report.pairs_text(Store(str(blocked / "root")), None, str(as_json)) == text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "a,b,duplicate\n", "holds no pair"),
        ("a.csv", "a,b\nx,y\n", "row 1: expected a, b, duplicate; no 'duplicate', found a, b"),
        ("a.csv", "a,b,duplicate\nx,y,maybe\n", "row 1: expected duplicate to be one of true.*found 'maybe'"),
        ("a.csv", "a,b,duplicate\nx,x,1\n", "expected two pages, found x twice"),
        ("a.jsonl", '{"a": 1}\n', "no 'b'"),
        ("a.jsonl", "[]\n", "line 1: expected a JSON object"),
        ("a.txt", "x y", "expected a .csv, .tsv, .jsonl or .parquet file"),
        ("a.csv", "a,b,duplicate\nhttps://no.example/,https://none.example/,1\n", "none of its 1 pairs are pages of"),
    ],
)
def test_a_file_of_pairs_that_is_none_is_refused(
    blocked: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        dedup_report.pairs_text(Store(str(blocked / "root")), None, str(tmp_path / name))
