"""A law of a user's own, as `fit-law` writes it and `plan --law` takes it: constants, resamples, and their range.

JSON, version 1: ``name``, ``source``, ``constants`` (E, A, B, alpha, beta, and R where repeats were fitted),
``resamples`` (the same, a list each), ``runs``, ``objective``, ``identified``, ``range`` (smallest and largest
parameters and tokens that were fitted), ``isoflop`` (k and exponent, or null).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isfinite
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.planner.fitting import INTERVAL, FittedLaw
from pipeline.planner.laws import R_STAR_TOKENS, Parametric

VERSION = 1
_KEYS = ("e", "a", "b", "alpha", "beta")


@dataclass(frozen=True)
class OwnLaw(Parametric):
    """A fitted law: `laws.Parametric`, with its resamples beside it."""

    resamples: tuple[tuple[float, ...], ...] = ()
    """(E, A, B, alpha, beta) each."""
    repeats: float = R_STAR_TOKENS
    """Scale on which repeated tokens lose their worth: fitted, or the published one."""
    largest: tuple[float, float] = (0.0, 0.0)
    """Most parameters and most tokens of the runs."""
    identified: bool = True

    def spread(self, compute: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """Intervals of the optimal size and of its loss for a compute, over the resamples."""
        sizes, losses = [], []
        for e, a, b, alpha, beta in self.resamples:
            best = Parametric(self.name, "", e, a, b, alpha, beta).optimum(compute)
            if isfinite(best.parameters) and best.loss is not None and isfinite(best.loss):
                sizes.append(best.parameters)
                losses.append(best.loss)
        if not sizes:
            best = self.optimum(compute)
            return (best.parameters, best.parameters), (best.loss or 0.0, best.loss or 0.0)
        size, loss = np.percentile(sizes, INTERVAL), np.percentile(losses, INTERVAL)
        return (float(size[0]), float(size[1])), (float(loss[0]), float(loss[1]))


def law_text(law: FittedLaw, name: str) -> str:
    """The JSON of a fitted law."""
    data: dict[str, Any] = {
        "version": VERSION,
        "kind": "muennighoff" if law.repeats else "chinchilla",
        "name": name,
        "source": f"fitted to {len(law.runs.names)} runs by gristmill fit-law",
        "constants": _constants(law.constants.tolist()),
        "resamples": [_constants(row) for row in law.resamples.tolist()],
        "runs": len(law.runs.names),
        "objective": law.objective,
        "identified": {"certain": law.identified.certain, "e": [law.identified.e_low, law.identified.e_high]},
        "range": {
            "parameters": [float(law.runs.parameters.min()), float(law.runs.parameters.max())],
            "tokens": [float(law.runs.tokens.min()), float(law.runs.tokens.max())],
        },
        "isoflop": None if law.isoflop is None else {"k": law.isoflop.k, "exponent": law.isoflop.exponent},
    }
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def read_law(text: str, path: str) -> OwnLaw:
    """A law from its JSON.

    Raises:
        UserError: naming file and key, for another version, a missing key, or a constant that makes no law.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: expected a law as `fit-law` writes it, found no JSON: {error}") from error
    if not isinstance(data, dict) or data.get("version") != VERSION:
        found = data.get("version") if isinstance(data, dict) else type(data).__name__
        raise UserError(f"{path}: version: expected {VERSION}, found {found!r}; fit it again with `fit-law`")
    try:
        constants, resamples = data["constants"], data["resamples"]
        largest = (float(data["range"]["parameters"][1]), float(data["range"]["tokens"][1]))
        certain = bool(data["identified"]["certain"])
        name, source = str(data["name"]), str(data["source"])
        rows = tuple(_row(row) for row in resamples)
        own = _row(constants)
        repeats = float(constants.get("r", R_STAR_TOKENS))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{path}: {error} is missing or no number; fit it again with `fit-law`") from error
    if not rows:
        raise UserError(f"{path}: resamples: expected some, found none; fit it again with `fit-law`")
    wrong = [key for key, value in zip(_KEYS, own, strict=True) if not (isfinite(value) and value > 0)]
    if wrong or not repeats > 0:
        raise UserError(f"{path}: constants.{(wrong or ['r'])[0]}: expected a number above 0")
    return OwnLaw(name, source, *own, rows, repeats, largest, certain)


def _row(constants: Mapping[str, Any]) -> tuple[float, float, float, float, float]:
    e, a, b, alpha, beta = (float(constants[key]) for key in _KEYS)
    return e, a, b, alpha, beta


def _constants(row: Sequence[float]) -> dict[str, float]:
    values = [exp(row[0]), exp(row[1]), exp(row[2]), float(row[3]), float(row[4])]
    named = dict(zip(_KEYS, values, strict=True))
    return named | ({"r": exp(row[5])} if len(row) == 6 else {})
