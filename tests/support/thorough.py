"""The share of all cases that is tried: a part in every run of the tests, all of them by ``make thorough``.

Tests that repeat one procedure over many moments or places (every rename of a run, every byte of a file) take a part
that is fixed, so that a failure can be repeated; `THOROUGH` takes all. Before a release, and once a night.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
THOROUGH = bool(os.environ.get("GRISTMILL_THOROUGH"))


def some(items: Iterable[T], one_in: int) -> list[T]:
    """One in so many, the first among them; all where the tests are to be thorough."""
    return list(items)[:: 1 if THOROUGH else one_in]
