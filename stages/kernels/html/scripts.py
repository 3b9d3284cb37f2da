"""Raised and lowered text inside a line: what mark, or none, keeps its meaning (``10^6``, ``H2O``, ``1st``, ``[3]``, ``x_i``, ``1/2``).

For `blocks`. Works on the text written so far, ``out[:o]``, and gives the next ``o``. Legend: W state (`state`).
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_SCRIPT = 24
"""Bytes of raised or lowered text that is marked; more is text in small type."""


@inline_kernel
def start_script(tag, W, o):  # type: ignore[no-untyped-def]
    """`sup` or `sub`."""
    W[s.SCRIPT] = tag
    W[s.SCRIPT_FROM] = o
    W[s.SCRIPT_DEPTH] = W[s.DEPTH]
    W[s.SCRIPT_LINK] = W[s.LINK] != -1


@inline_kernel
def is_alnum(b):  # type: ignore[no-untyped-def]
    return 48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122


@inline_kernel
def insert(out, at, o, first, last):  # type: ignore[no-untyped-def]
    """Put byte ``first`` before ``out[at:o]`` and, unless it is 0, ``last`` behind: next o."""
    for i in range(o - 1, at - 1, -1):
        out[i + 1] = out[i]
    out[at] = first
    if last:
        out[o + 1] = last
        return o + 2
    return o + 1


@inline_kernel
def is_sign(out, i):  # type: ignore[no-untyped-def]
    """Whether a space or sign outside ASCII begins at ``i``: U+00D7, U+2005, U+2208; a letter or a sign of the first Latin block does not."""
    return out[i] == 0xE2 or (out[i] == 0xC3 and (out[i + 1] == 0x97 or out[i + 1] == 0xB7))


@inline_kernel
def is_symbol(out, i, size):  # type: ignore[no-untyped-def]
    """Whether the ``size`` bytes at ``i`` are a letter of formulas alone: ``ℝ``, ``ℓ``, ``∂``, ``∑`` or one of the mathematical alphabets, not ``№`` or ``℃``."""
    if size != 3 or out[i] != 0xE2:
        return size == 4 and out[i] == 0xF0 and out[i + 1] == 0x9D
    b = out[i + 2]
    if out[i + 1] == 0x88:
        return b in (0x82, 0x86, 0x87, 0x8F, 0x91, 0xAB)
    return out[i + 1] == 0x84 and (
        b in (0x82, 0x95, 0xA4, 0xB3, 0xB4) or 0x8A <= b <= 0x93 or 0x98 <= b <= 0x9D or 0xAC <= b <= 0xB1
    )


@inline_kernel
def insert_mark(out, at, o, mark):  # type: ignore[no-untyped-def]
    """``^`` or ``_`` before a script, which gets brackets unless it is one word or number, with a sign: next o."""
    inner = 0
    for i in range(at, o):
        inner += not is_alnum(out[i]) and out[i] < 128 and i != at and i != o - 1
        inner += i > at and is_sign(out, i) and i + (3 if out[i] == 0xE2 else 2) < o
    plain = o - at == 1 or (inner == 0 and (is_alnum(out[at]) or is_alnum(out[o - 1]) or out[at] >= 128))
    if plain and not is_alnum(out[at]) and not is_alnum(out[o - 1]) and out[at] < 128 and o - at > 1:
        plain = False
    if plain:
        return insert(out, at, o, mark, 0)
    o = insert(out, at, o, 40, 41)
    return insert(out, at, o, mark, 0)


@inline_kernel
def slash_follows(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether ``/``, a fraction slash or a reference to one stands at ``pos``."""
    if pos + 2 >= end:
        return False
    b = data[pos]
    if b == 47 or (b == 0xE2 and data[pos + 1] == 0x81 and data[pos + 2] == 0x84):
        return True
    return b == 38 and pos + 6 < end and ((data[pos + 1] == 102 and data[pos + 2] == 114 and data[pos + 5] == 108)
                                         or (data[pos + 1] == 35 and data[pos + 2] == 56 and data[pos + 3] == 50
                                         and data[pos + 4] == 54 and data[pos + 5] == 48))  # fmt: skip


@inline_kernel
def end_script(data, pos, end, W, out, o):  # type: ignore[no-untyped-def]
    """``</sup>`` or ``</sub>``, which ends at ``pos``: the mark that keeps its meaning; next o."""
    at, raised = W[s.SCRIPT_FROM], W[s.SCRIPT] == t.SUP
    W[s.SCRIPT] = 0
    while at < o and out[at] == 32:
        at += 1
    while o > at and out[o - 1] == 32:
        o -= 1
    size = o - at
    if size == 0 or size > MAX_SCRIPT or at <= W[s.TEXT]:
        return o
    before = out[at - 1]
    digits, letters = 0, 0
    for i in range(at, o):
        digits += 48 <= out[i] <= 57
        letters += is_alnum(out[i]) and not 48 <= out[i] <= 57
        if out[i] == 0xC3 and i + 1 < o and out[i + 1] != 0x97 and out[i + 1] != 0xB7:
            letters += 2  # à to ÿ: 10ème, 1ère
    word = at - 1
    while word > max(W[s.TEXT], at - MAX_SCRIPT) and (
        (out[word - 1] | 0x20 >= 97 and out[word - 1] | 0x20 <= 122) or out[word - 1] >= 128
    ):
        if word - 3 >= W[s.TEXT] and out[word - 2] == 0x80 and out[word - 3] == 0xE2:
            break  # spaces, dashes and quotes
        word -= 1
    word_size = at - word if (before | 0x20 >= 97 and before | 0x20 <= 122) or before >= 128 else 0
    last = at - 1
    while last > word and out[last] & 0xC0 == 0x80:
        last -= 1
    is_letter = word_size == 1 or (word_size == 2 and 0xCE <= out[word] <= 0xCF) or is_symbol(out, last, at - last)
    if out[at] == 91 or out[at] == 40 or out[at] == 36:
        return o
    if not raised:
        return lower(data, pos, end, W, out, at, o, before, digits == size)
    if slash_follows(data, pos, end) and digits == size:
        return insert(out, at, o, 32, 0) if 48 <= before <= 57 else o
    if W[s.SCRIPT_LINK] and (digits + letters == size and size <= 3):
        return insert(out, at, o, 91, 93)
    if before == 32:
        return o
    if letters == size:
        ordinal = size > 1 or out[at] in (101, 97, 111)
        if (48 <= before <= 57 and ordinal) or (word_size and not (is_letter and size == 1)):
            return o
        return insert_mark(out, at, o, 94)
    if digits + letters == 0 and size == 1 and out[at] != 43 and out[at] != 45:
        return o  # asterisks
    if digits == 0 and letters == 0 and out[at] >= 128 and not (out[at] == 0xE2 and size == 3):
        return o  # trade marks
    if digits == size and (word_size >= 5 or before in (46, 44, 59, 58, 33, 63, 34, 39)):
        return insert(out, at, o, 91, 93)
    return insert_mark(out, at, o, 94)


@inline_kernel
def lower(data, pos, end, W, out, at, o, before, all_digits):  # type: ignore[no-untyped-def]
    """A subscript: next o. The number of atoms in a chemical formula stays as it is."""
    if before == 47:
        return o
    if at - 3 >= W[s.TEXT] and out[at - 3] == 0xE2 and out[at - 2] == 0x81 and out[at - 1] == 0x84:
        out[at - 3] = 47
        for i in range(at, o):
            out[i - 2] = out[i]
        return o - 2
    if all_digits and (pos >= end or not 48 <= data[pos] <= 57):
        capital = 65 <= before <= 90 or before == 41
        capital |= 97 <= before <= 122 and at - 2 >= W[s.TEXT] and 65 <= out[at - 2] <= 90
        if capital:
            return o
    if not is_alnum(before) and before < 128 and before != 41 and before != 93 and before != 125:
        return o
    return insert_mark(out, at, o, 95)
