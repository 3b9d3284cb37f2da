"""Tallies: what a report adds to the ledger, as named numbers, so that the reports of many files add up unread.

A worker takes the tally of the report it made; the driver adds tallies up, an array each, and keeps the sums beside the
manifest (`pipeline.store.facts`). `ledger.Counted` gives them to `ledger.add_up` in the place of the reports, with the
two numbers of every file that must agree with those of the product before it. What does not agree is found again, and
named, by the reports themselves.

A name is the JSON list of a field of `Ledger` and a key in it; its numbers are `WIDTH`, the last ones 0 where the field
has fewer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.report import ledger as ledgers
from stages.report.ledger import COUNTERS, WIDTHS, ConservationError, Ledger
from stages.reports import DocumentsReport, KeptReport, TokensReport

WIDTH = 4
READING = ("files", "records", "pages", "raw_bytes", "text_bytes", "quarantined", "bad")
"""Counts of a source in `Reading`."""


@dataclass(frozen=True)
class Tally:
    """Names, a line each, with `WIDTH` int64 for each of them; and the two numbers that give the file's size."""

    names: str
    numbers: bytes
    rows: int
    text_bytes: int


def documents(report: DocumentsReport) -> Tally | None:
    """Tally of a report of `documents`; what it lists stays in it."""
    return _taken(lambda ledger: ledgers.add_documents(ledger, report), report["rows"], report["text_bytes"])


def kept(report: KeptReport) -> Tally | None:
    """Tally of a report of `kept`: ``rows`` and ``text_bytes`` are those `documents` must have; None: it is wrong."""
    size = sum(group["text_bytes"] for group in report["groups"])
    return _taken(lambda ledger: ledgers.add_kept(ledger, report, "", report["rows"], size), report["rows"], size)


def tokens(report: TokensReport) -> Tally | None:
    """Tally of a report of `tokens`: ``rows`` are the pages that `kept` must keep."""
    whole = report["rows"] - report.get("further_pieces", 0) + report.get("empty_documents", 0)
    return _taken(lambda ledger: ledgers.add_tokens(ledger, report, "", whole), whole, 0)


def _taken(add: Callable[[Ledger], Any], rows: int, text_bytes: int) -> Tally | None:
    ledger = Ledger()
    try:
        add(ledger)
    except ConservationError:
        return None
    named = dict(_named(ledger))
    numbers = np.zeros((len(named), WIDTH), np.int64)
    for row, values in zip(numbers, named.values(), strict=True):
        row[: len(values)] = values
    return Tally("\n".join(named), numbers.tobytes(), rows, text_bytes)


def _named(ledger: Ledger) -> Iterator[tuple[str, list[int]]]:
    for field in WIDTHS:
        for key, values in getattr(ledger, field).items():
            yield _name(field, key), values
    for field in COUNTERS:
        for key, value in getattr(ledger, field).items():
            yield _name(field, key), [value]
    for source, reading in ledger.sources.items():
        for what in READING:
            yield _name("sources", (source, what)), [getattr(reading, what)]
        for reason, counts in reading.dropped.items():
            yield _name("dropped", (source, reason)), counts
    for source, made in ledger.transforms.items():
        for what, count in made.items():
            yield _name("transforms", (source, what)), [count]
    for rule in sorted(ledger.active):
        yield _name("active", rule), [1]
    for domain, lengths in ledger.lengths.items():
        for number in np.flatnonzero(lengths):
            yield json.dumps(["lengths", domain, int(number)]), [int(lengths[number])]


def _name(field: str, key: Any) -> str:
    return json.dumps([field, *(key if isinstance(key, tuple) else (key,))])
