"""Gzip members and WARC records of a stretch of a file, found and framed in one pass each.

Legend: N bytes of compressed data, M members. data_N uint8, edges_E int64. heads_H uint8 holds the first `HEAD` bytes
of each member's plain content, one after the other, from offsets_M1 int64; sizes_M int64 are of the whole content,
tails_M4 uint8 its last four bytes. frames_MF int32: what stands where, in columns named below; a span is two columns,
positions in heads_H, -1 where there is none.

A record is framed only if it is one a strict parser would read (ISO 28500, RFC 9112: one record that fills its member,
no folded lines, no bytes above 127 in its heads, no coding or opt-out header given twice). For all others ``KIND`` is
0, and the reader that forgives everything takes the member (`stages.documents.records`, which is also the slow twin).
Price: about half a microsecond a record.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html.byte_scan import BLOCK, has_three
from stages.kernels.jit import inline_kernel, kernel
from stages.kernels.name_hash import bytes_hash, name_hash, with_byte

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Frames = npt.NDArray[np.int32]

HEAD = 2048
"""Bytes of a member in which both heads must end."""

KINDS = ("", "warcinfo", "request", "response", "resource", "metadata", "revisit", "conversion", "continuation")
"""Values of the column ``KIND``: the number of the record's type, the last for any other; 0 is not framed."""

# Columns: numbers, then spans.
KIND, START, SIZE, STATUS, BODY, TRUNCATED = range(6)
URL, DATE, PAYLOAD_TYPE, LANGUAGES, TYPE = range(6, 16, 2)
HTTP_TYPE, HTTP_ENCODING, HTTP_TRANSFER, HTTP_LANGUAGE = range(16, 24, 2)
HTTP_ROBOTS, HTTP_RESERVED, HTTP_SIGNAL, HTTP_USAGE = range(24, 32, 2)
WIDTH = 32
_SIZE_FIELD, _KIND_FIELD, _TRUNCATED_FIELD = -2, -3, -4

WARC_FIELDS = {
    "warc-target-uri": URL,
    "warc-date": DATE,
    "warc-identified-payload-type": PAYLOAD_TYPE,
    "warc-identified-content-language": LANGUAGES,
    "content-type": TYPE,
    "content-length": _SIZE_FIELD,
    "warc-type": _KIND_FIELD,
    "warc-truncated": _TRUNCATED_FIELD,
    "warc-segment-number": _TRUNCATED_FIELD,
}
HTTP_FIELDS = {
    "content-type": HTTP_TYPE,
    "content-encoding": HTTP_ENCODING,
    "transfer-encoding": HTTP_TRANSFER,
    "content-language": HTTP_LANGUAGE,
    "x-robots-tag": HTTP_ROBOTS,
    "tdm-reservation": HTTP_RESERVED,
    "content-signal": HTTP_SIGNAL,
    "content-usage": HTTP_USAGE,
}


def _table(fields: dict[str, int]) -> tuple[npt.NDArray[np.uint64], Ints]:
    keys = np.asarray([name_hash(name) for name in fields], np.uint64)
    return keys, np.asarray(list(fields.values()), np.int64)


_WARC = _table(WARC_FIELDS)
_HTTP = _table(HTTP_FIELDS)
_KINDS = np.asarray([name_hash(name) for name in KINDS[:-1]], np.uint64)


def member_edges(data: Bytes, limit: int) -> list[int]:
    """Where gzip members may begin (``1F 8B 08``), at most ``limit`` of them, in order."""
    edges = np.empty(limit, np.int64)
    count = _member_edges(data, edges)
    found: list[int] = edges[:count].tolist()
    return found


def frame(heads: bytes, offsets: Ints, sizes: Ints, tails: bytes) -> Frames:
    """The frames of the members whose content begins with these heads."""
    frames = np.full((len(sizes), WIDTH), -1, np.int32)
    data, ends = np.frombuffer(heads, np.uint8), np.frombuffer(tails, np.uint8)
    _frame(data, offsets, sizes, ends, *_WARC, *_HTTP, _KINDS, frames)
    return frames


@kernel
def _member_edges(data, edges):  # type: ignore[no-untyped-def]
    size = np.uint64(max(len(data) - 2, 0))
    count = 0
    base = np.uint64(0)
    step = np.uint64(BLOCK)
    while base < size:
        stop = min(base + step, size)
        if stop - base < step or has_three(data, base, np.uint8(0x1F), np.uint8(0x8B), np.uint8(8)):
            for i in range(base, stop):
                if data[i] == 0x1F and data[i + np.uint64(1)] == 0x8B and data[i + np.uint64(2)] == 8:
                    edges[count] = i
                    count += 1
                    if count == len(edges):
                        return count
        base = stop
    return count


@inline_kernel
def _name_end(data, start, stop):  # type: ignore[no-untyped-def]
    """(hash of the name in lower case, position of its colon): -1 without one, -2 where the line is not plain."""
    key = np.uint64(0)
    i = start
    while i < stop:
        byte = data[i]
        if byte == 58:
            if i > start and (data[i - 1] == 32 or data[i - 1] == 9):
                return key, np.int64(-2)
            return key, np.int64(i)
        if byte >= 128:
            return key, np.int64(-2)
        key = with_byte(key, byte)
        i += 1
    return key, np.int64(-1)


@inline_kernel
def _value_hash(data, start, stop):  # type: ignore[no-untyped-def]
    while start < stop and data[start] <= 32:
        start += 1
    while stop > start and data[stop - 1] <= 32:
        stop -= 1
    return bytes_hash(data, start, stop)


@inline_kernel
def _number(data, start, stop):  # type: ignore[no-untyped-def]
    """A decimal number between white space; -1 if that is not all there is."""
    while start < stop and (data[start] == 32 or data[start] == 9):
        start += 1
    while stop > start and (data[stop - 1] == 32 or data[stop - 1] == 9):
        stop -= 1
    if start == stop or stop - start > 10:
        return np.int64(-1)
    value = np.int64(0)
    for i in range(start, stop):
        if not 48 <= data[i] <= 57:
            return np.int64(-1)
        value = value * 10 + np.int64(data[i] - 48)
    return value


@inline_kernel
def _fields(data, start, stop, keys, columns, kinds, row):  # type: ignore[no-untyped-def]
    """Read lines up to and with an empty one; where that ends, -1 if a line is not plain or none is empty."""
    i = start
    while i < stop:
        end = i
        high = np.uint8(0)
        while end < stop and data[end] != 10:
            high |= data[end]
            end += 1
        if end == stop or high >= 128 or data[i] == 32 or data[i] == 9:
            return np.int64(-1)
        last = end - 1 if end > i and data[end - 1] == 13 else end
        if last == i:
            return np.int64(end + 1)
        key, colon = _name_end(data, i, last)
        if colon == -2:
            return np.int64(-1)
        if colon >= 0:
            for k in range(len(keys)):
                if keys[k] != key:
                    continue
                column = columns[k]
                if column >= 0:
                    if row[column] < 0:
                        first = colon + 1
                        final = last
                        while first < final and data[first] <= 32:
                            first += 1
                        while final > first and data[final - 1] <= 32:
                            final -= 1
                        row[column] = first
                        row[column + 1] = final
                    elif column >= HTTP_ROBOTS or column in (HTTP_ENCODING, HTTP_TRANSFER):
                        return np.int64(-1)
                elif column == _SIZE_FIELD:
                    if row[SIZE] < 0:
                        size = _number(data, colon + 1, last)
                        if size < 0 or size > 0x7FFFFFFF:
                            return np.int64(-1)
                        row[SIZE] = size
                elif column == _TRUNCATED_FIELD:
                    row[TRUNCATED] = 1
                elif row[KIND] < 0:
                    value = _value_hash(data, colon + 1, last)
                    row[KIND] = len(kinds)
                    for kind in range(1, len(kinds)):
                        if kinds[kind] == value:
                            row[KIND] = kind
                break
        i = end + 1
    return np.int64(-1)


@inline_kernel
def _status(data, start, stop, row):  # type: ignore[no-untyped-def]
    """Read ``HTTP/x 200 ...``; where the line ends, -1 if it is no such line."""
    if stop - start < 12 or data[start] | 32 != 104 or data[start + 1] | 32 != 116:
        return np.int64(-1)
    if data[start + 2] | 32 != 116 or data[start + 3] | 32 != 112 or data[start + 4] != 47:
        return np.int64(-1)
    i = start + 5
    while i < stop and 32 < data[i] < 128:
        i += 1
    if i == stop or data[i] != 32 or i > start + 60:
        return np.int64(-1)
    while i < stop and data[i] == 32:
        i += 1
    value = np.int64(0)
    first = i
    while i < stop and 48 <= data[i] <= 57 and i - first < 5:
        value = value * 10 + np.int64(data[i] - 48)
        i += 1
    if i in (stop, first) or i - first > 4 or i > start + 70:
        return np.int64(-1)
    if data[i] != 32 and data[i] != 13 and data[i] != 10:
        return np.int64(-1)
    row[STATUS] = value
    while i < stop and data[i] != 10:
        if data[i] >= 128:
            return np.int64(-1)
        i += 1
    return np.int64(i + 1) if i < stop else np.int64(-1)


@kernel
def _frame(data, offsets, sizes, tails, warc_keys, warc_columns, http_keys, http_columns, kinds, frames):  # type: ignore[no-untyped-def]
    for m in range(len(sizes)):
        start, stop, row = offsets[m], offsets[m + 1], frames[m]
        framed = False
        if stop - start > 12 and data[start] == 87 and data[start + 1] == 65 and data[start + 2] == 82:
            i = start
            while i < stop and data[i] != 10 and data[i] < 128:
                i += 1
            if data[start + 3] == 67 and data[start + 4] == 47 and i < stop and data[i] == 10:
                after = _fields(data, i + 1, stop, warc_keys, warc_columns, kinds, row)
                framed = bool(
                    after >= start + 8
                    and data[after - 4] == 13
                    and data[after - 3] == 10
                    and data[after - 2] == 13
                    and row[SIZE] == sizes[m] - (after - start) - 4
                    and tails[4 * m] == 13
                    and tails[4 * m + 1] == 10
                    and tails[4 * m + 2] == 13
                    and tails[4 * m + 3] == 10
                    and row[KIND] > 0
                )
                if framed:
                    row[START] = after - start
                    if row[KIND] == 3:
                        line = _status(data, after, stop, row)
                        body = np.int64(-1)
                        if line >= 0:
                            body = _fields(data, line, stop, http_keys, http_columns, kinds, row)
                        framed = bool(body >= 0 and body - start <= sizes[m] - 4)
                        if framed:
                            row[BODY] = body - start
        if not framed:
            row[KIND] = 0
