"""Compilation of kernels, as far as it can be seen from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import numpy as np

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


DEBUG = """
import numpy as np
from stages.kernels.jit import kernel, lean_kernel

@kernel
def element(data, i):
    return data[i]

@lean_kernel
def cell(table, i, j):
    table[i, j] += 1
    return table[i, j]

@kernel
def last(data):
    return data[-1]

def outcome(compiled, *arguments):
    try:
        return int(compiled(*arguments))
    except IndexError:
        return "none"

numbers, table = np.arange(5), np.zeros((2, 3), np.int64)
print(*(outcome(element, numbers, i) for i in (4, -1, 5)), *(outcome(cell, table, 0, j) for j in (2, -1, 3)))
print(outcome(last, numbers))
"""


def test_a_negative_index_is_no_element_for_a_kernel_and_a_written_one_is_the_last() -> None:
    env = {**os.environ, "NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run([sys.executable, "-c", DEBUG], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4", "none", "none", "1", "none", "none", "4"]
