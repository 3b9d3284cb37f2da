"""Exact percentiles of numbers that lie in many files: no sort of all of them, and the same however they are divided.

For products that rank pages (`stages.kept.buckets`, `stages.ensembles`). A cut is the smallest number below which at
least a given part of all weight lies (a page weighs one, or its bytes); equal numbers are never divided.

Method: of each group of files two tables are written, both sorted and both sums that add up in any order: ``values``,
weight by number, and ``counts``, weight by bin (`stages.kernels.columns.number_bins`: one part in 65,536). All counts
together say in which bins the cuts lie (`near`); of these alone the numbers are read again (`narrow`), and put in the
place of their bins (`refined`) they make the cuts exact. Four waves: count, near, narrow, and the caller's own, which
calls `refined`.

    column      what is ranked: a column, or a column within a labeller's labels
    source      where it is from; "" where sources are ranked together
    language    among whom it is ranked: a language, or language and label
    number      int64: a place in the order of float64 (`orders`), or a bin
    weight      int64

Price: distinct numbers are held twelve bytes each, of a group of files at a time; those in the bins of cuts at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.contract import Store, Task, Wave
from stages.kernels.columns.number_bins import bins_of_orders, first_orders, numbers_of_orders, orders

COUNTS = pa.schema(
    [
        pa.field("column", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("weight", pa.int64(), nullable=False),
    ]
)
NEAR = ("column", "language", "number")
Ints = npt.NDArray[np.int64]
_LARGEST = np.finfo(np.float64).max
Ranked = tuple[str, tuple[str, ...] | None, tuple[Fraction, ...]]
"""A column, the sources that are ranked together (None: all), and the parts of their weight at which it is cut."""


def counted(column: str, source: pa.Array | str, language: pa.Array, values: Any, weights: Ints | int) -> pa.Table:
    """Weight by number, of one column of some pages.

    Args:
        values: float64 without NaN; infinite ones rank as the largest and the smallest finite number (`finite`).
    """
    rows = len(values)
    table = pa.table(
        [
            pa.array([column]).take(pa.array(np.zeros(rows, np.int64))),
            pa.array([source] * rows, pa.string()) if isinstance(source, str) else source,
            language,
            pa.array(orders(finite(values))),
            pa.array(np.full(rows, weights) if isinstance(weights, int) else weights),
        ],
        schema=COUNTS,
    )
    return added([table])


def finite(values: Any) -> npt.NDArray[np.float64]:
    """Numbers as they are ranked: infinite ones at the ends of float64, so that a cut above all numbers lies above them
    too; NaN stays."""
    return np.asarray(np.clip(values, -_LARGEST, _LARGEST))


def added(tables: Iterable[pa.Table]) -> pa.Table:
    """Sums of weight, sorted."""
    together = pa.concat_tables([COUNTS.empty_table(), *tables])
    keys = COUNTS.names[:-1]
    summed = together.group_by(keys, use_threads=False).aggregate([("weight", "sum")])
    summed = summed.rename_columns(COUNTS.names).cast(COUNTS)
    return summed.sort_by([(key, "ascending") for key in keys])


def in_bins(values: pa.Table) -> pa.Table:
    """Weight by bin of weight by number."""
    places = pa.array(bins_of_orders(values.column("number").to_numpy()))
    return added([values.set_column(3, COUNTS.field("number"), places)])


def write(store: Store, table: pa.Table, counts: str, values: str) -> dict[str, Any]:
    """Write what was counted of a group of files; the report of both."""
    report = {"rows": table.num_rows}
    store.write_table(values, table, report=report)
    store.write_table(counts, in_bins(table), report=report)
    return report


def narrowing(
    counts: Sequence[str],
    values: Sequence[str],
    wanted: Sequence[Ranked],
    folder: str,
    labels: Sequence[str],
    title: str = "",
) -> list[Wave]:
    """The waves between counting and cutting; the last one's outputs are what `refined` takes.

    Args:
        folder: of what they write: of its own for these counts and ``wanted``.
        labels: what people are shown of each of the ``values``.
        title: put before the names of the waves.
    """
    near = f"{folder}/near.parquet"
    requests = [
        [column, None if sources is None else [*sources], [*map(str, parts)]] for column, sources, parts in wanted
    ]
    first = Task(
        "stages.percentiles:near_job",
        {"inputs": [*counts], "wanted": requests, "output": near},
        (near,),
        "bins of cuts",
    )
    tasks = []
    for index, address in enumerate(values):
        output = f"{folder}/{index:06d}.parquet"
        args = {"values": address, "near": near, "output": output}
        tasks.append(Task("stages.percentiles:narrow", args, (output,), labels[index]))
    return [Wave(f"{title}bins of cuts", (first,)), Wave(f"{title}numbers in them", tuple(tasks))]


def near_job(store: Store, *, inputs: list[str], wanted: list[Any], output: str) -> dict[str, Any]:
    """Job: the bins in which cuts lie."""
    ranked = [
        (column, None if sources is None else tuple(sources), tuple(map(Fraction, parts)))
        for column, sources, parts in wanted
    ]
    table = near(total(store, inputs), ranked)
    store.write_table(output, table, report={"rows": table.num_rows})
    return {"rows": table.num_rows}


def narrow(store: Store, *, values: str, near: str, output: str) -> dict[str, Any]:
    """Job: of one group of files the numbers in these bins."""
    table = inside(store.read_table(values), store.read_table(near))
    store.write_table(output, table, report={"rows": table.num_rows})
    return {"rows": table.num_rows}


def total(store: Store, addresses: Sequence[str]) -> pa.Table:
    """Tables of counts added up, one at a time."""
    found = COUNTS.empty_table()
    for address in addresses:
        found = added([found, store.read_table(address)])
    return found


def near(counts: pa.Table, wanted: Iterable[Ranked]) -> pa.Table:
    """The bins in which cuts lie: of each cut the first bin below which enough weight lies, and the one before it."""
    found = []
    for column, sources, parts in wanted:
        for language, numbers, weights in _ranked(counts, column, sources):
            rows = _first_rows(weights, parts)
            rows = np.unique(np.concatenate((rows - 1, rows)))
            rows = rows[(rows >= 0) & (rows < len(numbers))]
            entries = {"column": [column] * len(rows), "language": [language] * len(rows), "number": numbers[rows]}
            found.append(pa.table(entries, schema=_near_schema()))
    together = pa.concat_tables([_near_schema().empty_table(), *found])
    return together.group_by(list(NEAR), use_threads=False).aggregate([]).sort_by([(k, "ascending") for k in NEAR])


def inside(values: pa.Table, near: pa.Table) -> pa.Table:
    """The rows of weight by number that lie in these bins."""
    return _rows(values, near, True)


def refined(counts: pa.Table, near: pa.Table, narrowed: Iterable[pa.Table]) -> pa.Table:
    """Weight by number: exact in the bins near cuts, elsewhere a bin's weight at its first number."""
    rest = _rows(counts, near, False)
    starts = pa.array(first_orders(rest.column("number").to_numpy()))
    return added([rest.set_column(3, COUNTS.field("number"), starts), *narrowed])


def cuts(weights: pa.Table, column: str, sources: tuple[str, ...] | None, parts: Sequence[Fraction]) -> dict[str, Any]:
    """The smallest number of each language below which at least these parts of the weight lie: exact where ``weights``
    are `refined` (or all there are) for these parts. Above the largest number lies the next float64, which
    may be infinite; numbers are compared with it as `finite` has them."""
    found = {}
    for language, numbers, held in _ranked(weights, column, sources):
        ends = np.concatenate((numbers, numbers[-1:] + 1))
        found[language] = numbers_of_orders(ends[_first_rows(held, parts)])
    return found


def _near_schema() -> pa.Schema:
    return pa.schema([COUNTS.field(name) for name in NEAR])


def _rows(table: pa.Table, near: pa.Table, numbered: bool) -> pa.Table:
    """The rows of weight by number that lie in the bins, or those of weight by bin that do not."""
    numbers = table.column("number").to_numpy()
    marked = table.append_column("row", pa.array(np.arange(len(numbers))))
    marked = marked.set_column(3, "number", pa.array(bins_of_orders(numbers) if numbered else numbers))
    rows = marked.join(near, list(NEAR), join_type="left semi" if numbered else "left anti", use_threads=False)
    return table.take(rows.column("row").sort())


def _ranked(counts: pa.Table, column: str, sources: tuple[str, ...] | None) -> Iterator[tuple[str, Ints, Ints]]:
    """(language, rising numbers, their weights) of every language that has any."""
    own = counts.filter(pc.equal(counts.column("column"), column))
    if sources is not None:
        own = own.filter(pc.is_in(own.column("source"), pa.array(sources, pa.string())))
    keys = ["language", "number"]
    own = own.group_by(keys, use_threads=False).aggregate([("weight", "sum")])
    own = own.sort_by([(key, "ascending") for key in keys])
    if own.num_rows == 0:
        return
    languages = own.column("language").combine_chunks().dictionary_encode()
    names, codes = languages.dictionary.to_pylist(), languages.indices.to_numpy()
    starts = [*np.flatnonzero(np.diff(codes, prepend=-1)).tolist(), len(codes)]
    numbers, weights = own.column("number").to_numpy(), own.column("weight_sum").to_numpy()
    for at, name in enumerate(names):
        rows = slice(starts[at], starts[at + 1])
        yield name, numbers[rows], weights[rows]


def _first_rows(weights: Ints, parts: Sequence[Fraction]) -> Ints:
    """The first row, for each part, below which at least that much of the weight lies; all rows where only all do."""
    below = np.concatenate(([0], np.cumsum(weights)))
    whole = int(below[-1])
    least = [-(-part.numerator * whole // part.denominator) for part in parts]
    return np.searchsorted(below, np.array(least, np.int64), side="left").astype(np.int64)


def parts_of(percentiles: Iterable[float]) -> tuple[Fraction, ...]:
    """Percentiles as written, as parts of all: 99.5 is 199 / 200."""
    return tuple(Fraction(spelt(percentile)) / 100 for percentile in percentiles)


def spelt(percentile: float) -> str:
    """A percentile as written, whole ones without a point: different ones differently, 99.99999 not as 100."""
    short = f"{percentile:g}"
    return short if float(short) == percentile else repr(float(percentile))


def edge_at(edges: Mapping[str, float | None], percentile: float) -> float | None:
    """The edge at a percentile, of edges by `spelt` percentiles; files made before have six digits of each."""
    name = spelt(percentile)
    return edges[name if name in edges else f"{percentile:g}"]
