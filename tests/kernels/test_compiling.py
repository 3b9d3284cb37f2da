"""Kernels are compiled ahead, once per machine, by processes that leave nothing for the first task to compile."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import compiling, head_start, warm
from pipeline.compiling import TEXTS
from stages import quality
from stages.contract import Split
from tests.support.archives import record, write

STAGES = [{"module": "stages.language", "params": {}}]
TEXT_STAGES = [{"module": f"stages.{name}", "params": {}} for name in ("language", "quality", "signatures")]
PAGE = b"<html lang=en><title>a</title><p>some text of a page, enough of it to be kept as a page</p>"

FIRST_TASK = """
import json, sys
from numba.core.dispatcher import Dispatcher
compiled = []
Dispatcher.compile, usual = lambda self, types: compiled.append(self) or usual(self, types), Dispatcher.compile
from pipeline import warm
from pipeline.run.map_task import measure
from pipeline.store.storage import Store
told = json.load(sys.stdin)
missing = [piece.module for piece in warm.lacking(warm.pieces_of(told["stages"]))]
measure(Store(told["root"]), **told["task"])
missed = [str(kernel) for kernel in compiled if any(kernel.stats.cache_misses.values())]
print(json.dumps({"kernels": len(compiled), "missed": missed, "lacking": missing}))
"""


def task(files: list[Path], uses: list[dict[str, object]]) -> dict[str, object]:
    """Arguments of `pipeline.run.map_task.measure` for a split of several files."""
    parts = tuple((file.name, str(file), file.stat().st_size) for file in files)
    split = Split("s", files[0].name, 0, 0, "files", str(files[0]), sum(size for _, _, size in parts), "0", parts)
    documents = {"module": "stages.documents", "params": {}, "address": "documents/a.parquet"}
    names = [str(stage["module"]).rpartition(".")[2] for stage in uses]
    sidecars = [
        stage | {"product": name, "address": f"{name}/a.parquet"} for stage, name in zip(uses, names, strict=True)
    ]
    return {"split": asdict(split), "documents": documents, "sidecars": sidecars}


def first_task(tmp_path: Path, *files: Path) -> dict[str, list[str]]:
    """The first task of a fresh process: how many kernels it called, and which of them it compiled itself."""
    stages = [{"module": "stages.documents", "params": {}}, *TEXT_STAGES]
    told = {"stages": stages, "root": str(tmp_path / "root"), "task": task(list(files), TEXT_STAGES)}
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    command = [sys.executable, "-c", FIRST_TASK]
    found = subprocess.run(command, input=json.dumps(told).encode(), env=environment, stdout=-1, check=True)
    result: dict[str, list[str]] = json.loads(found.stdout)
    return result


def compile_ahead(tmp_path: Path, stages: list[dict[str, object]]) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    code = "import json, sys; from pipeline import warm; warm.warm(json.load(sys.stdin))"
    subprocess.run([sys.executable, "-c", code], input=json.dumps(stages).encode(), env=environment, check=True)


def test_a_task_on_text_needs_no_kernel_that_reads_pages_and_one_on_pages_none_but_those_compiled_ahead(
    tmp_path: Path,
) -> None:
    rows, encoded, note = tmp_path / "rows.jsonl", tmp_path / "bytes.parquet", tmp_path / "note.md"
    rows.write_text("".join(json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(TEXTS) if text))
    pq.write_table(pa.table({"text": [*(text.encode() for text in TEXTS if text), b"caf\xe9"]}), encoded)
    note.write_bytes("Übung".encode("latin-1"))
    pages = tmp_path / "pages.warc.gz"
    write(pages, [record(PAGE, url=f"https://a.org/{n}") for n in range(3)])
    compile_ahead(tmp_path, TEXT_STAGES)
    result = first_task(tmp_path, rows, encoded, note)
    assert result["lacking"] == ["stages.documents"] * 4
    assert result["missed"] == []
    shutil.rmtree(tmp_path / "root")
    compile_ahead(tmp_path, [{"module": "stages.documents", "params": {}}])
    result = first_task(tmp_path, pages)
    assert result["lacking"] == []
    assert result["missed"] == []
    assert int(str(result["kernels"])) > 20


def pieces(*names: str) -> list[warm.Piece]:
    return [warm.Piece("stages.language", "{}", name) for name in names]


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of compiled kernels, for marks."""
    monkeypatch.setattr("stages.kernels.cache.folder", lambda: tmp_path)
    return tmp_path


def test_each_piece_is_compiled_once_and_marked_whatever_the_number_of_processes(
    marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_one(piece: warm.Piece, _: pa.RecordBatch) -> None:
        with open(marks / f"made-{piece.name}", "a") as file:
            file.write("x")

    monkeypatch.setattr(warm.Piece, "compile", compile_one)
    wanted = pieces(*"abcde")
    assert warm.lacking([*wanted, *wanted]) == wanted
    compiling.compile_pieces(wanted, 3)
    assert [path.read_text() for path in sorted(marks.glob("made-*"))] == ["x"] * 5
    assert warm.lacking(wanted) == []


def test_a_copy_that_fails_is_told_of_when_all_have_ended_and_leaves_no_mark(
    marks: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = os.getpid()

    def compile_one(piece: warm.Piece, _: pa.RecordBatch) -> None:
        """Fails in the copy; this process keeps to its first piece until then, so that the copy gets one."""
        if os.getpid() != own:
            (marks / "failed").touch()
            raise ValueError("this kernel does not compile")
        while not (marks / "failed").exists():
            time.sleep(0.01)

    monkeypatch.setattr(warm.Piece, "compile", compile_one)
    with pytest.raises(RuntimeError, match="1 of 1 copies"):
        compiling.compile_pieces(pieces("a", "b"), 2)
    assert "this kernel does not compile" in capfd.readouterr().err
    assert len(warm.lacking(pieces("a", "b"))) == 1


def test_a_process_waits_for_its_own_pieces_while_another_one_compiles_more(
    marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = pieces("mine", "other")
    monkeypatch.setattr(warm, "pieces_of", lambda stages: [mine])
    monkeypatch.setattr(warm, "prepared", lambda module, params: None)
    monkeypatch.setattr(warm, "_warmed", set())
    monkeypatch.setattr(warm, "_child", lambda *_, **__: pytest.fail("somebody else compiles"))
    with warm.lock(wait=True) as is_mine:
        assert is_mine
        waiting = Thread(target=warm.warm, args=(STAGES,))
        waiting.start()
        time.sleep(0.1)
        assert waiting.is_alive()
        mine.mark.touch()
        waiting.join(10)
        assert not waiting.is_alive()
    assert warm.lacking([mine, other]) == [other]


def test_other_settings_of_a_stage_are_other_pieces(marks: Path) -> None:
    def names(**params: object) -> set[Path]:
        return {piece.mark for piece in warm.pieces_of([{"module": "stages.quality", "params": params}])}

    assert names() == names()
    assert not names() & names(unit="spacy")
    assert names(families=["gopher_quality", "gopher_repetition"]) < names()
    assert len(names(families=["c4"])) == 1


def test_the_costliest_piece_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(params: object) -> dict[str, tuple[float, str]]:
        return {"small": (0.5, "small"), "large": (2.0, "large")}

    monkeypatch.setattr(quality, "compile_parts", parts)
    found = warm.pieces_of([*STAGES, {"module": "stages.quality", "params": {}}])
    assert [piece.name for piece in found] == ["large", warm.WHOLE, "small"]  # who says nothing counts as a second


class Alive:
    """A process that has not ended."""

    def poll(self) -> None:
        return None


def test_a_head_start_is_taken_only_where_nothing_was_ever_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(head_start, "_waiting", [])
    started: list[Alive] = []
    monkeypatch.setattr(head_start, "_start", lambda: started.append(Alive()) or started[-1])
    head_start.begin()
    head_start.begin()
    assert len(started) == 1
    assert head_start.compiler() is started[0]
    assert head_start.compiler() is started[1]
    (tmp_path / warm.pieces_of(STAGES)[0].mark.name).touch()
    head_start.begin()
    assert len(started) == 2


def test_a_process_that_is_told_nothing_ends_and_compiles_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "pipeline.compiling"], stdin=subprocess.DEVNULL, env=environment, check=True)
    assert not list(tmp_path.glob("**/*.nbc"))


def test_a_process_that_was_killed_while_it_waited_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(head_start, "_waiting", [])
    head_start.begin()
    begun = head_start._waiting[0]
    begun.kill()
    begun.wait()
    child = warm._child([], locked=False, later=[])
    assert child.pid != begun.pid
    assert child.wait() == 0
    monkeypatch.setattr(head_start, "compiler", lambda: begun)
    assert warm._child([], locked=False, later=[]).wait() != 0  # no error here: those who wait compile themselves
