"""`ray job submit` against a real Ray head on loopback: exit codes, the demo, relative roots refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.runs import CHECKOUT

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SECONDS = 300


def free_port() -> int:
    with contextlib.closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def head() -> Iterator[dict[str, str]]:
    """A Ray head of two CPUs with its dashboard on loopback; the environment that reaches it."""
    session = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # Ray's socket paths must stay short
    port, dashboard = free_port(), free_port()
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "disabled",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        # what git ignores is not sent with a job: else each of its workers would compile all kernels
        "NUMBA_CACHE_DIR": str(CHECKOUT / "stages/kernels/compiled"),
    }
    environment.pop("RAY_ADDRESS", None)
    arguments = [
        *("ray", "start", "--head", "--block", "--num-cpus=2", f"--port={port}", f"--temp-dir={session}"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
        f"--dashboard-agent-listen-port={free_port()}",  # its default is one port for all Rays of a machine
        *(f"--object-store-memory={100 << 20}", "--disable-usage-stats", "--node-ip-address=127.0.0.1"),
    ]
    server = subprocess.Popen(arguments, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{dashboard}"
    try:
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/version", timeout=5) as answer:
                json.load(answer)
                break
            assert server.poll() is None, "the Ray head did not start"
            assert time.monotonic() < end, "the Ray head did not answer"
            time.sleep(0.5)
        yield {**environment, "RAY_API_SERVER_ADDRESS": url}
    finally:
        processes = [*psutil.Process(server.pid).children(recursive=True), psutil.Process(server.pid)]
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
        server.wait(30)
        shutil.rmtree(session, ignore_errors=True)


def submit(head: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["ray", "job", "submit", "--working-dir", str(CHECKOUT), "--", "python", "-m", "pipeline"]
    for _ in range(30):  # a head that answers may still have no agent to start jobs
        done = subprocess.run(
            [*command, *map(str, arguments)], env=head, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if "No available agent" not in done.stderr + done.stdout:
            break
        time.sleep(2)
    return done


def test_the_demo_runs_as_a_submitted_job_and_exits_with_zero(head: dict[str, str], tmp_path: Path) -> None:
    done = submit(head, "run", "mixtures/demo.yaml", "--root", tmp_path / "root")
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = next((tmp_path / "root" / "corpus").glob("*/manifest.json"))
    corpus = json.loads(manifest.read_text())
    assert set(corpus["domains"]) == {"docs", "readmes", "code"}
    assert corpus["tokens"] > 500_000
    assert "report  " in done.stdout


def test_a_failing_job_exits_with_another_code_and_says_why(head: dict[str, str], tmp_path: Path) -> None:
    done = submit(head, "run", "mixtures/none.yaml", "--root", tmp_path / "root")
    assert done.returncode != 0
    assert "does not exist" in done.stdout


def test_a_relative_root_is_refused_in_a_job(head: dict[str, str]) -> None:
    done = submit(head, "run", "mixtures/demo.yaml", "--root", "out")
    assert done.returncode != 0
    assert "is relative" in done.stdout
