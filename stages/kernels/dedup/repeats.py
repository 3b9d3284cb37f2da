"""Who keeps which window: contexts of one anchor compared window by window, byte for byte.

Contexts of one anchor (`stages.kernels.dedup.anchors`) differ at their ends. Their windows are distinguished by where
they begin, seen from the anchor, and by their bytes; of equal ones the first in the order of contexts owns them all. A
piece is a row of windows of a context that begin next to each other and have one owner, of those that stand in more
than one place.

Price: linear in the windows, about 30 ns each. Legend: C contexts, in the order in which they keep, those of one anchor
side by side; G anchors, P pieces, E different windows of an anchor, W windows of an anchor, S slots of a table.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.dedup.shingles import mix64
from stages.kernels.eight_bytes import eight_bytes
from stages.kernels.jit import lean_inline_kernel, lean_kernel

Places = npt.NDArray[np.int64]
_BASE = np.uint64(0x9E3779B97F4A7C15)


class Pieces(NamedTuple):
    """Pieces of context c: ``pieces_C1[c]:pieces_C1[c + 1]``; windows from ``firsts_P`` to ``lasts_P``, seen from the
    anchor, stand first in context ``owners_P``."""

    pieces_C1: Offsets
    firsts_P: Places
    lasts_P: Places
    owners_P: Places


def find_owners(
    text: Bytes, offsets_C1: Offsets, firsts_C: Places, lasts_C: Places, holders_C: Places, pages_C: Places,
    groups_G1: Offsets, window: int,
) -> Pieces:  # fmt: skip
    """The pieces of C contexts.

    Args:
        text: the bytes of each context, from its first window to the end of its last; none where its windows are known
            to stand in no other context.
        holders_C: how many places have the context.
        pages_C: where its first one is; a window that stands in two contexts of one such page alone is not repeated.
        groups_G1: contexts of each anchor.
        window: bytes of a window (T).
    """
    sized_C = np.where(np.diff(offsets_C1) > 0, lasts_C - firsts_C + 1, 0)
    running = np.concatenate(([0], np.cumsum(sized_C)))
    most = int(np.diff(running[groups_G1]).max(initial=0))
    slots = 16
    while slots < 2 * most:
        slots *= 2
    table_S, entries_W = np.empty(slots, np.int64), np.empty(most, np.int64)
    hashes_E = np.empty(most, np.uint64)
    starts_E, owners_E, many_E = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.bool_)
    room = 4 * len(firsts_C) + 64
    while True:
        pieces_C1 = np.zeros(len(firsts_C) + 1, np.int64)
        columns = [np.empty(room, np.int64) for _ in range(3)]
        _find_owners(
            text, offsets_C1, firsts_C, lasts_C, holders_C, pages_C, groups_G1, window,
            running, table_S, entries_W, hashes_E, starts_E, owners_E, many_E, pieces_C1, *columns,
        )  # fmt: skip
        count = int(pieces_C1[-1])
        if count <= room:
            return Pieces(pieces_C1, *(column[:count] for column in columns))
        room = count


@lean_inline_kernel
def _equal(text, one, other, size):  # type: ignore[no-untyped-def]
    i = 0
    while i + 8 <= size and eight_bytes(text, one + i) == eight_bytes(text, other + i):
        i += 8
    while i < size and text[one + i] == text[other + i]:
        i += 1
    return i == size


@lean_inline_kernel
def _enter(  # type: ignore[no-untyped-def]
    text, offsets_C1, firsts_C, lasts_C, holders_C, pages_C, c, window, drop, mask,
    running_C1, table_S, entries_W, hashes_E, starts_E, owners_E, many_E, count, group,
):  # fmt: skip
    """Enter the windows of context ``c`` among the ``count`` different ones of its anchor; the new count.

    ``running_C1``: where the entries of each context begin, those of the anchor at ``group``. Where the window before
    stands in another context and that one goes on with the same byte, the window is the next one there.
    """
    base = running_C1[c] - group
    begin = offsets_C1[c]
    rolling = np.uint64(0)
    for i in range(begin, begin + window):
        rolling = rolling * _BASE + np.uint64(text[i])
    before = np.int64(-1)  # the owner of the window before
    for s in range(firsts_C[c], lasts_C[c] + 1):
        here = begin + s - firsts_C[c]
        entry = np.int64(-1)
        if before >= 0 and s <= lasts_C[before]:
            there = offsets_C1[before] + s - firsts_C[before]
            if text[here + window - 1] == text[there + window - 1]:
                entry = entries_W[running_C1[before] - group + s - firsts_C[before]]
        if entry < 0:
            hashed = mix64(rolling ^ mix64(np.uint64(s)))
            slot = np.int64(hashed & np.uint64(mask))
            while table_S[slot] > 0 and entry < 0:
                e = table_S[slot] - 1
                if hashes_E[e] == hashed and starts_E[e] == s:
                    i = owners_E[e]
                    if _equal(text, here, offsets_C1[i] + s - firsts_C[i], window):
                        entry = e
                slot = (slot + 1) & mask
        if entry < 0:
            entry = count
            count += 1
            table_S[slot] = entry + 1
            hashes_E[entry], starts_E[entry], owners_E[entry] = hashed, s, c
            many_E[entry] = holders_C[c] > 1
            before = np.int64(-1)
        else:
            before = owners_E[entry]
            if holders_C[c] > 1 or pages_C[c] != pages_C[before]:
                many_E[entry] = True
        entries_W[base] = entry
        base += 1
        if s < lasts_C[c]:
            rolling = rolling * _BASE + np.uint64(text[here + window]) - drop * np.uint64(text[here])
    return count


@lean_kernel
def _find_owners(  # type: ignore[no-untyped-def]
    text, offsets_C1, firsts_C, lasts_C, holders_C, pages_C, groups_G1, window,
    running_C1, table_S, entries_W, hashes_E, starts_E, owners_E, many_E, pieces_C1, firsts_P, lasts_P, owners_P,
):  # fmt: skip
    drop = np.uint64(1)
    for _ in range(window):
        drop *= _BASE
    piece = 0
    for g in range(len(groups_G1) - 1):
        group = running_C1[groups_G1[g]]
        total = running_C1[groups_G1[g + 1]] - group
        slots = 16
        while slots < 2 * total:
            slots *= 2
        for slot in range(slots if total > 0 else 0):
            table_S[slot] = 0
        count = 0
        for c in range(groups_G1[g], groups_G1[g + 1]):
            if offsets_C1[c + 1] > offsets_C1[c]:
                count = _enter(
                    text, offsets_C1, firsts_C, lasts_C, holders_C, pages_C, c, window, drop, slots - 1,
                    running_C1, table_S, entries_W, hashes_E, starts_E, owners_E, many_E, count, group,
                )  # fmt: skip
        base = 0
        for c in range(groups_G1[g], groups_G1[g + 1]):
            if offsets_C1[c + 1] == offsets_C1[c]:
                if holders_C[c] > 1:
                    if piece < len(firsts_P):
                        firsts_P[piece], lasts_P[piece], owners_P[piece] = firsts_C[c], lasts_C[c], c
                    piece += 1
            else:
                owner = np.int64(-1)  # of the piece that may go on
                for s in range(firsts_C[c], lasts_C[c] + 1):
                    entry = entries_W[base]
                    base += 1
                    if not many_E[entry]:
                        owner = np.int64(-1)
                    elif owners_E[entry] == owner:
                        if piece <= len(firsts_P):
                            lasts_P[piece - 1] = s
                    else:
                        owner = owners_E[entry]
                        if piece < len(firsts_P):
                            firsts_P[piece], lasts_P[piece], owners_P[piece] = s, s, owner
                        piece += 1
            pieces_C1[c + 1] = piece
