"""Eight bytes at a time equal one byte at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels import eight_bytes
from stages.kernels.jit import COMPILE

GROUPS = st.lists(st.sampled_from([*b" aAzZ09@[`{/:\n~", 0, 31, 33, 127]), min_size=8, max_size=8).map(bytes)


@COMPILE
def masks(group: Any) -> Any:
    number = eight_bytes.eight_bytes(group, 0)
    return number, eight_bytes.plain_ascii(number)


@COMPILE
def before_space(number: Any) -> Any:
    return eight_bytes.bytes_before_space(number)


@COMPILE
def write(out: Any, at: int, number: Any) -> None:
    eight_bytes.write_eight(out, at, number)


def marked(mask: int) -> list[bool]:
    return [byte == 0x80 for byte in int(mask).to_bytes(8, "big")]


@settings(max_examples=300, deadline=None)
@given(GROUPS)
def test_masks_of_ascii_say_what_python_says(group: bytes) -> None:
    number, (lower, words, spaces) = masks(np.frombuffer(group, np.uint8))
    assert int(number) == int.from_bytes(group, "big")
    assert int(lower).to_bytes(8, "big") == group.lower()
    assert marked(words) == [chr(byte).isalnum() for byte in group]
    assert marked(spaces) == [byte == 32 for byte in group]


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=8, max_size=8) | GROUPS)
def test_bytes_before_the_first_space(group: bytes) -> None:
    expected = group.find(b" ")
    found = before_space(np.uint64(int.from_bytes(group, "big")))
    assert found == (8 if expected < 0 else expected)


def test_a_group_is_written_as_it_was_read() -> None:
    out = np.zeros(10, np.uint8)
    write(out, 1, np.uint64(0x0102030405060708))
    assert out.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 0]
