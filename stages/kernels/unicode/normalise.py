"""Normalise UTF-8 text for comparison: the form in which texts are hashed, shingled and called equal.

NFKC, lower case (`str.lower`), every character of category P* or S* deleted, white space (`str.isspace`, and the
wordspace of Ethiopic, which is punctuation) collapsed to single spaces and stripped. A text in a script without spaces
between words (at least `SPACELESS_SHARE` of its normalised bytes) loses its spaces altogether: its units are code
points, other texts' units are words.

Result: (data_N uint8, offsets_D1 int64, spaceless_D bool), equal for every input to Python's own functions
(`unicodedata` of the running Python; its version is part of the signatures' identity). Price: 1 ns a byte on ASCII;
texts with characters that may compose (Hindi nukta, decomposed Vietnamese, capital sigma) take Python's path,
about 15 ns a byte. Bytes that are not UTF-8 are replaced by U+FFFD, which is a symbol and falls out.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import unicodedata

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of
from stages.kernels.eight_bytes import HIGH, SLACK, eight_bytes, plain_ascii, write_eight
from stages.kernels.jit import leading_zeros, lean_kernel
from stages.kernels.unicode.normal_tables import (
    COMPLEX,
    DELETE,
    KIND_MASK,
    MAP,
    MARK,
    MAX_GROWTH,
    PAYLOAD_SHIFT,
    PLAIN,
    SPACE,
    SPACELESS,
    UnicodeTables,
    lowered_text_tables,
    raw_text_tables,
)

SPACELESS_SHARE = 0.2
_FIRST, _LAST, _NONE = np.uint64(0x80 << 56), np.uint64(0x80), np.uint64(0)
_S3, _S8 = np.uint64(3), np.uint64(8)

Bools = npt.NDArray[np.bool_]


def normalise(data: Bytes, offsets: Offsets) -> tuple[Bytes, Offsets, Bools]:
    """Normal form of D texts; see the module's docstring."""
    out, out_offsets, spaceless, is_complex = _run(data, offsets, raw_text_tables())
    odd = np.flatnonzero(is_complex)
    if len(odd) == 0:
        return out, out_offsets, spaceless
    lowered = [
        unicodedata.normalize("NFKC", data[offsets[row] : offsets[row + 1]].tobytes().decode(errors="replace"))
        .lower()
        .encode()
        for row in odd
    ]
    odd_offsets = offsets_of([len(text) for text in lowered])
    odd_data = np.frombuffer(b"".join(lowered) or b"\0", np.uint8)
    odd_out, odd_out_offsets, odd_spaceless, _ = _run(odd_data, odd_offsets, lowered_text_tables())
    spaceless[odd] = odd_spaceless
    return *_merge(out, out_offsets, odd, odd_out, odd_out_offsets), spaceless


def _run(data: Bytes, offsets: Offsets, tables: UnicodeTables) -> tuple[Bytes, Offsets, Bools, Bools]:
    num_texts = len(offsets) - 1
    out = np.empty(int(offsets[-1] - offsets[0]) * MAX_GROWTH + SLACK, np.uint8)
    out_offsets = np.zeros(num_texts + 1, np.int64)
    spaceless = np.zeros(num_texts, np.bool_)
    is_complex = np.zeros(num_texts, np.bool_)
    _normalise(data, offsets, *tables, SPACELESS_SHARE, out, out_offsets, spaceless, is_complex)
    return out, out_offsets, spaceless, is_complex


def _merge(
    out: Bytes, out_offsets: Offsets, odd: npt.NDArray[np.int64], odd_out: Bytes, odd_offsets: Offsets
) -> tuple[Bytes, Offsets]:
    """Put the texts numbered ``odd`` where the first pass left none."""
    sizes = np.diff(out_offsets)
    sizes[odd] = np.diff(odd_offsets)
    merged_offsets = offsets_of(sizes)
    merged = np.empty(int(merged_offsets[-1]) + SLACK, np.uint8)
    previous = 0
    for number, row in enumerate([*odd.tolist(), len(sizes)]):
        if row > previous:
            merged[merged_offsets[previous] : merged_offsets[row]] = out[out_offsets[previous] : out_offsets[row]]
        if number < len(odd):
            source = odd_out[odd_offsets[number] : odd_offsets[number + 1]]
            merged[merged_offsets[row] : merged_offsets[row + 1]] = source
        previous = row + 1
    return merged, merged_offsets


@lean_kernel
def _normalise(  # type: ignore[no-untyped-def]
    data, offsets, table, sequence_data, sequence_offsets, ascii_table, share, out, out_offsets, spaceless, is_complex
):
    """One pass; a text that meets a COMPLEX code point, or bytes that are not UTF-8, yields nothing and is marked."""
    position = 0
    for text in range(len(offsets) - 1):
        start = position
        i = offsets[text]
        end = offsets[text + 1]
        after_space = True
        spaceless_bytes = 0
        previous_class = 256  # of the character before: 0 plain starter, 1..255 MARK, 256 nothing a MARK may follow
        bad = False
        while i < end:
            byte = data[np.uint64(i)]
            if byte < 128:
                previous_class = 0
                while i + 8 <= end:
                    group = eight_bytes(data, i)
                    if group & HIGH:
                        break
                    lower, words, spaces = plain_ascii(group)
                    # a space after a space does not count; so does one first after a space
                    double = spaces & (spaces >> _S8 | (_FIRST if after_space else _NONE))
                    other = ~(words | spaces) & HIGH | double
                    write_eight(out, position, lower)
                    if other == 0:
                        position += 8
                        i += 8
                        after_space = spaces & _LAST != 0
                        continue
                    clear = np.int64(leading_zeros(other) >> _S3)
                    position += clear
                    i += clear
                    if clear > 0:
                        after_space = out[np.uint64(position - 1)] == 32
                    mapped = ascii_table[data[np.uint64(i)]]
                    kept = mapped != 255
                    space = mapped == 32
                    out[np.uint64(position)] = mapped
                    position += 1 if kept and not (space and after_space) else 0
                    after_space = space if kept else after_space
                    i += 1
                while i < end and data[np.uint64(i)] < 128:
                    mapped = ascii_table[data[np.uint64(i)]]
                    kept = mapped != 255
                    space = mapped == 32
                    out[np.uint64(position)] = mapped
                    position += 1 if kept and not (space and after_space) else 0
                    after_space = space if kept else after_space
                    i += 1
                continue
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if byte < 0xC2 or byte > 0xF4 or i + size > end:
                bad = True
                break
            code = np.int64(byte & (0x7F >> size))
            broken = False
            for k in range(1, size):
                code = code << 6 | (data[np.uint64(i + k)] & 0x3F)
                broken |= data[np.uint64(i + k)] & 0xC0 != 0x80
            if broken or code > 0x10FFFF or (size == 3 and code < 0x800) or (size == 4 and code < 0x10000):
                bad = True
                break
            entry = np.int64(table[np.uint64(code)])
            kind = entry & KIND_MASK
            before = position
            if kind == COMPLEX:
                bad = True
                break
            if kind == MARK:
                mark_class = int(entry >> PAYLOAD_SHIFT)
                if previous_class > mark_class:
                    bad = True
                    break
                previous_class = mark_class
            else:
                previous_class = 0 if entry & PLAIN else 256
            if kind == SPACE:
                out[np.uint64(position)] = 32
                position += 0 if after_space else 1
                after_space = True
            elif kind == MAP:
                number = entry >> PAYLOAD_SHIFT
                for k in range(sequence_offsets[number], sequence_offsets[number + 1]):
                    mapped = sequence_data[k]
                    space = mapped == 32
                    out[np.uint64(position)] = mapped
                    position += 0 if space and after_space else 1
                    after_space = space
            elif kind != DELETE:
                for k in range(size):
                    out[np.uint64(position + k)] = data[np.uint64(i + k)]
                position += size
                after_space = False
            if entry & SPACELESS:
                spaceless_bytes += position - before
            i += size
        if bad:
            is_complex[text] = True
            position = start
        elif position > start and after_space:
            position -= 1
        if spaceless_bytes > share * (position - start):
            spaceless[text] = True
            kept_bytes = start
            for k in range(start, position):
                out[np.uint64(kept_bytes)] = out[k]
                kept_bytes += 1 if out[k] != 32 else 0
            position = kept_bytes
        out_offsets[text + 1] = position
