"""Thresholds from a corpus's own numbers: per language, as FineWeb-2 does it (Penedo et al. 2025, arXiv 2506.20920).

For whom: somebody whose language the published (English) thresholds do not fit. `calibrate` looks at the columns that
`quality` measured on a sample of pages and proposes, for each language and rule, a threshold with a histogram.

Methods, for a rule with a lower limit (an upper one mirrored):

- ``quantile``: the value below which a language's pages lie as often as those of the reference language lie below the
  published threshold, so the rule drops the same share everywhere (their "quantile" method).
- ``spread``: mean - k * standard deviation, with the k that gives the published threshold in the reference language
  (their "mean and standard deviation" method).

Nothing is decided here: the proposals are YAML for ``kept.overrides``, for a person to read. Nulls are left out. A
language of fewer than ``min_pages`` pages gets no proposal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.rules import families
from stages.rules.rule import Rule

Method = Literal["quantile", "spread"]
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
        """For JSON."""
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
        min_pages: least pages of a language.

    Raises:
        ValueError: where the reference language has too few pages.
    """
    labels = languages.to_numpy(zero_copy_only=False).astype(str)
    names, counts = np.unique(labels, return_counts=True)
    enough = [str(name) for name, count in zip(names, counts, strict=True) if count >= min_pages]
    if reference not in enough:
        found = int((labels == reference).sum())
        raise ValueError(f"expected {min_pages} pages of the reference language {reference!r} or more, found {found}")
    proposals = []
    for language in enough:
        for rule in _rules(quality, rules):
            values = quality.column(rule.column).cast(pa.float64()).to_numpy(zero_copy_only=False)
            own, theirs = (_present(values[labels == name]) for name in (language, reference))
            if language != reference and len(own) and len(theirs):
                proposals.append(_propose(language, rule, own, theirs, method))
    return proposals


def overrides(proposals: list[Proposal]) -> list[dict[str, Any]]:
    """The proposals as entries of ``kept.overrides``, one a language."""
    languages = dict.fromkeys(proposal.language for proposal in proposals)
    return [
        {"languages": [name], "rules": {p.rule: float(f"{p.proposed:.4g}") for p in proposals if p.language == name}}
        for name in languages
    ]


def _rules(quality: pa.Table, names: tuple[str, ...]) -> list[Rule]:
    published = [rule for rules in families.RULES.values() for rule in rules if rule.column in quality.column_names]
    return [rule for rule in published if not names or rule.name in names]


def _present(values: Numbers) -> Numbers:
    return values[~np.isnan(values)]


def _propose(language: str, rule: Rule, own: Numbers, theirs: Numbers, method: Method) -> Proposal:
    proposed = _quantile(rule, own, theirs) if method == "quantile" else _spread(rule, own, theirs)
    first, last = (float(value) for value in np.percentile(own, (1, 99)))
    bins = np.histogram(np.clip(own, first, last), NUM_BINS, (first, last) if last > first else (first, first + 1))[0]
    return Proposal(
        language, rule.name, rule.column, rule.threshold, proposed, len(own),
        _dropped(rule, own, rule.threshold), _dropped(rule, own, proposed), bins.tolist(), first, last,
    )  # fmt: skip


def _dropped(rule: Rule, values: Numbers, threshold: float) -> float:
    fails = values < threshold if rule.side == "min" else values > threshold
    return float(fails.mean())


def _quantile(rule: Rule, own: Numbers, theirs: Numbers) -> float:
    share = _dropped(rule, theirs, rule.threshold)
    ordered = np.sort(own) if rule.side == "min" else np.sort(own)[::-1]
    return float(ordered[min(round(share * len(own)), len(own) - 1)])


def _spread(rule: Rule, own: Numbers, theirs: Numbers) -> float:
    spread = theirs.std()
    steps = (rule.threshold - theirs.mean()) / spread if spread else 0.0
    return float(own.mean() + steps * own.std())
