"""Settings of an ensemble of scores: `quality.ensembles`, for the product `ensembles`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from stages.contract import StageParams

Weigh = Literal["tokens", "bytes"]
Member = tuple[str, Weigh]


class Ensemble(StageParams):
    """Several scores as one: `NAME` gives the column `NAME_score`."""

    of: tuple[str, ...] = Field(min_length=1)
    """Columns of scores, such as `a_score` and `b_score`; `a` stands for `a_score`."""
    by: Literal["max_percentile", "mean_percentile"] = "max_percentile"
    """The best percentile that any of them gives a page (Nemotron-CC), or the mean."""
    parts: int = Field(default=20, ge=2, le=1000)
    """Into how many parts of equal text the pages of a language are divided by each score."""
    weigh: Weigh = "tokens"
    """Measure by which parts are equal: `tokens`, then counted of all pages, or `bytes` of text, which are known."""

    @property
    def members(self) -> tuple[Member, ...]:
        """Its scores, each with what weighs its pages."""
        return tuple((column, self.weigh) for column in self.of)

    @field_validator("of")
    @classmethod
    def _columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        columns = tuple(name if name.endswith("_score") else f"{name}_score" for name in names)
        if len(set(columns)) < len(columns):
            raise ValueError(f"expected each score once, found {', '.join(names)}")
        return columns
