"""Training the block classifier: what is reported comes from classifiers that saw neither the site nor its scores."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tools import train_extractor as train
from tools.block_labels import grams
from tools.extractor_scores import judge, token_f1
from tools.labelled_pages import Page

FOLDS = np.array([0, 0, 1, 2, 3, 3, 4])


class Stub:
    """A classifier whose score of a block is the set of folds it has seen, as bits; column 0 of X is the fold."""

    def __init__(self, X: Any, asked: list[tuple[set[int], set[int]]]) -> None:
        self.seen, self.asked = set(X[:, 0].tolist()), asked

    def predict(self, X: Any, prediction_type: str) -> Any:
        assert prediction_type == "RawFormulaVal"
        self.asked.append((self.seen, set(X[:, 0].tolist())))
        return np.full(len(X), (sum(1 << fold for fold in self.seen) - 128) / 32)


def bits(folds: Any) -> int:
    return sum(1 << int(fold) for fold in set(folds))


def stubbed(monkeypatch: pytest.MonkeyPatch, fit: Any) -> train.Training:
    """A block a page; classifiers by ``fit``; words and scores that say, as bits, which folds they have seen."""
    monkeypatch.setattr(train, "fit", fit)
    monkeypatch.setattr(train, "fit_words", lambda text, names, y, weights: bits(FOLDS[weights > 0]))
    monkeypatch.setattr(
        train, "second_features", lambda pages, X, scores, words_of: np.column_stack([X, scores.astype(int), words_of])
    )
    pages: Any = [SimpleNamespace(fold=int(fold)) for fold in FOLDS]
    ones, none = np.ones(len(FOLDS)), cast(Any, None)
    return train.Training(pages, np.stack([FOLDS, 0 * FOLDS], axis=1), ones, ones, FOLDS, none, none)


def test_nothing_comes_from_a_classifier_or_words_that_saw_the_site_itself_or_through_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[set[int], set[int]]] = []

    def fit(X: Any, y: Any, w: Any, trees: int, shares: dict[str, float]) -> Stub:
        if X.shape[1] == 4:  # the second classifier: columns 2 and 3 are who gave the first score and the words
            seen = set(X[:, 0].tolist())
            (held_out,) = set(range(5)) - seen
            for fold, _, givers, words in X.tolist():
                assert givers == words == 0b11111 & ~(1 << held_out | 1 << fold)
        return Stub(X, asked)

    t = stubbed(monkeypatch, fit)
    unseen = train.unseen_scores(t, 1)
    train.nested(t, unseen, 1)
    assert len(asked) == 15 + 5
    assert all(not seen & judged for seen, judged in asked)
    own = [0b11110] * 2 + [0b11101, 0b11011] + [0b10111] * 2 + [0b01111]
    assert np.array_equal(unseen.scores[FOLDS, FOLDS, np.arange(len(FOLDS))], own)
    assert np.array_equal(unseen.second_features(t)[:, 2:].T, [own, own])


def page(source: str, gold: str) -> Page:
    """A page whose gold text is known, and nothing else of it."""
    none: Any = None
    words = gold.split()
    return Page(source, 0, b"", none, none, none, none, [], Counter(grams(words)), words, none, none)


def test_macro_is_the_mean_of_sources_whatever_their_pages() -> None:
    texts = [(page("a", "one two three four"), ["one", "two", "three", "four"])] * 3
    texts.append((page("b", "one two three four"), ["five"]))
    assert judge(texts) == {"a": 1.0, "b": 0.0, "macro": 0.5}


def test_tokens_are_words_in_any_order_and_case_and_wcxb_is_the_mean_of_its_pages() -> None:
    texts = [(page("wcxb-article", "one two two"), ["Two", "one", "TWO"])] * 3
    texts.append((page("wcxb-forum", "one two"), ["one", "three", "four", "five", "six", "seven"]))
    texts.append((page("other", "one"), []))
    assert judge(texts, token_f1) == {
        "other": 0.0,
        "wcxb-article": 1.0,
        "wcxb-forum": 0.25,
        "macro": 1.25 / 3,
        "wcxb": 3.25 / 4,
    }


def test_classifiers_trained_at_the_same_time_are_those_trained_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    t = stubbed(monkeypatch, lambda X, y, w, trees, shares: Stub(X, []))
    unseen, together = train.unseen_scores(t, 1), train.unseen_scores(t, 1, workers=4)
    assert np.array_equal(together.scores, unseen.scores)
    assert together.words == unseen.words
    assert np.array_equal(train.nested(t, together, 1, workers=4), train.nested(t, unseen, 1))
