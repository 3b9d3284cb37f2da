"""Spans of pages from intervals that may overlap: what is cut for a copy elsewhere, what is kept, and how a cut looks.

Legend: N bytes of data, D pages, I intervals of page d ``intervals_D1[d]:intervals_D1[d + 1]``, by start, S spans
likewise. All places are bytes of the page. An interval is kept where its copy is -1; else it may be cut, because its
text stands at byte ``at`` of that copy. A byte that any interval keeps is never cut.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel

Places = npt.NDArray[np.int64]
CHARACTER, LINE, SENTENCE = range(3)
"""To what a cut is widened."""


class CutSpans(NamedTuple):
    """Spans of page d: ``spans_D1[d]:spans_D1[d + 1]``, sorted, not overlapping, each with the copy that is kept."""

    spans_D1: Offsets
    starts_S: Places
    stops_S: Places
    copies_S: Places
    at_S: Places


class Intervals(NamedTuple):
    """Sorted intervals of page d: ``bounds_D1[d]:bounds_D1[d + 1]``."""

    bounds_D1: Offsets
    starts: Places
    stops: Places


def kept_intervals(intervals_D1: Offsets, starts_I: Places, stops_I: Places, copies_I: Places) -> Intervals:
    """The union of the intervals that are kept, page by page."""
    bounds_D1 = np.zeros(len(intervals_D1), np.int64)
    starts, stops = np.empty(len(starts_I), np.int64), np.empty(len(starts_I), np.int64)
    _unite(intervals_D1, starts_I, stops_I, copies_I, bounds_D1, starts, stops)
    return Intervals(bounds_D1, starts[: bounds_D1[-1]], stops[: bounds_D1[-1]])


def cut_spans(
    intervals_D1: Offsets, starts_I: Places, stops_I: Places, copies_I: Places, at_I: Places, kept: Intervals
) -> CutSpans:
    """The bytes that the other intervals cover and none keeps; a byte goes with the interval that begins first."""
    room = 2 * len(starts_I) + len(kept.starts)
    spans_D1 = np.zeros(len(intervals_D1), np.int64)
    columns = [np.empty(room, np.int64) for _ in range(4)]
    _cut(intervals_D1, starts_I, stops_I, copies_I, at_I, *kept, spans_D1, *columns)
    return CutSpans(spans_D1, *(column[: spans_D1[-1]] for column in columns))


def shown_spans(data: Bytes, offsets: Offsets, spans: CutSpans, kept: Intervals, join: float, unit: int) -> Intervals:
    """The spans as they are cut out of the text: joined, widened to whole characters, lines or sentences, and sorted.

    Args:
        join: spans are joined, from the first one on, as long as at most this share of what they make is in none.
        unit: `CHARACTER`, `LINE` or `SENTENCE`. Kept bytes, widened to whole characters, stay whatever it is.
    """
    room = len(spans.starts_S) + len(kept.starts)
    bounds_D1 = np.zeros(len(offsets), np.int64)
    starts, stops = np.empty(room, np.int64), np.empty(room, np.int64)
    _show(data, offsets, spans.spans_D1, spans.starts_S, spans.stops_S, *kept, join, unit, bounds_D1, starts, stops)
    return Intervals(bounds_D1, starts[: bounds_D1[-1]], stops[: bounds_D1[-1]])


@lean_kernel
def _unite(intervals_D1, starts_I, stops_I, copies_I, bounds_D1, starts, stops):  # type: ignore[no-untyped-def]
    count = 0
    for d in range(len(intervals_D1) - 1):
        begin = count
        for i in range(intervals_D1[d], intervals_D1[d + 1]):
            if copies_I[i] >= 0:
                continue
            if count > begin and starts_I[i] <= stops[count - 1]:
                stops[count - 1] = max(stops[count - 1], stops_I[i])
            else:
                starts[count], stops[count] = starts_I[i], stops_I[i]
                count += 1
        bounds_D1[d + 1] = count


@lean_kernel
def _cut(  # type: ignore[no-untyped-def]
    intervals_D1, starts_I, stops_I, copies_I, at_I, kept_D1, kept_starts, kept_stops, spans_D1, starts_S, stops_S,
    copies_S, at_S,
):  # fmt: skip
    count = 0
    for d in range(len(intervals_D1) - 1):
        begin = count
        held = kept_D1[d]
        done = np.int64(0)
        for i in range(intervals_D1[d], intervals_D1[d + 1]):
            if copies_I[i] < 0:
                continue
            start = max(done, starts_I[i])
            while start < stops_I[i]:
                while held < kept_D1[d + 1] and kept_stops[held] <= start:
                    held += 1
                stop = stops_I[i]
                if held < kept_D1[d + 1]:
                    if kept_starts[held] <= start:
                        start = kept_stops[held]
                        continue
                    stop = min(stop, kept_starts[held])
                at = at_I[i] + start - starts_I[i]
                before = count - 1
                joins = count > begin and stops_S[before] == start and copies_S[before] == copies_I[i]
                if joins and at_S[before] + start - starts_S[before] == at:
                    stops_S[before] = stop
                else:
                    starts_S[count], stops_S[count], copies_S[count], at_S[count] = start, stop, copies_I[i], at
                    count += 1
                start = stop
            done = max(done, stops_I[i])
        spans_D1[d + 1] = count


@lean_inline_kernel
def _character_start(data, page, i):  # type: ignore[no-untyped-def]
    """Where the character begins that byte i is of; at most three bytes before it, whatever the bytes are."""
    least = max(page, i - 3)
    while i > least and data[i] & 0xC0 == 0x80:
        i -= 1
    return i


@lean_inline_kernel
def _character_end(data, end, i):  # type: ignore[no-untyped-def]
    """Where the character ends that byte i goes on; i where it begins one."""
    most = min(end, i + 3)
    while i < most and data[i] & 0xC0 == 0x80:
        i += 1
    return i


@lean_inline_kernel
def _ends(data, start, i, unit):  # type: ignore[no-untyped-def]
    """Whether a line or sentence ends before byte i of a page that begins at ``start``."""
    if i == start or data[i - 1] == 10:
        return True
    if unit != SENTENCE:
        return False
    if data[i - 1] == 32 or data[i - 1] == 9:
        if data[i] == 32 or data[i] == 9:
            return False
        j = i - 1
        while j > start and (data[j] == 32 or data[j] == 9):
            j -= 1
        return data[j] == 46 or data[j] == 33 or data[j] == 63
    if i - start < 3:
        return False
    first, second, third = data[i - 3], data[i - 2], data[i - 1]
    # U+3002, U+FF01, U+FF1F: the full stops of Chinese and Japanese, which no space follows
    return (first == 0xE3 and second == 0x80 and third == 0x82) or (
        first == 0xEF and second == 0xBC and (third == 0x81 or third == 0x9F)
    )


@lean_inline_kernel
def _put(start, stop, begin, count, starts, stops):  # type: ignore[no-untyped-def]
    """Add a span, joined to the one before where they meet; the new count."""
    if start >= stop:
        return count
    if count > begin and start <= stops[count - 1]:
        stops[count - 1] = max(stop, stops[count - 1])
        return count
    starts[count], stops[count] = start, stop
    return count + 1


@lean_kernel
def _show(  # type: ignore[no-untyped-def]
    data, offsets, spans_D1, starts_S, stops_S, kept_D1, kept_starts, kept_stops, join, unit, bounds_D1, starts, stops
):
    count = 0
    for d in range(len(offsets) - 1):
        page, end = offsets[d], offsets[d + 1]
        begin = count
        held = kept_D1[d]
        done = page
        i = spans_D1[d]
        while i < spans_D1[d + 1]:
            start, stop = starts_S[i], stops_S[i]
            covered = stop - start
            i += 1
            while i < spans_D1[d + 1]:
                more = covered + stops_S[i] - starts_S[i]
                if (stops_S[i] - start) - more > join * (stops_S[i] - start):
                    break
                covered, stop = more, stops_S[i]
                i += 1
            start, stop = page + start, page + stop
            start, stop = _character_start(data, page, start), _character_end(data, end, stop)
            if stop <= done:
                continue
            if unit != CHARACTER:
                while start > done and not _ends(data, page, start, unit):
                    start -= 1
                while stop < end and not _ends(data, page, stop, unit):
                    stop += 1
            start = max(start, done)
            done = max(done, stop)
            while start < stop:
                while held < kept_D1[d + 1] and page + kept_stops[held] <= start:
                    held += 1
                until = stop
                if held < kept_D1[d + 1]:
                    first, last = page + kept_starts[held], page + kept_stops[held]
                    first, last = _character_start(data, page, first), _character_end(data, end, last)
                    if first <= start:
                        start = last
                        continue
                    until = min(stop, first)
                count = _put(start - page, until - page, begin, count, starts, stops)
                start = until
        bounds_D1[d + 1] = count
