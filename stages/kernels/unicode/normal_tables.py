"""Tables that let a compiled loop normalise text exactly as Python does, built from `unicodedata` at first use.

Normal form: NFKC, lower case, every character of category P* or S* deleted, white space (and the wordspace of
Ethiopic) one space.
Most code points map on their own, whatever stands beside them; the tables say which, and to what. The rest
(characters that may compose with a neighbour, capital sigma, long expansions) are marked COMPLEX, and a text
that holds one goes through Python's own functions (`stages.kernels.unicode.normalise`).

Why a code point may be mapped alone: NFKC acts across a boundary only when the right side begins with a
non-starter (combining class not 0) or with a starter that is second in a composition. A code point whose full
decomposition begins with neither is safe whatever precedes it. A combining mark that never composes is safe
too, as MARK, if it follows a character that does not decompose or a MARK of no higher class (no reordering).
`str.lower` looks at neighbours for U+03A3 only.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import offsets_of

KEEP, DELETE, SPACE, MAP, MARK, COMPLEX = range(6)
KIND_MASK = 7
SPACELESS = 8
"""Bit: becomes letters of a script written without spaces between words."""
PLAIN = 16
"""Bit: decomposes to itself, so a MARK may follow."""
PAYLOAD_SHIFT = 8
"""Above the flags: number of the sequence (MAP), combining class (MARK)."""

MAX_GROWTH = 3
"""A code point that maps to more than this many times its bytes is COMPLEX, which bounds the output buffer."""

WORD_SEPARATORS = "\u1361"
"""Punctuation that stands for the space between words: that of Ethiopic."""

SPACELESS_RANGES = (
    (0x0E01, 0x0E5B),  # Thai
    (0x0E81, 0x0EDF),  # Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19FF),  # Tai Le, New Tai Lue, signs of Khmer
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0xA980, 0xA9FF),  # Javanese, more of Myanmar
    (0xAA60, 0xAADF),  # more of Myanmar, Tai Viet
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, number zero
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)

_SCANNED = (range(0x30000), range(0xE0000, 0xE0200))
"""Where assigned characters can be anything but plain letters (Unicode to 16; a test looks at all the others)."""


class UnicodeTables(NamedTuple):
    """``table`` uint32 by code point; sequence s is ``sequence_data[sequence_offsets[s]:sequence_offsets[s + 1]]``."""

    table: npt.NDArray[np.uint32]
    sequence_data: npt.NDArray[np.uint8]
    sequence_offsets: npt.NDArray[np.int64]
    ascii_table: npt.NDArray[np.uint8]
    """Byte to byte for ASCII; 255 deletes."""


def reduce_characters(text: str) -> str:
    """Delete P* and S*, turn what parts words into spaces: the last step of the normal form, before splitting."""
    return "".join(
        " " if character.isspace() or character in WORD_SEPARATORS else character
        for character in text
        if unicodedata.category(character)[0] not in "PS" or character in WORD_SEPARATORS
    )


def is_spaceless(character: str) -> bool:
    """Whether a character belongs to a script written without spaces between words."""
    return any(first <= ord(character) <= last for first, last in SPACELESS_RANGES)


@cache
def composing_seconds() -> frozenset[int]:
    """Code points that NFC may join to what stands before them."""
    seconds = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for code in _scanned():
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(int(parts[1], 16))
    return frozenset(seconds)


@cache
def raw_text_tables() -> UnicodeTables:
    """For text as it comes."""
    table = _blank()
    sequences: list[bytes] = []
    seconds = composing_seconds()
    for codes in _blocks():
        if _stands(codes, seconds):
            table[codes] |= KEEP | PLAIN
            continue
        for code in codes:
            entry, sequence = _entry(chr(code), seconds)
            if sequence is not None:
                table[code] = entry | len(sequences) << PAYLOAD_SHIFT
                sequences.append(sequence)
            else:
                table[code] |= entry
    return _finish(table, sequences)


@cache
def lowered_text_tables() -> UnicodeTables:
    """For text that has been through NFKC and ``lower``: only deletion and white space are left to do."""
    table = _blank()
    for codes in _blocks():
        text = "".join(map(chr, codes))
        if reduce_characters(text) == text and " " not in text:
            table[codes] |= KEEP
            continue
        for code in codes:
            reduced = reduce_characters(chr(code))
            table[code] |= DELETE if reduced == "" else SPACE if reduced == " " else KEEP
    return _finish(table, [])


def _stands(codes: list[int], seconds: frozenset[int]) -> bool:
    """Whether `_entry` leaves every one of these characters as it stands: most are ideographs, or unassigned."""
    text = "".join(map(chr, codes))
    return (
        not any(category[0] in "PSZM" or category == "Cc" for category in map(unicodedata.category, text))
        and unicodedata.is_normalized("NFKD", text)
        and text.lower() == text
        and seconds.isdisjoint(codes)
    )


def _entry(character: str, seconds: frozenset[int]) -> tuple[int, bytes | None]:
    decomposed = unicodedata.normalize("NFKD", character)
    plain = PLAIN if decomposed == character else 0
    first = decomposed[0]
    normal = unicodedata.normalize("NFKC", character)
    lowered = normal.lower()
    if "\u03a3" in normal or ord(first) in seconds:
        return COMPLEX, None
    combining = unicodedata.combining(first)
    reduced = reduce_characters(lowered)
    if combining:
        if plain and reduced == character:
            return MARK | combining << PAYLOAD_SHIFT, None
        return COMPLEX, None
    if reduced == character:
        return KEEP | plain, None
    if reduced == "":
        return DELETE | plain, None
    if reduced == " ":
        return SPACE | plain, None
    in_spaceless = {is_spaceless(part) for part in reduced if part != " "}
    if len(in_spaceless) > 1:
        return COMPLEX, None
    if True in in_spaceless:
        plain |= SPACELESS
    sequence = reduced.encode()
    if len(sequence) > MAX_GROWTH * len(character.encode()):
        return COMPLEX, None
    return MAP | plain, sequence


def _scanned() -> list[int]:
    return [code for part in _SCANNED for code in part if not 0xD800 <= code < 0xE000]


def _blocks() -> list[list[int]]:
    """Code points looked at, by the 256: most blocks hold one kind of character."""
    scanned = _scanned()
    return [scanned[start : start + 256] for start in range(0, len(scanned), 256)]


def _blank() -> npt.NDArray[np.uint32]:
    table = np.zeros(0x110000, np.uint32)
    for first, last in SPACELESS_RANGES:
        table[first : last + 1] |= SPACELESS
    table[0x30000:0xE0000] |= KEEP | PLAIN
    table[0xE0200:] |= KEEP | PLAIN
    table[0xD800:0xE000] = COMPLEX
    return table


def _finish(table: npt.NDArray[np.uint32], sequences: list[bytes]) -> UnicodeTables:
    offsets = offsets_of([len(sequence) for sequence in sequences])
    data = np.frombuffer(b"".join(sequences) or b"\0", np.uint8)
    ascii_table = np.full(128, 255, np.uint8)
    for code in range(128):
        kind = table[code] & KIND_MASK
        if kind == KEEP:
            ascii_table[code] = code
        elif kind == SPACE:
            ascii_table[code] = 32
        elif kind == MAP:
            number = int(table[code]) >> PAYLOAD_SHIFT
            ascii_table[code] = data[offsets[number]]
    return UnicodeTables(table, data, offsets, ascii_table)
