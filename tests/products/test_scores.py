"""`scores`: a user's own scorer becomes a column beside the pages; a new model redoes nothing that was measured."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import recipe as recipes
from pipeline.answers import stats
from pipeline.answers.verify import verify_root
from pipeline.answers.why import lives
from pipeline.engine.ray import RayExecutor, Size
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import scores
from stages.contract import Task
from stages.kernels.byte_model import PRIOR
from stages.scorers.byte_model import bits_per_byte
from tests.support.corpora import documented, write_corpus, write_mixture
from tests.support.runs import made, run_inline


def characters(texts: pa.LargeStringArray, *, times: float = 1.0) -> list[float]:
    """A scorer for the tests."""
    return [times * len(text.as_py()) if text.as_py() else math.nan for text in texts]


def too_few(texts: pa.LargeStringArray) -> np.ndarray:
    return np.zeros(len(texts) - 1)


def slow_bits(train: list[str], text: str, order: int) -> float:
    """The formula of `stages.kernels.byte_model`, with dictionaries."""
    counts: dict[tuple[bytes, int | None], int] = {}
    for one in train:
        data = one.encode()
        for i, byte in enumerate(data):
            for k in range(min(order, i + 1)):
                for key in ((data[i - k : i], byte), (data[i - k : i], None)):
                    counts[key] = counts.get(key, 0) + 1
    bits, data = 0.0, text.encode()
    for i, byte in enumerate(data):
        p = 1 / 256
        for k in range(min(order, i + 1)):
            context = data[i - k : i]
            p = (counts.get((context, byte), 0) + PRIOR * p) / (counts.get((context, None), 0) + PRIOR)
        bits -= math.log2(p)
    return bits / len(data)


def test_the_byte_model_is_its_formula(tmp_path: Path) -> None:
    train = ["the cat sat on the mat", "naïve façade ☃", "the dog", "a"]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in train))
    texts = ["the rat sat", "zzz", "☃☃", "", "t"]
    found = bits_per_byte(pa.array(texts, pa.large_string()), train=str(tmp_path / "train.jsonl"), order=4)
    for bits, text in zip(found, texts, strict=True):
        assert math.isnan(bits) if not text else bits == pytest.approx(slow_bits(train, text, 4), abs=1e-9)
    with pytest.raises(ValueError, match="no field 'txt'; it has text"):
        bits_per_byte(pa.array(texts), train=str(tmp_path / "train.jsonl"), field="txt")


def test_scorers_make_a_product_of_their_own(tmp_path: Path) -> None:
    mixture, root = write_mixture(tmp_path / "a.yaml", write_corpus(tmp_path / "in", files=2)), tmp_path / "root"
    (tmp_path / "train.txt").write_text("the quick brown fox\n")
    scorers = (
        "scores:\n  scorers:\n"
        '    size: {function: "tests.products.test_scores:characters", params: {times: 2}, batch: 7}\n'
        '    model: {function: "stages.scorers.byte_model:bits_per_byte", params: {train: train.txt, slots: 4096}}\n'
    )
    text = mixture.read_text().replace("rules: {too_few_words", "rules: {below_min_size_score: 2500, too_few_words")
    text = text.replace("domains:\n", "domains:\n  plain: {sources: [web], percentiles: {model_score: [0, 30]}}\n", 1)
    text = text.replace("mixture:\n  domains:\n", "mixture:\n  domains:\n    plain: {share: 0.1}\n").replace(
        "0.7}", "0.6}"
    )
    mixture.write_text(text + scorers + "tokens: {scores: [size_score, gopher_num_words]}\n")
    assert made(run_inline(mixture, root))["scores"] == 3
    snapshot = load(Store(str(root)))
    figures = stats.stats_of(snapshot)
    assert "model_score" in {entry["column"] for entry in figures["survey"]["histograms"]}
    with snapshot.store.open(next(snapshot.product("tokens")).address) as file:
        carried = pa.ipc.open_file(file).read_all()
    assert min(carried.column("size_score").to_pylist()) >= 2000
    outcomes = set()
    by_size = sorted((len(text), name) for name, text in documented())
    for _, name in (*by_size[:2], *by_size[-2:]):
        [page] = lives(snapshot, f"https://docs.example/{name}")
        short = 2 * page["document"]["characters"] < 2500
        assert ("below_min_size_score" in {rule["rule"] for rule in page["decision"]["failed"]}) == short
        assert {"size_score", "model_score"} <= {entry["column"] for entry in page["measurements"]}
        outcomes.add(short)
    assert outcomes == {True, False}
    assert "scores" in verify_root(Store(str(root)), None)
    assert made(run_inline(mixture, root)) == {}
    (tmp_path / "train.txt").write_text("another text to learn from\n")
    again = made(run_inline(mixture, root))
    assert (again["scores"], again["kept"]) == (3, 3)
    assert not {"documents", "language", "quality", "signatures", "clusters"} & set(again)


def test_what_a_scorer_does_wrong_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scorer x: expected 2 numbers, one a text, found 1"):
        scores.numbers("x", scores.Scorer(function="tests.products.test_scores:too_few"), pa.array(["a", "b"]))
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    text = mixture.read_text()
    for function, message in (
        ("tests.products.test_scores:nothing", r"scores\.scorers\.x: .*no attribute 'nothing'"),
        ("no.module:f", r"scores\.scorers\.x: .*No module named 'no'"),
        ("f", "expected module:function, found 'f'"),
    ):
        mixture.write_text(text + f'scores: {{scorers: {{x: {{function: "{function}"}}}}}}\n')
        with pytest.raises(ConfigError, match=message):
            recipes.load(mixture, Store(str(tmp_path)))


def texts_for_numbers(texts: pa.LargeStringArray) -> list[str]:
    return ["x"] * len(texts)


def a_table(texts: pa.LargeStringArray) -> np.ndarray:
    return np.ones((len(texts), 2))


@pytest.mark.parametrize("function", ["texts_for_numbers", "a_table"])
def test_what_is_no_number_names_its_scorer(function: str) -> None:
    own = scores.Scorer(function=f"tests.products.test_scores:{function}")
    with pytest.raises(ValueError, match="scorer x: expected 2 numbers, one a text: "):
        scores.numbers("x", own, pa.array(["a", "b"]))


def test_a_task_with_gpus_asks_ray_for_them() -> None:
    asked = {}

    class Remote:
        def options(self, **options: object) -> Remote:
            asked.update(options)
            return self

        def remote(self, *args: object) -> object:
            return object()

    executor = RayExecutor.__new__(RayExecutor)
    executor._remote, executor._root, executor._running, executor._proof = Remote(), "", {}, {}
    executor._unsent, executor._size, executor._sized = [], Size(1, 1 << 40), time.monotonic()
    executor.submit(0, Task("a:b", {}, (), "x", gpus=0.5))
    assert asked["num_gpus"] == 0.5
    asked.clear()
    executor.submit(1, Task("a:b", {}, (), "x"))
    assert "num_gpus" not in asked
    assert [attempt.gpus for attempt in executor._running.values()] == [0.5, 0]


@pytest.mark.parametrize(("gpus", "taken"), [(0, True), (0.25, True), (2, True), (1.5, False), (1e-5, False)])
def test_gpus_are_whole_or_a_share_of_one_as_ray_reserves_them(gpus: float, taken: bool) -> None:
    if taken:
        assert scores.Scorer(function="a:b", gpus=gpus).gpus == gpus
        return
    with pytest.raises(ValueError, match=f"a whole number of GPUs, or a share of one from 0.0001 on, found {gpus:g}"):
        scores.Scorer(function="a:b", gpus=gpus)
