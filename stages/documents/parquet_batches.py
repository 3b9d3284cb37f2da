"""Record batches of a Parquet file as far as they can be read, each with the number of its first row.

Pages that carry a checksum (parquet-mr writes one, others on request) are checked by it: a wrong bit of
an unpacked page, and many a one of Snappy or LZ4, gives other text and no error. Rows are compared with the counts that
the footer gives, of each row group and of the file (parquet-rs 0.3 gave 0): a wrong bit in the head of a page or in the
footer loses rows without an error. Damage costs its row group from the damaged page on; rows before it are read.

Price: a CRC-32 of the packed bytes, about 1 ms a MiB at most; of a damaged row group a second reading, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
ROWS = 1024
"""Rows of a batch."""
ERRORS: Any = (pa.ArrowInvalid, OSError)
NOT_OPENED, NO_KEY = "Could not open Parquet input source", "Cannot decrypt"
"""How errors of Arrow begin where the footer is wrong, and where columns are encrypted behind a plain footer."""
Damage = Callable[[int, str], None]


def opened(file: Any) -> pq.ParquetFile | str:
    """The file, or the reason why it cannot be read at all."""
    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        assert parquet.schema_arrow.names is not None  # in a damaged footer they may be no UTF-8
    except (*ERRORS, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
        instead = _found_instead(file)
        is_schema = isinstance(error, pa.ArrowInvalid) and not str(error).startswith(NOT_OPENED)
        return "unreadable_schema" if is_schema and instead == "damaged_footer" else instead
    return parquet


def _found_instead(file: Any) -> str:
    file.seek(0)
    head = bytes(file.read(6))
    size = file.seek(0, 2)
    file.seek(max(0, size - 4))
    tail = bytes(file.read(4))
    if tail == ENCRYPTED:
        return "encrypted_parquet"
    if head.startswith(MAGIC):
        return "damaged_footer" if tail == MAGIC and size > 12 else "truncated_file"
    return "arrow_not_parquet" if head == b"ARROW1" else "not_parquet"


def batches(
    parquet: pq.ParquetFile, columns: Sequence[str] | None, damage: Damage, groups: range | None
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """(number of the first row in the file, batch) of the row groups by number, None for all; so with the columns.

    ``damage`` is called with (row, reason).

    Raises:
        pa.ArrowNotImplementedError: a column of a type that Arrow has no reader for.
    """
    metadata = parquet.metadata
    num_groups = metadata.num_row_groups
    starts = [0]
    for group in range(num_groups):
        starts.append(starts[-1] + metadata.row_group(group).num_rows)
    if (groups is None or groups.start == 0) and metadata.num_rows not in (0, starts[-1]):
        damage(starts[-1], "damaged_footer")
    for group in range(num_groups) if groups is None else groups:
        row, end = starts[group], starts[group + 1]
        try:
            for batch in _of_group(parquet, group, columns):
                yield row, batch
                row += batch.num_rows
        except ERRORS as error:
            damage(row, "encrypted_parquet" if str(error).startswith(NO_KEY) else "damaged_row_group")
            continue
        if row != end:
            damage(row, "damaged_row_group")


def _of_group(parquet: pq.ParquetFile, group: int, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    done = 0
    try:
        for batch in parquet.iter_batches(ROWS, row_groups=[group], columns=columns, use_threads=False):
            yield batch
            done += batch.num_rows
    except ERRORS:
        single = parquet.iter_batches(1, row_groups=[group], columns=columns, use_threads=False)
        for number, batch in enumerate(single):
            if number >= done:
                yield batch
