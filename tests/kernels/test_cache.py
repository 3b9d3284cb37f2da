"""Compiled kernels are found again by what they are made of, and believed only where nobody else can have put them."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numba import types
from numba.core.registry import cpu_target

from stages.kernels import cache
from stages.kernels.dedup import unionfind

pytestmark = pytest.mark.slow  # each starts processes, and most of them compile
CHECKOUT = Path(__file__).resolve().parents[2]
CALL = """
import numpy as np
from stages.kernels.dedup.unionfind import _flatten
parents = np.array([0, 0, 1, 2], np.int32)  # no run has numbers of this size: not compiled at set-up
_flatten(parents)
compiled = not any(_flatten.stats.cache_hits.values())
print(parents.tolist(), "compiled" if compiled else "loaded")
"""
IMPORTED = """
import sys
print(*sorted({"awkward", "numba.np.arraymath", "scipy.linalg"}.intersection(sys.modules)))
"""
LOAD_ALL = """
from stages.kernels.compile import kernel, kind_of, lines
for name, *kinds in lines():
    kernel(name).compile(tuple(map(kind_of, kinds)))
    assert not kernel(name).stats.cache_misses, f"{name} is not compiled: python -m stages.kernels.compile"
"""
COMPILED, LOADED = "[0, 0, 0, 0] compiled", "[0, 0, 0, 0] loaded"


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    env = os.environ | {"NUMBA_CACHE_DIR": str(folder)} | environment
    return subprocess.Popen([sys.executable, "-c", CALL], cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, text=True)


def call(folder: Path, **environment: str) -> str:
    """The output of a process that uses a kernel with its own cache in ``folder``."""
    process = start(folder, **environment)
    output, _ = process.communicate()
    assert process.returncode == 0
    return output.strip()


def only(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of a process that found a kernel nowhere and compiled it."""
    folder = tmp_path_factory.mktemp("cache") / "own"
    assert call(folder) == COMPILED
    return folder


def test_a_kernel_that_is_nowhere_is_compiled_once(own: Path) -> None:
    assert call(own) == LOADED
    assert only(own).name.startswith("stages.kernels.dedup.unionfind._flatten-")


def test_a_kernel_that_is_loaded_needs_nothing_that_compiles(own: Path) -> None:
    command = [sys.executable, "-c", CALL + IMPORTED]
    env = os.environ | {"NUMBA_CACHE_DIR": str(own)}
    said = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [LOADED, ""]


def test_no_kernel_that_is_compiled_at_set_up_loads_what_compiles(tmp_path: Path) -> None:
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", LOAD_ALL + IMPORTED]
    said = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("\n", "")


def test_processes_that_compile_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    started = [start(tmp_path / "own") for _ in range(3)]
    results = [process.communicate()[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert {*results} <= {COMPILED, LOADED}
    assert COMPILED in results
    assert only(tmp_path / "own").suffix == ".nbc"
    assert call(tmp_path / "own") == LOADED


@pytest.mark.parametrize("damage", ["empty", "cut", "changed"])
def test_a_half_written_or_damaged_file_is_made_again(own: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(own, tmp_path / "own")
    path = only(tmp_path / "own")
    whole = path.read_bytes()
    broken = {"empty": b"", "cut": whole[:-100], "changed": whole[:-1] + bytes([whole[-1] ^ 1])}
    path.write_bytes(broken[damage])
    assert call(tmp_path / "own") == COMPILED
    assert call(tmp_path / "own") == LOADED


def test_where_nothing_can_be_written_a_run_is_slow_and_not_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert call(tmp_path / "file" / "own") == COMPILED
    assert call(Path("/proc/none")) == COMPILED


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    cache.write(tmp_path / "own" / "kernel.nbc", pickle.dumps("code"))
    assert list((tmp_path / "own").iterdir()) == []


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def others_write(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def another_group_writes(path: Path) -> None:
    os.chown(path, -1, cache.SOURCES.stat().st_gid + 1)
    path.chmod(path.stat().st_mode | 0o020)


def another_user_owns(path: Path) -> None:
    os.chown(path, 12345, -1)


@pytest.mark.parametrize("of", ["folder", "file"])
@pytest.mark.parametrize("change", [others_write, another_group_writes, another_user_owns])
def test_nothing_is_unpickled_that_others_may_have_written(tmp_path: Path, of: str, change: Any) -> None:
    if os.geteuid() and change is not others_write:
        pytest.skip("only root can give a file away")
    path, sprung = tmp_path / "own" / "kernel.nbc", tmp_path / "sprung"
    cache.write(path, pickle.dumps(Trap(sprung)))
    change(path.parent if of == "folder" else path)
    assert cache.read(path) is None
    assert not sprung.exists()
    if of == "folder":
        cache.write(path.with_name("another.nbc"), pickle.dumps("code"))
        assert not path.with_name("another.nbc").exists()


def test_a_file_of_ones_own_is_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        cache.write(tmp_path / "own" / "kernel.nbc", pickle.dumps("code"))
    finally:
        os.umask(before)
    assert cache.read(tmp_path / "own" / "kernel.nbc") == "code"


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (sys.implementation, "cache_tag", "cpython-399"),
        (cache.numba, "__version__", "0.99.0"),
        (cache.llvmlite, "__version__", "0.99.0"),
        (cache.CONFIG, "CPU_NAME", "x86-64-v4"),
        (cache.CONFIG, "BOUNDSCHECK", 1),
    ],
)
def test_of_another_python_numba_processor_or_setting_is_another_file(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, value: object
) -> None:
    kernel: Any = unionfind._flatten
    signature = (types.Array(types.int64, 1, "C"),)
    cpu_target.target_context.refresh()
    codegen = cpu_target.target_context.codegen()
    before = kernel._cache.file_name(signature, codegen)
    monkeypatch.setattr(owner, name, value)
    assert kernel._cache.file_name(signature, codegen) != before


def test_a_debug_build_checks_indices_though_kernels_are_compiled(tmp_path: Path) -> None:
    call(tmp_path / "own")
    assert call(tmp_path / "own", NUMBA_BOUNDSCHECK="1") == COMPILED
    assert call(tmp_path / "own", NUMBA_CPU_NAME="x86-64" if os.uname().machine == "x86_64" else "generic") != ""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of `stages` that a test may edit."""
    copy = tmp_path / "stages"
    shutil.copytree(cache.SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__", "models", "compiled"))
    monkeypatch.setattr(cache, "SOURCES", copy)
    yield copy
    forget()


def forget() -> None:
    cache.digest.cache_clear()
    cache.imported.cache_clear()


def digests() -> dict[str, str]:
    forget()
    names = ("dedup.minhash", "dedup.jaccard", "html.blocks", "unicode.characters")
    assert all(cache.is_stage(f"stages.kernels.{name}") for name in names)
    return {name: cache.digest(f"stages.kernels.{name}") for name in names}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, digest in digests().items() if digest != before[name]}


def test_an_edit_renames_the_kernels_that_are_made_of_it_and_no_others(sources: Path) -> None:
    before = digests()
    with open(sources / "kernels" / "dedup" / "shingles.py", "a") as file:
        file.write("# edited\n")
    assert changed(before) == {"dedup.minhash"}


def test_a_table_beside_a_kernel_counts_as_its_source(sources: Path) -> None:
    before = digests()
    with open(sources / "kernels" / "unicode" / "unicode_ranges.json", "a") as file:
        file.write("\n")
    assert "unicode.characters" in changed(before)


def test_the_same_sources_elsewhere_have_the_same_digests(sources: Path) -> None:
    here = digests()
    sources.rename(sources.with_name("moved"))
    shutil.copytree(sources.with_name("moved"), sources)
    assert digests() == here
