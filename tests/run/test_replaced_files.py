"""Files replaced under the same name: what one process kept of the old ones never stands at the address of the new."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import api
from pipeline.engine.scheduler import TasksFailed
from pipeline.recipe import load
from pipeline.run.map_task import prepared
from pipeline.store.storage import Store
from stages import tokens
from stages.formats import file_states
from stages.rules import classifier_training, contamination, known_items
from stages.rules.classifiers import Classifier, scorer
from stages.tokenizers import read_model
from stages.transforms import process
from tests.rules.test_classifiers import BAD, GOOD, SMALL
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline
from tests.support.token_files import write_split

OWN = """
from functools import lru_cache

import numpy as np
import pyarrow as pa


@lru_cache(maxsize=1)
def read(path):
    return open(path).read()


def size(texts, *, file):
    return np.full(len(texts), float(len(read(file))))


def label(texts, *, file):
    return [read(file)] * len(texts)


def rewrite(rows, *, file):
    return [read(file)] * rows.num_rows
"""

SECTIONS = """
quality:
  classifiers: {{q: {{model: {folder}/q.bin}}}}
  bad_words: {{own: {folder}/words.txt}}
labels:
  labellers:
    m: {{model: {folder}/q.bin}}
    f: {{function: "kept_files:label", params: {{file: {folder}/own.txt}}}}
scores:
  scorers:
    bits: {{function: "stages.scorers.byte_model:bits_per_byte", params: {{train: {folder}/train.jsonl}}}}
    size: {{function: "kept_files:size", params: {{file: {folder}/own.txt}}}}
transforms:
  new:
    function: kept_files:rewrite
    params: {{file: {folder}/own.txt}}
    inputs: {{sources: [web], min: {{text_bytes: 2000}}}}
"""


def write_files(folder: Path, words: str, flipped: bool) -> None:
    """A model, word list, benchmark, training text and file of one's own, each moved over the one of before."""
    good, bad = ("negative", "positive") if flipped else ("positive", "negative")
    texts = [classifier_training.Labelled(label, text) for label, rows in ((good, GOOD), (bad, BAD)) for text in rows]
    classifier_training.train(texts, str(folder / "new.bin"), SMALL)
    os.replace(folder / "new.bin", folder / "q.bin")
    for name, text in {
        "words.txt": words,
        "items.jsonl": json.dumps({"question": f"{words} of the river and the forest and the mountain"}),
        "train.jsonl": json.dumps({"text": f"{words} " * 500}),
        "own.txt": f"{words} " * 3 + "\n",
    }.items():
        (folder / f"{name}.new").write_text(text + "\n")
        os.replace(folder / f"{name}.new", folder / name)


COLUMNS = ["q_score", "bad_words_own", "m_label", "f_label", "bits_score", "size_score"]


def values(path: Path, root: Path) -> tuple[list[dict[str, object]], set[str]]:
    """The columns that files decide, of the pages in order, and the texts that a transform made."""
    mixture = api.load(path, root)
    mixture.run(engine="inline", quiet=True)
    rows = mixture.table([*COLUMNS, "source", "text"], kept=False).to_pylist()
    made = {row["text"].strip() for row in rows if row["source"] == "new"}
    return [{name: row[name] for name in COLUMNS} for row in rows if row["source"] == "web"], made


def test_a_second_run_in_one_process_reads_what_stands_there_now(tmp_path: Path) -> None:
    (tmp_path / "kept_files.py").write_text(OWN)
    write_files(tmp_path, "the", flipped=False)
    extra = SECTIONS.format(folder=tmp_path)
    path = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=1), extra=extra)
    first, made = values(path, tmp_path / "root")
    write_files(tmp_path, "and also", flipped=True)
    second, made_again = values(path, tmp_path / "root")
    assert (first[0]["f_label"], second[0]["f_label"]) == ("the the the \n\n", "and also and also and also \n\n")
    assert {row["size_score"] for row in first} == {14.0}
    assert {row["size_score"] for row in second} == {29.0}
    assert (made, made_again) == ({"the the the"}, {"and also and also and also"})
    for name in ("q_score", "m_label", "bad_words_own", "bits_score"):
        assert [row[name] for row in first] != [row[name] for row in second], name
    assert all(a["q_score"] + b["q_score"] == pytest.approx(1, abs=1e-3) for a, b in zip(first, second, strict=True))


def test_a_classifier_is_loaded_once_and_again_when_its_file_is_another(tmp_path: Path) -> None:
    write_files(tmp_path, "the", flipped=False)
    classifier = Classifier(model=str(tmp_path / "q.bin"))
    first = scorer(classifier)
    assert scorer(classifier) is first
    write_files(tmp_path, "the", flipped=True)
    assert scorer(classifier) is not first


def test_benchmarks_are_read_again_when_their_file_is_another(tmp_path: Path) -> None:
    write_files(tmp_path, "the", flipped=False)
    params = contamination.Benchmarks.model_validate({"files": [{"path": str(tmp_path / "items.jsonl")}]})
    first = known_items.load(params)
    assert known_items.load(params) is first
    write_files(tmp_path, "and also", flipped=False)
    assert len(known_items.load(params).words_V) == len(first.words_V) + 1


def test_a_process_of_a_transform_goes_on_until_source_or_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRISTMILL_MODULES", str(tmp_path))
    (tmp_path / "kept_files.py").write_text(OWN)
    (tmp_path / "own.txt").write_text("a")
    settings = ("kept_files:rewrite", {"file": str(tmp_path / "own.txt")}, process.Limits(60, 10, 1000))
    rows = pa.record_batch({"text": ["x"]})
    one = process.rewriter(*settings)
    assert one(rows) == [[b"a"]]
    assert process.rewriter(*settings) is one
    (tmp_path / "own.txt").write_text("bc")
    assert process.rewriter(*settings)(rows) == [[b"bc"]]
    (tmp_path / "kept_files.py").write_text(OWN.replace("[read(file)] * rows", "[read(file) + '!'] * rows"))
    assert process.rewriter(*settings)(rows) == [[b"bc!"]]
    process.close()


def test_a_text_too_long_for_a_path_is_no_file(tmp_path: Path) -> None:
    long = "Rewrite the text. " * 40 + "{text}"
    assert not file_states.is_file(long)
    assert file_states.states({"prompt": long, "file": str(tmp_path)}) == ()
    (tmp_path / "a").write_text("12345")
    assert [found[:2] for found in file_states.states([{"file": str(tmp_path / "a")}])] == [(str(tmp_path / "a"), 5)]


REPLACING = """
import os

import numpy as np


def size(texts, *, file):
    new = f"{file}.next"
    if os.path.exists(new):
        os.replace(new, file)
    return np.full(len(texts), float(os.path.getsize(file)))


def label(texts, *, file):
    return [f"{size(texts, file=file)[0]:g}"] * len(texts)
"""


@pytest.mark.parametrize(
    ("section", "product"),
    [
        ("scores: {{scorers: {{x: {{function: 'replacing:size', params: {{file: {file}}}}}}}}}", "scores"),
        ("labels: {{labellers: {{x: {{function: 'replacing:label', params: {{file: {file}}}}}}}}}", "labels"),
    ],
)
def test_a_file_replaced_while_a_run_goes_on_fails_it_and_makes_no_product(
    tmp_path: Path, section: str, product: str
) -> None:
    (tmp_path / "replacing.py").write_text(REPLACING)
    file = tmp_path / "own.txt"
    file.write_text("one")
    path = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=1))
    path.write_text(path.read_text() + section.format(file=file) + "\n")
    (tmp_path / "own.txt.next").write_text("three")
    with pytest.raises(TasksFailed, match=r"own\.txt was replaced while the run went on; start the run again"):
        run_inline(path, tmp_path / "root")
    assert not list((tmp_path / "root" / product).rglob("*.parquet"))
    assert made(run_inline(path, tmp_path / "root"))[product] > 0
    file.write_text("one")
    assert made(run_inline(path, tmp_path / "root"))[product] > 0, "nothing stands at the address of the first"


def test_a_word_that_is_a_file_where_the_run_was_started_need_not_be_one_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("driver", "worker"):
        (tmp_path / folder).mkdir()
    (tmp_path / "driver" / "c4").write_text("notes")
    monkeypatch.chdir(tmp_path / "driver")
    found = file_states.digests({"families": ["c4"], "file": str(tmp_path / "driver" / "c4")})
    assert len(found) == 2
    monkeypatch.chdir(tmp_path / "worker")
    file_states.check_digests(found)
    (tmp_path / "driver" / "c4").unlink()
    with pytest.raises(FileNotFoundError):
        file_states.check_digests(found)


def test_a_text_in_a_folder_that_is_closed_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    assert not file_states.is_file("/closed/words")


REPLACED_BETWEEN = """
import os


def label(texts, *, file):
    return [open(file).read()] * len(texts)


def rewrite(rows, *, folder):
    if os.path.exists(f"{folder}/own.txt.next"):
        os.replace(f"{folder}/own.txt.next", f"{folder}/own.txt")
    return ["a page of its own"] * rows.num_rows
"""


def test_a_file_replaced_before_the_pages_of_a_transform_are_measured_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "between.py").write_text(REPLACED_BETWEEN)
    file = tmp_path / "own.txt"
    file.write_text("old")
    extra = f"""
labels:
  labellers: {{x: {{function: "between:label", params: {{file: {file}}}}}}}
transforms:
  new:
    function: between:rewrite
    params: {{folder: {tmp_path}}}
    inputs: {{sources: [web], min: {{text_bytes: 2000}}}}
"""
    path = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=1), extra=extra)
    (tmp_path / "own.txt.next").write_text("new")
    with pytest.raises(TasksFailed, match=r"own\.txt was replaced while the run went on; start the run again"):
        run_inline(path, tmp_path / "root")
    run_inline(path, tmp_path / "root")
    rows = api.load(path, tmp_path / "root").table(["x_label"], kept=False).to_pylist()
    assert {row["x_label"] for row in rows} == {"new"}


def test_a_file_that_is_touched_or_moved_and_holds_the_same_is_not_replaced(tmp_path: Path) -> None:
    file, link = tmp_path / "own.txt", tmp_path / "link.txt"
    file.write_text("same")
    link.symlink_to(file)
    found = file_states.digests({"a": str(file), "b": [str(link), "own text: same"]})
    assert len(found) == 2
    os.utime(file, ns=(1, 1))
    file_states.check_digests(found)
    (tmp_path / "other").write_text("same")
    os.replace(tmp_path / "other", file)
    file_states.check_digests(found)
    file.write_text("else")
    with pytest.raises(ValueError, match="was replaced while the run went on"):
        file_states.check_digests(found)


@pytest.mark.parametrize("place", ["{folder}/own.model", "file://{folder}/own.model"])
def test_a_tokenizer_that_is_another_than_planned_encodes_nothing(tmp_path: Path, place: str) -> None:
    model = tmp_path / "own.model"
    model.write_bytes(read_model("mistral-v1")[0])
    params = {"tokenizer": place.format(folder=tmp_path)}
    planned = tokens.identity(tokens.Params(**params))["tokenizer"]["sha256"]
    model.write_bytes(read_model("mistral-v3")[0])
    store = Store(str(tmp_path / "root"))
    split = write_split(store, "s", ["a page", "another one"])
    split |= {"output": "x.arrow", "params": params}
    with pytest.raises(ValueError, match=r"own\.model was replaced while the run went on"):
        tokens.tokenize(store, **split, tokenizer=planned)
    assert not store.exists("x.arrow")
    tokens.tokenize(store, **split, tokenizer=tokens.identity(tokens.Params(**params))["tokenizer"]["sha256"])
    assert store.exists("x.arrow")


def test_a_tokenizer_behind_a_uri_that_is_replaced_between_two_runs_counts_for_the_second(tmp_path: Path) -> None:
    pages = pa.RecordBatch.from_pydict({"text": pa.array(["Die Mühle steht am Fluss; 水車 turns."], pa.large_string())})
    model, counts = tmp_path / "model", []
    params = {"tokenizer": model.as_uri(), "eos": None}
    for run, name in (("first", "mistral-v1"), ("second", "tekken"), ("third", "tekken")):
        model.write_bytes(read_model(name)[0])
        count = prepared("stages.token_counts", params, f"token_counts/{run}/a.parquet")
        counts.append(count(pages)["num_tokens"][0].as_py())
    assert counts[0] != counts[1] == counts[2]
    by_name = prepared("stages.token_counts", {"tokenizer": "tekken", "eos": None}, "token_counts/x/a.parquet")
    assert by_name(pages)["num_tokens"][0].as_py() == counts[1]
    assert prepared("stages.token_counts", {"tokenizer": "tekken", "eos": None}, "token_counts/y/a.parquet") is by_name


def test_a_tokenizer_behind_a_uri_that_is_another_than_planned_counts_nothing(tmp_path: Path) -> None:
    model = tmp_path / "own.model"
    model.write_bytes(read_model("mistral-v1")[0])
    extra = (
        "quality: {families: [gopher_quality], ensembles: {q: {of: [size]}}}\n"
        "scores: {scorers: {size: {function: 'tests.products.test_scores:characters'}}}\n"
        f"tokens: {{tokenizer: {model.as_uri()}}}\n"
    )
    mixture = write_mixture(tmp_path / "m.yaml", write_corpus(tmp_path / "in", files=1), extra=extra)
    digests = load(mixture, Store(str(tmp_path / "root"))).digests("token_counts", "web")
    assert [*digests] == [model.as_uri()]
    params = {"tokenizer": model.as_uri(), "eos": None}
    model.write_bytes(read_model("mistral-v3")[0])
    with pytest.raises(ValueError, match=r"own\.model was replaced while the run went on; start the run again"):
        prepared("stages.token_counts", params, "token_counts/first/a.parquet", digests)
    model.write_bytes(read_model("mistral-v1")[0])
    prepared("stages.token_counts", params, "token_counts/first/a.parquet", digests)
