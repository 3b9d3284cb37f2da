"""What a rule is: a measured column, the side on which it fails, and the published threshold.

A rule's name is the reason given for a drop. It fails where the column is below ``threshold`` (``side="min"``) or above
it (``side="max"``); equality passes, and so does null (nothing was there to measure).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rule:
    """One published rule."""

    name: str
    column: str
    side: Literal["min", "max"]
    threshold: float
