"""Clusters: every removal has a verified survivor, nearly all duplicates are found, reports add up."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from pipeline.store.storage import Store
from stages import clusters, signatures
from tests.slow import dedup as slow
from tests.support.dedup_corpus import Page, cluster, split_up, write_split
from tests.support.dedup_families import all_families, jaccard, words

PARAMS = clusters.Params()
SIGNED = signatures.Params()
TEXT = " ".join(words(random.Random(4), 120))


@pytest.fixture(scope="module")
def adversarial(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Page], dict[bytes, dict]]:
    store = Store(str(tmp_path_factory.mktemp("families")))
    pages = all_families()
    return pages, cluster(store, split_up(store, pages, 3), PARAMS)


def test_every_removed_page_names_a_page_that_stays_and_their_true_similarity(
    adversarial: tuple[list[Page], dict[bytes, dict]],
) -> None:
    pages, rows = adversarial
    by_id = {page.doc_id: page for page in pages}
    removed = 0
    for page in pages:
        row = rows[page.doc_id]
        if row["survivor"] is None:
            assert row["similarity"] is None
            assert row["match"] is None
            continue
        removed += 1
        survivor = by_id[row["survivor"]]
        assert rows[survivor.doc_id]["survivor"] is None
        similarity = jaccard(page.text, survivor.text)
        assert similarity >= PARAMS.threshold
        assert row["similarity"] == pytest.approx(similarity, abs=1e-6)
        equal = by_id[row["via"] or survivor.doc_id]
        assert (row["match"] == "exact") == (slow.comparable(page.text) == slow.comparable(equal.text))
        assert rows[survivor.doc_id]["cluster"] == row["cluster"]
    assert removed > 200


def test_a_copy_of_a_page_that_goes_is_an_exact_copy_of_that_page_and_of_its_similarity_to_the_survivor(
    store: Store,
) -> None:
    short, long = TEXT + " end", TEXT + " of a longer one"
    pages = [Page("stays", long), Page("goes", short, seconds=9), Page("copy", short.upper()), Page("same", long, "b")]
    pages += [Page("alone", " ".join(words(random.Random(5), 90)))]
    rows = {page.key: cluster(store, split_up(store, pages, 2), PARAMS)[page.doc_id] for page in pages}
    by_id = {page.doc_id: page.key for page in pages}
    decisions = {key: (row["match"], by_id.get(row["survivor"]), by_id.get(row["via"])) for key, row in rows.items()}
    stays, same = sorted(("stays", "same"), key=lambda key: Page(key, "").doc_id)
    assert decisions == {
        stays: (None, None, None),
        same: ("exact", stays, None),
        "goes": ("fuzzy", stays, None),
        "copy": ("exact", stays, "goes"),
        "alone": (None, None, None),
    }
    assert rows["copy"]["similarity"] == rows["goes"]["similarity"] == pytest.approx(jaccard(short, long), abs=1e-6)
    assert rows[same]["similarity"] == 1.0
    summary = json.loads(store.read_bytes("clusters/run/summary.json"))
    assert (summary["exact_removed"], summary["fuzzy_removed"]) == (2, 1)


def test_nearly_every_duplicate_pair_loses_a_page_and_shares_a_cluster(
    adversarial: tuple[list[Page], dict[bytes, dict]],
) -> None:
    pages, rows = adversarial
    sets = [(page, slow.shingles(page.text, 5)) for page in pages]
    pairs = lost = apart = 0
    bins: Counter[tuple[str, bool]] = Counter()
    for i, (a, set_a) in enumerate(sets):
        for b, set_b in sets[:i]:
            if min(len(set_a), len(set_b)) < 0.5 * max(len(set_a), len(set_b)):
                continue
            similarity = slow.jaccard(set_a, set_b)
            together = rows[a.doc_id]["cluster"] is not None and rows[a.doc_id]["cluster"] == rows[b.doc_id]["cluster"]
            bins[f"{similarity:.1f}", together] += 1
            if similarity >= PARAMS.threshold:
                pairs += 1
                apart += not together
                lost += rows[a.doc_id]["survivor"] is None and rows[b.doc_id]["survivor"] is None
    assert pairs > 12_000
    assert apart <= 0.001 * pairs
    assert lost <= 0.001 * pairs


def test_templates_common_words_and_short_pages_of_their_own_stay(
    adversarial: tuple[list[Page], dict[bytes, dict]],
) -> None:
    pages, rows = adversarial
    for page in pages:
        row = rows[page.doc_id]
        if page.key.startswith(("template", "common", "empty", "marks", "single", "whole")):
            assert row["survivor"] is None, page.key
        if page.key.startswith(("empty", "marks", "single", "template", "common")):
            assert row["cluster"] is None, page.key
            assert row["cluster_size"] == 1, page.key
    assert sum(rows[page.doc_id]["survivor"] is None for page in pages if page.key.startswith("short-")) == 1
    assert sum(rows[page.doc_id]["survivor"] is None for page in pages if page.key.startswith("hot")) == 1
    assert sum(rows[page.doc_id]["survivor"] is None for page in pages if page.key.startswith("one-shingle")) == 1


def test_a_chain_removes_only_what_is_like_its_survivor_and_is_one_cluster(
    adversarial: tuple[list[Page], dict[bytes, dict]],
) -> None:
    pages, rows = adversarial
    chain = [page for page in pages if page.key.startswith("chain")]
    assert jaccard(chain[0].text, chain[-1].text) < 0.5
    stay = [page for page in chain if rows[page.doc_id]["survivor"] is None]
    assert 1 < len(stay) < len(chain)
    assert len({rows[page.doc_id]["cluster"] for page in chain}) == 1
    assert {rows[page.doc_id]["cluster_size"] for page in chain} == {12}
    assert rows[chain[0].doc_id]["cluster"] == min(page.doc_id for page in chain)


# Reports


def test_reports_add_up_and_the_digest_follows_the_rows(store: Store) -> None:
    pages = all_families()
    inputs = split_up(store, pages, 3)
    rows = cluster(store, inputs, PARAMS, "clusters/a")
    summary = json.loads(store.read_bytes("clusters/a/summary.json"))
    match = Counter(row["match"] for row in rows.values())
    assert (summary["rows"], summary["exact_removed"], summary["fuzzy_removed"]) == (
        len(pages),
        match["exact"],
        match["fuzzy"],
    )
    assert sum(summary["cluster_sizes"].values()) == sum(
        row["survivor"] is None and row["cluster"] is not None for row in rows.values()
    )
    largest = Counter(row["cluster"].hex() for row in rows.values() if row["cluster"]).most_common(1)[0]
    assert summary["largest_clusters"][0]["pages"] == largest[1]
    reports = [store.metadata(f"clusters/a/{entry.name}.parquet") for entry in inputs]
    assert sum(report["rows"] for report in reports) == len(pages)
    cluster(store, inputs, clusters.Params(passes=2), "clusters/b")
    cluster(store, inputs, clusters.Params(threshold=0.95), "clusters/c")
    digests = {
        folder: [store.metadata(f"clusters/{folder}/{entry.name}.parquet")["digest"] for entry in inputs]
        for folder in "abc"
    }
    assert digests["a"] == digests["b"]
    assert digests["a"] != digests["c"]


def test_survivors_count_the_pages_they_stand_for_by_source(
    adversarial: tuple[list[Page], dict[bytes, dict]], store: Store
) -> None:
    pages, rows = adversarial
    stand_for: Counter[bytes] = Counter(rows[page.doc_id]["survivor"] or page.doc_id for page in pages)
    for page in pages:
        copies = rows[page.doc_id]["copies"]
        if stand_for[page.doc_id] > 1:
            assert copies == [{"source": "web", "pages": stand_for[page.doc_id]}]
        elif rows[page.doc_id]["survivor"] is not None:
            assert copies is None
    sources = ["b", "a", "c", "a", "b", "a"]
    mixed = [Page(f"p{i}", TEXT + (" more" if i > 2 else ""), source) for i, source in enumerate(sources)]
    found = cluster(store, split_up(store, mixed, 3), PARAMS)
    assert [row["copies"] for row in found.values() if row["copies"]] == [
        [{"source": "a", "pages": 3}, {"source": "b", "pages": 2}, {"source": "c", "pages": 1}]
    ]


def test_empty_splits_and_pages_without_duplicates_are_fine(store: Store) -> None:
    inputs = [write_split(store, "empty", [], SIGNED), write_split(store, "one", [Page("a", TEXT)], SIGNED)]
    rows = cluster(store, inputs, PARAMS)
    assert rows[Page("a", "").doc_id] == {
        "cluster": None, "cluster_size": 1, "survivor": None, "similarity": None, "match": None, "via": None,
        "copies": None,
    }  # fmt: skip
    only_empty = [write_split(store, "none", [], SIGNED), write_split(store, "marks", [Page("m", "...")], SIGNED)]
    assert cluster(store, only_empty, PARAMS, "clusters/none")[Page("m", "").doc_id]["cluster_size"] == 1
    assert clusters.plan(PARAMS, [], "clusters/nothing") == []
