"""The layout of a survey, and surveys added up: sums alone, in arrays, so that a hundred thousand take a minute or two.

A survey is an Arrow IPC file (LZ4): a row a host or registered domain (`stages.report.hosts`), and in the metadata of
its schema

    gristmill    JSON: {"rows", "groups": {name: {value: sums}}, "samples", "left_out"}, and "crossed"
                 (`stages.report.crossed`) where there are labels and scores; sums are
                 [pages, kept, bytes, kept_bytes]; a sample is [reason, key, doc_id, JSON of what is shown of it]
    layout       JSON: [[column, kind of bins], ...]
    histograms   type of the integers, and (LZ4) for each column: its bins, those of the kept pages, pages without a
                 value, and (of whole numbers) [sum, sum of kept pages, pages that have any, kept ones that have any]

Where the layouts are equal, which they are but for sources with quality settings of their own, histograms add up as one
array. Samples are the pages with the smallest (key, doc_id) of each reason. Price: a millisecond a survey and 60
nanoseconds a host.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.contract import Store
from stages.kernels.columns import bins
from stages.report import crossed as crossing
from stages.report import hosts as naming
from stages.report.crossed import Crossed
from stages.report.hosts import HOSTS, SUMS, LeftOut, nothing_left_out

MAX_GROUP_VALUES = 1000
SAMPLES = 4
"""Pages shown per reason."""
TOTALS = 4
PENDING_ROWS = 1 << 20
"""Rows of hosts that are held before they are added up."""

Counts = npt.NDArray[np.int64]
Layout = tuple[tuple[str, str], ...]
Sample = tuple[str, str, str, str]
"""(reason, empty for a kept page; key; doc_id; JSON of the rest)"""


@dataclass
class Histogram:
    """One column: pages per bin, all and kept, those without a value, and totals (of kind ``counts``, else zeros)."""

    kind: str
    all: Counts
    kept: Counts
    nulls: int
    totals: list[int]


@dataclass
class Survey:
    """Figures of some pages, which add up."""

    rows: int = 0
    hosts: pa.Table = field(default_factory=HOSTS.empty_table)
    histograms: dict[Layout, Counts] = field(default_factory=dict)
    groups: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=nothing_left_out)
    crossed: Crossed = field(default_factory=dict)

    def columns(self) -> dict[str, Histogram]:
        """The histogram of every column, by name."""
        found: dict[str, Histogram] = {}
        for layout, counts in self.histograms.items():
            start = 0
            for column, kind in layout:
                stop = start + width(kind)
                entry = unpacked(kind, counts[start:stop])
                found[column] = together(column, found[column], entry) if column in found else entry
                start = stop
        return dict(sorted(found.items()))


@lru_cache(maxsize=8)
def width(kind: str) -> int:
    """Integers of a column: two histograms, nulls, totals."""
    return 2 * (len(bins.edges(kind)) - 1) + 1 + TOTALS


def flattened(columns: dict[str, Histogram]) -> dict[Layout, Counts]:
    """Histograms as one array, in order of their names."""
    names = sorted(columns)
    parts = [(e.all, e.kept, [e.nulls], e.totals) for e in (columns[name] for name in names)]
    counts = [np.asarray(part, np.int64) for found in parts for part in found]
    return {tuple((name, columns[name].kind) for name in names): np.concatenate([np.zeros(0, np.int64), *counts])}


def unpacked(kind: str, counts: Counts) -> Histogram:
    size = len(bins.edges(kind)) - 1
    rest = counts[2 * size :].tolist()
    return Histogram(kind, counts[:size], counts[size : 2 * size], rest[0], rest[1:])


def together(name: str, a: Histogram, b: Histogram) -> Histogram:
    if a.kind != b.kind:
        raise ValueError(f"histogram of {name}: bins of {a.kind} in one survey, of {b.kind} in another")
    totals = [x + y for x, y in zip(a.totals, b.totals, strict=True)]
    return Histogram(a.kind, a.all + b.all, a.kept + b.kept, a.nulls + b.nulls, totals)


def add_up(surveys: Iterable[Survey]) -> Survey:
    """The sum of surveys; of none, an empty one."""
    whole = Survey()
    waiting: list[pa.Table] = []
    for other in surveys:
        whole.rows += other.rows
        naming.add(whole.left_out, other.left_out)
        waiting.append(other.hosts)
        if sum(table.num_rows for table in waiting) > PENDING_ROWS:
            waiting = [naming.added(waiting)]
        for layout, counts in other.histograms.items():
            mine = whole.histograms.get(layout)
            whole.histograms[layout] = counts.copy() if mine is None else np.add(mine, counts, out=mine)
        for name, values in other.groups.items():
            add_group(whole.groups.setdefault(name, {}), values)
        whole.samples += other.samples
        crossing.add(whole.crossed, other.crossed)
    whole.hosts = naming.largest(naming.added(waiting), whole.left_out)
    whole.groups = {name: fewest(values) for name, values in whole.groups.items()}
    whole.samples = smallest(whole.samples)
    whole.crossed = crossing.largest(whole.crossed)
    return whole


def add_group(into: dict[str, list[int]], values: dict[str, list[int]]) -> None:
    for value, counts in values.items():
        sums = into.get(value)
        into[value] = counts if sums is None else [a + b for a, b in zip(sums, counts, strict=True)]


def fewest(groups: dict[str, list[int]]) -> dict[str, list[int]]:
    """The largest `MAX_GROUP_VALUES` values; the others are added up under "(other)"."""
    order = sorted(groups, key=lambda value: (value == "(other)", -groups[value][0], value))
    kept, rest = order[:MAX_GROUP_VALUES], order[MAX_GROUP_VALUES:]
    found = {value: groups[value] for value in kept}
    for value in rest:
        other = found.setdefault("(other)", [0] * len(SUMS))
        found["(other)"] = [a + b for a, b in zip(other, groups[value], strict=True)]
    return found


def smallest(samples: Sequence[Sample]) -> list[Sample]:
    """The `SAMPLES` of each reason with the smallest (key, doc_id)."""
    taken: dict[str, int] = {}
    found = []
    for sample in sorted(samples):
        number = taken.get(sample[0], 0)
        if number < SAMPLES:
            taken[sample[0]] = number + 1
            found.append(sample)
    return found


# Files


def write(store: Store, address: str, survey: Survey) -> None:
    """Write one file."""
    survey = survey if len(survey.histograms) == 1 else with_one_layout(survey)
    ((layout, counts),) = survey.histograms.items()
    details = {key: getattr(survey, key) for key in ("rows", "groups", "samples", "left_out")}
    details |= {"crossed": survey.crossed} if survey.crossed else {}
    metadata = {
        "gristmill": json.dumps(details, sort_keys=True),
        "layout": json.dumps(layout),
        "histograms": squeezed(counts),
    }
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with store.arrow_writer(address, HOSTS.with_metadata(metadata), options) as writer:
        writer.write_table(survey.hosts.combine_chunks())


def with_one_layout(survey: Survey) -> Survey:
    return Survey(**vars(survey) | {"histograms": flattened(survey.columns())})


def read(store: Store, address: str) -> Survey:
    """Read one file, by one read."""
    options = pa.ipc.IpcReadOptions(use_threads=False)  # of a small file, threads take longer than the reading
    with store.open(address) as file:
        reader = pa.ipc.open_file(file, options=options)
        metadata, hosts = reader.schema.metadata, reader.read_all().replace_schema_metadata()
    details = json.loads(metadata[b"gristmill"])
    layout = layout_of(metadata[b"layout"])
    histograms = {layout: loosened(metadata[b"histograms"], sum(width(kind) for _, kind in layout))}
    samples: list[Sample] = [tuple(sample) for sample in details.pop("samples")]
    return Survey(hosts=hosts, histograms=histograms, samples=samples, **details)


def squeezed(counts: Counts) -> bytes:
    """Integers as bytes: three letters for their type, the narrowest that holds them, and LZ4."""
    kind = next(kind for kind in ("<i2", "<i4", "<i8") if int(counts.max(initial=0)) <= np.iinfo(kind).max)
    packed: bytes = pa.compress(counts.astype(kind).tobytes(), codec="lz4_raw", asbytes=True)
    return kind.encode() + packed


def loosened(data: bytes, count: int) -> Counts:
    kind = np.dtype(data[:3].decode())
    return np.frombuffer(pa.decompress(data[3:], count * kind.itemsize, codec="lz4_raw"), kind).astype(np.int64)


@lru_cache(maxsize=64)
def layout_of(text: bytes) -> Layout:
    return tuple((column, kind) for column, kind in json.loads(text))


def read_all(store: Store, addresses: Iterable[str]) -> Iterator[Survey]:
    return (read(store, address) for address in addresses)
