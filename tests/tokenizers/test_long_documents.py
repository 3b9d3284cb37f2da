"""Long documents in pieces: never too many tokens, the text kept, cut at paragraphs; a run with books asked for."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answers.stats import held_out_lines, stats_of
from pipeline.answers.verify import verify_root
from pipeline.answers.verify_shards import held_out_problems
from pipeline.recipe.snapshot import load as snapshot_of
from pipeline.store.storage import Store
from stages.kernels.columns.ragged import offsets_of
from stages.tokenizers import load
from stages.tokenizers.long_documents import cut_long
from tests.support.runs import run_inline

TEXTS = st.text(st.sampled_from("ab é\n\n\n .磨坊"), max_size=900)


def pieces(texts: list[str], most: int, **options: object) -> list[list[str]]:
    raw = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(raw), np.uint8)
    offsets = offsets_of([len(one) for one in raw])
    found, parents = cut_long(data, offsets, load("mistral-v1", None), most, **options)  # type: ignore[arg-type]
    parts: list[list[str]] = [[] for _ in texts]
    for row, parent in enumerate(parents.tolist()):
        parts[parent].append(data[found[row] : found[row + 1]].tobytes().decode())
    return parts


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS, max_size=3), st.integers(64, 200))
def test_no_piece_has_too_many_tokens_and_together_they_are_the_text(texts: list[str], most: int) -> None:
    tokenizer = load("mistral-v1", None)
    for text, parts in zip(texts, pieces(texts, most), strict=True):
        assert "".join(parts) == text
        assert all(len(tokenizer.reference.encode(part.encode())) < most for part in parts)


def test_cuts_are_at_paragraphs_else_lines_else_words() -> None:
    paragraphs = "".join(f"Paragraph {k} says some more.\nAnd some.\n\n" for k in range(60))
    [parts] = pieces([paragraphs], 100)
    assert len(parts) > 5
    assert all(part.endswith("\n\n") for part in parts)
    [parts] = pieces([paragraphs.replace("\n\n", "\n")], 100)
    assert all(part.endswith("\n") for part in parts)
    [parts] = pieces(["word " * 500], 100, at="paragraph")
    assert all(part.endswith(" ") for part in parts)
    assert pieces(["short"], 100) == [["short"]]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("books")
    rows = []
    for number in range(4):
        text = "".join(
            f"Chapter {k} of book {number} tells of the mill and the {k * 7919} sacks.\n\n" for k in range(900)
        )
        rows.append({"id": f"book{number}", "text": text})
    (folder / "books.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes = [
        {"id": f"n{k}", "text": f"Note {k}: the mill has {k * 31} sacks of corn for the village."} for k in range(400)
    ]
    (folder / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in notes))
    return folder


MIXTURE = """\
name: books
sources: {{books: {{paths: books.jsonl}}, notes: {{paths: notes.jsonl}}}}
kept: {{families: []}}
clusters: {{enabled: false}}
domains: {{books: {{sources: [books]}}, notes: {{sources: [notes]}}}}
shards: {{valid_fraction: 0.05}}
{tokens}
mixture: {{domains: {{books: {{share: 0.5}}, notes: {{share: 0.5}}}}}}
"""


def test_a_share_of_books_and_their_validation_split_have_the_size_asked_for(books: Path, tmp_path: Path) -> None:
    mixture, root = books / "m.yaml", tmp_path / "root"
    mixture.write_text(MIXTURE.format(tokens="tokens: {max_document_tokens: 300, cut: paragraph}"))
    run_inline(mixture, root)
    store = Store(str(root))
    snapshot = snapshot_of(store)
    stats = stats_of(snapshot)
    row = next(row for row in stats["mixture"] if row["domain"] == "books")
    assert row["realised_share"] == pytest.approx(0.5, abs=0.02)
    held = next(row for row in stats["held_out"] if row["domain"] == "books")
    whole = next(row for row in stats["domains"] if row["domain"] == "books")
    assert 0.02 < held["tokens"] / whole["tokens"] < 0.09
    docs = pq.read_table(next(root.glob("shards/**/books-*/train/docs-*.parquet"))).to_pylist()
    assert {row["doc_id"] for row in docs if row["piece"] > 0}
    order = [(row["doc_id"], row["piece"]) for row in docs]
    assert all(a[1] < b[1] for a, b in pairwise(order) if a[0] == b[0])
    assert max(row["num_tokens"] for row in docs) <= 300
    assert "documents tokenized again" in verify_root(store, None)
    lines = held_out_lines(store, "books")
    assert [line.split()[0] for line in lines] == ["valid", "valid"]
    assert all(Path(line.split()[1]).is_dir() for line in lines)


@pytest.mark.parametrize("hold_out", ["pieces", "documents"])
def test_pieces_of_a_document_are_held_out_each_or_all_together(hold_out: str, books: Path, tmp_path: Path) -> None:
    mixture, root = books / f"{hold_out}.yaml", tmp_path / "root"
    text = MIXTURE.format(tokens="tokens: {max_document_tokens: 64, cut: line}")
    text = text.replace("valid_fraction: 0.05", f"valid_fraction: 0.2, test_fraction: 0.1, hold_out: {hold_out}")
    mixture.write_text(text)
    run_inline(mixture, root)
    docs = [
        {**row, "split": path.parent.name}
        for path in root.glob("shards/**/docs-*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    splits: dict[bytes, set[str]] = {}
    for row in docs:
        splits.setdefault(row["doc_id"], set()).add(row["split"])
    assert len(docs) == len({(row["doc_id"], row["piece"]) for row in docs})
    assert len(splits) == 404
    assert {split for found in splits.values() for split in found} == {"train", "valid", "test"}
    divided = [found for found in splits.values() if len(found) > 1]
    assert len(divided) == (4 if hold_out == "pieces" else 0)
    store = Store(str(root))
    assert "documents tokenized again" in verify_root(store, None)
    [about] = (address for address, _ in store.list("shards") if address.endswith("about.json"))
    said = store.read_json(about)
    store.write_json(about, said | {"params": said["params"] | {"hold_out": "documents"}})
    problems = held_out_problems(snapshot_of(store))
    if hold_out == "documents":
        assert not problems
    else:  # pieces on both sides, and the documents should be whole
        assert problems[0] == "documents are held out twice, in test and valid"
        assert "4 documents to train on are held out" in problems[1]


def test_whole_books_are_remarked_on(books: Path, tmp_path: Path) -> None:
    from stages.report.remarks import remarks

    mixture, root = books / "whole.yaml", tmp_path / "root"
    mixture.write_text(MIXTURE.format(tokens="").replace("valid_fraction: 0.05", "valid_fraction: 0.3"))
    run_inline(mixture, root)
    said = " ".join(one["text"] for one in remarks(stats_of(snapshot_of(Store(str(root))))))
    assert "tokens.max_document_tokens cuts long ones" in said
