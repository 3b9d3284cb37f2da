"""TeX that stands in the page, copied: references decoded, white space single, comments and wrappers of renderers taken off."""

from __future__ import annotations

import numpy as np

from stages.kernels.html.entities import read_reference
from stages.kernels.html.glyphs import is_letter
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_DISPLAYS = tuple(fnv(name) for name in (b"displaymath", b"equation", b"equation*", b"math"))


@inline_kernel
def skip_wrapper(out, start, o):  # type: ignore[no-untyped-def]
    """Take ``\\displaystyle`` and the braces around it, or dollars, off TeX at ``out[start:o]``: (start, stop) of what is left."""
    stop = o
    for _ in range(4):
        while start < stop and out[start] == 32:
            start += 1
        while stop > start and out[stop - 1] == 32 and not (stop - 2 >= start and out[stop - 2] == 92):
            stop -= 1
        size = stop - start
        if (
            size >= 3
            and out[start] == 36
            and out[stop - 1] == 36
            and out[stop - 2] != 92
            and are_outer(out, start, stop)
        ):
            start += 1
            stop -= 1
        elif (
            size >= 5
            and out[start] == 92
            and (
                (out[start + 1] == 40 and out[stop - 2] == 92 and out[stop - 1] == 41)
                or (out[start + 1] == 91 and out[stop - 2] == 92 and out[stop - 1] == 93)
            )
        ):
            start += 2
            stop -= 2
        elif (
            size > 15
            and out[start] == 123
            and out[start + 1] == 92
            and out[stop - 1] == 125
            and begins_style(out, start + 1, stop)
            and are_outer(out, start, stop)
        ):
            start += 1
            stop -= 1
        elif size > 11 and out[start] == 92 and begins_style(out, start, stop):
            start += 10 if out[start + 1] == 116 else 13
        elif size > 11 and out[start] == 92 and environment(out, start, stop) > 0:
            name = environment(out, start, stop)
            start += name + 8
            stop -= name + 6
        else:
            break
    return start, stop


@inline_kernel
def environment(out, start, stop):  # type: ignore[no-untyped-def]
    """Bytes of the name of the environment that TeX is all of, if dollars say the same; else 0."""
    if out[start + 1] != 98 or out[start + 2] != 101 or out[start + 6] != 123:
        return 0
    i, h = start + 7, FNV_START
    while i < stop and out[i] != 125 and i - start < 20:
        h = mix(h, out[i])
        i += 1
    size = i - start - 7
    if h not in _DISPLAYS:
        return 0
    while i + size + 6 < stop and not ends_environment(out, i, start + 7, size):
        i += 1
    return size if i + size + 6 == stop and ends_environment(out, i, start + 7, size) else 0


@inline_kernel
def ends_environment(out, i, name, size):  # type: ignore[no-untyped-def]
    """Whether ``\\end{`` and the ``size`` bytes at ``name`` stand at ``i``."""
    if out[i] != 92 or out[i + 1] != 101 or out[i + 4] != 123:
        return False
    same = 0
    while same < size and out[i + 5 + same] == out[name + same]:
        same += 1
    return same == size


@inline_kernel
def are_outer(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether the braces, or dollars, at both ends of ``out[start:stop]`` belong together."""
    depth = 0
    dollars = out[start] == 36 and out[start + 1] != 36
    for i in range(start, stop - 1):
        if i > start and out[i - 1] == 92:
            continue
        if dollars:
            if i > start and out[i] == 36:
                return False
        elif out[i] == 123:
            depth += 1
        elif out[i] == 125:
            depth -= 1
            if depth == 0:
                return False
    return True


@inline_kernel
def begins_style(out, i, stop):  # type: ignore[no-untyped-def]
    """Whether ``\\displaystyle`` or ``\\textstyle`` stands at ``i``, and no letter behind it."""
    text = out[i + 1] == 116 and out[i + 2] == 101 and out[i + 3] == 120 and out[i + 5] == 115 and out[i + 9] == 101
    if text:
        return out[i + 6] == 116 and not is_letter(out[i + 10])
    display = out[i + 1] == 100 and out[i + 2] == 105 and out[i + 3] == 115 and out[i + 4] == 112 and out[i + 8] == 115
    return display and i + 13 < stop and out[i + 12] == 101 and not is_letter(out[i + 13])


@inline_kernel
def copy_tex(data, pos, stop, is_url, T, out, o):  # type: ignore[no-untyped-def]
    """TeX from the page: references decoded, white space single, a comment up to its line's end dropped; next o.

    With ``is_url`` it stands in an address: ``%5C`` is one byte and ``+`` a space.
    """
    first = o
    while pos < stop:
        b = data[pos]
        if b == 38 and not is_url:
            before = o
            pos, o = read_reference(data, pos, stop, T, out, o)
            if (o - before == 2 and out[before] == 0xC2 and out[before + 1] == 0xA0) or (
                o - before == 1 and is_space(out[before])
            ):
                o = before
                if o > first and out[o - 1] != 32:
                    out[o] = 32
                    o += 1
            continue
        pos += 1
        if is_url and b == 37 and pos + 1 < stop:
            high, low = hex_digit(data[pos]), hex_digit(data[pos + 1])
            size = encoded_size(data, pos - 1, stop)
            if size:
                for k in range(size):
                    out[o + k] = 16 * hex_digit(data[pos + 3 * k]) + hex_digit(data[pos + 3 * k + 1])
                o += size
                pos += 3 * size - 1
                continue
            if high >= 0 and low >= 0 and 0 < high * 16 + low < 128:
                b = np.uint8(high * 16 + low)
                pos += 2
        elif is_url and b == 43:
            b = np.uint8(32)
        elif is_url and b == 38:  # &space; &plus; of CodeCogs, each with `amp;` before it or not
            if pos + 3 < stop and data[pos] == 97 and data[pos + 3] == 59:
                pos += 4
            b = (
                np.uint8(32)
                if pos < stop and data[pos] == 115
                else np.uint8(43)
                if pos < stop and data[pos] == 112
                else b
            )
            while b != 38 and pos < stop and data[pos] != 59:
                pos += 1
            pos += b != 38
        elif (
            b == 37
            and not is_url
            and pos < stop
            and (data[pos] == 10 or data[pos] == 13)
            and (o == first or out[o - 1] != 92)
        ):
            while pos < stop and is_space(data[pos]):
                pos += 1
            continue
        if b == 0:
            continue
        if is_space(b):
            if o > first and out[o - 1] != 32:
                out[o] = 32
                o += 1
            continue
        out[o] = b
        o += 1
    return o


@inline_kernel
def hex_digit(b):  # type: ignore[no-untyped-def]
    if 48 <= b <= 57:
        return np.int64(b) - 48
    b |= 0x20
    return np.int64(b) - 87 if 97 <= b <= 102 else -1


@inline_kernel
def encoded_size(data, pos, stop):  # type: ignore[no-untyped-def]
    """Bytes of the character outside ASCII that ``%E2%8B%99`` at ``pos`` stands for in UTF-8; 0: none does, or a control character."""
    first = 16 * hex_digit(data[pos + 1]) + hex_digit(data[pos + 2])
    size = 2 + (first >= 0xE0) + (first >= 0xF0)
    if hex_digit(data[pos + 2]) < 0 or first < 0xC2 or first > 0xF4 or pos + 3 * size > stop:
        return 0
    for k in range(1, size):
        i = pos + 3 * k
        byte = 16 * hex_digit(data[i + 1]) + hex_digit(data[i + 2])
        low = 0xA0 if k == 1 and (first == 0xE0 or first == 0xC2) else 0x90 if k == 1 and first == 0xF0 else 0x80
        high = 0x9F if k == 1 and first == 0xED else 0x8F if k == 1 and first == 0xF4 else 0xBF
        if data[i] != 37 or hex_digit(data[i + 2]) < 0 or not low <= byte <= high:
            return 0
    return size


@inline_kernel
def has_no_word(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether text holds a letter or digit and no three letters of ASCII in a row: ``(a, b, c)``, ``n - 1``."""
    run, any_letter = 0, False
    for i in range(start, stop):
        run = run + 1 if 97 <= out[i] | 0x20 <= 122 else 0
        any_letter |= is_letter(out[i]) or 48 <= out[i] <= 57
        if run > 2 or out[i] >= 128:
            return False
    return any_letter


@inline_kernel
def holds_operator(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether text without a word has a bracket, bar or operator and no abbreviation: not ``No. 1``, ``UK, US`` or ``11/12/2003``."""
    found = False
    for i in range(start, stop):
        b = out[i]
        found |= 40 <= b <= 43 or b == 45 or b == 91 or b == 124
        if b == 46 and i > start and is_letter(out[i - 1]):
            return False
    return found


@inline_kernel
def looks_like_tex(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether text has the signs of TeX (a command, a script, braces) or is one short word without spaces."""
    spaces, signs, commands = 0, 0, 0
    for i in range(start, stop):
        b = out[i]
        spaces += b == 32
        signs += b == 94 or b == 95 or b == 61 or b == 43 or b == 60 or b == 62 or b == 123
        commands += b == 92
    if commands > 0:
        return True
    if signs > 0:
        return spaces <= 6 * signs + 2
    return spaces == 0 and stop - start <= 6
