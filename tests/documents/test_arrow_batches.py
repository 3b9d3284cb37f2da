"""Arrow files as far as they can be read: a damaged batch costs itself, a lost footer nothing."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages import documents
from stages.documents.account import Account
from stages.documents.tables import arrow_pages
from tests.documents.test_formats import check_parts
from tests.support.archives import read, whole

TEXTS = [f"Text {number} of a table." * 8 for number in range(100)]
TABLE = pa.table({"wide": [[number / 7] * 300 for number in range(100)], "text": TEXTS, "id": range(100)})


def written(table: pa.Table = TABLE, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=10)
    return sink.getvalue()


def reasons(report: dict[str, Any]) -> list[tuple[int, str]]:
    return [(one["offset"], one["reason"]) for one in report["bad"]]


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize("garbage", [False, True])
def test_a_file_without_its_footer_is_read_as_its_stream(
    tmp_path: Path, compression: str | None, garbage: bool
) -> None:
    data = written(compression=compression)
    path = tmp_path / "a.arrow"
    path.write_bytes(data + b"garbage" if garbage else data[:-30])
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS
    assert reasons(report) == [(0, "truncated_file")]
    raw = documents.raw_record(whole(path), documents.Params(), path.name, rows[77]["offset"])
    assert TEXTS[77].encode() in raw
    path.write_bytes(data[: len(data) // 2])
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS[: len(rows)]
    assert 30 <= len(rows) <= 60
    assert reasons(report) == [(0, "truncated_file"), (len(rows), "damaged_batch")]


@pytest.mark.parametrize("wrong", [b"\x7f" * 4, b"\xff" * 4])
def test_a_batch_whose_offsets_lead_elsewhere_costs_itself(tmp_path: Path, wrong: bytes) -> None:
    data = bytearray(written(pa.table({"text": TEXTS, "id": range(100)})))
    place = data.index(TEXTS[40].encode()) - 48  # its offsets stand before its text
    data[place : place + 4] = wrong
    path = tmp_path / "a.arrow"
    path.write_bytes(data)
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS[:40] + TEXTS[50:]
    assert [row["offset"] for row in rows] == [*range(40), *range(50, 100)]
    assert reasons(report) == [(40, "damaged_batch")]
    check_parts(whole(path), 4, 10, "batches")


def test_a_packed_batch_that_is_damaged_costs_itself(tmp_path: Path) -> None:
    data = bytearray(written(pa.table({"id": range(100), "text": TEXTS}), "zstd"))
    with pa.ipc.open_file(pa.BufferReader(bytes(data))) as reader:
        assert reader.num_record_batches == 10
    frames = [at for at in range(len(data)) if data[at : at + 4] == b"\x28\xb5\x2f\xfd"]
    data[frames[len(frames) // 2 + 1] + 1] ^= 0xFF  # of a column that is no `id`, or of it
    path = tmp_path / "a.arrow"
    path.write_bytes(data)
    rows, report = read(whole(path))
    assert len(rows) in (90, 100)
    assert len({row["offset"] for row in rows}) == len(rows)
    assert {row["text"] for row in rows} <= set(TEXTS)
    check_parts(whole(path), 4, 10, "batches")
    assert report["num_bad"] == (len(rows) == 90)


class Counted(io.BytesIO):
    """A file that counts the bytes read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_no_column_is_fetched_that_nobody_wants_and_no_batch_before_a_part() -> None:
    data = written()
    text_bytes = sum(map(len, TEXTS))
    file = Counted(data)
    assert len(list(arrow_pages(file, Account("a"), {}))) == 100
    assert file.count < text_bytes + 25_000 < len(data) // 4
    file = Counted(data)
    assert [page.offset for page in arrow_pages(file, Account("a"), {}, range(9, 10))] == [*range(90, 100)]
    assert file.count < text_bytes // 10 + 25_000


def test_any_damage_gives_rows_or_reasons() -> None:
    rng = random.Random(3)
    for round_ in range(300):
        data = bytearray(written(pa.table({"text": TEXTS, "id": range(100)}), (None, "zstd")[round_ % 2]))
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(8, len(data))
            data[place : place + 4] = rng.randbytes(4)
        account = Account("a")
        found = list(arrow_pages(io.BytesIO(bytes(data[: rng.randrange(len(data) // 2, len(data))])), account, {}))
        assert found or account.num_bad or account.num_quarantined
