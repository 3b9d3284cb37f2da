"""Models of sections of a mixture file that are no stage's own: the run, the sample, and exchanges that can be off.

A product's section is named after it and has the stage's ``Params`` as its model (`pipeline.recipe.graph`).
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, Field, field_validator, model_validator

from pipeline.recipe.snapshot import ELSEWHERE
from stages import clusters, lines, repeats
from stages.contract import StageParams
from stages.rules.line_rules import LineRule, check_rules


class RunParams(StageParams):
    """Section ``run``: what makes a run fail, and nothing that changes a byte of its output."""

    max_bad_fraction: float = Field(0.01, ge=0, le=1)
    """Largest share of a source's input that may be bad: of its bytes those in files of which nothing could be read,
    small ones too that are read with others, and of its records those quarantined; the larger share counts, and the
    error says which it is. Files that a list names on web servers, whose sizes are not asked for, count alike."""
    allow_empty: tuple[str, ...] = ()
    """Sources that may yield no document."""
    page_seconds: float = Field(60.0, ge=0)
    """CPU seconds after which a page counts as hung, a thousand times what one takes; 0: never. It is then tried
    alone, quarantined with its position, and its file completes (on Ray; a run in one process waits)."""


class SampleParams(StageParams):
    """Section ``sample``: the demo corpus to make under the root first (`pipeline.sample`)."""

    pages: int | None = Field(None, ge=1)


class ClustersSection(clusters.Params):
    """Section ``clusters``: deduplication, or ``enabled: false``."""

    enabled: bool = True
    earlier: tuple[str, ...] = Field(
        default=(),
        description="finished mixtures whose kept pages new ones are compared with: of this root by name, of another as"
        " ROOT/mixtures/NAME.json",
    )

    @field_validator("earlier")
    @classmethod
    def _where(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if "/" in entry and not re.fullmatch(ELSEWHERE, entry):
                raise ValueError(
                    f"expected a mixture's name, or ROOT/mixtures/NAME.json of another root; found {entry}"
                )
        return entries

    @model_validator(mode="after")
    def _who_wins(self) -> ClustersSection:
        if self.earlier and not {"earlier", "later"} & {*self.survivor}:
            raise ValueError(
                "with earlier mixtures, `survivor` must say who wins: put 'earlier' (their pages stay) or 'later' (new"
                f" ones do) into it; found {list(self.survivor)}"
            )
        return self


class LinesSection(lines.Params):
    """Section ``lines``: lines that recur on many pages, with ``enabled: true``; and rules of one's own, without."""

    enabled: bool = False
    rules: dict[str, LineRule] = Field(
        default={},
        description="lines of one's own, by name: columns `own_lines_NAME`, and the view `without_own_lines`",
    )

    _own_rules = field_validator("rules")(check_rules)


class RepeatsSection(repeats.Params):
    """Section ``repeats``: stretches of text that stand in several places, with ``enabled: true``."""

    enabled: bool = False


MODEL_SUFFIXES = (
    *(".bin", ".ftz", ".model", ".json", ".jsonl", ".ndjson", ".tiktoken", ".parquet", ".txt", ".csv", ".tsv", ".gz"),
    ".zst",
)


def dump(params: BaseModel) -> dict[str, Any]:
    """Parameters as plain JSON data, defaults included: the form that is hashed and sent to tasks."""
    return params.model_dump(mode="json")
