"""Names of one section of a mixture file in another: is it there, is it measured, is it on?"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from pipeline.recipe.fractions import check_fractions
from pipeline.recipe.grids import is_grid
from pipeline.recipe.measured import check_columns, check_languages, check_numbers, measured_columns, place_of
from pipeline.recipe.mistakes import nearest
from pipeline.recipe.named_labels import check_labels
from pipeline.recipe.named_sources import OVERRIDDEN, check_named, named
from pipeline.recipe.products import Source, mixtures_of
from pipeline.recipe.reach import check_reach
from pipeline.recipe.yaml_file import Key, YamlFile
from stages import clusters, kept, schemas
from stages.kept.eligible import LATER, later_rule

LATE = frozenset({*LATER, *schemas.REPEATS.names})
"""Columns that are measured among the pages that pass the rules."""


def check_references(
    yaml_file: YamlFile, found: dict[str, Source | None], domains: dict[str, Any], sections: dict[str, Any]
) -> None:
    check_named(yaml_file, list(found), list(domains))
    measured = [
        columns for source in found.values() if source for columns in measured_columns(source, sections).values()
    ]
    for position, name in enumerate(getattr(sections.get("tokens"), "scores", ())):
        if measured and not any(name in columns for columns in measured):
            there = sorted({column for columns in measured for column in columns})
            yaml_file.add(("tokens", "scores", position), f"no column {name!r} is measured{nearest(name, there)}")
    check_labels(yaml_file, found, sections)
    _check_ensembles(yaml_file, found, sections)
    check_languages(yaml_file, found, domains, sections)
    right = [domain for domain in domains.values() if domain is not None]
    check_columns(yaml_file, found, right, sections)
    check_numbers(yaml_file, found, right, sections)
    check_fractions(yaml_file)
    _check_benchmarks(yaml_file, found, sections)
    _check_ranked(yaml_file, right)
    _check_known(yaml_file, right)
    _check_thresholds(yaml_file, found)
    check_reach(yaml_file, found, domains, [(place, blend.domains) for place, blend in mixtures_of(sections)])
    if sections.get("clusters") is not None and sections.get("signatures") is not None:
        try:
            clusters.check_permutations(sections["clusters"], sections["signatures"].permutations)
        except ValueError as error:
            yaml_file.add(("clusters", "bands"), str(error))
    named = [(place, list(blend.domains)) for place, blend in mixtures_of(sections)]
    raw = yaml_file.data.get("mixture")
    if sections["mixture"] is None and isinstance(raw, dict) and isinstance(raw.get("domains"), dict):
        grids = {str(name) for name, own in yaml_file.data["domains"].items() if is_grid(own)}
        named.append((("mixture",), [name for name in raw["domains"] if name not in grids]))  # something else is wrong
    for place, names in named:
        for name in names:
            if domains and name not in domains:
                yaml_file.add((*place, "domains", name), f"no such domain{nearest(name, list(domains))}")


def _check_ensembles(yaml_file: YamlFile, found: dict[str, Source | None], sections: dict[str, Any]) -> None:
    """Ensembles are of all sources, and of scores that one of them is measured for at least."""
    if sections.get("quality") is None:
        return
    for name in found:
        key = ("sources", name, "quality", "ensembles")
        if key in yaml_file.lines:
            yaml_file.add(key, "ensembles rank the pages of all sources: give them in the section `quality`")
    there: set[str] = set()
    for source in found.values():
        for product, columns in measured_columns(source, sections).items() if source else ():
            there |= set(columns) if product != "ensembles" else set()
    for name, ensemble in sections["quality"].ensembles.items():
        for column in ensemble.of if there else ():
            if column not in there:
                scores = [other for other in sorted(there) if other.endswith("_score")]
                hint = nearest(column, scores) or f"; there is {', '.join(scores) or 'none'}"
                yaml_file.add(("quality", "ensembles", name, "of"), f"no score {column!r} is measured{hint}")
        if f"{name}_score" in there:
            yaml_file.add(("quality", "ensembles", name), f"there is another score {name}_score already")


def _check_benchmarks(yaml_file: YamlFile, found: dict[str, Source | None], sections: dict[str, Any]) -> None:
    """Thresholds are of benchmarks that are looked for."""
    if sections.get("contamination") is None:
        return
    there = [one.label() for one in sections["contamination"].files]
    wrong: dict[Key, str] = {}
    for source in filter(None, found.values()):
        for name in getattr(source.sections.get("kept"), "contamination", ()):
            own: Key = ("sources", source.name, "kept", "contamination", name)
            place = own if own in yaml_file.lines else ("kept", "contamination", name)
            if name not in (*there, "*"):
                hint = nearest(name, there) if there else "; quality.benchmarks.files has none"
                wrong[place] = f"no such benchmark {name!r}{hint}"
    for place, message in wrong.items():
        yaml_file.add(place, message)


def _check_thresholds(yaml_file: YamlFile, found: dict[str, Source | None]) -> None:
    """Refuse a threshold that no source has the rule on for, and a source's own where it is off."""
    if any("kept" in problem.key for problem in yaml_file.problems):  # families may be wrong
        return
    if None in found.values():  # a source that is wrong may have the rule on
        return
    decides = {name: source.sections.get("kept") for name, source in found.items() if source is not None}
    idle = {name: kept.idle_thresholds(params) for name, params in decides.items() if params is not None}
    reported = set()
    for source, rules in idle.items():
        for rule in rules:
            own: Key = ("sources", source, "kept", "rules", rule)
            if own in yaml_file.lines:
                yaml_file.add(own, f"{kept.threshold_hint(rule)}; nothing does in source {source}")
            elif rule not in reported and all(rule in others for others in idle.values()):
                reported.add(rule)
                yaml_file.add(_place_of(rule, yaml_file), kept.threshold_hint(rule))


def _place_of(rule: str, yaml_file: YamlFile) -> Key:
    """The key at which the common section first sets a rule."""
    keys = [key for key in yaml_file.lines if key[:1] == ("kept",) and key[-2:] == ("rules", rule)]
    return keys[0] if keys else ("kept",)


def _check_ranked(yaml_file: YamlFile, domains: list[kept.Domain]) -> None:
    """Percentiles are known before `repeats` is measured, among the pages that all else keeps."""
    late = dict.fromkeys((place_of(d, "percentiles", c), c) for d in domains for c in d.percentiles)
    for place, column in late:
        if column in schemas.REPEATS.names:
            limits = "`min` and `max` of a domain may name it"
            yaml_file.add(place, f"pages are ranked before `repeats` measures {column!r}: {limits}")


def _check_known(yaml_file: YamlFile, domains: list[kept.Domain]) -> None:
    """An override decides who may stay for others, so the pages it is for are known before duplicates and repeats are.

    A domain with a limit on what they measure takes pages from those behind it too: which, is known afterwards.
    """
    limits = [[column for column in (*one.min, *one.max, *one.percentiles) if column in LATE] for one in domains]
    late = [place for place, columns in enumerate(limits) if columns]
    for key, name in (found for pattern in OVERRIDDEN for found in named(yaml_file.data, pattern)) if late else ():
        override = _override_at(yaml_file, key)
        if override is None or all(map(_is_late, override.rules)):
            continue
        pairs = (
            (first, own)
            for own, domain in enumerate(domains)
            if schemas.is_within(domain.name, (name,))
            for first in late
            if first <= own
            and _meet(domains[first], domain)
            and _meet(domains[first], override)
            and _meet(domain, override)
        )
        first, own = next(pairs, (-1, -1))
        if own >= 0:
            whose = "its" if first == own else f"{domains[first].name!r} stands before it, whose"
            yaml_file.add(
                key,
                f"which pages are of {name!r} is known too late for this override: {whose} limit on {limits[first][0]}"
                " is measured among the pages that pass the rules; name sources, languages or labels here",
            )


def _override_at(yaml_file: YamlFile, key: Key) -> kept.Override | None:
    """The override that names a domain at a key, of its source alone where it is one's own; None where it is wrong."""
    found: Any = yaml_file.data
    for part in key[:-2]:
        found = found[part]
    try:
        override = kept.Override.model_validate(found)
    except ValidationError:
        return None
    return override.model_copy(update={"sources": (str(key[1]),)}) if key[0] == "sources" else override


def _meet(one: kept.Domain | kept.Override, other: kept.Domain | kept.Override) -> bool:
    """Whether a page may be asked for by both: no sources, languages, labels or limits that exclude each other."""
    sides = [(one.sources, other.sources), (one.languages, other.languages)]
    sides += [(one.labels[name], other.labels[name]) for name in one.labels if name in other.labels]
    if any(left is not None and right is not None and not set(left) & set(right) for left, right in sides):
        return False
    if isinstance(one, kept.Override) or isinstance(other, kept.Override):
        return True
    pairs = ((one.min, other.max), (other.min, one.max))
    return not any(column in most and most[column] < limit for least, most in pairs for column, limit in least.items())


def _is_late(name: str) -> bool:
    """Whether a rule of an override is decided where all that domains ask for is known."""
    rule = kept.PUBLISHED.get(name)
    column = rule.column if rule else name.removeprefix("below_min_").removeprefix("above_max_")
    return later_rule(name) or column in LATE
