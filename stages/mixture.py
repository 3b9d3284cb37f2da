"""The mixture: how many tokens of each domain a corpus takes. Pure arithmetic, exact, no files.

A domain declares either its ``share`` of the tokens or its number of ``epochs``, never both. Domains with epochs
take epochs x available tokens; the shares divide what those leave of the budget and sum to 1. No domain is repeated
more than its ``max_epochs`` (default 4, after Muennighoff et al. 2023, arXiv 2305.16264, who find that up to four
epochs are worth almost as much as new text).

Where a share asks for more than that, ``on_shortfall`` decides: ``error`` says what is missing; ``shrink`` takes
the largest budget that keeps the shares; ``redistribute`` gives what a domain cannot to the others in proportion
to their shares, until all fit (water-filling). A budget of null is the largest that keeps the shares.
Token counts are integers that sum exactly to the budget: largest remainder, ties by name. Fractions are exact
decimals as written, so the result does not depend on the order of the domains or on floating point.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from stages.contract import StageParams

VERSION = 1

_UNITS = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
_SUM_TOLERANCE = Fraction(1, 10**6)


class MixtureError(ValueError):
    """A mixture that cannot be made from the tokens there are; the message says what would make it possible."""


def parse_tokens(text: str | int) -> int:
    """A number of tokens: 10000000, '10M', '2.5B', '1_000k', '3e9'."""
    if isinstance(text, int):
        number = Fraction(text)
    else:
        match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE]\+?[0-9]+)?)\s*([kKmMbBgGtT]?)\s*", text)
        if not match:
            raise ValueError(f"{text!r} is not a number of tokens; write 10000000, '10M', '2.5B' or '1T'")
        number = Fraction(match[1].replace("_", "")) * 10 ** _UNITS[match[2].lower()]
    if number.denominator != 1 or number < 1:
        raise ValueError(f"{text!r} is not a whole, positive number of tokens")
    return int(number)


def _budget(value: int | str | None) -> int | None:
    return None if value is None else parse_tokens(value)


Budget = Annotated[int | str | None, AfterValidator(_budget)]


class DomainShare(StageParams):
    """What a mixture takes of one domain: a share of its tokens, or a number of passes over the domain."""

    share: float | None = Field(None, ge=0, le=1, description="share of the tokens that domains with epochs leave")
    epochs: float | None = Field(None, ge=0, description="passes over all tokens of the domain")
    max_epochs: float | None = Field(None, gt=0, description="cap for this domain; the mixture's where absent")

    @model_validator(mode="after")
    def _one_of(self) -> DomainShare:
        if (self.share is None) == (self.epochs is None):
            raise ValueError("give exactly one of `share` and `epochs`")
        return self


class MixtureParams(StageParams):
    """The `mixture` section of a YAML."""

    budget: Budget = Field(
        None, description="tokens of the corpus: 10000000, '10M', '2B'; null: as many as the caps allow"
    )
    max_epochs: float = Field(4.0, gt=0, description="a domain is never repeated more often")
    on_shortfall: Literal["error", "shrink", "redistribute"] = "error"
    domains: dict[str, DomainShare] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> MixtureParams:
        shares = {name: _exact(domain.share) for name, domain in self.domains.items() if domain.share is not None}
        if shares and abs(sum(shares.values(), Fraction(0)) - 1) > _SUM_TOLERANCE:
            listed = ", ".join(f"{name} {float(share):g}" for name, share in sorted(shares.items()))
            raise ValueError(f"shares must sum to 1, found {float(sum(shares.values(), Fraction(0))):.6g}: {listed}")
        for name, domain in sorted(self.domains.items()):
            cap = self.max_epochs if domain.max_epochs is None else domain.max_epochs
            if domain.epochs is not None and domain.epochs > cap:
                raise ValueError(
                    f"domain {name!r}: epochs {domain.epochs:g} is above max_epochs {cap:g}; "
                    "lower it, or raise max_epochs of this domain"
                )
        return self


@dataclass(frozen=True)
class DomainPlan:
    """What the corpus takes of one domain."""

    name: str
    available_tokens: int
    requested_tokens: int
    """What its share or epochs of the budget as written come to."""
    target_tokens: int
    """What it gets: the same, unless a cap and the shortfall policy changed it."""
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

    @property
    def targets(self) -> dict[str, int]:
        """Tokens to take per domain."""
        return {domain.name: domain.target_tokens for domain in self.domains}

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the fields, domains keyed by name."""
        domains = {domain.name: {k: v for k, v in vars(domain).items() if k != "name"} for domain in self.domains}
        return {
            "requested_budget": self.requested_budget,
            "tokens": self.tokens,
            "max_budget": self.max_budget,
            "domains": domains,
        }


def solve(params: MixtureParams, available: dict[str, int]) -> Mixture:
    """Tokens per domain.

    Args:
        available: unique tokens of each domain, after tokenization, EOS included.

    Raises:
        MixtureError: a domain without tokens, a budget that the caps do not allow (and ``on_shortfall: error``),
            or a budget beyond all caps together.
    """
    names = sorted(params.domains)
    _check_available(params, available)
    caps = {name: _cap(params, name) * available[name] for name in names}
    fixed = {
        name: _round(_exact(domain.epochs) * available[name])
        for name, domain in params.domains.items()
        if domain.epochs is not None
    }
    shares = _normalised({n: _exact(d.share) for n, d in params.domains.items() if d.share is not None})
    largest = _largest(shares, caps)
    max_budget = None if largest is None else sum(fixed.values()) + largest
    budget = _requested_budget(params, fixed, max_budget)
    free = budget - sum(fixed.values())
    requested = fixed | _apportion(shares, free)
    targets = fixed | _within_caps(params, shares, caps, available, free, max_budget)
    total = sum(targets.values())
    domains = tuple(
        DomainPlan(
            name=name,
            available_tokens=available[name],
            requested_tokens=requested[name],
            target_tokens=targets[name],
            requested_share=requested[name] / budget if budget else 0.0,
            target_share=targets[name] / total if total else 0.0,
            epochs=targets[name] / available[name] if available[name] else 0.0,
            max_epochs=float(_cap(params, name)),
            binding=name in shares and _binds(shares, caps, name, largest),
        )
        for name in names
    )
    return Mixture(budget, total, max_budget, domains)


def _exact(number: float | None) -> Fraction:
    """The decimal fraction as the user wrote it, not its binary neighbour."""
    return Fraction(repr(float(number or 0)))


def _round(number: Fraction) -> int:
    return int(number + Fraction(1, 2))


def _cap(params: MixtureParams, name: str) -> Fraction:
    own = params.domains[name].max_epochs
    return _exact(params.max_epochs if own is None else own)


def _normalised(shares: dict[str, Fraction]) -> dict[str, Fraction]:
    total = sum(shares.values(), Fraction(0))
    return {name: share / total for name, share in sorted(shares.items())} if total else dict(sorted(shares.items()))


def _check_available(params: MixtureParams, available: dict[str, int]) -> None:
    problems = []
    for name, domain in sorted(params.domains.items()):
        if name not in available:
            problems.append(
                f"domain {name!r} is not among those with tokens ({', '.join(sorted(available)) or 'none'})"
            )
        elif available[name] == 0 and (domain.share or domain.epochs):
            problems.append(f"domain {name!r} has no tokens; take it out of the mixture or loosen its selection")
    if problems:
        raise MixtureError("; ".join(problems))


def _largest(shares: dict[str, Fraction], caps: dict[str, Fraction]) -> int | None:
    """Largest number of tokens that can be divided by the shares within the caps; None without shares."""
    limits = [caps[name] / share for name, share in shares.items() if share]
    return int(min(limits)) if limits else None


def _binds(shares: dict[str, Fraction], caps: dict[str, Fraction], name: str, largest: int | None) -> bool:
    return largest is not None and shares[name] > 0 and int(caps[name] / shares[name]) == largest


def _requested_budget(params: MixtureParams, fixed: dict[str, int], max_budget: int | None) -> int:
    taken = sum(fixed.values())
    if params.budget is None:
        return taken if max_budget is None else max_budget
    budget = int(params.budget)
    if taken > budget:
        raise MixtureError(
            f"domains with `epochs` take {taken:,} tokens, more than the budget of {budget:,}; "
            "raise the budget or lower their epochs"
        )
    if max_budget is None and taken != budget:
        raise MixtureError(
            f"every domain has `epochs`, which come to {taken:,} tokens, and the budget says {budget:,}; "
            "leave the budget out, or give a domain a share"
        )
    return budget


def _apportion(shares: dict[str, Fraction], total: int) -> dict[str, int]:
    """Largest remainder: whole numbers in proportion to the shares that sum to ``total``; ties by name."""
    whole = {name: int(share * total) for name, share in shares.items()}
    left = total - sum(whole.values()) if shares else 0
    by_remainder = sorted(shares, key=lambda name: (whole[name] - shares[name] * total, name))
    for name in by_remainder[:left]:
        whole[name] += 1
    return whole


def _within_caps(
    params: MixtureParams,
    shares: dict[str, Fraction],
    caps: dict[str, Fraction],
    available: dict[str, int],
    free: int,
    max_budget: int | None,
) -> dict[str, int]:
    """Targets of the domains with shares, by the shortfall policy."""
    largest = _largest(shares, caps)
    if largest is None or free <= largest:
        return _apportion_capped(shares, caps, free)
    short = [name for name in shares if shares[name] * free > caps[name]]
    if params.on_shortfall == "shrink":
        return _apportion_capped(shares, caps, largest)
    everything = sum(int(caps[name]) for name in shares if shares[name])
    if params.on_shortfall == "error" or free > everything:
        lines = [
            f"{name!r} has {available[name]:,} tokens x {float(_cap(params, name)):g} epochs, "
            f"{_round(shares[name] * free):,} wanted"
            for name in short
        ]
        if params.on_shortfall == "redistribute":
            raise MixtureError(f"the budget is beyond all caps: they allow {everything:,} tokens; {'; '.join(lines)}")
        raise MixtureError(
            f"not enough tokens: {'; '.join(lines)}. The largest budget for these shares is {max_budget:,}; "
            "lower the budget, raise max_epochs, or set on_shortfall to shrink or redistribute"
        )
    return _water_fill(shares, caps, free)


def _water_fill(shares: dict[str, Fraction], caps: dict[str, Fraction], total: int) -> dict[str, int]:
    """Give each its share up to its cap, and what the capped leave to the others in proportion, until all fit."""
    filled: dict[str, int] = {}
    open_shares = {name: share for name, share in shares.items() if share}
    left = total
    while True:
        rest = _normalised(open_shares)
        full = [name for name in rest if rest[name] * left > int(caps[name])]
        if not full:
            break
        for name in full:
            filled[name] = int(caps[name])
            left -= filled[name]
            del open_shares[name]
    return dict.fromkeys(shares, 0) | filled | _apportion_capped(_normalised(open_shares), caps, left)


def _apportion_capped(shares: dict[str, Fraction], caps: dict[str, Fraction], total: int) -> dict[str, int]:
    """`_apportion`, then move what rounding put above a cap (a token at most each) to domains with room, by name."""
    targets = _apportion(shares, total)
    over = {name: target - int(caps[name]) for name, target in targets.items() if target > caps[name]}
    spare = sum(over.values())
    moved = {name: target - over.get(name, 0) for name, target in targets.items()}
    for name in sorted(moved):
        step = min(spare, int(caps[name]) - moved[name]) if shares[name] else 0
        moved[name] += step
        spare -= step
    return moved
