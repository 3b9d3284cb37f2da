"""What stands between chosen blocks and is chosen with them: formulas, short code, data tables."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from stages.kernels.html import inherited as e
from stages.kernels.html import layout as h
from stages.kernels.html import tokens as t
from stages.kernels.html.hints import HINT_BITS
from stages.kernels.html.rows import HAS_COLUMNS, HAS_ROWS, IS_LAYOUT
from stages.kernels.html.text import SHORT_CODE, SHORT_TABLE, complete, judge_tables
from stages.kernels.jit import lean_kernel

Array = npt.NDArray[np.int64]


@lean_kernel
def completed(text, blocks, nodes, num, inherited, chosen_B):  # type: ignore[no-untyped-def]
    complete(text, blocks, nodes, 0, 0, num, inherited, chosen_B)
    return 0


@lean_kernel
def judged(blocks, nodes, inherited, layout_M, num, chosen_B):  # type: ignore[no-untyped-def]
    judge_tables(blocks, nodes, 0, nodes.shape[1], inherited, layout_M, 0, num, chosen_B)
    return 0


def page(texts: list[str]) -> tuple[npt.NDArray[np.uint8], Array, Array, Array]:
    """Text, blocks, nodes and what they inherit, a node for each block."""
    blocks, nodes = np.zeros((h.BLOCK_ROWS, len(texts)), np.int64), np.zeros((h.NODE_ROWS, len(texts)), np.int64)
    inherited = np.full((e.INHERITED, len(texts)), -1, np.int64)
    inherited[e.I_HINTS] = 0
    stops = np.cumsum([len(text.encode()) for text in texts])
    blocks[h.TEXT_STOP], blocks[h.TEXT_START, 1:] = stops, stops[:-1]
    blocks[h.NODE], nodes[h.TAG] = np.arange(len(texts)), t.P
    return np.frombuffer("".join(texts).encode(), np.uint8).copy(), blocks, nodes, inherited


@pytest.mark.parametrize(
    ("texts", "code", "hidden", "chosen", "after"),
    [
        (["a", "\\[y = x\\]", "b"], [], [], "101", "111"),
        (["a", "$$y = x$$", "(1)", "b"], [], [], "1001", "1101"),
        (["a", "$y$ costs", "b"], [], [], "101", "101"),
        (["a", "$y = x$", "b"], [], [], "100", "100"),
        (["a", "$y$", "b"], [], [], "101", "111"),
        (["a", "$$$y$$$", "b"], [], [], "101", "111"),
        (["a", r"$\text{by $x$ or \$5}$", "b"], [], [], "101", "111"),
        (["a", r"$k$ heads of $n$ are $$\binom{n}{k}$$", "b"], [], [], "101", "111"),
        (["a", "$5, $7 or 10$", "b"], [], [], "101", "101"),
        (["a", "$ echo $$", "b"], [], [], "101", "101"),
        (["a", "$$", "b"], [], [], "101", "101"),
        (["$y = x$", "b", "c"], [], [], "011", "011"),
        (["a", "x = 1", "y = 2", "b"], [1, 2], [], "1001", "1111"),
        (["a", "x = 1", "y = 2", "b"], [1, 2], [1, 2], "1001", "1001"),
        (["a", "x = 1", "y = 2", "b"], [1, 2], [], "1000", "1000"),
        (["a", "x" * SHORT_CODE, "b"], [1], [], "101", "111"),
        (["a", "x" * (SHORT_CODE + 1), "b"], [1], [], "101", "101"),
    ],
)
def test_formulas_and_short_code(texts: list[str], code: list[int], hidden: list[int], chosen: str, after: str) -> None:
    text, blocks, nodes, inherited = page(texts)
    inherited[e.I_PRE, code] = code[0] if code else -1
    inherited[e.I_HINTS, hidden] = 1 << HINT_BITS["hidden"]
    chosen_B = np.array([mark == "1" for mark in chosen])
    completed(text, blocks, nodes, len(texts), inherited, chosen_B)
    assert "".join(str(int(mark)) for mark in chosen_B) == after


@pytest.mark.parametrize(
    ("cells", "linked", "layout", "chosen", "after"),
    [
        (["one", "two"], 0, HAS_COLUMNS | HAS_ROWS, "1001", "1111"),
        (["one", "two"], 2, HAS_COLUMNS | HAS_ROWS, "1001", "1111"),
        (["one", "two"], 3, HAS_COLUMNS | HAS_ROWS, "1001", "1001"),  # half of it links: Previous, Next
        (["one", "two"], 0, HAS_COLUMNS | HAS_ROWS, "1000", "1000"),
        (["one", "two"], 3, HAS_COLUMNS | HAS_ROWS, "0100", "0110"),  # half of it is chosen
        (["one", "two"], 0, HAS_COLUMNS | HAS_ROWS | IS_LAYOUT, "1101", "1101"),
        (["x" * SHORT_TABLE, ""], 0, HAS_COLUMNS | HAS_ROWS, "1001", "1111"),
        (["x" * SHORT_TABLE, "y"], 0, HAS_COLUMNS | HAS_ROWS, "1001", "1001"),
    ],
)
def test_data_tables(cells: list[str], linked: int, layout: int, chosen: str, after: str) -> None:
    _, blocks, nodes, inherited = page(["before", *cells, "after"])
    nodes[h.TAG, 1], nodes[h.FIRST_BLOCK, 1], nodes[h.LAST_BLOCK, 1] = t.TABLE, 1, 3
    blocks[h.LINK_BYTES, 1] = linked
    layout_M = np.zeros(nodes.shape[1], np.int64)
    layout_M[1] = layout
    chosen_B = np.array([mark == "1" for mark in chosen])
    judged(blocks, nodes, inherited, layout_M, len(chosen), chosen_B)
    assert "".join(str(int(mark)) for mark in chosen_B) == after
    inherited[e.I_HINTS, 1] = 1 << HINT_BITS["hidden"]
    chosen_B = np.array([mark == "1" for mark in chosen])
    judged(blocks, nodes, inherited, layout_M, len(chosen), chosen_B)
    assert "".join(str(int(mark)) for mark in chosen_B) == (chosen if chosen == "1001" else after)
