"""Train and judge the block classifier: labelled pages in, ``model.json`` and a table of F1 by source out.

    python -m tools.train_extractor dev.parquet structure.parquet --out stages/extraction/model.json

Needs `catboost` (``pip install 'gristmill[train]'``) and files of pages with columns ``page_id, source, url, html, gold_text,
must_contain, must_not_contain``, or, of pages whose source is known, ``id, url, html, markdown`` (source ``structure``). Labels: `tools.block_labels`; of a page without a gold text only the blocks that hold one of its strings count.
Method: the first classifier sees a block, its elements, neighbours and page; the second sees that and the first one's scores
around it. Sites are dealt to five folds by a hash of their name. F1 is reported, over 4-grams and over words in any order (``tokens``, WCXB's own metric), for fold k by a second classifier that has not seen it,
trained on first scores for fold j by a first classifier that saw neither j nor k (`unseen_scores`): nothing of a site is known to either. A page
weighs the same whatever its size, a source with the square root of its pages. Seeds are fixed; CatBoost's result may still differ between its versions.

Price: about 5 minutes of one core and 3 GB for 1,100 pages, 1 minute more for each slow extractor ``--beside``.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from itertools import combinations_with_replacement
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

from stages.extraction.scanning import Measures, Scanned, Scanner
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.html import features as f
from stages.kernels.html.trees import LEAF_UNIT
from tools.block_labels import gram_f1, grams, label_blocks, words

FOLDS = 5
SETTINGS = {
    "depth": 6, "l2_leaf_reg": 5, "border_count": 64, "bootstrap_type": "Bernoulli",
    "leaf_estimation_iterations": 3, "random_seed": 1, "verbose": False, "allow_writing_files": False, "thread_count": 1,
}  # fmt: skip
LEARNING = 24
"""Learning rate times number of trees."""
TREES = (200, 400)
"""Of the first and the second classifier."""
FIRST = {"subsample": 0.4, "rsm": 0.15}
SECOND = {"subsample": 0.8, "rsm": 0.2}
"""Shares of blocks and features that a tree is made from: the first is trained again for every two folds, so it must be quick."""
UNKNOWN = -1
Bytes2 = npt.NDArray[np.uint8]


@dataclass
class Page:
    """A labelled page: features of its blocks (F x B), their words, and what to choose (1, 0, `UNKNOWN`)."""

    source: str
    fold: int
    html: bytes
    scanned: Scanned
    features: Bytes2
    words: list[list[str]]
    gold: Counter[Any] | None
    """4-grams of its gold text, if it has one."""
    gold_words: list[str]
    chosen: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


def decode(html: bytes) -> bytes:
    """The page as UTF-8; another charset is detected."""
    try:
        html.decode()
    except UnicodeDecodeError:
        return bytes_to_str(html, detect_encoding(html)).encode("utf-8", "replace")
    return html


def site_fold(url: str | None, page_id: str) -> int:
    """Fold of a page: all pages of a site, by the last two labels of its host, are in one."""
    host = urlsplit(url or "").hostname or url or ""
    return zlib.crc32((".".join(host.split(".")[-2:]) or page_id).encode()) % FOLDS


def _measure(scanner: Scanner, s: Scanned) -> tuple[Bytes2, Measures]:
    m = scanner.measures(s)
    X = np.zeros((f.NUM_FEATURES, s.num_blocks), np.uint8)
    f.measure_blocks(X, s.text, s.blocks, s.nodes, s.pages, scanner.logs, m.measures, m.inherited, m.slots)
    return X, m


def read_rows(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The pages of all files, in the columns of the first kind."""
    nothing: dict[str, Any] = {"must_contain": [], "must_not_contain": []}
    for path in paths:
        for row in pq.read_table(path).to_pylist():
            known = {"page_id": row["id"], "source": "structure", "gold_text": row["markdown"]} if "id" in row else {}
            yield nothing | row | known


def read_pages(paths: Iterable[Path]) -> list[Page]:
    """Scan, measure and label every page."""
    scanner, pages = Scanner(), []
    for row in read_rows(paths):
        html = decode(row["html"])
        data, offsets = text_buffers(pa.array([html], pa.large_binary()))
        s = scanner.scan(data, offsets, 0, 1)
        blocks, nodes = s.blocks[:, : s.num_blocks].copy(), s.nodes[:, : s.num_nodes].copy()
        s = replace(s, blocks=blocks, nodes=nodes, text=s.text[: s.num_bytes].copy())
        features, _ = _measure(scanner, s)
        block_words = [words(s.block_text(block)) for block in range(s.num_blocks)]
        fold = site_fold(row["url"], row["page_id"])
        if row["gold_text"] is None:
            texts = [squeeze(s.block_text(block)) for block in range(s.num_blocks)]
            known = held_strings(texts, row["must_contain"] or [], row["must_not_contain"] or [])
            pages.append(
                Page(row["source"], fold, html, s, features, block_words, None, [], known, np.zeros(len(texts)))
            )
            continue
        chosen, weights, _ = label_blocks(row["gold_text"], block_words)
        gold_words = words(row["gold_text"])
        gold = Counter(grams(gold_words))
        labels = chosen.astype(np.int64), weights
        pages.append(Page(row["source"], fold, html, s, features, block_words, gold, gold_words, *labels))
    return sorted(pages, key=lambda page: page.gold is None)


def squeeze(text: str) -> str:
    """Without white space."""
    return "".join(text.split())


def held_strings(texts: Sequence[str], must: Sequence[str], must_not: Sequence[str]) -> npt.NDArray[np.int64]:
    """1 for a block that holds a string which the text must contain, 0 for one that holds a string it must not."""
    known = np.full(len(texts), UNKNOWN, np.int64)
    for block, text in enumerate(texts):
        if any(squeeze(string) in text for string in must_not):
            known[block] = 0
        if any(squeeze(string) in text for string in must):
            known[block] = 1
    return known


def page_weights(pages: Sequence[Page]) -> npt.NDArray[np.float64]:
    """Weight of every block: what a mistake costs, and a little for its words and for being there.

    A page without a gold text weighs half the mean of the others, all in the blocks that are known.
    """
    count = Counter(page.source for page in pages)
    num_gold = sum(page.gold is not None for page in pages)
    mean = sum(count[page.source] ** -0.5 for page in pages if page.gold is not None) / num_gold
    parts = []
    for page in pages:
        if page.gold is None:
            known = page.chosen != UNKNOWN
            parts.append(np.where(known, 0.5 * mean / max(1, known.sum()), 0.0))
            continue
        num_words = np.array([len(w) for w in page.words], float)
        weight = page.weights + 0.02 * num_words / max(1.0, num_words.sum()) + 0.002 / max(1, len(num_words))
        parts.append(weight / max(weight.sum(), 1e-9) / count[page.source] ** 0.5)
    joined = np.concatenate(parts)
    return np.asarray(joined * len(joined) / joined.sum())


def score_features(pages: Sequence[Page], scores: npt.NDArray[np.uint8]) -> Bytes2:
    """`html_features.CONTEXT` of all blocks from the first scores, F x B."""
    scanner, parts, at = Scanner(), [], 0
    for page in pages:
        s, num = page.scanned, page.features.shape[1]
        m = scanner.measures(s)
        X = np.zeros((len(f.CONTEXT), num), np.uint8)
        f.measure_context(
            X, 0, scores[at : at + num].copy(), s.text, s.blocks, s.nodes, s.pages, scanner.logs, m.measures,
            m.inherited, m.slots,
        )  # fmt: skip
        parts.append(X)
        at += num
    return np.concatenate(parts, axis=1)


def odds() -> npt.NDArray[np.int64]:
    """Chance in 4096ths that a block of each score belongs to the text."""
    return np.round(4096 / (1 + np.exp(-(np.arange(256) - 128) / 32))).astype(np.int64)


def choose(scores: npt.NDArray[np.uint8], num_words: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Blocks of one page to keep: `html_text.find_limit` in NumPy."""
    chance = odds()[scores]
    best, limit = 0, 256
    for score in sorted(set(scores.tolist()), reverse=True):
        kept = scores >= score
        hits, wanted = int((chance * num_words)[kept].sum()), int((chance * num_words).sum())
        expected = (hits << 21) // max(1, (int(num_words[kept].sum()) << 12) + wanted)
        if expected > best:
            best, limit = expected, score
    return scores >= limit


def chosen_text(pages: Sequence[Page], raw: npt.NDArray[np.float64]) -> Iterator[tuple[Page, list[str]]]:
    """Every page with a gold text, and the words of its chosen blocks."""
    at = 0
    for page in pages:
        scores = byte_scores(raw[at : at + len(page.words)])
        at += len(page.words)
        if page.gold is not None:
            keep = choose(scores, np.array([len(w) for w in page.words], np.int64))
            yield page, [word for block in np.nonzero(keep)[0] for word in page.words[block]]


def page_f1(page: Page, text: list[str]) -> float:
    """F1 of a page's words, by 4-grams."""
    return gram_f1(page.gold or Counter(), Counter(grams(text)))


def token_f1(page: Page, text: list[str]) -> float:
    """F1 of a page's words in lower case, whatever their order: WCXB's own metric."""
    gold, found = (Counter(word.lower() for word in sequence) for sequence in (page.gold_words, text))
    return 2 * (gold & found).total() / max(1, gold.total() + found.total())


def judge(
    texts: Iterable[tuple[Page, list[str]]], f1: Callable[[Page, list[str]], float] = page_f1
) -> dict[str, float]:
    """Mean F1 of the pages of each source, with a gold text, of sources (``macro``), and of all pages of WCXB (``wcxb``)."""
    found: dict[str, list[float]] = defaultdict(list)
    for page, text in texts:
        found[page.source].append(f1(page, text))
    means = {source: float(np.mean(values)) for source, values in sorted(found.items())}
    means["macro"] = float(np.mean(list(means.values())))
    wcxb = [value for source, values in found.items() if source.startswith("wcxb") for value in values]
    return {**means, "wcxb": float(np.mean(wcxb))} if wcxb else means


def scorer(path: Path) -> Callable[[Page, list[str]], float]:
    """F1 by the functions of a file that has ``words``, ``shingles`` and ``prf``, such as the benchmark's own."""
    spec = spec_from_file_location("score", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"expected a Python file with words, shingles and prf, found {path}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda page, text: float(module.prf(page.gold, module.shingles(module.words(" ".join(text))))[2])


def _resiliparse(html: bytes) -> str | None:
    tree = HTMLTree.parse_from_bytes(html, "utf-8")
    return str(extract_plain_text(tree, preserve_formatting=True, main_content=True))


def _trafilatura(html: bytes) -> str | None:
    import trafilatura

    return trafilatura.extract(html.decode(), include_comments=False, deduplicate=False)


PEERS: dict[str, Callable[[bytes], str | None]] = {"resiliparse": _resiliparse, "trafilatura": _trafilatura}
"""Other extractors as `documents` calls them."""


def texts_of(name: str, pages: Sequence[Page]) -> Iterator[tuple[Page, list[str]]]:
    """Every page with a gold text, and the words that one of `PEERS` finds."""
    for page in pages:
        if page.gold is not None:
            yield page, words(PEERS[name](page.html) or "")


def fit(X: Any, y: Any, w: Any, trees: int, shares: dict[str, float]) -> Any:
    """One classifier."""
    from catboost import CatBoostClassifier

    known = y != UNKNOWN
    settings = {**SETTINGS, **shares, "iterations": trees, "learning_rate": LEARNING / trees}
    return CatBoostClassifier(**settings).fit(X[known], y[known], sample_weight=w[known])


def unseen_scores(X: Any, y: Any, w: Any, fold: Any, trees: int, workers: int = 1) -> npt.NDArray[np.uint8]:
    """First scores that leak nothing, G x G x blocks for G folds: row (j, k) is by a classifier that saw neither fold.

    Blocks of other folds are left 0. Row (k, k) judges fold k; rows (j, k) of all j train the second classifier that does.
    """
    groups = int(fold.max()) + 1
    scores = np.zeros((groups, groups, len(y)), np.uint8)

    def score(pair: tuple[int, int]) -> None:
        hidden = np.isin(fold, pair)
        raw = fit(X[~hidden], y[~hidden], w[~hidden], trees, FIRST).predict(X[hidden], prediction_type="RawFormulaVal")
        scores[pair[0], pair[1], hidden] = scores[pair[1], pair[0], hidden] = byte_scores(raw)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(score, combinations_with_replacement(range(groups), 2)))
    return scores


def nested(
    pages: Sequence[Page],
    X: Any,
    y: Any,
    w: Any,
    fold: Any,
    scores: npt.NDArray[np.uint8],
    trees: int,
    workers: int = 1,
) -> npt.NDArray[np.float64]:
    """Logits of every block from two classifiers of which neither, nor what either learned from, saw its fold."""
    raw, blocks = np.zeros(len(y)), np.arange(len(y))

    def judge_fold(k: int) -> None:
        held_out = fold == k
        XX = np.concatenate([X, score_features(pages, scores[fold, k, blocks]).T], axis=1)
        second = fit(XX[~held_out], y[~held_out], w[~held_out], trees, SECOND)
        raw[held_out] = second.predict(XX[held_out], prediction_type="RawFormulaVal")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(judge_fold, range(len(scores))))
    return raw


def without_source(
    pages: Sequence[Page], X: Any, y: Any, w: Any, fold: Any, source: Any, trees: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Logits of every block from two classifiers that saw no page of its source; others' first scores are by halves."""
    raw, half = np.zeros(len(y)), fold % 2
    for name in sorted({page.source for page in pages if page.gold is not None}):
        held_out, scores = source == name, np.zeros(len(y), np.uint8)
        for seen in (half == 0, half == 1, half >= 0):
            first = fit(X[seen & ~held_out], y[seen & ~held_out], w[seen & ~held_out], trees[0], FIRST)
            judged = held_out if seen.all() else ~held_out & ~seen
            scores[judged] = byte_scores(first.predict(X[judged], prediction_type="RawFormulaVal"))
        XX = np.concatenate([X, score_features(pages, scores).T], axis=1)
        second = fit(XX[~held_out], y[~held_out], w[~held_out], trees[1], SECOND)
        raw[held_out] = second.predict(XX[held_out], prediction_type="RawFormulaVal")
    return raw


def byte_scores(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Logits as `html_trees.byte_scores` writes them."""
    return np.clip(np.floor(raw * 32) + 128, 0, 255).astype(np.uint8)


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
    path.write_text(f'{{"odds": {json.dumps(model["odds"])},\n' + ",\n".join(lines) + "}\n")


def show(columns: dict[str, dict[str, float]]) -> None:
    """Print F1, a source a line, an extractor a column."""
    print(f"{'source':20}" + "".join(f"{name:>13}" for name in columns))
    for source in next(iter(columns.values())):
        print(f"{source:20}" + "".join(f"{column[source]:13.4f}" for column in columns.values()))


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
    pages = read_pages(args.pages)
    first_trees, second_trees = args.trees
    X = np.concatenate([page.features for page in pages], axis=1).T
    y = np.concatenate([page.chosen for page in pages])
    w = page_weights(pages)
    num_blocks = [len(page.words) for page in pages]
    fold = np.repeat([page.fold for page in pages], num_blocks)
    f1 = scorer(args.score) if args.score else page_f1
    if args.leave_out_source:
        source = np.repeat([page.source for page in pages], num_blocks)
        show({"ours": judge(chosen_text(pages, without_source(pages, X, y, w, fold, source, args.trees)), f1)})
        return
    scores = unseen_scores(X, y, w, fold, first_trees, args.workers)
    judged = list(chosen_text(pages, nested(pages, X, y, w, fold, scores, second_trees, args.workers)))
    columns = {"ours": judge(judged, f1), "our tokens": judge(judged, token_f1)}
    for name in args.beside:
        judged = list(texts_of(name, pages))
        columns |= {name: judge(judged, f1), f"{name[:5]} tokens": judge(judged, token_f1)}
    show(columns)
    own = scores[fold, fold, np.arange(len(y))]
    XX = np.concatenate([X, score_features(pages, own).T], axis=1)
    model = {
        "odds": odds().tolist(),
        "first": readable(fit(X, y, w, first_trees, FIRST), f.FEATURES),
        "second": readable(fit(XX, y, w, second_trees, SECOND), (*f.FEATURES, *f.CONTEXT)),
    }
    write_model(model, args.out)


if __name__ == "__main__":
    main()
