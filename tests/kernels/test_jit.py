"""How kernels are compiled: what of a kernel can be seen from outside."""

from __future__ import annotations

import re
from typing import Any

import numba
import numpy as np
import pytest

from stages.kernels.jit import kernel, lean_inline_kernel, lean_kernel


def _total(data, i):  # type: ignore[no-untyped-def]
    """Calls itself, so that LLVM cannot write it into its caller."""
    return 0 if i == len(data) else data[i] + TOTAL(data, i + 1) * 3 // 2


TOTAL: Any = lean_inline_kernel(_total)


@lean_kernel
def lean(data):  # type: ignore[no-untyped-def]
    return TOTAL(data, 0)


@kernel
def plain(data):  # type: ignore[no-untyped-def]
    return data.copy()


def defined(compiled: Any) -> list[str]:
    """The lines of LLVM's code that begin the functions of a compiled kernel."""
    (code,) = compiled.inspect_llvm().values()
    return re.findall(r"^define .*", code, re.MULTILINE)


def test_only_a_kernel_itself_can_be_called_from_outside() -> None:
    numbers = np.arange(5)
    assert lean(numbers) == 34
    assert plain(numbers).tolist() == [0, 1, 2, 3, 4]
    for compiled in (lean, plain):
        functions = defined(compiled)
        outside = [line for line in functions if not line.startswith("define internal")]
        assert outside
        assert all(compiled.__name__ in line for line in outside)
    assert any("total" in line for line in defined(lean))


def element(data, i):  # type: ignore[no-untyped-def]
    return data[i]


def cell(table, i, j):  # type: ignore[no-untyped-def]
    table[i, j] += 1
    return table[i, j]


def last(data):  # type: ignore[no-untyped-def]
    return data[-1]


def test_a_negative_index_is_no_element_of_a_kernel_and_a_written_one_is_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    numbers, table = np.arange(5), np.zeros((2, 3), np.int64)
    assert kernel(last)(numbers) == 4
    assert kernel(element)(numbers, 4) == 4
    assert lean_kernel(cell)(table, 1, 2) == 1
    for outside in (-1, 5):
        with pytest.raises(IndexError):
            kernel(element)(numbers, outside)
        with pytest.raises(IndexError):
            lean_kernel(cell)(table, 0, outside)
    assert table.tolist() == [[0, 0, 0], [0, 0, 1]]
