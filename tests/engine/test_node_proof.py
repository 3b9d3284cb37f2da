"""Nodes that would make other bytes, or make them where nobody sees them, are found before their first task."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engine import node_proof
from pipeline.errors import RunError
from pipeline.store.storage import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "root"))


def test_a_node_that_is_like_the_driver_passes(store: Store) -> None:
    wanted = node_proof.expected(store)
    assert len(wanted["gristmill's code"]) == 16
    assert wanted["pyarrow"].count(".") == 2
    node_proof.check(store, wanted)


def test_a_node_that_sees_another_root_is_named(store: Store, tmp_path: Path) -> None:
    wanted = node_proof.expected(store)
    other = Store(str(tmp_path / "other"))
    with pytest.raises(RunError, match=r"does not see the root .*/other: use a shared disk or s3://"):
        node_proof.check(other, wanted)
    other.write_bytes(wanted["address"], b"of another run")
    with pytest.raises(RunError, match="does not see the root"):
        node_proof.check(other, wanted)


@pytest.mark.parametrize("name", ["Python", "gristmill's code", "pyarrow", "tokenizers"])
def test_a_node_with_another_version_is_named_with_both(store: Store, name: str) -> None:
    wanted = node_proof.expected(store) | {name: "0.0.1"}
    mine = node_proof.versions()[name]
    with pytest.raises(RunError, match="would make other bytes: ") as caught:
        node_proof.check(store, wanted)
    assert f"{name} is {mine} there and 0.0.1 here: install the same on every node" in str(caught.value)


def test_a_package_that_one_of_both_lacks_is_no_other_version(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = node_proof.expected(store)
    both = node_proof.versions()
    for here, there in (("5.15.2", "none"), ("none", "5.15.2"), ("none", "none")):
        monkeypatch.setattr(node_proof, "_proven", set())
        monkeypatch.setattr(node_proof, "versions", lambda there=there: both | {"pypdfium2": there})
        node_proof.check(store, wanted | {"pypdfium2": here})
    monkeypatch.setattr(node_proof, "_proven", set())
    with pytest.raises(RunError, match=r"other bytes: numpy is .* there and 1\.0 here: install"):
        node_proof.check(store, wanted | {"pypdfium2": "none", "numpy": "1.0"})


def test_every_source_file_counts_by_name_and_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> str:
        node_proof.versions.cache_clear()
        return node_proof.versions()["gristmill's code"]

    monkeypatch.setattr(node_proof, "CODE", tmp_path)
    for folder in node_proof.FOLDERS:
        (tmp_path / folder).mkdir()
    (tmp_path / "stages" / "a.py").write_text("A = 1\n")
    found = [digest()]
    (tmp_path / "stages" / "a.py").write_text("A = 2\n")
    found.append(digest())
    (tmp_path / "stages" / "a.py").rename(tmp_path / "pipeline" / "a.py")
    found.append(digest())
    (tmp_path / "pipeline" / "a.nbi").write_bytes(b"a stored kernel")
    (tmp_path / "pipeline" / ".#a.py").symlink_to("somebody@somewhere.1")
    (tmp_path / "stages" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "stages" / ".ipynb_checkpoints" / "a-checkpoint.py").write_text("A = 3\n")
    assert len(set(found)) == 3
    assert digest() == found[2]
    node_proof.versions.cache_clear()
