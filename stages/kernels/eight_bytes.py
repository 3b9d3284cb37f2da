"""Eight bytes at a time: the inner steps of kernels that walk over text.

A group is data[i:i + 8] as a big-endian number, so its highest byte is the first. A mask has 0x80 in the bytes meant
and 0 elsewhere. Whoever reads a group at i needs i + 8 bytes of data: kernels stop earlier or leave `SLACK` at the end.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np

from stages.kernels.jit import leading_zeros, lean_inline_kernel

SLACK = 8
"""Bytes after the last text that may be read as part of a group, or written as part of one."""

HIGH = np.uint64(0x8080808080808080)
_REST = np.uint64(0x7F7F7F7F7F7F7F7F)
_ONES = np.uint64(0x0101010101010101)
_SPACES = np.uint64(0x2020202020202020)
_S2, _S3, _S7, _S8 = np.uint64(2), np.uint64(3), np.uint64(7), np.uint64(8)


@lean_inline_kernel
def eight_bytes(data, i):  # type: ignore[no-untyped-def]
    """data[i:i + 8] as a big-endian number (one load and a byte swap, once compiled)."""
    k = np.uint64(i)
    value = np.uint64(data[k]) << np.uint64(56)
    value |= np.uint64(data[k + np.uint64(1)]) << np.uint64(48)
    value |= np.uint64(data[k + np.uint64(2)]) << np.uint64(40)
    value |= np.uint64(data[k + np.uint64(3)]) << np.uint64(32)
    value |= np.uint64(data[k + np.uint64(4)]) << np.uint64(24)
    value |= np.uint64(data[k + np.uint64(5)]) << np.uint64(16)
    value |= np.uint64(data[k + np.uint64(6)]) << np.uint64(8)
    return value | np.uint64(data[k + np.uint64(7)])


@lean_inline_kernel
def write_eight(out, i, group):  # type: ignore[no-untyped-def]
    """out[i:i + 8] = the bytes of a group."""
    k = np.uint64(i)
    out[k] = np.uint8(group >> np.uint64(56))
    out[k + np.uint64(1)] = np.uint8(group >> np.uint64(48))
    out[k + np.uint64(2)] = np.uint8(group >> np.uint64(40))
    out[k + np.uint64(3)] = np.uint8(group >> np.uint64(32))
    out[k + np.uint64(4)] = np.uint8(group >> np.uint64(24))
    out[k + np.uint64(5)] = np.uint8(group >> np.uint64(16))
    out[k + np.uint64(6)] = np.uint8(group >> np.uint64(8))
    out[k + np.uint64(7)] = np.uint8(group)


@lean_inline_kernel
def bytes_before_space(group):  # type: ignore[no-untyped-def]
    """How many of the eight bytes stand before the first space; 8 if none is one."""
    other = group ^ _SPACES
    return np.int64(leading_zeros(~((other & _REST) + _REST | other | _REST)) >> _S3)


@lean_inline_kernel
def at_least(group, byte):  # type: ignore[no-untyped-def]
    """Mask of the bytes not below ``byte``; all bytes are ASCII."""
    return (group + _ONES * np.uint64(128 - byte)) & HIGH


@lean_inline_kernel
def plain_ascii(group):  # type: ignore[no-untyped-def]
    """(the group in lower case, mask of letters and digits, mask of spaces); all bytes are ASCII."""
    upper = at_least(group, 65) & ~at_least(group, 91)
    lower = group | upper >> _S2
    letters = at_least(lower, 97) & ~at_least(lower, 123)
    digits = at_least(lower, 48) & ~at_least(lower, 58)
    return lower, letters | digits, ~((lower ^ _SPACES) + _REST) & HIGH
