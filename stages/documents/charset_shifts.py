"""HZ and ISO-2022-KR: two bytes a character in ASCII between marks, which a page without declaration does not betray.

HZ (RFC 1843) writes GB 2312 between ``~{`` and ``~}``, ISO-2022-KR (RFC 1557) KS X 1001 between SO and SI, behind a
header ``ESC $ ) C`` that a cut page has lost. `shifted` tells whether a page of ASCII is one of them: what stands
between the marks is nearly all common characters. `decode_hz` and `decode_kr` read on where a mark or a byte is
missing: a line ends in ASCII, and so does a stretch where no character can be. Price: a search for two bytes in a page.
"""

from __future__ import annotations

import re

MIN_PAIRS = 8
"""Characters between marks that must be there to tell a charset nobody declares."""
COMMON = 0.8
_HEADER = re.compile(rb"\x1b\$?\)?C?")
_HZ = re.compile(rb"~\{([\x21-\x7e]*?)~\}")
_KR = re.compile(rb"\x0e([\x21-\x7e]+)\x0f")
_HZ_TOKEN = re.compile(rb"~\{|~\}|~~|~\r?\n|[\r\n]")
_KR_TOKEN = re.compile(rb"\x0e|\x0f|[\r\n]")
_BEGINS, _SPACE = re.compile(rb"^|[\s>~{]"), re.compile(rb"[^\x21-\x7e]")


def shifted(page: bytes, declared: str | None) -> str | None:
    """``hz`` or ``iso-2022-kr`` where a page of ASCII is in it, else None; ``declared`` is believed on any one mark."""
    for name, mark, pattern, low, high in (("hz", b"~{", _HZ, 0x30, 0x57), ("iso-2022-kr", b"\x0e", _KR, 0x30, 0x48)):
        if mark not in page:
            continue
        stretches = pattern.findall(page)
        pairs = sum(len(stretch) // 2 for stretch in stretches)
        common = sum(sum(byte in (0x21, 0x23) or low <= byte <= high for byte in part[::2]) for part in stretches)
        if declared == name or (pairs >= MIN_PAIRS and common >= COMMON * pairs):
            return name
    return None


def decode_hz(page: bytes) -> str:
    """A page in HZ."""
    return _decoded(page, _HZ_TOKEN, b"~{", b"~}", "gb2312")


def decode_kr(page: bytes) -> str:
    """A page in ISO-2022-KR, with its header or without."""
    return _decoded(_HEADER.sub(b"", page), _KR_TOKEN, b"\x0e", b"\x0f", "euc_kr")


def _decoded(page: bytes, tokens: re.Pattern[bytes], begin: bytes, end: bytes, codec: str) -> str:
    parts: list[str] = []
    at, is_two = 0, False
    for found in tokens.finditer(page):
        token, text = found[0], page[at : found.start()]
        at = found.end()
        start = 0 if is_two else _begin(text) if token == end else len(text)
        parts += [text[:start].decode("ascii", "replace"), _pairs(text[start:], codec)]
        if token == b"~~":
            parts.append("~")
        elif token in (b"\r", b"\n"):
            parts.append(token.decode())
        is_two = token == begin or (is_two and token == b"~~")
    rest = page[at:]
    return "".join([*parts, _pairs(rest, codec) if is_two else rest.decode("ascii", "replace")])


def _begin(text: bytes) -> int:
    """Start of the characters that end with ``text`` and whose mark before them is lost: behind a space or a tag."""
    for found in _BEGINS.finditer(text):
        for begin in (found.end(), found.end() + found[0].startswith(b"~")):  # of ~{ the second may be another byte
            run = text[begin:]
            if len(run) >= 4 and len(run) % 2 == 0 and not _SPACE.search(run) and _share_of_common(run) == 1:
                return begin
    return len(text)


def _share_of_common(run: bytes) -> float:
    return sum(byte in (0x21, 0x23) or 0x30 <= byte <= 0x57 for byte in run[::2]) / max(1, len(run[::2]))


def _pairs(text: bytes, codec: str) -> str:
    """Two bytes a character, to the first that are none; from there on ASCII."""
    stop = next((k for k in range(0, len(text), 2) if not _is_pair(text[k : k + 2])), len(text))
    high = bytes(byte | 0x80 for byte in text[:stop])
    return high.decode(codec, "replace") + text[stop:].decode("ascii", "replace")


def _is_pair(pair: bytes) -> bool:
    return len(pair) == 2 and 0x21 <= pair[0] <= 0x7D and 0x21 <= pair[1] <= 0x7E
