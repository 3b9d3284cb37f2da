"""The demo corpus: reproducible, recognised when whole, and safe from the modules it imports."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import pydoc
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastwarc import ArchiveIterator, WarcRecordType
from hypothesis import given
from hypothesis import strategies as st

from pipeline import sample
from pipeline.errors import RunError
from pipeline.progress import Reporter
from pipeline.run import driver
from pipeline.sample import pages as rendering
from pipeline.store.storage import Store

PAGES = 130  # topics and the first modules of the standard library: two children
WANTED = threading.Event()
"""Never set: somebody wants the pages to the end."""


def tree(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    assert sample.make_sample(directory, pages=PAGES)["made"]
    return directory


def responses(directory: Path) -> list[tuple[str, str]]:
    pages = []
    for path in sorted((directory / "web").iterdir()):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response):
                body = record.reader.read()
                digest = base64.b32encode(hashlib.sha1(body).digest()).decode()
                assert record.headers["WARC-Payload-Digest"] == f"sha1:{digest}"
                assert record.http_content_type == "text/html"
                pages.append((record.headers["WARC-Target-URI"], body.decode()))
    return pages


def test_holds_html_pages_readmes_and_code(made: Path) -> None:
    pages = responses(made)
    assert len(pages) == PAGES
    assert len({url for url, _ in pages}) == PAGES
    assert all(url.startswith("https://python.pydoc.example/") and "<html" in html for url, html in pages)
    lines = gzip.decompress((made / "readmes/readmes.jsonl.gz").read_bytes()).splitlines()
    readmes = [json.loads(line) for line in lines]
    assert {"numpy", "pyarrow"} <= {row["id"].partition("==")[0] for row in readmes}
    assert all(set(row) == {"id", "text", "url", "licence", "language"} and row["text"] for row in readmes)
    code = pq.read_table(made / "code")
    assert {"Lib/argparse.py", "Lib/asyncio/__init__.py"} <= set(code["path"].to_pylist())
    assert code.column_names == ["id", "text", "url", "licence", "language", "path"]
    assert set(code["language"].to_pylist()) == {"python"}


def test_each_record_is_a_gzip_member_of_its_own(made: Path) -> None:
    data = (made / "web/pydoc-00000.warc.gz").read_bytes()
    assert gzip.decompress(data).count(b"WARC/1.0\r\nWARC-Type: ") == PAGES + 1
    assert len(re.findall(rb"\x1f\x8b\x08\x00\x00\x00\x00\x00", data)) == PAGES + 1


def test_bytes_do_not_depend_on_folder_environment_or_hash_seed(made: Path, tmp_path: Path) -> None:
    code = f"from pipeline.sample import make_sample; from pathlib import Path; make_sample(Path('s'), pages={PAGES})"
    root = str(Path(sample.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": "7", "SECRET": "do-not-show", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert tree(tmp_path / "s") == tree(made)


def test_pages_show_nothing_of_this_machine(made: Path) -> None:
    text = "".join(html for _, html in responses(made))
    for folder in (sys.prefix, sys.base_prefix, str(Path(sample.__file__).parent)):
        if folder not in ("/usr", "/usr/local"):
            assert folder not in text
    assert not set(re.findall(r"0x[0-9a-f]{8,}", text)) - {"0x7f0000000000"}


PIECES = [
    "self.", "spam", "Spam", "_x1", "(", "http://a.example/b_c?d=<e>", "RFC 2616", "PEP8", "PEP-8(", "é", "<&", ".",
    " ", "\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_pages_link_what_pydoc_links(text: str) -> None:
    names: Any = {"Spam": "#Spam", dict: "#dict"}
    ours, own = rendering.Renderer(), pydoc.HTMLDoc()
    for known in ({}, {"classes": names}, {"funcs": {"spam": "#f"}, "methods": {"_x1": "#m"}}):
        for escape in (None, own.preformat):
            assert ours.markup(text, escape, **known) == own.markup(text, escape, **known)


class Engine:
    """An engine that is started, or cannot be."""

    def __init__(self, fault: str = "") -> None:
        self.fault, self.started = fault, 0

    def start(self) -> None:
        self.started += 1
        if self.fault:
            raise RunError(self.fault)


def test_the_engine_starts_while_a_sample_is_made_and_not_for_one_that_is_there(made: Path, tmp_path: Path) -> None:
    recipe: Any = SimpleNamespace(sample=SimpleNamespace(pages=PAGES), path="demo.yaml")
    shutil.copytree(made, tmp_path / "sample")
    fails: Any = Engine("no Ray here")
    works: Any = Engine()
    driver.make_sample(recipe, Store(str(tmp_path)), Reporter(True), works)
    assert works.started == 0
    (tmp_path / "sample/sample.json").unlink()
    with pytest.raises(RunError, match="no Ray here"):
        driver.make_sample(recipe, Store(str(tmp_path)), Reporter(True), fails)
    assert not (tmp_path / "sample/sample.json").exists()
    driver.make_sample(recipe, Store(str(tmp_path)), Reporter(True), works)
    assert works.started == 1
    assert tree(tmp_path / "sample") == tree(made)


def test_a_sample_that_nobody_wants_any_more_is_not_taken_for_whole(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(sample.Stopped):
        sample.make_sample(tmp_path, pages=PAGES, stop=stop)
    assert not sample.is_made(tmp_path, pages=PAGES)


def test_a_finished_sample_is_not_made_again(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    again = sample.make_sample(made, pages=PAGES)
    assert not again["made"]
    assert again["web"]["documents"] == PAGES
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*")}


def test_a_damaged_or_other_sample_is_made_anew_and_stale_files_go(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    (tmp_path / "own.txt").write_text("mine")
    (tmp_path / "web/pydoc-00000.warc.gz").write_bytes(b"cut")
    marker = json.loads((tmp_path / "sample.json").read_bytes())
    marker["files"]["web/pydoc-00009.warc.gz"] = {"bytes": 3, "sha256": ""}
    (tmp_path / "sample.json").write_text(json.dumps(marker))
    (tmp_path / "web/pydoc-00009.warc.gz").write_bytes(b"old")
    assert sample.make_sample(tmp_path, pages=PAGES)["made"]
    assert (tmp_path / "own.txt").read_text() == "mine"
    (tmp_path / "own.txt").unlink()
    assert tree(tmp_path) == tree(made)


def test_an_interrupted_sample_is_not_taken_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "write_web", fail)
    with pytest.raises(KeyboardInterrupt):
        sample.make_sample(tmp_path, pages=1)
    assert not (tmp_path / "sample.json").exists()
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("fault", ["os._exit(3)", "os.abort()", "time.sleep(60)"])
def test_a_module_that_kills_or_hangs_its_child_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    script = tmp_path / "child.py"
    script.write_text(
        "import json, os, sys, time\n"
        "for name in sys.argv[1:]:\n"
        "    print(json.dumps({'module': name}), flush=True)\n"
        f"    if name == 'bad': {fault}\n"
        "    print(json.dumps({'path': name, 'html': '<p>'}), flush=True)\n"
    )
    monkeypatch.setattr(sample, "CHILD_SECONDS", 1)
    pages = sample.render(["json", "bad", "numpy.fft", "re"], WANTED, script)
    assert [url for url, _ in pages] == [
        "https://python.pydoc.example/json.html",
        "https://numpy.pydoc.example/numpy.fft.html",
        "https://python.pydoc.example/re.html",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_pages_that_found_no_room_are_no_module_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "child.py"
    script.write_text("print('{}', flush=True)\n")
    monkeypatch.setattr(sample.tempfile, "TemporaryFile", lambda: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    with pytest.raises(OSError, match="No space left") as error:
        sample.render(["json"], WANTED, script)
    assert error.value.filename == sample.tempfile.gettempdir()


def test_modules_that_cannot_be_imported_have_no_page() -> None:
    assert sample.render(["no_such_module_here", "json.decoder"], WANTED)[0][0].endswith("/json.decoder.html")


def test_names_the_skipped_modules_and_finds_submodules_without_importing() -> None:
    names = {name for group in sample.module_groups() for name in group}
    assert {"topics", "asyncio.events", "numpy.linalg"} <= names
    assert not {name for name in names if name.split(".")[0] in {"antigravity", "this", "test", "idlelib"}}
    assert not {name for name in names if "._" in name or name.endswith(".tests")}


def test_a_package_that_takes_over_metadata_changes_no_byte(made: Path, tmp_path: Path) -> None:
    pytest.importorskip("importlib_metadata")
    for path, count in sample.write_readmes(tmp_path, sample.distributions()):
        assert count > 10
        assert path.read_bytes() == (made / "readmes" / path.name).read_bytes()


def test_package_metadata_may_lack_any_field_whoever_reads_it() -> None:
    class Strict(dict[str, str]):  # as importlib_metadata gives it, which replaces Python's own where it is imported
        def get_all(self, name: str) -> list[str] | None:
            return [self[name]] if name in self else None

    assert sample.licence(Strict()) == "not stated"
    assert sample.licence(Strict({"License": "MIT\nmore"})) == "MIT"
    assert sample.licence(Strict({"License-Expression": "Apache-2.0", "License": "x"})) == "Apache-2.0"
    assert sample.licence(Strict({"Classifier": "License :: OSI Approved :: BSD License"})) == "BSD License"
