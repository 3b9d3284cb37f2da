"""Paths against patterns as robots.txt has them: which of a group's patterns, in their order, is the first to match.

Legend: N bytes of paths, U paths. M bytes of patterns, P patterns, G groups of them, R questions (a path and a group).
A pattern holds for whatever follows, unless it is `ANCHORED`; ``*`` stands for any bytes. Both sides are in normal form
(`stages.rules.robots_txt`): a byte of a path that is ``*`` cannot stand there.

Method: one pass along path and pattern; at a mismatch the search goes on a byte behind the last ``*``. Price: some
nanoseconds a pattern whose first bytes differ; at most bytes of path times bytes of pattern.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel, lean_kernel

ALLOWS, ANCHORED = 1, 2
"""Bits of a pattern's flags."""
_STAR = 42


def disallowed(
    data_N: Any,
    offsets_U1: Any,
    paths_R: npt.NDArray[np.int64],
    groups_R: npt.NDArray[np.int64],
    patterns: tuple[Any, Any, Any],
    bounds_G1: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Of each question whether the first pattern of the group that matches the path is one that does not allow.

    Args:
        patterns: data_M, offsets_P1 and flags_P (uint8).
        bounds_G1: of the patterns of each group, those that decide first first.
    """
    found_R = np.zeros(len(paths_R), np.bool_)
    _find(data_N, offsets_U1, paths_R, groups_R, *patterns, bounds_G1, found_R)
    return found_R


@lean_kernel
def _find(  # type: ignore[no-untyped-def]
    data_N, offsets_U1, paths_R, groups_R, data_M, offsets_P1, flags_P, bounds_G1, found_R
):
    for r in range(len(paths_R)):
        start, stop = offsets_U1[paths_R[r]], offsets_U1[paths_R[r] + 1]
        for p in range(bounds_G1[groups_R[r]], bounds_G1[groups_R[r] + 1]):
            if _matches(data_N, start, stop, data_M, offsets_P1[p], offsets_P1[p + 1], flags_P[p] & ANCHORED):
                found_R[r] = not flags_P[p] & ALLOWS
                break


@lean_inline_kernel
def _matches(data_N, at, stop, data_M, first, last, anchored):  # type: ignore[no-untyped-def]
    here, star, mark = first, np.int64(-1), np.int64(0)
    while True:
        if here == last and (not anchored or at == stop):
            return True
        if here < last and data_M[here] == _STAR:
            star, mark = here, at
            here += 1
        elif here < last and at < stop and data_N[at] == data_M[here]:
            at += 1
            here += 1
        else:
            if star < 0 or mark >= stop:
                return False
            mark += 1
            at, here = mark, star + 1
