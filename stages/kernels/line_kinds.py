"""Letters, capitals and digits of texts and of their lines (cut at line feeds), and what each line looks like.

Legend: N bytes of data, D documents, L lines. All int64: lines_D1, starts_L, stops_L, words_L, kinds_L, totals_D7.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels import unicode
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.lines import strip
from stages.kernels.ragged import Bytes, Offsets

ORDINARY, MAINLY_UPPERCASE, ONLY_DIGITS, COUNTER, ONE_WORD, BOILERPLATE = range(6)
"""Kinds of a line; the first that holds, in this order, after `ORDINARY`."""

CHARACTERS, LETTERS, CAPITALS, DIGITS, WORDS, ALL_CAPS_WORDS, CURLY_BRACKETS = range(7)
"""Columns of ``totals_D7``; CHARACTERS are those that are no white space."""

COUNTERS = (
    *(b"likes", b"shares", b"comments", b"retweets", b"reposts", b"quotes", b"bookmarks"),
    *(b"upvotes", b"downvotes", b"downloads", b"views", b"followers"),
)
MAX_BOILERPLATE_WORDS = 10
PREFIXES = (b"sign-in", b"sign in")
SUFFIXES = (b"read more...", "read more…".encode())
INFIXES = (b"items in cart",)

_SPACE = unicode.SPACE
_UPPER = unicode.UPPER
_LOWER = unicode.LOWER


@dataclass(frozen=True)
class LineKinds:
    """Lines that have a word; those of document d are ``lines_D1[d]:lines_D1[d + 1]``."""

    lines_D1: Offsets
    starts_L: npt.NDArray[np.int64]
    stops_L: npt.NDArray[np.int64]
    words_L: npt.NDArray[np.int64]
    kinds_L: npt.NDArray[np.int64]
    totals_D7: npt.NDArray[np.int64]


def line_kinds(data: Bytes, offsets: Offsets) -> LineKinds:
    """Lines and totals of every document of (data, offsets).

    A line is mainly upper case when more than half of its characters are capitals, a counter when it is a number and
    one word of `COUNTERS`, boilerplate when it has at most 10 words and begins with one of `PREFIXES`, ends with one
    of `SUFFIXES` or contains one of `INFIXES`; ASCII capitals count as small letters.
    """
    lines_D1 = np.zeros(len(offsets), np.int64)
    totals_D7 = np.zeros((len(offsets) - 1, 7), np.int64)
    most = int(offsets[-1] - offsets[0]) // 2 + len(offsets)
    starts_L, stops_L, words_L, kinds_L = (np.empty(most, np.int64) for _ in range(4))
    num_lines = _line_kinds(
        data, offsets, unicode.classes(), _PHRASE_BYTES, _PHRASES,
        lines_D1, starts_L, stops_L, words_L, kinds_L, totals_D7,
    )  # fmt: skip
    return LineKinds(
        lines_D1, starts_L[:num_lines], stops_L[:num_lines], words_L[:num_lines], kinds_L[:num_lines], totals_D7
    )


_COUNTER, _PREFIX, _SUFFIX, _INFIX = range(4)


def _phrases() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(bytes, rows of start, stop, where it must stand) of all phrases."""
    text, rows = b"", []
    for place, phrases in enumerate((COUNTERS, PREFIXES, SUFFIXES, INFIXES)):
        for phrase in phrases:
            rows.append((len(text), len(text) + len(phrase), place))
            text += phrase
    return np.frombuffer(text, np.uint8), np.array(rows, np.int64)


_PHRASE_BYTES, _PHRASES = _phrases()


@lean_kernel
def _line_kinds(  # type: ignore[no-untyped-def]
    data, offsets, classes, phrase_bytes, phrases, lines_D1, starts_L, stops_L, words_L, kinds_L, totals_D7
):
    line = 0
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        while i < stop:
            begin = i
            characters = letters = capitals = digits = words = all_caps = curly = 0
            word_flags = np.int64(0)
            first_digit_word = False
            while i < stop and data[i] != 10:
                cp = np.int64(data[i])
                if cp < 0x80:
                    i += 1
                else:
                    cp, i = unicode.code_point(data, i, stop)
                flags = np.int64(classes[cp])
                if flags & _SPACE:
                    if word_flags:
                        all_caps += word_flags & (_UPPER | _LOWER) == _UPPER
                        first_digit_word |= words == 1 and word_flags == _IN_WORD | unicode.DIGIT
                        word_flags = np.int64(0)
                    continue
                words += word_flags == 0
                word_flags |= flags & ~unicode.MARK | _IN_WORD
                characters += 1
                letters += (flags & unicode.ALPHA) >> 1
                capitals += (flags & _UPPER) >> 9
                digits += (flags & unicode.DIGIT) >> 5
                curly += cp == 123 or cp == 125
            if word_flags:
                all_caps += word_flags & (_UPPER | _LOWER) == _UPPER
            end = i
            i += 1
            if words == 0:
                continue
            begin, end = strip(data, begin, end, classes)
            kind = ORDINARY
            if 2 * capitals > characters + words - 1:
                kind = MAINLY_UPPERCASE
            elif digits == characters:
                kind = ONLY_DIGITS
            elif words == 2 and first_digit_word and _has(data, begin, end, phrase_bytes, phrases, _COUNTER):
                kind = COUNTER
            elif words == 1:
                kind = ONE_WORD
            elif words <= MAX_BOILERPLATE_WORDS and (
                _has(data, begin, end, phrase_bytes, phrases, _PREFIX)
                or _has(data, begin, end, phrase_bytes, phrases, _SUFFIX)
                or _has(data, begin, end, phrase_bytes, phrases, _INFIX)
            ):
                kind = BOILERPLATE
            starts_L[line], stops_L[line], words_L[line], kinds_L[line] = begin, end, words, kind
            line += 1
            totals_D7[d, CHARACTERS] += characters
            totals_D7[d, LETTERS] += letters
            totals_D7[d, CAPITALS] += capitals
            totals_D7[d, DIGITS] += digits
            totals_D7[d, WORDS] += words
            totals_D7[d, ALL_CAPS_WORDS] += all_caps
            totals_D7[d, CURLY_BRACKETS] += curly
        lines_D1[d + 1] = line
    return line


_IN_WORD = 1 << 20


@lean_inline_kernel
def _has(data, begin, end, phrase_bytes, phrases, place):  # type: ignore[no-untyped-def]
    """Whether a phrase of this place stands where it must in begin:end."""
    for p in range(len(phrases)):
        if phrases[p, 2] != place:
            continue
        size = phrases[p, 1] - phrases[p, 0]
        first, last = begin, end - size
        if place == _PREFIX:
            last = min(begin, last)
        elif place != _INFIX:
            first = end - size
        if place == _COUNTER and (first <= begin or data[first - 1] > 32):
            continue
        for i in range(max(first, begin), last + 1):
            k = 0
            while k < size:
                b = data[i + k]
                if 65 <= b <= 90:
                    b |= np.uint8(32)
                if b != phrase_bytes[phrases[p, 0] + k]:
                    break
                k += 1
            if k == size:
                return True
    return False
