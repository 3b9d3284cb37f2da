"""`watch`: the page shows a running, a stopped and a finished root, and answers nobody from elsewhere."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.answers import watch
from pipeline.answers.status import last_messages
from pipeline.cli import main
from pipeline.errors import RunError
from pipeline.run import driver
from pipeline.run.run import Run
from pipeline.store.storage import Store
from tests.support.browser import Browser, chromium
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline

EMPTY = {"version": 1, "name": "m", "products": {}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watch")
    write_corpus(folder / "in", files=2)
    run_inline(write_mixture(folder / "small.yaml", folder / "in"), folder / "root")
    return folder / "root"


@pytest.fixture
def address(root: Path) -> Iterator[str]:
    with watch.server(Store(str(root)), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_finished_root_is_shown_with_its_slowest_tasks_and_its_report(address: str) -> None:
    code, page = get(f"{address}/")
    assert code == 200
    assert "small: finished" in page
    assert "Slowest tasks" in page
    run = json.loads(get(f"{address}/status.json")[1])
    assert (run["complete"], run["running"]) == (True, False)
    seconds = [task["seconds"] for task in run["slowest"]]
    assert seconds == sorted(seconds, reverse=True)
    assert get(f"{address}/report")[1].startswith("<!doctype html>")
    assert get(f"{address}/../../etc/passwd")[0] == 404


def test_a_running_root_is_shown_with_rate_and_what_is_left(root: Path, address: str) -> None:
    store = Store(str(root))
    now = time.time()
    progress = {
        "phase": "measure",
        "tasks": 10,
        "done": 4,
        "cost": 1000,
        "done_cost": 400,
        "started": now - 8,
        "time": now,
    }
    other = {"host": socket.gethostname(), "pid": os.getppid(), "time": now, "started": None}
    store.write_json("runs/lock.json", other)
    store.write_json("runs/progress.json", progress)
    pace = json.loads(get(f"{address}/status.json")[1])["progress"]
    page = get(f"{address}/")[1]
    store.remove("runs/lock.json")
    assert pace["bytes_per_second"] == pytest.approx(50)
    assert pace["seconds_left"] == pytest.approx(12)
    assert "measure: 4 of 10 tasks" in page


def test_a_failed_run_says_what_it_said_last_until_another_one_starts(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    mixture = write_mixture(tmp_path / "m.yaml", tmp_path / "in")
    text = mixture.read_text()
    mixture.write_text(text.replace("too_few_words: 50", "too_few_words: 1000000"))
    result = CliRunner().invoke(main, ["run", str(mixture), "--root", str(tmp_path / "root"), "--engine", "inline"])
    assert result.exit_code != 0
    store = Store(str(tmp_path / "root"))
    store.write_json("runs/current.json", {"mixture": "m", "complete": False, "snapshot": EMPTY})
    run = watch.state(store)
    assert run["state"] == "failed"
    assert run["troubles"][0]["kind"] == "failed"
    assert run["troubles"][0]["text"] in result.stderr
    assert "failed; the same run command continues it" in run["status"]
    mixture.write_text(text)
    assert CliRunner().invoke(main, ["run", str(mixture), "--root", store.root, "--engine", "inline"]).exit_code == 0
    assert watch.state(store)["state"] == "finished"


@pytest.mark.parametrize(
    ("end", "said"), [(KeyboardInterrupt(), []), (SystemExit(143), []), (RunError("no space left"), ["no space left"])]
)
def test_a_run_that_somebody_stopped_has_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: BaseException, said: list[str]
) -> None:
    def execute(_: Run) -> None:
        raise end

    write_corpus(tmp_path / "in", files=1)
    mixture = write_mixture(tmp_path / "m.yaml", tmp_path / "in")
    monkeypatch.setattr(Run, "execute", execute)
    store = Store(str(tmp_path / "root"))
    with pytest.raises(type(end)):
        driver.run(str(mixture), store, "inline", None, quiet=True)
    assert [text for _, text in last_messages(store)][-1:] == said


def test_a_port_in_use_is_one_line_that_says_what_to_do(root: Path, address: str) -> None:
    port = address.rpartition(":")[2]
    result = CliRunner().invoke(main, ["watch", "--root", str(root), "--port", port])
    assert result.exit_code == 2
    assert f"port {port} cannot be had: Address already in use; give another, or --port 0" in result.stderr


def test_the_page_draws_itself_without_error_and_asks_nobody_else(
    root: Path, address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if chromium() is None:
        pytest.skip("no Chromium on this machine")
    store = Store(str(root))
    now = time.time()
    hostile = "<img src=x onerror=alert(1)>"
    progress = {"phase": hostile, "tasks": 10, "done": 4, "cost": 1000, "done_cost": 400, "started": now - 8}
    slow = {"phase": "measure", "file": "documents/x/slow.parquet", "seconds": 1e6, "bytes": 7, "memory": 9}
    progress |= {"time": now, "slowest": [slow]}
    store.write_json("runs/progress.json", progress | {"said": [[now, hostile]]})
    store.write_json(
        "runs/lock.json", {"host": socket.gethostname(), "pid": os.getppid(), "time": now, "started": None}
    )
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    try:
        browser.size(375, 800)
        browser.open(f"{address}/")
        assert browser.run("document.getElementById('phase').textContent") == hostile
        assert browser.run("document.getElementById('said').textContent").endswith(hostile)
        assert browser.run("document.querySelectorAll('img').length") == 0
        assert browser.run("document.getElementById('done').textContent") == "40.0%"
        assert browser.run("document.querySelectorAll('#products tr').length") == len(watch.state(store)["products"])
        assert browser.run("document.querySelector('#slowest th').textContent") == slow["file"]
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        store.write_json("runs/progress.json", progress | {"done_cost": 500, "time": now + 1})
        deadline = "new Promise(done => setTimeout(done, 100))"
        while browser.run("document.getElementById('done').textContent") != "50.0%":
            browser.run(deadline)
        assert set(browser.requests) == {f"{address}/", f"{address}/status.json"}
        assert (browser.messages, browser.errors, browser.blocked) == ([], [], [])
    finally:
        store.remove("runs/lock.json")
        browser.close()


def test_a_root_without_a_run_and_a_request_under_another_name_are_refused(tmp_path: Path, address: str) -> None:
    assert get(f"{address}/", Host="evil.example")[0] == 403
    with pytest.raises(Exception, match="holds no run"):
        watch.state(Store(str(tmp_path)))
