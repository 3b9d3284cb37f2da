"""Different numbers: what `np.unique` gives, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.kernels.columns.distinct import distinct

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.one_of(INT64, st.integers(0, 5))))
def test_distinct_is_unique(numbers: list[int]) -> None:
    found = distinct(np.array(numbers, np.int64))
    assert found.tolist() == sorted(set(numbers))


@pytest.mark.parametrize("kind", [np.uint64, np.int32])
def test_the_kind_of_numbers_stays(kind: type) -> None:
    numbers = np.array([7, 3, 7, 0], kind)
    found = distinct(numbers)
    assert found.dtype == kind
    assert numbers.tolist() == [7, 3, 7, 0]
