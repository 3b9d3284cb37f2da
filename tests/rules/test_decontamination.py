"""Benchmarks in a mixture, from their files to the corpus: pages with their text go, or the text is cut out."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline import recipe as recipes
from pipeline.answers.why import lives
from pipeline.recipe import doubts, finished
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages.rules import contamination
from tests.support.corpora import MIRRORED, documented, write_corpus, write_mixture
from tests.support.runs import made, run_inline

LONG_PAGES = ("mailbox.Mailbox", "tarfile.TarFile", "zipfile.ZipFile", "calendar.Calendar", "socket.socket")
NAME, OTHER = [name for i, (name, _) in enumerate(documented()) if i % MIRRORED and name in LONG_PAGES][:2]
"""Pages without an exact copy, which would be dropped as one: what `documented` finds depends on what is loaded."""


def sentence(name: str) -> str:
    """Sixteen words that stand in a row on one page and its copies."""
    return " ".join(dict(documented())[name].split()[20:36])


def tokenized(root: Path, url: str) -> list[int]:
    """Bytes of text that were tokenized of the pages with this address."""
    snapshot = load(Store(str(root)))
    found = []
    for entry in snapshot.product("tokens"):
        with snapshot.store.open(entry.address) as file:
            table = pa.ipc.open_file(file).read_all().select(["url", "text_bytes"])
        found += [row["text_bytes"] for row in table.to_pylist() if row["url"] == url]
    return found


@pytest.mark.slow
def test_benchmarks_of_three_kinds_drop_pages_or_cut_spans(tmp_path: Path) -> None:
    rows = [{"id": 7, "question": "What thing is this?"}, {"id": 8, "question": "Is it so?", "answer": sentence(NAME)}]
    (tmp_path / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.table({"id": [1], "passage": [f"{sentence(OTHER)} and more"]}), tmp_path / "read.parquet")
    (tmp_path / "plain.txt").write_text(
        "A line of thirteen words or more that stands on no page, as far as anybody knows.\n"
    )
    mixture, root = write_mixture(tmp_path / "a.yaml", write_corpus(tmp_path / "in", files=2)), tmp_path / "root"
    text = mixture.read_text() + (
        "quality:\n  families: [gopher_quality, contamination]\n  benchmarks:\n    files:\n"
        "      - {path: quiz.jsonl, fields: [question, answer]}\n"
        "      - {path: read.parquet, name: reading, fields: [passage]}\n      - {path: plain.txt}\n"
    )
    mixture.write_text(text)
    [warning, _] = doubts.warnings(recipes.load(mixture, Store(str(root))))
    assert "add contamination to kept.families" in warning
    mixture.write_text(text.replace("families: [gopher_quality]", "families: [gopher_quality, contamination]"))
    run_inline(mixture, root)
    snapshot = load(Store(str(root)))
    for name, benchmark, item in ((NAME, "quiz", 1), (OTHER, "reading", 0)):
        [page] = lives(snapshot, f"https://docs.example/{name}")
        measured = {entry["column"]: entry["value"] for entry in page["measurements"]}
        assert page["decision"]["reason"] == "contaminated"
        assert (measured["contamination_benchmark"], measured["contamination_item"]) == (benchmark, item)
        assert measured["contamination_spans"] == 1
    assert tokenized(root, f"https://docs.example/{NAME}") == []

    mixture.write_text(
        text.replace("families: [gopher_quality]\n", "families: [gopher_quality]\n  views: [decontaminated]\n")
    )
    again = made(run_inline(mixture, root))
    assert not {"documents", "language", "quality", "overlaps", "contamination"} & set(again)
    [page] = lives(load(Store(str(root))), f"https://docs.example/{NAME}")
    assert page["decision"]["keep"]
    assert page["decision"]["bytes_cut_or_replaced"] >= len(sentence(NAME)) - 20
    whole, cut = page["document"]["text_bytes"], page["decision"]["bytes_cut_or_replaced"]
    assert tokenized(root, f"https://docs.example/{NAME}") == [whole - cut]

    (tmp_path / "quiz.jsonl").write_text(json.dumps(rows[0]) + "\n")
    again = made(run_inline(mixture, root))
    assert (again["overlaps"], "quality" in again, "documents" in again) == (3, False, False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "question,answer\nWho ground it?,Müller\n"),
        ("a.tsv.gz", "question\tanswer\nWho ground it?\tMüller\n"),
        ("a.jsonl.zst", '{"question": "Who ground it?", "answer": "Müller"}\n'),
        ("a.txt", "Who ground it?\n"),
    ],
)
def test_a_byte_order_mark_says_how_a_benchmark_is_written(
    tmp_path: Path, name: str, content: str, encoding: str
) -> None:
    raw = content.encode(encoding)
    raw = codecs.BOM_UTF16_BE + raw if encoding == "utf-16-be" else raw
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}.get(Path(name).suffix, bytes)(raw)
    (tmp_path / name).write_bytes(packed)
    benchmark = contamination.Benchmark(path=str(tmp_path / name))
    [item] = contamination.items(benchmark)
    [entry] = contamination.identity(contamination.Benchmarks(files=(benchmark,)))
    assert entry.get("encoding", "utf-8") in (encoding, "utf-16" if encoding == "utf-16-be" else encoding)
    assert (item.question, item.answer) == ("Who ground it?", "" if name == "a.txt" else "Müller")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.jsonl", None, "gone.jsonl"),
        ("no.parquet", "PAR1", "no.parquet: expected what its name says"),
        ("no.jsonl.gz", "text", "no.jsonl.gz: expected what its name says"),
        ("no.jsonl.zst", "text", "no.jsonl.zst: expected what its name says"),
        ("deep.jsonl", '{"a": ' + "[" * 100_000, "deep.jsonl, line 1: expected a JSON object"),
        ("bad.jsonl", '{"a": 1}\nno json\n', "line 2: expected a JSON object"),
        ("few.jsonl", '{"question": "mill"}\n{"question": "Why is it?"}\n', "found 2 of fewer"),
        ("other.jsonl", '{"a": "text"}\n', "no text in the fields question"),
    ],
)
def test_a_wrong_benchmark_is_reported_before_work(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content:
        (tmp_path / name).write_text(content)
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    extra = f"quality: {{benchmarks: {{files: [{{path: {name}, fields: [question]}}]}}}}\n"
    mixture.write_text(mixture.read_text() + extra)
    with pytest.raises(ConfigError, match=message):
        recipes.load(mixture, Store(str(tmp_path)))


@pytest.mark.parametrize(("score", "threshold", "marked"), [(0.8, 0.8, False), (0.8, 0.79, True), (0.6, 0.6, False)])
def test_a_finished_text_at_the_threshold_is_not_marked(score: float, threshold: float, marked: bool) -> None:
    hit = {"benchmark": "b", "item": 3, "part": "question", "start": 0, "stop": 4}
    hit["score"] = pa.array([score], pa.float32())[0].as_py()
    found = finished._row(finished._Evidence(("f", 0, None), np.zeros((0, 6), np.int64), b"text", 0), [hit], threshold)
    assert (found["contaminated"], found["benchmark"]) == (marked, ["b"] if marked else [])
