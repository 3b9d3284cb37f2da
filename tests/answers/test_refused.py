"""Questions that cannot be answered: one line each that says what was expected and what to do, and exit code 2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store
from tests.support.answers import call, made

URL = "https://docs.example/argparse.ArgumentParser"
QUESTIONS = {
    "stats": [],
    "status": [],
    "why": [URL],
    "show": [URL],
    "trace": ["train/data-00000-of-00001.arrow:0"],
    "find": ["parser"],
    "card": ["cards"],
    "dedup-report": [],
    "verify": [],
    "watch": ["--port", "0"],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("refused"))


@pytest.fixture(scope="module")
def other(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the root as another version of this program might have written it."""
    root = tmp_path_factory.mktemp("other") / "root"
    shutil.copytree(finished / "root", root)
    path = root / "mixtures" / "small.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"version": 99}))
    return root


def refused(*args: object) -> str:
    result = call(*args)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("gristmill: ")
    assert result.stderr.count("\n") == 1
    assert not result.stdout
    return result.stderr


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_root_of_another_version_is_refused_by_every_command(other: Path, question: str) -> None:
    said = refused(question, *QUESTIONS[question], "--root", other)
    assert "was written by another version (format 99, this program knows 1)" in said
    assert "run the mixture again" in said


def test_a_difference_to_a_root_of_another_version_is_refused(finished: Path, other: Path) -> None:
    assert "another version" in refused("diff", finished / "root", other)


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name != "watch"])
def test_a_folder_without_a_run_is_refused_by_every_command(tmp_path: Path, question: str) -> None:
    assert "start one with: gristmill run" in refused(question, *QUESTIONS[question], "--root", tmp_path)


def test_an_unknown_url_names_the_nearest_of_its_host(finished: Path) -> None:
    said = refused("why", "https://docs.example/moved/argparse.ArgumentParsr", "--root", finished / "root")
    assert f"of that host it has {URL}" in said
    assert "no page of that host" in refused("why", "https://nowhere.example/", "--root", finished / "root")
    assert "begins with its scheme" in refused("why", "argparse", "--root", finished / "root")
    assert "no page with doc_id" in refused("why", "f" * 32, "--root", finished / "root")


def test_a_shard_of_no_manifest_is_refused_with_the_place_of_the_corpus(finished: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "data-00000-of-00001.arrow"
    stranger.write_bytes(b"ARROW1")
    snapshot = snapshots.load(Store(str(finished / "root")))
    said = refused("trace", f"{stranger}:0:0", "--root", finished / "root")
    assert "is in no manifest of mixture small" in said
    assert snapshot.data["corpus"].rpartition("/")[0] in said


@pytest.mark.parametrize("change", [-1, 1])
def test_a_shard_of_another_size_than_its_manifest_says_is_refused_for_any_row(finished: Path, change: int) -> None:
    snapshot = snapshots.load(Store(str(finished / "root")))
    entry = snapshot.store.read_json(snapshot.data["corpus"])["shards"][0]
    place = f"{snapshot.data['corpus'].rpartition('/')[0]}/{entry['path']}"
    path = Path(snapshot.store.path(place))
    whole = path.read_bytes()
    path.write_bytes(whole[:change] if change < 0 else whole + b"x")
    try:
        said = refused("trace", f"{place}:0:0", "--root", finished / "root")
    finally:
        path.write_bytes(whole)
    assert str(path) in said
    assert f"{entry['bytes']:,} in its manifest" in said
