"""Every number of the report, computed again from the files by DuckDB: equal (`slow_report` is the twin).

Two runs are checked: a small one that needs nothing, and real pages with everything on (`real_crawl`), where they are
at hand. GRISTMILL_CHECK_ROOT and GRISTMILL_CHECK_MIXTURE name a finished run of your own, and the file it was made of.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.answers import stats as reporting
from pipeline.answers import why
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store
from stages.report import charts
from stages.report.tables import build_tables
from tests.slow import files as slow_files
from tests.slow import report as slow_report
from tests.support import real_crawl
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline

duckdb: Any = pytest.importorskip("duckdb")

SAID = {"version", "name", "complete", "tokenizer", "repeats", "contamination", "own_lines", "transforms"}
# `repeats` is off in these runs, and so are transforms (tests/products/test_transforms.py); what the summary of the
# other says is in tests/products/test_contamination.py
"""Parts of stats.json that say what they are about, and count nothing."""
SAID_INSIDE = {"survey.suffix_list"}
PARTS = (
    "totals", "funnel", "corpus", "removed", "tokens", "sources", "languages", "domains", "reasons", "rules", "listed",
    "asked", "views", "mixture", "phases", "held_out", "buckets", "lengths", "shards", "input", "clusters", "survey",
)  # fmt: skip
Row = dict[str, Any]
GIVEN = os.environ.get("GRISTMILL_CHECK_ROOT")


@dataclass
class Checked:
    """A run: its figures, and what DuckDB sees of its files."""

    stats: dict[str, Any]
    costs: dict[str, Any]
    files: slow_files.Files


@pytest.fixture(scope="module", params=["given"] if GIVEN else ["small", "crawl"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    if GIVEN:
        root, mixture = Path(GIVEN), Path(os.environ["GRISTMILL_CHECK_MIXTURE"])
    else:
        folder = tmp_path_factory.mktemp(request.param)
        if request.param == "crawl":
            mixture = real_crawl.write(request.getfixturevalue("shared"), folder)
        else:
            write_corpus(folder / "in")
            mixture = write_mixture(folder / "small.yaml", folder / "in", min_words=120)
        root = folder / "root"
        run_inline(mixture, root)
    snapshot = snapshots.load(Store(str(root)))
    files = slow_files.Files(snapshot, mixture)
    yield Checked(reporting.stats_of(snapshot), reporting.costs_of(snapshot), files)
    files.sql.close()


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return found == pytest.approx(expected, rel=1e-12)
    return bool(found == expected)


@pytest.mark.parametrize("part", PARTS)
def test_every_number_of_stats_json_is_what_the_files_say(run: Checked, part: str) -> None:
    found = slow_report.leaves(run.stats[part], part)
    expected = slow_report.leaves(slow_report.expected(run.files)[part](), part)
    assert found.keys() - expected.keys() <= SAID_INSIDE, "a number of stats.json that nothing here computes again"
    assert expected.keys() <= found.keys()
    different = {path: (found[path], value) for path, value in expected.items() if not same(found[path], value)}
    assert not different, "by path: stats.json, the files"


def test_no_part_of_stats_json_goes_unchecked(run: Checked) -> None:
    assert set(run.stats) == SAID | set(PARTS)
    assert set(PARTS) == set(slow_report.expected(run.files))
    assert run.stats["complete"]


def test_the_real_run_has_of_everything(run: Checked) -> None:
    """Else the comparison above proves less than it seems to."""
    if run.stats["name"] != "everything":
        pytest.skip("the run of real pages alone has everything on")
    stats = run.stats
    for part in ("listed", "asked", "views", "phases", "held_out", "buckets"):
        assert stats[part]
    assert all(stats["corpus"].values())
    assert stats["input"]["bad"] == 1
    assert stats["input"]["content_types"]
    assert len(stats["clusters"]["pairs_by_similarity"]) > 5
    benchmarks = {row["value"]: row["pages"] for row in stats["survey"]["groups"]["contamination_benchmark"]}
    assert benchmarks["questions"]
    assert benchmarks["passages"]
    assert {row["step"] for row in stats["reasons"]} == {"documents", "addresses", "language", "clusters", "quality"}
    assert any(row["epochs"] > 1 for row in stats["phases"])


def test_why_tells_the_bucket_of_a_page_with_the_edges_of_its_language(run: Checked) -> None:
    if not run.files.edges:
        pytest.skip("no domain of this run selects by percentiles")
    num_pages = 0
    for (domain, column), edges in run.files.edges.items():
        text = "SELECT doc_id, language FROM pages WHERE keep AND domain = ? ORDER BY doc_id LIMIT 3"
        for row in run.files.rows(text, domain):
            (found,) = why.lives(run.files.snapshot, row["doc_id"].hex(), lambda _: None)
            (bucket,) = [entry for entry in found["decision"]["buckets"] if entry["column"] == column]
            assert (bucket["least"], bucket["below"]) == edges[row["language"]]
            assert bucket["least"] is None or bucket["least"] <= bucket["value"]
            assert bucket["below"] is None or bucket["value"] < bucket["below"]
            num_pages += 1
            columns = {entry["column"]: entry for entry in found["measurements"]}
            assert "frequent_lines_fraction" in columns
            assert columns["confidence"]["rules"][0]["threshold"] == 0.3
    assert num_pages > 3


def test_costs_are_those_of_the_tasks_that_made_the_files(run: Checked) -> None:
    store = run.files.store
    reports = {address: store.metadata(address) for address, _ in store.list("runs/costs")}
    if len({report["run"] for report in reports.values()}) > 1:
        pytest.skip("made by several runs: the latest that made a file counts")
    expected: dict[str, Row] = {}
    for address, report in reports.items():
        num_stages = 0
        for task in run.files.rows(f"SELECT * FROM '{store.path(address)}'"):
            for stage, seconds in (task["stages"] or {task["phase"]: task["seconds"]}).items():
                fresh = {"seconds": 0.0, "bytes": 0, "tasks": 0, "peak_memory": 0, "retries": 0}
                found = expected.setdefault(stage, fresh)
                found["seconds"] += seconds
                found["bytes"] += task["bytes"]
                found["tasks"] += 1
                found["peak_memory"] = max(found["peak_memory"], task["peak_bytes"])
                if task["pages"] is not None:
                    found["pages"] = found.get("pages", 0) + task["pages"]
                found["retries"] += 0 if num_stages else report["retries"]
                num_stages += 1
    assert run.costs.keys() == expected.keys()
    for stage, entry in expected.items():
        assert run.costs[stage] == pytest.approx(entry, rel=1e-9)


# The tables of the page: what they add to stats.json


def over(part: str, whole: str) -> Any:
    """One column of a row over another; nothing over nothing is nothing."""
    return lambda row, stats: row[part] / row[whole] if row[part] is not None and row[whole] else None


def of_tokens(row: Row, stats: Row) -> float:
    return float(row["tokens"] / stats["totals"]["tokens"])


def worth(row: Row, stats: Row) -> int:
    """Muennighoff et al. 2023, equation 5: a token read again is worth less each time."""
    unique, half_life = row["unique_tokens"], 15.387756
    repeats = max(0.0, row["tokens"] / unique - 1)
    return round(min(row["tokens"], unique) + unique * half_life * (1 - math.exp(-repeats / half_life)))


def median(row: Row, stats: Row) -> int:
    """The size below which half of the documents are, evenly spread within a bin."""
    (found,) = (entry for entry in stats["lengths"]["domains"] if entry["domain"] == row["domain"])
    half, edges = sum(found["counts"]) / 2, stats["lengths"]["edges"]
    for place, count in enumerate(found["counts"], found["first"]):
        if count >= half:
            low, high = edges[place : place + 2]
            return round(low if high - low == 1 else low + (high - low) * half / count)
        half -= count
    raise AssertionError


def removed_in(step: str) -> Any:
    return lambda row, stats: row["removed"][step]


TAKEN = {"difference": lambda row, _: row["realised_share"] - row["requested_share"], "effective": worth}
KEPT = {"kept_share": over("kept", "pages")}
OF_HOSTS = KEPT | {"gain": lambda row, _: row["share_kept"] - row["share"]}
GONE = ("exact_removed", "fuzzy_removed", "url_removed")
COPIES = {"removed": lambda row, _: sum(row[name] for name in GONE)}
COPIES |= {"share": lambda row, _: sum(row[name] for name in GONE) / row["passing"] if row["passing"] else None}
FORMULAS: dict[str, dict[str, Any]] = {
    "reasons": {
        "share": lambda row, stats: row["documents"] / stats["totals"]["pages"] if row["raw_bytes"] is None else None,
        "bytes": lambda row, _: row["bytes"] if row["raw_bytes"] is None else row["raw_bytes"],
    },
    "mixture": TAKEN,
    "phases": TAKEN,
    "domains": KEPT
    | {"share": of_tokens, "rate": over("bytes", "tokens"), "languages": lambda row, _: len(row["languages"])}
    | {"mean": lambda row, _: round(row["tokens"] / row["documents"]) if row["documents"] else None}
    | {"median": lambda row, stats: median(row, stats) if row["documents"] else None},
    "languages": KEPT | {"share": of_tokens, "rate": over("tokenized_bytes", "tokens")},
    "sources": KEPT
    | {"rate": over("tokenized_bytes", "tokens")}
    | {f"removed_{step}": removed_in(step) for step in ("language", "clusters", "quality")},
    "hosts": OF_HOSTS,
    "registered": OF_HOSTS,
    "contamination": {"removed": lambda row, _: row["pages"] - row["kept"]},
    "duplicates_by_source": COPIES,
    "duplicates_by_language": COPIES,
    "personal_data": {"share": lambda row, stats: row["pages"] / stats["totals"]["pages"]}
    | {"share_kept": lambda row, stats: row["kept"] / stats["totals"]["kept"]},
    "costs": {"bytes_per_second": lambda row, _: rounded(row["bytes"], row["seconds"])}
    | {"pages_per_second": lambda row, _: rounded(row.get("pages"), row["seconds"])},
}


def rounded(part: float | None, whole: float) -> int | None:
    return round(part / whole) if part is not None and whole else None


def rows_of(run: Checked, name: str) -> list[Row]:
    """The rows of stats.json, or of the costs, that a table shows."""
    stats, survey = run.stats, run.stats["survey"]
    if name == "costs":
        return [{"stage": stage, **entry} for stage, entry in run.costs.items()]
    if name.startswith("by_"):
        return list(survey["groups"][name[3:]])
    if name.startswith("duplicates_by_"):
        return [{"name": key, **row} for key, row in stats["clusters"][f"{name[14:]}s"].items()]
    if name == "content_types":
        return [{"records": count} for count in stats["input"]["content_types"].values()]
    if name == "personal_data":
        totals = [entry["totals"] for entry in survey["histograms"] if entry["column"].startswith("privacy_num_")]
        return [dict(zip(("found", "found_kept", "pages", "kept"), entry, strict=True)) for entry in totals]
    if name in ("hosts", "registered"):
        return list(survey[name])
    if name == "contamination":
        return [row for row in survey["groups"]["contamination_benchmark"] if row["value"]]
    if name.startswith("contamination_"):
        return list(stats["contamination"][name.removeprefix("contamination_")])
    return list(stats["input"]["listed"] if name == "trouble" else stats[name])


def test_tables_of_the_page_show_stats_json_and_what_follows_from_it(run: Checked) -> None:
    words = ("text", "reason", "language", "parts", "plain")
    for table in build_tables(run.stats, run.costs):
        rows = rows_of(run, table.name)
        formulas = FORMULAS.get(table.name, KEPT if table.name.startswith("by_") else {})
        for column in table.columns:
            if column.kind in words:
                continue
            formula = formulas.get(column.key, lambda row, _, key=column.key: row.get(key))
            expected = sorted((formula(row, run.stats) for row in rows), key=order)
            found = sorted((record[column.key] for record in table.records()), key=order)
            assert len(found) == len(expected)
            assert all(map(same, found, expected)), f"{table.name}.{column.key}"
            assert any(value is not None for value in found) or column.key in EMPTY, f"{table.name}.{column.key}"


EMPTY = {"spans", "below", "least", "share_kept", "tokens"}
"""Columns that may hold nothing in some run."""


def order(value: float | None) -> tuple[bool, float]:
    return value is None, value or 0


def test_buckets_of_a_large_grid_are_one_bar_a_label() -> None:
    names = [f"web--{label}--{k:02d}-{k + 10}" for label in ("a", "b") for k in range(0, 200, 10)]
    rows = [
        {"domain": name, "tokens": 10, "available_tokens": 5 + k, "requested_share": 0.02, "realised_share": 0.02,
         "epochs": 10 / (5 + k)}
        for k, name in enumerate(names)
    ]  # fmt: skip
    rows.append(rows[0] | {"domain": "code", "requested_share": None, "realised_share": 0.2, "epochs": 0.5})
    stats = {"mixture": rows, "domains": []}
    drawn = {row["domain"]: row for row in charts.shares(stats)}
    assert [*drawn] == ["web--a", "web--b", "code"]
    assert drawn["web--a"]["realised_text"] == "40.0%" == drawn["web--a"]["requested_text"]
    assert (drawn["web--a"]["buckets"], drawn["web--a"]["epochs"], drawn["web--a"]["repeated"]) == (20, "to 2.00", True)
    assert (drawn["code"]["requested"], drawn["code"]["realised"], drawn["code"]["epochs"]) == (None, 50.0, "0.50")
    few = charts.shares({"mixture": rows[:3], "domains": []})
    assert [row["domain"] for row in few] == names[:3]
