"""Rows that the records of an index give."""

from __future__ import annotations

from typing import Any

from stages import documents
from stages.sources import SourceParams, list_splits

Rows = list[dict[str, Any]]


def read(params: SourceParams) -> tuple[Rows, list[dict[str, Any]]]:
    """All rows of a source, sorted by file and offset, and the reports of its splits."""
    settings = documents.Params(**params.reading())
    rows, reports = [], []
    for split in list_splits("web", params):
        reader = documents.read(split, settings)
        rows += [row for batch in reader for row in batch.to_pylist()]
        reports.append(reader.report)
    return sorted(rows, key=lambda row: (row["file"], row["offset"])), reports
