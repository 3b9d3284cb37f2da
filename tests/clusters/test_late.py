"""Survivors are chosen late: the pages that stay are those that a run over the eligible pages alone would keep."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages import clusters, signatures
from stages.kernels.dedup import band_buckets
from tests.slow import dedup as slow
from tests.support.dedup_corpus import Page, cluster, many_partitions, run_phases, split_up, write_split
from tests.support.dedup_families import edited, words

Rows = dict[bytes, dict[str, Any]]


def crawl(draw: random.Random) -> list[Page]:
    """Copies, near-copies in chains and stars, one large bucket and more, pages of one address; all mixed."""
    texts: list[list[str]] = []
    for _ in range(draw.randint(2, 5)):
        text = words(draw, draw.randint(40, 160))
        for _ in range(draw.choice([1, 2, 4, 9, 30])):
            texts.append(text)
            near = edited(draw, text, draw.uniform(0.75, 0.99))
            text = near if draw.random() < 0.3 else text
            texts.append(near)
    texts += [words(draw, 60) for _ in range(4)]
    draw.shuffle(texts)
    sites = draw.randint(1, 30)
    return [
        Page(
            f"{index} {draw.random()}",
            " ".join(text) if draw.random() < 0.8 else " ".join(text).upper(),
            source=draw.choice("abc"),
            seconds=draw.randrange(4),
            language=draw.choice(["en", "de"]),
            quality=draw.randrange(3),
            url=draw.choice([None, f"https://x.example/{draw.randrange(sites)}"]),
        )
        for index, text in enumerate(texts)
    ]


def policy(draw: random.Random) -> clusters.Params:
    survivor = draw.sample(["quality", "longest", "source", "newest", "oldest"], draw.randint(0, 3))
    return clusters.Params(
        threshold=draw.choice([0.6, 0.8, 0.9]),
        survivor=tuple(survivor),  # type: ignore[arg-type]
        quality_column="score",
        source_priority=tuple(draw.sample("abc", 2)),
        scope=draw.choice(["everything", "everything", "source", "group"]),  # type: ignore[arg-type]
        groups={"two": ("a", "b")},
        per_language=draw.random() < 0.2,
        exempt=draw.choice([(), (), ("c",)]),
        urls=draw.random() < 0.4,
        memory=1 << 26,
    )


def eligible(
    store: Store,
    inputs: Sequence[clusters.ClusterInput],
    passing: set[bytes],
    name: str,
    goes_from: dict[bytes, float | None] | None = None,
    left_in: dict[str, set[bytes]] | None = None,
    parents: dict[bytes, bytes] | None = None,
) -> list[clusters.ClusterInput]:
    found = []
    for entry in inputs:
        ids = store.read_table(str(entry.documents), ["doc_id"]).column("doc_id").to_pylist()
        address = f"{name}/{entry.name}.parquet"
        columns = {"eligible": pa.array([one in passing for one in ids], pa.bool_())}
        columns["near_duplicate"] = pa.array([(goes_from or {}).get(one, 0.0) for one in ids], pa.float64())
        for rule in ("exact_duplicate", "same_address"):
            columns[rule] = pa.array([one not in (left_in or {}).get(rule, ()) for one in ids], pa.bool_())
        columns["parent"] = pa.array([(parents or {}).get(one) for one in ids], pa.binary(16))
        store.write_table(address, pa.table(columns))
        found.append(replace(entry, eligible=address))
    return found


def rows_of(store: Store, inputs: Sequence[clusters.ClusterInput], directory: str) -> Rows:
    rows: Rows = {}
    for entry in inputs:
        ids = store.read_table(str(entry.documents), ["doc_id"]).column("doc_id").to_pylist()
        rows |= dict(zip(ids, store.read_table(f"{directory}/{entry.name}.parquet").to_pylist(), strict=True))
    return rows


def late(
    store: Store,
    inputs: list[clusters.ClusterInput],
    params: clusters.Params,
    passing: set[bytes],
    name: str,
    goes_from: dict[bytes, float | None] | None = None,
    left_in: dict[str, set[bytes]] | None = None,
    parents: dict[bytes, bytes] | None = None,
) -> tuple[Rows, int]:
    """Rows of the decision among ``passing``, and how many pairs were compared for it."""
    chosen = eligible(store, inputs, passing, f"eligible-{name}", goes_from, left_in, parents)
    results = run_phases(store, clusters.settle_all(params, chosen, "families", f"late-{name}"))
    assert not any("/work/" in address for address, _ in store.list(f"late-{name}"))
    return rows_of(store, inputs, f"late-{name}"), sum(report["compared"] for report in results["clusters: decide"])


def alone(
    store: Store,
    pages: Sequence[Page],
    params: clusters.Params,
    passing: set[bytes],
    name: str,
    goes_from: dict[bytes, float | None] | None = None,
    left_in: dict[str, set[bytes]] | None = None,
    parents: dict[bytes, bytes] | None = None,
) -> Rows:
    """The definition: a run over nothing but the pages that pass."""
    left = [page for page in pages if page.doc_id in passing]
    inputs = [write_split(store, f"{name}-{cut}", left[cut::2], signatures.Params(), 50) for cut in range(2)]
    chosen = eligible(store, inputs, passing, f"all-{name}", goes_from, left_in, parents)
    return cluster(store, chosen, params, f"alone-{name}")


def check_the_others(pages: Sequence[Page], rows: Rows, passing: set[bytes], params: clusters.Params) -> None:
    """A page that may not stay names a page that stays, if any, and what is said of the two is true."""
    text_of = {page.doc_id: page for page in pages}
    for page in pages:
        row = rows[page.doc_id]
        if row["survivor"] is not None:
            assert row["survivor"] in passing
            assert rows[row["survivor"]]["survivor"] is None
        if page.doc_id in passing or row["survivor"] is None:
            assert page.doc_id in passing or row["copies"] is None
            continue
        stays = text_of[row["survivor"]]
        if row["match"] == "fuzzy":
            true = slow.jaccard(slow.shingles(page.text, 5), slow.shingles(stays.text, 5))
            assert row["similarity"] == pytest.approx(true, abs=1e-6)
            assert true >= params.threshold


def check_texts(pages: Sequence[Page], rows: Rows, going: set[bytes], params: clusters.Params) -> None:
    """Of the pages that go for their text one of each stays at most, where all are compared."""
    if params.scope != "everything" or params.per_language or params.exempt:
        return
    texts = [page.text for page in pages if page.doc_id in going and rows[page.doc_id]["survivor"] is None]
    texts = [text for text in texts if slow.shingles(text, 5)]
    assert len(texts) == len(set(texts))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_the_pages_that_stay_are_those_of_a_run_over_the_eligible_pages_alone(tmp_path_factory: Any, seed: int) -> None:
    draw = random.Random(seed)
    store = Store(str(tmp_path_factory.mktemp("late")))
    pages, params = crawl(draw), policy(draw)
    with pytest.MonkeyPatch.context() as patch:
        if draw.random() < 0.5:
            many_partitions(patch)
        inputs = split_up(store, pages, draw.randint(1, 4))
        run_phases(store, clusters.measure(params, inputs, "families"))
        for turn in range(3):
            share = draw.choice([0.0, 0.05, 0.5, 0.95, 1.0])
            worse = draw.choice("abcd")  # a list that takes most of a source
            passing = {page.doc_id for page in pages if draw.random() >= (0.9 if page.source == worse else share)}
            strict = draw.choice([(0.0,), (0.9, 0.95), (0.0, 0.9, None)])  # as near_duplicate says of each source
            by_source = {source: draw.choice(strict) for source in "abc"}
            goes_from = {page.doc_id: by_source[page.source] for page in pages}
            left_in = {rule: set[bytes]() for rule in ("exact_duplicate", "same_address")}
            for ids in left_in.values():
                sources = draw.choice(["", "", "a", "bc", "abc"])
                ids |= {page.doc_id for page in pages if page.source in sources}
            parents = {
                page.doc_id: draw.choice(pages).doc_id for page in pages if page.source == "c" and draw.random() < 0.7
            }
            parents = parents if draw.random() < 0.5 else {}
            rows, _ = late(store, inputs, params, passing, str(turn), goes_from, left_in, parents)
            expected = alone(store, pages, params, passing, str(turn), goes_from, left_in, parents) if passing else {}
            assert {key: rows[key] for key in expected} == expected
            check_the_others(pages, rows, passing, params)
            for key in passing:
                if rows[key]["match"] == "fuzzy":
                    least = goes_from[key]
                    assert least is not None
                    assert rows[key]["similarity"] >= np.float32(max(least, params.threshold))
                assert rows[key]["match"] != "exact" or key not in left_in["exact_duplicate"]
                assert rows[key]["match"] != "url" or key not in left_in["same_address"]
            check_texts(pages, rows, passing - left_in["exact_duplicate"] - {*parents}, params)
            again, compared = late(store, inputs, params, passing, f"{turn}-again", goes_from, left_in, parents)
            assert again == rows
            assert compared == 0, "no pair is read twice"


def test_fifty_longer_copies_on_a_blocked_host_delete_no_good_page(store: Store) -> None:
    draw = random.Random(3)
    originals = [words(draw, 150) for _ in range(50)]
    good = [Page(f"good {n}", " ".join(text)) for n, text in enumerate(originals)]
    scraped = [
        Page(f"scraped {n}", " ".join([*edited(draw, text, 0.95), "buy", "now"]), source="scraper")
        for n, text in enumerate(originals)
    ]
    inputs = split_up(store, [*good, *scraped], 3)
    params = clusters.Params()
    run_phases(store, clusters.measure(params, inputs, "families"))
    everything = {page.doc_id for page in (*good, *scraped)}
    before, _ = late(store, inputs, params, everything, "before")
    assert sum(before[page.doc_id]["survivor"] is not None for page in good) == 50  # the longest stays
    rows, compared = late(store, inputs, params, {page.doc_id for page in good}, "after")
    assert compared == 0  # every pair was compared before
    assert all(rows[page.doc_id]["survivor"] is None for page in good)
    by_name = {page.key: rows[page.doc_id] for page in scraped}
    assert {row["match"] for row in by_name.values()} == {"fuzzy"}
    assert [by_name[f"scraped {n}"]["survivor"] for n in range(50)] == [page.doc_id for page in good]


def test_good_pages_that_only_a_blocked_one_held_together_are_compared(store: Store) -> None:
    """A hundred near-copies in one large bucket are paired with its leader alone; without it with each other."""
    draw = random.Random(11)
    text = words(draw, 400)
    assert band_buckets.SMALL_BUCKET < 60
    hub = Page("hub", " ".join([*text, "and", "more"]), source="scraper")
    pages = [Page(f"page {n}", " ".join([*text[:-2], f"x{n}", f"y{n}"])) for n in range(60)]
    inputs = split_up(store, [hub, *pages], 2)
    params = clusters.Params()
    run_phases(store, clusters.measure(params, inputs, "families"))
    passing = {page.doc_id for page in pages}
    rows, _ = late(store, inputs, params, passing, "late")
    assert sum(rows[page.doc_id]["survivor"] is None for page in pages) == 1
    expected = alone(store, pages, params, passing, "alone")
    assert {key: rows[key] for key in expected} == expected


def variants(draw: random.Random, count: int) -> list[Page]:
    """A long page (J 0.85 with the others), and shorter ones of one text but for a word each (J 0.94)."""
    text = words(draw, 160)
    more = words(draw, 16)
    longest = Page("longest", " ".join(text + more), source="a")
    changed = [[*text[:5], f"edition{number}", *text[6:]] for number in range(count)]
    return [longest, *(Page(f"{number}", " ".join(one), source="b") for number, one in enumerate(changed))]


@pytest.mark.parametrize(("least", "stay"), [(0.0, 1), (0.9, 2), (0.99, 21), (None, 21)])
def test_pages_that_a_stricter_rule_leaves_in_stand_for_those_like_them(
    store: Store, least: float | None, stay: int
) -> None:
    pages = variants(random.Random(4), 20)
    texts = {page.doc_id: slow.shingles(page.text, 5) for page in pages}
    inputs = split_up(store, pages, 2)
    params = clusters.Params(threshold=0.8)
    run_phases(store, clusters.measure(params, inputs, "families"))
    goes_from = {page.doc_id: least for page in pages}
    rows, _ = late(store, inputs, params, {*texts}, "strict", goes_from)
    kept = {key for key, row in rows.items() if row["survivor"] is None}
    assert len(kept) == stay
    assert {row["cluster_size"] for row in rows.values()} == {21}, "alike they are whatever goes"
    for key, row in rows.items():
        if row["survivor"] is not None:
            assert row["survivor"] in kept
            assert slow.jaccard(texts[key], texts[row["survivor"]]) == pytest.approx(row["similarity"], abs=1e-6)
    summary = store.read_json("late-strict/summary.json")
    assert summary["fuzzy_removed"] == 21 - stay


def test_a_text_of_a_source_that_loses_none_for_its_similarity_stays_once(store: Store) -> None:
    longest, first, second, third = variants(random.Random(5), 3)
    longest, first = replace(longest, quality=2), replace(first, quality=1)
    copy = replace(first, key="copy", source="c")
    pages = [longest, first, second, third, copy]
    inputs = split_up(store, pages, 1)
    params = clusters.Params(survivor=("quality", "source"), quality_column="score", source_priority=("b",))
    run_phases(store, clusters.measure(params, inputs, "families"))
    rows, _ = late(store, inputs, params, {page.doc_id for page in pages}, "off", {copy.doc_id: None})
    assert rows[first.doc_id]["survivor"] is None, "its text is one of the source c, too, which loses none"
    assert (rows[copy.doc_id]["match"], rows[copy.doc_id]["survivor"]) == ("exact", first.doc_id)
    others = {rows[page.doc_id]["survivor"] for page in (second, third)}
    assert others == {first.doc_id}, "the most similar page that stays"
