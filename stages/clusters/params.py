"""Parameters of `clusters`, and what `plan` must know of each split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.contract import GrownParams

Preference = Literal["quality", "longest", "source", "newest", "oldest", "earlier", "later"]
"""``earlier``: pages of an earlier run before new ones; ``later``: the other way round."""

Share = Annotated[float, Field(gt=0.0, le=1.0)]
BRAKES = (
    "max_source_loss",
    "max_source_losses",
    "max_language_loss",
    "max_language_losses",
    "max_cluster_size",
    "min_brake_rows",
    "past_brakes",
)
"""Parameters that decide whether a run goes on and nothing else: changing one makes no file again."""
EFFORT = ("memory", "passes", "rounds")
"""Parameters that decide how the work is cut: the same bytes whatever they are."""


class Params(GrownParams):
    """Parameters of deduplication: how duplicates are found and decided, and when to stop instead."""

    later = frozenset({"derived"})

    bands: int = Field(default=18, ge=1, le=256, description="bands of the signature that nominate candidates")
    rows: int = Field(default=6, ge=1, le=64, description="minima that must agree in a band")
    threshold: float = Field(
        default=0.8, gt=0.0, le=1.0, description="Jaccard index from which two texts are duplicates"
    )
    survivor: tuple[Preference, ...] = Field(
        default=("longest", "newest"), description="what makes a page the one that stays, most important first"
    )
    quality_column: str | None = Field(default=None, description="column of `quality`; larger is better")
    source_priority: tuple[str, ...] = Field(default=(), description="sources in order of preference")
    scope: Literal["everything", "source", "group"] = Field(
        default="everything", description="within which pages are compared: all, one source, one of `groups`"
    )
    groups: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="sources by name of group; a source in none is a group of its own"
    )
    urls: bool = Field(
        default=False, description="pages of one address are one page, whatever they say: the policy picks which stays"
    )
    per_language: bool = Field(default=False, description="compare pages of one language only")
    exempt: tuple[str, ...] = Field(
        default=(), description="sources left out: nothing of them goes, nothing goes for them"
    )
    derived: tuple[str, ...] = Field(
        default=(), description="filled in: transforms, whose pages go for pages that were read, and have no address"
    )
    memory: int = Field(default=1 << 31, ge=1 << 26, description="bytes of memory a task may use")
    passes: int = Field(default=1, ge=1, description="rounds in which bands are exchanged: divides the temporary disk")
    rounds: int | None = Field(
        default=None,
        ge=1,
        description="rounds in which candidates are compared: the same for theirs; none: as `passes`",
    )
    max_source_loss: float = Field(default=1.0, gt=0.0, le=1.0, description="brake: share of a source that may go")
    max_source_losses: dict[str, Share] = Field(default_factory=dict, description="the same for single sources")
    max_language_loss: float = Field(default=1.0, gt=0.0, le=1.0, description="brake: share of a language that may go")
    max_language_losses: dict[str, Share] = Field(default_factory=dict, description="the same for single languages")
    max_cluster_size: int | None = Field(default=None, ge=2, description="brake: pages in one cluster")
    min_brake_rows: int = Field(default=1000, ge=0, description="a source or language of fewer pages brakes nothing")
    past_brakes: Literal["stop", "warn"] = Field(
        default="stop", description="what a brake does: stop the run, or say so and go on"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        if "quality" in self.survivor and self.quality_column is None:
            raise ValueError("survivor names 'quality': set quality_column to a column of `quality`")
        if "source" in self.survivor and not self.source_priority:
            raise ValueError("survivor names 'source': set source_priority to the sources in order of preference")
        if self.scope == "group" and not self.groups:
            raise ValueError("scope is 'group': set groups to sources by name of group")
        if self.passes > self.bands:
            raise ValueError(f"passes ({self.passes}) may not exceed bands ({self.bands})")
        return self


def check_permutations(params: Params, permutations: int) -> None:
    """Refuse, before anything runs, bands that need more minima than the signatures have."""
    needed = params.bands * params.rows
    if needed > permutations:
        raise ValueError(
            f"clusters.bands x clusters.rows = {params.bands} x {params.rows} needs {needed} permutations, but"
            f" signatures.permutations is {permutations}"
        )


@dataclass(frozen=True)
class ClusterInput:
    """One split: a name that stays the same from run to run, and the addresses of its aligned files.

    A split of an earlier crawl says ``earlier`` and may name its old `kept` or `clusters` file (``decided``): only the
    pages that stayed then take part. Of earlier splits only the text of pages that meet a candidate is read. Without
    ``documents`` not even that: signatures decide in its place (`stages.kernels.dedup.jaccard`), and time and
    text_bytes count as unknown in the survivor policy.
    """

    name: str
    source: str
    documents: str | None
    signatures: str
    language: str | None
    quality: str | None
    rows: int
    text_bytes: int
    earlier: bool = False
    decided: str | None = None
    eligible: str | None = None
