"""Every benchmark works: each line of `benchmarks.suite` runs to its end on an input of some pages made here."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import inputs, suite
from benchmarks.quality_agreement import FAMILIES, VALUES, candidate
from pipeline.run import driver
from pipeline.store.storage import Store
from tests.products.test_language import PAGES
from tests.support.archives import record

FOLDER = Path(suite.__file__).parent
COUNT = 60
ZOO = "| file | what | bytes | FastWARC | warcio |\n|---|---|---|---|---|\n| `two.warc` | plain | 9 | 2 | 2 |\n"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> inputs.Inputs:
    """Every input that a benchmark may ask for, made."""
    folder = tmp_path_factory.mktemp("made")
    made = inputs.make(folder, COUNT)
    made |= {"recorded": [recorded(folder)], "languages": [languages(folder)]}
    (folder / "README.md").write_text(ZOO)
    (folder / "zoo").mkdir()
    (folder / "zoo/two.warc").write_bytes(2 * record())
    made |= {"zoo": [str(folder / "README.md")], "transcoded": [transcoded(folder)]}
    root = folder / "root"
    driver.run(made["mixture"][0], Store(str(root)), "inline", None, quiet=True)
    return {**made, "root": [str(root)]}


def recorded(folder: Path) -> str:
    """Pages with the decisions and values of `quality` itself, under the names that the reference has for them."""
    table = pq.read_table(folder / "pages.parquet")
    columns = {name: table.column(name) for name in table.column_names}
    for unit, suffix in (("white_space", "_ws"), ("spacy", "_eng"), ("spacy", "")):
        ours = candidate(table, unit)
        columns |= {f"{name}_keep{suffix}": ours.column(f"{name}_keep") for name in FAMILIES}
        if suffix != "_eng":
            columns |= {f"{name}{suffix}": ours.column(name) for name in VALUES.values()}
    pq.write_table(pa.table(columns), folder / "recorded.parquet")
    return str(folder / "recorded.parquet")


def languages(folder: Path) -> str:
    """Pages of 2,000 characters or more, an odd number: those of an even one are shortened."""
    rows = []
    for name, text in PAGES.items():
        page = f"<html lang={name}><head></head><body><p>{(text + ' ') * (2500 // len(text))}</p></body></html>"
        rows.append((page + " " * (len(page) % 2 == 0)).encode())
    pq.write_table(pa.table({"html": pa.array(rows, pa.binary())}), folder / "languages.parquet")
    return str(folder / "languages.parquet")


def transcoded(folder: Path) -> str:
    """A page in another charset, and its text."""
    import gzip

    place = folder / "charsets"
    place.mkdir()
    body = f"<html lang=ru><head><title>T</title></head><body><p>{PAGES['ru'] * 5}</p></body></html>"
    one = record(body.encode("cp1251"), http="Content-Type: text/html; charset=windows-1251", url="https://a.example/")
    (place / "transcoded.warc.gz").write_bytes(gzip.compress(one))
    line = json.dumps({"url": "https://a.example/", "charset": "windows-1251", "text": PAGES["ru"] * 5})
    (place / "transcoded.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    return str(place)


def run(module: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """A benchmark in this process; its status."""
    monkeypatch.setattr(sys, "argv", [module, *words])
    try:
        status = importlib.import_module(f"benchmarks.{module}").main()
    except SystemExit as stop:
        status = stop.code
    return status or 0


def test_every_module_is_in_the_suite() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert modules == {one.module for one in suite.BENCHMARKS} | suite.PARTS | suite.ALONE
    for name in modules:
        importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("benchmark", suite.BENCHMARKS, ids=lambda one: one.name.replace(" ", "-"))
def test_it_runs(
    benchmark: suite.Benchmark,
    found: inputs.Inputs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = suite.command(benchmark, found, str(tmp_path), tiny=True)
    assert run(benchmark.module, words, monkeypatch) == 0
    assert capsys.readouterr().out.strip()
