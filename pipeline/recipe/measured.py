"""Columns measured of a source, and those that `kept` and the domains need and that are not: each lack in one line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipeline.recipe import graph
from pipeline.recipe.mistakes import nearest
from pipeline.recipe.products import Source
from pipeline.recipe.yaml_file import Key, YamlFile
from stages import kept, schemas
from stages.kept import params as kept_params
from stages.rules import families
from stages.rules.names import LID176, codes_of

OF_ALL = ("cluster_size", "confidence", "text_bytes")
"""Numbers that every page has, and that domains and limits may name too."""
OF_SECTIONS = {"lines": schemas.LINES, "repeats": schemas.REPEATS, "clusters": schemas.CLUSTERS}
"""Columns that such a section switches on, with those of rules of one's own beside `lines`."""
SOURCES = "\0"
"""Stands for the sources that lack the same."""


def check_columns(
    yaml_file: YamlFile, found: dict[str, Source | None], domains: list[kept.Domain], sections: dict[str, Any]
) -> None:
    """Add a mistake for each column that `kept` or a domain needs of a source and that is not measured there."""
    wrong = {problem.key for problem in yaml_file.problems}
    lacking: dict[tuple[Key, str], list[str]] = {}
    for name, source in found.items():
        decides, measures = ((source.sections.get(part) if source else None) for part in ("kept", "quality"))
        if source is None or decides is None or measures is None:
            continue
        columns = [column for names in measured_columns(source, sections).values() for column in names]
        here = [domain for domain in domains if domain.sources is None or name in domain.sources]
        doubted = any(_doubts(key.removeprefix(f"sources.{name}.")) or _is_misspelt(key) for key in wrong)
        needed = [] if doubted else kept.quality_columns(decides, ())  # a doubted section needs nothing for certain
        places = {one: _of_kept(yaml_file, name, decides, one) for one in needed} | dict(_asked_by(here))
        for column in kept.quality_columns(decides, here):
            place = places.get(column)
            if (
                place and column not in columns and not _doubtful(column, sections) and not schemas.is_label(column)
            ):  # of labels `named_labels` reports
                message = _unmeasured(place, column, columns, source, sections)
                if name not in lacking.setdefault((place, message), []):
                    lacking[place, message].append(name)
        for column, place in (*_asked_by(here), *_limited(yaml_file, name, decides)):
            if column in schemas.CLUSTERS.names and column not in columns and not _doubtful(column, sections):
                grid = (*place[:2], "copies")  # makes conditions that the file does not have
                message = _unmeasured(place, column, columns, source, sections)
                there = place if place in yaml_file.lines or grid not in yaml_file.lines else grid
                if name not in lacking.setdefault((there, message), []):  # a grid's domains have one place
                    lacking[there, message].append(name)
        if "has_bad_words" in kept.active_rules(decides) and not measures.bad_words and not doubted:
            key = _of_kept(yaml_file, name, decides, "bad_words")
            yaml_file.add(key, f"has_bad_words needs quality.bad_words, of which source {name} has none")
    for (place, message), names in lacking.items():
        yaml_file.add(place, message.replace(SOURCES, f"source{'s' if len(names) > 1 else ''} {', '.join(names)}"))


def _doubtful(column: str, sections: dict[str, Any]) -> bool:
    """Whether a column is of a section that is wrong: nobody knows whether it is measured."""
    wrong = [name for name in OF_SECTIONS if sections.get(name, OF_SECTIONS) is None]
    return any(column in OF_SECTIONS[name].names or column.startswith(f"own_{name}_") for name in wrong)


def _doubts(key: str) -> bool:
    """Whether after a mistake at this key nobody knows what `kept` asks for, or `quality` measures."""
    section, _, inner = key.partition(".")
    part = re.split(r"[.\[]", inner)[0]
    return section == "quality" or (section == "kept" and part not in {*kept.Params.model_fields} - DECIDING)


def _is_misspelt(key: str) -> bool:
    """Whether a section that nobody knows may have been meant for `quality` or `kept`."""
    near = difflib.get_close_matches(key.lower(), graph.TOP_KEYS, 1, 0.6)
    return key not in graph.TOP_KEYS and near in (["quality"], ["kept"])


DECIDING = {"families", "rules", "views", "overrides"}
"""Keys of `kept` that ask for columns; a key that nobody knows may have been meant for one."""


def check_languages(
    yaml_file: YamlFile,
    found: dict[str, Source | None],
    domains: dict[str, kept.Domain | None],
    sections: dict[str, Any],
) -> None:
    """Refuse languages that the language model never gives: lid.176 has codes of its own."""
    labels = sections.get("language")
    if labels is None or labels.model != "lid.176":
        return
    named: dict[Key, list[str]] = {}
    for name, source in found.items():
        decides = source.sections.get("kept") if source else None
        own_labels = (source.sections.get("language") if source else None) or labels
        if decides is None or own_labels.model != labels.model:
            continue
        for part, languages in (("languages", decides.languages), ("min_confidences", decides.min_confidences)):
            own: Key = ("sources", name, "kept", part)
            named[own if own in yaml_file.lines else ("kept", part)] = [*(languages or ())]
    for domain, conditions in domains.items():
        if conditions is not None and conditions.languages:
            named[("domains", domain.partition(schemas.GRID_MARK)[0], "languages")] = [*conditions.languages]
    for key, languages in named.items():
        for language in languages:
            if language not in LID176:
                code = next((code for code in sorted(LID176) if language in codes_of(code)), None)
                hint = f"; did you mean {code!r}?" if code else ""
                yaml_file.add(key, f"lid.176 knows no language {language!r}{hint}")


def _asked_by(domains: list[kept.Domain]) -> Iterator[tuple[str, Key]]:
    """The columns that domains name, each with the place where the first does."""
    for domain in reversed(domains):
        for side in ("percentiles", "max", "min"):
            for column in getattr(domain, side):
                yield column, place_of(domain, side, column)


def _of_kept(yaml_file: YamlFile, source: str, decides: kept.Params, column: str) -> Key:
    """The key of `kept` that asks for a column: a rule or limit that is set, the families, or the views."""
    rules = [name for name in kept.active_rules(decides) if (r := kept.rule_of(name, decides)) and r.column == column]
    parts: list[Key] = [("rules", name) for name in rules if name in decides.rules]
    parts += [("families",) if rules else ("views",)]
    prefixes: list[Key] = [("sources", source, "kept"), ("kept",)]
    for prefix in prefixes:
        for part in parts:
            if (*prefix, *part) in yaml_file.lines:
                return (*prefix, *part)
    return next((prefix for prefix in prefixes if prefix in yaml_file.lines), ("kept",))


def _unmeasured(place: Key, column: str, columns: list[str], source: Source, sections: dict[str, Any]) -> str:
    """The message about a column that is not measured, `SOURCES` for the sources."""
    off = [p for p in graph.MEASURED if p.missing and column in columns_of(p, source, sections)]
    if off:
        return f"no column {column!r} is measured in {SOURCES}; {off[0].missing}"
    decides = source.sections["kept"]
    family = next((name for name, rules in families.RULES.items() if column in {rule.column for rule in rules}), None)
    if place[-1] in ("families", "kept") and family in decides.families:
        left_out = "" if place[-1] == "families" else f"; left out, kept.families is {', '.join(decides.families)}"
        hint = f"add it to quality.families, or name others here{left_out}"
        return f"family {family} is not measured in {SOURCES}: {hint}"
    if column == "other_language_fraction":
        return f"no column {column!r} is measured in {SOURCES}; set language.segments"
    hint = f"; add {family} to quality.families" if family else nearest(column, [*{*columns, *OF_ALL}])
    return f"no column {column!r} is measured in {SOURCES}{hint}"


def measured_columns(source: Source, sections: dict[str, Any]) -> dict[str, list[str]]:
    """The columns that are measured of a source, by product, as far as the sections are right."""
    known = {name: params for name, params in sections.items() if params is not None}
    return {
        product.name: columns_of(product, source, sections)
        for product in graph.MEASURED
        if product.columns and (product.section or product.name) in known and product.on(known)
    }


def columns_of(product: graph.Product, source: Source, sections: dict[str, Any]) -> list[str]:
    return list(_schema_of(product, source, sections).names)


def _schema_of(product: graph.Product, source: Source, sections: dict[str, Any]) -> pa.Schema:
    section = product.section or product.name
    params = source.sections.get(section) or sections.get(section)
    return product.columns(params) if product.columns and params is not None else pa.schema([])


def check_numbers(
    yaml_file: YamlFile, found: dict[str, Source | None], domains: list[kept.Domain], sections: dict[str, Any]
) -> None:
    """Refuse limits, conditions and percentiles of columns that are no numbers."""
    known = {name: params for name, params in sections.items() if params is not None}
    wrong_kinds: dict[Key, str] = {}
    for name, source in found.items():
        if source is None or not source.sections.get("kept") or not source.sections.get("quality"):
            continue
        types = {name: schemas.DOCUMENTS.field(name).type for name in ("source", "text_bytes")}
        for product in graph.MEASURED:
            if product.columns and (product.section or product.name) in known and product.on(known):
                types |= {field.name: field.type for field in _schema_of(product, source, sections)}
        asked = [*_asked_by([domain for domain in domains if domain.sources is None or name in domain.sources])]
        for column, place in (*asked, *_limited(yaml_file, name, source.sections["kept"])):
            kind = types.get(column)
            if kind is not None and not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
                wrong_kinds[place] = f"the column {column!r} is no number, but {_in_words(kind)}"
    for place, wrong in wrong_kinds.items():
        yaml_file.add(place, wrong)


def _limited(yaml_file: YamlFile, source: str, decides: kept.Params) -> Iterator[tuple[str, Key]]:
    """The columns that limits of `kept.rules` and its overrides name, each with its place."""
    places: list[tuple[Key, dict[str, Any]]] = [(("rules",), dict(decides.rules))]
    places += [(("overrides", row, "rules"), dict(override.rules)) for row, override in enumerate(decides.overrides)]
    for place, rules in places:
        for name in rules:
            for prefix in kept_params.LIMITS:
                if name.startswith(prefix):
                    own: Key = ("sources", source, "kept", *place, name)
                    yield name.removeprefix(prefix), own if own in yaml_file.lines else ("kept", *place, name)


def _in_words(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    return "a list" if pa.types.is_list(kind) else str(kind)


def place_of(domain: kept.Domain, side: str, column: str) -> Key:
    """The key of a condition in the file: that of a domain in a grid at the grid."""
    grid, mark, _ = domain.name.partition(schemas.GRID_MARK)
    return ("domains", grid, side, *(() if mark else (column,)))
