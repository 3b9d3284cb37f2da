"""`own_lines`: where rules of the mixture's own (`lines.rules`) hold of lines of each page: counts, and spans to cut.

For `kept`, whose view ``without_own_lines`` cuts the spans and whose limits (``above_max_own_lines_NAME_fraction``)
drop by the numbers, and for the report, which shows what was cut and examples of it. Input: `documents` (text). Output,
row for row, of each rule in the order of names

    own_lines_NAME           int32     lines it holds of
    own_lines_NAME_fraction  float32   their share of the text's bytes; null where there is no text
    own_lines_spans          list of `schemas.OWN_SPAN`: the lines to cut, with what stands around them up to the next
                             line, sorted, not overlapping; of several rules the first is named

`stages.rules.line_rules` says what a line is and when a rule holds of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from stages import schemas
from stages.contract import StageParams
from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of, text_buffers
from stages.rules import line_rules
from stages.rules.line_rules import LineRule

VERSION = 1
SPANS = "own_lines_spans"


class Params(StageParams):
    """The rules, by name."""

    rules: dict[str, LineRule] = Field(default={})

    _rules = field_validator("rules")(line_rules.check_rules)


def column(name: str) -> str:
    """The column of a rule's counts."""
    return f"own_lines_{name}"


def schema(params: Params) -> pa.Schema:
    """The columns of these rules."""
    fields = []
    for name in params.rules:
        fields.append(pa.field(column(name), pa.int32(), nullable=False))
        fields.append(pa.field(f"{column(name)}_fraction", pa.float32()))
    return pa.schema([*fields, pa.field(SPANS, pa.list_(schemas.OWN_SPAN), nullable=False)])


def identity(params: Params) -> dict[str, Any]:
    """The library of expressions is Arrow's own."""
    return {"re2": "pyarrow"}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The function returned looks through one batch of `documents`."""
    columns = schema(params)

    def look(batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        return pa.RecordBatch.from_arrays(measure(data, offsets, params), schema=columns)

    return look


def measure(data: Bytes, offsets: Offsets, params: Params) -> list[pa.Array]:
    """The columns of `schema` for the documents of (data, offsets)."""
    sizes = np.diff(offsets)
    lines = line_rules.lines_of(data, offsets)
    arrays: list[pa.Array] = []
    first = np.full(len(lines.starts_L), -1, np.int64)
    for number, rule in enumerate(params.rules.values()):
        found = line_rules.find(rule, lines, sizes)
        arrays.append(pa.array(found.counts_D, pa.int32()))
        share = found.bytes_D / np.maximum(sizes, 1)
        arrays.append(pa.array(share.astype(np.float32), mask=sizes == 0))
        if rule.cut:
            first[found.marks_L & (first < 0)] = number
    return [*arrays, _spans(lines, first, offsets, list(params.rules))]


def _spans(lines: line_rules.Lines, first: Any, offsets: Offsets, names: list[str]) -> pa.Array:
    rows = np.flatnonzero(first >= 0)
    per_line = offsets_of(first >= 0)
    bases = np.repeat(offsets[:-1], np.diff(lines.lines_D1))[rows]
    kinds = pa.array(names, pa.string()).take(pa.array(first[rows])) if len(rows) else pa.array([], pa.string())
    fields = [
        pa.array((lines.starts_L[rows] - bases).astype(np.int32)),
        pa.array((lines.stops_L[rows] - bases).astype(np.int32)),
        pa.array(np.full(len(rows), "", object), pa.string()),
        kinds,
    ]
    flat = pa.StructArray.from_arrays(fields, fields=list(schemas.OWN_SPAN))
    limits = pa.array(per_line[lines.lines_D1].astype(np.int32))
    return pa.ListArray.from_arrays(limits, flat, type=pa.list_(schemas.OWN_SPAN))
