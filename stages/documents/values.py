"""Values of other people's columns as ours: rows of an Arrow batch of any types, and what a page makes of them.

Every Arrow type gives a value or none, and never an error: times of any unit become seconds (`Seconds`), so that
nanoseconds and years that Python has no date for do no harm; dictionaries and run-end encodings are decoded, extension
types read as they are stored, strings that are no UTF-8 as bytes. What cannot be read is `UNREADABLE`, which becomes
null and is counted (`unreadable_time` and so on in the account's notes).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stages.documents.archives import seconds

FIRST_SECOND, LAST_SECOND = -62135596800, 253402300799
"""0001-01-01 and the end of 9999, in seconds since 1970."""
DATES = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}
"""Digits of a number that is a date, and what they are; as milliseconds the last is of the year 2286 at least."""
FIRST_NUMBER = 10**8
"""3 March 1973, the first of nine digits: smaller numbers are days of a spreadsheet, lengths or ids more often than
seconds since 1970."""
_NUMBER = re.compile(r"[1-9][0-9]*(?:\.[0-9]*)?")
_DAY = 86400
_FAILURES = (ValueError, TypeError, OverflowError, ImportError, ArithmeticError, LookupError, AttributeError)


class Seconds(int):
    """Seconds since 1970: a time, not a number that may be one."""


class Unreadable:
    """A value that is there and cannot be read."""

    def __repr__(self) -> str:
        return "unreadable"


UNREADABLE = Unreadable()


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch, as ``to_pylist`` has them but for times and what it cannot do."""
    columns = [values_of(column) for column in batch.columns]
    names = batch.schema.names
    if not columns:
        return [{} for _ in range(batch.num_rows)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def values_of(column: pa.Array) -> list[Any]:
    """The values of a column, one by one."""
    kind = column.type
    try:
        if pa.types.is_temporal(kind) and (found := _times(column)) is not None:
            return found
        if pa.types.is_dictionary(kind):
            return values_of(column.dictionary_decode())
        if pa.types.is_run_end_encoded(kind):
            return values_of(pc.run_end_decode(column))
        if isinstance(kind, pa.BaseExtensionType):
            return values_of(column.storage)
        if pa.types.is_struct(kind):
            return _structs(column)
        values: list[Any] = column.to_pylist()
        return values
    except (*_FAILURES, pa.ArrowException):
        return [_value(column, index) for index in range(len(column))]


def _times(column: pa.Array) -> list[Any] | None:
    """Seconds of timestamps and dates; None for durations and times of day."""
    kind = column.type
    if pa.types.is_date32(kind):
        return [None if v is None else Seconds(v * _DAY) for v in column.cast(pa.int32()).to_pylist()]
    per_second = 1000 if pa.types.is_date64(kind) else None
    if pa.types.is_timestamp(kind):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
    if per_second is None:
        return None
    return [None if v is None else Seconds(v // per_second) for v in column.cast(pa.int64()).to_pylist()]


def _structs(column: pa.StructArray) -> list[Any]:
    fields = [values_of(field) for field in column.flatten()]
    names = [field.name for field in column.type]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*fields, strict=True)] if fields else [{}] * len(column)
    return [row if valid else None for row, valid in zip(rows, column.is_valid().to_pylist(), strict=True)]


def _value(column: pa.Array, index: int) -> Any:
    try:
        scalar = column[index]
        try:
            return scalar.as_py()
        except UnicodeDecodeError:
            return scalar.as_buffer().to_pybytes()
    except (*_FAILURES, pa.ArrowException):
        return UNREADABLE


def lookup(row: Mapping[str, Any], names: tuple[str, ...], path: str | None) -> Any:
    """The value at a ``path`` of a row, dots going into nested fields; without one, the first of ``names`` it has."""
    if path is None:
        return next((row[name] for name in names if row.get(name) is not None), None)
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def address(value: Any) -> str | None:
    """The address of a page without white space around it: it is compared as it stands."""
    text = string(value)
    return (text.strip() or None) if text else None


def string(value: Any) -> str | None:
    """A metadata value as a string; a list gives its first. None where there is nothing that can be read."""
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None or value is UNREADABLE or value in ("", b""):
        return None
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, Seconds):
        return datetime.fromtimestamp(value, UTC).isoformat() if FIRST_SECOND <= value <= LAST_SECOND else None
    if isinstance(value, (dict, list, tuple)):
        return without_surrogates(json.dumps(value, ensure_ascii=False, default=str))
    return without_surrogates(str(value))


def time_of(value: Any) -> int | None:
    """Seconds since 1970 of a date as text (`seconds`), of a number or its digits (`time_of_number`), or of a time;
    None past years 1 to 9999."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text) is None:
            return seconds(text)
        value = Decimal(text)
    found: int | None = None
    if isinstance(value, Seconds):
        found = int(value)
    elif isinstance(value, datetime):
        found = int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    elif isinstance(value, date):
        found = int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp())
    elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        found = time_of_number(value)
    return found if found is not None and FIRST_SECOND <= found <= LAST_SECOND else None


def time_of_number(number: float | Decimal) -> int | None:
    """Seconds since 1970 of a number that is a date by its digits (`DATES`): the first second of it; or that is one of
    seconds, milli-, micro- or nanoseconds since then, from `FIRST_NUMBER` on, whichever gives a year before 5139."""
    magnitude: Any = abs(number)
    if not number > 0 or not magnitude < 10**20:  # a NaN is neither
        return None
    whole = int(number)
    digits = str(whole)
    if whole == number and len(digits) in DATES:
        try:
            return int(datetime.strptime(digits, DATES[len(digits)]).replace(tzinfo=UTC).timestamp())
        except ValueError:
            return None
    if whole < FIRST_NUMBER:
        return None
    while whole > 10**11:
        whole //= 1000
    return whole


def without_surrogates(text: str) -> str:
    """JSON may spell half of a surrogate pair; UTF-8 cannot hold it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
