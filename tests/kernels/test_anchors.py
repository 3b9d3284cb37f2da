"""Anchors and owners of windows: as their docstrings say, for any bytes, in linear time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels.columns.ragged import offsets_of
from stages.kernels.dedup.anchors import Anchors, find_anchors, hash_contexts
from stages.kernels.dedup.repeats import find_owners
from tests.slow import repeats as slow

BASE = 0x9E3779B97F4A7C15
MASK = 2**64 - 1


def mixed(value: int) -> int:
    """splitmix64's finaliser."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def hashed(stretch: bytes, salt: int = 7) -> int:
    rolling = 0
    for byte in stretch:
        rolling = (rolling * BASE + byte) & MASK
    return mixed(rolling ^ mixed(salt))


def anchors_of(texts: Sequence[bytes], window: int, anchor: int, salts: Sequence[int] | None = None) -> Anchors:
    data = np.frombuffer(b"".join(texts), np.uint8)
    sizes = np.array([len(text) for text in texts], np.int64)
    given_salts = np.array(salts or [7] * len(texts), np.uint64)
    return find_anchors(data, offsets_of(sizes), given_salts, np.ones(len(texts), np.bool_), window, anchor)


def fibonacci(size: int) -> bytes:
    one, other = b"a", b"ab"
    while len(other) < size:
        one, other = other, other + one
    return other[:size]


BYTES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"a", b"b"]), max_size=200).map(b"".join),
    st.tuples(st.binary(min_size=1, max_size=9), st.integers(1, 60)).map(lambda pair: pair[0] * pair[1]),
    st.integers(0, 300).map(fibonacci),
    st.integers(0, 200).map(lambda size: b"a" * size),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(BYTES, min_size=1, max_size=4), st.integers(1, 40), st.data())
def test_anchors_are_those_of_the_definition(texts: list[bytes], window: int, data: st.DataObject) -> None:
    anchor = data.draw(st.integers(1, window))
    found = anchors_of(texts, window, anchor)
    base = 0
    for d, text in enumerate(texts):
        got = []
        for a in range(found.anchors_D1[d], found.anchors_D1[d + 1]):
            for k in range(found.counts_A[a]):
                place = int(found.places_A[a] + k * found.strides_A[a]) - base
                got.append((place, int(found.firsts_A[a]), int(found.lasts_A[a])))
                assert found.hashes_A[a] == hashed(text[place : place + anchor])
        assert got == slow.anchors(text, window, anchor, hashed)
        base += len(text)


def test_keys_agree_where_the_bytes_they_cover_do_and_nowhere_else() -> None:
    draw = random.Random(3)
    window, anchor = 40, 12
    side = (window - anchor + 1) // 2
    middle = bytes(draw.choices(b"abcdefgh", k=200))
    texts = [bytes(draw.choices(b"abcdefgh", k=90)) + middle + bytes(draw.choices(b"abcdefgh", k=90)) for _ in range(3)]
    found = anchors_of([*texts, *texts], window, anchor, [7, 7, 7, 7, 7, 8])
    whole = b"".join([*texts, *texts])
    covered: dict[str, dict[int, set[bytes]]] = {"full": {}, "left": {}, "right": {}}
    for d in range(5):
        for a in range(found.anchors_D1[d], found.anchors_D1[d + 1]):
            place, first, last = (int(column[a]) for column in (found.places_A, found.firsts_A, found.lasts_A))
            context = whole[place + first : place + last + window] + bytes([-first])
            covered["full"].setdefault(int(found.full_A[a]), set()).add(context)
            left, right = whole[place - side : place + anchor], whole[place : place + anchor + side]
            assert (found.left_A[a] == found.full_A[a]) == (-first < side)
            assert (found.right_A[a] == found.full_A[a]) == (last + window - anchor < side)
            if -first >= side:
                covered["left"].setdefault(int(found.left_A[a]), set()).add(left)
            if last + window - anchor >= side:
                covered["right"].setdefault(int(found.right_A[a]), set()).add(right)
    for kind, by_key in covered.items():
        assert all(len(values) == 1 for values in by_key.values()), kind
        assert len({value for values in by_key.values() for value in values}) == len(by_key), kind
    first, other = (set(found.full_A[found.anchors_D1[d] : found.anchors_D1[d + 1]].tolist()) for d in (2, 5))
    assert not first & other  # equal texts of different salts
    third = set(found.full_A[found.anchors_D1[0] : found.anchors_D1[1]].tolist())
    assert len(third & first) > 3  # of the shared middle


def test_pages_that_take_no_part_and_short_ones_have_no_anchor() -> None:
    data = np.frombuffer(b"a b c d e f g h i j " * 9, np.uint8)
    offsets = np.array([20, 20, 90, 160, 169], np.int64)
    found = find_anchors(data, offsets, np.zeros(4, np.uint64), np.array([True, True, False, True]), 10, 4)
    counts = np.diff(found.anchors_D1)
    assert counts[0] == counts[2] == counts[3] == 0
    assert counts[1] > 0
    assert len(find_anchors(data[:0], offsets[:1] * 0, offsets[:0].astype(np.uint64), counts[:0] > 0, 10, 4)[1]) == 0
    for anchor in (0, 11):
        with pytest.raises(ValueError, match=f"anchor of 1 to 10 bytes, found {anchor}"):
            find_anchors(data, offsets, np.zeros(4, np.uint64), np.ones(4, np.bool_), 10, anchor)


@pytest.mark.parametrize("kind", ["zeros", "periodic", "fibonacci", "lines", "random"])
def test_hostile_texts_take_linear_time_and_few_records(kind: str) -> None:
    size = 4_000_000
    text = {
        "zeros": b"0" * size,
        "periodic": (b"abcdefg" * size)[: size // 2] + b"!" + (b"abcdefg" * size)[: size // 2],
        "fibonacci": fibonacci(size),
        "lines": (b"-" * 79 + b"\n") * (size // 80),
        "random": random.Random(1).randbytes(size),
    }[kind]
    anchors_of([text[:4096]], 500, 32)
    found = anchors_of([text], 500, 32)  # hours if time grew with the square
    assert len(found.places_A) < {"fibonacci": size // 20, "random": size // 200}.get(kind, 100)


def test_a_second_hash_covers_the_bytes_of_a_context_alone() -> None:
    data = np.frombuffer(b"one and two and three and two and one", np.uint8)
    starts, stops = np.array([4, 12, 22, 30], np.int64), np.array([11, 19, 29, 37], np.int64)
    hashes = hash_contexts(data, starts, stops, 5)
    texts = [data[start:stop].tobytes() for start, stop in zip(starts, stops, strict=True)]
    same = [[one == other for one in texts] for other in texts]
    assert [[one == other for one in hashes] for other in hashes] == same
    assert hash_contexts(data, starts, stops, 6)[0] != hashes[0]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_owners_are_the_first_to_have_a_window(data: st.DataObject) -> None:
    """Contexts of some anchors, drawn from few bytes so that windows agree; some without text, alone with theirs."""
    window, anchor = data.draw(st.integers(4, 9)), 3
    contexts, groups = [], [0]
    for _ in range(data.draw(st.integers(1, 3))):
        for _ in range(data.draw(st.integers(1, 5))):
            first = -data.draw(st.integers(0, window - anchor))
            last = data.draw(st.integers(first, 0))
            body = data.draw(st.lists(st.sampled_from(b"ab"), min_size=12, max_size=12).map(bytes))
            text = (body[:6] + b"xyz" + body[6:])[6 + first : 6 + last + window]
            contexts.append((text, first, last, data.draw(st.integers(1, 2)), data.draw(st.integers(0, 3))))
        groups.append(len(contexts))
    columns = [np.array([entry[k] for entry in contexts], np.int64) for k in (1, 2, 3, 4)]
    offsets = offsets_of(np.array([len(entry[0]) for entry in contexts], np.int64))
    joined = np.frombuffer(b"".join(entry[0] for entry in contexts), np.uint8)
    found = find_owners(joined, offsets, *columns, np.array(groups, np.int64), window)
    for begin, end in itertools.pairwise(groups):
        holders: dict[tuple[int, bytes], list[int]] = {}
        for c in range(begin, end):
            text, first, last, _, _ = contexts[c]
            for s in range(first, last + 1):
                holders.setdefault((s, text[s - first : s - first + window]), []).append(c)
        for c in range(begin, end):
            text, first, last, _, _ = contexts[c]
            expected = {}
            for s in range(first, last + 1):
                those = holders[s, text[s - first : s - first + window]]
                pages = {contexts[other][4] for other in those}
                if len(pages) > 1 or any(contexts[other][3] > 1 for other in those):
                    expected[s] = those[0]
            got = {}
            for p in range(found.pieces_C1[c], found.pieces_C1[c + 1]):
                for s in range(found.firsts_P[p], found.lasts_P[p] + 1):
                    assert s not in got
                    got[s] = int(found.owners_P[p])
            assert got == expected
