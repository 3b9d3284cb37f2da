"""Lines of one's own (`lines.rules`): rules that a mixture file names, found in texts as counts and spans.

A line is what stands between line feeds, without the ASCII white space at its ends; one of nothing else is none. A rule
holds of a line when all its conditions do: ``pattern`` (RE2, found anywhere in the line; ``^`` and ``$`` are its ends),
``min_bytes`` and ``max_bytes`` of the line, ``position``. Where the lines that a rule holds of make up more than
``max_share`` of a page's bytes they are counted and not marked: they are what the page is about.

Method: the lines of a batch as one Arrow array, RE2 over it, once a rule: linear in the text, whatever the pattern.
Price: 5 ns a byte for the lines, some 3 a rule (docs/decisions/line-rules.md). Memory: about twice the batch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from stages.contract import StageParams
from stages.kernels.columns.ragged import Bytes, Offsets

Mask = npt.NDArray[np.bool_]
MAX_RULES = 64


class LineRule(StageParams):
    """Conditions of a rule on lines: it holds of lines that meet all those given."""

    pattern: str | None = None
    """An expression of RE2 that is found in the line; `(?i)` for any case."""
    min_bytes: int = Field(default=1, ge=1)
    """Bytes of the line without the white space around it, at least."""
    max_bytes: int | None = Field(default=None, ge=1)
    """Bytes of the line without the white space around it, at most."""
    position: Literal["head", "tail", "any"] = "any"
    """Place of the line: among the first `edge_lines` lines of the page that have text, the last, or anywhere."""
    edge_lines: int = Field(default=10, ge=1)
    """Number of lines in the head, and in the tail."""
    max_share: float = Field(default=1.0, gt=0, le=1)
    """Largest share of a page's bytes in such lines with which they are marked; beyond it they are only counted."""
    cut: bool = True
    """Whether the view `without_own_lines` cuts them."""

    @model_validator(mode="after")
    def _says_something(self) -> LineRule:
        if not self.pattern and self.max_bytes is None and self.min_bytes == 1:
            raise ValueError("expected a pattern, min_bytes or max_bytes: this rule would hold of every line")
        if self.max_bytes is not None and self.max_bytes < self.min_bytes:
            raise ValueError(f"max_bytes {self.max_bytes} is below min_bytes {self.min_bytes}: no line is both")
        if self.pattern is not None:
            try:
                pc.match_substring_regex(pa.array([""]), self.pattern)
            except pa.ArrowInvalid as error:
                raise ValueError(f"pattern: {self.pattern!r} is no expression of RE2: {error}") from error
        return self


def check_rules(rules: Mapping[str, LineRule]) -> dict[str, LineRule]:
    """The rules, sorted by name.

    Raises:
        ValueError: a name that can be no column, or too many.
    """
    for name in rules:
        if not re.fullmatch("[a-z][a-z0-9_]*", name) or name == "spans":
            raise ValueError(f"expected small letters, digits and _ in the name of a rule, found {name!r}")
    if len(rules) > MAX_RULES:
        raise ValueError(f"expected at most {MAX_RULES} rules, found {len(rules)}")
    return dict(sorted(rules.items()))


class Lines(NamedTuple):
    """Lines with text; those of document d: ``lines_D1[d]:lines_D1[d + 1]``. ``starts_L`` and ``stops_L``: bytes of
    data, white space and the line feed behind taken in."""

    lines_D1: Offsets
    starts_L: npt.NDArray[np.int64]
    stops_L: npt.NDArray[np.int64]
    texts: pa.Array
    """Without white space around them."""
    sizes_L: npt.NDArray[np.int64]
    """Bytes of these."""


def lines_of(data: Bytes, offsets: Offsets) -> Lines:
    """The lines of every document of (data, offsets)."""
    first, last = int(offsets[0]), int(offsets[-1])
    feeds = np.flatnonzero(data[first:last] == 10) + first + 1
    bounds = np.sort(np.concatenate((feeds, offsets)), kind="stable")  # two rising runs: merged
    bounds = bounds[np.flatnonzero(np.diff(bounds, prepend=first - 1))]
    buffers = [None, pa.py_buffer(bounds.astype(np.int64)), pa.py_buffer(np.ascontiguousarray(data))]
    whole = pa.Array.from_buffers(pa.large_string(), len(bounds) - 1, buffers)
    texts = pc.ascii_trim_whitespace(whole)
    sizes = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    full = np.flatnonzero(sizes)
    starts, stops = bounds[:-1][full], bounds[1:][full]
    lines_D1 = np.searchsorted(starts, offsets).astype(np.int64)
    return Lines(lines_D1, starts, stops, texts.take(pa.array(full)), sizes[full])


class Found(NamedTuple):
    """Lines of which a rule holds, those of them to mark, and per document their number and bytes."""

    holds_L: Mask
    marks_L: Mask
    counts_D: npt.NDArray[np.int64]
    bytes_D: npt.NDArray[np.int64]


def find(rule: LineRule, lines: Lines, text_bytes_D: npt.NDArray[np.int64]) -> Found:
    """The lines of which a rule holds."""
    holds = lines.sizes_L >= rule.min_bytes
    if rule.max_bytes is not None:
        holds &= lines.sizes_L <= rule.max_bytes
    counts = np.diff(lines.lines_D1)
    if rule.position != "any":
        first = np.repeat(lines.lines_D1[:-1], counts)
        place = np.arange(len(holds)) - first
        if rule.position == "tail":
            place = np.repeat(counts, counts) - 1 - place
        holds &= place < rule.edge_lines
    if rule.pattern is not None:
        rows = np.flatnonzero(holds)
        some = lines.texts if len(rows) == len(holds) else lines.texts.take(pa.array(rows))
        hit = pc.match_substring_regex(some, rule.pattern)
        holds = np.zeros(len(holds), np.bool_)
        holds[rows[hit.to_numpy(zero_copy_only=False)]] = True
    sums = [
        np.diff(np.concatenate(([0], np.cumsum(values)))[lines.lines_D1])
        for values in (holds.astype(np.int64), np.where(holds, lines.sizes_L, 0))
    ]
    much = sums[1] > rule.max_share * text_bytes_D
    return Found(holds, holds & ~np.repeat(much, counts), sums[0], sums[1])
