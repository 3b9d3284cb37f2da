"""`solve`: tokens per domain, within the caps, by the shortfall policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from stages.mixture.params import MixtureError, MixtureParams, exact
from stages.mixture.solvers import (
    Shares,
    apportion,
    natural,
    normalised,
    quality_curve,
    solved_curve,
    temperature,
    unimax,
    water_fill,
)
from stages.schemas import GRID_MARK

SHOWN = 5
"""Domains that a message lists."""


@dataclass(frozen=True)
class DomainPlan:
    """The part of one domain in the corpus."""

    name: str
    available_tokens: int
    requested_tokens: int
    """Tokens of its share or epochs of the budget as written."""
    target_tokens: int
    """Tokens it gets: those requested, unless a cap and the shortfall policy changed them."""
    requested_share: float
    """requested_tokens as a fraction of the requested budget."""
    target_share: float
    epochs: float
    """target_tokens / available_tokens."""
    max_epochs: float
    binding: bool
    """Whether its cap keeps the corpus (or its own share) from being larger."""


@dataclass(frozen=True)
class Mixture:
    """A solved mixture."""

    requested_budget: int
    tokens: int
    """Sum of the targets."""
    max_budget: int | None
    """The largest budget that keeps the shares within the caps; None if no domain has a share."""
    domains: tuple[DomainPlan, ...]
    """Sorted by name."""
    warnings: tuple[str, ...] = ()

    @property
    def targets(self) -> dict[str, int]:
        """Tokens to take per domain."""
        return {domain.name: domain.target_tokens for domain in self.domains}

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON, domains keyed by name."""
        domains = {domain.name: {k: v for k, v in vars(domain).items() if k != "name"} for domain in self.domains}
        return {
            "requested_budget": self.requested_budget,
            "tokens": self.tokens,
            "max_budget": self.max_budget,
            "domains": domains,
            "warnings": list(self.warnings),
        }


def solve(
    params: MixtureParams,
    available: dict[str, int],
    tokenizer: Mapping[str, Any] | None = None,
    used: Mapping[str, int] | None = None,
) -> Mixture:
    """Tokens per domain.

    Args:
        available: unique tokens of each domain, after tokenization, EOS included.
        tokenizer: its identity, to compare with the one imported weights were found with.
        used: tokens of each domain that earlier phases took already; they count against its cap.

    Raises:
        MixtureError: a domain without tokens, a budget that the caps do not allow (and ``on_shortfall: error``),
            or a budget beyond all caps together.
    """
    problem = _Problem(params, available, used or {})
    free = problem.budget - problem.fixed_tokens
    requested = problem.fixed | apportion({n: share * free for n, share in problem.shares.items()}, free)
    targets = problem.fixed | _within_caps(problem, free)
    total = sum(targets.values())
    domains = tuple(
        DomainPlan(
            name=name,
            available_tokens=available[name],
            requested_tokens=requested[name],
            target_tokens=targets[name],
            requested_share=requested[name] / problem.budget if problem.budget else 0.0,
            target_share=targets[name] / total if total else 0.0,
            epochs=targets[name] / available[name] if available[name] else 0.0,
            max_epochs=float(_cap(params, name)),
            binding=problem.binds(name, targets[name]),
        )
        for name in sorted(params.domains)
    )
    return Mixture(problem.budget, total, problem.max_budget, domains, weight_warnings(params, tokenizer))


class _Problem:
    """Shares, caps and budget of a mixture over the tokens there are."""

    def __init__(self, params: MixtureParams, available: dict[str, int], used: Mapping[str, int]) -> None:
        _check_available(params, available)
        self.params, self.available = params, available
        self.caps = {
            name: max(0, int(_cap(params, name) * available[name]) - used.get(name, 0)) for name in params.domains
        }
        with_epochs = {name: domain.epochs for name, domain in params.domains.items() if domain.epochs is not None}
        self.fixed = {
            name: min(_round(exact(epochs) * available[name]), int(_cap(params, name) * available[name]))
            for name, epochs in with_epochs.items()
        }
        self.fixed_tokens = sum(self.fixed.values())
        for name, tokens in self.fixed.items():
            if tokens > self.caps[name]:
                raise MixtureError(
                    f"domain {name!r}: {tokens:,} tokens wanted, {self.caps[name]:,} left of it within max_epochs"
                )
        free = {name: available[name] for name in sorted(params.domains) if name not in self.fixed}
        self.uniform = params.solver == "unimax" and bool(free)
        if self.uniform:
            self.largest: int | None = sum(self.caps[name] for name in free)
            self.budget = self._requested()
            self.shares = normalised(unimax({name: Fraction(self.caps[name]) for name in free}, self._free()))
        else:
            self.shares = _shares(params, free, self._wanted())
            limits = [self.caps[name] / share for name, share in self.shares.items() if share]
            self.largest = int(min(limits)) if limits else None
            self.budget = self._requested()

    @property
    def max_budget(self) -> int | None:
        return None if self.largest is None else self.fixed_tokens + self.largest

    def _free(self) -> int:
        return self.budget - self.fixed_tokens

    def _wanted(self) -> int | None:
        """Tokens that domains without epochs are to give; None for as many as the caps allow."""
        return None if self.params.budget is None else max(0, int(self.params.budget) - self.fixed_tokens)

    def _requested(self) -> int:
        taken = self.fixed_tokens
        if self.params.budget is None:
            return taken if self.max_budget is None else self.max_budget
        budget = int(self.params.budget)
        if taken > budget:
            raise MixtureError(
                f"domains with `epochs` take {taken:,} tokens, more than the budget of {budget:,}; "
                "raise the budget or lower their epochs"
            )
        if self.largest is None and taken != budget:
            raise MixtureError(
                f"every domain has `epochs`, which come to {taken:,} tokens, and the budget says {budget:,}; "
                "leave the budget out, or give a domain a share"
            )
        return budget

    def binds(self, name: str, target: int) -> bool:
        if name not in self.shares or not self.shares[name] or self.largest is None:
            return False
        if self.uniform:
            return target == self.caps[name]
        return int(self.caps[name] / self.shares[name]) == self.largest


def _shares(params: MixtureParams, free: dict[str, int], wanted: int | None) -> Shares:
    """Shares of the domains without epochs, by the solver; ``wanted`` tokens are to come of them."""
    if params.solver == "natural":
        return natural(free)
    if params.solver == "temperature":
        return temperature(free, params.alpha)
    if params.solver == "quality-curve":
        return _curves(params, free, wanted)
    if params.solver == "imported" and params.imported is not None:
        return normalised({name: exact(share) for name, share in params.imported.shares.items()})
    return normalised({name: exact(params.domains[name].share) for name in free})


def _curves(params: MixtureParams, free: dict[str, int], wanted: int | None) -> Shares:
    """Shares of quality buckets, each group of them by its own curve."""
    shares_of_groups = normalised({name: exact(share) for name, share in params.groups.items()})
    groups: list[tuple[str | None, Fraction]] = [*shares_of_groups.items()] or [(None, Fraction(1))]
    shares: Shares = {}
    for group, share in groups:
        names = [name for name in free if params.domains[name].group == group]
        percentiles = {name: params.domains[name].percentiles or (0.0, 1.0) for name in names}
        weights = {name: params.domains[name].repeats for name in names}
        if names and all(weights.values()):
            counted = normalised({name: exact(weights[name]) * free[name] for name in names})
            shares |= {name: share * part for name, part in counted.items()}
            continue
        if names and max(high for _, high in percentiles.values()) <= params.curve_start:
            of = "" if group is None else f" of group {group!r}"
            raise MixtureError(f"every bucket{of} lies below curve_start {params.curve_start:g}; lower it")
        if share and names and not any(free[name] for name in names if percentiles[name][1] > params.curve_start):
            of = "" if group is None else f" of group {group!r}"
            raise MixtureError(f"no bucket{of} above curve_start {params.curve_start:g} has a token; lower it")
        if params.curve_power is not None:
            found = quality_curve(percentiles, params.curve_start, params.curve_power, params.curve_rate or 0.0)
        elif names:
            best = max(names, key=lambda name: (percentiles[name][1], name))
            available = {name: free[name] for name in names}
            tokens = None if wanted is None else share * wanted
            found = solved_curve(percentiles, available, tokens, float(_cap(params, best)), params.curve_start)
        shares |= {name: share * part for name, part in found.items()} if names else {}
    return shares


def _round(number: Fraction) -> int:
    return int(number + Fraction(1, 2))


def _cap(params: MixtureParams, name: str) -> Fraction:
    return exact(params.cap(name))


def _spared(name: str, params: MixtureParams, available: dict[str, int]) -> bool:
    """Whether a domain may be empty: a bucket of a group, or a cell of a grid with epochs, where others hold tokens."""
    domain = params.domains[name]
    grid, mark, _ = name.partition(GRID_MARK)
    if domain.epochs is None or not mark:
        return domain.group is not None
    return any(tokens for other, tokens in available.items() if other.startswith(grid + mark))


def _asked_of(params: MixtureParams, name: str) -> bool:
    """Whether a mixture may want tokens of a domain: imported shares may be 0, as written ones."""
    domain = params.domains[name]
    if params.solver == "imported" and params.imported is not None and domain.epochs is None:
        return params.imported.shares[name] != 0
    return domain.share != 0 and domain.epochs != 0


def no_tokens(domain: str) -> str:
    """The message about a domain that a mixture takes and that is empty."""
    return f"domain {domain!r} has no tokens; take it out of the mixture or loosen its selection"


def _check_available(params: MixtureParams, available: dict[str, int]) -> None:
    problems = []
    for name in sorted(params.domains):
        if name not in available:
            problems.append(
                f"domain {name!r} is not among those with tokens ({', '.join(sorted(available)) or 'none'})"
            )
        elif available[name] == 0 and _asked_of(params, name) and not _spared(name, params, available):
            problems.append(no_tokens(name))
    tokens = dict.fromkeys(params.groups, 0)
    for name, domain in params.domains.items():
        if domain.group in tokens:  # an empty bucket gives nothing; an empty group cannot
            tokens[domain.group] += available.get(name, 0)
    for group, share in params.groups.items():
        if not tokens[group] and share:
            problems.append(f"group {group!r} has no tokens in any bucket; take it out or loosen its selection")
    if problems:
        raise MixtureError("; ".join(problems))


def _within_caps(problem: _Problem, free: int) -> dict[str, int]:
    """Targets of the domains with shares, by the shortfall policy."""
    shares, caps, params = problem.shares, problem.caps, problem.params
    largest = problem.largest
    if largest is None or free <= largest:
        return apportion({n: share * free for n, share in shares.items()}, free, caps)
    if params.on_shortfall == "shrink":
        return apportion({n: share * largest for n, share in shares.items()}, largest, caps)
    everything = sum(caps[name] for name in shares if shares[name])
    lacking = [name for name in sorted(shares) if shares[name] * free > caps[name]]
    short = "; ".join(
        f"{name!r} has {problem.available[name]:,} tokens x {float(_cap(params, name)):g} epochs, "
        f"{_round(shares[name] * free):,} wanted"
        for name in lacking[:SHOWN]
    ) + (f"; and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else "")
    if free > everything and (params.on_shortfall == "redistribute" or problem.uniform):
        raise MixtureError(f"the budget is beyond all caps: they allow {everything:,} tokens; {short}")
    if params.on_shortfall == "error":
        raise MixtureError(
            f"not enough tokens: {short}. The largest budget for these shares is {problem.max_budget:,}; "
            "lower the budget, raise max_epochs (1 where the file does not say: nothing is repeated unasked), or set"
            " on_shortfall to shrink or redistribute"
        )
    return apportion(water_fill(shares, caps, free), free, caps)


def weight_warnings(params: MixtureParams, tokenizer: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Doubts about imported weights: that another tokenizer counted the tokens they are shares of."""
    imported = params.imported
    if params.solver != "imported" or imported is None or tokenizer is None:
        return ()
    if imported.tokenizer_sha256 is None:
        return (f"the weights of {imported.method} do not say which tokenizer they were found with",)
    if imported.tokenizer_sha256 != tokenizer["sha256"]:
        return (
            f"the weights of {imported.method} were found with another tokenizer "
            f"({imported.tokenizer_sha256[:12]}, here {tokenizer['sha256'][:12]}); shares of tokens do not carry over",
        )
    return ()
