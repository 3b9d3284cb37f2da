"""The store: whole files or none, reports inside, nothing left of what was killed."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors import UserError, one_line
from pipeline.store.storage import TEMPORARY, Store


def test_a_file_is_there_only_when_its_block_ended(store: Store) -> None:
    with store.create("a/b.bin") as sink:
        sink.write(b"whole")
        assert not store.exists("a/b.bin")
    assert store.read_bytes("a/b.bin") == b"whole"


def test_an_exception_leaves_neither_the_file_nor_a_temporary_one(store: Store) -> None:
    with pytest.raises(RuntimeError, match="midway"), store.create("a/b.bin") as sink:
        sink.write(b"half")
        raise RuntimeError("midway")
    assert not store.exists("a/b.bin")
    assert os.listdir(store.path(TEMPORARY)) == []


def test_a_killed_writer_leaves_only_what_sweep_removes(store: Store) -> None:
    code = (
        "import sys, time; from pipeline.store.storage import Store\n"
        "with Store(sys.argv[1]).create('x/final') as sink:\n"
        "    sink.write(b'half'); sink.flush(); print('ready', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, store.root], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert store.list("") == []
    assert len(os.listdir(store.path(TEMPORARY))) == 1
    store.sweep()
    assert not os.path.exists(store.path(TEMPORARY))


def test_a_folder_in_the_place_of_a_file_is_named(store: Store) -> None:
    os.makedirs(store.path("a/x.json/inner"))
    with pytest.raises(OSError, match="Is a directory") as caught:
        store.write_json("a/x.json", {})
    assert one_line(caught.value) == f"{store.path('a/x.json')}: Is a directory"


def test_a_rewritten_file_replaces_the_old_one_whole(store: Store) -> None:
    store.write_bytes("f", b"old")
    store.write_bytes("f", b"new")
    assert store.read_bytes("f") == b"new"
    assert store.list("") == [("f", 3)]


def test_the_report_travels_inside_parquet_and_arrow_files(store: Store) -> None:
    table = pa.table({"a": [1, 2, 3]})
    store.write_table("t.parquet", table, report={"rows": 3, "ü": "é"})
    assert store.metadata("t.parquet") == {"rows": 3, "ü": "é"}
    assert store.read_table("t.parquet").equals(table)
    schema = table.schema.with_metadata({"gristmill": '{"rows":3}'})
    for name, writer in (("f.arrow", pa.ipc.new_file), ("s.arrow", pa.ipc.new_stream)):
        with store.create(name) as sink, writer(sink, schema) as out:
            out.write_table(table.cast(schema))
        assert store.metadata(name) == {"rows": 3}


def test_a_file_without_a_report_is_refused(store: Store) -> None:
    store.write_table("t.parquet", pa.table({"a": [1]}))
    with pytest.raises(UserError, match="no report inside"):
        store.metadata("t.parquet")


def test_equal_tables_give_equal_bytes(store: Store) -> None:
    table = pa.table({"a": list(range(1000)), "b": [str(n) for n in range(1000)]})
    for name in ("x", "y"):
        store.write_table(name, table, report={"b": 1, "a": 2})
    assert store.read_bytes("x") == store.read_bytes("y")


def test_row_groups_are_the_batches_written(store: Store) -> None:
    schema = pa.schema([("a", pa.int64())])
    with store.table_writer("t.parquet", schema) as writer:
        for size in (3, 0, 5):
            writer.write(pa.record_batch([pa.array(range(size), pa.int64())], schema=schema))
    assert store.read_table("t.parquet").num_rows == 8


def test_a_store_opens_again_in_another_process(store: Store) -> None:
    store.write_bytes("f", b"1")
    assert pickle.loads(pickle.dumps(store)).read_bytes("f") == b"1"


def test_remove_takes_files_and_folders_and_minds_nothing_missing(store: Store) -> None:
    store.write_bytes("d/e/f", b"1")
    store.write_bytes("d/g", b"1")
    store.remove("d/e")
    store.remove("d/g")
    store.remove("nowhere")
    assert store.list("d") == []


def test_a_root_that_is_no_uri_we_know_is_one_clear_error() -> None:
    with pytest.raises(UserError, match="cannot be opened"):
        Store("gopher://somewhere/else")
    for empty in ("", " "):  # as of a variable that is not set
        with pytest.raises(UserError, match="the root is empty"):
            Store(empty)


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/bin/mount"), reason="needs root to mount a small tmpfs")
def test_a_full_disk_is_an_error_and_leaves_no_half_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    try:
        store = Store(str(disk / "root"))
        with pytest.raises(OSError, match=f"No space left on device: '{disk}/root/big'"):
            store.write_bytes("big", b"x" * (4 << 20))
        assert store.list("") == []
        assert os.listdir(store.path(TEMPORARY)) == []
        subprocess.run(["mount", "-o", "remount,size=1m,nr_inodes=8", str(disk)], check=True)
        for number in range(9):
            with suppress(OSError):
                store.write_bytes(f"small{number}", b"x")
        with pytest.raises(OSError, match=r"No space left on device for one more file, though for bytes") as caught:
            store.write_bytes("more/small", b"x")
        assert one_line(caught.value).startswith(f"{disk}/root/more/small: No space")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_error_that_names_its_file_twice_is_told_once() -> None:
    told = FileNotFoundError(2, "s3://b/k: PutObject: HTTP 404 The specified bucket does not exist", "s3://b/k")
    assert one_line(told) == "s3://b/k: PutObject: HTTP 404 The specified bucket does not exist"
    assert one_line(FileNotFoundError(2, "No such file or directory", "/a")) == "/a: No such file or directory"


def test_rows_are_read_by_their_numbers_from_the_row_groups_that_hold_them(store: Store) -> None:
    schema = pa.schema([("n", pa.int64())])
    with store.table_writer("a.parquet", schema) as writer:
        for numbers in (range(3), range(3, 4), range(4, 8)):
            writer.write(pa.record_batch([pa.array(numbers, pa.int64())], schema=schema))
    found = [(which, table.to_pylist()) for which, table in store.read_rows("a.parquet", [1, 2, 7], ["n"])]
    assert found == [(slice(0, 2), [{"n": 1}, {"n": 2}]), (slice(2, 3), [{"n": 7}])]
    twice = [(which, table.column("n").to_pylist()) for which, table in store.read_rows("a.parquet", [1, 1, 2, 3, 3])]
    assert twice == [(slice(0, 3), [1, 1, 2]), (slice(3, 5), [3, 3])]
    assert [*store.read_rows("a.parquet", [], ["n"])] == []
    assert [(first, len(table)) for first, table in store.row_groups("a.parquet")] == [(0, 3), (3, 1), (4, 4)]
