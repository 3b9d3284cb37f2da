"""Kinds of characters by code point: one table for all kernels, made from the Unicode data of one version.

`unicode_ranges.json` holds the general category and the script of every code point (Unicode 14.0.0, the version the
reference decisions were made with), as ranges: hexadecimal distance to the range before, value. Nothing here asks
Python's own `unicodedata`, whose version follows the interpreter, so a page is measured alike on every machine.

Kernels index `classes()` (one uint16 of flags a code point, 2.1 MB, of which a page touches a few cache lines) and
`scripts()` (one uint8, index into `SCRIPT_NAMES`).

Legend: a code point is an integer below 0x110000. Surrogates (invalid in UTF-8) and invalid bytes are read as U+FFFD.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.kernels.jit import lean_inline_kernel

UNICODE_VERSION = "14.0.0"
NUM_CODE_POINTS = 0x110000

# Flags of `classes()`.
SPACE = 1  # Python's str.isspace
ALPHA = 2  # general category L*: str.isalpha
SYMBOL = 4  # what the reference counts as a symbol; see SYMBOL_RANGES
TERMINAL = 8  # ends a sentence; see TERMINAL_RANGES
BREAK = 16  # Python's str.splitlines cuts here
DIGIT = 32  # general category Nd
UNSPACED = 64  # a script that writes words without spaces: Han, kana, Thai, Lao, Khmer, Burmese, Tibetan
MARK = 128  # general category M*: combining
PUNCTUATION = 256  # general category P*
UPPER = 512  # general category Lu or Lt
OTHER_SYMBOL = 1024  # general category S*
CLOSER = 2048  # quotation marks and brackets that may stand between a sentence's mark and its end

_SPACE_RANGES = "9-D 1C-20 85 A0 1680 2000-200A 2028-2029 202F 205F 3000"
_BREAK_RANGES = "A-D 1C-1E 85 2028-2029"
LOWER = 4096  # general category Ll

_CLOSERS = "\"'”’»)]}」』）】〉》］｝"
_UNSPACED_SCRIPTS = ("Hani", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")

# Sentence-ending marks of the reference (datatrove 0.10.1), first-last, hexadecimal.
TERMINAL_RANGES = """
21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 17D4-17D6
17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E
2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52
FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6
111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944
11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F
1DA88
"""

# Symbols of the reference beside the sentence-ending marks. No Unicode category: it has the full-width digit one and
# the C0/C1 controls but for tab and line feed, and lacks bullets, arrows and the left single quote. Kept as it is,
# because published corpora were filtered with it.
SYMBOL_RANGES = """
0-8 B-1F 21-2F 3A-40 5B-60 7B-9F AB B4 BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA 3001-3002 3008-300D 3010-3011
FF05 FF08-FF09 FF0C FF11 FF1A-FF1B FF5E
"""


def _code_points(ranges: str) -> npt.NDArray[np.int64]:
    parts = []
    for item in ranges.split():
        first, _, last = item.partition("-")
        parts.append(np.arange(int(first, 16), int(last or first, 16) + 1))
    return np.concatenate(parts)


def _ranges(packed: str) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Lengths and values of the ranges of one property, in order of code point."""
    fields = packed.split()
    starts = np.cumsum([int(step, 16) for step in fields[::2]])
    return np.diff(np.append(starts, NUM_CODE_POINTS)), fields[1::2]


@cache
def _data() -> dict[str, str]:
    path = Path(__file__).with_name("unicode_ranges.json")
    data: dict[str, str] = json.loads(path.read_text())
    return data


@cache
def script_names() -> tuple[str, ...]:
    """ISO 15924 codes, sorted; the position is the value in `scripts()`."""
    return tuple(sorted(set(_ranges(_data()["script"])[1])))


@cache
def scripts() -> npt.NDArray[np.uint8]:
    """uint8 per code point: index into `script_names()`."""
    lengths, values = _ranges(_data()["script"])
    index = {name: i for i, name in enumerate(script_names())}
    table: npt.NDArray[np.uint8] = np.repeat(np.array([index[value] for value in values], np.uint8), lengths)
    table.flags.writeable = False
    return table


def of_category(*names: str) -> npt.NDArray[np.bool_]:
    """Whether each code point is of one of the general categories (``So``)."""
    lengths, values = _ranges(_data()["category"])
    return np.repeat(np.isin(np.array(values), names), lengths)


@cache
def classes() -> npt.NDArray[np.uint16]:
    """uint16 of flags per code point."""
    lengths, values = _ranges(_data()["category"])
    of_category = {"L": ALPHA, "M": MARK, "P": PUNCTUATION, "S": OTHER_SYMBOL}
    flags = [
        of_category.get(value[0], 0)
        | (DIGIT if value == "Nd" else 0)
        | {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER}.get(value, 0)
        for value in values
    ]
    table: npt.NDArray[np.uint16] = np.repeat(np.array(flags, np.uint16), lengths)
    table[_code_points(_SPACE_RANGES)] |= np.uint16(SPACE)
    table[_code_points(_BREAK_RANGES)] |= np.uint16(BREAK)
    table[_code_points(TERMINAL_RANGES)] |= np.uint16(TERMINAL | SYMBOL)
    table[[ord(character) for character in _CLOSERS]] |= np.uint16(CLOSER)
    table[_code_points(SYMBOL_RANGES)] |= np.uint16(SYMBOL)
    unspaced = [script_names().index(name) for name in _UNSPACED_SCRIPTS]
    table[np.isin(scripts(), unspaced) & (table & (ALPHA | MARK) != 0)] |= np.uint16(UNSPACED)
    table.flags.writeable = False
    return table


@cache
def lower() -> npt.NDArray[np.int32]:
    """int32 per code point: its small letter where that is one code point, else itself. Stable between versions."""
    table = np.arange(NUM_CODE_POINTS, dtype=np.int32)
    for upper in np.flatnonzero(classes() & UPPER).tolist():
        small = chr(upper).lower()
        if len(small) == 1:
            table[upper] = ord(small)
    table.flags.writeable = False
    return table


@lean_inline_kernel
def code_point(data, i, stop):  # type: ignore[no-untyped-def]
    """(code point, index behind it) of the character at byte ``i``; U+FFFD and one byte if it is invalid."""
    b = np.int64(data[i])
    if b < 0x80:
        return b, i + 1
    if 0xC2 <= b < 0xE0 and i + 1 < stop:
        c = np.int64(data[i + 1])
        if c & 0xC0 == 0x80:
            return (b & 0x1F) << 6 | (c & 0x3F), i + 2
    elif 0xE0 <= b < 0xF0 and i + 2 < stop:
        c, d = np.int64(data[i + 1]), np.int64(data[i + 2])
        cp = (b & 0x0F) << 12 | (c & 0x3F) << 6 | (d & 0x3F)
        if c & 0xC0 == 0x80 and d & 0xC0 == 0x80 and cp >= 0x800 and not 0xD800 <= cp < 0xE000:
            return cp, i + 3
    elif 0xF0 <= b < 0xF5 and i + 3 < stop:
        c, d, e = np.int64(data[i + 1]), np.int64(data[i + 2]), np.int64(data[i + 3])
        cp = (b & 0x07) << 18 | (c & 0x3F) << 12 | (d & 0x3F) << 6 | (e & 0x3F)
        if c & 0xC0 == 0x80 and d & 0xC0 == 0x80 and e & 0xC0 == 0x80 and 0x10000 <= cp < 0x110000:
            return cp, i + 4
    return np.int64(0xFFFD), i + 1
