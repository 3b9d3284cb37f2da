"""The mixture of a recipe: how many tokens of each domain the corpus takes, phase by phase, and mixtures to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.errors import RunError, UserError
from pipeline.recipe.products import Recipe, mixtures_of
from stages import mixture


def solve(recipe: Recipe, available: dict[str, int], tokenizer: dict[str, Any]) -> mixture.Mixture:
    """Tokens of each domain that the corpus takes.

    Raises:
        RunError: when the mixture cannot be made from the tokens there are.
    """
    phases = solve_phases(recipe, available, tokenizer)
    if phases:
        return mixture.whole_of(phases, available)
    try:
        return mixture.solve(recipe.sections["mixture"], available, tokenizer)
    except ValueError as error:
        raise RunError(f"{recipe.path}: mixture: {error}") from error


def taken_nothing_of(recipe: Recipe, blend: mixture.Mixture) -> list[str]:
    """A remark for each domain that has tokens and a share, and of which the corpus takes none."""
    wanted = {
        name
        for _, params in mixtures_of(recipe.sections)
        for name, domain in params.domains.items()
        if domain.share != 0 and domain.epochs != 0
    }
    return [
        f"mixture: domain {plan.name!r} gives no token of its {plan.available_tokens:,}: its share of a budget of"
        f" {blend.requested_budget:,} rounds to 0; raise its share or the budget"
        for plan in blend.domains
        if plan.name in wanted and plan.available_tokens and not plan.target_tokens
    ]


def solve_phases(recipe: Recipe, available: dict[str, int], tokenizer: dict[str, Any]) -> list[mixture.PhasePlan]:
    """The phases of training, each with the part of every domain it reads; none where there is one mixture.

    Raises:
        RunError: when a phase cannot be made from the tokens left to it.
    """
    if recipe.sections["phases"] is None:
        return []
    try:
        return mixture.solve_phases(recipe.sections["phases"], available, tokenizer)
    except ValueError as error:
        raise RunError(f"{recipe.path}: phases: {error}") from error


def text_shares(recipe: Recipe, text_bytes: dict[str, int]) -> dict[str, float]:
    """Shares of the domains in a sample of text, taking bytes for tokens where the solver wants to know how many.

    Raises:
        RunError: when a domain of the mixture has no text.
    """
    phases = recipe.sections["phases"]
    parts = [(1.0, recipe.sections["mixture"])] if phases is None else []
    before = 0.0
    for phase in phases.phases if phases else ():
        parts.append((phase.until - before, phase.mixture))
        before = phase.until
    shares: dict[str, float] = {}
    for weight, params in parts:
        free = params.model_copy(update={"budget": None, "on_shortfall": "redistribute"})
        try:
            solved = mixture.solve(free, text_bytes)
        except ValueError as error:
            raise RunError(f"{recipe.path}: {error}") from error
        for domain in solved.domains:
            shares[domain.name] = shares.get(domain.name, 0.0) + weight * domain.requested_share
    return shares


def swarm(
    recipe: Recipe,
    available: dict[str, int],
    count: int,
    *,
    seed: int,
    budget: str,
    prior: dict[str, float] | None,
    max_epochs: dict[str, float],
    frozen: Sequence[str] = (),
) -> tuple[int, list[dict[str, float]]]:
    """The budget in tokens, and ``count`` mixtures of it as shares by domain (`stages.mixture.swarm`).

    Raises:
        UserError: for a budget that is none, or beyond all caps.
    """
    try:
        tokens = mixture.parse_tokens(budget)
    except ValueError as error:
        raise UserError(f"--budget: {error}") from error
    try:
        drawn = mixture.swarm(
            available, count, seed=seed, budget=tokens, prior=prior, max_epochs=max_epochs, frozen=frozen
        )
        return tokens, drawn
    except ValueError as error:
        raise UserError(f"{recipe.path}: {error}") from error


def groups(recipe: Recipe) -> dict[str, list[str]]:
    """The groups of the mixture's quality curve, with their domains; none without one."""
    found: dict[str, list[str]] = {}
    params = recipe.sections["mixture"]
    for name, domain in params.domains.items() if params is not None and params.groups else ():
        if domain.group is not None:
            found.setdefault(domain.group, []).append(name)
    return found
