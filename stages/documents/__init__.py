"""`documents`: one row a page, with its extracted text, written once and read by every later stage.

In: one `Split` of a source (WARC, ARC, WET, WACZ, JSON Lines, CSV, Parquet, Arrow, tar, zip, HTML, Markdown, text, PDF,
DOCX and EPUB files, MediaWiki dumps; gzip, zstd, LZ4, bz2, xz; local, S3, GCS, the Hugging Face Hub, HTTPS). Out:
batches of `schemas.DOCUMENTS`, at most 1,024 rows and about 16 MB of HTML each, in the order of the file, and an
account in which every record is a row, dropped with a reason, or quarantined with its position. A page whose text is
empty is a row; `kept` decides about it.

Method: `containers` opens files and hands them to a reader (`members` and `records` for archives, `tables`, `files`,
`dumps`); HTTP bodies (`http`), charsets (`charsets`), what a page says of itself (`page`), text through the extraction
seam (`extraction`), rows (`batches`). The same bytes always give the same rows: nothing depends on time, machine or
how the input is divided.

Price: reading about 300 MB/s of payload and core, plus the extractor. Memory: a few batches, whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from stages.contract import Split, StageParams
from stages.documents import office, pdf
from stages.documents.account import Account
from stages.documents.allocator import keep_freed_memory
from stages.documents.batches import MAX_ROWS, Batches, doc_id
from stages.documents.containers import pages_of_split, raw_record
from stages.documents.extraction import EXTRACTORS, LINEAR, WRITES_MARKDOWN, extractor, versions
from stages.documents.media_types import is_type
from stages.documents.page import Page
from stages.documents.tables import ColumnError, carried_names
from stages.reports import DocumentsReport
from stages.rules import own_functions
from stages.rules.names import nearest

__all__ = ["VERSION", "ColumnError", "Params", "doc_id", "identity", "positions", "prepare", "raw_record", "read"]

VERSION = 25


SHORT = {"pdf": pdf.TYPE, **{name: kind for kind, name in office.TYPES.items()}}
"""Short names of types that `text_types` may have."""


class Params(StageParams):
    """Settings of reading. ``format`` and ``columns`` come from the source's entry (`SourceParams.reading`)."""

    extractor: str = "gristmill"
    """`gristmill`, `resiliparse`, `full_text`, `trafilatura`, or a function of your own as `module:function`, the
    module beside this file ([extending.md](extending.md))."""
    markdown: bool = False
    """Headings begin with `#`, quotes with `>`, code is fenced with its language, tables have bars and a rule;
    `extractor: gristmill` alone writes it. Formulas as TeX, list numbers and whole rows of tables are in the text
    either way."""
    max_html_bytes: int = Field(5 << 20, ge=1 << 10, le=1 << 30)
    """A page is cut here and noted `over_limit`; what compression hides beyond it is never inflated."""
    max_depth: int = Field(512, ge=16)
    """Pages whose elements nest deeper are dropped (`nested_too_deep`), unless the extractor is `gristmill`: the time
    of the others grows with the square. Browsers' limit."""
    max_record_bytes: int = Field(64 << 20, ge=1 << 16, le=1 << 31)
    """Bytes of one archive record or JSON line that are held; the rest of a record is read past."""
    text_types: tuple[str, ...] = ()
    """Media types beside HTML whose body is taken as text, such as `text/plain`; `application/pdf`, or `pdf`
    for short, takes the text layer of PDFs (an extra: `pip install gristmill[pdf]`), `application/epub+zip`, or `epub`,
    the text of EPUB books, and `application/vnd.openxmlformats-officedocument.wordprocessingml.document`, or `docx`,
    that of DOCX; files of their suffixes in folders as well."""
    format: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    missing: Literal["fail", "skip"] = "fail"

    @field_validator("extractor")
    @classmethod
    def _known(cls, name: str) -> str:
        if own_functions.is_own(name):
            return own_functions.checked(name)
        if name not in EXTRACTORS:
            near = nearest(name, EXTRACTORS)
            raise ValueError(f"expected {', '.join(EXTRACTORS)}, or module:function, found {name!r}{near}")
        return name

    @field_validator("text_types")
    @classmethod
    def _can_be_read(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        types = tuple(SHORT.get(one.lower(), one.lower()) for one in types)
        for one in types:
            if not is_type(one):
                known = ("text/plain", *SHORT)
                raise ValueError(f"expected a media type such as text/plain, found {one!r}{nearest(one, known)}")
        if pdf.TYPE in types:
            try:
                pdf.library()
            except ImportError as error:
                raise ValueError(str(error)) from error
        return types

    @model_validator(mode="after")
    def _markdown_is_written(self) -> Params:
        if self.markdown and self.extractor not in WRITES_MARKDOWN:
            raise ValueError(f"markdown: expected `extractor: gristmill`, which writes it; found `{self.extractor}`")
        return self


def identity(params: Params) -> dict[str, Any]:
    """Everything beside the parameters that decides the rows: versions of the libraries that make text."""
    own = params.format if params.format is not None and own_functions.is_own(params.format) else None
    return (
        versions(params.extractor)
        | (pdf.identity() if pdf.TYPE in params.text_types else {})
        | (office.identity() if set(office.TYPES) & set(params.text_types) else {})
        | ({"format": own_functions.identity(own, {})} if own is not None else {})
    )


def positions(split: Split, params: Params) -> list[int]:
    """Positions of the split's candidate pages, in order: what `read` would hand to the extractor. Extracts nothing.

    A position is the page's offset, plus the number of its file in the split times 2**48.
    """
    return [page.position for page in pages_of_split(split, params, Account(split.file))]


@dataclass
class Reader:
    """Batches of one split: iterate it once, then take the account of what made no row (`contract.DocumentReader`).

    Attributes:
        skip: positions of records to quarantine unread, because they killed a process before.
        window: read only the pages numbered [first, last) in the order of `positions`; the others are passed over and
            not counted.
        max_rows: rows of a batch.
        step: called before each piece of work of a bounded size, with the number of the page taken up last: before a
            page is looked at, and before a few of them are extracted.
    """

    split: Split
    params: Params
    _: KW_ONLY
    skip: frozenset[int] = frozenset()
    window: tuple[int, int] | None = None
    max_rows: int = MAX_ROWS
    step: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        self.number = 0
        self.account = Account(self.split.file)
        self._finished = False

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._finished or self.account.records:
            raise RuntimeError(f"{self.split.file}: a reader is read once")
        keep_freed_memory()
        extract = extractor(self.params.extractor, self.params.markdown)
        max_depth = None if self.params.extractor in LINEAR else self.params.max_depth
        step = (lambda: self.step(self.number)) if self.step is not None else None  # type: ignore[misc]
        carried = carried_names(self.params.columns) + (pdf.COLUMNS if pdf.TYPE in self.params.text_types else ())
        batches = Batches(self.split.source, extract, self.account, max_depth, self.max_rows, step, carried)
        for page in self._chosen():
            if batches.add(page):
                batch = batches.flush()
                if batch is not None:
                    yield batch
        batch = batches.flush()
        if batch is not None:
            yield batch
        self._finished = True

    def _chosen(self) -> Iterator[Page]:
        first, last = self.window if self.window is not None else (0, None)
        for number, page in enumerate(pages_of_split(self.split, self.params, self.account)):
            if number < first:
                continue
            if last is not None and number >= last:
                return
            if page.position in self.skip:
                self.account.quarantine(page.offset, "killed_the_process", page.raw_bytes)
                continue
            self.number = number
            if self.step is not None:
                self.step(number)
            yield page

    @property
    def report(self) -> DocumentsReport:
        if not self._finished:
            raise RuntimeError(f"{self.split.file}: the report is there when all batches have been read")
        return self.account.report()


read = Reader
