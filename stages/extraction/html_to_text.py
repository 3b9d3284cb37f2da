"""HTML pages to their main text, or to all their visible text, a batch at a time.

For `stages.documents`, which decodes a page to UTF-8 and offers this as an extractor. `main_text` takes a ``large_binary``
column (or data and offsets) and gives a column of texts, row for row. Method: one pass cuts the page into blocks (`blocks`), two small classifiers with words between them
decide which of them are its text (`features`, `trees`, `block_words`, trained by `tools.train_extractor`), the chosen ones are written (`text`).

Any bytes may come in: what is not UTF-8 becomes U+FFFD first, at the cost of a copy. Price: see
``docs/decisions/extraction.md``. Limits: of CSS only what hides an element, in its own ``style`` and in simple rules of the page's
`style` elements (`style_sheets`), no scripts; text that
only a script shows is taken from the state that the page carries (`page_state`) where it shows none itself.
"""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.contract import StageParams
from stages.extraction import page_state
from stages.extraction.model import Model, load_model
from stages.extraction.scanning import Scanned, Scanner, Table, groups
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.html import text as html_text

VERSION = 18
_HTML_TO_TEXT = 3
"""Room is made for a byte of text for so many of HTML; more when it is needed."""
_MUCH_MORE = 3
_held = threading.local()


class ExtractionParams(StageParams):
    """``markdown``: headings, quotes, code and tables marked as in Markdown. ``strictness``: added to the score a block
    needs, in 32nds of a logit; higher keeps less."""

    markdown: bool = False
    strictness: int = 0


def valid_utf8(pages: pa.Array | tuple[Bytes, Offsets]) -> tuple[Bytes, Offsets]:
    """Data and offsets of a column of pages; bytes that are not UTF-8 are replaced by U+FFFD."""
    if isinstance(pages, tuple):
        data, offsets = pages
        base = pa.py_buffer(np.ascontiguousarray(data[offsets[0] : offsets[-1]]))
        starts = pa.py_buffer(np.ascontiguousarray(offsets - offsets[0]))
        pages = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, [None, starts, base])
    try:
        pages.cast(pa.large_string())
    except pa.ArrowInvalid:
        repaired = [(page or b"").decode("utf-8", "replace").encode() for page in pages.to_pylist()]
        pages = pa.array(repaired, pa.large_binary())
    return text_buffers(pages)


def _scanner() -> Scanner:
    """This thread's scanner: its tables take ten milliseconds to make."""
    if not hasattr(_held, "scanner"):
        _held.scanner = Scanner()
    scanner: Scanner = _held.scanner
    return scanner


class _Output:
    """The text of a batch as it grows: written where it stays."""

    def __init__(self, num_pages: int, size: int) -> None:
        self.offsets = np.zeros(num_pages + 1, np.int64)
        self.data = np.empty(size, np.uint8)
        self.num_pages = self.num_bytes = 0

    def room(self, size: int) -> Bytes:
        """Buffer for the next ``size`` bytes."""
        if len(self.data) < self.num_bytes + size:
            grown = np.empty(2 * (self.num_bytes + size), np.uint8)
            grown[: self.num_bytes] = self.data[: self.num_bytes]
            self.data = grown
        return self.data[self.num_bytes :]

    def add(self, written: int, ends: Table) -> None:
        """``written`` bytes were, of pages that end at ``ends``."""
        first = self.num_pages + 1
        self.offsets[first : first + len(ends)] = ends + self.num_bytes
        self.num_pages += len(ends)
        self.num_bytes += written

    def column(self) -> pa.LargeStringArray:
        """All pages. A buffer far from full is cut to what was written."""
        data = self.data[: self.num_bytes]
        if 2 * self.num_bytes < len(self.data):
            data = data.copy()
        return pa.LargeStringArray.from_buffers(self.num_pages, pa.py_buffer(self.offsets), pa.py_buffer(data))


def _write(
    scanner: Scanner,
    data: Bytes,
    s: Scanned,
    params: ExtractionParams,
    model: Model,
    keep_all: bool,
    out: Bytes,
    ends: Table,
) -> int:
    one, two, words, m = model.first, model.second, model.words, scanner.measures(s)
    return int(
        html_text.write_pages(
            data, s.text, s.blocks, s.nodes, s.pages, scanner.logs, m.measures, m.inherited, m.slots, m.titles, m.layout, m.features,
            one.features_TK, one.limits_TK, one.planes_TP, one.bias, two.features_TK, two.limits_TK, two.planes_TP, two.bias,
            words.text_W, words.names_W, words.biases_2, words.roots, m.places, m.held, m.sums, m.scores, model.odds_256, m.tally, m.columns, params.strictness, keep_all, params.markdown, out, ends,
        )
    )  # fmt: skip


def _extract(
    pages: pa.Array | tuple[Bytes, Offsets],
    params: ExtractionParams,
    model: Model,
    keep_all: bool = False,
    is_utf8: bool = False,
) -> pa.LargeStringArray:
    """The text of each page."""
    data, offsets = text_buffers(pages) if is_utf8 else valid_utf8(pages)
    scanner = _scanner()
    output = _Output(len(offsets) - 1, int(offsets[-1] - offsets[0]) // _HTML_TO_TEXT + 4096)
    for first, last in groups(offsets):
        scanned = scanner.scan(data, offsets, first, last)
        out = output.room(html_text.room(scanned.num_bytes, scanned.num_blocks, scanned.num_nodes))
        ends = np.empty(last - first, np.int64)
        output.add(_write(scanner, data, scanned, params, model, keep_all, out, ends), ends)
    return output.column() if keep_all else _from_state(output.column(), data, offsets, params, model)


def _from_state(
    text: pa.LargeStringArray, data: Bytes, offsets: Offsets, params: ExtractionParams, model: Model
) -> pa.LargeStringArray:
    """Pages that show next to nothing get the text of the state they carry, if that says `_MUCH_MORE`."""
    sizes = np.diff(np.frombuffer(text.buffers()[1], np.int64)[: len(text) + 1])
    found: dict[int, str] = {}

    def read(html: bytes) -> str:
        page = pa.array([html], pa.large_binary())
        main = _extract(page, params, model, keep_all=True)
        return str(main[0].as_py())

    for row in np.flatnonzero((sizes < page_state.MIN_TEXT) & (np.diff(offsets) > page_state.MIN_TEXT)).tolist():
        carried = page_state.text_of_state(data[offsets[row] : offsets[row + 1]].tobytes(), read)
        if len(carried.encode()) >= _MUCH_MORE * sizes[row]:
            found[row] = carried
    if not found:
        return text
    mask = np.zeros(len(text), bool)
    mask[list(found)] = True
    return pc.replace_with_mask(
        text, pa.array(mask), pa.array([found[row] for row in sorted(found)], pa.large_string())
    )


def main_text(
    pages: pa.Array | tuple[Bytes, Offsets], params: ExtractionParams | None = None, is_utf8: bool = False
) -> pa.LargeStringArray:
    """Main text of each page, ``""`` where there is none. With ``is_utf8`` the caller vouches for a column without nulls."""
    return _extract(pages, params or ExtractionParams(), load_model(), is_utf8=is_utf8)


def all_text(pages: pa.Array | tuple[Bytes, Offsets], params: ExtractionParams) -> pa.LargeStringArray:
    """All text of each page that is not script, style, comment, template, drop-down, text field, drawing or hidden."""
    return _extract(pages, params, load_model(), keep_all=True)
