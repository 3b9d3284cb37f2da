"""Which lines are page chrome (`stages.rules.chrome`): kinds of lines, counters, and where an expression must be asked.

A counter is a number and what it counts, at the beginning of a line; it is found here where that beginning is ASCII,
and where it is not the line is left to an expression. So is a line with a phrase. Price: about 10 ns a line.

Legend: N bytes of data, D documents, L lines, H hits. kinds_L int64; asked_L bool; totals_D5 int64: lines of kinds 1 to
4, and words of all of these; the lines: `stages.kernels.words.line_kinds`; places_H: `stages.kernels.words.literals`.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import characters
from stages.kernels.words.line_kinds import COUNTERS, MAINLY_UPPERCASE, ONE_WORD, ONLY_DIGITS, LineKinds
from stages.kernels.words.literals import Hits

STAYS, UPPERCASE, DIGITS, COUNTER, WORD = range(5)
BEGINS, ENDS = b"Sign-in", b"Read more..."
"""A line that begins or ends so is asked."""
_OURS = np.zeros(6, np.int64)
_OURS[[MAINLY_UPPERCASE, ONLY_DIGITS, ONE_WORD]] = UPPERCASE, DIGITS, WORD
_NO, _YES, _ASK = range(3)
_NEVER_IN_WORDS = characters.SPACE | characters.PUNCTUATION | characters.OTHER_SYMBOL
_MOST = max(map(len, COUNTERS))
_COUNTED = np.zeros((len(COUNTERS), _MOST), np.uint8)
for _row, _name in zip(_COUNTED, COUNTERS, strict=True):
    _row[: len(_name)] = np.frombuffer(_name, np.uint8)


def chrome_lines(
    data: Bytes, lines: LineKinds, hits: Hits, string: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """(kinds_L, asked_L): of a line that is asked, an expression must tell whether it is a `COUNTER`, and where its
    phrases stand; those with a hit of ``string`` are asked too."""
    kinds_L, asked_L = np.empty(len(lines.starts_L), np.int64), np.zeros(len(lines.starts_L), np.bool_)
    _chrome_lines(
        data, characters.classes(), _COUNTED, _OURS, np.frombuffer(BEGINS, np.uint8), np.frombuffer(ENDS, np.uint8),
        lines.starts_L, lines.stops_L, lines.kinds_L, hits.places_H, hits.strings_H, string, kinds_L, asked_L,
    )  # fmt: skip
    return kinds_L, asked_L


def totals(
    lines_D1: npt.NDArray[np.int64], kinds_L: npt.NDArray[np.int64], words_L: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """totals_D5."""
    totals_D5 = np.zeros((len(lines_D1) - 1, 5), np.int64)
    _totals(lines_D1, kinds_L, words_L, totals_D5)
    return totals_D5


@lean_kernel
def _totals(lines_D1, kinds_L, words_L, totals_D5):  # type: ignore[no-untyped-def]
    for d in range(len(totals_D5)):
        for line in range(lines_D1[d], lines_D1[d + 1]):
            if kinds_L[line] != STAYS:
                totals_D5[d, kinds_L[line] - 1] += 1
                totals_D5[d, 4] += words_L[line]


@lean_kernel
def _chrome_lines(  # type: ignore[no-untyped-def]
    data, classes, counted, ours, begins, ends, starts_L, stops_L, theirs_L, places_H, strings_H, string, kinds_L,
    asked_L,
):  # fmt: skip
    h = 0
    for line in range(len(starts_L)):
        start, stop = starts_L[line], stops_L[line]
        kind = ours[theirs_L[line]]
        ask = False
        while h < len(places_H) and places_H[h] < stop:
            ask |= strings_H[h] == string
            h += 1
        asked = kind == STAYS
        asked |= kind == WORD
        if asked:
            counts = _counts(data, start, stop, classes, counted)
            if counts == _YES:
                kind = COUNTER
            ask |= counts == _ASK or _is(data, start, stop, begins)
            ask |= data[stop - 1] == 46 and stop - start >= len(ends) and _is(data, stop - len(ends), stop, ends)
            asked_L[line] = ask and kind != COUNTER
        kinds_L[line] = kind


@lean_inline_kernel
def _is(data, start, stop, text):  # type: ignore[no-untyped-def]
    """Whether start:stop begins with a text."""
    k = 0
    while k < len(text) and start + k < stop and data[start + k] == text[k]:
        k += 1
    return k == len(text)


@lean_inline_kernel
def _folds(data, at, stop):  # type: ignore[no-untyped-def]
    """Whether a long s or the sign of the kelvin stands here: an s and a k of another case."""
    if data[at] == 0xC5:
        return at + 1 < stop and data[at + 1] == 0xBF
    return data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x84 and data[at + 2] == 0xAA


@lean_inline_kernel
def _counts(data, at, stop, classes, counted):  # type: ignore[no-untyped-def]
    """Whether a line counts something; `_ASK` where characters beyond ASCII decide it."""
    b = np.int64(0)
    while at < stop:  # what is of no word
        b = np.int64(data[at])
        if b >= 0x80:
            cp, behind = characters.code_point(data, at, stop)
            if classes[cp] & characters.ALPHA:
                return _NO
            if not classes[cp] & _NEVER_IN_WORDS:
                return _ASK
            at = behind
            continue
        if 48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122 or b == 95:
            break
        at += 1
    if not 48 <= b <= 57:
        return _NO
    while at < stop and (48 <= data[at] <= 57 or data[at] == 44 or data[at] == 46):
        at += 1
    if at < stop and data[at] >= 0x80:
        cp, _ = characters.code_point(data, at, stop)
        if classes[cp] & characters.DIGIT:
            return _ASK
    elif at < stop and (data[at] | 32 == 107 or data[at] | 32 == 109 or data[at] | 32 == 98):
        at += 1
    first = at
    while at < stop:  # white space
        cp, behind = characters.code_point(data, at, stop)
        if not classes[cp] & characters.SPACE:
            break
        at = behind
    if at == first:
        return _NO
    for row in range(len(counted)):
        k = 0
        while k < counted.shape[1] and counted[row, k] != 0 and at + k < stop:
            if _folds(data, at + k, stop):
                return _ASK
            if data[at + k] | 32 != counted[row, k]:
                break
            k += 1
        if k == counted.shape[1] or counted[row, k] == 0:
            return _YES
    return _NO
