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


def cut_bytes(spans: pa.Array) -> npt.NDArray[np.int64]:
    """Bytes of each page that the spans cut; -1 where a replacement has anything but white space."""
    counts = pc.fill_null(spans.value_lengths(), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    rows, flat = np.repeat(np.arange(len(spans)), counts), spans.flatten()
    sizes = pc.subtract(flat.field("stop"), flat.field("start")).to_numpy(zero_copy_only=False)
    found = np.bincount(rows, weights=sizes, minlength=len(spans)).astype(np.int64)
    seen = pc.not_equal(pc.utf8_trim_whitespace(flat.field("replacement")), "").to_numpy(zero_copy_only=False)
    found[rows[seen.astype(np.bool_)]] = -1
    return found


def all_cut(cut: npt.NDArray[np.int64], text_bytes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Pages of which the spans leave nothing but white space of their own replacements; ``cut`` as of `cut_bytes`."""
    return np.asarray((cut == text_bytes) & (cut > 0))


def half_cut(cut: npt.NDArray[np.int64], text_bytes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Pages of which the spans leave at most as much as they cut: those of which white space may be all that is left.

    What they leave is looked at (`is_blank`); of a page that is white space for the most part it is not.
    """
    return np.asarray((cut > 0) & (cut < text_bytes) & (text_bytes <= 2 * cut))


def is_blank(text: str, spans: list[dict[str, Any]]) -> bool:
    """Whether nothing but white space stands between the spans of a page."""
    data, at = text.encode(), 0
    for span in [*spans, {"start": len(data), "stop": len(data)}]:
        if data[at : span["start"]].decode(errors="replace").strip():
            return False
        at = span["stop"]
    return True
