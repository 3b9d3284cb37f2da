"""Fixtures that several test files use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.storage import Store

SHARED = Path(os.environ.get("GRISTMILL_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data beside the checkout (GRISTMILL_SHARED names another); skips where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real test data at {SHARED}; set GRISTMILL_SHARED")
    return SHARED


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty root."""
    return Store(str(tmp_path / "root"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``-n 2``, all tests that start a Ray run in one process, one after the other, and a file stays together."""
    for item in items:
        group = "ray" if item.get_closest_marker("ray") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
