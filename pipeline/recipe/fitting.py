"""The stages' part of `fit` and `rehydrate`: a study of proxy runs, shares written so that caps hold, repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from pipeline.errors import UserError
from stages import mixture
from stages.kept import copies
from stages.mixture.params import exact
from stages.mixture.regression import LAWS, Law
from stages.mixture.rehydrate import MAX_REPEATS, MIN_FAMILIES, Copies, rehydrate
from stages.mixture.study import LEAST_CORRELATION, RUNS_A_DOMAIN, Runs, Study, Wishes, study

__all__ = [
    "LAWS", "LEAST_CORRELATION", "MAX_REPEATS", "MIN_FAMILIES", "RUNS_A_DOMAIN", "Copies", "Law", "Runs", "Study",
    "Wishes", "caps_of", "fit", "ranks_of", "read_weights", "rehydrate", "tokens_of", "weights_text", "whole_parts",
]  # fmt: skip


def fit(runs: Runs, wishes: Wishes, prior: Mapping[str, float], caps: Mapping[str, float]) -> Study:
    """`stages.mixture.study.study`.

    Raises:
        UserError: where it cannot be made.
    """
    try:
        return study(runs, wishes, prior, caps)
    except mixture.MixtureError as error:
        raise UserError(str(error)) from error


def ranks_of(study: Study, unseen: Runs) -> tuple[float, ...]:
    """Rank correlation of prediction and result of each metric, on runs that a study did not use.

    Raises:
        UserError: when they have other domains or metrics.
    """
    try:
        return study.ranks(unseen)
    except mixture.MixtureError as error:
        raise UserError(f"fit: {error}") from error


def tokens_of(budget: str) -> int:
    """A budget as in a mixture file.

    Raises:
        UserError: for one that is none.
    """
    try:
        return mixture.parse_tokens(budget)
    except ValueError as error:
        raise UserError(f"--budget: {error}") from error


def read_weights(path: str) -> dict[str, float]:
    """Shares from a JSON file as `mixture.weights_from` reads it.

    Raises:
        UserError: when it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return dict(mixture.read_weights(file.read()).shares)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read as weights: {str(error).partition(chr(10))[0]}") from error


def weights_text(languages: Mapping[str, Sequence[Mapping[str, int | None]]]) -> str:
    """Weights by copies as grids of domains read them (`stages.kept.copies`)."""
    return copies.text_of(languages)


def caps_of(available: Mapping[str, int], max_epochs: Mapping[str, float], budget: int) -> dict[str, Fraction]:
    """The largest share of each domain, as `plan` counts it: whole tokens of max_epochs x available."""
    return {name: Fraction(int(exact(max_epochs[name]) * tokens), budget) for name, tokens in available.items()}


def whole_parts(shares: Mapping[str, float], caps: Mapping[str, Fraction]) -> tuple[int, dict[str, int]]:
    """Shares as whole parts of a number of parts, none above its cap: (parts, parts by domain).

    A million parts, or more where the caps are so tight that a million leaves no room to round.
    """
    for digits in (6, 9, 12, 15):
        parts = 10**digits
        limits = {name: int(caps.get(name, Fraction(1)) * parts) for name in shares}
        amounts = {name: Fraction(share) * parts for name, share in sorted(shares.items())}
        total = sum(amounts.values(), Fraction(0))
        scaled = {name: amount * parts / total for name, amount in amounts.items()}
        if sum(limits[name] for name in shares if shares[name] > 0) >= parts:
            return parts, mixture.apportion(scaled, parts, limits)
    raise UserError("the caps allow no more than the budget to the last token; lower the budget by a millionth")
