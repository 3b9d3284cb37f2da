"""A hash of names of fields and attributes in lower case, alike in Python and in kernels: for tables of known names."""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np

from stages.kernels.jit import lean_inline_kernel as inline_kernel

PRIME = 0x100000001B3


def name_hash(name: str) -> int:
    """The hash of a name that is in lower case."""
    key = 0
    for byte in name.encode():
        key = (key * PRIME + byte + 1) & 0xFFFFFFFFFFFFFFFF
    return key


@inline_kernel
def with_byte(key, byte):  # type: ignore[no-untyped-def]
    """The hash of a name after one byte more; capitals of ASCII count as small letters."""
    if 65 <= byte <= 90:
        byte += np.uint8(32)
    return key * np.uint64(PRIME) + np.uint64(byte) + np.uint64(1)


@inline_kernel
def bytes_hash(data, start, stop):  # type: ignore[no-untyped-def]
    """The hash of the bytes ``data[start:stop]``."""
    key = np.uint64(0)
    for i in range(start, stop):
        key = with_byte(key, data[i])
    return key
