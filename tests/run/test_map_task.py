"""The map over one split: aligned files in one pass, text read back, records that kill a process found and left out."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine import memory_limit
from pipeline.engine.orphans import children
from pipeline.engine.scheduler import Done, Scheduler
from pipeline.run.map_task import measure, survives
from pipeline.store.storage import Store
from stages.contract import Task
from stages.formats import retries
from stages.sources import SourceParams, list_splits
from tests.support.archives import record, write
from tests.support.corpora import documented, page
from tests.support.deadly_stage import BLOAT, HANG, MARK, MOST_BYTES


def arguments(split: Any, *modules: str) -> dict[str, Any]:
    sidecars = [
        {"product": module.rpartition(".")[2], "module": module, "params": {}, "address": f"{module}.parquet"}
        for module in modules
    ]
    return {
        "split": asdict(split),
        "documents": {"module": "stages.documents", "params": {}, "address": "documents.parquet"},
        "sidecars": sidecars,
    }


def pages(
    count: int, deadly: tuple[int, ...] = (), hanging: tuple[int, ...] = (), bloated: tuple[int, ...] = ()
) -> list[bytes]:
    marks = {**dict.fromkeys(deadly, MARK), **dict.fromkeys(hanging, HANG), **dict.fromkeys(bloated, BLOAT)}
    return [
        record(page(name, f"{text}\n\n{marks.get(number, '')}"), url=f"https://d.example/{name}")
        for number, (name, text) in enumerate(documented()[:count])
    ]


def test_every_sidecar_is_aligned_with_its_documents(store: Store, tmp_path: Path) -> None:
    split = write(tmp_path / "a.warc.gz", pages(30))
    done = measure(store, **arguments(split, "stages.language", "stages.quality", "stages.signatures"))
    ids = {name: report["doc_ids"] for name, report in done["reports"].items()}
    assert len(set(ids.values())) == 1
    assert {report["rows"] for report in done["reports"].values()} == {30}
    signed = store.read_table("stages.signatures.parquet", ["doc_id"])
    assert signed.column("doc_id").equals(store.read_table("documents.parquet", ["doc_id"]).column("doc_id"))


def test_a_missing_sidecar_is_made_from_the_stored_text_alone(store: Store, tmp_path: Path) -> None:
    split = write(tmp_path / "a.warc.gz", pages(10))
    measure(store, **arguments(split, "stages.language"))
    before = store.read_bytes("documents.parquet")
    (tmp_path / "a.warc.gz").unlink()
    done = measure(store, **arguments(split, "stages.language", "stages.quality"))
    assert set(done["reports"]) == {"quality"}
    assert store.read_bytes("documents.parquet") == before
    assert store.read_table("stages.quality.parquet").num_rows == 10


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_file_that_changes_while_it_is_read_makes_no_product(store: Store, tmp_path: Path, names: list[str]) -> None:
    line = '{"text": "The river rises in the northern hills."}\n'
    for name in names:
        (tmp_path / f"{name}.jsonl").write_text(line)
    [split] = list_splits("web", SourceParams(paths=(f"{tmp_path}/*.jsonl",)))
    with (tmp_path / f"{names[-1]}.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(ValueError, match=r"web/a.jsonl.* changed while the run read it"):
        measure(store, **arguments(split, "stages.language"))
    assert not store.exists("documents.parquet")
    assert not store.exists("stages.language.parquet")
    [split] = list_splits("web", SourceParams(paths=(f"{tmp_path}/*.jsonl",)))
    assert measure(store, **arguments(split, "stages.language"))["reports"]["language"]["rows"] == len(names) + 1


def test_records_that_kill_the_process_are_found_and_the_rest_is_kept(store: Store, tmp_path: Path) -> None:
    split = write(tmp_path / "a.warc.gz", pages(12, deadly=(3, 11)))
    done = measure(store, **arguments(split, "tests.support.deadly_stage"), isolate=True)
    report = done["reports"]["documents"]
    assert report["rows"] == 10
    assert len(report["quarantined"]) == report["num_quarantined"] == 2
    urls = store.read_table("documents.parquet", ["url"]).column("url").to_pylist()
    names = [name for name, _ in documented()[:12]]
    assert urls == [f"https://d.example/{name}" for number, name in enumerate(names) if number not in (3, 11)]
    assert store.read_table("tests.support.deadly_stage.parquet").num_rows == 10


def test_records_that_hold_the_process_are_found_and_the_rest_is_kept(store: Store, tmp_path: Path) -> None:
    split = write(tmp_path / "a.warc.gz", pages(12, hanging=(2,)))
    done = measure(store, **arguments(split, "tests.support.deadly_stage"), isolate=True, page_seconds=1.5)
    report = done["reports"]["documents"]
    assert (report["rows"], report["num_quarantined"]) == (11, 1)
    offsets = store.read_table("documents.parquet", ["offset"]).column("offset").to_pylist()
    assert not set(offsets) & {entry["offset"] for entry in report["quarantined"]}
    assert store.read_table("tests.support.deadly_stage.parquet").num_rows == 11


def test_a_record_that_takes_more_memory_than_its_task_reserved_is_found_after_a_memory_kill(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's monitor ends the worker, not the child of it that holds the memory: the worker must be first."""
    monkeypatch.setattr(memory_limit, "_reserved", MOST_BYTES // 4)
    split = write(tmp_path / "a.warc.gz", pages(3, bloated=(1,)))
    done = measure(store, **arguments(split, "tests.support.deadly_stage"), isolate=True, too_large=True)
    [found] = done["reports"]["documents"]["quarantined"]
    assert found["reason"] == "killed_the_process"
    assert store.read_table("documents.parquet").num_rows == 2


@pytest.mark.parametrize(("limit", "lives"), [(MOST_BYTES // 4, False), (2 * MOST_BYTES, True), (0, True)])
def test_a_child_may_hold_its_limit_beyond_what_it_began_with(limit: int, lives: bool) -> None:
    script = f"import os, time; models = b'x' * {MOST_BYTES // 2}; os.write(1, b'.'); time.sleep(0.3)\n"
    script += f"page = b'x' * {MOST_BYTES // 2}; time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert memory_limit.ends_within(child, 60, limit) == lives


def test_a_child_is_ended_with_the_process_that_is_told_to_stop_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(pid: int) -> int:
        raise SystemExit(143)

    monkeypatch.setattr(memory_limit, "held", stop)
    with (
        pytest.raises(SystemExit),
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.PIPE) as child,
    ):
        memory_limit.ends_within(child, 60, 0)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
def test_a_child_does_not_outlive_a_process_that_is_killed_while_it_waits(tmp_path: Path) -> None:
    """As Ray kills a worker, whose child would hold its page's memory until that ends."""
    split = write(tmp_path / "a.warc.gz", pages(1, hanging=(0,)))
    request = {**arguments(split, "tests.support.deadly_stage"), "page_seconds": 0, "first": 0, "last": 1}
    note = tmp_path / "note"
    note.touch()
    script = f"from pipeline.run.map_task import survives; survives({request | {'note': str(note)}!r})"
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as worker:
        while not note.stat().st_size:  # the page is begun
            time.sleep(0.05)
        [child] = children(worker.pid)
        worker.kill()
    end = time.monotonic() + 10
    while memory_limit.held(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert memory_limit.held(child) == 0


def test_the_name_of_a_file_whose_child_fails_stays_in_its_line(tmp_path: Path) -> None:
    split = write(tmp_path / "a\n\x1b[2Jb.warc.gz", pages(1))
    Path(split.uri).unlink()
    with pytest.raises(RuntimeError, match=r"run of a‹U\+000A›‹U\+001B›\[2Jb\.warc\.gz ended with exit code 1"):
        survives({**arguments(split), "page_seconds": 0, "first": 0, "last": 1})


def test_a_record_that_kills_only_in_company_is_not_blamed_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that ends at a record which lives alone makes the search fall back to halves."""
    split = write(tmp_path / "a.warc.gz", pages(8))
    monkeypatch.setattr("pipeline.run.map_task.last_begun", lambda request: 5)
    monkeypatch.setattr("pipeline.run.map_task.survives", lambda request: not request["first"] <= 3 < request["last"])
    done = measure(store, **arguments(split, "tests.support.deadly_stage"), isolate=True)
    assert done["reports"]["documents"]["num_quarantined"] == 1


@pytest.mark.ray
@pytest.mark.slow
def test_the_engine_isolates_a_split_that_holds_its_worker_twice(store: Store, tmp_path: Path) -> None:
    from pipeline.engine.ray import RayExecutor, shutdown

    splits = [write(tmp_path / f"{n}.warc.gz", pages(4, hanging=(3,) if n == 1 else ())) for n in range(2)]
    tasks = []
    for number, split in enumerate(splits):
        args = arguments(split, "tests.support.deadly_stage")
        args["documents"]["address"] = f"{number}.parquet"
        args["sidecars"][0]["address"] = f"{number}-deadly.parquet"
        outputs = (f"{number}.parquet", f"{number}-deadly.parquet")
        tasks.append(
            Task("pipeline.run.map_task:measure", {**args, "isolate": False, "page_seconds": 1.5}, outputs, split.file)
        )
    said: list[str] = []
    results: list[Done] = []
    try:
        executor = RayExecutor(store.root, 1)
        Scheduler(lambda _: executor, said.append).run("measure", tasks, results.append)
    finally:
        shutdown()
    reports = {result.task.label: result.value["reports"]["documents"] for result in results}
    assert reports["0.warc.gz"]["num_quarantined"] == 0
    assert reports["1.warc.gz"]["num_quarantined"] == 1
    assert reports["1.warc.gz"]["rows"] == 3
    assert sum("is run again" in line for line in said) >= 2


@pytest.mark.parametrize(("waited", "lives"), [(0, False), (60, True)])
def test_a_child_that_a_server_lets_wait_has_that_time_more(waited: int, lives: bool) -> None:
    code = f"import os, time; os.write(1, b'w' * {waited}); time.sleep(2.5)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert memory_limit.ends_within(child, 2, 0) == lives


def test_every_pause_is_announced_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float | str] = []
    monkeypatch.setattr(retries, "_listeners", [])
    monkeypatch.setattr(retries.time, "sleep", lambda _: told.append("slept"))
    retries.listen(told.append)
    retries.pause(1, urllib.error.HTTPError("http://a.example", 503, "busy", {"Retry-After": "40"}, None))  # type: ignore[arg-type]
    assert 40 <= told[0] <= 41  # type: ignore[operator]
    assert told[1:] == ["slept"]
