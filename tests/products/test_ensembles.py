"""`ensembles`: several scores as one, by parts of equal text per language; the same however the input is divided."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import recipe as recipes
from pipeline.answers.verify import verify_root
from pipeline.answers.why import lives
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import ensembles, percentiles
from stages.ensembles import WEIGHTS
from stages.rules.ensembles import Ensemble, Weigh
from stages.tokenizers import load as load_tokenizer
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline


def slow_part(value: float, pages: list[tuple[float, int]], parts: int) -> int:
    """Number of cuts between parts of equal text at or below a score."""
    total = sum(size for _, size in pages)
    scores = sorted({score for score, _ in pages})
    below = {score: sum(size for other, size in pages if other < score) for score in scores}
    passed = 0
    for k in range(1, parts):
        cut = next((score for score in scores if below[score] * parts >= total * k), math.nextafter(scores[-1], 2))
        passed += value >= cut
    return passed


SCORE = st.one_of(
    st.floats(0, 1), st.integers(0, 9).map(lambda k: 0.5 + k * 2.0**-53), st.sampled_from([0.0, 0.5, 1.0, math.nan])
)
ROW = st.tuples(SCORE, SCORE, st.integers(0, 50), st.sampled_from(["en", "de"]))


@given(
    st.lists(ROW, min_size=1, max_size=25),
    st.sampled_from([2, 5, 20]),
    st.integers(1, 4),
    st.sampled_from(["tokens", "bytes"]),
)
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_the_slow_twin_however_the_input_is_divided(
    rows: list[tuple[float, float, int, str]], parts: int, pieces: int, weigh: Weigh
) -> None:
    a, b, sizes, languages = zip(*rows, strict=True)
    table = pa.table(
        {
            "a_score": np.array(a),
            "b_score": np.array(b),
            WEIGHTS[weigh]: pa.array(sizes, pa.int64()),
            "language": languages,
        }
    )
    step = -(-len(rows) // pieces)
    ensemble = Ensemble(of=("a", "b"), parts=parts, weigh=weigh)
    members = ensemble.members
    counted = [ensembles.histogram(table.slice(at, step), members) for at in range(0, len(rows), step)]
    counts = percentiles.added(percentiles.in_bins(piece) for piece in counted[::-1])
    near = percentiles.near(counts, ensembles.ranking({"q": ensemble}))
    weights = percentiles.refined(counts, near, [percentiles.inside(piece, near) for piece in counted])
    cuts = ensembles.cuts(weights, members, parts)
    best = ensembles.score(table, ensemble, cuts)
    mean = ensembles.score(table, Ensemble(of=("a", "b"), parts=parts, weigh=weigh, by="mean_percentile"), cuts)
    for row, (one, other, _, language) in enumerate(rows):
        found = []
        for k, value in enumerate((one, other)):
            ranked = [(r[k], r[2]) for r in rows if r[3] == language and r[2] and not math.isnan(r[k])]
            if not math.isnan(value):
                found.append(slow_part(value, ranked, parts) if ranked else 0)
        if not found:
            assert math.isnan(best[row])
            continue
        assert best[row] == max(found) / parts
        assert mean[row] == pytest.approx(sum(found) / len(found) / parts)


def test_infinite_scores_lie_below_a_cut_above_all_scores() -> None:
    scores = [-math.inf, 1.0, 2.0, *[math.inf] * 7]
    pages = pa.table({"a_score": scores, "text_bytes": [10] * 10, "language": ["en"] * 10})
    ensemble = Ensemble(of=("a",), parts=5, weigh="bytes")
    cuts = ensembles.cuts(ensembles.histogram(pages, ensemble.members), ensemble.members, 5)
    found = ensembles.score(pages, ensemble, cuts)
    ranked = [(min(max(score, -sys.float_info.max), sys.float_info.max), 10) for score in scores]
    assert found.tolist() == [0.0, 0.0, *[1 / 5] * 8]
    assert found.tolist() == [min(slow_part(score, ranked, 5), 1) / 5 for score, _ in ranked]


SCORERS = """
scores:
  scorers:
    size: {function: "tests.products.test_scores:characters"}
    small: {function: "tests.products.test_scores:characters", params: {times: -1}}
quality: {families: [gopher_quality], ensembles: {q: {of: [size, small_score], by: max_percentile, parts: 10}}}
tokens: {tokenizer: tekken, scores: [q_score]}
"""


def test_an_ensemble_is_a_score_like_any_other(tmp_path: Path) -> None:
    mixture, root = write_mixture(tmp_path / "a.yaml", write_corpus(tmp_path / "in", files=2)), tmp_path / "root"
    text = mixture.read_text().replace("rules: {too_few", "rules: {below_min_q_score: 0.6, too_few")
    mixture.write_text(text + SCORERS)
    assert made(run_inline(mixture, root))["ensembles"] == 3
    store, snapshot = Store(str(root)), load(Store(str(root)))
    rows = []
    names = ("documents", "language", "scores", "ensembles")
    reference = load_tokenizer("tekken").reference
    for split in zip(*(snapshot.product(name) for name in names), strict=True):
        documents, language, scores, own = (store.read_table(entry.address) for entry in split)
        columns = {"size": scores["size_score"], "q": own["q_score"], "language": language["language"]}
        columns["tokens"] = pa.array([len(reference.encode(text.encode())) for text in documents["text"].to_pylist()])
        rows += pa.table({**columns, "url": documents["url"]}).to_pylist()
    for row in rows[::20]:
        if row["size"] is None:
            assert row["q"] is None
            continue
        mine = [
            (other["size"], other["tokens"]) for other in rows if other["language"] == row["language"] and other["size"]
        ]
        ends = (slow_part(row["size"], mine, 10), slow_part(-row["size"], [(-size, n) for size, n in mine], 10))
        assert row["q"] == max(ends) / 10
    [page] = lives(snapshot, next(row["url"] for row in rows if row["q"] is not None and row["q"] < 0.6))
    assert "below_min_q_score" in {rule["rule"] for rule in page["decision"]["failed"]}
    verify_root(store, None)
    assert made(run_inline(mixture, root)) == {}
    mixture.write_text(mixture.read_text().replace("parts: 10", "parts: 5"))
    again = made(run_inline(mixture, root))
    assert (again["ensembles"], again["kept"]) == (3, 3)
    assert not {"documents", "language", "quality", "scores", "token_counts"} & set(again)
    mixture.write_text(mixture.read_text().replace("parts: 5", "parts: 5, weigh: bytes"))
    assert set(made(run_inline(mixture, root))) & {"ensembles", "token_counts"} == {"ensembles"}
    assert "token_counts" not in load(store).data["products"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[size, small_score]", "[size, smal]", "quality.ensembles.q.of: no score 'smal_score' is measured; did"),
        ("[size, small_score]", "[size, size_score]", "expected each score once"),
        ("ensembles: {q:", "ensembles: {size:", "there is another score size_score already"),
        ("ensembles: {q:", "ensembles: {a-b:", "letters, digits and _ in the name of an ensemble, found 'a-b'"),
        ("by: max_percentile", "by: best", "max_percentile"),
        ("below_min_q_score", "below_min_qq_score", "no column 'qq_score' is measured"),
        (
            "    kept: {families: []",
            "    quality: {ensembles: {}}\n    kept: {families: []",
            "give them in the section",
        ),
    ],
)
def test_mistakes_are_reported_in_a_line_with_their_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    text = mixture.read_text().replace("rules: {too_few", "rules: {below_min_q_score: 0.6, too_few") + SCORERS
    assert old in text
    mixture.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        recipes.load(mixture, Store(str(tmp_path / "root")))
    problems = caught.value.problems
    assert any(message in f"{problem.key}: {problem.message}" for problem in problems), problems


def test_tokens_of_a_tokenizer_that_is_still_to_be_trained_cannot_be_counted(tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    mixture.write_text(mixture.read_text() + SCORERS.replace("tekken", "own.model"))
    with pytest.raises(ConfigError, match=r"quality\.ensembles\.q: tokens are counted by .* set `weigh: bytes`"):
        recipes.load(mixture, Store(str(tmp_path / "root")), tokenizer=False)
    mixture.write_text(mixture.read_text().replace("parts: 10", "parts: 10, weigh: bytes"))
    recipes.load(mixture, Store(str(tmp_path / "root")), tokenizer=False)
