"""Parquet files as far as they can be read: no wrong bit gives other text, or fewer rows, and no word of it."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from stages import documents
from stages.documents.account import Account
from stages.documents.tables import ColumnError, parquet_pages
from stages.rules.row_files import rows as row_file_rows
from tests.support.archives import read, whole

TEXTS = [f"Text {number} of a table." * 8 for number in range(100)]
TABLE = pa.table({"text": TEXTS, "id": range(100)})


def written(group: int = 10, compression: str = "none", **options: Any) -> bytes:
    sink = io.BytesIO()
    options = {"use_dictionary": False, **options}
    pq.write_table(TABLE, sink, row_group_size=group, compression=compression, write_page_checksum=True, **options)
    return sink.getvalue()


def texts_and_account(data: bytes) -> tuple[list[str | None], Account]:
    account = Account("a")
    return [page.text for page in parquet_pages(io.BytesIO(data), account, {}, None)], account


def test_a_wrong_bit_of_a_page_with_a_checksum_costs_its_row_group_alone(tmp_path: Path) -> None:
    data = bytearray(written())
    data[data.index(b"Text 43 of")] ^= 4
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    rows, report = read(whole(path))
    assert [row["text"] for row in rows] == TEXTS[:40] + TEXTS[50:]
    assert [row["offset"] for row in rows] == [*range(40), *range(50, 100)]
    assert report["bad"] == [{"file": "a.parquet", "offset": 40, "reason": "damaged_row_group"}]
    assert TEXTS[77].encode() in documents.raw_record(whole(path), documents.Params(), path.name, 77)
    with pytest.raises(ValueError, match=r"a\.parquet: expected what its name says, whole: .*CRC"):
        list(row_file_rows(str(path), ["text"]))


def test_rows_before_a_damaged_page_of_a_row_group_are_read() -> None:
    data = bytearray(written(group=100, data_page_size=400, write_batch_size=1))
    data[data.index(b"Text 43 of")] ^= 4
    texts, account = texts_and_account(bytes(data))
    assert texts == TEXTS[: len(texts)]
    assert 39 < len(texts) <= 43
    assert account.bad == [{"file": "a", "offset": len(texts), "reason": "damaged_row_group"}]


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "lz4"])
@pytest.mark.parametrize("options", [{}, {"data_page_version": "2.0", "use_dictionary": True, "data_page_size": 400}])
def test_no_wrong_bit_gives_other_rows_without_a_word(compression: str, options: dict[str, Any]) -> None:
    rng = random.Random(5)
    data = written(50, compression, **options)
    for _ in range(150):
        damaged = bytearray(data)
        damaged[rng.randrange(4, len(data))] ^= 1 << rng.randrange(8)
        try:
            texts, account = texts_and_account(bytes(damaged))
        except ColumnError:  # the name of the column
            continue
        assert texts == TEXTS or account.num_bad, damaged
        assert set(texts) <= set(TEXTS)


def test_a_file_whose_footer_counts_no_rows_of_the_file_is_sound() -> None:
    data = bytearray(written(group=100))
    size = int.from_bytes(data[-8:-4], "little")
    count = data.index(b"\x16\xc8\x01", len(data) - 8 - size)  # field 3 of FileMetaData: 100 as a zigzag varint
    data[count : count + 3] = b"\x16\x00"
    data[-8:-4] = (size - 1).to_bytes(4, "little")
    assert pq.ParquetFile(io.BytesIO(data)).metadata.num_rows == 0
    texts, account = texts_and_account(bytes(data))
    assert texts == TEXTS
    assert account.bad == []


def test_a_schema_that_arrow_refuses_is_no_damaged_footer() -> None:
    keys = pa.map_(pa.string(), pa.string())
    sink = io.BytesIO()
    pq.write_table(pa.table({"m": pa.array([[("a", "b")]], keys)}), sink, store_schema=False)
    data = sink.getvalue()
    key = data.rindex(b"\x25\x00\x18\x03key")  # the repetition of the key: required (0)
    texts, account = texts_and_account(data[:key] + b"\x25\x02" + data[key + 2 :])
    assert texts == []
    assert account.bad == [{"file": "a", "offset": 0, "reason": "unreadable_schema"}]


class PlainKeys(pe.KmsClient):  # type: ignore[misc]
    """Keys wrapped as they are."""

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return key_bytes.hex().encode()

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        return bytes.fromhex(wrapped_key.decode())


def test_encrypted_columns_behind_a_plain_footer_are_named_and_others_read() -> None:
    keys = pe.EncryptionConfiguration("key", column_keys={"key": ["id"]}, plaintext_footer=True)
    properties = pe.CryptoFactory(lambda _: PlainKeys()).file_encryption_properties(pe.KmsConnectionConfig(), keys)
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, TABLE.schema, encryption_properties=properties) as writer:
        writer.write_table(TABLE)
    texts, account = texts_and_account(sink.getvalue())
    assert texts == []
    assert account.bad == [{"file": "a", "offset": 0, "reason": "encrypted_parquet"}]
    account = Account("a")
    columns = {"id": "text"}
    assert [page.text for page in parquet_pages(io.BytesIO(sink.getvalue()), account, columns, None)] == TEXTS
    assert account.bad == []
