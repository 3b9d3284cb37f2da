"""Reading a mixture file: every section checked, every mistake told at once, and a `Recipe` if there is none.

`sources` may override the sections of the map products (`documents`, `language`, `quality`, `kept`) for one source.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import told
from pipeline.recipe import graph
from pipeline.recipe.checks import check_files
from pipeline.recipe.graph import SECTIONS, TOP_KEYS
from pipeline.recipe.grids import Grids, cells_of, is_grid, written_out
from pipeline.recipe.input import check_functions, check_input, check_scorers
from pipeline.recipe.measured import check_columns, check_languages, columns_of, measured_columns, place_of
from pipeline.recipe.named_labels import check_labels, known_labels
from pipeline.recipe.named_sources import check_named
from pipeline.recipe.own_rules import share_rules
from pipeline.recipe.paths import is_path, resolve, resolve_files, resolve_models, source_paths
from pipeline.recipe.products import Recipe, Source, mixtures_of
from pipeline.recipe.reach import check_reach
from pipeline.recipe.sections import SampleParams, dump
from pipeline.recipe.yaml_file import Key, YamlFile, dotted, nearest, read_yaml, validate
from pipeline.store.storage import Store, filesystem_of
from stages import clusters, kept, mixture, own_lines, own_modules, schemas, sources, token_counts
from stages.contract import Split
from stages.documents import derived
from stages.kept.grid import Cell
from stages.rules import own_functions

MOST_LETTERS = 100
"""Of a name: it is part of file names, with a digest beside it."""


def load(path: str | Path, store: Store, tokenizer: bool = True, look: bool = False) -> Recipe:
    """Read and check a mixture file for a run under the root of ``store``.

    Args:
        tokenizer: False where its tokenizer may not be there yet.
        look: look at the input too, a page of every source, and try scorers (`pipeline.recipe.input`).

    Raises:
        ConfigError: with every mistake in it, each with its line and key.
    """
    yaml_file = read_yaml(path)
    data = yaml_file.data
    own_modules.look_in(Path(path).resolve().parent)
    for key in data:
        if key not in TOP_KEYS:
            yaml_file.add((key,), f"no such key{nearest(str(key), list(TOP_KEYS))}")
    for key in ("sources", "domains"):
        if not isinstance(data.get(key), dict) or not data[key]:
            yaml_file.add((key,), "expected at least one entry: a mapping of names")
            data[key] = {}
    for place in graph.model_paths():
        resolve_models(data, place, (), yaml_file, store)
        resolve_models(data["sources"], ("*", *place), ("sources",), yaml_file, store)
    for inside in graph.file_paths():
        resolve_files(data, inside, (), yaml_file, store)
        resolve_files(data["sources"], ("*", *inside), ("sources",), yaml_file, store)
    share_rules(yaml_file)
    sample = validate(SampleParams, data.get("sample") or {}, yaml_file, ("sample",)) if "sample" in data else None
    sections = {
        name: validate(model, data.get(name) or {}, yaml_file, (name,), mend=name == "kept")
        for name, model in SECTIONS.items()
        if name != "mixture"
    }
    found = {str(name): _source(str(name), raw, yaml_file, store) for name, raw in data["sources"].items()}
    found |= read_transforms(yaml_file, store, found, sections)
    _share_benchmarks(yaml_file, sections, found)
    _share_line_rules(sections)
    _share_tokenizer(sections)
    domains, grids = _domains(yaml_file, found, sections, store)
    sections |= _blends(yaml_file, store, sections["corpus"], grids)
    name = str(data.get("name") or Path(path).stem)
    _check_name(name, ("name",), yaml_file)
    _check_references(yaml_file, found, domains, sections)
    check_files(yaml_file, sections, found, store, tokenizer)
    listed: dict[str, tuple[list[Split], list[str]]] = {}
    if look and "sample" not in data:  # whose pages are made first
        check_functions(yaml_file, sections, found)
        check_scorers(yaml_file, sections["scores"], store)
        listed = check_input(yaml_file, found, store)
    yaml_file.check()
    return Recipe(str(path), name, sample, found, domains, sections, listed)  # type: ignore[arg-type]


def _source(name: str, raw: Any, yaml_file: YamlFile, store: Store) -> Source | None:
    key: Key = ("sources", name)
    if not isinstance(raw, dict):
        yaml_file.add(key, "expected a mapping with at least `paths` or `index`")
        return None
    _check_name(name, key, yaml_file)
    own = {field: value for field, value in raw.items() if field not in graph.overridable()}
    for field in ("paths", "index"):
        if field in own:
            own[field] = source_paths(own[field], (*key, field), yaml_file, store)
    if not {"paths", "index"} & set(own):
        yaml_file.add((*key, "paths"), "this key is needed, or `index`")
        own["paths"] = ["."]  # told; what else is wrong here is told too
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


def _share_line_rules(sections: dict[str, Any]) -> None:
    """The rules of `lines` as the settings of the product that looks for them."""
    if sections["lines"] is not None:
        sections["own_lines"] = own_lines.Params(rules=sections["lines"].rules)


def _share_tokenizer(sections: dict[str, Any]) -> None:
    """The tokenizer of `tokens` as the setting of the product that counts by it."""
    if sections["tokens"] is not None:
        known = token_counts.Params.model_fields
        sections["token_counts"] = token_counts.Params(**{name: getattr(sections["tokens"], name) for name in known})


def _share_benchmarks(yaml_file: YamlFile, sections: dict[str, Any], found: dict[str, Source | None]) -> None:
    """The benchmarks of `quality` as the settings of the products that look for them: the same in all sources."""
    measures = sections["quality"]
    if measures is None:
        return
    sections |= dict.fromkeys(("overlaps", "contamination"), measures.benchmarks)
    for name, source in found.items():
        own = source.sections.get("quality") if source else None
        if own is not None and own.benchmarks != measures.benchmarks:
            key = ("sources", name, "quality", "benchmarks")
            yaml_file.add(key, "benchmarks are the same for all sources, whose pages tell what is common: set one list")


def _check_name(name: str, key: Key, yaml_file: YamlFile) -> None:
    """Names become folders and stand in reports: ASCII letters, digits, ``.``, ``_``, ``-``, up to `MOST_LETTERS`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name, re.ASCII) or len(name) > MOST_LETTERS:
        found = repr(name) if len(name) <= MOST_LETTERS else f"{len(name)} of them"
        yaml_file.add(key, f"expected letters, digits, '.', '_' and '-' in a name, found {found}")


def _domain(name: str, raw: Any, yaml_file: YamlFile) -> kept.Domain | None:
    _check_name(name, ("domains", name), yaml_file)
    if not isinstance(raw, dict):
        yaml_file.add(
            ("domains", name), "expected a mapping of conditions, such as {sources: [NAME]}; {} takes every page"
        )
        return None
    return validate(kept.Domain, {"name": name, **raw}, yaml_file, ("domains", name))


def _domains(
    yaml_file: YamlFile, found: dict[str, Source | None], sections: dict[str, Any], store: Store
) -> tuple[dict[str, kept.Domain | None], dict[str, list[Cell]]]:
    """All domains in order, those of grids one by one; and the grids."""
    domains: dict[str, kept.Domain | None] = {}
    grids: dict[str, list[Cell]] = {}
    common = sections.get("labels")
    known = known_labels(common, [source for source in found.values() if source is not None]) if common else {}
    labellers = common.labellers if common else {}
    unread = [name for name, one in labellers.items() if one.model and known[name] is None]
    for name, raw in yaml_file.data["domains"].items():
        key = ("domains", name)
        if schemas.GRID_MARK in str(name):
            yaml_file.add(
                key, f"expected no {schemas.GRID_MARK!r} in the name of a domain: it divides the names in a grid"
            )
        if not is_grid(raw):
            domains[str(name)] = _domain(str(name), raw, yaml_file)
            continue
        _check_name(str(name), key, yaml_file)
        if raw.get("by") in unread:
            grids[str(name)] = []  # `checks` tells what is wrong with its model
            continue
        if common is None and not raw.get("copies"):
            grids[str(name)] = []  # told in the section `labels`
            continue
        grids[str(name)] = cells_of(str(name), raw, known, yaml_file, store)
        for cell in grids[str(name)]:
            if len(cell.domain.name) > MOST_LETTERS:
                yaml_file.add(key, f"expected names of {MOST_LETTERS} letters at most, found {cell.domain.name!r}")
            domains[cell.domain.name] = cell.domain
    return domains, grids


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
                yaml_file.add((*key, section, name), f"no such key{nearest(str(name), list(known))}")
        merged = merge(yaml_file.data.get(section) or {}, {k: v for k, v in override.items() if k in known})
        scratch = YamlFile(yaml_file.path, yaml_file.data, yaml_file.lines)
        sections[section] = validate(SECTIONS[section], merged, scratch, (*key, section), mend=section == "kept")
        own_keys = {
            dotted(place) for place in yaml_file.lines
        }  # the common section's mistakes are told where they stand
        yaml_file.problems += [problem for problem in scratch.problems if problem.key in own_keys]
    return sections


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
        _check_name(str(name), key, yaml_file)
        if name in found:
            yaml_file.add(key, "there is a source of this name already")
        own = {field: value for field, value in raw.items() if field not in graph.overridable()}
        if isinstance(own.get("params"), dict):
            own["params"] = {
                field: resolve(value, (*key, "params", field), yaml_file, store)
                if isinstance(value, str) and is_path(value) and not re.search(r"\s", value)
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
        yaml_file.add(
            (*key, "function"),
            f"{transform.function}: {told(error)}".replace(f"{transform.function}: " * 2, f"{transform.function}: "),
        )
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


def _check_references(
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
    check_columns(yaml_file, found, [domain for domain in domains.values() if domain is not None], sections)
    _check_ranked(yaml_file, [domain for domain in domains.values() if domain is not None])
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
                told = nearest(column, scores) or f"; there is {', '.join(scores) or 'none'}"
                yaml_file.add(("quality", "ensembles", name, "of"), f"no score {column!r} is measured{told}")
        if f"{name}_score" in there:
            yaml_file.add(("quality", "ensembles", name), f"there is another score {name}_score already")


def _check_thresholds(yaml_file: YamlFile, found: dict[str, Source | None]) -> None:
    """Refuse a threshold that no source has the rule on for, and a source's own where it is off."""
    if any("kept" in problem.key for problem in yaml_file.problems):  # families may be wrong
        return
    decides = {name: source.sections.get("kept") for name, source in found.items() if source is not None}
    idle = {name: kept.idle_thresholds(params) for name, params in decides.items() if params is not None}
    told = set()
    for source, rules in idle.items():
        for rule in rules:
            own: Key = ("sources", source, "kept", "rules", rule)
            if own in yaml_file.lines:
                yaml_file.add(own, f"{kept.threshold_hint(rule)}; nothing does in source {source}")
            elif rule not in told and all(rule in others for others in idle.values()):
                told.add(rule)
                yaml_file.add(_place_of(rule, yaml_file), kept.threshold_hint(rule))


def _place_of(rule: str, yaml_file: YamlFile) -> Key:
    """Where the common section first sets a rule."""
    keys = [key for key in yaml_file.lines if key[:1] == ("kept",) and key[-2:] == ("rules", rule)]
    return keys[0] if keys else ("kept",)


def _check_ranked(yaml_file: YamlFile, domains: list[kept.Domain]) -> None:
    """Percentiles are known before `repeats` is measured, among the pages that all else keeps."""
    late = dict.fromkeys((place_of(d, "percentiles", c), c) for d in domains for c in d.percentiles)
    for place, column in late:
        if column in schemas.REPEATS.names:
            limits = "`min` and `max` of a domain may name it"
            yaml_file.add(place, f"pages are ranked before `repeats` measures {column!r}: {limits}")


def _blends(yaml_file: YamlFile, store: Store, corpus_params: Any, grids: Grids) -> dict[str, Any]:
    """The sections `mixture` and `phases`, of which a file has exactly one; the other is None."""
    data = yaml_file.data
    if "phases" not in data:
        raw = _with_weights(data.get("mixture") or {}, ("mixture",), yaml_file, store)
        raw = written_out(raw, ("mixture",), grids, yaml_file)
        blend = validate(mixture.MixtureParams, raw, yaml_file, ("mixture",)) if raw is not None else None
        return {"mixture": blend, "phases": None}
    if "mixture" in data:
        yaml_file.add(("phases",), "a file has either `mixture` or `phases`; take one of them out")
    if corpus_params is not None and not corpus_params.materialise:
        yaml_file.add(("corpus", "materialise"), "phases take parts of domains, which a corpus of references cannot")
    raw = data["phases"] or {}
    if isinstance(raw, dict) and isinstance(raw.get("phases"), list):
        filled = []
        for position, phase in enumerate(raw["phases"]):
            if isinstance(phase, dict) and "mixture" in phase:
                key = ("phases", "phases", position, "mixture")
                blend = _with_weights(phase["mixture"], key, yaml_file, store)
                phase = {**phase, "mixture": written_out(blend, key, grids, yaml_file)}
                if phase["mixture"] is None:
                    return {"mixture": None, "phases": None}
            filled.append(phase)
        raw = {**raw, "phases": filled}
    return {"mixture": None, "phases": validate(mixture.PhasesParams, raw, yaml_file, ("phases",))}


def _with_weights(raw: Any, key: Key, yaml_file: YamlFile, store: Store) -> Any:
    """A mixture section with the file of ``weights_from`` as its ``imported``; None where that cannot be read."""
    if not isinstance(raw, dict) or not isinstance(raw.get("weights_from"), str):
        return raw
    place = (*key, "weights_from")
    if raw.get("imported") is not None:
        yaml_file.add(place, "give the weights either here or as `imported`, not both")
        return None
    path = resolve(raw["weights_from"], place, yaml_file, store)
    try:
        filesystem, inside = filesystem_of(path)
        with filesystem.open_input_file(inside) as file:
            weights = mixture.read_weights(file.read())
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        yaml_file.add(place, f"{path} cannot be read as weights: {told.removeprefix('Value error, ')}")
        return None
    return {"solver": "imported", **raw, "imported": dump(weights)}
