"""Phases: one budget in consecutive parts, each with a mixture of its own (stable, then anneal).

``until`` says where in the budget a phase ends, rising, the last one at 1. A phase may ``reserve`` a fraction of a
domain: those documents are read by that phase alone. Reserves are cut from the end of the domain's sequence; every
other phase reads the common rest, each from where the one before it stopped, so that nothing is repeated before all of
it was read once. `max_epochs` holds over all phases together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, model_validator

from stages.contract import StageParams
from stages.mixture.params import Budget, MixtureError, MixtureParams, exact
from stages.mixture.solve import DomainPlan, Mixture, no_tokens, solve


class PhaseParams(StageParams):
    """One phase: where it ends, what it mixes, what is kept for it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    until: float = Field(gt=0, le=1, description="part of the budget at which the phase ends")
    mixture: MixtureParams
    reserve: dict[str, float] = Field(default_factory=dict, description="fraction of a domain for this phase alone")

    @model_validator(mode="after")
    def _sound(self) -> PhaseParams:
        if self.mixture.budget is not None:
            raise ValueError(f"phase {self.name!r}: its budget follows from `until`; take `budget` out of its mixture")
        for domain, fraction in self.reserve.items():
            if not 0 < fraction <= 1:
                raise ValueError(f"phase {self.name!r}: reserve of {domain!r} must be above 0 and at most 1")
            if domain not in self.mixture.domains:
                raise ValueError(f"phase {self.name!r} reserves {domain!r}, which its mixture does not take")
        return self


class PhasesParams(StageParams):
    """All phases of a training run."""

    budget: Budget
    phases: tuple[PhaseParams, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> PhasesParams:
        if self.budget is None:
            raise ValueError("phases need a budget")
        ends = [phase.until for phase in self.phases]
        if ends != sorted(set(ends)) or ends[-1] != 1:
            raise ValueError(
                f"`until` of the phases must rise and end at 1, found {ends}: phases overlap or leave a gap"
            )
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError(f"phases need names of their own, found {names}")
        reserved: dict[str, float] = {}
        for phase in self.phases:
            for domain, fraction in phase.reserve.items():
                reserved[domain] = reserved.get(domain, 0) + fraction
        over = sorted(domain for domain, fraction in reserved.items() if fraction > 1)
        if over:
            raise ValueError(f"reserves of {', '.join(over)} come to more than the whole domain")
        return self


@dataclass(frozen=True)
class Window:
    """The part of a domain's sequence that a phase reads, and where in its repetition the phase begins."""

    first: int
    stop: int
    start: int


@dataclass(frozen=True)
class PhasePlan:
    """A solved phase."""

    name: str
    mixture: Mixture
    windows: dict[str, Window]


def solve_phases(
    params: PhasesParams, available: dict[str, int], tokenizer: Mapping[str, Any] | None = None
) -> list[PhasePlan]:
    """Tokens and windows per phase and domain.

    Raises:
        MixtureError: naming the phase whose mixture the tokens left to it do not allow.
    """
    reserves = _reserves(params, available)
    common = {name: available[name] - sum(reserves[name].values()) for name in available}
    used = dict.fromkeys(available, 0)
    plans, done = [], 0
    for phase in params.phases:
        stop = int(exact(phase.until) * int(params.budget or 0))
        windows: dict[str, Window] = {}
        for name in sorted(phase.mixture.domains):
            first, size = _reserve_of(reserves.get(name, {}), common.get(name, 0), phase.name)
            start = 0 if phase.name in reserves.get(name, {}) else used.get(name, 0)
            windows[name] = Window(first, first + size, start)
        here = {name: window.stop - window.first for name, window in windows.items() if name in available}
        budget = phase.mixture.model_copy(update={"budget": stop - done})
        try:
            mixture = solve(budget, here, tokenizer, used={name: windows[name].start for name in here})
        except MixtureError as error:
            message = str(error)
            for name in here:
                message = message.replace(
                    no_tokens(name), _emptied(phase, name, reserves[name], available[name]) or no_tokens(name)
                )
            raise MixtureError(f"phase {phase.name!r}: {message}") from error
        if not mixture.tokens:
            raise MixtureError(f"phase {phase.name!r}: {_nothing(phase, here, windows, stop - done)}")
        for name, target in mixture.targets.items():
            if phase.name not in reserves[name]:
                used[name] += target
        plans.append(PhasePlan(phase.name, mixture, windows))
        done = stop
    return plans


def whole_of(plans: Sequence[PhasePlan], available: Mapping[str, int]) -> Mixture:
    """The phases as one mixture: what the whole of the training takes of each domain."""
    parts: dict[str, list[DomainPlan]] = {}
    for plan in plans:
        for part in plan.mixture.domains:
            parts.setdefault(part.name, []).append(part)
    requested = sum(plan.mixture.requested_budget for plan in plans)
    total = sum(plan.mixture.tokens for plan in plans)
    domains = []
    for name in sorted(parts):
        wanted = sum(part.requested_tokens for part in parts[name])
        target = sum(part.target_tokens for part in parts[name])
        domains.append(
            DomainPlan(
                name=name,
                available_tokens=available[name],
                requested_tokens=wanted,
                target_tokens=target,
                requested_share=wanted / requested if requested else 0.0,
                target_share=target / total if total else 0.0,
                epochs=target / available[name] if available[name] else 0.0,
                max_epochs=max(part.max_epochs for part in parts[name]),
                binding=any(part.binding for part in parts[name]),
            )
        )
    warnings = tuple(dict.fromkeys(warning for plan in plans for warning in plan.mixture.warnings))
    return Mixture(requested, total, None, tuple(domains), warnings)


def _reserves(params: PhasesParams, available: dict[str, int]) -> dict[str, dict[str, int]]:
    """Tokens reserved per domain and phase, in order of the phases."""
    found: dict[str, dict[str, int]] = {name: {} for name in available}
    for phase in params.phases:
        for name, fraction in phase.reserve.items():
            if name in available:
                found[name][phase.name] = int(exact(fraction) * available[name])
    return found


def _nothing(phase: PhaseParams, here: Mapping[str, int], windows: Mapping[str, Window], budget: int) -> str:
    """Why a phase gets no token: its part of the budget, or what earlier phases took of a domain that it needs."""
    params = phase.mixture
    shared = [name for name in here if params.domains[name].epochs is None and params.domains[name].share != 0]
    spent = [name for name in shared if int(exact(params.cap(name)) * here[name]) <= windows[name].start]
    if not budget or not spent:
        return "its part of the budget is not one token; raise the budget"
    took = f"earlier phases took all that max_epochs allows of {', '.join(map(repr, spent))}"
    if len(spent) == len(shared):  # nobody is left to take what they lack
        return f"{took}; raise max_epochs, reserve a part for this phase, or let it take another domain"
    return (
        f"{took}, and on_shortfall: shrink keeps the shares; raise max_epochs, reserve a part for this phase, or set"
        " on_shortfall: redistribute"
    )


def _emptied(phase: PhaseParams, domain: str, reserves: dict[str, int], tokens: int) -> str:
    """The reserve that leaves a phase no token of a domain, in words; '' where the domain has none itself."""
    if not tokens:
        return ""
    if phase.name in reserves:
        fraction = phase.reserve[domain]
        return (
            f"its reserve of {domain!r}, {fraction:g} of {tokens:,} tokens, is not one token; raise it or take it out"
        )
    others = ", ".join(reserves)
    return f"domain {domain!r} is reserved whole for {others}; lower that reserve, or take the domain out of this phase"


def _reserve_of(reserves: dict[str, int], common: int, phase: str) -> tuple[int, int]:
    """First token and size of what a phase reads of a domain: its reserve, or the common part."""
    if phase not in reserves:
        return 0, common
    first = common
    for name, size in reserves.items():
        if name == phase:
            break
        first += size
    return first, reserves[phase]
