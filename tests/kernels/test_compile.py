"""Kernels are compiled at set-up: all of them, once, for runs that then compile nothing."""

import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import stages
from stages.kernels import cache, compile, jit
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import CHECKOUT

SMALL = ("stages.kernels.dedup.unionfind._flatten", "int64[]")
"""A kernel that compiles in a second."""
NOT_BY_DEFAULT = {
    "stages.kernels.fitting.robust_fit._minimise": "`fit`",
    "stages.kernels.html.features.measure_blocks": "training the extractor",
    "stages.kernels.html.context.measure_context": "training the extractor",
    "stages.kernels.html.block_words.list_words": "training the extractor",
    "stages.kernels.html.block_words.measure_words": "training the extractor",
    "stages.kernels.html.trees.evaluate_trees": "tests of the trees; `write_pages` has them inside",
    "stages.kernels.html.depth._depth": "other extractors",
    "stages.kernels.html.byte_scan._start_tags": "other extractors",
    "stages.kernels.dedup.minhash._minima_of_sets": "no run by default",
    "stages.kernels.columns.gather._splice": "views",
    "stages.kernels.columns.gather._spliced_sizes": "views",
    "stages.kernels.words.c4_cleaned._cleaned": "the family `fineweb_cleaned`",
    "stages.rules.c4._fates": "C4's cut of lines",
    "stages.kernels.words.alignment._align": "decontamination",
    "stages.kernels.words.sequences._admit": "decontamination",
    "stages.kernels.words.known_words._insert": "decontamination",
    "stages.kernels.words.known_words._look_up": "decontamination",
    "stages.kernels.words.folded_words._fold_all": "decontamination",
    "stages.kernels.words.seeds._seeds": "decontamination",
    "stages.kernels.words.seeds._count_holders": "decontamination",
    "stages.kernels.packing.best_fit.assign_bins": "packed windows, in trainers",
    "stages.kernels.packing.greedy.fill_order": "exports",
    "stages.kernels.bpe.rank_merges._merges": "tokenizers of ranks",
    "stages.kernels.dedup.anchors._find": "`repeats`",
    "stages.kernels.dedup.anchors._hash_all": "`repeats`",
    "stages.kernels.dedup.repeats._find_owners": "`repeats`",
    "stages.kernels.dedup.repeat_spans._unite": "`repeats`",
    "stages.kernels.dedup.repeat_spans._cut": "`repeats`",
    "stages.kernels.dedup.repeat_spans._show": "`repeats`",
}
"""Kernels that runs with the default settings do not call: compiled where they are first used."""


@pytest.fixture(scope="module")
def set_up() -> None:
    """The compilation of `make`; a matter of seconds where it was done."""
    subprocess.run([sys.executable, "-m", "stages.kernels.compile"], cwd=CHECKOUT, check=True)


def all_kernels() -> set[str]:
    for module in pkgutil.walk_packages(stages.__path__, "stages."):
        if module.name.rpartition(".")[2] not in ("train", "__main__"):
            importlib.import_module(module.name)
    return {name for name in jit.KERNELS if name.startswith("stages.")}


def test_every_kernel_is_compiled_at_set_up_or_is_none_of_the_defaults() -> None:
    listed = {line[0] for line in compile.lines()}
    assert listed | set(NOT_BY_DEFAULT) == all_kernels()
    assert not listed & set(NOT_BY_DEFAULT)


def test_every_line_is_a_kernel_with_its_number_of_arguments() -> None:
    for name, *words in compile.lines():
        assert compile.num_arguments(compile.kernel(name)) == len(words), name
        assert [compile.spelling(compile.kind_of(word)) for word in words] == words


@pytest.mark.slow
def test_a_folder_that_is_not_there_is_filled_from_what_set_up_compiled(tmp_path: Path) -> None:
    """As cluster/Dockerfile does, after it compiled for the package."""
    if not any(cache.SET_UP.glob(f"{SMALL[0]}-*.nbc")):
        compile.fill(cache.SET_UP, [*compile.lines()])
    for _ in range(2):
        compile.fill(tmp_path / "home" / "cache", [SMALL])
        assert [path.name.rpartition("-")[0] for path in (tmp_path / "home" / "cache").iterdir()] == [SMALL[0]]


@pytest.mark.slow
def test_a_run_with_the_default_settings_compiles_nothing(set_up: None, tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in"))
    command = [sys.executable, "-m", "pipeline", "run", str(mixture), "--root", str(tmp_path / "root")]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "own")}
    subprocess.run([*command, "--engine", "inline"], cwd=CHECKOUT, env=environment, check=True)
    assert not (tmp_path / "own").exists()


@pytest.mark.slow
def test_what_is_out_of_date_goes_and_a_line_that_is_wrong_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / f"{SMALL[0]}-0123456789abcdef.nbc").write_bytes(b"of older sources")
    (tmp_path / ".0123.tmp").write_bytes(b"of a process that was killed")
    compile.fill(tmp_path, [SMALL, (SMALL[0], "int64[]", "int64"), ("stages.kernels.gone._gone", "bool")])
    assert len(list(tmp_path.iterdir())) == 1
    said = capfd.readouterr().err.splitlines()
    assert [line.partition(" has changed")[0] for line in said] == [SMALL[0], "stages.kernels.gone._gone"]
    before = next(tmp_path.iterdir()).stat().st_mtime_ns
    compile.fill(tmp_path, [SMALL])
    assert next(tmp_path.iterdir()).stat().st_mtime_ns == before


def test_a_list_is_learnt_from_what_runs_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compile.fill(tmp_path, [SMALL])
    (tmp_path / "stages.kernels.gone._gone-0123456789abcdef.nbc").write_bytes(b"")
    changed = (SMALL[0], "int64[]", "int64")
    assert compile.learned([changed], tmp_path) == [SMALL]


@pytest.mark.slow
def test_a_wheel_carries_the_kernels_and_runs_without_compiling(set_up: None, tmp_path: Path) -> None:
    if int(pytest.importorskip("setuptools").__version__.partition(".")[0]) < 77:
        pytest.skip("wheels are built with setuptools 77 or newer")
    sources, wheels, site = tmp_path / "sources", tmp_path / "wheels", tmp_path / "site"
    for name in ("pipeline", "stages", "tools"):
        shutil.copytree(CHECKOUT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(CHECKOUT / name, sources)
    code = f"import build_backend; build_backend.build_wheel({str(wheels)!r})"
    environment = os.environ | {"PYTHONPATH": "tools"}
    subprocess.run([sys.executable, "-c", code], cwd=sources, env=environment, check=True, stdout=subprocess.DEVNULL)
    [wheel] = wheels.iterdir()
    assert f"-cp{sys.version_info.major}{sys.version_info.minor}-none-{sys.platform}" in wheel.name
    zipfile.ZipFile(wheel).extractall(site)
    assert len(list((site / "stages/kernels/compiled").iterdir())) == len(compile.lines())
    shutil.rmtree(sources)
    use = """
import numpy as np, stages
from stages.kernels.dedup.unionfind import _flatten
parents = np.array([0, 0, 1])
_flatten(parents)
print(stages.__path__[0], parents.tolist(), sum(_flatten.stats.cache_misses.values()))
"""
    environment = os.environ | {"PYTHONPATH": str(site), "NUMBA_CACHE_DIR": str(tmp_path / "own")}
    done = subprocess.run([sys.executable, "-c", use], cwd=tmp_path, env=environment, check=True, stdout=-1, text=True)
    assert done.stdout.split(maxsplit=1) == [str(site / "stages"), "[0, 0, 0] 0\n"]
    assert cache.SET_UP.exists()
