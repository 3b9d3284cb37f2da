"""Characters of a text that are no text: soft hyphens and controls go, every line end becomes a line feed.

Inside words U+00AD, U+2060 and controls make other tokens and hide copies, and so do code points that are no
characters (U+FFFE); of what steers a terminal (the colours of a log) the whole sequence goes. U+2028, U+2029, U+0085,
vertical tabs and form feeds end lines for every reader but those that look for line feeds. A text in which nothing can
be seen is empty: white space of any script, zero-width characters, fillers. Tabs, joiners (U+200C, U+200D) and
directional marks stay: they carry meaning inside words. U+200B, where a line may break, stays beside letters of scripts
that part words by it (Thai, Lao, Tibetan, Burmese, Khmer and their like) and goes elsewhere. A paragraph of nothing
but it and what goes anyway goes whole. A carriage return, with the line feed behind it or alone, ends a line
(`docs/decisions/line-ends.md`).

Price: 0.1 ns a byte to look (`odd_texts`); only the texts that have one are rewritten.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from stages.kernels.columns.ragged import text_buffers
from stages.kernels.unicode.odd_texts import odd_or_blank, ranges_of

ZERO_WIDTH_SPACE = "\u200b"
LINE_ENDS = "\r\x0b\x0c\x85\u2028\u2029"
NO_CHARACTERS = [*range(0xFDD0, 0xFDF0), *(plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF))]
_CONTROLS = [*range(9), *range(0x0E, 0x20), *range(0x7F, 0x85), *range(0x86, 0xA0)]
REMOVED = "".join(map(chr, [*_CONTROLS, 0xAD, 0x2060, 0xFEFF, *NO_CHARACTERS]))
UNSEEN = (
    "\t\n\r \xa0\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180e\u2000-\u200f\u202a-\u202f\u205f-\u206f"
    "\u2800\u3000\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Ranges of a character class: white space, zero-width characters and fillers (Unicode 16, White_Space and
Default_Ignorable_Code_Point)."""
_STEERING = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]{0,1000}(?:\x07|\x1b\\)")
"""Sequences that steer a terminal: colours and cursor (CSI), titles and links (OSC), as ECMA-48 writes them."""
_UNSPACED = "\u0e00-\u109f\u1780-\u17ff\u1950-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"
_BREAKS = re.compile(rf"(?<![\u200b{_UNSPACED}])\u200b+(?![\u200b{_UNSPACED}])")
_NOTHING = rf"[\u200b{REMOVED}][\u200b{REMOVED} ]*"
_EMPTY_PARAGRAPHS = re.compile(rf"\n\n{_NOTHING}(?=\n\n|\Z)")
"""Paragraphs of nothing else, as editors leave them, go with the empty line before them."""
_FIRST_EMPTY_PARAGRAPHS = re.compile(rf"(?:{_NOTHING}\n\n)+")
_BETWEEN_SPACES = re.compile(r"(?<=\S )\u200b+ ")
"""Of two spaces that meet where it goes, one goes with it; not of those that indent a line."""
_OTHER_LINE_ENDS = re.compile(f"[{LINE_ENDS}]")
_TABLE = dict.fromkeys(map(ord, REMOVED))
_BLANK_TEXT = re.compile(r"\A[" + UNSEEN + REMOVED + LINE_ENDS + r"]*\Z")
_LEADS = (b"\xe0", b"\xe1", b"\xea")
"""Bytes of UTF-8 that begin the letters of those scripts, and of others."""
_ODD = ranges_of(map(ord, REMOVED + LINE_ENDS))
_ODD_OR_BREAK = ranges_of(map(ord, REMOVED + LINE_ENDS + ZERO_WIDTH_SPACE))
_UNSEEN = ranges_of(
    code
    for first, last in re.findall("(.)(?:-(.))?", UNSEEN + REMOVED + LINE_ENDS, re.DOTALL)
    for code in range(ord(first), ord(last or first) + 1)
)


def cleaned(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts, row for row, nulls too, as `clean` has them."""
    odd = odd_or_blank(*text_buffers(texts), _ODD_OR_BREAK, _UNSEEN)
    if not odd.any():
        return texts
    new = pc.replace_substring(pc.replace_substring(texts.filter(pa.array(odd)), "\r\n", "\n"), "\r", "\n")
    still_odd = odd_or_blank(*text_buffers(new), _ODD_OR_BREAK, _UNSEEN)  # of most, the line ends were all
    left = new.filter(pa.array(still_odd))
    whole = odd_or_blank(*text_buffers(left), _ODD, _UNSEEN)  # the others have breaks alone, which cost less
    pairs = zip(left.to_pylist(), whole.tolist(), strict=True)
    made = [clean(text) if is_whole else _without_breaks(text) for text, is_whole in pairs]
    new = pc.replace_with_mask(new, pa.array(still_odd), pa.array(made, pa.large_string()))
    return pc.replace_with_mask(texts, pa.array(odd), new)


def clean(text: str) -> str:
    """One text without soft hyphens and controls, its lines ended by line feeds; empty where nothing can be seen."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text or "\x9b" in text:
        text = _STEERING.sub("", text)
    if _BLANK_TEXT.match(text):
        return ""
    text = _EMPTY_PARAGRAPHS.sub("", _OTHER_LINE_ENDS.sub("\n", text))
    if first := _FIRST_EMPTY_PARAGRAPHS.match(text):
        text = text[first.end() :]
    return _broken_nowhere(text.translate(_TABLE))


def _without_breaks(text: str) -> str:
    """`clean` of a text in which nothing else is odd."""
    if "\n\n\u200b" in text:
        text = _EMPTY_PARAGRAPHS.sub("", text)
    if first := _FIRST_EMPTY_PARAGRAPHS.match(text):
        text = text[first.end() :]
    return _broken_nowhere(text)


def _broken_nowhere(text: str) -> str:
    """The text without U+200B but where it parts words."""
    if ZERO_WIDTH_SPACE not in text:
        return text
    if " \u200b" in text and "\u200b " in text:
        text = _BETWEEN_SPACES.sub("", text)
    data = text.encode("utf-8", "surrogatepass")
    if any(lead in data for lead in _LEADS):
        return _BREAKS.sub("", text)
    return text.replace(ZERO_WIDTH_SPACE, "")
