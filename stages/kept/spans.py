"""Spans of several views put together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages import schemas
from stages.kept.params import Params, span_columns

_TYPE = schemas.KEPT.field("spans").type


def merged_spans(pages: pa.Table, params: Params) -> pa.Array:
    """For each page the spans of all views of ``params``, sorted, not overlapping; null where there are none.

    Of spans that overlap, one span is left: it begins with the earliest, ends with the last, and has the replacement
    of the one that begins first (of two that begin together, of the longer one).
    """
    columns = [pages.column(name) for name in span_columns(params)]
    if len(columns) == 1 and columns[0].type == _TYPE:  # one view's spans are in order
        found = columns[0].combine_chunks()
        return pc.if_else(pc.greater(found.value_lengths(), 0), found, pa.scalar(None, _TYPE))
    rows: list[list[dict[str, Any]] | None] = [None] * pages.num_rows
    some = np.zeros(pages.num_rows, np.bool_)
    for column in columns:
        some |= column.combine_chunks().value_lengths().fill_null(0).to_numpy(zero_copy_only=False) > 0
    for row in np.flatnonzero(some).tolist():
        spans = [span for column in columns for span in column[row].as_py() or []]
        rows[row] = merge([(span["start"], span["stop"], _text(span, params)) for span in spans])
    return pa.array(rows, _TYPE)


def _text(span: dict[str, Any], params: Params) -> str:
    text: str = span["replacement"] if "replacement" in span else params.redaction[span["kind"]]
    return text


def merge(spans: list[tuple[int, int, str]]) -> list[dict[str, Any]]:
    """See `merged_spans`."""
    merged: list[dict[str, Any]] = []
    for start, stop, replacement in sorted(spans, key=lambda span: (span[0], -span[1], span[2])):
        if merged and start < merged[-1]["stop"]:
            merged[-1]["stop"] = max(merged[-1]["stop"], stop)
        else:
            merged.append({"start": start, "stop": stop, "replacement": replacement})
    return merged


def all_cut(spans: pa.Array, text_bytes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Pages of which the spans leave nothing but white space of their own replacements."""
    cut = np.zeros(len(spans), np.bool_)
    for row in np.flatnonzero(spans.is_valid().to_numpy(zero_copy_only=False)).tolist():
        page = spans[row].as_py()
        covered = sum(span["stop"] - span["start"] for span in page)
        cut[row] = covered == text_bytes[row] and not "".join(span["replacement"] for span in page).strip()
    return cut
