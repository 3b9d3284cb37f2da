"""Entries of `sources` and `transforms` in a mixture file: what each reads, and what it overrides of the sections."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import BaseModel

from pipeline.errors import one_line
from pipeline.recipe import graph
from pipeline.recipe.graph import SECTIONS
from pipeline.recipe.measured import columns_of
from pipeline.recipe.mistakes import cut, nearest, no_such_key, validate
from pipeline.recipe.paths import resolve, resolve_argument, resolve_files, source_paths
from pipeline.recipe.products import Source
from pipeline.recipe.yaml_file import Key, Problem, YamlFile, dotted
from pipeline.store.storage import Store
from stages import schemas, sources
from stages.documents import derived
from stages.rules import own_functions

MOST_LETTERS = 100
"""Letters of a name: it is part of file names, with a digest beside it."""


def read_source(name: str, raw: Any, yaml_file: YamlFile, store: Store) -> Source | None:
    key: Key = ("sources", name)
    if not isinstance(raw, dict):
        shown = cut(repr(raw))
        hint = f", found {shown}; write {{paths: {shown}}}" if isinstance(raw, (str, list)) and raw else ""
        yaml_file.add(key, f"expected a mapping with at least `paths` or `index`{hint}")
        return None
    check_name(name, key, yaml_file)
    own = {field: value for field, value in raw.items() if field not in graph.overridable()}
    for field in ("paths", "index"):
        if field in own:
            own[field] = source_paths(own[field], (*key, field), yaml_file, store)
    if not {"paths", "index"} & set(own):
        yaml_file.add((*key, "paths"), "this key is needed, or `index`")
        own["paths"] = ["."]  # reported above; so is all else that is wrong here
    where = own.get("where")
    if isinstance(where, dict) and isinstance(where.get("urls"), str):
        own["where"] = {**where, "urls": resolve(where["urls"], (*key, "where", "urls"), yaml_file, store)}
    if isinstance(own.get("base"), str):
        own["base"] = resolve(own["base"], (*key, "base"), yaml_file, store)
    params = validate(sources.SourceParams, own, yaml_file, key)
    sections = overridden(raw, key, yaml_file)
    if params is not None and sections.get("documents") is not None:
        sections["documents"] = sections["documents"].model_copy(update=params.reading())
    return Source(name, params, sections) if params is not None else None


def check_name(name: str, key: Key, yaml_file: YamlFile) -> None:
    """Names become folders and stand in reports: ASCII letters, digits, ``.``, ``_``, ``-``, up to `MOST_LETTERS`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name, re.ASCII) or len(name) > MOST_LETTERS:
        found = repr(name) if len(name) <= MOST_LETTERS else f"{len(name)} letters"
        most = f", {MOST_LETTERS} at most" if len(name) > MOST_LETTERS else ""
        yaml_file.add(key, f"expected letters, digits, '.', '_' and '-' in a name{most}, found {found}")


def overridden(raw: dict[str, Any], key: Key, yaml_file: YamlFile) -> dict[str, Any]:
    """The sections that an entry may override, with what it overrides."""
    sections: dict[str, Any] = {}
    for section in graph.overridable():
        override = raw.get(section) or {}
        if not isinstance(override, dict):
            yaml_file.add((*key, section), "expected a mapping")
            continue
        known = SECTIONS[section].model_fields
        for name in override:
            if name not in known:
                yaml_file.add((*key, section, name), no_such_key(str(name), list(known)))
        common, override = yaml_file.data.get(section) or {}, {k: v for k, v in override.items() if k in known}
        scratch = YamlFile(yaml_file.path, yaml_file.data, yaml_file.lines)
        place, mend = (*key, section), section == "kept"
        sections[section] = validate(SECTIONS[section], merge(common, override), scratch, place, mend=mend)
        yaml_file.problems += _own_problems(SECTIONS[section], scratch, (common, override), place)
    return sections


def _own_problems(model: type[BaseModel], merged: YamlFile, parts: tuple[Any, Any], place: Key) -> list[Problem]:
    """The problems of a merged section without those of the common one, which are reported where they stand."""
    keys = {dotted(key) for key in merged.lines} if merged.problems else set()
    own = [problem for problem in merged.problems if problem.key in keys]
    if not own:
        return []
    common, override = (YamlFile(merged.path, merged.data, merged.lines) for _ in parts)
    for part, file in zip(parts, (common, override), strict=True):
        validate(model, part, file, place)
    return [problem for problem in own if problem not in common.problems or problem in override.problems]


def read_transforms(
    yaml_file: YamlFile, store: Store, found: dict[str, Source | None], sections: dict[str, Any]
) -> dict[str, Source | None]:
    """The entries of `transforms` as sources."""
    entries = yaml_file.data.get("transforms") or {}
    if not isinstance(entries, dict):
        yaml_file.add(("transforms",), "expected a mapping of names")
        return {}
    resolve_files(yaml_file.data, ("transforms", "*", "kept", "urls", "*", "paths"), (), yaml_file, store)
    made: dict[str, Source | None] = {}
    for name, raw in entries.items():
        key: Key = ("transforms", str(name))
        if not isinstance(raw, dict):
            yaml_file.add(key, "expected a mapping with `function` and `inputs`")
            continue
        check_name(str(name), key, yaml_file)
        if name in found:
            yaml_file.add(key, "there is a source of this name already")
        own = {field: value for field, value in raw.items() if field not in graph.overridable()}
        if isinstance(own.get("params"), dict):
            own["params"] = {
                field: resolve_argument(value, (*key, "params", field), yaml_file, store)
                if isinstance(value, str) and not re.search(r"\s", value)
                else value
                for field, value in own["params"].items()
            }
        if "documents" in raw:
            yaml_file.add((*key, "documents"), "a transform reads no files: it has no such section")
        transform = validate(derived.Transform, own, yaml_file, key)
        nothing = sources.SourceParams.model_validate({"paths": (str(name),)})
        own_sections = overridden({k: v for k, v in raw.items() if k != "documents"}, key, yaml_file)
        made[str(name)] = Source(str(name), nothing, own_sections, transform) if transform is not None else None
        if transform is not None:
            check_transform(yaml_file, key, transform, found, sections)
    return made


def check_transform(
    yaml_file: YamlFile,
    key: Key,
    transform: derived.Transform,
    found: dict[str, Source | None],
    sections: dict[str, Any],
) -> None:
    """Its function can be called with its arguments, its sources are there, and its conditions are measured."""
    try:
        inspect.signature(own_functions.load(transform.function)).bind(None, **transform.params)
    except (ValueError, TypeError) as error:
        prefix = f"{transform.function}: "
        yaml_file.add((*key, "function"), f"{prefix}{one_line(error)}".replace(prefix * 2, prefix))
    known = {name: params for name, params in sections.items() if params is not None}
    products = (
        [graph.BY_NAME[name] for name in graph.together(known)] if {"quality", "clusters", "labels"} <= {*known} else []
    )
    for name in transform.inputs.sources:
        if name not in found:
            hint = nearest(name, list(found))
            is_one = name in (yaml_file.data.get("transforms") or {})
            yaml_file.add(
                (*key, "inputs", "sources"),
                f"{name!r} is a transform: only pages that were read can be taken"
                if is_one
                else f"no such source {name!r}{hint}",
            )
        source = found.get(name)
        if source is None or not products:
            continue
        there = [*schemas.DOCUMENTS.names, *(c for product in products for c in columns_of(product, source, sections))]
        for column in transform.inputs.columns():
            if column not in there:
                yaml_file.add(
                    (*key, "inputs"),
                    f"no column {column!r} is measured with the text of source {name}{nearest(column, there)}",
                )


def merge(common: Any, own: Any) -> Any:
    """``own`` laid over ``common``: mappings key by key, everything else replaced."""
    if isinstance(common, dict) and isinstance(own, dict):
        return {**common, **{key: merge(common.get(key), value) for key, value in own.items()}}
    return own
