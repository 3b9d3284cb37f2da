"""Parameters of `lines`, and what `plan` must know of each split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from stages.contract import StageParams

EFFORT = ("memory",)
"""Parameters that decide how the work is cut: the same bytes whatever they are."""


class Params(StageParams):
    """Conditions under which lines and paragraphs are called frequent."""

    min_pages: int = Field(
        default=20,
        ge=2,
        description="pages of its scope that have a frequent line or paragraph, at least; of one text, as one",
    )
    scope: Literal["source", "host"] = Field(
        default="host", description="where pages are counted: in the whole source, or on one host of it"
    )
    min_bytes: int = Field(default=1, ge=1, description="bytes of a line or paragraph that can be frequent or repeated")
    memory: int = Field(default=1 << 31, ge=1 << 26, description="bytes of memory a task may use")


@dataclass(frozen=True)
class LinesInput:
    """One split: a name that stays the same from run to run, and the address of its text."""

    name: str
    source: str
    documents: str
    rows: int
    text_bytes: int
