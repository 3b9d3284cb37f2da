"""The ledger of a run: counts of all files added up, and the check that nothing got lost between products.

Input are the reports that stand inside the product files (`stages.reports`), one per split and product, in the same
order.

Rows are conserved, per file and in all: records = pages + dropped + quarantined; pages = kept + dropped per reason, in
documents and in bytes of text; kept = tokenized + left with no text. A file that breaks this raises
`ConservationError`, which names the product, the file and the two numbers.

Price: a few microseconds per group of a file, nothing where the sums are given (`Counted`); memory grows with the
number of different groups, not of files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from stages.kernels.columns import bins
from stages.kernels.columns.bins import Counts
from stages.reports import DocumentsReport, KeptReport, TokensReport

R = TypeVar("R")
WIDTHS = {"pages": 2, "tokens": 3, "failed": 4, "asked": 3, "views": 3}
"""Fields of a ledger that map a key to a list of numbers, and how many."""
COUNTERS = ("pieces", "entries", "redacted", "slow_files", "content_types", "notes")
MAX_LISTED = 100
"""Quarantined records and bad stretches listed in stats.json; all are counted."""

Group = tuple[str, str, str | None, str | None]
"""(source, language, domain, reason); domain is None for a page that belongs to none, reason for a kept one."""


class ConservationError(Exception):
    """Rows or bytes got lost, or came from nowhere, between two products: our own mistake, never the data's."""


@dataclass
class Reading:
    """Figures of one source from the reports of `documents`."""

    files: int = 0
    records: int = 0
    pages: int = 0
    raw_bytes: int = 0
    text_bytes: int = 0
    quarantined: int = 0
    bad: int = 0
    dropped: dict[str, list[int]] = field(default_factory=dict)
    """reason -> [records, raw bytes]"""


@dataclass
class Ledger:
    """Counts of all files of a run. ``kept`` and ``tokens`` are None while those products are not there."""

    sources: dict[str, Reading] = field(default_factory=dict)
    pages: dict[Group, list[int]] = field(default_factory=dict)
    """group -> [documents, bytes of text]"""
    tokens: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    """(source, language, domain) -> [documents, bytes of the text that was tokenized, tokens]"""
    pieces: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Pieces beyond the first of each page among the documents tokenized."""
    lengths: dict[str, Counts] = field(default_factory=dict)
    """domain -> documents by number of tokens, in the bins ``counts``"""
    failed: dict[str, list[int]] = field(default_factory=dict)
    """rule -> [documents that fail it, their bytes, those it is the reason of, those that fail nothing else]"""
    active: set[str] = field(default_factory=set)
    """Rules that were on for some page."""
    entries: Counter[str] = field(default_factory=Counter)
    """Entries of lists of addresses -> pages under them, at least: each file names its most common ones."""
    asked: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    """(source, language, rule) -> [pages that their service asks not to use, bytes of text, those that fail nothing
    else]"""
    views: dict[str, list[int]] = field(default_factory=dict)
    """view -> [kept documents it changes, spans, bytes cut or replaced]"""
    transforms: dict[str, Counter[str]] = field(default_factory=dict)
    """Counts by transform: pages it may take and takes, those of which nothing was made, texts that became a page and
    that did not, and quarantined pages by reason"""
    redacted: Counter[str] = field(default_factory=Counter)
    """View and kind (of personal data, of rules of one's own) -> places cut or replaced in kept pages."""
    listed: list[dict[str, Any]] = field(default_factory=list)
    content_types: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    tokenizer: dict[str, Any] | None = None
    slow_files: Counter[str] = field(default_factory=Counter)
    """Number of files that were tokenized by the reference library, by reason."""
    has_kept: bool = False
    has_tokens: bool = False


@dataclass(frozen=True)
class Counted(Generic[R]):
    """The reports of all files of a product as they were added up when they came (`stages.report.tally`)."""

    counts: Mapping[str, list[int]]
    rows: npt.NDArray[np.int64]
    """Pages by file that the product before it must have for it; for `documents` those it has."""
    text_bytes: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    """Pages that stay by file of `kept`."""
    reports: Callable[[], Iterable[R]]
    """The reports one by one, where the sums are not enough."""
    listing: npt.NDArray[np.bool_] | None = None
    """Whether there is something to list, by file of `documents`."""


@dataclass(frozen=True)
class Files:
    """Pages and bytes of text by file of `documents`, and on demand its name."""

    rows: npt.NDArray[np.int64]
    text_bytes: npt.NDArray[np.int64]
    names: Callable[[], Sequence[str]]


def add_up(
    documents: Iterable[DocumentsReport] | Counted[DocumentsReport],
    kept: Iterable[KeptReport] | Counted[KeptReport],
    tokens: Iterable[TokensReport] | Counted[TokensReport],
) -> Ledger:
    """Add up the reports of all files and check every file; ``kept`` and ``tokens`` may be none (not made yet).

    Raises:
        ConservationError: at the first file whose counts do not add up.
    """
    ledger = Ledger()
    files = _add_all_documents(ledger, documents)
    left = _add_all_kept(ledger, kept, files)
    if len(left):
        ledger.has_kept = True
        _equal("kept", "all files", "files", len(files.rows), len(left))
    num_tokens = _add_all_tokens(ledger, tokens, files, left)
    if num_tokens:
        ledger.has_tokens = True
        measured = sum(int(counts.sum()) for counts in ledger.lengths.values())
        if measured:
            _equal(
                "tokens",
                "all files",
                "documents by length",
                sum(found[0] for found in ledger.tokens.values()),
                measured,
            )
        _equal("tokens", "all files", "files", len(left), num_tokens)
        _check_groups(ledger)
    return ledger


def _add_all_documents(ledger: Ledger, documents: Iterable[DocumentsReport] | Counted[DocumentsReport]) -> Files:
    """Add every file."""
    if isinstance(documents, Counted):
        add_sums(ledger, documents.counts)
        if documents.listing is not None and documents.listing.any():
            for report, listed in zip(documents.reports(), documents.listing.tolist(), strict=True):
                if listed:
                    list_places(ledger, report)
                if len(ledger.listed) == MAX_LISTED:
                    break
        reports = documents.reports
        return Files(documents.rows, documents.text_bytes, lambda: [name_of(report) for report in reports()])
    names, rows, sizes = [], [], []
    for report in documents:
        add_documents(ledger, report)
        list_places(ledger, report)
        names.append(name_of(report))
        rows.append(report["rows"])
        sizes.append(report["text_bytes"])
    return Files(np.array(rows, np.int64), np.array(sizes, np.int64), lambda: names)


def _add_all_kept(
    ledger: Ledger, kept: Iterable[KeptReport] | Counted[KeptReport], files: Files
) -> npt.NDArray[np.int64]:
    """Add every file; of each the pages that stay."""
    if isinstance(kept, Counted):
        if np.array_equal(kept.rows, files.rows) and np.array_equal(kept.text_bytes, files.text_bytes):
            add_sums(ledger, kept.counts)
            return kept.left
        kept = kept.reports()
    left: list[int] = []
    names: Sequence[str] = ()
    for index, report in enumerate(kept):
        if index == len(files.rows):
            raise ConservationError(f"kept: there are more than the {index} files of documents")
        names = names or files.names()
        left.append(add_kept(ledger, report, names[index], int(files.rows[index]), int(files.text_bytes[index])))
    return np.array(left, np.int64)


def _add_all_tokens(
    ledger: Ledger, tokens: Iterable[TokensReport] | Counted[TokensReport], files: Files, left: npt.NDArray[np.int64]
) -> int:
    """Add every file; how many there are."""
    if isinstance(tokens, Counted):
        if np.array_equal(tokens.rows, left):
            add_sums(ledger, tokens.counts)
            ledger.tokenizer = next((dict(one["tokenizer"]) for one in tokens.reports() if "tokenizer" in one), None)
            return len(left)
        tokens = tokens.reports()
    num_tokens = 0
    names: Sequence[str] = ()
    for index, tokenized in enumerate(tokens):
        if index == len(left):
            raise ConservationError(f"tokens: there are more than the {len(left)} files of kept")
        names = names or files.names()
        add_tokens(ledger, tokenized, names[index], int(left[index]))
        num_tokens += 1
    return num_tokens


def add_sums(ledger: Ledger, counts: Mapping[str, list[int]]) -> None:
    """Add sums by name: a name is the JSON list of a field of a ledger and a key in it."""
    for name, values in counts.items():
        field, *parts = json.loads(name)
        key = tuple(parts) if len(parts) > 1 else parts[0]
        if field in WIDTHS:
            add_counts(getattr(ledger, field), key, *values[: WIDTHS[field]])
        elif field in COUNTERS:
            getattr(ledger, field)[key] += values[0]
        elif field == "active":
            ledger.active.add(parts[0])
        elif field == "sources":
            source, what = parts
            found_source = ledger.sources.setdefault(source, Reading())
            setattr(found_source, what, getattr(found_source, what) + values[0])
        elif field == "dropped":
            source, reason = parts
            add_counts(ledger.sources.setdefault(source, Reading()).dropped, reason, *values[:2])
        elif field == "transforms":
            source, what = parts
            ledger.transforms.setdefault(source, Counter())[what] += values[0]
        else:
            domain, number = parts
            found = ledger.lengths.setdefault(domain, bins.unpacked("counts", {"first": 0, "counts": []}))
            found[number] += values[0]


def _equal(product: str, where: str, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise ConservationError(f"{product}: {where}: expected {expected:,} {what}, found {found:,}")


def name_of(report: DocumentsReport) -> str:
    """Name of a file of `documents` in errors."""
    return f"{report['source']}/{report['file']}" if "file" in report else report["source"]


def list_places(ledger: Ledger, report: DocumentsReport) -> None:
    """List the quarantined records and bad stretches of a file, as long as there is room."""
    for kind, places in (("quarantined", report["quarantined"]), ("bad", report["bad"])):
        for place in places[: MAX_LISTED - len(ledger.listed)]:
            origin = {"source": report["source"], "file": str(place.get("file", report.get("file", "")))}
            ledger.listed.append({**origin, "offset": place["offset"], "reason": place["reason"], "kind": kind})


def add_documents(ledger: Ledger, report: DocumentsReport) -> None:
    """Add what one file counts."""
    source = report["source"]
    dropped = sum(entry["records"] for entry in report["dropped"].values())
    quarantined = report.get("num_quarantined", len(report["quarantined"]))
    _equal("documents", name_of(report), "records in all", report["records"], report["rows"] + dropped + quarantined)
    reading = ledger.sources.setdefault(source, Reading())
    reading.files += 1
    reading.records += report["records"]
    reading.pages += report["rows"]
    reading.raw_bytes += report["raw_bytes"]
    reading.text_bytes += report["text_bytes"]
    reading.quarantined += quarantined
    reading.bad += report.get("num_bad", len(report["bad"]))
    for reason, entry in report["dropped"].items():
        add_counts(reading.dropped, reason, entry["records"], entry["bytes"])
    ledger.content_types.update(report.get("content_types", {}))
    ledger.notes.update(report.get("notes", {}))
    if "parents" in report:
        found = ledger.transforms.setdefault(source, Counter())
        nothing = sum(report["dropped"].get(r, {"records": 0})["records"] for r in ("made_nothing", "taken_down"))
        found.update(parents=report["parents"], taken=report["parents_taken"], made=report["rows"])
        found.update(nothing=nothing, left_out=dropped - nothing)
        found.update(report["reasons"])


def add_kept(ledger: Ledger, report: KeptReport, name: str, rows: int, text_bytes: int) -> int:
    """Add one file; returns how many of its pages are kept."""
    groups = report["groups"]
    _equal("kept", name, "rows", rows, report["rows"])
    _equal("kept", name, "documents in its groups", rows, sum(group["documents"] for group in groups))
    _equal("kept", name, "bytes of text in its groups", text_bytes, sum(group["text_bytes"] for group in groups))
    stay = 0
    for group in groups:
        reason = group["reason"]
        if reason is None:
            stay += group["documents"]
        key = (group["source"], group["language"], group["domain"], reason)
        add_counts(ledger.pages, key, group["documents"], group["text_bytes"])
    _equal("kept", name, "kept pages in its groups", report["kept"], stay)
    ledger.active.update(report["rules"])
    for rule, fails in report["failed"].items():
        add_counts(ledger.failed, rule, fails["documents"], fails["text_bytes"], fails["first"], fails["alone"])
    ledger.entries.update(report.get("entries", {}))
    for row in report.get("asked", []):
        place = (row["source"], row["language"], row["rule"])
        add_counts(ledger.asked, place, row["documents"], row["text_bytes"], row["alone"])
    for view, cut in report.get("views", {}).items():
        add_counts(ledger.views, view, cut["documents"], cut["spans"], cut["bytes"])
        ledger.redacted.update({f"{view}: {kind}": spans for kind, spans in cut.get("kinds", {}).items()})
    return int(report["kept"])


def add_tokens(ledger: Ledger, report: TokensReport, name: str, kept: int) -> None:
    groups = report["groups"]
    whole = report["rows"] - report.get("further_pieces", 0)
    _equal("tokens", name, "documents", kept, whole + report.get("empty_documents", 0))
    _equal("tokens", name, "documents in its groups", report["rows"], sum(group["documents"] for group in groups))
    _equal("tokens", name, "tokens in its groups", report["tokens"], sum(group["tokens"] for group in groups))
    for group in groups:
        key = (group["source"], group["language"], group["domain"])
        add_counts(ledger.tokens, key, group["documents"], group["text_bytes"], group["tokens"])
        ledger.pieces[key] += group.get("further_pieces", 0)
    for domain, found in report.get("lengths", {}).items():
        counts = bins.unpacked("counts", found)
        ledger.lengths[domain] = ledger.lengths[domain] + counts if domain in ledger.lengths else counts
    if not report.get("fast", True):
        ledger.slow_files[str(report.get("why_slow"))] += 1
    if ledger.tokenizer is None and "tokenizer" in report:
        ledger.tokenizer = dict(report["tokenizer"])


def _check_groups(ledger: Ledger) -> None:
    """No (source, language, domain) has more documents tokenized than kept."""
    for (source, language, domain), (documents, *_) in ledger.tokens.items():
        kept = ledger.pages.get((source, language, domain, None), [0])[0]
        documents -= ledger.pieces[source, language, domain]
        if documents > kept:
            where = f"source {source}, language {language}, domain {domain}"
            raise ConservationError(f"tokens: {where}: {kept:,} pages kept, but {documents:,} tokenized")


def add_counts(into: dict[Any, list[int]], key: Any, *counts: int) -> None:
    found = into.get(key)
    if found is None:
        into[key] = list(counts)
    else:
        for i, count in enumerate(counts):
            found[i] += count
