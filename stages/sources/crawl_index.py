"""Rows of crawl indices: where each capture lies, and what is known of it without reading it.

`tables` gives the rows of one file as Arrow tables with the columns `COLUMNS`, whatever the file is:

- Common Crawl's columnar index (Parquet; https://commoncrawl.org/columnar-index): `warc_filename`,
  `warc_record_offset`, `warc_record_length`, and of the others those that a condition needs. Row groups whose
  `url_surtkey` holds none of the wanted hosts are not read.
- CDXJ (pywb; Common Crawl's `cdx-NNNNN.gz`): sort key, time, and a JSON object; the same object alone, one a line, as
  index servers answer.
- CDX with its legend (` CDX N b a m s k r M S V g`; https://archive.org/web/researcher/cdx_legend.php), or without one
  where a line has the eleven or nine usual fields.

Text may be compressed (gzip in members, zstd, bz2, lz4). The first bytes of a file show its kind.

Price: Parquet some ten million rows a second; text about 200,000 lines, in Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.formats.locations import open_random
from stages.kernels.urls.keys import HOST, hosts_as_written

COLUMNS = ("file", "offset", "length", "url", "host", "languages", "mime", "status", "truncated")
NUMBERS = ("offset", "length", "status")
SCHEMA = pa.schema([(name, pa.int64() if name in NUMBERS else pa.string()) for name in COLUMNS])
PARQUET = {
    "file": ("warc_filename",),
    "offset": ("warc_record_offset",),
    "length": ("warc_record_length",),
    "url": ("url",),
    "host": ("url_host_name", "url"),
    "languages": ("content_languages",),
    "mime": ("content_mime_detected", "content_mime_type"),
    "status": ("fetch_status",),
    "truncated": ("content_truncated",),
}
"""Ours: theirs. Of several `mime` takes the first that has a value, the others the first that is there."""
JSON = {
    "file": ("filename",),
    "offset": ("offset",),
    "length": ("length",),
    "url": ("url",),
    "host": ("url",),
    "languages": ("languages",),
    "mime": ("mime-detected", "mime"),
    "status": ("status",),
    "truncated": ("truncated",),
}
LETTERS = {"file": "g", "offset": "V", "length": "S", "url": "a", "host": "a", "mime": "m", "status": "s"}
LEGENDS = {11: "NbamskrMSVg", 9: "NbamskrVg"}
ALWAYS = ("file", "offset", "length")
BATCH_LINES = 1 << 16
MAX_LINE = 1 << 20
_JSON_AT = re.compile(rb"^(?:\S+ \S+ )?(?=\{)")


class MissingColumns(ValueError):
    """An index without the columns that are needed; the message names what is missing and what is there."""

    def __init__(self, missing: Sequence[str], there: Sequence[str]) -> None:
        there = list(there)
        shown = ", ".join(there[:30]) + (f" and {len(there) - 30} more" if len(there) > 30 else "")
        super().__init__(f"has no {' and no '.join(missing)}; what it has: {shown or 'nothing'}")


def tables(uri: str, needed: Sequence[str], keys: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of an index file, some tens of thousands at a time.

    Args:
        needed: the columns of `COLUMNS` that are asked for beside the place; the others are null.
        keys: beginnings of sort keys (`surt`), one of which each wanted row has; rows that have none may be left out.

    Raises:
        MissingColumns: it has not what is needed.
        ValueError: it is no index, or damaged.
        OSError: it cannot be read.
    """
    with open_random(uri) as file:
        head = file.read(4)
        file.seek(0)
        if head == b"PAR1":
            yield from _parquet(file, needed, keys)
        else:
            yield from _text(file, uri, needed)


# Parquet


def _parquet(file: Any, needed: Sequence[str], keys: Sequence[str] | None) -> Iterator[pa.Table]:
    try:
        parquet = pq.ParquetFile(file, pre_buffer=True, page_checksum_verification=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"is no Parquet that can be read: {error}") from error
    there = parquet.schema_arrow.names
    missing = [" or ".join(PARQUET[name]) for name in (*ALWAYS, *needed) if not set(PARQUET[name]) & set(there)]
    if missing:
        raise MissingColumns(missing, there)
    wanted = list(dict.fromkeys(column for name in (*ALWAYS, *needed, "url") for column in PARQUET[name]))
    columns = [column for column in wanted if column in there]
    sorted_by = there.index("url_surtkey") if keys is not None and "url_surtkey" in there else None
    for group in range(parquet.num_row_groups):
        if sorted_by is not None and keys is not None and not _may_hold(parquet.metadata, group, keys):
            continue
        yield _columns(parquet.read_row_group(group, columns), needed)


def _may_hold(metadata: Any, group: int, keys: Sequence[str]) -> bool:
    """Whether a row group may hold a sort key with one of these beginnings, by its statistics."""
    chunks = metadata.row_group(group)
    for index in range(chunks.num_columns):
        column = chunks.column(index)
        if column.path_in_schema != "url_surtkey":
            continue
        found = column.statistics
        if found is None or not found.has_min_max:
            return True
        least, most = (_as_text(value) for value in (found.min, found.max))
        return any(most >= key and least[: len(key)] <= key for key in keys)
    return True


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _columns(table: pa.Table, needed: Sequence[str]) -> pa.Table:
    """Their columns as ours."""
    found: dict[str, Any] = {}
    for name in COLUMNS:
        theirs = [column for column in PARQUET[name] if column in table.column_names]
        if not theirs or name not in (*ALWAYS, *needed, "url"):
            found[name] = pa.nulls(table.num_rows, SCHEMA.field(name).type)
            continue
        values = [_cast(table[column], column, SCHEMA.field(name).type) for column in theirs]
        if name == "mime":
            found[name] = pc.coalesce(*(pc.if_else(pc.equal(value, ""), None, value) for value in values))
        elif name == "host":
            found[name] = pc.utf8_lower(values[0]) if theirs[0] == "url_host_name" else hosts_of(values[0])
        else:
            found[name] = values[0]
    return pa.table(found, schema=SCHEMA)


def _cast(column: Any, name: str, kind: pa.DataType) -> Any:
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"column {name}: expected {kind}, found {column.type}: {error}") from error


def hosts_of(urls: Any) -> Any:
    """The host of each address in lower case, without dots at its end; null where it has none."""
    return pc.utf8_lower(hosts_as_written(urls))


# Lines


def _text(file: Any, uri: str, needed: Sequence[str]) -> Iterator[pa.Table]:
    parse: Callable[[bytes], Any] | None = None
    rows: list[Any] = []
    seen: set[str] = set()
    num_lines = 0
    for line in lines(file, uri):
        if parse is None and line.startswith(b" CDX "):
            parse = _legend(line, needed)
            continue
        if not line.strip() or line.startswith((b"!", b"#")):
            continue
        parse = parse or _kind(line, needed, seen)
        rows.append(parse(line))
        num_lines += 1
        if len(rows) == BATCH_LINES:
            yield _table(rows)
            rows = []
    missing = [" or ".join(JSON[name]) for name in (*ALWAYS, *needed) if not set(JSON[name]) & seen] if seen else []
    if missing:
        raise MissingColumns(missing, sorted(seen))
    if rows:
        yield _table(rows)
    if not num_lines:
        raise ValueError("holds no line of an index")


def _table(rows: list[Any]) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], SCHEMA)


def _kind(line: bytes, needed: Sequence[str], seen: set[str]) -> Callable[[bytes], Any]:
    """A parser for the lines of a file that has no legend."""
    if _JSON_AT.match(line):
        return lambda one: _json_row(one, seen)
    legend = LEGENDS.get(len(line.split()))
    if legend is None:
        start = line[:60].decode("utf-8", "backslashreplace").strip()
        raise ValueError(f"is neither Parquet nor CDXJ nor CDX; it begins {start!r}")
    return _legend(b" CDX " + " ".join(legend).encode(), needed)


def _json_row(line: bytes, seen: set[str]) -> tuple[Any, ...]:
    """A line as a row; one that is none has no place."""
    found = _JSON_AT.match(line)
    try:
        fields = json.loads(line[found.end() :]) if found else {}
    except ValueError:
        fields = {}
    if not isinstance(fields, dict):
        fields = {}
    seen.update(fields)
    values = [next((str(fields[key]) for key in JSON[name] if _says(fields.get(key))), None) for name in COLUMNS]
    return _row(values)


def _says(value: Any) -> bool:
    """Whether a field says anything: 0 does, the place of a file's first record."""
    return value is not None and value is not False and value not in ("", [], {})


def _legend(line: bytes, needed: Sequence[str]) -> Callable[[bytes], Any]:
    letters = line.split()[1:]
    at = {name: letters.index(letter.encode()) for name, letter in LETTERS.items() if letter.encode() in letters}
    missing = [f"field {LETTERS.get(name, '')!s} ({name})" for name in (*ALWAYS, *needed) if name not in at]
    if missing:
        raise MissingColumns(missing, [letter.decode("utf-8", "replace") for letter in letters])

    def row(one: bytes) -> tuple[Any, ...]:
        fields = one.decode("utf-8", "replace").split()
        values = [fields[at[name]] if at.get(name, len(fields)) < len(fields) else None for name in COLUMNS]
        return _row([None if value == "-" else value for value in values])

    return row


def _row(values: list[str | None]) -> tuple[Any, ...]:
    row: list[Any] = []
    for name, value in zip(COLUMNS, values, strict=True):
        if name in NUMBERS:
            is_number = value is not None and value.isascii() and value.isdigit() and len(value) < 19
            row.append(int(value) if is_number and value is not None else None)
        elif name == "host":
            found = re.match(HOST, value or "")
            row.append(found["host"].rstrip(".").lower() if found else None)
        else:
            row.append(value)
    return tuple(row)


def lines(file: Any, uri: str) -> Iterator[bytes]:
    """The lines of a text file of any compression, without their ends.

    Raises:
        ValueError: its compression is damaged, or a line has no end within `MAX_LINE` bytes.
    """
    rest = b""
    for block in _blocks(file, uri):
        parts = (rest + block).split(b"\n")
        rest = parts.pop()
        if len(rest) > MAX_LINE:
            raise ValueError(f"has a line of more than {MAX_LINE} bytes")
        yield from parts
    if rest:
        yield rest


def _blocks(file: Any, uri: str) -> Iterator[bytes]:
    head = file.read(4)
    file.seek(0)
    codec = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    stream = pa.CompressedInputStream(file, codec) if codec else file
    try:
        while block := stream.read(1 << 20):
            yield bytes(block)
    except (pa.ArrowInvalid, OSError) as error:
        if codec is None:
            raise
        raise ValueError(f"is {codec} that cannot be read to its end: {error}") from error


_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\x04\x22\x4d\x18": "lz4"}


def surt(host: str) -> str | None:
    """Start of the sort keys of a host and all below it (SURT, as Common Crawl's ``url_surtkey``); None of numbers."""
    name = re.sub(r"^www\d*\.", "", host)
    if not name or ":" in name or re.fullmatch(r"[\d.]+", name):
        return None
    return ",".join(reversed(name.split(".")))
