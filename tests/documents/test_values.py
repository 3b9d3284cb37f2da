"""Columns of every Arrow type give values or counted nulls, never an error."""

from __future__ import annotations

import decimal
import uuid
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import documents
from stages.documents.values import time_of, values_of
from tests.support.archives import read, whole

COLUMNS = ("text", "url", "time", "language", "title", "licence", "id")


def every_type() -> dict[str, pa.Array]:
    """Name of an Arrow type -> three values of it, the second null."""
    when = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    plain: list[tuple[pa.DataType, Any]] = [
        (pa.bool_(), True),
        *((getattr(pa, f"{sign}int{bits}")(), 7) for sign in ("", "u") for bits in (8, 16, 32, 64)),
        (pa.float16(), np.float16(1.5)), (pa.float32(), 1.5), (pa.float64(), float("nan")),
        (pa.decimal128(12, 2), decimal.Decimal("1.50")), (pa.decimal256(40, 2), decimal.Decimal("1.50")),
        (pa.string(), "words"), (pa.large_string(), "words"), (pa.string_view(), "words"),
        (pa.binary(), b"words"), (pa.large_binary(), b"w\xff"), (pa.binary_view(), b"words"),
        (pa.binary(4), b"\xff234"),
        (pa.date32(), date(2024, 1, 2)), (pa.date64(), date(2024, 1, 2)),
        (pa.time32("s"), time(1, 2)), (pa.time64("us"), time(1, 2)), (pa.time64("ns"), 1),
        *((pa.timestamp(unit, zone), when) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "+05:30")),
        *((pa.duration(unit), timedelta(1)) for unit in ("s", "ms", "us", "ns")),
        (pa.month_day_nano_interval(), pa.scalar((1, 2, 3), pa.month_day_nano_interval()).as_py()),
        (pa.list_(pa.string()), ["a", "b"]), (pa.large_list(pa.int64()), [1]), (pa.list_(pa.string(), 1), ["a"]),
        (pa.list_view(pa.string()), ["a"]), (pa.list_(pa.timestamp("ns")), [1]),
        (pa.struct([("a", pa.timestamp("ns"))]), {"a": 1}), (pa.struct([]), {}),
        (pa.map_(pa.string(), pa.int32()), [("a", 1)]),
    ]  # fmt: skip
    found = {str(kind): pa.array([value, None, value], kind) for kind, value in plain}
    found["null"] = pa.nulls(3)
    found["dictionary"] = pa.array(["a", None, "a"]).dictionary_encode()
    found["dictionary<timestamp[ns]>"] = pa.array([1, None, 1], pa.timestamp("ns")).dictionary_encode()
    found["run_end"] = pa.RunEndEncodedArray.from_arrays([1, 2, 3], pa.array(["a", None, "b"]))
    found["uuid"] = pa.array([uuid.UUID(int=1).bytes, None, uuid.UUID(int=2).bytes], pa.uuid())
    found["json"] = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None, "1"]))
    found["bool8"] = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None, 0], pa.int8()))
    types = pa.array([0, 1, 0], pa.int8())
    found["union"] = pa.UnionArray.from_sparse(types, [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])])
    return found


TYPES = every_type()


def write_arrow(path: Path, table: pa.Table) -> Path:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("ours", COLUMNS)
def test_every_type_in_every_column_gives_rows_or_counts(tmp_path: Path, kind: str, ours: str) -> None:
    columns = {"text": pa.array(["one", "two", "three"]), "x": TYPES[kind]}
    rows, report = read(whole(write_arrow(tmp_path / "a.arrow", pa.table(columns))), columns={ours: "x"})
    assert report["records"] == 3
    assert report["num_bad"] == 0
    if ours == "text":
        unread = sum(drop["records"] for drop in report["dropped"].values()) + report["num_quarantined"]
        assert len(rows) + unread == 3
    else:
        assert [row["text"] for row in rows] == ["one", "two", "three"]
        name = {"language": "language_declared", "id": "record_id"}.get(ours, ours)
        nulls = sum(row[name] is None for row in rows)
        absent = sum(value in (None, [], "") for value in values_of(TYPES[kind]))
        assert nulls == absent + report["notes"].get(f"unreadable_{ours}", 0)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_times_of_every_unit_and_zone_keep_their_seconds(tmp_path: Path, unit: str, zone: str | None) -> None:
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    second = 1704164645
    column = pa.array([second * ticks + ticks // 7, -ticks // 2], pa.timestamp(unit, zone))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "date": column}), path)
    rows, report = read(whole(path))
    stored = pq.read_table(path).column("date").cast(pa.timestamp(unit)).cast(pa.int64())[1].as_py()
    assert rows[0]["time"] == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert rows[1]["time"].timestamp() == stored // ticks if unit != "s" else True
    assert "unreadable_time" not in report["notes"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2**62], pa.timestamp("s")),
        pa.array([1, 2**62], pa.timestamp("ms")),
        pa.array([1, 2**31 - 1], pa.date32()),
        pa.array([1, -(2**31)], pa.date32()),
        pa.array([86400000, 2**62], pa.date64()),
        pa.array([1e9, 1e21]),
        pa.array([1e9, float("inf")]),
        pa.array([1e9, float("nan")]),
        pa.array(["1970-01-01", "last spring"]),
    ],
)
def test_a_time_out_of_range_is_null_and_counted(tmp_path: Path, column: pa.Array) -> None:
    path = write_arrow(tmp_path / "a.arrow", pa.table({"text": ["a", "b"], "time": column}))
    rows, report = read(whole(path))
    assert [row["time"] is None for row in rows] == [False, True]
    assert report["notes"] == {"unreadable_time": 1}


def test_a_text_of_another_type_is_quarantined_with_its_row(tmp_path: Path) -> None:
    rows, report = read(whole(write_arrow(tmp_path / "a.arrow", pa.table({"text": [1, 2]}))))
    assert rows == []
    assert [bad["reason"] for bad in report["quarantined"]] == ["text_not_string"] * 2


def test_a_string_column_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    column = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 3, 8], np.int32)), pa.py_buffer(b"abccaf\xe9!")]
    )
    rows, report = read(whole(write_arrow(tmp_path / "a.arrow", pa.table({"text": column, "url": column}))))
    assert [row["text"] for row in rows] == ["abc", "café!"]
    assert report["num_bad"] == 0


def test_binary_addresses_are_strings(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"], "url": pa.array([b"https://e.org/"]), "id": pa.array([b"\xff\x00"])})
    rows, _ = read(whole(write_arrow(tmp_path / "a.arrow", table)))
    assert (rows[0]["url"], rows[0]["record_id"]) == ("https://e.org/", "ff00")


def test_a_column_that_is_missing_is_one_line_that_names_those_there(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "a.arrow", pa.table({"text": ["a"]}))
    with pytest.raises(documents.ColumnError, match=r"no column 'when' for time; it has text"):
        read(whole(path), columns={"time": "when"})


@given(
    st.one_of(
        st.integers(), st.floats(), st.text(), st.binary(), st.decimals(allow_nan=False), st.datetimes(), st.none()
    )
)
def test_any_value_is_a_time_or_none(value: Any) -> None:
    found = time_of(value)
    assert found is None or abs(found) < 1 << 40


@pytest.mark.parametrize(
    ("date_", "seconds"),
    [
        ("2024", 1704067200), ("2024-06", 1717200000), ("2024-06-12", 1718150400),
        ("20240612070000", 1718175600), ("2024-06-12T07:00:00Z", 1718175600), ("2024-06-12T09:00:00+02:00", 1718175600),
        ("Wed, 12 Jun 2024 07:00:00 GMT", 1718175600), ("Wed, 12 Jun 2024 09:00:00 +0200", 1718175600),
    ],
)  # fmt: skip
def test_dates_of_the_web_are_read(tmp_path: Path, date_: str, seconds: int) -> None:
    """W3C-DTF has years and months alone, CDX fourteen digits, feeds RFC 5322."""
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "date": "{date_}"}}\n')
    rows, report = read(whole(tmp_path / "a.jsonl"))
    assert int(rows[0]["time"].timestamp()) == seconds
    assert report["notes"] == {}


@pytest.mark.parametrize(
    "date_", ["20241", "2024-13", "20241399000000", "0000", "Wed, 99 Jun 2024 07:00:00 GMT", "Wed"]
)
def test_a_date_that_is_none_is_counted(tmp_path: Path, date_: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "date": "{date_}"}}\n')
    rows, report = read(whole(tmp_path / "a.jsonl"))
    assert rows[0]["time"] is None
    assert report["notes"] == {"unreadable_time": 1}


@pytest.mark.parametrize(
    ("value", "when"),
    [
        (1709209805, "2024-02-29T12:30:05"),
        ("1709209805", "2024-02-29T12:30:05"),
        (" 1709209805.75 ", "2024-02-29T12:30:05"),
        ("1612011801123", "2021-01-30T13:03:21"),  # not 18 January 1612
        (1709209805123, "2024-02-29T12:30:05"),
        (1709209805123456, "2024-02-29T12:30:05"),
        (1709209805123456789, "2024-02-29T12:30:05"),
        (decimal.Decimal("1709209805123.5"), "2024-02-29T12:30:05"),
        (20240229, "2024-02-29T00:00:00"),
        (20240229.0, "2024-02-29T00:00:00"),
        ("20240229", "2024-02-29T00:00:00"),
        (202402, "2024-02-01T00:00:00"),
        (2024, "2024-01-01T00:00:00"),
        ("2024", "2024-01-01T00:00:00"),
        (20240229123005, "2024-02-29T12:30:05"),
        (b"20240229123005", "2024-02-29T12:30:05"),
        ("202402", "2024-02-01T00:00:00"),
        ("2024.0", "2024-01-01T00:00:00"),  # a column of numbers with gaps, written as CSV
        ("20240229.0", "2024-02-29T00:00:00"),
        (1850, "1850-01-01T00:00:00"),
        ("1850", "1850-01-01T00:00:00"),
        ("0850", "0850-01-01T00:00:00"),
        (20241329, None),  # no month 13
        ("20241329", None),
        (45351, None),  # 29 February 2024 of a spreadsheet
        (2024.5, None),
        (99_999_999, None),
        (100_000_000, "1973-03-03T09:46:40"),
        ("100000000", "1973-03-03T09:46:40"),
        (20241329123005, None),  # nor is it milliseconds of the year 2611
        (0, None),
        (-1709209805, None),
        (10**20, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("1" * 40, None),
    ],
)
def test_numbers_and_their_digits_are_times(value: Any, when: str | None) -> None:
    found = time_of(value)
    assert (found and datetime.fromtimestamp(found, UTC).isoformat()[:19]) == when


def test_empty_bytes_are_no_value(tmp_path: Path) -> None:
    columns = {"text": ["one"], "id": pa.array([b""]), "lang": pa.array([[b""]])}
    rows, report = read(whole(write_arrow(tmp_path / "a.arrow", pa.table(columns))))
    assert (rows[0]["record_id"], rows[0]["language_declared"]) == (None, None)
    assert report["notes"] == {"unreadable_language": 1}
