"""Kernels are compiled ahead, once per machine, by processes that leave nothing for the first task to compile."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import compiling, head_start, warm
from stages import quality

STAGES = [{"module": "stages.language", "params": {}}]

FIRST_TASK = """
import json, sys
from numba.core.dispatcher import Dispatcher
compiled = []
Dispatcher.compile, usual = lambda self, types: compiled.append(self) or usual(self, types), Dispatcher.compile
import pyarrow as pa
from pipeline.compiling import pages
from pipeline.warm import prepared, warm
stages = json.load(sys.stdin)
warm(stages)
loaded = len(compiled)
from stages.extraction import main_text
main_text(pa.array([b"<p>some text of a page</p>"], pa.large_binary()), is_utf8=True)
for stage in stages[1:]:
    prepared(stage["module"], json.dumps(stage["params"]))(pages())
missed = [str(kernel) for kernel in compiled if any(kernel.stats.cache_misses.values())]
print(json.dumps({"kernels": len(compiled) - loaded, "missed": missed}))
"""


def test_the_first_task_loads_every_kernel_and_compiles_none(tmp_path: Path) -> None:
    stages = [{"module": f"stages.{name}", "params": {}} for name in ("documents", "language", "signatures")]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", FIRST_TASK], input=json.dumps(stages).encode(), env=environment, stdout=-1, check=True
    )
    result = json.loads(found.stdout)
    assert result["kernels"] > 3
    assert result["missed"] == []
    assert [path.suffix for path in tmp_path.glob("warm-*") if path.suffix != ".lock"] == [""]


def test_each_piece_is_compiled_once_whatever_the_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def piece(name: str) -> compiling.Piece:
        def compile_one(_: pa.RecordBatch) -> None:
            with open(tmp_path / name, "a") as file:
                file.write("x")

        return compile_one

    pieces = [piece(name) for name in "abcde"]
    monkeypatch.setattr(compiling, "pieces_of", lambda stages: pieces)
    compiling.compile_stages(STAGES, 3)
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == ["x"] * 5


def test_a_copy_that_fails_is_told_of_when_all_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = os.getpid()

    def piece(_: pa.RecordBatch) -> None:
        """Fails in the copy; this process keeps to its first piece until then, so that the copy gets one."""
        if os.getpid() != own:
            (tmp_path / "failed").touch()
            raise ValueError("this kernel does not compile")
        while not (tmp_path / "failed").exists():
            time.sleep(0.01)

    monkeypatch.setattr(compiling, "pieces_of", lambda stages: [piece, piece])
    with pytest.raises(RuntimeError, match="1 of 1 copies"):
        compiling.compile_stages(STAGES, 2)
    assert "this kernel does not compile" in capfd.readouterr().err


def test_the_costliest_piece_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(params: object) -> dict[str, tuple[float, str]]:
        return {"small": (0.5, "small"), "large": (2.0, "large")}

    monkeypatch.setattr(quality, "compile_parts", parts)
    pieces = compiling.pieces_of([*STAGES, {"module": "stages.quality", "params": {}}])
    assert [pieces[0], pieces[2]] == ["large", "small"]  # a stage that says nothing counts as a second


def test_a_head_start_is_taken_only_where_nothing_was_ever_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(head_start, "_waiting", [])
    started: list[object] = []
    monkeypatch.setattr(head_start, "_start", lambda: started.append(None) or len(started))
    head_start.begin()
    head_start.begin()
    assert len(started) == 1
    assert head_start.compiler() == 1
    assert head_start.compiler() == 2
    (tmp_path / warm.mark_of(STAGES).name).touch()
    head_start.begin()
    assert len(started) == 2


def test_a_process_that_is_told_nothing_ends_and_compiles_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "pipeline.compiling"], stdin=subprocess.DEVNULL, env=environment, check=True)
    assert not list(tmp_path.glob("**/*.nbc"))
