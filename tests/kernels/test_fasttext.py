"""fastText models by our kernels: the library's labels and probabilities, the slow twin's, and files that lie."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.formats.fasttext_model import Model, ModelError
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.language import MODELS
from tests.slow.fasttext import SlowModel, library

TRAIN = """
import fasttext, json, sys
folder, kinds = sys.argv[1], json.loads(sys.argv[2])
for name, (kind, quantised) in kinds.items():
    model = fasttext.train_supervised(f"{folder}/train.txt", thread=1, verbose=0, **kind)
    model.save_model(f"{folder}/{name}.bin")
    if quantised:
        model.quantize(input=f"{folder}/train.txt", thread=1, **quantised)
        model.save_model(f"{folder}/{name}.ftz")
"""
KINDS = {
    "softmax": (
        {"dim": 20, "epoch": 5, "minn": 2, "maxn": 4, "bucket": 2000, "loss": "softmax"},
        {"qnorm": True, "cutoff": 900},
    ),
    "hs": ({"dim": 18, "epoch": 5, "minn": 1, "maxn": 3, "bucket": 900, "loss": "hs", "wordNgrams": 3}, {"dsub": 5}),
    "ova": ({"dim": 7, "epoch": 5, "loss": "ova", "wordNgrams": 2, "bucket": 700}, {}),
    "ns": ({"dim": 16, "epoch": 5, "loss": "ns", "minn": 3, "maxn": 3, "bucket": 64}, {}),
    "words": ({"dim": 5, "epoch": 5}, {}),
}
MADE = ["softmax.bin", "softmax.ftz", "hs.bin", "hs.ftz", "ova.bin", "ns.bin", "words.bin"]
ODD = [
    "", " \n", "\0\0", "a", "é", "__label__l3 word", "__label__unknown", "one </s> two", "x" * 200, "日本語" * 60,
    "tab\tand\vfeed\f", "<>", "</s>", "word\nword\r\nword",
]  # fmt: skip


def words_of(dice: random.Random, label: int) -> str:
    """Words of one of some made-up languages."""
    letters = "abcdefghijklmnopqrstuvwxyzéüяжд日本"
    own = letters[label * 3 % len(letters) :] + letters[: label * 3 % len(letters)]
    return " ".join("".join(dice.choices(own[:14], k=dice.randint(1, 8))) for _ in range(dice.randint(1, 40)))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models of every loss, with and without n-grams, quantised and pruned."""
    folder = tmp_path_factory.mktemp("models")
    dice = random.Random(5)
    lines = [f"__label__l{n % 9} {words_of(dice, n % 9)}\n" for n in range(400)]
    (folder / "train.txt").write_text("".join(lines))
    # in a process of its own: training seeds and keeps state of the whole process
    subprocess.run([sys.executable, "-c", TRAIN, str(folder), json.dumps(KINDS)], check=True, capture_output=True)
    return folder


def column(texts: list[str]) -> tuple[Bytes, Offsets]:
    return text_buffers(pa.array(texts, pa.large_string()))


PREDICT = cache(library)


def same_as_library(path: Path, texts: list[str], most: int) -> None:
    model, predict = Model(path), PREDICT(path)
    best, values = model.predict(*column(texts), most)
    for text, labels, shares in zip(texts, best.tolist(), values.tolist(), strict=True):
        line = text.replace("\n", " ").replace("\r", " ") + "\n"
        theirs = predict(line.encode(), most, 0.0, "strict")
        found = sum(label >= 0 for label in labels)
        assert found == len(theirs), text
        assert shares[:found] == pytest.approx([value for value, _ in theirs], abs=1e-6), text
        if theirs and (len(theirs) < 2 or theirs[0][0] != theirs[1][0]):
            assert model.labels[labels[0]] == theirs[0][1], text


@pytest.mark.parametrize("name", MADE)
def test_labels_and_probabilities_are_the_librarys(models: Path, name: str) -> None:
    dice = random.Random(7)
    texts = [words_of(dice, n % 9) for n in range(120)] + ODD
    for most in (1, 4, 9):
        same_as_library(models / name, texts, most)


@pytest.mark.parametrize("name", MADE)
def test_probabilities_are_those_of_the_slow_twin(models: Path, name: str) -> None:
    dice = random.Random(8)
    texts = [words_of(dice, n % 9) for n in range(12)] + ODD
    model, slow = Model(models / name), SlowModel(models / name)
    assert model.labels == slow.labels
    exact = [slow.probabilities(text.replace("\n", " ").encode()) for text in texts]
    for label in range(len(model.labels)):
        ours = model.probabilities(*column(texts), label)
        for text, value, shares in zip(texts, ours.tolist(), exact, strict=True):
            assert value == pytest.approx(shares[label] if shares else 0, abs=4e-5), text


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(max_size=40), max_size=5))
def test_any_text_is_read_as_the_library_reads_it(texts: list[str]) -> None:
    same_as_library(MODELS["lid.176"], [text.replace("\0", "").encode("utf-8", "ignore").decode() for text in texts], 3)


def test_a_slice_is_read_like_the_whole() -> None:
    texts = pa.array(["zero", "Die Mühle stand am Fluss", "и жители деревни", "four"], pa.large_string())
    model = Model(MODELS["lid.176"])
    whole, part = (model.predict(*text_buffers(some), 2) for some in (texts, texts.slice(1, 2)))
    assert np.array_equal(whole[0][1:3], part[0])
    assert np.array_equal(whole[1][1:3], part[1])


def test_more_words_than_the_memo_holds_change_nothing() -> None:
    dice = random.Random(9)
    texts = [" ".join(f"{dice.getrandbits(60):x}" for _ in range(9000)) for _ in range(5)]
    same_as_library(MODELS["lid.176"], texts, 1)


def test_fifty_megabytes_in_one_line() -> None:
    model = Model(MODELS["lid.176"])
    text = ("Mühle" * 3_000_000 + " ") + "word " * 6_000_000
    best, values = model.predict(*column([text]), 1)
    assert best[0, 0] >= 0
    assert 0 < values[0, 0] <= 1.0001


def test_two_thousand_labels(tmp_path: Path) -> None:
    labels = 2000
    head = struct.pack("<2i12id", 793712314, 12, 8, 5, 1, 1, 5, 1, 3, 3, 0, 0, 0, 100, 1e-4)
    entries = [b"word\0" + struct.pack("<qb", 9, 0)]
    entries += [f"__label__n{n}".encode() + b"\0" + struct.pack("<qb", labels - n, 1) for n in range(labels)]
    words = struct.pack("<3i2q", labels + 1, 1, labels, 9, -1) + b"".join(entries)
    rng = np.random.default_rng(1)
    matrices = b"\0" + struct.pack("<2q", 1, 8) + rng.normal(size=8).astype("<f4").tobytes()
    matrices += b"\0" + struct.pack("<2q", labels, 8) + rng.normal(size=8 * labels).astype("<f4").tobytes()
    path = tmp_path / "many.bin"
    path.write_bytes(head + words + matrices)
    same_as_library(path, ["word", "word other"], 5)


@pytest.mark.parametrize("name", ["softmax.ftz", "hs.bin"])
def test_a_cut_model_is_named_in_a_line(models: Path, tmp_path: Path, name: str) -> None:
    whole = (models / name).read_bytes()
    path = tmp_path / "cut.bin"
    for size in [0, 3, 8, 50, 90, 95, *range(100, len(whole), len(whole) // 60), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError, match="expected a supervised fastText model") as caught:
            Model(path)
        assert "\n" not in str(caught.value)


def test_sizes_that_lie_are_refused_or_harmless(models: Path, tmp_path: Path) -> None:
    """Every field of the heads, and random ones elsewhere, with values that nobody wrote."""
    dice = random.Random(3)
    path = tmp_path / "lies.bin"
    refused = 0
    for name in ("softmax.ftz", "hs.bin", "ova.bin"):
        whole = (models / name).read_bytes()
        places = [*range(0, 92, 4), *(dice.randrange(92, len(whole) - 8) for _ in range(8))]
        for place in places:
            for value in (-1, 0, 2**31 - 1, dice.getrandbits(31)):
                path.write_bytes(whole[:place] + struct.pack("<i", value) + whole[place + 4 :])
                refused += 1
                with suppress(ModelError):
                    Model(path).predict(*column(["a few words", "日本語"]), 2)
                    refused -= 1
    assert refused > 40


def test_what_is_no_classifier_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vectors.bin"
    path.write_bytes(struct.pack("<2i12id", 793712314, 12, 8, 5, 1, 1, 5, 1, 3, 1, 0, 0, 0, 100, 1e-4) + bytes(100))
    with pytest.raises(ModelError, match="word vectors without labels"):
        Model(path)
    path.write_bytes(struct.pack("<2i", 793712314, 13) + bytes(100))
    with pytest.raises(ModelError, match="format is 13"):
        Model(path)
    path.write_bytes(b"something else altogether")
    with pytest.raises(ModelError, match="another kind of file"):
        Model(path)


@pytest.mark.slow
def test_labels_of_real_pages_are_the_librarys(shared: Path) -> None:
    texts = pq.read_table(shared / "reference" / "quality" / "dev.parquet", columns=["text"]).column("text").to_pylist()
    same_as_library(MODELS["lid.176"], texts, 3)
