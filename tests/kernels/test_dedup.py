"""Kernels of deduplication equal their slow twins, in any order of input."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.clusters.pages import order_by
from stages.kernels.dedup import band_buckets, jaccard, minhash, shingles, unionfind
from stages.kernels.dedup.jaccard import ShingleSets, pair_similarities
from stages.kernels.dedup.survivors import choose_again, choose_survivors
from tests.slow import dedup as slow


def ragged(sets: list[set[int]]) -> ShingleSets:
    sizes = np.array([len(found) for found in sets], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    return ShingleSets.of(np.array([value for found in sets for value in sorted(found)], np.uint64), starts, sizes)


SETS = [
    (set(range(0, 400, 2)), set(range(0, 400, 3)), 67 / (200 + 134 - 67)),
    (set(range(100)), set(range(90, 1000)), 10 / 1000),  # the whole of one beside the upper half of the other
    (set(range(500, 600)), set(range(550)), 50 / 600),
    ({7}, {7}, 1.0),
    ({7}, {8}, 0.0),
    ({7}, set(), 0.0),
    (set(), set(), 0.0),
    ({0, 2**64 - 1}, {2**64 - 1}, 0.5),
]


@pytest.mark.parametrize(("one", "other", "expected"), SETS)
def test_halves_of_sets_merged_side_by_side_count_every_shared_hash_once(
    one: set[int], other: set[int], expected: float
) -> None:
    left, right = np.array([0, 1], np.int64), np.array([1, 0], np.int64)
    assert pair_similarities(ragged([one, other]), left, right).tolist() == [expected, expected]


def test_pairs_of_a_matrix_are_compared_by_the_kernel_that_is_compiled_already() -> None:
    sets = ragged([{1, 2}, {2, 3}, {3}])
    pairs = np.array([[0, 1], [1, 2], [0, 2]], np.int64)
    before = pair_similarities(sets, pairs[:, 0].copy(), pairs[:, 1].copy())
    known = set(jaccard._pair_similarities.signatures)
    assert pair_similarities(sets, pairs[:, 0], pairs[:, 1]).tolist() == before.tolist() == [1 / 3, 0.5, 0.0]
    assert set(jaccard._pair_similarities.signatures) == known


REPEATS = [
    ([[3, 3, 3], [3, 4, 4], [], [0, 0, 2**64 - 1], [2**64 - 1]], [[3], [3, 4], [], [0, 2**64 - 1], [2**64 - 1]]),
    ([[], [], []], [[], [], []]),
    ([[0], [0], [0, 0]], [[0], [0], [0]]),
]


@pytest.mark.parametrize(("texts", "expected"), REPEATS)
def test_repeats_are_dropped_within_a_text_and_never_across_texts(
    texts: list[list[int]], expected: list[list[int]]
) -> None:
    hashes = np.array([value for text in texts for value in text], np.uint64)
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    shingles._drop_repeats(hashes, offsets)
    assert [hashes[start:stop].tolist() for start, stop in itertools.pairwise(offsets.tolist())] == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 9)), min_size=2, max_size=6))
def test_jaccard_equals_the_definition(sets: list[set[int]]) -> None:
    left = np.array([i for i in range(len(sets)) for _ in sets], np.int64)
    right = np.array([j for _ in sets for j in range(len(sets))], np.int64)
    found = pair_similarities(ragged(sets), left, right)
    assert found.tolist() == [slow.jaccard(sets[i], sets[j]) for i, j in zip(left, right, strict=True)]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40), st.randoms())
def test_components_are_named_by_their_smallest_node(
    count: int, edges: list[tuple[int, int]], draw: random.Random
) -> None:
    edges = [(a % count, b % count) for a, b in edges]
    expected = slow.components(count, edges)
    draw.shuffle(edges)
    parents = unionfind.singletons(count)
    for part in (edges[: len(edges) // 2], edges[len(edges) // 2 :]):
        pairs = np.array(part, np.int64).reshape(-1, 2)
        unionfind.unite(parents, pairs[:, 0].copy(), pairs[:, 1].copy())
    unionfind.flatten(parents)
    assert parents.tolist() == expected


def test_minima_of_sets_are_those_of_their_texts() -> None:
    draw = np.random.default_rng(1)
    hashes = np.sort(draw.integers(0, 2**64, 50, dtype=np.uint64))
    a, b = minhash.permutations(20, 3)
    found = minhash.minima_of_sets(hashes, np.array([0, 10, 50]), np.array([10, 40, 0]), a, b)
    for row, part in enumerate((hashes[:10], hashes[10:])):
        inputs = [value >> 32 for value in part.tolist()]
        assert found[row].tolist() == [
            min((x * m + n) % 2**32 for x in inputs) for m, n in zip(a.tolist(), b.tolist(), strict=True)
        ]
    assert set(found[2].tolist()) == {2**32 - 1}


def random_records(seed: int, count: int, keys: int, spread: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Records whose sketches scatter by up to ``spread`` bits around a few centres; a text has one record a key."""
    draw = np.random.default_rng(seed)
    centres = draw.integers(0, 2**63, (4, 2), dtype=np.uint64)
    sketches = centres[draw.integers(0, 4, count)]
    for row in range(count):
        for bit in draw.integers(0, 128, draw.integers(0, spread + 1)):
            sketches[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return draw.integers(0, keys, count, dtype=np.uint64), draw.permutation(count).astype(np.uint64), sketches


@pytest.mark.parametrize("seed", range(5))
def test_small_buckets_give_every_pair_within_the_bound(seed: int) -> None:
    keys, texts, sketches = random_records(seed, 60, 25, 20)
    assert np.bincount(keys.astype(np.int64)).max() <= band_buckets.SMALL_BUCKET
    left, right, statistics = band_buckets.candidate_pairs(keys, texts, sketches, 4, 23)
    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    assert set(pairs) == slow.small_bucket_pairs(keys, texts, sketches, 23)
    assert pairs == sorted(set(pairs))
    assert statistics[3] == len(pairs)


def test_pairs_do_not_depend_on_the_order_of_records() -> None:
    keys, texts, sketches = random_records(3, 5000, 40, 16)
    expected = band_buckets.candidate_pairs(keys, texts, sketches, 4, 23)
    order = np.random.default_rng(1).permutation(len(keys))
    found = band_buckets.candidate_pairs(keys[order], texts[order], sketches[order], 4, 23)
    for one, other in zip(expected, found, strict=True):
        assert one.tolist() == other.tolist()


def test_a_hot_bucket_gives_few_pairs_and_joins_all_that_belong_together() -> None:
    count = 100_000
    keys, texts, sketches = random_records(5, count, 1, 3)
    left, right, statistics = band_buckets.candidate_pairs(keys, texts, sketches, 6, 23)
    assert len(left) <= count * 2
    parents = unionfind.singletons(count)
    unionfind.unite(parents, left.astype(np.int64), right.astype(np.int64))
    unionfind.flatten(parents)
    assert len(np.unique(parents)) == 4
    assert statistics[1] == count
    assert statistics[4] == 0


def test_leaders_out_of_view_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(2)
    count = band_buckets.MAX_LEADERS + 500
    sketches = draw.integers(0, 2**63, (count, 2), dtype=np.uint64)
    texts = np.arange(count, dtype=np.uint64)
    _, _, statistics = band_buckets.candidate_pairs(np.zeros(count, np.uint64), texts, sketches, 4, 5)
    assert statistics[4] == 499


def test_pairs_at_the_threshold_nearly_always_pass_the_sketch() -> None:
    near, far = band_buckets.bit_bounds(0.8, 112)
    draw = np.random.default_rng(7)
    differing = draw.binomial(112, 0.1, 200_000)
    assert (differing <= far).mean() > 0.9995
    assert near < 0.1 * 112 < far


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 14),
    st.randoms(use_true_random=False),
    st.sampled_from([(0.3,), (0.5,), (0.8,), (0.5, 0.8), (0.3, float("inf"))]),
)
def test_survivors_equal_the_slow_twin(count: int, draw: random.Random, among: tuple[float, ...]) -> None:
    universe = draw.choice([8, 14, 40])
    sets = [set(draw.sample(range(universe), draw.randint(1, 8))) for _ in range(count)]
    edges = sorted({(a, b) for a in range(count) for b in range(a + 1, count) if draw.random() < 0.3})
    ranks = draw.sample(range(count), count)
    thresholds = [draw.choice(among) for _ in range(count)]
    expected = slow.choose_survivors(sets, edges, ranks, thresholds)
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    left, right = pairs[:, 0].copy(), pairs[:, 1].copy()
    similarities = pair_similarities(ragged(sets), left, right)
    reach = [(a, b) for (a, b), s in zip(edges, similarities, strict=True) if s >= min(thresholds[a], thresholds[b])]
    clusters = np.array(slow.components(count, reach))
    own = np.array(thresholds)
    choice = choose_survivors(ragged(sets), left, right, similarities, clusters, np.array(ranks), own)
    survivors, found = choice.survivors, choice.similarities
    assert [None if s < 0 else (s, f) for s, f in zip(survivors.tolist(), found.tolist(), strict=True)] == expected
    for node, survivor in enumerate(survivors.tolist()):
        if survivor >= 0:
            assert survivors[survivor] == -1
            assert slow.jaccard(sets[node], sets[survivor]) >= thresholds[node]
    # the same from similarities alone, once what was noted is known, and asked for as long as it is not
    sizes = np.array([len(found) for found in sets], np.int64)
    known: dict[int, float] = {}
    for _ in range(count * count):
        keys = np.array(sorted(known), np.int64)
        weights = np.array([known[key] for key in keys.tolist()])
        again = choose_again(sizes, keys, weights, left, right, similarities, clusters, np.array(ranks), own)
        if not len(again.noted):
            break
        fresh = {a * count + b: slow.jaccard(sets[a], sets[b]) for a, b in again.noted.tolist()}
        assert not fresh.keys() & known.keys()
        known |= fresh
    assert again.survivors.tolist() == survivors.tolist()
    assert [s for s in again.similarities.tolist() if s == s] == [s for s in found.tolist() if s == s]
    noted = {a * count + b for a, b in choice.noted.tolist()}
    assert noted <= known.keys()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.floats(allow_nan=False)), max_size=40))
def test_records_are_ordered_by_all_keys(records: list[tuple[int, int, float]]) -> None:
    keys = [np.array([record[place] for record in records]) for place in range(3)]
    assert [records[place] for place in order_by([*keys, np.arange(len(records))])] == sorted(records)
