"""Seals of JSON, of JSON lines in zstd and of HTML: a checksum of the whole file, in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import xxhash

from stages.seal.damage import MARK, MISPLACED, DamagedFile, name_of

_SKIPPABLE = b"\x50\x2a\x4d\x18" + (24).to_bytes(4, "little") + MARK
_ZEROS = b"0" * 32
_JSON = re.compile(rb'^ "checksum": "xxh3_128:([0-9a-f]{32})",?$', re.MULTILINE)
_JSON_TRACE = re.compile(rb'^ (?:"checksum"|[^\n]*"xxh3_128:)', re.MULTILINE)
"""Traces that a damaged checksum leaves."""
_HTML = re.compile(rb"<!-- xxh3_128:([0-9a-f]{32}) -->\n\Z")
_HTML_TRACE = re.compile(rb"<!-- xxh3_128:|[0-9a-f]{32} -->")


def encode_json(value: Any, errors: str = "strict", address: str = "") -> bytes:
    """An object or a list as indented JSON with its checksum; a list stands under the key ``items``.

    ``address``: the only one under which it may stand; by default any. ``errors`` says what becomes of characters that
    are none in UTF-8.
    """
    content = value if isinstance(value, dict) else {"items": value}
    content = content | {"checksum": f"xxh3_128:{_ZEROS.decode()}"}
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    return _filled(_JSON, text.encode("utf-8", errors), name_of(address))


def json_size(value: dict[str, Any]) -> int:
    """Bytes that `encode_json` gives of an object, ten times faster: indents are counted, not laid out."""
    return indented_size(value | {"checksum": f"xxh3_128:{_ZEROS.decode()}"}) + 1


def indented_size(value: Any) -> int:
    """Bytes of a value as sorted JSON indented by one."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ": "))
    return len(line.encode()) + _breaks(value, 0)


def _breaks(value: Any, level: int) -> int:
    """Bytes of line breaks and indents in a value that stands ``level`` deep: before each member, and at the end."""
    if not isinstance(value, (dict, list, tuple)) or not value:
        return 0
    members = value.values() if isinstance(value, dict) else value
    return len(value) * (level + 2) + level + 1 + sum(_breaks(member, level + 1) for member in members)


def encode_items(items: Iterable[str]) -> bytes:
    """The bytes of `encode_json` for a list whose items are such JSON already: of hundreds of thousands in a second."""
    data = bytearray(f'{{\n "checksum": "xxh3_128:{_ZEROS.decode()}",\n "items": ['.encode())
    mark = b"\n  "
    for item in items:
        data += mark + item.replace("\n", "\n  ").encode()
        mark = b",\n  "
    data += b"\n ]\n}\n" if mark[:1] == b"," else b"]\n}\n"
    place = _JSON.search(data)
    assert place is not None
    data[place.start(1) : place.end(1)] = xxhash.xxh3_128_hexdigest(data).encode()
    return bytes(data)


def decode_json(data: bytes, address: str) -> Any:
    """The value of a file of `encode_json`, or of any JSON file without a checksum.

    Raises:
        DamagedFile: it is no whole JSON, or not what its checksum says.
    """
    has_checksum = check_json(data, address)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise DamagedFile(address, f"no whole JSON ({error})") from error
    if isinstance(value, dict) and has_checksum:
        del value["checksum"]
        return value["items"] if value.keys() == {"items"} else value
    return value


def check_json(data: bytes | memoryview, address: str) -> bool:
    """Check such a file against its checksum: whether it has one.

    Raises:
        DamagedFile: it is not what its checksum says.
    """
    whole = _matches(_JSON, data, name_of(address)) or _matches(_JSON, data)
    found = _JSON.search(data) is not None
    if not whole or (_JSON_TRACE.search(data) and not found):
        raise DamagedFile(address, "not what its checksum says")
    return found


def encode_html(page: bytes) -> bytes:
    """A page with its checksum in a comment at its end."""
    return _filled(_HTML, page + b"<!-- xxh3_128:" + _ZEROS + b" -->\n")


def check_html(page: memoryview, address: str) -> bool:
    """Check a page against the comment at its end: whether it has one.

    Raises:
        DamagedFile: it is not what its checksum says.
    """
    found = _HTML.search(page) is not None
    if not _matches(_HTML, bytes(page)) or (not found and _HTML_TRACE.search(page[-80:])):
        raise DamagedFile(address, "not what its checksum says")
    return found


def lines_seal(digest: bytes, address: str) -> bytes:
    """The skippable frame behind the zstd frames of a file, of which ``digest`` is the xxh3_128."""
    return _SKIPPABLE + xxhash.xxh3_128_digest(digest + name_of(address))


def check_lines(data: memoryview, address: str) -> memoryview:
    """The zstd frames of a file without the seal behind them.

    Raises:
        DamagedFile: it is not what its seal says.
    """
    size = len(_SKIPPABLE) + 16
    frames, seal = data[:-size], bytes(data[-size:])
    if not seal.startswith(_SKIPPABLE):
        if MARK in seal or _SKIPPABLE[: -len(MARK)] in seal:
            raise DamagedFile(address, "damaged in its seal")
        return data
    digest = xxhash.xxh3_128_digest(frames)
    if seal[len(_SKIPPABLE) :] not in (xxhash.xxh3_128_digest(digest + name_of(address)), digest):
        raise DamagedFile(address, f"not what its checksum says, {MISPLACED}")
    return frames


def _filled(place: re.Pattern[bytes], data: bytes, name: bytes = b"") -> bytes:
    found = place.search(data)
    assert found is not None, "the checksum has no place"
    start, stop = found.span(1)
    return data[:start] + xxhash.xxh3_128_hexdigest(data + name).encode() + data[stop:]


def _matches(place: re.Pattern[bytes], data: bytes | memoryview, name: bytes = b"") -> bool:
    """Whether the checksum of a file, and of its name, is right; True also where it has none."""
    found = place.search(data)
    if found is None:
        return True
    start, stop = found.span(1)
    total = xxhash.xxh3_128()
    for part in (data[:start], _ZEROS, data[stop:], name):
        total.update(part)
    return total.hexdigest().encode() == found[1]
