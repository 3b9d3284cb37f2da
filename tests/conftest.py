"""Fixtures that several test files use."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.storage import Store

SHARED = Path(os.environ.get("GRISTMILL_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real test data beside the checkout (GRISTMILL_SHARED names another); skips where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real test data at {SHARED}; set GRISTMILL_SHARED")
    return SHARED


@pytest.fixture(autouse=True, scope="session")
def nobody_pulls_the_plug() -> Iterator[None]:
    """Processes are killed in the tests, and files outlive that; only a machine without power loses what is not synced.

    A run makes some two hundred files, and waiting for a disk was a tenth of the suite's time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty root."""
    return Store(str(tmp_path / "root"))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 server on loopback with one bucket; gives the query that leads to it."""
    moto = pytest.importorskip("moto.server")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    before = {key: os.environ.get(key) for key in keys}
    os.environ.update(keys)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    server.stop()
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)


LONG = (
    *("tests/run/", "tests/store/", "tests/test_typed_docs", "tests/test_sample", "tests/test_examples"),
    *("tests/recipes/", "tests/extraction/", "tests/products/test_repeats.py", "tests/products/test_transforms.py"),
    *("tests/benchmarks/", "tests/kernels/test_c", "tests/recipe/test_own", "tests/clusters/test_faults"),
    *("tests/documents/test_damage", "tests/answers/", "tests/tune/test_train"),
)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In a spread run a file stays together, and the tests that start a Ray run in two processes: faults, and the rest.

    They are the longest and mostly wait, so they begin first (with ``--no-loadscope-reorder``), and what is long next.
    """
    for item in items:
        file = item.nodeid.partition("::")[0]
        group = "ray" if item.get_closest_marker("ray") and not file.endswith("test_faults.py") else file
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (item.get_closest_marker("ray") is None, not item.nodeid.startswith(LONG)))


LONGEST = 60


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """A long text is no name: every process of a spread run makes, escapes and sends the names of all tests."""
    return f"{argname} of {len(val)}" if isinstance(val, (str, bytes)) and len(val) > LONGEST else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Files that do not stay together make what they share once a process: a third more time, which nothing tells.

    What is there by then stays to the end: the collector need not walk over it (a tenth of the time of tests).
    """
    if long := [item.nodeid for item in session.items if len(item.nodeid) > 1000]:
        raise pytest.UsageError(f"the name of a test has {len(long[0]):,} characters: {long[0][:200]}")
    spread = getattr(session.config.option, "loadgroup", False)
    if spread and any("@" not in item.nodeid for item in session.items):
        raise pytest.UsageError("pytest-xdist gave tests no group (see pyproject.toml on versions of pytest)")
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Libraries that count what they leak when a process ends find nothing."""
    gc.unfreeze()
