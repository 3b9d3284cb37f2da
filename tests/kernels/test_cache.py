"""Where compiled kernels are kept: named by what they are made of, and by nothing else."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from numba.core.caching import IndexDataCacheFile

from stages.kernels import cache, once


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of `stages` that a test may edit."""
    copy = tmp_path / "stages"
    shutil.copytree(cache.SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__", "models"))
    monkeypatch.setattr(cache, "SOURCES", copy)
    forget()
    yield copy
    forget()


def forget() -> None:
    cache.digest.cache_clear()
    cache.imported.cache_clear()


def digests() -> dict[str, str]:
    forget()
    names = ("minhash", "jaccard", "html_blocks", "unicode")
    return {name: cache.digest((f"stages.kernels.{name}",)) for name in names}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, digest in digests().items() if digest != before[name]}


def test_an_edit_renames_the_kernels_that_are_made_of_it_and_no_others(sources: Path) -> None:
    before = digests()
    with open(sources / "kernels" / "shingles.py", "a") as file:
        file.write("# edited\n")
    assert changed(before) == {"minhash"}


def test_a_table_beside_a_kernel_counts_as_its_source(sources: Path) -> None:
    before = digests()
    with open(sources / "kernels" / "unicode_ranges.json", "a") as file:
        file.write("\n")
    assert "unicode" in changed(before)


def test_the_same_sources_elsewhere_have_the_same_digests(sources: Path) -> None:
    here = digests()
    sources.rename(sources.with_name("moved"))
    shutil.copytree(sources.with_name("moved"), sources)
    assert digests() == here


def test_kernels_needed_later_are_compiled_by_one_process_while_the_others_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "folder", lambda: tmp_path)
    steps: list[str] = []

    def work() -> str:
        steps.append("begin")
        time.sleep(0.02)
        steps.append("end")
        return "result"

    threads = [Thread(target=once.compile_once, args=("stages.kernels.eight_bytes", work)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps[:2] == ["begin", "end"]
    assert steps.count("end") == 4
    assert once.compile_once("stages.kernels.eight_bytes", work) == "result"
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_a_compilation_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "folder", lambda: tmp_path)
    with pytest.raises(ZeroDivisionError):
        once.compile_once("stages.kernels.eight_bytes", lambda: 1 // 0)
    assert once.compile_once("stages.kernels.eight_bytes", lambda: 5) == 5


def kernel_files(folder: Path) -> cache.KernelFiles:
    return cache.KernelFiles(IndexDataCacheFile(str(folder), "kernel", "stamp"))


def test_processes_that_compile_a_kernel_at_once_never_load_the_code_of_other_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One saves in the middle of another one's save: Numba's own files answer one with the code of the other."""
    write, others = cache.KernelFiles._open_for_write, [kernel_files(tmp_path)]

    def interrupted(self: cache.KernelFiles, path: str) -> object:
        if others:
            others.pop().save(("float32",), "code of float32")
        return write(self, path)

    monkeypatch.setattr(cache.KernelFiles, "_open_for_write", interrupted)
    kernel_files(tmp_path).save(("int64",), "code of int64")
    assert kernel_files(tmp_path).load(("int64",)) == "code of int64"
    assert kernel_files(tmp_path).load(("float32",)) == "code of float32"
    assert kernel_files(tmp_path).load(("uint8",)) is None


@pytest.mark.parametrize("size", [0, 7, 40])
def test_a_kernel_that_was_cut_or_changed_on_the_disk_is_compiled_again(tmp_path: Path, size: int) -> None:
    files = kernel_files(tmp_path)
    files.save(("int64",), "code" * 100)
    path = next(tmp_path.glob("*.nbc"))
    content = path.read_bytes()
    path.write_bytes(content[:size])
    assert files.load(("int64",)) is None
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert files.load(("int64",)) is None
    files.save(("int64",), "code again")
    assert files.load(("int64",)) == "code again"


def test_a_full_disk_under_the_kernels_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.KernelFiles, "_open_for_write", full)
    with pytest.raises(OSError, match=f"No space left on device, .*NUMBA_CACHE_DIR.*{tmp_path}"):
        kernel_files(tmp_path).save(("int64",), "code")
