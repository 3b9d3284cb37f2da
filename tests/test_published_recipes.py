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
from pipeline.recipe import graph
from pipeline.store.storage import Store
from stages import kept, quality
from stages.kept import params as kept_params
from stages.kernels.columns.ragged import text_buffers
from tests.slow import rules as slow_rules
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
    assert "\n# Compared with: " in head
    assert yaml.safe_load(text)["name"] == path.stem


def test_the_page_that_compares_them_has_a_row_for_each() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \| [\d,]+ \|", page, re.MULTILINE) == [path.stem for path in PATHS]
    assert compare_recipes.HEADER in page


# Against the published code

GOPHER = {"too_few_words": 50, "too_many_words": 100_000, "words_too_short": 3, "words_too_long": 10}
GOPHER |= {"too_many_hashes": 0.1, "too_many_bullet_lines": 0.9, "too_many_ellipsis_lines": 0.3}
GOPHER |= {"too_few_alphabetic_words": 0.8, "too_few_stop_words": 2}
TABLE_A1 = {"too_many_repeated_lines": 0.3, "too_many_repeated_paragraphs": 0.3}
TABLE_A1 |= {"too_much_text_in_repeated_lines": 0.2, "too_much_text_in_repeated_paragraphs": 0.2}
TABLE_A1 |= {f"too_much_text_in_top_{n}_gram": limit for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))}
TABLE_A1 |= {f"too_much_text_in_repeated_{n}_grams": (20 - n) / 100 for n in range(5, 11)}
OFF = "off"
FACTS: dict[str, dict[str, Any]] = {
    "dolma-3": {
        **GOPHER,
        **TABLE_A1,
        "too_much_page_chrome": 0.05,
        "kept.languages": ("en",),
        "kept.min_confidence": 0.65,
        "repeats.join": 0.05,
        "clusters.survivor": ("newest", "longest"),
    },
    "dclm-baseline": {
        **GOPHER,
        **TABLE_A1,
        "too_many_corrected_words": 0.05,
        "kept.languages": ("en",),
        "kept.min_confidence": 0.65,
    },
    "fineweb-2": {
        **GOPHER,
        **dict.fromkeys(("too_many_repeated_paragraphs", "too_much_text_in_repeated_paragraphs"), OFF),
        **dict.fromkeys(("too_much_text_in_repeated_lines", "too_many_short_lines"), OFF),
        "too_many_repeated_lines": 0.3,
        "too_many_repeated_characters": 0.1,
        "too_few_sentences_in_terminated_lines": OFF,
        "signatures.ngram": 5,
        "signatures.permutations": 14 * 8,
        "clusters.bands": 14,
        "clusters.rows": 8,
        "clusters.per_language": True,
    },
    "refinedweb": {
        **GOPHER,
        **TABLE_A1,
        "too_many_corrected_words": 0.05,
        "kept.languages": ("en",),
        "kept.min_confidence": 0.65,
        "kept.views": ("refinedweb_corrected", "without_repeats"),
        "signatures.ngram": 5,
        "repeats.min_bytes": 50 * 4,
    },
    "math": {**{rule: OFF for rule in GOPHER if rule != "too_few_words"}, "kept.languages": ("en",)},
    "nemotron-cc": {
        "too_few_words": OFF,
        "kept.languages": ("en",),
        "kept.min_confidence": 0.3,
        "clusters.bands": 20,
        "clusters.rows": 13,
    },
    "redpajama-2": {
        **GOPHER,
        **TABLE_A1,
        "kept.languages": ("de", "en", "es", "fr", "it"),
        "signatures.ngram": 13,
        "signatures.permutations": 128,
        "clusters.bands": 9,
        "clusters.rows": 13,
    },
}
"""What the code says that each of these recipes names at its top: thresholds of rules, and settings."""


@pytest.mark.parametrize("name", FACTS)
def test_numbers_are_those_of_the_published_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPUT", str(Path(__file__)))
    raw = yaml.safe_load((compare_recipes.FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    sections = {
        key: model.model_validate(raw.get(key, {})) for key, model in graph.SECTIONS.items() if key != "mixture"
    }
    params = sections["kept"]
    active = kept.active_rules(params)
    for fact, published in FACTS[name].items():
        section, dot, key = fact.partition(".")
        if dot:
            found = getattr(sections[section], key)
            assert (tuple(sorted(found)) if key == "languages" else found) == published, fact
            continue
        given = params.rules.get(fact)
        limit = given if given is not None and not isinstance(given, bool) else kept_params.PUBLISHED[fact].threshold
        assert (limit if fact in active else OFF) == pytest.approx(published), fact


# Against the public reference

ORACLE = {
    "fineweb": ("gr_keep_eng", "gq_keep_eng", "c4_keep_eng"),
    "c4": ("c4t_keep_ws",),
    "gopher": ("gq_keep_ws", "gr_keep_ws"),
}


def fineweb_keeps(text: str) -> bool:
    """FineWeb's filter on what C4's leaves of a page, from the published code: it sees the text that that one wrote."""
    lines = [slow_rules.c4_line(line, False) for line in text.splitlines()]
    left = "\n".join(line for fate, line in lines if fate == "kept").strip()
    facts = slow_rules.fineweb(left)
    words = quality.UNITS["spacy"](*text_buffers(pa.array([left], pa.large_string()))).words_D1[-1]
    return (
        facts["fineweb_punctuated_line_fraction"] >= 0.12
        and facts["fineweb_short_line_fraction"] <= 0.67
        and facts["fineweb_repeated_line_character_fraction"] <= 0.01
        and left.count("\n") / words <= 0.3
    )


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
    if name == "fineweb":
        theirs &= np.array([stays and fineweb_keeps(one.as_py()) for stays, one in zip(theirs, text, strict=True)])
        assert theirs.sum() == 476  # as its filters do one after the other; each on the whole page: 416
        assert (ours == theirs).all()
    texts = np.array([bool(one.strip()) for one in text.to_pylist()])
    different = np.flatnonzero((ours != theirs) & texts)
    formulas = [index for index in different if re.search(r"\$[^$]*\{[^$]*\}[^$]*\$|\\\(", text[index].as_py())]
    assert len(different) - len(formulas) <= 0.001 * len(text), [table["doc_id"][int(i)].as_py() for i in different]
