"""The texts that C4's filter leaves of documents: the lines that stay, without citation marks, joined by line feeds.

Price: a copy of the bytes that stay.

Legend: D documents, L lines (`stages.kernels.words.c4_lines`), ``_M`` bytes of what is left.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, read_only
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import characters as unicode
from stages.kernels.words.c4_lines import CITATION, C4Lines, without_citations


def cleaned(data: Bytes, lines: C4Lines, stays_L: npt.NDArray[np.bool_]) -> tuple[Bytes, Offsets]:
    """The lines of each document for which ``stays_L`` holds, as texts (data, offsets) without white space around."""
    most = int((lines.stops_L - lines.starts_L + 1)[stays_L].sum())
    left_M, bounds_D1 = np.empty(most, np.uint8), np.zeros(len(lines.lines_D1), np.int64)
    _cleaned(
        data, lines.lines_D1, lines.starts_L, lines.stops_L, lines.facts_L, stays_L, unicode.classes(), left_M,
        bounds_D1,
    )  # fmt: skip
    return read_only(left_M[: bounds_D1[-1]]), read_only(bounds_D1)


@lean_kernel
def _cleaned(data, lines_D1, starts_L, stops_L, facts_L, stays_L, classes, left_M, bounds_D1):  # type: ignore[no-untyped-def]
    size = 0
    for d in range(len(lines_D1) - 1):
        first, joined = size, False
        for k in range(lines_D1[d], lines_D1[d + 1]):
            if not stays_L[k]:
                continue
            if joined:
                left_M[size] = 10
                size += 1
            joined = True
            if facts_L[k] & CITATION:
                size += without_citations(data, starts_L[k], stops_L[k], left_M[size:])
            else:
                size += _copy(data[starts_L[k] : stops_L[k]], left_M[size:])
        begin, end = _strip(left_M, first, size, classes)  # a line may have been all citations
        size = first + (end - begin if begin == first else _copy(left_M[begin:end], left_M[first:]))
        bounds_D1[d + 1] = size


@lean_inline_kernel
def _copy(source, target):  # type: ignore[no-untyped-def]
    for i in range(source.shape[0]):
        target[i] = source[i]
    return source.shape[0]


@lean_inline_kernel
def _strip(data, begin, end, classes):  # type: ignore[no-untyped-def]
    """(begin, end) of a text without the white space around it."""
    while begin < end:
        cp, behind = unicode.code_point(data, begin, end)
        if not classes[cp] & unicode.SPACE:
            break
        begin = behind
    while begin < end:
        last = end - 1
        while last > begin and data[last] & 0xC0 == 0x80:
            last -= 1
        cp, behind = unicode.code_point(data, last, end)
        if behind < end or not classes[cp] & unicode.SPACE:
            break
        end = last
    return begin, end
