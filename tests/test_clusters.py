"""Clusters: every removal has a verified survivor, nearly all duplicates are found, only pages decide the bytes."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.storage import Store
from stages import clusters, signatures
from stages.exchange_file import CorruptIntermediate, read_partition
from tests import slow_dedup as slow
from tests.dedup_corpus import Page, cluster, run_phases, write_split
from tests.dedup_families import all_families, jaccard, words

PARAMS = clusters.Params()
SIGNED = signatures.Params()


def split_up(store: Store, pages: Sequence[Page], cuts: int, batch_rows: int = 100) -> list[clusters.ClusterInput]:
    return [write_split(store, f"s{i}", pages[i::cuts], SIGNED, batch_rows) for i in range(cuts)]


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
        assert (row["match"] == "exact") <= (slow.comparable(page.text) == slow.comparable(survivor.text))
        assert rows[survivor.doc_id]["cluster"] == row["cluster"]
    assert removed > 200


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


def fingerprint(rows: dict[bytes, dict]) -> str:
    return hashlib.sha256(repr(sorted(rows.items())).encode()).hexdigest()


@pytest.mark.parametrize(
    ("cuts", "order", "params"),
    [
        (1, "as it is", {}),
        (7, "reversed", {}),
        (2, "shuffled", {"passes": 3}),
        (5, "shuffled", {"memory": 1 << 26, "passes": 2}),
    ],
)
def test_layout_order_memory_and_passes_do_not_change_a_row(
    adversarial: tuple[list[Page], dict[bytes, dict]], store: Store, cuts: int, order: str, params: dict
) -> None:
    pages, expected = adversarial
    pages = list(pages)
    if order == "reversed":
        pages.reverse()
    if order == "shuffled":
        random.Random(9).shuffle(pages)
    rows = cluster(store, split_up(store, pages, cuts), clusters.Params(**params))
    assert fingerprint(rows) == fingerprint(expected)


def many_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan as if every page were huge: several groups, ranges and places even for a small test."""
    from stages.clusters import planning

    monkeypatch.setattr(planning, "RECORD_BYTES", 80_000)
    monkeypatch.setattr(planning, "REDUCE_RECORD_BYTES", 6_000)
    monkeypatch.setattr(planning, "MAP_RECORD_BYTES", 6_000)
    monkeypatch.setattr(planning, "SHINGLE_BYTES", 120.0)


def test_many_groups_and_ranges_give_the_same_rows_as_one(
    adversarial: tuple[list[Page], dict[bytes, dict]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages, expected = adversarial
    many_partitions(monkeypatch)
    params = clusters.Params(memory=1 << 26)
    inputs = split_up(store, pages, 6)
    phases = clusters.plan(params, inputs, "clusters/run")
    assert (
        min(len(phase.tasks) for phase in phases if "components" not in phase.name and "summary" not in phase.name) > 1
    )
    assert fingerprint(cluster(store, inputs, params)) == fingerprint(expected)


@pytest.mark.parametrize(("text_bytes", "shingle_tasks"), [(1_000_000, 1), (10_000_000, 3)])
def test_a_small_input_takes_one_task_a_phase_but_for_much_text(
    store: Store, text_bytes: int, shingle_tasks: int
) -> None:
    inputs = [
        clusters.ClusterInput(f"s{i}", "web", f"d{i}", f"g{i}", None, None, rows=2500, text_bytes=text_bytes)
        for i in range(12)
    ]
    phases = clusters.plan(PARAMS, inputs, "clusters/run")
    tasks = {phase.name: len(phase.tasks) for phase in phases}
    assert tasks.pop("clusters: shingles") == shingle_tasks
    assert set(tasks.values()) == {1}


def test_a_second_run_and_a_run_killed_in_any_phase_give_the_same_bytes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_partitions(monkeypatch)
    pages = all_families()[:300]
    inputs = split_up(store, pages, 4)
    phases = clusters.plan(clusters.Params(memory=1 << 26), inputs, "clusters/run")
    run_phases(store, phases, discard=False)
    expected = {address: store.read_bytes(address) for address, _ in store.list("clusters")}
    # lose one file of every phase in turn, as a kill between two tasks does
    for phase in phases:
        lost = phase.tasks[-1]
        for address in lost.outputs:
            store.remove(address)
        run_phases(store, phases, discard=False)
        assert {address: store.read_bytes(address) for address, _ in store.list("clusters")} == expected


def test_a_damaged_intermediate_file_is_removed_and_named(store: Store) -> None:
    inputs = split_up(store, all_families()[:50], 2)
    phases = clusters.plan(PARAMS, inputs, "c")
    run_phases(store, phases[:2], discard=False)
    address = phases[1].tasks[0].outputs[0]
    good = store.read_bytes(address)
    for damaged in (good[:40] + bytes([good[40] ^ 1]) + good[41:], good[:-7], b"", good[: len(good) // 2]):
        store.write_bytes(address, damaged)
        with pytest.raises(CorruptIntermediate, match=address):
            read_partition(store, address, 0)
        assert not store.exists(address)


# The survivor policy


def survivors(store: Store, pages: Sequence[Page], **params: object) -> set[str]:
    rows = cluster(store, split_up(store, pages, 2), clusters.Params(**params))
    return {page.key for page in pages if rows[page.doc_id]["survivor"] is None}


TEXT = " ".join(words(random.Random(4), 120))


@pytest.mark.parametrize(
    ("params", "stays"),
    [
        ({"survivor": ("longest", "newest")}, "long"),
        ({"survivor": ("newest",)}, "new"),
        ({"survivor": ("oldest",)}, "old"),
        ({"survivor": ("quality",), "quality_column": "score"}, "good"),
        ({"survivor": ("source", "newest"), "source_priority": ("books", "web")}, "book"),
        ({"survivor": ()}, min(("long", "new", "old", "good", "book"), key=lambda k: hashlib.md5(k.encode()).digest())),
    ],
)
def test_the_policy_picks_the_survivor(store: Store, params: dict, stays: str) -> None:
    pages = [
        Page("long", TEXT + " and some more", seconds=50),
        Page("new", TEXT, seconds=99),
        Page("old", TEXT.upper(), seconds=1),
        Page("good", TEXT + " end", seconds=50, quality=0.9),
        Page("book", TEXT + "!", seconds=50, source="books"),
    ]
    assert survivors(store, pages, **params) == {stays}


def test_a_tie_goes_to_the_smaller_doc_id(store: Store) -> None:
    pages = [Page(f"page {i}", TEXT) for i in range(9)]
    assert survivors(store, pages) == {min(pages, key=lambda page: page.doc_id).key}


# Scope


@pytest.mark.parametrize(
    ("params", "stay"),
    [
        ({}, 1),
        ({"scope": "source"}, 3),
        ({"scope": "group", "groups": {"web": ("a", "b")}}, 2),
        ({"per_language": True}, 2),
        ({"scope": "source", "per_language": True}, 4),
        ({"exempt": ("c",)}, 3),
    ],
)
def test_pages_are_compared_within_the_scope_only(store: Store, params: dict, stay: int) -> None:
    near = TEXT + " more"
    pages = [
        Page("1", TEXT, "a"),
        Page("2", near, "a"),
        Page("3", TEXT, "b"),
        Page("4", near, "b", language="de"),
        Page("5", TEXT, "c"),
        Page("6", near, "c"),
    ]
    assert len(survivors(store, pages, **params)) == stay


# Addresses


def address_pages() -> list[Page]:
    other = " ".join(words(random.Random(5), 120))
    return [
        Page("new", other, seconds=9, url="https://a.example/x"),
        Page("old", TEXT, seconds=1, url="https://a.example/x#top"),
        Page("older", " ".join(words(random.Random(6), 90)), seconds=0, url="https://a.example/x"),
        Page("copy of old", TEXT, seconds=5, url="https://b.example/"),
        Page("near new", other + " and more", seconds=10, url="https://c.example/"),
        Page("no address", " ".join(words(random.Random(7), 90)), seconds=0),
        Page("none either", " ".join(words(random.Random(8), 90)), seconds=0),
        Page("elsewhere", " ".join(words(random.Random(9), 90)), "books", seconds=0, url="https://a.example/x"),
    ]


@pytest.mark.parametrize("cuts", [1, 3])
def test_pages_of_one_address_are_one_page_where_asked_for(
    store: Store, cuts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if cuts > 1:
        many_partitions(monkeypatch)
    pages = address_pages()
    params = clusters.Params(urls=True, survivor=("newest",), scope="source", memory=1 << 26)
    inputs = split_up(store, pages, cuts)
    rows = cluster(store, inputs, params)
    found = {page.key: rows[page.doc_id] for page in pages}
    by_id = {page.doc_id: page.key for page in pages}
    told = {key: (row["match"], by_id.get(row["survivor"])) for key, row in found.items() if row["survivor"]}
    # whoever goes for its address names the page that stays, here one that the winner of the address went for
    assert told == {"new": ("fuzzy", "near new"), "old": ("url", "near new"), "older": ("url", "near new")}
    assert [found[key]["similarity"] for key in ("old", "older")] == [None, None]
    assert found["near new"]["cluster_size"] == 4
    assert found["near new"]["copies"] == [{"source": "web", "pages": 4}]
    summary = json.loads(store.read_bytes("clusters/run/summary.json"))
    assert (summary["url_removed"], summary["exact_removed"], summary["fuzzy_removed"]) == (2, 0, 1)
    assert summary["sources"]["web"]["url_removed"] == 2


def test_the_address_says_nothing_unless_asked_for(store: Store) -> None:
    pages = address_pages()
    rows = cluster(store, split_up(store, pages, 2), clusters.Params(survivor=("newest",)))
    told = {page.key: rows[page.doc_id]["match"] for page in pages if rows[page.doc_id]["survivor"]}
    assert told == {"new": "fuzzy", "old": "exact"}


# Refusals


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"threshold": 0.0}, "greater than 0"),
        ({"threshold": 1.1}, "less than or equal to 1"),
        ({"survivor": ("quality",)}, "set quality_column"),
        ({"survivor": ("source",)}, "set source_priority"),
        ({"scope": "group"}, "set groups"),
        ({"bands": 2, "passes": 3}, "may not exceed bands"),
        ({"bandz": 2}, "bandz"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        clusters.Params(**params)


def test_more_bands_than_permutations_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match=r"signatures of 112 permutations.*20 x 6 needs 120"):
        cluster(store, split_up(store, all_families()[:5], 1), clusters.Params(bands=20, rows=6))
    with pytest.raises(ValueError, match=r"20 x 6 needs 120 permutations, but signatures.permutations is 112"):
        clusters.check_permutations(clusters.Params(bands=20, rows=6), 112)
    clusters.check_permutations(PARAMS, 112)


@pytest.mark.parametrize("split_apart", [False, True])
def test_signatures_of_another_kind_are_refused_by_name(
    store: Store, split_apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if split_apart:
        many_partitions(monkeypatch)
    inputs = [
        write_split(store, "one", all_families()[:9], SIGNED),
        write_split(store, "two", all_families()[9:19], signatures.Params(ngram=7, seed=3)),
    ]
    with pytest.raises(ValueError, match=r"signatures/two.parquet: .*ngram 7 instead of 5, seed 3 instead of 1"):
        cluster(store, inputs, clusters.Params(memory=1 << 26))


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
        "cluster": None, "cluster_size": 1, "survivor": None, "similarity": None, "match": None, "copies": None,
    }  # fmt: skip
    only_empty = [write_split(store, "none", [], SIGNED), write_split(store, "marks", [Page("m", "...")], SIGNED)]
    assert cluster(store, only_empty, PARAMS, "clusters/none")[Page("m", "").doc_id]["cluster_size"] == 1
    assert clusters.plan(PARAMS, [], "clusters/nothing") == []


# Real pages


def assert_curve(store: Store, pages: Sequence[Page], true: dict[frozenset[str], float]) -> None:
    """Pairs below the threshold share a band as often as the curve says, give or take two points."""
    minima: dict[str, np.ndarray] = {}
    for cut in range(4):
        column = store.read_table(f"signatures/s{cut}.parquet", ["minhash"]).column(0).combine_chunks()
        found = column.flatten().to_numpy().reshape(len(column), -1)[:, : PARAMS.bands * PARAMS.rows]
        found = found.reshape(-1, PARAMS.bands, PARAMS.rows)
        minima |= {page.key: row for page, row in zip(pages[cut::4], found, strict=True)}
    for low, high in ((0.7, 0.75), (0.75, 0.8)):
        pairs = [(tuple(pair), value) for pair, value in true.items() if low <= value < high]
        met = [bool((minima[a] == minima[b]).all(axis=1).any()) for (a, b), _ in pairs]
        predicted = [1 - (1 - value**PARAMS.rows) ** PARAMS.bands for _, value in pairs]
        assert len(pairs) > 1500
        assert abs(np.mean(met) - np.mean(predicted)) < 0.02


def test_recall_and_precision_on_real_pages(shared: Path, store: Store) -> None:
    """Every pair of J >= 0.8 among 10,000 real pages was counted exactly; see the reference's README."""
    folder = shared / "reference/dedup"
    table = pq.read_table(folder / "dev_docs.parquet", columns=["doc_id", "text", "lang"]).to_pylist()
    pages = [Page(row["doc_id"], row["text"], language=row["lang"]) for row in table]
    rows = cluster(store, split_up(store, pages, 4, 1024), PARAMS)
    by_key = {page.key: rows[page.doc_id] for page in pages}
    pairs = pq.read_table(folder / "dev_pairs.parquet").to_pylist()
    true = {frozenset((p["doc_a"], p["doc_b"])): p["jaccard"] for p in pairs}
    duplicates = [pair for pair, similarity in true.items() if similarity >= 0.8]
    together = sum(len({by_key[key]["cluster"] for key in pair}) == 1 for pair in duplicates)
    assert together >= 0.99 * len(duplicates)
    assert_curve(store, pages, true)
    key_of = {page.doc_id: page.key for page in pages}
    for page in pages:
        row = rows[page.doc_id]
        if row["survivor"] is not None:
            assert true[frozenset((page.key, key_of[row["survivor"]]))] >= 0.8
