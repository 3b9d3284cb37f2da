"""Buffers around the HTML kernels: pages in, their blocks, elements and text out, a group of pages at a time.

Memory: about 200 bytes for every ``<`` of the largest group, 1.25 bytes for every byte of HTML, 250 for every block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.html import block_words, layout, quoted
from stages.kernels.html import blocks as html_blocks
from stages.kernels.html import features as html_features
from stages.kernels.html import rows as html_rows
from stages.kernels.html import text as html_text
from stages.kernels.html.byte_scan import count_byte
from stages.kernels.html.context import CONTEXT
from stages.kernels.html.entities import MAX_GROWTH
from stages.kernels.html.inherited import INHERITED
from stages.kernels.html.measures import MEASURES
from stages.kernels.html.oblivious import LANES
from stages.kernels.html.titles import title_table

Table = npt.NDArray[np.int64]
GROUP_BYTES = 1 << 20
"""Bytes of HTML scanned at a time: what is written stays in the processor's cache."""


@dataclass
class Scanned:
    """The output of `blocks.scan_pages` for some pages: columns of blocks, nodes and pages, and their text."""

    blocks: Table
    nodes: Table
    pages: Table
    text: Bytes
    num_blocks: int
    num_nodes: int
    num_bytes: int
    """Filled part of the first, second and fourth; they are whole buffers, so kernels see one layout."""

    @classmethod
    def empty(cls) -> Scanned:
        """The output for no page."""
        rows = (layout.BLOCK_ROWS, layout.NODE_ROWS, layout.PAGE_ROWS)
        blocks, nodes, pages = (np.empty((num, 0), np.int64) for num in rows)
        return cls(blocks, nodes, pages, np.empty(0, np.uint8), 0, 0, 0)

    def block_text(self, block: int) -> str:
        """Text of one block."""
        start, stop = self.blocks[layout.TEXT_START, block], self.blocks[layout.TEXT_STOP, block]
        return self.text[start:stop].tobytes().decode("utf-8", "replace")


@dataclass
class Measures:
    """Scratch arrays of `features` for a run of pages (`text.end_of_run`), or pages of so many blocks and nodes."""

    measures: Table
    inherited: Table
    slots: Table
    titles: Table
    layout: Table
    features: npt.NDArray[np.uint8]
    sums: npt.NDArray[np.int32]
    scores: npt.NDArray[np.uint8]
    tally: Table
    columns: Table
    places: Table
    held: Table


class Scanner:
    """Tables and buffers kept from group to group; for one thread at a time."""

    def __init__(self) -> None:
        self.tables = html_blocks.scan_tables()
        self.work = html_blocks.scan_work()
        self.logs = html_features.measure_tables()
        self._blocks = np.empty((layout.BLOCK_ROWS, 0), np.int64)
        self._nodes = np.empty((layout.NODE_ROWS, 0), np.int64)
        self._text = np.empty(0, np.uint8)
        self._measures = _measures(64, 64)

    def scan(self, data: Bytes, offsets: Offsets, first: int, last: int) -> Scanned:
        """Scan pages ``first`` to ``last``; the result is a view of buffers that the next call writes over."""
        html = data[offsets[first] : offsets[last]]
        columns = int(count_byte(html, ord("<"))) + 2 * (last - first) + quoted.MAX_NODES
        if self._blocks.shape[1] < columns:
            self._blocks = np.empty((layout.BLOCK_ROWS, columns + columns // 4), np.int64)
            self._nodes = np.empty((layout.NODE_ROWS, columns + columns // 4), np.int64)
        if len(self._text) < len(html) * MAX_GROWTH + 64:
            self._text = np.empty(int(len(html) * MAX_GROWTH * 1.2) + 64, np.uint8)
        pages = np.empty((layout.PAGE_ROWS, last - first), np.int64)
        num_blocks, num_nodes, num_bytes = html_blocks.scan_pages(
            data, offsets, first, last, self.tables, self.work, self._blocks, self._nodes, pages, self._text
        )
        return Scanned(self._blocks, self._nodes, pages, self._text, num_blocks, num_nodes, num_bytes)

    def measures(self, scanned: Scanned) -> Measures:
        """Scratch arrays large enough for every page and every run of ``scanned``."""
        pages = scanned.pages
        num_blocks = int((pages[layout.BLOCKS_TO] - pages[layout.BLOCKS_FROM]).max(initial=0))
        num_nodes = int((pages[layout.NODES_TO] - pages[layout.NODES_FROM]).max(initial=0))
        held = self._measures
        if held.features.shape[1] < num_blocks or held.inherited.shape[1] < num_nodes:
            self._measures = _measures(
                max(num_blocks * 5 // 4, held.features.shape[1]), max(num_nodes * 5 // 4, held.inherited.shape[1])
            )
        return self._measures


def _measures(num_blocks: int, num_nodes: int) -> Measures:
    num_blocks = -(-max(num_blocks, html_text.RUN_BLOCKS) // LANES) * LANES  # `sum_trees` goes on to its last lanes
    num_nodes = max(num_nodes, html_text.RUN_NODES)
    rows = html_features.NUM_FEATURES + len(CONTEXT) + len(block_words.WORDS)
    return Measures(
        np.zeros((MEASURES, num_blocks + html_text.RUN_PAGES), np.int64),
        np.zeros((INHERITED, num_nodes), np.int64),
        np.zeros((8, 4 * num_blocks + 20 * html_text.RUN_PAGES), np.int64),
        title_table(),
        np.zeros(num_nodes, np.int64),
        np.zeros((rows, num_blocks), np.uint8),
        np.zeros(num_blocks, np.int32),
        np.zeros(num_blocks, np.uint8),
        np.zeros((2, 256), np.int64),
        np.zeros(html_rows.MAX_COLUMNS, np.int64),
        np.zeros(block_words.NAME_WORDS, np.int64),
        np.zeros((1 + block_words.ROLES, num_nodes), np.int64),
    )


def groups(offsets: Offsets) -> Iterator[tuple[int, int]]:
    """Pages cut into runs of about `GROUP_BYTES`; a larger page is a run of its own."""
    first, num = 0, len(offsets) - 1
    while first < num:
        last = int(np.searchsorted(offsets, offsets[first] + GROUP_BYTES, "right")) - 1
        last = min(num, max(first + 1, last))
        yield first, last
        first = last
