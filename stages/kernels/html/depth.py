"""How deep the elements of a page nest: an upper estimate from its bytes, before a DOM is built.

Time of DOM libraries grows with the square of the depth, so that a page of one megabyte can hold a worker for hours;
a limit in seconds would depend on the machine. Counted are start tags less end tags; elements that close themselves
(void ones) or each other (p, li, td, ...) are left out, comments and the content of script and style are passed over.
Price: about one nanosecond a byte.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import kernel

FLAT = (
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"),
    *("p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup", "a", "body", "html"),
    *("rp", "rt", "colgroup", "head", "basefont", "frame", "keygen", "command"),
)
"""Elements whose start tags alone do not make a tree deeper."""


def _packed(name: str) -> int:
    return int.from_bytes(name.encode()[:8].ljust(8, b"\0"), "little")


def _table() -> tuple[np.uint64, np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    """A multiplier that gives every name of `FLAT` a place of its own among 256, and the names in their places."""
    names = [_packed(name) for name in FLAT]
    multiplier = 0x9E3779B97F4A7C15
    while len({(name * multiplier & 0xFFFFFFFFFFFFFFFF) >> 56 for name in names}) < len(names):
        multiplier = (multiplier * 0x5851F42D4C957F2D + 1) & 0xFFFFFFFFFFFFFFFF | 1
    table = np.zeros(256, np.uint64)
    for name in names:
        table[(name * multiplier & 0xFFFFFFFFFFFFFFFF) >> 56] = name
    return np.uint64(multiplier), table


_MULTIPLIER, _FLAT_NAMES = _table()
_RAW_NAMES = np.asarray([_packed("script"), _packed("style"), _packed("textarea")], np.uint64)


def depth(html: bytes) -> int:
    """The deepest nesting in the page."""
    return int(_depth(np.frombuffer(html, np.uint8), _FLAT_NAMES, _MULTIPLIER, _RAW_NAMES))


@kernel
def _depth(data, flat, multiplier, raw):  # type: ignore[no-untyped-def]
    size = len(data)
    i = np.int64(0)
    now = np.int64(0)
    most = np.int64(0)
    until = np.uint64(0)  # inside script or style: its name
    while i < size - 1:
        if data[i] != 60:
            i += 1
            continue
        if data[i + 1] == 33 and i + 3 < size and data[i + 2] == 45 and data[i + 3] == 45 and until == 0:
            i += 4
            while i < size - 2 and not (data[i] == 45 and data[i + 1] == 45 and data[i + 2] == 62):
                i += 1
            continue
        closing = data[i + 1] == 47
        i += 2 if closing else 1
        name = np.uint64(0)
        count = np.uint64(0)
        while i < size and count < 8:
            byte = np.uint64(data[i])
            if 65 <= byte <= 90:
                byte += np.uint64(32)
            if not (97 <= byte <= 122 or (48 <= byte <= 57 and count > 0)):
                break
            name |= byte << (np.uint64(8) * count)
            count += np.uint64(1)
            i += 1
        if name == 0 or (until != 0 and not (closing and name == until)):
            continue
        until = np.uint64(0)
        if flat[(name * multiplier) >> np.uint64(56)] == name:
            continue
        if closing:
            now = max(now - 1, np.int64(0))
            continue
        for other in raw:
            if name == other:
                until = name
        while i < size and data[i] != 62 and data[i] != 60:
            i += 1
        if data[min(i, size - 1)] == 62 and data[i - 1] == 47:  # <g/>
            until = np.uint64(0)
            continue
        now += 1
        most = max(most, now)
    return most
