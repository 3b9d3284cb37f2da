"""Seals: what is said of a file without writing it is what writing it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store import manifest
from pipeline.store.storage import Store
from stages import exchange_file, seal

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(st.text().filter(lambda key: key != "checksum"), VALUES, max_size=5))
def test_the_size_of_json_is_known_without_laying_it_out(value: dict[str, Any]) -> None:
    try:
        written = seal.encode_json(value)
    except UnicodeEncodeError:  # half of a surrogate pair is no text
        return
    assert seal.json_size(value) == len(written)


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "json", "jsonl.zst", "part"])
def test_a_sound_file_in_the_place_of_another_is_damaged_and_a_moved_root_is_not(tmp_path: Path, suffix: str) -> None:
    store = Store(str(tmp_path / "root"))
    table = pa.table({"x": [1, 2]})

    def write(address: str) -> None:
        if suffix == "parquet":
            store.write_table(address, table)
        elif suffix == "arrow":
            with store.arrow_writer(address, table.schema) as writer:
                writer.write_table(table)
        elif suffix == "json":
            store.write_json(address, {"x": 1})
        elif suffix == "part":
            exchange_file.write_partitioned(store, address, {"x": np.arange(3)}, np.zeros(3, np.int64), 1)
        else:
            manifest.write(store, address, [b"{}"])

    def read(store: Store, address: str) -> None:
        if suffix == "json":
            store.read_json(address)
        elif suffix == "part":
            exchange_file.read_partitions(store, address)
        elif suffix == "jsonl.zst":
            list(manifest.lines(store, address))
        else:
            store.open(address).close()
            assert store.problem(address) == ""

    mine, others = f"a/1/x.{suffix}", (f"a/1/y.{suffix}", f"a/2/x.{suffix}")
    write(mine)
    read(store, mine)
    (tmp_path / "root").rename(tmp_path / "moved")
    read(Store(f"{tmp_path}/moved"), mine)
    if suffix in ("parquet", "arrow"):
        Store(f"{tmp_path}/elsewhere").open(f"{tmp_path}/moved/{mine}").close()
    (tmp_path / "moved").rename(tmp_path / "root")
    for other in others:
        (tmp_path / "root" / other).parent.mkdir(exist_ok=True)
        (tmp_path / "root" / other).write_bytes((tmp_path / "root" / mine).read_bytes())
        with pytest.raises(seal.DamagedFile, match=r"or the file of another name|not what its checksum says"):
            read(store, other)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("documents/ab/cd.parquet", "ab/cd.parquet"),
        ("x.json", "x.json"),
        ("/root/q?x=1/documents/ab/cd.parquet", "ab/cd.parquet"),
        ("s3://b/r/ab/cd.parquet?endpoint_override=http://h:1/&scheme=http", "ab/cd.parquet"),
        ("gs://b/q?x/ab/cd.parquet", "ab/cd.parquet"),
    ],
)
def test_the_name_in_a_seal_is_the_same_for_every_way_to_write_an_address(address: str, name: str) -> None:
    assert seal.name_of(address) == name.encode()


def test_files_of_before_seals_held_names_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))
    with monkeypatch.context() as before:
        before.setattr(seal, "name_of", lambda address: b"")
        store.write_table("a/1/x.parquet", pa.table({"x": [1]}))
        store.write_json("a/1/x.json", {"x": 1})
    assert store.read_table("a/1/x.parquet").num_rows == store.read_json("a/1/x.json")["x"] == 1
