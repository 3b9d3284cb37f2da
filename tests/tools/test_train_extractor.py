"""Training the block classifier: what is reported comes from classifiers that saw neither the site nor its scores."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tools import train_extractor as train

FOLDS = np.array([0, 0, 1, 2, 3, 3, 4])


class Stub:
    """A classifier whose score of a block is the set of folds it has seen, as bits; column 0 of X is the fold."""

    def __init__(self, X: Any, asked: list[tuple[set[int], set[int]]]) -> None:
        self.seen, self.asked = set(X[:, 0].tolist()), asked

    def predict(self, X: Any, prediction_type: str) -> Any:
        assert prediction_type == "RawFormulaVal"
        self.asked.append((self.seen, set(X[:, 0].tolist())))
        return np.full(len(X), (sum(1 << fold for fold in self.seen) - 128) / 32)


def test_no_score_comes_from_a_classifier_that_saw_the_site_itself_or_through_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[set[int], set[int]]] = []
    X = np.stack([FOLDS, np.zeros(len(FOLDS), int)], axis=1)
    y = w = np.ones(len(FOLDS))

    def fit(X: Any, y: Any, w: Any, trees: int, shares: dict[str, float]) -> Stub:
        if X.shape[1] == 3:  # the second classifier: column 2 is who gave the first score
            seen = set(X[:, 0].tolist())
            (held_out,) = set(range(5)) - seen
            for fold, _, givers in X.tolist():
                assert not givers & (1 << held_out)
                assert not givers & (1 << fold)
        return Stub(X, asked)

    monkeypatch.setattr(train, "fit", fit)
    monkeypatch.setattr(train, "score_features", lambda pages, scores: scores[None].astype(int))
    scores = train.unseen_scores(X, y, w, FOLDS, 1)
    train.nested([], X, y, w, FOLDS, scores, 1)
    assert len(asked) == 15 + 5
    assert all(not seen & judged for seen, judged in asked)
    assert np.array_equal(
        scores[FOLDS, FOLDS, np.arange(len(FOLDS))], [0b11110] * 2 + [0b11101, 0b11011] + [0b10111] * 2 + [0b01111]
    )


def page(source: str, gold: str) -> train.Page:
    """A page whose gold text is known, and nothing else of it."""
    none: Any = None
    return train.Page(source, 0, b"", none, none, [], Counter(train.grams(gold.split())), gold.split(), none, none)


def test_macro_is_the_mean_of_sources_whatever_their_pages() -> None:
    texts = [(page("a", "one two three four"), ["one", "two", "three", "four"])] * 3
    texts.append((page("b", "one two three four"), ["five"]))
    assert train.judge(texts) == {"a": 1.0, "b": 0.0, "macro": 0.5}


def test_tokens_are_words_in_any_order_and_case_and_wcxb_is_the_mean_of_its_pages() -> None:
    texts = [(page("wcxb-article", "one two two"), ["Two", "one", "TWO"])] * 3
    texts.append((page("wcxb-forum", "one two"), ["one", "three", "four", "five", "six", "seven"]))
    texts.append((page("other", "one"), []))
    assert train.judge(texts, train.token_f1) == {
        "other": 0.0,
        "wcxb-article": 1.0,
        "wcxb-forum": 0.25,
        "macro": 1.25 / 3,
        "wcxb": 3.25 / 4,
    }


def test_classifiers_trained_at_the_same_time_are_those_trained_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.stack([FOLDS, np.zeros(len(FOLDS), int)], axis=1)
    y = w = np.ones(len(FOLDS))
    monkeypatch.setattr(train, "fit", lambda X, y, w, trees, shares: Stub(X, []))
    monkeypatch.setattr(train, "score_features", lambda pages, scores: scores[None].astype(int))
    scores = train.unseen_scores(X, y, w, FOLDS, 1)
    assert np.array_equal(train.unseen_scores(X, y, w, FOLDS, 1, workers=4), scores)
    raw = train.nested([], X, y, w, FOLDS, scores, 1)
    assert np.array_equal(train.nested([], X, y, w, FOLDS, scores, 1, workers=4), raw)
