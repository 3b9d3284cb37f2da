"""Reports of deduplication: brakes with examples, the S-curve, the report."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from pipeline.answers.why_text import duplicates
from pipeline.store.storage import Store
from stages import clusters, signatures
from stages.clusters import brakes, curve, explain
from tests.support.dedup_corpus import Page, cluster, write_split


def wiped_out(store: Store) -> tuple[list[clusters.ClusterInput], dict]:
    """Two sources; all but one page of ``calls`` repeat each other."""
    draw = random.Random(1)
    text = [f"w{draw.randrange(999)}" for _ in range(300)]
    pages = [Page(f"call {i}", " ".join([*text[:-1], f"call{i}"]), "calls", language="de") for i in range(50)]
    pages += [Page(f"page {i}", " ".join(draw.choices(text, k=80)), "web") for i in range(50)]
    inputs = [write_split(store, f"s{i}", pages[i::2], signatures.Params()) for i in range(2)]
    cluster(store, inputs, clusters.Params())
    return inputs, json.loads(store.read_bytes("clusters/run/summary.json"))


def test_a_source_or_language_that_loses_too_much_stops_the_run_with_examples(store: Store) -> None:
    _, summary = wiped_out(store)
    params = clusters.Params(max_source_loss=0.9, max_language_loss=0.5, min_brake_rows=10)
    with pytest.raises(brakes.BrakeError) as caught:
        brakes.check(params, summary)
    message = str(caught.value)
    assert "source calls would lose 49 of 50 pages (98.0%" in message
    assert "clusters.max_source_loss = 90.0%" in message
    assert "language de would lose 49 of 50" in message
    assert "clusters.max_language_loss" in message
    assert "for example" in message
    assert "similarity 0.9" in message
    assert "source web" not in message


def test_single_sources_and_languages_may_lose_more_or_less_than_the_others(store: Store) -> None:
    _, summary = wiped_out(store)
    loose = clusters.Params(max_source_loss=0.5, max_source_losses={"calls": 0.99}, min_brake_rows=10)
    assert clusters.violations(loose, summary) == []
    tight = clusters.Params(max_language_losses={"de": 0.2}, max_source_losses={"web": 0.01}, min_brake_rows=10)
    found = clusters.violations(tight, summary)
    assert len(found) == 1
    assert "more than clusters.max_language_losses.de = 20.0%" in found[0]


def test_brakes_do_not_hold_below_their_limits_or_for_small_sources(store: Store) -> None:
    _, summary = wiped_out(store)
    brakes.check(clusters.Params(), summary)
    brakes.check(clusters.Params(max_source_loss=0.98, min_brake_rows=10), summary)
    brakes.check(clusters.Params(max_source_loss=0.1, min_brake_rows=51), summary)


def test_a_cluster_that_grows_too_large_stops_the_run(store: Store) -> None:
    _, summary = wiped_out(store)
    brakes.check(clusters.Params(max_cluster_size=50), summary)
    with pytest.raises(brakes.BrakeError, match=r"has 50 pages, more than clusters.max_cluster_size = 49") as caught:
        brakes.check(clusters.Params(max_cluster_size=49), summary)
    calls = sorted(hashlib.md5(f"call {i}".encode()).hexdigest() for i in range(50))
    assert f"for example {', '.join(calls[:3])};" in str(caught.value)


def test_many_copies_of_one_text_are_a_large_cluster_too(store: Store) -> None:
    text = " ".join(f"word{i}" for i in range(50))
    pages = [Page(f"copy {i}", text) for i in range(30)] + [Page("alone", "another page of five words")]
    inputs = [write_split(store, f"s{i}", pages[i::2], signatures.Params()) for i in range(2)]
    cluster(store, inputs, clusters.Params())
    summary = json.loads(store.read_bytes("clusters/run/summary.json"))
    assert [entry["pages"] for entry in summary["largest_clusters"]] == [30]
    with pytest.raises(brakes.BrakeError, match=r"has 30 pages, more than clusters.max_cluster_size = 29"):
        brakes.check(clusters.Params(max_cluster_size=29), summary)
    (top,) = explain.dedup_report(store, inputs, "clusters/run")["clusters"]
    assert (top["pages"], top["stay"]) == (30, 1)
    assert [page["survivor"] is None for page in top["examples"]] == [True, False, False]


def test_the_curve_rises_and_meets_the_formula() -> None:
    params = clusters.Params(bands=14, rows=8, threshold=0.7)
    found = [curve.found_probability(params, similarity) for similarity in curve.SIMILARITIES]
    assert found == sorted(found)
    assert curve.found_probability(params, 0.8) == pytest.approx(1 - (1 - 0.8**8) ** 14, abs=1e-3)
    lines = "\n".join(curve.curve_lines(params))
    assert "14 bands x 8 rows" in lines
    assert "J 0.70" in lines
    assert "below 99%" in lines


def test_the_defaults_find_more_than_99_percent_at_and_above_their_threshold() -> None:
    params = clusters.Params()
    assert curve.found_probability(params, params.threshold) > 0.99
    assert curve.mean_recall(params) > 0.999
    assert "below 99%" not in "\n".join(curve.curve_lines(params))


def test_the_report_shows_the_largest_cluster_and_what_joins_it(store: Store) -> None:
    inputs, summary = wiped_out(store)
    report = explain.dedup_report(store, inputs, "clusters/run")
    top = report["clusters"][0]
    assert (top["pages"], top["stay"]) == (50, 1)
    assert report["rows"] == summary["rows"] == 100
    assert [page["survivor"] is None for page in top["examples"]].count(True) == 1
    assert all(share == 1.0 for _, share in top["shingles"])
    assert all(len(text.split()) == 5 for text, _ in top["shingles"])
    lines = "\n".join(explain.report_lines(report))
    assert "50 pages, 1 of them stay" in lines
    assert "joined by" in lines
    assert "calls" in lines


def test_the_report_of_no_duplicates_is_short(store: Store) -> None:
    inputs = [write_split(store, "one", [Page("a", "just one page of text here")], signatures.Params())]
    cluster(store, inputs, clusters.Params())
    report = explain.dedup_report(store, inputs, "clusters/run")
    assert report["clusters"] == []
    assert "1 pages, 1 pass every other rule; of these 0 exact" in explain.report_lines(report)[0]


def test_why_says_by_which_way_a_page_goes() -> None:
    row = {"cluster": "c1", "cluster_size": 3, "survivor": "5a", "survivor_page": {"url": "https://a.example/"}}
    ways = {
        "exact copy, similarity 1.0000, of 5a": {"match": "exact", "similarity": 1.0, "via": None},
        "fuzzy copy, similarity 0.9000, of 5a": {"match": "fuzzy", "similarity": 0.9, "via": None},
        "exact copy of 7b, which goes too; similarity 0.9000 to 5a": {"match": "exact", "similarity": 0.9, "via": "7b"},
        "same address as 5a": {"match": "url", "similarity": None, "via": None},
        "same address as 7b, which goes too; in its place stays 5a": {"match": "url", "similarity": None, "via": "7b"},
    }
    for expected, way in ways.items():
        lines = [line.strip() for line in duplicates(row | way)]
        assert "; ".join(lines[1:-1]) == expected
        assert lines[-1] == "https://a.example/"
