"""Grids: a domain for every label and every bucket of a score, from a few lines.

    web: {sources: [web], by: topic, percentiles: {of: good_score, within: topic, edges: [0, 40, 80, 95, 100]}}

is one domain a label of `topic` and pair of edges, named ``web--science--40-80``: pages of that label whose score lies
between the two percentiles of the pages of its language and (with ``within``) of its label. Either ``by`` or
``percentiles`` may be left out. Pages without a label are in none of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import Field, field_validator, model_validator

from stages.contract import StageParams
from stages.kept.copies import Weights
from stages.kept.params import Domain, Labels, check_labels
from stages.percentiles import spelt
from stages.rules.names import check_languages, some
from stages.schemas import GRID_MARK


class GridPercentiles(StageParams):
    """A division of pages by a score."""

    of: str
    """The column, as a classifier's or scorer's."""
    within: str | None = None
    """Rank pages of the same language and the same label of this labeller; none: of the same language."""
    edges: tuple[float, ...] = Field(min_length=2)
    """Percentiles at which buckets begin and end, rising from the least to the largest wanted."""

    @field_validator("edges")
    @classmethod
    def _rising(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if edges[0] < 0 or edges[-1] > 100 or any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"expected rising percentiles from 0 to 100, found {', '.join(map(spelt, edges))}")
        return edges


@dataclass(frozen=True)
class Cell:
    """One domain of a grid."""

    domain: Domain
    label: str | None
    bucket: tuple[float, float] | None
    repeats: int | None = None
    """Number of times its pages are repeated, where the grid is by copies."""


class Grid(StageParams):
    """Domains by label and bucket of a score: the conditions of a domain, and what divides it."""

    sources: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    labels: Labels = Field(default={})
    """Labels as of a domain; those of the labeller ``by`` are the labels of the grid."""
    min: dict[str, float] = Field(default={})
    max: dict[str, float] = Field(default={})
    by: str | None = None
    """A labeller of `labels`: a domain for each of its labels."""
    percentiles: GridPercentiles | None = None
    """Buckets of a score: a domain for each."""
    copies: str | None = None
    """File of weights by number of copies, as `gristmill rehydrate --out` writes it: a domain for each language and
    size, repeated as often as that says, and one for all other languages."""

    _some = field_validator("sources", "languages")(some)
    _languages = field_validator("languages")(check_languages)
    _labels = field_validator("labels")(check_labels)

    @model_validator(mode="after")
    def _divides(self) -> Grid:
        if self.by is None and self.percentiles is None and self.copies is None:
            raise ValueError("a grid needs `by`, `percentiles` with `edges`, or `copies`")
        if self.copies is not None and (self.by is not None or self.percentiles is not None):
            raise ValueError("a grid by `copies` has neither `by` nor `percentiles`")
        return self

    def by_copies(self, name: str, weights: Weights) -> list[Cell]:
        """The domains of a grid by copies: of each language by rising sizes, then one of all others."""
        found = []
        for language, rows in sorted(weights.languages.items()):
            for row in rows if self.languages is None or language in self.languages else ():
                sizes = f"{row.first:03d}-" + ("up" if row.last is None else f"{row.last:03d}")
                most = {} if row.last is None else {"cluster_size": float(row.last)}
                domain = Domain(
                    name=GRID_MARK.join((name, language, sizes)),
                    sources=self.sources,
                    languages=(language,),
                    labels=self.labels,
                    min={**self.min, "cluster_size": float(row.first)},
                    max={**self.max, **most},
                )
                found.append(Cell(domain, language, None, row.repeats))
        rest = Domain(
            name=f"{name}{GRID_MARK}others",
            sources=self.sources,
            languages=self.languages,
            labels=self.labels,
            min=self.min,
            max=self.max,
        )
        if self.languages is None or set(self.languages) - set(weights.languages):
            found.append(Cell(rest, None, None, 1))
        return found

    def cells(self, name: str, known: Sequence[str] | None) -> list[Cell]:
        """The domains of the grid ``name``, by label and rising bucket.

        Args:
            known: the labels of ``by``.
        """
        labels: Sequence[str | None] = self.labels.get(self.by, known or ()) if self.by is not None else (None,)
        buckets = list(pairwise(self.percentiles.edges)) if self.percentiles is not None else [None]
        spelt = spellings([label for label in labels if label is not None])
        found = []
        for label in labels:
            for bucket in buckets:
                parts = [name, *([spelt[label]] if label is not None else [])]
                parts += [f"{spelt_edge(bucket[0])}-{spelt_edge(bucket[1])}"] if bucket is not None else []
                found.append(Cell(self._domain(GRID_MARK.join(parts), label, bucket), label, bucket))
        return found

    def _domain(self, name: str, label: str | None, bucket: tuple[float, float] | None) -> Domain:
        labels = dict(self.labels)
        if self.by is not None and label is not None:
            labels[self.by] = (label,)
        ranked = {self.percentiles.of: bucket} if self.percentiles is not None and bucket is not None else {}
        return Domain(
            name=name,
            sources=self.sources,
            languages=self.languages,
            labels=labels,
            min=self.min,
            max=self.max,
            percentiles=ranked,
            within=self.percentiles.within if self.percentiles is not None else None,
        )


def spellings(labels: Sequence[str]) -> dict[str, str]:
    """Labels as parts of names: letters, digits, ``.``, ``_`` and ``-``, each its own."""
    plain = {label: re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._-]", "_", label)).strip("-") for label in labels}
    taken = list(plain.values())
    return {
        label: text
        if taken.count(text) == 1 and re.search("[A-Za-z0-9]", text)
        else f"{text}{hashlib.sha256(label.encode()).hexdigest()[:6]}"
        for label, text in plain.items()
    }


def spelt_edge(edge: float) -> str:
    """A percentile as part of a name: whole ones with two digits, so that names sort as buckets do."""
    text = spelt(edge)
    return f"{int(edge):02d}" if edge == int(edge) else text.zfill(len(text) + (edge < 10))
