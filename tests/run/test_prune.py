"""`prune`: what an edit left behind goes, what any mixture needs stays, and a run afterwards has nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.answers.verify import verify_root
from pipeline.cli import main
from pipeline.errors import RunError
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import gristmill, made, run_inline, tree


def prune(root: Path, *args: str) -> str:
    result = CliRunner().invoke(main, ["prune", str(root), *args])
    assert result.exit_code == 0, result.stderr
    return str(result.output)


def test_what_no_mixture_needs_goes_and_nothing_else(tmp_path: Path) -> None:
    folder, root = write_corpus(tmp_path / "in", files=2), tmp_path / "root"
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    run_inline(mixture, root)
    first = set(tree(root))
    write_mixture(mixture, folder, min_words=120, docs=0.6)
    run_inline(mixture, root)
    other = write_mixture(tmp_path / "b.yaml", folder, docs=0.5)
    other.write_text(other.read_text().replace("name: small", "name: other"))
    run_inline(other, root)
    before = tree(root)
    assert "would be removed" in prune(root, "--dry-run")
    assert tree(root) == before
    said = prune(root)
    after = tree(root)
    assert set(after) < set(before)
    assert {name: before[name] for name in after} == after
    assert f"{len(before) - len(after):,} files" in said
    assert first - set(after), "the first run's own decisions are gone"
    for path in (mixture, other):
        assert made(run_inline(path, root)) == {}
    for name in ("small", "other"):
        assert verify_root(Store(str(root)), name)
    assert prune(root).startswith("0 files")


def test_what_a_lost_manifest_named_is_not_removed(tmp_path: Path) -> None:
    folder, root = write_corpus(tmp_path / "in", files=1), tmp_path / "root"
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    run_inline(mixture, root)
    lost = next((root / "manifests").glob("documents-*.jsonl.zst"))
    lost.unlink()
    before = tree(root)
    for args in ((), ("--dry-run",)):
        result = CliRunner().invoke(main, ["prune", str(root), *args])
        assert result.exit_code == 1
        assert f"{lost} is missing" in result.stderr
        assert tree(root) == before
    assert CliRunner().invoke(main, ["plan", str(mixture), "--root", str(root)]).exit_code == 0
    assert set(made(run_inline(mixture, root))) <= {"manifests"}
    assert prune(root).startswith("0 files")


def test_with_keep_the_other_mixtures_go_too(tmp_path: Path) -> None:
    folder, root = write_corpus(tmp_path / "in", files=1), tmp_path / "root"
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    other = write_mixture(tmp_path / "b.yaml", folder, min_words=90, docs=0.5)
    other.write_text(other.read_text().replace("name: small", "name: other"))
    for path in (other, mixture):
        run_inline(path, root)
    failing = write_mixture(tmp_path / "c.yaml", folder, min_words=40)
    failing.write_text(
        failing.read_text()
        .replace("name: small", "name: failed")
        .replace("families: []", "families: [], languages: [zh]")
    )
    with pytest.raises(RunError):
        run_inline(failing, root)
    assert "0 files" not in prune(root, "--keep", "small", "--dry-run")
    said = prune(root, "--keep", "small")
    assert "mixture other" in said
    assert "mixture failed" in said, "what a run that failed left goes too"
    assert prune(root).startswith("0 files")
    assert not (root / "mixtures/other.json").exists()
    assert made(run_inline(mixture, root)) == {}
    wrong = CliRunner().invoke(main, ["prune", str(root), "--keep", "smal"])
    assert wrong.exit_code == 2
    assert "it has: small" in wrong.stderr


def test_beside_a_run_it_is_refused(tmp_path: Path) -> None:
    folder, root = write_corpus(tmp_path / "in", files=1), tmp_path / "root"
    run_inline(write_mixture(tmp_path / "a.yaml", folder), root)
    before = tree(root)
    with RootLock(Store(str(root))):
        result = gristmill("prune", root)
    assert result.returncode == 2
    assert "another run" in result.stderr
    assert tree(root) == before
