"""mixtures/recipes: each loads, runs, cites its source, and decides as the public reference does."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import recipe as recipes
from pipeline.store.storage import Store
from stages import kept, quality
from tests.support.archives import record
from tests.support.runs import run_inline
from tools import compare_recipes

PATHS = compare_recipes.recipes()
PROSE = (
    "The old mill stands by the river, and the people of the village bring their grain to it every autumn. {} "
    "Nobody remembers when the first stone was laid, although the miller has heard many stories about it. "
    "She opens the gate at dawn, and the water begins to turn the wheel with a deep and steady sound. "
    "By noon the sacks are full of flour that is white and fine, and the carts go back over the bridge. "
    "In the evening there is bread on all the tables, and the wheel stands still until the next morning. "
)
FUNCTION = """\
def mill_{0}(grain, water):
    flour = grain * {0}
    for stone in range(water):
        flour += stone
    return flour


"""
EXTRA = ("It is number {} of the mills that we know of.", "They counted {} sacks last year.", "House {} is the oldest.")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Some pages of a crawl, and files of code."""
    folder = tmp_path_factory.mktemp("recipes")
    pages = []
    for number in range(12):
        words = " ".join(f"{extra.format(number * 7 + place)}" for place, extra in enumerate(EXTRA))
        text = f"<p>{PROSE.format(words)}</p>"
        pages.append(f"<html><head><title>Mill {number}</title></head><body><main>{text}</main></body></html>")
    pages.append("<html><body><p>x</p></body></html>")
    records = [record(page.encode(), url=f"https://mills.example/{number}") for number, page in enumerate(pages)]
    (folder / "web.warc.gz").write_bytes(b"".join(gzip.compress(one, mtime=0) for one in records))
    files = ["".join(FUNCTION.format(number * 5 + k) for k in range(3)) for number in range(6)] + ["0" * 2000]
    rows = [json.dumps({"id": str(number), "text": text}) for number, text in enumerate(files)]
    (folder / "code.jsonl").write_text("\n".join(rows) + "\n")
    return {"web": str(folder / "web.warc.gz"), "code": str(folder / "code.jsonl"), "root": str(folder / "root")}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_runs_and_keeps_what_is_good_and_drops_what_is_not(
    path: Path, inputs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INPUT", inputs["code" if path.stem == "code" else "web"])
    run_inline(path, inputs["root"])
    found = compare_recipes.figures(Store(inputs["root"]), path.stem)
    assert 0 < found["kept"] <= found["read"]
    assert found["tokens"] > 0
    assert compare_recipes.row(path.stem, found).startswith(f"| `{path.stem}` | {found['read']} | ")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_says_where_it_comes_from_and_what_it_leaves_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head = text[: text.index("\nname: ")]
    assert re.search(r"arXiv \d{4}\.\d{5}|github|allenai/", head)
    assert "# Left out, or otherwise than there:\n#   - " in head
    assert yaml.safe_load(text)["name"] == path.stem


def test_the_page_that_compares_them_has_a_row_for_each() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \| [\d,]+ \|", page, re.MULTILINE) == [path.stem for path in PATHS]
    assert compare_recipes.HEADER in page


# Against the public reference

ORACLE = {
    "fineweb": ("gr_keep_eng", "gq_keep_eng", "c4_keep_eng", "fw_keep_eng"),
    "c4": ("c4t_keep_ws",),
    "gopher": ("gq_keep_ws", "gr_keep_ws"),
}


@pytest.mark.parametrize("name", ORACLE)
def test_decisions_equal_those_of_the_reference(shared: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two differences are meant (`stages.rules.c4`, `gopher_repetition`): formulas, and n-grams written together."""
    monkeypatch.setenv("INPUT", str(shared / "data" / "crawl" / "crawl-00000.warc.gz"))
    path = compare_recipes.FOLDER / f"{name}.yaml"
    sections = recipes.load(path, Store("/nowhere"), tokenizer=False).sections
    table = pq.read_table(shared / "reference" / "quality" / "dev.parquet")
    text = table["text"].cast(pa.large_string()).combine_chunks()
    measured = quality.prepare(sections["quality"])(pa.RecordBatch.from_arrays([text], ["text"]))
    pages = pa.Table.from_batches([measured])
    about: dict[str, Any] = {
        "source": pa.array(["web"] * len(text)),
        "language": pa.array(["en"] * len(text)),
        "confidence": pa.array([1.0] * len(text)),
        "text_bytes": table["n_bytes"],
    }
    for column, values in about.items():
        pages = pages.append_column(column, values)
    settings = kept.without_columns(sections["kept"], ["repeats_spans", "repeats_spare_fraction"])
    ours = kept.prepare(settings, [])(pages)["keep"].to_numpy(zero_copy_only=False)
    theirs = np.logical_and.reduce([table[column].to_numpy() for column in ORACLE[name]])
    texts = np.array([bool(one.strip()) for one in text.to_pylist()])
    different = np.flatnonzero((ours != theirs) & texts)
    formulas = [index for index in different if re.search(r"\$[^$]*\{[^$]*\}[^$]*\$|\\\(", text[index].as_py())]
    assert len(different) - len(formulas) <= 0.001 * len(text), [table["doc_id"][int(i)].as_py() for i in different]
