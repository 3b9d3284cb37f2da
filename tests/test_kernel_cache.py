"""Where compiled kernels are kept: named by what they are made of, and by nothing else."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

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

    threads = [Thread(target=once.compile_once, args=("stages.kernels.eight", work)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps[:2] == ["begin", "end"]
    assert steps.count("end") == 4
    assert once.compile_once("stages.kernels.eight", work) == "result"
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_a_compilation_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "folder", lambda: tmp_path)
    with pytest.raises(ZeroDivisionError):
        once.compile_once("stages.kernels.eight", lambda: 1 // 0)
    assert once.compile_once("stages.kernels.eight", lambda: 5) == 5
