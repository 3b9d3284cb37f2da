"""Seals: what is said of a file without writing it is what writing it gives."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stages import seal

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(st.text().filter(lambda key: key != "checksum"), VALUES, max_size=5))
def test_the_size_of_json_is_known_without_laying_it_out(value: dict[str, Any]) -> None:
    try:
        written = seal.encode_json(value)
    except UnicodeEncodeError:  # half of a surrogate pair is no text
        return
    assert seal.json_size(value) == len(written)
