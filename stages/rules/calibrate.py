"""Thresholds from a corpus's own numbers: per language, as FineWeb-2 does it (Penedo et al. 2025, arXiv 2506.20920).

For whom: somebody whose language the published (English) thresholds do not fit. `calibrate` looks at the columns that
`quality` measured on a sample of pages and proposes, for each language and rule, a threshold with a histogram.

Methods, for a rule with a lower limit (an upper one mirrored); those that FineWeb-2 tried:

- ``quantile``: the value below which a language's pages lie as often as those of the reference language lie below the
  published threshold, so the rule drops the same share everywhere (their "quantile" method).
- ``spread``: mean - k * standard deviation, with the k that gives the published threshold in the reference language
  (their "mean and standard deviation" method).
- ``median``: the published threshold times the language's median over that of the reference (their "median ratio").
- ``tail``: what drops a tenth of the language's pages, whatever the reference loses (their "10 tail").

Beside thresholds: `least_confidences` of the language label (a standard deviation below the median, between 0.3 and
0.9), and `stop_words` (words that are 0.8% or more of a language's words, eight at least), as they have them.

Nothing is decided here: the proposals are YAML for ``kept.overrides``, for a person to read. Nulls are left out. A
language gets no proposal for a rule where fewer than ``min_pages`` of its pages, or of the reference's, have a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.rules import families, word_lists
from stages.rules.names import UNDETERMINED, codes_of
from stages.rules.rule import Rule

Method = Literal["quantile", "spread", "median", "tail"]
STOP_WORDS = "gopher_num_stop_words"
TAIL = 0.1
CONFIDENCE_RANGE = (0.3, 0.9)
STOP_WORD_SHARE = 0.008
MIN_STOP_WORDS, MAX_STOP_WORDS = 8, 64
DIGITS = 4
"""Digits of a proposed threshold."""
_WORD = re.compile(r"[^\W\d_]+")
Numbers = npt.NDArray[np.float64]
NUM_BINS = 20
_BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Proposal:
    """A threshold for one rule in one language."""

    language: str
    rule: str
    column: str
    published: float
    proposed: float
    pages: int
    drops_published: float
    """Share of the language's pages that the published threshold drops."""
    drops_proposed: float
    histogram: list[int]
    """Pages in `NUM_BINS` equal bins from ``first`` to ``last`` (1st and 99th percentile; outliers in the end bins)."""
    first: float
    last: float

    def bar(self) -> str:
        """The histogram in one line of block characters."""
        most = max(max(self.histogram), 1)
        return "".join(_BLOCKS[-(-8 * count // most)] for count in self.histogram)

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def calibrate(
    quality: pa.Table,
    languages: pa.ChunkedArray,
    rules: tuple[str, ...] = (),
    reference: str = "en",
    method: Method = "quantile",
    min_pages: int = 100,
) -> list[Proposal]:
    """Proposals for every language with enough pages but the reference, sorted by language and order of rules.

    Args:
        quality: rows of `quality`, of several files together.
        languages: the ``language`` column of the same rows.
        rules: names of published rules; none: all whose column is there.
        reference: the language the published thresholds were made for.
        method: see the top of this module.
        min_pages: least pages of a language that have a value.

    Raises:
        ValueError: where the reference language has too few pages.
    """
    labels = languages.to_numpy(zero_copy_only=False).astype(str)
    names, counts = np.unique(labels, return_counts=True)
    known = [(str(name), count) for name, count in zip(names, counts, strict=True) if name != UNDETERMINED]
    enough = [name for name, count in known if count >= min_pages]
    if reference not in enough:
        found = int((labels == reference).sum())
        raise ValueError(f"expected {min_pages} pages of the reference language {reference!r} or more, found {found}")
    proposals = []
    for language in enough:
        for rule in _rules(quality, rules):
            own, theirs = (_present(_values(quality, rule, name)[labels == name]) for name in (language, reference))
            if language != reference and min(len(own), len(theirs)) >= max(min_pages, 1):
                proposals.append(_propose(language, rule, own, theirs, method))
    return proposals


def overrides(proposals: list[Proposal]) -> list[dict[str, Any]]:
    """The proposals as entries of ``kept.overrides``, one a language."""
    languages = dict.fromkeys(proposal.language for proposal in proposals)
    return [
        {"languages": [name], "rules": {p.rule: p.proposed for p in proposals if p.language == name}}
        for name in languages
    ]


def _rules(quality: pa.Table, names: tuple[str, ...]) -> list[Rule]:
    published = [rule for rules in families.RULES.values() for rule in rules if rule.column in quality.column_names]
    return [rule for rule in published if not names or rule.name in names]


def _values(quality: pa.Table, rule: Rule, language: str) -> Numbers:
    """The values that a rule checks on pages of a language: of stop words, its own list's; NaN where it has none."""
    column = rule.column
    if column == STOP_WORDS:
        own = f"{word_lists.STOP_WORDS}{language}"
        if own not in quality.column_names and language not in codes_of("en"):
            return np.full(quality.num_rows, np.nan)
        column = own if own in quality.column_names else column
    values: Numbers = quality.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _present(values: Numbers) -> Numbers:
    present: Numbers = values[~np.isnan(values)]
    return present


def _propose(language: str, rule: Rule, own: Numbers, theirs: Numbers, method: Method) -> Proposal:
    proposed = rounded(rule, _METHODS[method](rule, own, theirs))
    first, last = (float(value) for value in np.percentile(own, (1, 99)))
    bins = np.histogram(np.clip(own, first, last), NUM_BINS, (first, last) if last > first else (first, first + 1))[0]
    return Proposal(
        language, rule.name, rule.column, rule.threshold, proposed, len(own),
        _dropped(rule, own, rule.threshold), _dropped(rule, own, proposed), bins.tolist(), first, last,
    )  # fmt: skip


def rounded(rule: Rule, threshold: float) -> float:
    """A threshold to four digits, towards what passes: so that pages whose value it was do not fail by its rounding."""
    towards = ROUND_FLOOR if rule.side == "min" else ROUND_CEILING
    return float(Context(prec=DIGITS, rounding=towards).create_decimal(repr(threshold)))


def _dropped(rule: Rule, values: Numbers, threshold: float) -> float:
    fails = values < threshold if rule.side == "min" else values > threshold
    return float(fails.mean())


def _quantile(rule: Rule, own: Numbers, theirs: Numbers) -> float:
    return _losing(_dropped(rule, theirs, rule.threshold), rule, own)


def _tail(rule: Rule, own: Numbers, theirs: Numbers) -> float:
    return _losing(TAIL, rule, own)


def _median(rule: Rule, own: Numbers, theirs: Numbers) -> float:
    middle = float(np.median(theirs))
    return rule.threshold * float(np.median(own)) / middle if middle else rule.threshold


def _losing(share: float, rule: Rule, own: Numbers) -> float:
    """The threshold that drops this share of the pages; of equal values all pass."""
    ordered = np.sort(own) if rule.side == "min" else np.sort(own)[::-1]
    return float(ordered[min(round(share * len(own)), len(own) - 1)])


def _spread(rule: Rule, own: Numbers, theirs: Numbers) -> float:
    spread = theirs.std()
    steps = (rule.threshold - theirs.mean()) / spread if spread else 0.0
    return float(own.mean() + steps * own.std())


_METHODS = {"quantile": _quantile, "spread": _spread, "median": _median, "tail": _tail}


def least_confidences(
    confidences: pa.ChunkedArray, languages: pa.ChunkedArray, min_pages: int = 100
) -> dict[str, float]:
    """The least confidence proposed for each language of ``min_pages`` pages or more, to two digits."""
    labels = languages.to_numpy(zero_copy_only=False).astype(str)
    values = confidences.to_numpy(zero_copy_only=False).astype(np.float64)
    found = {}
    for name, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count >= min_pages and name != UNDETERMINED:
            own = values[labels == name]
            found[str(name)] = round(float(np.clip(np.median(own) - own.std(), *CONFIDENCE_RANGE)), 2)
    return found


def stop_words(texts: Iterable[str]) -> list[str]:
    """The most frequent words of a language that writes spaces, in order of that; none where it has too few words."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_WORD.findall(text.lower()))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_STOP_WORDS]
    least = STOP_WORD_SHARE * counts.total()
    if len(ranked) < MIN_STOP_WORDS or ranked[MIN_STOP_WORDS - 1][1] < 2:
        return []
    return [word for place, (word, count) in enumerate(ranked) if count >= least or place < MIN_STOP_WORDS]
