"""Train and judge the block classifier: labelled pages in, ``model.json`` and a table of F1 by source out.

    python -m tools.train_extractor dev.parquet structure.parquet --out stages/extraction/model.json

Needs `catboost` (``pip install 'gristmill[train]'``) and files of pages with columns ``page_id, source, url, html, gold_text,
must_contain, must_not_contain``, or, of pages whose source is known, ``id, url, html, markdown`` (source ``structure``). Labels: `tools.block_labels`; of a page without a gold text only the blocks that hold one of its strings count.
Method: the first classifier sees a block, its elements, neighbours and page; the second sees that, the first one's scores
around it, and the weights of the words of its text and of the names around it (`tools.word_weights`). Sites are dealt to five folds by a hash of their name. F1 is reported, over 4-grams and over words in any order (``tokens``, WCXB's own metric), for fold k by a second classifier that has not seen it,
trained on first scores for fold j by a first classifier, and words, that saw neither j nor k (`unseen_scores`): nothing of a site is known to either. A page
weighs the same whatever its size, a source with the square root of its pages. Seeds are fixed; CatBoost's result may still differ between its versions.

Price: about 15 minutes of one core and 5 GB for 2,500 pages, 1 minute more for each slow extractor ``--beside``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.extraction.model import Words, pack_weights
from stages.extraction.scanning import Scanner
from stages.kernels.html import features as f
from stages.kernels.html.block_words import WORDS, measure_words
from stages.kernels.html.context import CONTEXT, measure_context
from stages.kernels.html.trees import LEAF_UNIT
from tools.extractor_scores import (
    PEERS,
    byte_scores,
    chosen_text,
    judge,
    odds,
    page_f1,
    scorer,
    show,
    texts_of,
    token_f1,
)
from tools.labelled_pages import Bytes2, Page, page_weights, read_pages
from tools.word_weights import UNKNOWN, WordLists, fit_words

SETTINGS = {
    "depth": 6, "l2_leaf_reg": 5, "border_count": 64, "bootstrap_type": "Bernoulli",
    "leaf_estimation_iterations": 3, "random_seed": 1, "verbose": False, "allow_writing_files": False, "thread_count": 1,
}  # fmt: skip
LEARNING = 24
"""Learning rate times number of trees."""
TREES = (120, 400)
"""Trees of the first and the second classifier."""
FIRST = {"subsample": 0.4, "rsm": 0.15}
SECOND = {"subsample": 0.8, "rsm": 0.2}
"""Shares of blocks and features that a tree is made from: the first is trained again for every two folds, so it must be quick."""


def second_features(
    pages: Sequence[Page], X: Bytes2, scores: npt.NDArray[np.uint8], words_of: Sequence[Words]
) -> Bytes2:
    """Features of the second classifier, blocks x features: ``X``, the first ``scores`` around, and those of a page's words."""
    scanner, parts, at = Scanner(), [], 0
    for page, words in zip(pages, words_of, strict=True):
        s, num = page.scanned, page.features.shape[1]
        m, own = scanner.measures(s), scores[at : at + num].copy()
        rows = np.zeros((len(CONTEXT) + len(WORDS), num), np.uint8)
        measure_context(
            rows, 0, own, s.text, s.blocks, s.nodes, s.pages, scanner.logs, m.measures, m.inherited, m.slots
        )
        measure_words(
            rows[len(CONTEXT) :], own, np.frombuffer(page.html, np.uint8), s.text, s.blocks, s.nodes, s.pages,
            words.text_W, words.names_W, words.biases_2, words.roots, m.places, m.held,
        )  # fmt: skip
        parts.append(rows)
        at += num
    return np.concatenate([X, np.concatenate(parts, axis=1).T], axis=1)


def fit(X: Any, y: Any, w: Any, trees: int, shares: dict[str, float]) -> Any:
    """One classifier."""
    from catboost import CatBoostClassifier

    known = y != UNKNOWN
    settings = {**SETTINGS, **shares, "iterations": trees, "learning_rate": LEARNING / trees}
    return CatBoostClassifier(**settings).fit(X[known], y[known], sample_weight=w[known])


@dataclass
class Training:
    """All blocks of all pages: features (blocks x F), labels, weights, fold, and their words."""

    pages: Sequence[Page]
    X: Any
    y: Any
    w: Any
    fold: Any
    text: WordLists
    names: WordLists

    @classmethod
    def of(cls, pages: Sequence[Page]) -> Training:
        """Training data of these pages."""
        return cls(
            pages,
            np.concatenate([page.features for page in pages], axis=1).T,
            np.concatenate([page.chosen for page in pages]),
            page_weights(pages),
            by_block(pages, [page.fold for page in pages]),
            WordLists.joined(page.text_words for page in pages),
            WordLists.joined(page.name_words for page in pages),
        )

    def first(self, seen: Any, trees: int) -> tuple[Any, Words]:
        """The first classifier and the words, from the blocks that are ``seen``."""
        words = fit_words(self.text, self.names, self.y, np.where(seen, self.w, 0))
        return fit(self.X[seen], self.y[seen], self.w[seen], trees, FIRST), words

    def second(self, XX: Any, seen: Any, trees: int) -> Any:
        """The second one."""
        return fit(XX[seen], self.y[seen], self.w[seen], trees, SECOND)


def by_block(pages: Sequence[Page], values: Sequence[Any]) -> Any:
    """A value of each page, for each of its blocks."""
    return np.repeat(values, [len(page.words) for page in pages])


@dataclass
class Unseen:
    """First scores and words that leak nothing, for G folds: ``scores`` (G x G x blocks) in row (j, k), and ``words[j, k]``, are by what saw neither fold.

    Blocks of other folds are left 0. Row (k, k) judges fold k; rows (j, k) of all j train the second classifier that does.
    """

    scores: npt.NDArray[np.uint8]
    words: dict[tuple[int, int], Words]

    def second_features(self, t: Training, k: int | None = None) -> Bytes2:
        """Features of the second classifier that judges fold ``k``; None: the one that ships."""
        blocks = np.arange(len(t.y))
        scores = self.scores[t.fold, t.fold if k is None else k, blocks]
        return second_features(
            t.pages, t.X, scores, [self.words[page.fold, page.fold if k is None else k] for page in t.pages]
        )


def unseen_scores(t: Training, trees: int, workers: int = 1) -> Unseen:
    """Scores by a first classifier, and words, of their own for each two folds."""
    groups = int(t.fold.max()) + 1
    unseen = Unseen(np.zeros((groups, groups, len(t.y)), np.uint8), {})

    def score(pair: tuple[int, int]) -> None:
        hidden = np.isin(t.fold, pair)
        model, words = t.first(~hidden, trees)
        scores = byte_scores(model.predict(t.X[hidden], prediction_type="RawFormulaVal"))
        for j, k in (pair, pair[::-1]):
            unseen.scores[j, k, hidden] = scores
            unseen.words[j, k] = words

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(score, combinations_with_replacement(range(groups), 2)))
    return unseen


def nested(t: Training, unseen: Unseen, trees: int, workers: int = 1) -> npt.NDArray[np.float64]:
    """Logits of every block from two classifiers of which neither, nor what either learned from, saw its fold."""
    raw = np.zeros(len(t.y))

    def judge_fold(k: int) -> None:
        held_out = t.fold == k
        XX = unseen.second_features(t, k)
        raw[held_out] = t.second(XX, ~held_out, trees).predict(XX[held_out], prediction_type="RawFormulaVal")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(judge_fold, range(len(unseen.scores))))
    return raw


def without_source(t: Training, trees: Sequence[int]) -> npt.NDArray[np.float64]:
    """Logits of every block from two classifiers that saw no page of its source; others' first scores are by halves."""
    raw, half = np.zeros(len(t.y)), t.fold % 2
    source = by_block(t.pages, [page.source for page in t.pages])
    for name in sorted({page.source for page in t.pages if page.gold is not None}):
        held_out, scores = source == name, np.zeros(len(t.y), np.uint8)
        words = []
        for seen in (half == 0, half == 1, half >= 0):
            first, found = t.first(seen & ~held_out, trees[0])
            words.append(found)
            judged = held_out if seen.all() else ~held_out & ~seen
            scores[judged] = byte_scores(first.predict(t.X[judged], prediction_type="RawFormulaVal"))
        words_of = [words[2 if page.source == name else 1 - page.fold % 2] for page in t.pages]
        XX = second_features(t.pages, t.X, scores, words_of)
        second = t.second(XX, ~held_out, trees[1])
        raw[held_out] = second.predict(XX[held_out], prediction_type="RawFormulaVal")
    return raw


def readable(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """A trained classifier as `model` reads it."""
    with TemporaryDirectory() as folder:
        model.save_model(f"{folder}/model.json", format="json")
        parsed = json.loads(Path(folder, "model.json").read_text())
    scale, bias = parsed["scale_and_bias"]
    index = [column["feature_index"] for column in parsed["features_info"]["float_features"]]
    trees = [
        {
            "features": [names[index[split["float_feature_index"]]] for split in tree["splits"]],
            "limits": [int(np.floor(split["border"])) for split in tree["splits"]],
            "leaves": [round(leaf * scale * LEAF_UNIT) for leaf in tree["leaf_values"]],
        }
        for tree in parsed["oblivious_trees"]
    ]
    return {"bias": round(bias[0] * LEAF_UNIT), "trees": trees}


def write_model(model: dict[str, Any], path: Path) -> None:
    """One tree a line."""
    lines = []
    for part in ("first", "second"):
        trees = ",\n  ".join(json.dumps(tree) for tree in model[part]["trees"])
        lines.append(f'"{part}": {{"bias": {model[part]["bias"]}, "trees": [\n  {trees}\n]}}')
    lines.append(f'"words": {json.dumps(model["words"])}')
    path.write_text(f'{{"odds": {json.dumps(model["odds"])},\n' + ",\n".join(lines) + "}\n")


def main() -> None:
    """Cross-validate, then train on everything."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trees", type=int, nargs=2, default=TREES, help="of the first and the second classifier")
    parser.add_argument(
        "--beside", nargs="*", default=[], choices=PEERS, help="other extractors to judge on the same pages"
    )
    parser.add_argument("--score", type=Path, help="a file with words, shingles and prf to judge by")
    parser.add_argument(
        "--leave-out-source", action="store_true", help="hold out whole sources, print their F1 and stop"
    )
    parser.add_argument("--workers", type=int, default=1, help="classifiers trained at a time")
    args = parser.parse_args()
    t = Training.of(read_pages(args.pages))
    f1 = scorer(args.score) if args.score else page_f1
    if args.leave_out_source:
        show({"ours": judge(chosen_text(t.pages, without_source(t, args.trees)), f1)})
        return
    unseen = unseen_scores(t, args.trees[0], args.workers)
    judged = list(chosen_text(t.pages, nested(t, unseen, args.trees[1], args.workers)))
    columns = {"ours": judge(judged, f1), "our tokens": judge(judged, token_f1)}
    for name in args.beside:
        judged = list(texts_of(name, t.pages))
        columns |= {name: judge(judged, f1), f"{name[:5]} tokens": judge(judged, token_f1)}
    show(columns)
    everything = t.fold >= 0
    first, words = t.first(everything, args.trees[0])
    second = t.second(unseen.second_features(t), everything, args.trees[1])
    model = {
        "odds": odds().tolist(),
        "first": readable(first, f.FEATURES),
        "second": readable(second, (*f.FEATURES, *CONTEXT, *WORDS)),
        "words": {
            "biases": words.biases_2.tolist(),
            "text": pack_weights(words.text_W),
            "names": pack_weights(words.names_W),
        },
    }
    write_model(model, args.out)


if __name__ == "__main__":
    main()
