"""Files of texts that a user supplies: benchmarks, training sets, labelled pages; read as a stream of rows.

JSONL (.jsonl, .json, .ndjson), CSV (.csv, .tsv, with a head), Parquet, or text (a line a row, under the key ``text``);
.gz and .zst behind any of them but Parquet. Text is UTF-8, or as its byte order mark states. Price: a Python object a
row.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")
TABLE_SUFFIXES = {".csv": ",", ".tsv": "\t"}
"""Suffixes of tables, and the separators of their columns."""


MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encodings that they stand for; without one it is UTF-8."""


def in_utf8(data: bytes) -> bytes:
    """The bytes of a text file in UTF-8, without the mark that programs of Windows put before them."""
    charset = next((name for mark, name in MARKS if data.startswith(mark)), None)
    if charset is None:
        return data
    if charset == "utf-8-sig":
        return data.removeprefix(codecs.BOM_UTF8)
    return data.decode(charset, "replace").encode()


def rows(path: str, columns: Sequence[str] = (), optional: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Every row; of Parquet only ``columns``, where any are named, and those ``optional`` ones that it has.

    Raises:
        ValueError: for a row that is no JSON object, naming file and line; for a column that a Parquet file has not;
            for a file that is damaged or not what its name says.
        OSError: the file cannot be read.
    """
    try:
        yield from _rows(path, columns, optional)
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError, pa.ArrowException) as error:
        raise ValueError(f"{path}: expected what its name says, whole: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{path}: expected what its name says, whole: {error}") from error  # of Arrow, on a page


def _rows(path: str, columns: Sequence[str], optional: Sequence[str]) -> Iterator[dict[str, Any]]:
    file = Path(path)
    if file.suffix == ".parquet":
        yield from _parquet(file, columns, optional)
        return
    separator = next((TABLE_SUFFIXES[suffix] for suffix in file.suffixes if suffix in TABLE_SUFFIXES), None)
    if separator:
        with _opened(file) as lines:
            try:
                for cells in csv.DictReader(lines, delimiter=separator, restkey=""):
                    yield {str(key): value for key, value in cells.items()}
            except csv.Error as error:
                raise ValueError(f"{path}: expected a table of text with a head: {error}") from error
        return
    as_json = any(suffix in JSON_SUFFIXES for suffix in file.suffixes)
    with _opened(file) as lines:
        for number, line in enumerate(lines, 1):
            text = line.rstrip("\n")
            if not as_json:
                yield {"text": text}
            elif text.strip():
                try:
                    row = json.loads(text)
                except (json.JSONDecodeError, RecursionError) as error:
                    found = f"found {text[:40]!r}: {error}"
                    raise ValueError(f"{path}, line {number}: expected a JSON object, {found}") from error
                if not isinstance(row, dict):
                    raise ValueError(f"{path}, line {number}: expected a JSON object, found {text[:40]!r}")
                yield row


def _parquet(file: Path, columns: Sequence[str], optional: Sequence[str]) -> Iterator[dict[str, Any]]:
    table = pq.ParquetFile(file, page_checksum_verification=True)
    known = table.schema_arrow.names
    missing = [name for name in columns if name not in known]
    if missing:
        raise ValueError(f"{file}: no column {missing[0]!r}; it has {', '.join(known)}")
    wanted = [*columns, *(name for name in optional if name in known and name not in columns)] if columns else None
    for batch in table.iter_batches(1024, columns=wanted):
        yield from batch.to_pylist()


def _opened(file: Path) -> io.TextIOWrapper:
    raw: Any = file.open("rb")
    if file.suffix == ".gz":
        raw = gzip.GzipFile(fileobj=raw)
    elif file.suffix == ".zst":
        raw = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True))
    buffered = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    first = buffered.peek(4)[:4]
    charset = next((name for mark, name in MARKS if first.startswith(mark)), "utf-8")
    return io.TextIOWrapper(buffered, encoding=charset, errors="replace", newline="\n")


def mark(path: str) -> str:
    """The encoding that the byte order mark of a file of text stands for; '' where it has none.

    Raises:
        ValueError, OSError: as `rows`.
    """
    if Path(path).suffix == ".parquet":
        return ""
    try:
        with _opened(Path(path)) as lines:
            return lines.encoding if lines.encoding != "utf-8" else ""
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise ValueError(f"{path}: expected what its name says, whole: {error}") from error


def sha256(path: str) -> str:
    """SHA-256 of the file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
