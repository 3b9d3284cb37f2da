"""The worth of an extractor: F1 of the words it chooses, by source, ours beside others'.

For `tools.train_extractor`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import numpy.typing as npt
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from tools.block_labels import gram_f1, grams, words
from tools.labelled_pages import Page


def byte_scores(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Logits as `trees.byte_scores` writes them."""
    return np.clip(np.floor(raw * 32) + 128, 0, 255).astype(np.uint8)


def odds() -> npt.NDArray[np.int64]:
    """Chance in 4096ths that a block of each score belongs to the text."""
    return np.round(4096 / (1 + np.exp(-(np.arange(256) - 128) / 32))).astype(np.int64)


def choose(scores: npt.NDArray[np.uint8], num_words: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Blocks of one page to keep: `text.find_limit` in NumPy."""
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


def show(columns: dict[str, dict[str, float]]) -> None:
    """Print F1, a source a line, an extractor a column."""
    print(f"{'source':20}" + "".join(f"{name:>13}" for name in columns))
    for source in next(iter(columns.values())):
        print(f"{source:20}" + "".join(f"{column[source]:13.4f}" for column in columns.values()))
