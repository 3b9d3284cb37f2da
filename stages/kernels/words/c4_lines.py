"""Facts of each line for C4's rules, in one pass: words, citations, phrases, brackets, sentences.

Legend: N bytes of data, D documents, L lines (``str.splitlines``, white space around them cut). lines_D1 int64;
starts_L, stops_L int64 (bytes of data); facts_L, sentences_L int64.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.unicode import bitmaps
from stages.kernels.unicode import characters as unicode
from stages.kernels.unicode.bitmaps import Planes, count, count_words, find_planes, next_bit
from stages.kernels.words.formulas import brace_outside
from stages.kernels.words.lines import strip
from stages.kernels.words.words import behind_break

LONG_WORD = 1  # a word of more than 1,000 characters
FEW_WORDS = 2  # fewer than 3 words
TERMINATED = 4  # ends with one of . ? ! " ' and not with ...
LOREM_IPSUM = 8
JAVASCRIPT = 16
CURLY = 32
POLICY = 64
CITATION = 128  # has a citation mark: [digits], [], [edit], [citation needed]

MAX_WORD_CHARACTERS = 1000
MIN_WORDS = 3
CITATION_PATTERN = re.compile(rb"\[[0-9]*]|\[edit]|\[citation needed]")
POLICY_PHRASES = (
    *(b"terms of use", b"privacy policy", b"cookie policy"),
    *(b"uses cookies", b"use of cookies", b"use cookies"),
)

# Kinds of ASCII bytes.
_WHITE, _DOT, _MARK, _CLOSER, _TRIGGER, _BRACKET, _OTHER_MARK, _NOT_ASCII = 1, 2, 4, 8, 16, 32, 64, 128
_FLAGS = unicode.SPACE | unicode.TERMINAL | unicode.CLOSER
_TERMINAL = unicode.TERMINAL
_SPACE = unicode.SPACE
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ZERO = np.uint64(0)


def _phrases() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(bytes, rows of start, stop, place of the trigger letter, fact, byte behind that letter) of all phrases.

    A phrase is looked for where two of its letters stand that seldom follow each other: `planes.PAIRS`.
    """
    table = []
    facts = {b"javascript": JAVASCRIPT, b"lorem ipsum": LOREM_IPSUM} | dict.fromkeys(POLICY_PHRASES, POLICY)
    for phrase, fact in facts.items():
        pair = next(pair for pair in bitmaps.PAIRS if pair in phrase)
        table.append((phrase, phrase.index(pair), fact))
    table.sort(key=lambda row: row[0][row[1]])
    text, rows = b"", []
    for phrase, trigger, fact in table:
        rows.append((len(text), len(text) + len(phrase), trigger, fact, phrase[trigger + 1]))
        text += phrase
    return np.frombuffer(text, np.uint8), np.array(rows, np.int64)


_PHRASE_BYTES, _PHRASES = _phrases()


@cache
def _rows_of_letter() -> npt.NDArray[np.int64]:
    """First and last + 1 of the rows of ``_PHRASES`` whose trigger letter is a byte, in either case."""
    rows = np.zeros((256, 2), np.int64)
    for row, (start, _, trigger, _, _) in enumerate(_PHRASES.tolist()):
        letter = chr(_PHRASE_BYTES[start + trigger])
        for byte in (ord(letter), ord(letter.upper())):
            rows[byte] = (rows[byte, 0] if rows[byte, 1] else row, row + 1)
    return rows


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.zeros(256, np.uint8)
    flags = unicode.classes()[:128]
    kinds[:128][flags & _SPACE != 0] |= _WHITE
    kinds[ord(".")] |= _DOT
    kinds[[ord("!"), ord("?")]] |= _MARK
    kinds[:128][flags & unicode.CLOSER != 0] |= _CLOSER
    kinds[[ord("{"), ord("[")]] |= _BRACKET
    for start, _, trigger, _, _ in _PHRASES.tolist():
        letter = chr(_PHRASE_BYTES[start + trigger])
        kinds[[ord(letter), ord(letter.upper())]] |= _TRIGGER
    kinds[128:] = _NOT_ASCII
    kinds.flags.writeable = False
    return kinds


@dataclass(frozen=True)
class C4Lines:
    """The lines of a batch; those of document d are ``lines_D1[d]:lines_D1[d + 1]``."""

    lines_D1: Offsets
    starts_L: npt.NDArray[np.int64]
    stops_L: npt.NDArray[np.int64]
    facts_L: npt.NDArray[np.int64]
    sentences_L: npt.NDArray[np.int64]
    """Sentences of the line without its citations: 1 + boundaries. A boundary lies after a '.' that no '.' precedes,
    or a run of '!' and '?', then closers, then white space; or after a run of other terminal marks, then closers and
    white space, if any; in both cases only if a character follows that is no white space."""


def c4_lines(data: Bytes, offsets: Offsets, planes_BK: Planes | None = None) -> C4Lines:
    """All lines of every document of (data, offsets), empty ones too."""
    if planes_BK is None:
        planes_BK = find_planes(data, offsets)
    lines_D1 = np.zeros(len(offsets), np.int64)
    most = int(offsets[-1] - offsets[0])
    starts_L, stops_L = np.empty(most, np.int64), np.empty(most, np.int64)
    facts_L, sentences_L = np.empty(most, np.int64), np.empty(most, np.int64)
    num_lines = _c4_lines(
        data, offsets, planes_BK, unicode.classes(), _kinds(), _PHRASE_BYTES, _PHRASES, _rows_of_letter(),
        np.empty(int(np.diff(offsets).max(initial=0)), np.uint8), lines_D1, starts_L, stops_L, facts_L, sentences_L,
    )  # fmt: skip
    return C4Lines(lines_D1, starts_L[:num_lines], stops_L[:num_lines], facts_L[:num_lines], sentences_L[:num_lines])


@lean_kernel
def _c4_lines(  # type: ignore[no-untyped-def]
    data, offsets, planes_BK, classes, kinds, phrase_bytes, phrases, letters, copy,
    lines_D1, starts_L, stops_L, facts_L, sentences_L,
):  # fmt: skip
    line = 0
    base = offsets[0]
    for d in range(len(offsets) - 1):
        i, stop = offsets[d] - base, offsets[d + 1] - base
        while i < stop:
            end = next_bit(planes_BK, bitmaps.BREAK, _ZERO, i, stop)
            begin = i
            i = behind_break(data, base + end, base + stop) - base if end < stop else stop
            begin, end = strip(planes_BK, begin, end)
            facts = _rare_facts(data, base, planes_BK, begin, end, phrase_bytes, phrases, letters)
            facts |= _word_facts(planes_BK, begin, end)
            if facts & CITATION:
                size = without_citations(data, base + begin, base + end, copy)
                words = facts & (LONG_WORD | FEW_WORDS)
                facts, sentences = _facts(copy, 0, size, classes, kinds, phrase_bytes, phrases, letters)
                facts = facts & ~(LONG_WORD | FEW_WORDS) | words | CITATION
            else:
                facts |= _terminated(data, base + begin, base + end)
                sentences = _sentences(data, base, planes_BK, classes, begin, end)
            starts_L[line], stops_L[line] = base + begin, base + end
            facts_L[line], sentences_L[line] = facts, sentences
            line += 1
        lines_D1[d + 1] = line
    return line


@lean_inline_kernel
def _rare_facts(data, base, planes_BK, begin, end, phrase_bytes, phrases, letters):  # type: ignore[no-untyped-def]
    """Facts of the phrases, brackets and citations of a line."""
    facts = np.int64(0)
    tested = False
    at = next_bit(planes_BK, bitmaps.RARE, _ZERO, begin, end)
    while at < end:
        b = data[base + at]
        if letters[b, 1]:
            facts |= _phrase(data, base + at, base + begin, base + end, phrase_bytes, phrases, letters)
        elif b == 123:
            if not tested and brace_outside(data, base + begin, base + end):
                facts |= CURLY
            tested = True
        elif b == 91 and _citation(data, base + at, base + end) > base + at:
            facts |= CITATION
        at = next_bit(planes_BK, bitmaps.RARE, _ZERO, at + 1, end)
    return facts


@lean_inline_kernel
def _word_facts(planes_BK, begin, end):  # type: ignore[no-untyped-def]
    """`FEW_WORDS` and `LONG_WORD` of a line."""
    facts = np.int64(0)
    if (
        count_words(planes_BK, begin, min(end, begin + 64)) < MIN_WORDS
        and count_words(planes_BK, begin, end) < MIN_WORDS
    ):
        facts = np.int64(FEW_WORDS)
    at = begin
    while end - at > MAX_WORD_CHARACTERS:
        space = next_bit(planes_BK, bitmaps.SPACE, _ZERO, at, end)
        if space - at > MAX_WORD_CHARACTERS and count(planes_BK, bitmaps.STARTS, at, space) > MAX_WORD_CHARACTERS:
            return facts | LONG_WORD
        at = space + 1
    return facts


@lean_inline_kernel
def _terminated(data, begin, end):  # type: ignore[no-untyped-def]
    if end <= begin:
        return 0
    last = data[end - 1]
    dots = end - begin >= 3 and last == 46 and data[end - 2] == 46 and data[end - 3] == 46
    return TERMINATED if (last == 46 or last == 63 or last == 33 or last == 34 or last == 39) and not dots else 0


@lean_inline_kernel
def _sentences(data, base, planes_BK, classes, begin, end):  # type: ignore[no-untyped-def]
    """1 and the boundaries of a line; see `C4Lines`."""
    sentences = 1
    at = next_bit(planes_BK, bitmaps.TERMINAL, _ZERO, begin, end)
    while at < end:
        b = data[base + at]
        behind = at + 1
        other = b >= 0x80
        if b == 46:
            if at > begin and data[base + at - 1] == 46:
                at = next_bit(planes_BK, bitmaps.TERMINAL, _ZERO, behind, end)
                continue
        elif other:
            cp, after = unicode.code_point(data, base + at, base + end)
            behind = after - base
            while behind < end and data[base + behind] >= 0x80:
                cp, after = unicode.code_point(data, base + behind, base + end)
                if not classes[cp] & _TERMINAL:
                    break
                behind = after - base
        else:
            while behind < end and (data[base + behind] == 33 or data[base + behind] == 63):
                behind += 1
        run = behind
        while behind < end:
            cp, after = unicode.code_point(data, base + behind, base + end)
            if not classes[cp] & unicode.CLOSER:
                break
            behind = after - base
        spaced = next_bit(planes_BK, bitmaps.SPACE, _FULL, behind, end)
        if (other or spaced > behind) and spaced < end:
            sentences += 1
        at = next_bit(planes_BK, bitmaps.TERMINAL, _ZERO, run, end)
    return sentences


@lean_inline_kernel
def _facts(data, begin, end, classes, kinds, phrase_bytes, phrases, letters):  # type: ignore[no-untyped-def]
    facts = np.int64(0)
    tested = False
    words = 0
    word_start = np.int64(-1)  # -1: in white space
    sentences = 1
    # 0: nothing; 1: after '.'; 2: in a run of ! ?; 3: in a run of other marks; 4 and 5: closers after 1, 2 and after
    # 3; 6: white space after 1, 2, 4; 7: white space after 3, 5.
    state = 0
    i = begin
    while i < end:
        cp = np.int64(data[i])
        kind = np.int64(kinds[cp])
        if kind == 0 and state == 0:  # most bytes of most texts
            if word_start < 0:
                word_start = i
                words += 1
            i += 1
            while i < end and kinds[data[i]] == 0:
                i += 1
            continue
        if cp < 0x80:
            after = i + 1
            if kind & (_TRIGGER | _BRACKET):
                if kind & _TRIGGER:
                    facts |= _phrase(data, i, begin, end, phrase_bytes, phrases, letters)
                elif cp == 123:
                    if not tested and brace_outside(data, begin, end):
                        facts |= CURLY
                    tested = True
                elif _citation(data, i, end) > i:
                    facts |= CITATION
        else:
            cp, after = unicode.code_point(data, i, end)
            flags = np.int64(classes[cp]) & _FLAGS
            if flags == 0 and state == 0:
                if word_start < 0:
                    word_start = i
                    words += 1
                i = after
                continue
            kind = np.int64(_WHITE if flags & _SPACE else 0)
            if flags & unicode.CLOSER:
                kind = np.int64(_CLOSER)
            elif flags & _TERMINAL:
                kind = np.int64(_OTHER_MARK)
        if kind & _WHITE:
            if state:
                state = 7 if state == 3 or state == 5 or state == 7 else 6
            if word_start >= 0 and _characters(data, word_start, i) > MAX_WORD_CHARACTERS:
                facts |= LONG_WORD
            word_start = np.int64(-1)
        else:
            if word_start < 0:
                word_start = i
                words += 1
            if state or kind & (_DOT | _MARK | _OTHER_MARK):
                if kind & _CLOSER and 0 < state < 6:
                    state = 5 if state == 3 or state == 5 else 4
                elif (state == 2 and kind & _MARK) or (state == 3 and kind & _OTHER_MARK):
                    pass
                else:
                    if state == 3 or state >= 5:
                        sentences += 1
                    if kind & _DOT:
                        state = 1 if i == begin or data[i - 1] != 46 else 0
                    elif kind & _MARK:
                        state = 2
                    else:
                        state = 3 if kind & _OTHER_MARK else 0
        i = after
    if word_start >= 0 and _characters(data, word_start, end) > MAX_WORD_CHARACTERS:
        facts |= LONG_WORD
    if words < MIN_WORDS:
        facts |= FEW_WORDS
    if end > begin:
        last = data[end - 1]
        dots = end - begin >= 3 and last == 46 and data[end - 2] == 46 and data[end - 3] == 46
        if (last == 46 or last == 63 or last == 33 or last == 34 or last == 39) and not dots:
            facts |= TERMINATED
    return facts, sentences


@lean_inline_kernel
def _characters(data, begin, end):  # type: ignore[no-untyped-def]
    """Characters of a word where it may be a long one, else 0."""
    if end - begin <= MAX_WORD_CHARACTERS:
        return 0
    characters = 0
    for i in range(begin, end):
        characters += data[i] & 0xC0 != 0x80
    return characters


@lean_inline_kernel
def _phrase(data, i, begin, end, phrase_bytes, phrases, letters):  # type: ignore[no-untyped-def]
    """Facts of the phrases whose trigger letter stands at byte i; ASCII capitals count as small letters."""
    facts = np.int64(0)
    behind = data[i + 1] | 32 if i + 1 < end else 0
    for p in range(letters[data[i], 0], letters[data[i], 1]):
        if phrases[p, 4] != behind:
            continue
        start, stop, trigger, fact = phrases[p, 0], phrases[p, 1], phrases[p, 2], phrases[p, 3]
        first = i - trigger
        if first < begin or first + stop - start > end:
            continue
        k = 0
        while k < stop - start:
            b = data[first + k]
            if 65 <= b <= 90:
                b |= np.uint8(32)
            if b != phrase_bytes[start + k]:
                break
            k += 1
        if k == stop - start:
            facts |= fact
    return facts


@lean_inline_kernel
def _citation(data, i, end):  # type: ignore[no-untyped-def]
    """Byte behind the citation mark that begins at i, or i."""
    k = i + 1
    while k < end and 48 <= data[k] <= 57:
        k += 1
    if k < end and data[k] == 93:
        return k + 1
    for mark in (b"[edit]", b"[citation needed]"):
        if i + len(mark) <= end:
            same = 0
            while same < len(mark) and data[i + same] == mark[same]:
                same += 1
            if same == len(mark):
                return i + len(mark)
    return i


@lean_inline_kernel
def without_citations(data, begin, end, copy):  # type: ignore[no-untyped-def]
    """Copy begin:end without its citation marks; how many bytes were copied."""
    size = 0
    i = begin
    while i < end:
        if data[i] == 91:
            after = _citation(data, i, end)
            if after > i:
                i = after
                continue
        copy[size] = data[i]
        size += 1
        i += 1
    return size
