"""The survey: sums that do not depend on how the input is divided, and the same samples in every run."""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages import schemas
from stages.kernels.columns import bins
from stages.report import build_stats, charts, render_html, sums, survey
from stages.report import hosts as hosts_module
from stages.report.hosts import of_level
from stages.report.sums import Survey, add_up
from stages.rules import families
from tests.support.report_runs import make_run

URLS = (
    "https://a.example/x",
    "http://user@B.example:8080/?q#f",
    "ftp://c.example",
    None,
    "no address",
    "https://d.example?x",
)


def make_pages(seed: int, rows: int) -> pa.Table:
    """A table with the columns of all products."""
    rng = random.Random(seed)
    reasons = [rng.choice([None, None, "too_few_words", "near_duplicate"]) for _ in range(rows)]
    columns: dict[str, Any] = {
        "doc_id": pa.array([rng.randbytes(16) for _ in range(rows)], schemas.DOC_ID),
        "source": pa.array(["web"] * rows, pa.string()),
        "url": pa.array([rng.choice(URLS) for _ in range(rows)], pa.string()),
        "time": pa.array([rng.choice([None, 1_700_000_000]) for _ in range(rows)], pa.timestamp("s", tz="UTC")),
        "licence": pa.array([rng.choice([None, "MIT"]) for _ in range(rows)], pa.string()),
        "charset": pa.array(["utf-8"] * rows, pa.string()),
        "text_bytes": pa.array([rng.randrange(9999) for _ in range(rows)], pa.int64()),
        "language": pa.array([rng.choice(["en", "ja"]) for _ in range(rows)], pa.string()),
        "script": pa.array(["Latn"] * rows, pa.string()),
        "confidence": pa.array([rng.random() for _ in range(rows)], pa.float32()),
        "gopher_num_words": pa.array([rng.randrange(300) for _ in range(rows)], pa.int64()),
        "gopher_alphabetic_word_fraction": pa.array(
            [rng.choice([None, rng.random()]) for _ in range(rows)], pa.float64()
        ),
        "keep": pa.array([reason is None for reason in reasons], pa.bool_()),
        "reason": pa.array(reasons, pa.string()),
    }
    return pa.table(columns)


@given(seed=st.integers(0, 999), cuts=st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=30, deadline=None)
def test_the_sum_does_not_depend_on_how_pages_are_divided_or_merged(seed: int, cuts: list[int]) -> None:
    pages = make_pages(seed, 60)
    bounds = [0, *sorted(cuts), 60]
    parts = [survey.look(pages.slice(a, b - a), "d") for a, b in pairwise(bounds)]
    whole = add_up([survey.look(pages, "d")])
    for some in (parts, parts[::-1], [add_up(parts[:2]), add_up(parts[2:])]):
        assert facts(add_up(some)) == facts(whole)


def facts(found: Survey) -> dict[str, Any]:
    """All that a survey says; but for rows within a file, which do depend on the division."""
    columns = {name: [*vars(entry).values()] for name, entry in found.columns().items()}
    plain = {name: [v.tolist() if isinstance(v, np.ndarray) else v for v in values] for name, values in columns.items()}
    samples = [
        (*sample[:3], {k: v for k, v in json.loads(sample[3]).items() if k != "row"}) for sample in found.samples
    ]
    rest = {"rows": found.rows, "groups": found.groups, "left_out": found.left_out}
    return rest | {"hosts": found.hosts.to_pylist(), "columns": plain, "samples": samples}


@given(seed=st.integers(0, 999), rows=st.integers(0, 60))
@settings(max_examples=20, deadline=None)
def test_a_survey_comes_back_from_its_file_as_it_was(seed: int, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = add_up([survey.look(make_pages(seed, rows), "d")] * 3)
        sums.write(Store(folder), "a.arrow", found)
        assert facts(sums.read(Store(folder), "a.arrow")) == facts(found)


def test_splits_with_other_columns_add_up_column_by_column(tmp_path: Path) -> None:
    one, other = make_pages(1, 40), make_pages(2, 30).drop_columns(["gopher_num_words"])
    whole = add_up([survey.look(one, "d"), survey.look(other, "d"), survey.look(other, "d")])
    assert len(whole.histograms) == 2
    sums.write(Store(str(tmp_path)), "a.arrow", whole)
    for found in (whole.columns(), sums.read(Store(str(tmp_path)), "a.arrow").columns()):
        assert int(found["gopher_num_words"].all.sum()) == 40
        assert int(found["confidence"].all.sum()) == 100
    floats = other.append_column("gopher_num_words", pa.array([0.5] * 30))
    with pytest.raises(ValueError, match="gopher_num_words: bins of counts in one survey, of numbers in another"):
        add_up([survey.look(one, "d"), survey.look(floats, "d")]).columns()


def test_hosts_are_counted_as_urlsplit_sees_them() -> None:
    pages = make_pages(1, 500)
    found = survey.look(pages, "d")
    hosts = of_level(found.hosts, "host")
    expected: Counter[str] = Counter()
    for url in pages.column("url").to_pylist():
        expected[(urlsplit(url).hostname if url and "://" in url else None) or ""] += 1
    assert dict(zip(hosts.column("host").to_pylist(), hosts.column("pages").to_pylist(), strict=True)) == expected
    assert found.left_out["host"]["error"] == 0


def test_registered_domains_are_sums_of_their_hosts() -> None:
    pages = make_pages(1, 300)
    names = ["https://news.bbc.co.uk/x", "https://bbc.co.uk", "https://a.github.io/", "http://192.0.2.7/", "no", None]
    pages = pages.set_column(2, "url", pa.array([names[i % 6] for i in range(300)], pa.string()))
    table = survey.look(pages, "d").hosts
    found = {row["host"]: row for row in of_level(table, "registered").to_pylist()}
    assert set(found) == {"bbc.co.uk", "a.github.io", "192.0.2.7", ""}
    assert (found["bbc.co.uk"]["pages"], found[""]["pages"], found["a.github.io"]["pages"]) == (100, 100, 50)
    kept = [row for row in pages.to_pylist() if row["keep"] and row["url"] and "bbc" in row["url"]]
    assert found["bbc.co.uk"]["kept"] == len(kept)


def test_every_column_of_quality_is_looked_at_whatever_it_is() -> None:
    pages = make_pages(5, 200)
    counts = [i % 4 for i in range(200)]
    pages = pages.append_column("privacy_num_emails", pa.array(counts, pa.int64()))
    pages = pages.append_column("some_list", pa.array([("x", None)[i % 2] for i in range(200)], pa.string()))
    found = add_up([survey.look(pages.slice(0, 77), "d"), survey.look(pages.slice(77), "d")])
    keep = pages.column("keep").to_pylist()
    kept = [count for count, stays in zip(counts, keep, strict=True) if stays]
    expected = [sum(counts), sum(kept), sum(count > 0 for count in counts), sum(count > 0 for count in kept)]
    assert found.columns()["privacy_num_emails"].totals == expected
    assert found.groups["some_list"]["x"][0] == found.groups["some_list"][""][0] == 100
    for reason, _, _, about in survey.look(pages, "d").samples:
        entry, measured = json.loads(about), {"too_few_words": "gopher_num_words"}.get(reason)
        assert entry["column"] == measured
        assert entry["value"] == (pages.column(measured)[entry["row"]].as_py() if measured else None)


def test_more_hosts_than_the_limit_leave_a_stated_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "MAX_HOSTS", 3)
    pages = make_pages(2, 400)
    exact: Counter[str] = Counter(hosts_module.hosts_of(pages.column("url")).to_pylist())
    parts = [survey.look(pages.slice(start, 50), "d") for start in range(0, 400, 50)]
    found = add_up(parts)
    assert found.hosts.num_rows == 6
    for level in hosts_module.LEVELS:
        rows, left_out = of_level(found.hosts, level).to_pylist(), found.left_out[level]
        for row in rows:
            assert exact[row["host"]] - left_out["error"] <= row["pages"] <= exact[row["host"]]
        assert sum(row["pages"] for row in rows) + left_out["sums"][0] == 400


@pytest.mark.parametrize("kind", ["fractions", "counts", "numbers"])
def test_bins_hold_their_lower_edge_and_everything_has_a_bin(kind: str) -> None:
    edges = bins.edges(kind)
    assert (np.diff(edges) > 0).all()
    counts = bins.count(kind, edges[:-1])
    assert (counts == 1).all()
    rng = np.random.default_rng(3)
    values = rng.lognormal(0, 6, 5000)
    slow = np.zeros(len(edges) - 1, np.int64)
    for value in values:
        slow[max(0, max((i for i in range(len(edges) - 1) if edges[i] <= value), default=0))] += 1
    assert (bins.count(kind, values) == slow).all()
    assert bins.count(kind, np.array([-1.0, 1e300])).tolist()[0] == 1
    assert (bins.unpacked(kind, bins.packed(slow)) == slow).all()
    assert (bins.unpacked(kind, bins.packed(slow * 0)) == 0).all()


def test_samples_are_the_smallest_keys_of_each_reason() -> None:
    pages = make_pages(4, 300)
    samples = survey.look(pages, "d").samples
    rows = pages.to_pylist()
    for reason in (None, "too_few_words", "near_duplicate"):
        keys = sorted(xxhash.xxh3_64_intdigest(row["doc_id"], survey.SEED) for row in rows if row["reason"] == reason)
        found = [sample for sample in samples if sample[0] == (reason or "")]
        assert [int(key, 16) for _, key, *_ in found] == keys[: survey.SAMPLES]
        assert all(rows[json.loads(about)["row"]]["doc_id"].hex() == doc_id for *_, doc_id, about in found)


def write_split(store: Store, name: str, pages: pa.Table) -> dict[str, str]:
    """The products of one split, with a text that names its row."""
    text = pa.array([f"text of {name} {i} " + "é" * 3000 for i in range(pages.num_rows)], pa.large_string())
    documents = pages.select(list(survey.DOCUMENT_COLUMNS)).append_column("text", text)
    with store.table_writer(f"documents/{name}.parquet", documents.schema) as writer:
        for start in range(0, max(1, documents.num_rows), 7):
            writer.write(documents.slice(start, 7))
    store.write_table(f"language/{name}.parquet", pages.select(["language", "script", "confidence"]))
    store.write_table(f"quality/{name}.parquet", pages.select(["gopher_num_words", "gopher_alphabetic_word_fraction"]))
    store.write_table(f"kept/{name}.parquet", pages.select(["keep", "reason"]))
    folders = ("documents", "language", "quality", "kept")
    return {folder: f"{folder}/{name}.parquet" for folder in folders}


def run_plan(store: Store, inputs: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(survey, "FAN_IN", 2)
    outputs = [f"surveys/{entry['documents'].rpartition('/')[2]}.arrow" for entry in inputs]
    for phase in survey.plan(inputs, outputs, "merged", ["s"] * len(inputs)):
        for task in phase.tasks:
            getattr(survey, task.job.partition(":")[2])(store, **task.args)
            assert all(store.exists(output) for output in task.outputs)
    return "merged/survey.arrow"


def test_a_run_is_surveyed_through_its_files_and_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [write_split(store, f"s{i}", make_pages(i, rows)) for i, rows in enumerate((40, 0, 25, 9, 33))]
    found = survey.finish(store, run_plan(store, inputs, monkeypatch))
    words = next(entry for entry in found["histograms"] if entry["column"] == "gopher_num_words")
    assert sum(words["all"]) == 107
    assert sum(row["pages"] for row in found["hosts"]) == 107
    assert sum(row["share"] for row in found["hosts"]) == pytest.approx(1)
    assert {len(entry["text"]) for entry in found["samples"]} == {survey.SAMPLE_CHARACTERS}
    assert len({entry["doc_id"] for entry in found["samples"]}) == 3 * survey.SAMPLES
    months = {row["value"]: row["pages"] for row in found["groups"]["month"]}
    assert set(months) == {"", "2023-11"}
    assert sum(months.values()) == 107
    stats = build_stats("made-up", **make_run(1, files=2), survey=found, thresholds={"too_few_words": 20.0})
    words = next(entry for entry in stats["survey"]["histograms"] if entry["column"] == "gopher_num_words")
    assert words["thresholds"] == [
        {"rule": "too_few_words", "side": "min", "value": 20.0, "for": ""}
    ]  # the only one that is on
    page = render_html(stats)
    assert "gopher_num_words" in page
    assert "text of s" in page


def test_a_run_without_pages_has_an_empty_survey(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = survey.finish(store, run_plan(store, [write_split(store, "s0", make_pages(0, 0))], monkeypatch))
    assert found["hosts"] == found["samples"] == []
    assert render_html(build_stats("nothing", [], [], None, [], None, survey=found))
    found = survey.finish(store, run_plan(store, [], monkeypatch))
    assert found["hosts"] == []


def test_every_column_with_a_rule_has_its_threshold() -> None:
    for rules in families.RULES.values():
        for rule in rules:
            drawn = survey.thresholds_of(rule.column)
            assert {"rule": rule.name, "side": rule.side, "value": rule.threshold} in drawn


def test_quantiles_of_whole_numbers_are_whole_and_zeros_are_zero() -> None:
    edges = bins.edges("counts").tolist()
    counts = bins.count("counts", np.array([1.0, 1, 1, 2, 5])).tolist()
    assert [charts.quantile(counts, edges, q) for q in (0.05, 0.5, 0.95)] == [1, 1, 5]
    edges = bins.edges("fractions").tolist()
    counts = bins.count("fractions", np.array([0.0, 0, 0, 0.001, 0.5])).tolist()
    assert charts.quantile(counts, edges, 0.5) == 0
    assert 0.48 <= charts.quantile(counts, edges, 1.0) <= 0.52
