"""Parameters of `repeats`, and what `plan` must know of each split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from stages.contract import StageParams

Preference = Literal["quality", "longest", "source", "newest", "oldest"]

EFFORT = ("memory", "passes")
"""Parameters that decide how the work is cut: the same bytes whatever they are."""
MAX_ANCHOR_BYTES = 32
"""Longer ones find nothing more and stand closer together; shorter ones are shared by more texts for nothing."""


class Params(StageParams):
    """Stretches of text that are repeats, and which of their copies stays."""

    min_bytes: int = Field(default=500, ge=32, description="bytes of the shortest stretch that counts as repeated")
    anchor_bytes: int | None = Field(
        default=None,
        ge=8,
        description="bytes of an anchor, by which copies are found: the same spans whatever it is; none: a quarter of"
        " min_bytes, 32 at most",
    )
    scope: Literal["everything", "source", "host"] = Field(
        default="everything", description="within which pages copies are looked for: all, one source, one host of it"
    )
    within_page: bool = Field(
        default=False, description="a stretch that stands twice in one page is a repeat too; only its first place stays"
    )
    survivor: tuple[Preference, ...] = Field(
        default=("longest", "newest"), description="what makes a page the one that keeps a text, most important first"
    )
    quality_column: str | None = Field(default=None, description="column of `quality`; larger is better")
    source_priority: tuple[str, ...] = Field(default=(), description="sources in order of preference")
    join: float = Field(
        default=0.0,
        ge=0.0,
        le=0.5,
        description="cuts are joined while at most this share of what they make stands in none (Dolma 3: 0.05)",
    )
    widen: Literal["character", "line", "sentence"] = Field(
        default="character", description="to what a cut is widened: whole characters, lines or sentences"
    )
    memory: int = Field(default=1 << 31, ge=1 << 26, description="bytes of memory a task may use")
    passes: int = Field(
        default=1, ge=1, le=256, description="rounds in which anchors are exchanged: divides the temporary disk"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        if self.anchor_bytes is not None and self.anchor_bytes > self.min_bytes:
            raise ValueError(f"anchor_bytes ({self.anchor_bytes}) may not exceed min_bytes ({self.min_bytes})")
        if "quality" in self.survivor and self.quality_column is None:
            raise ValueError("survivor names 'quality': set quality_column to a column of `quality`")
        if "source" in self.survivor and not self.source_priority:
            raise ValueError("survivor names 'source': set source_priority to the sources in order of preference")
        return self

    @property
    def anchor(self) -> int:
        """Bytes of an anchor."""
        return self.anchor_bytes or min(MAX_ANCHOR_BYTES, self.min_bytes // 4)


@dataclass(frozen=True)
class RepeatsInput:
    """One split: a name that stays the same from run to run, and the addresses of its aligned files.

    ``decided``: a file with a column ``keep``; the other pages take no part. None: all take part. ``quality``: needed
    where the survivor policy names it.
    """

    name: str
    source: str
    documents: str
    rows: int
    text_bytes: int
    decided: str | None = None
    quality: str | None = None
