"""Record batches of an Arrow IPC file or stream, as far as they can be read, each with the number of its first row.

Of a file only the wanted columns are fetched and unpacked, and of batches before a part none but their counts. A batch
that cannot be read is damage and costs itself; rows behind one that cannot even be counted are numbered without it. A
file that was cut, or has something behind its footer, has no footer
that is found: its batches are read one after the other as those of the stream that it is, up to the cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

MAGIC = b"ARROW1"
INSTEAD = {b"FEA1": "feather_v1", b"PAR1": "parquet_not_arrow", b"PARE": "parquet_not_arrow"}
"""What files called Arrow's are by their first bytes, as reasons."""
BEGIN = (MAGIC, b"\xff\xff\xff\xff")
"""The first bytes of a file, and of a stream since Arrow 0.15."""
STREAM_AT = 8
"""Where the stream of a file begins: its magic is padded."""
ERRORS: Any = (pa.ArrowInvalid, OSError, pa.ArrowMemoryError)
MOST_BYTES = 1 << 40
"""No machine has as much memory: who asks for more believes a damaged size."""

Damage = Callable[[int, str], None]
Wanted = Callable[[Sequence[str]], list[int]]
"""From the names of the columns that there are to the numbers of those that are read."""


def batches(
    file: Any, wanted: Wanted, damage: Damage, chosen: range | None = None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(number of the first row, batch) of the batches ``chosen`` by number, None for all.

    ``damage`` is called with (row, reason).
    """
    head = bytes(file.read(len(MAGIC)))
    is_file = head == MAGIC
    file.seek(0)
    try:
        opened = pa.ipc.open_file(file) if is_file else None
    except ERRORS as error:
        _must_be_damage(error)
        file.seek(-len(MAGIC), 2)
        damage(0, "damaged_footer" if bytes(file.read()) == MAGIC else "truncated_file")
        opened = None
    if opened is not None:
        yield from _of_file(file, opened, wanted, damage, chosen)
        return
    file.seek(STREAM_AT if is_file else 0)
    unreadable = "damaged_schema" if head.startswith(BEGIN) else INSTEAD.get(head[:4], "not_arrow")
    yield from _of_stream(file, wanted, damage, unreadable)


def _of_file(
    file: Any, opened: Any, wanted: Wanted, damage: Damage, chosen: range | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    reader = _reader(file, wanted(opened.schema.names))
    chosen = range(opened.num_record_batches) if chosen is None else chosen
    counts = _reader(file, [_cheapest(opened.schema)])
    row = sum(_count(counts, number) for number in range(chosen.start))
    for number in chosen:
        try:
            batch = reader.get_batch(number)
            _check(batch)
        except ERRORS as error:
            _must_be_damage(error)
            damage(row, "damaged_batch")
            row += _count(counts, number)
            continue
        yield row, batch
        row += batch.num_rows


def _of_stream(file: Any, wanted: Wanted, damage: Damage, unreadable: str) -> Iterator[tuple[int, pa.RecordBatch]]:
    row = 0
    fields: list[int] | None = None
    try:
        opened = pa.ipc.open_stream(file)
        fields = wanted(opened.schema.names)
        for whole in opened:
            batch = whole.select(fields)
            _check(batch)
            yield row, batch
            row += batch.num_rows
    except ERRORS as error:
        _must_be_damage(error)
        damage(row, unreadable if fields is None else "damaged_batch")


def _reader(file: Any, fields: list[int]) -> Any:
    return pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=fields))


def _check(batch: pa.RecordBatch) -> None:
    """Raises ArrowInvalid: values of a column lie outside it. Strings that are no UTF-8 are none of that."""
    batch.validate()
    plain = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
    for column in batch.columns:
        if column.type in plain or column.type in plain.values():
            column.view(plain.get(column.type, column.type)).validate(full=True)


def _cheapest(schema: pa.Schema) -> int:
    """The column of the fewest bits a value; where none has a fixed number, the first."""

    def bits(number: int) -> int:
        try:
            return int(schema.field(number).type.bit_width)
        except ValueError:
            return 1 << 31

    return min(range(len(schema)), key=bits)


def _count(counts: Any, number: int) -> int:
    """Rows of a batch; 0 where not even that can be read."""
    try:
        return int(counts.get_batch(number).num_rows)
    except ERRORS as error:
        _must_be_damage(error)
        return 0


def _must_be_damage(error: Exception) -> None:
    """Raises an error that is none of the file's: memory that there is not enough of."""
    if isinstance(error, pa.ArrowMemoryError):
        asked = re.search(r"size (\d+)", str(error))
        if asked is None or int(asked[1]) < MOST_BYTES:
            raise error
