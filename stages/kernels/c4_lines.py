"""What C4's rules ask of each line, in one pass: words, citations, phrases, brackets, sentences.

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

from stages.kernels import unicode
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.lines import strip
from stages.kernels.ragged import Bytes, Offsets

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

# Kinds of ASCII bytes. A phrase is looked for where its rarest letter stands.
_WHITE, _DOT, _MARK, _CLOSER, _TRIGGER, _BRACKET, _OTHER_MARK, _NOT_ASCII = 1, 2, 4, 8, 16, 32, 64, 128
_FLAGS = unicode.SPACE | unicode.TERMINAL | unicode.CLOSER
_TERMINAL = unicode.TERMINAL
_SPACE = unicode.SPACE
_BREAK = unicode.BREAK


def _phrases() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(bytes, rows of start, stop, place of the trigger letter, fact, byte behind that letter) of all phrases."""
    table = [(b"javascript", 0, JAVASCRIPT), (b"lorem ipsum", 7, LOREM_IPSUM), (POLICY_PHRASES[0], 7, POLICY)]
    table += [(phrase, phrase.index(b"v" if b"v" in phrase else b"k"), POLICY) for phrase in POLICY_PHRASES[1:]]
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


def c4_lines(data: Bytes, offsets: Offsets) -> C4Lines:
    """All lines of every document of (data, offsets), empty ones too."""
    lines_D1 = np.zeros(len(offsets), np.int64)
    most = int(offsets[-1] - offsets[0])
    starts_L, stops_L = np.empty(most, np.int64), np.empty(most, np.int64)
    facts_L, sentences_L = np.empty(most, np.int64), np.empty(most, np.int64)
    num_lines = _c4_lines(
        data, offsets, unicode.classes(), _kinds(), _PHRASE_BYTES, _PHRASES, _rows_of_letter(),
        np.empty(int(np.diff(offsets).max(initial=0)), np.uint8), lines_D1, starts_L, stops_L, facts_L, sentences_L,
    )  # fmt: skip
    return C4Lines(lines_D1, starts_L[:num_lines], stops_L[:num_lines], facts_L[:num_lines], sentences_L[:num_lines])


@lean_kernel
def _c4_lines(  # type: ignore[no-untyped-def]
    data,
    offsets,
    classes,
    kinds,
    phrase_bytes,
    phrases,
    letters,
    copy,
    lines_D1,
    starts_L,
    stops_L,
    facts_L,
    sentences_L,
):
    line = 0
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        while i < stop:
            begin = i
            end, i = _line_end(data, i, stop, classes)
            begin, end = strip(data, begin, end, classes)
            facts, sentences = _facts(data, begin, end, classes, kinds, phrase_bytes, phrases, letters)
            if facts & CITATION:
                size = _without_citations(data, begin, end, copy)
                words = facts & (LONG_WORD | FEW_WORDS)
                facts, sentences = _facts(copy, 0, size, classes, kinds, phrase_bytes, phrases, letters)
                facts = facts & ~(LONG_WORD | FEW_WORDS) | words | CITATION
            starts_L[line], stops_L[line] = begin, end
            facts_L[line], sentences_L[line] = facts, sentences
            line += 1
        lines_D1[d + 1] = line
    return line


@lean_inline_kernel
def _line_end(data, i, stop, classes):  # type: ignore[no-untyped-def]
    """(end of the line that begins at i, begin of the next)."""
    while i < stop:
        b = np.int64(data[i])
        if b < 32:
            if classes[b] & _BREAK:
                if b == 13 and i + 1 < stop and data[i + 1] == 10:
                    return i, i + 2
                return i, i + 1
        elif b == 0xC2 or b == 0xE2:
            cp, after = unicode.code_point(data, i, stop)
            if classes[cp] & _BREAK:
                return i, after
        i += 1
    return stop, stop


@lean_inline_kernel
def _facts(data, begin, end, classes, kinds, phrase_bytes, phrases, letters):  # type: ignore[no-untyped-def]
    facts = np.int64(0)
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
                    facts |= CURLY
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
def _without_citations(data, begin, end, copy):  # type: ignore[no-untyped-def]
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
