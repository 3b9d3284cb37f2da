"""Rules that the settings of `kept` switch on, in the order of reasons, and thresholds given to rules that are off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.kept.params import (
    DUPLICATES,
    FAMILY_OF,
    FIRST,
    FIXED,
    LAST,
    LIMITS,
    LISTED,
    NOTHING_LEFT,
    PUBLISHED,
    UNWANTED,
    Override,
    Params,
    Setting,
    label_rules,
    list_rules,
    right_rules,
    set_rule,
    span_columns,
)
from stages.rules import families, rights
from stages.rules.robots_files import is_rule
from stages.rules.rule import Rule


def active_rules(params: Params) -> list[str]:
    """Names of the rules that are on for some page, in the order of reasons."""
    settings = [params.rules, *(override.rules for override in params.overrides)]
    names = []
    limits = sorted({name for given in settings for name in given if name.startswith(LIMITS)})
    listed, unwanted = list_rules(params), label_rules(params)
    requests = right_rules(params)
    measured = (*PUBLISHED, *params.own, *limits)
    for name in (FIRST[0], *listed, *requests, *FIRST[1:], *unwanted, *measured, *LAST, *DUPLICATES):
        if name == NOTHING_LEFT and not params.views:
            continue
        states = [(by_default(name, params), 0.0)]
        for given in settings:
            states.append(set_rule(name, states[-1], given[name]) if name in given else states[-1])
        if any(on for on, _ in states[1:]):
            names.append(name)
    return names


def by_default(name: str, params: Params) -> bool:
    """Whether a rule is on where no setting names it."""
    return (
        name in (*FIXED, *LAST, *rights.RULES, *params.own)
        or is_rule(name)
        or name.startswith((LISTED, UNWANTED))
        or FAMILY_OF.get(name) in params.families
    )


def idle_thresholds(params: Params) -> list[str]:
    """Rules that are given a threshold for pages for which nothing switches them on, in the order of the file."""
    settings = [params.rules, *(override.rules for override in params.overrides)]
    found = {}
    for place, given in enumerate(settings):
        for name in [name for name, setting in given.items() if not isinstance(setting, bool)]:
            on = params.rules.get(name, by_default(name, params)) is True or name.startswith(LIMITS)
            on |= name in params.rules and params.rules[name] is not False and by_default(name, params)
            others = (other for other in params.overrides if not place or _overlap(params.overrides[place - 1], other))
            if not on and not any(other.rules.get(name) is True for other in others):
                found[name] = True
    return list(found)


def _overlap(one: Override, other: Override) -> bool:
    """Whether a page may meet the conditions of both."""
    sides: list[tuple[Any, Any]] = [
        (getattr(one, key), getattr(other, key)) for key in ("sources", "languages", "domains")
    ]
    named = [name for name in one.labels if name in other.labels]
    sides += [(one.labels[name], other.labels[name]) for name in named]
    return all(a is None or b is None or set(a) & set(b) for a, b in sides)


def threshold_hint(name: str) -> str:
    """A hint what to write instead of the threshold of a rule that is off."""
    reason = "a number is a threshold and switches no rule on"
    rule = PUBLISHED.get(name)
    if rule is None:
        return f"{reason}: write true where it is false"
    limit = f"{LIMITS[0] if rule.side == 'min' else LIMITS[1]}{rule.column}"
    return f"{reason}: add {FAMILY_OF[name]} to kept.families, or set a limit of your own, {limit}"


def rule_of(name: str, params: Params) -> Rule | None:
    """The measured rule of that name, the user's own ones included; None for the others."""
    if name in params.own:
        limit = params.own[name]
        return Rule(name, limit.column, limit.side, limit.threshold)
    for prefix, side in zip(LIMITS, ("min", "max"), strict=True):
        if name.startswith(prefix):
            return Rule(name, name.removeprefix(prefix), "min" if side == "min" else "max", 0.0)
    return PUBLISHED.get(name)


def without_columns(params: Params, columns: Sequence[str]) -> Params:
    """These settings without every rule and view that reads one of these columns."""

    def other(rules: dict[str, Setting]) -> dict[str, Setting]:
        looked = {name: rule.column for name in rules if (rule := rule_of(name, params))}
        return {name: setting for name, setting in rules.items() if looked.get(name) not in columns}

    changed: dict[str, Any] = {
        "families": tuple(
            name for name in params.families if any(r.column not in columns for r in families.RULES[name])
        ),
        "rules": other(params.rules),
        "own": {name: limit for name, limit in params.own.items() if limit.column not in columns},
        "views": tuple(
            view for view, column in zip(params.views, span_columns(params), strict=True) if column not in columns
        ),
        "overrides": tuple(one.model_copy(update={"rules": other(one.rules)}) for one in params.overrides),
    }
    return params.model_copy(update=changed)
