"""Division of files and grouping of small ones: arithmetic over sizes, and Parquet and Arrow footers.

`ranges` divides what can be entered in the middle: WARC and ARC in gzip or zstd members (byte ranges; a reader takes
the members that start in its range and begin a record), WACZ packages likewise, uncompressed JSON Lines and CSV without
line ends in values (byte ranges; lines that start in them), Parquet (row groups), Arrow files (record batches).
All else is read whole.

`groups` cuts a sorted list of small files after those whose name hashes low, so that a new file changes one group.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stages.formats import Format, container_of
from stages.formats.watched import watched_file

Range = tuple[int, int, str, int]
"""(start, end, unit, bytes) of a split."""
MAX_GROUP = 4
"""Times the target a group may grow to before it is cut anyway."""


def ranges(uri: str, kind: Format, size: int, target: int, *, newlines_in_values: bool) -> list[Range]:
    """The splits of one file, in order."""
    whole: list[Range] = [(0, 0, "file", size)]
    if size <= target:
        return whole
    divides = container_of(kind.container).divides
    if divides in BY_FOOTER:
        return BY_FOOTER[divides](uri, size, target) or whole
    members = divides == "members" and kind.compression in ("gzip", "zstd")
    apart = divides == "lines" or (divides == "records" and not newlines_in_values)
    packed = divides == "packed members" and kind.compression == "none"
    if not (members or packed or (apart and kind.compression == "none")):
        return whole
    edges = _edges(size, -(-size // target))
    return [(start, end, "bytes", end - start) for start, end in pairwise(edges)]


def _edges(count: int, parts: int) -> list[int]:
    """Cuts of [0, count) into ``parts`` as equal as whole numbers allow."""
    return [count * part // parts for part in range(parts + 1)]


def _row_groups(uri: str, size: int, target: int) -> list[Range]:
    with watched_file(uri) as file:
        try:
            metadata = pq.ParquetFile(file).metadata
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError):
            return []  # the reader reports it
    found: list[Range] = []
    start = held = 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        held += sum(row_group.column(i).total_compressed_size for i in range(row_group.num_columns))
        if held >= target or group + 1 == metadata.num_row_groups:
            found.append((start, group + 1, "row_groups", held))
            start, held = group + 1, 0
    return found


def _record_batches(uri: str, size: int, target: int) -> list[Range]:
    with watched_file(uri) as file:
        try:
            count = pa.ipc.open_file(file).num_record_batches
        except (pa.ArrowInvalid, OSError):
            return []  # a stream, or not Arrow at all: read whole
    edges = _edges(count, min(count, -(-size // target)) or 1)
    return [(a, b, "batches", size * (b - a) // count) for a, b in pairwise(edges) if b > a]


BY_FOOTER: dict[str, Callable[[str, int, int], list[Range]]] = {
    "row groups": _row_groups,
    "batches": _record_batches,
}
"""Division of files that name their parts at their end."""


def groups(files: Sequence[tuple[str, int]], target: int) -> list[list[int]]:
    """Indices of (name, bytes), already sorted, in groups of about ``target`` bytes."""
    found: list[list[int]] = []
    group: list[int] = []
    held = 0
    for index, (name, size) in enumerate(files):
        group.append(index)
        held += size
        chance = min(target, size + 4096)  # a file costs an opening beside its bytes
        if xxhash.xxh64_intdigest(name.encode()) % target < chance or held >= MAX_GROUP * target or len(group) >= 4096:
            found.append(group)
            group, held = [], 0
    if group:
        found.append(group)
    return found


def digest(value: Any) -> str:
    """A short name of a JSON-able value."""
    return xxhash.xxh3_128_hexdigest(json.dumps(value, separators=(",", ":")).encode())
