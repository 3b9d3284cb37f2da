"""Reading a mixture file: every section checked, every mistake reported at once, and a `Recipe` if there is none.

`sources` may override the sections of the map products (`documents`, `language`, `quality`, `kept`) for one source.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.recipe import graph
from pipeline.recipe.checks import check_files
from pipeline.recipe.entries import MOST_LETTERS, check_name, read_source, read_transforms
from pipeline.recipe.graph import SECTIONS, TOP_KEYS
from pipeline.recipe.grids import Grids, cells_of, is_grid, written_out
from pipeline.recipe.input import check_functions, check_input, check_scorers
from pipeline.recipe.mistakes import cut, no_such_key, validate
from pipeline.recipe.named_labels import known_labels
from pipeline.recipe.own_rules import share_rules
from pipeline.recipe.paths import resolve, resolve_files, resolve_models
from pipeline.recipe.products import Recipe, Source
from pipeline.recipe.references import check_references
from pipeline.recipe.sections import SampleParams, dump
from pipeline.recipe.yaml_file import Key, YamlFile, read_yaml
from pipeline.store.storage import Store, filesystem_of
from stages import kept, mixture, own_lines, own_modules, schemas, token_counts
from stages.contract import Split
from stages.kept.grid import Cell


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
            yaml_file.add((key,), no_such_key(str(key), list(TOP_KEYS)))
    for key in ("sources", "domains"):
        if not isinstance(data.get(key), dict) or not data[key]:
            yaml_file.add((key,), f"expected at least one entry: a mapping of names{_found(data.get(key))}")
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
    found = {str(name): read_source(str(name), raw, yaml_file, store) for name, raw in data["sources"].items()}
    found |= read_transforms(yaml_file, store, found, sections)
    _share_benchmarks(yaml_file, sections, found)
    _share_line_rules(sections)
    _share_tokenizer(sections)
    domains, grids = _domains(yaml_file, found, sections, store)
    sections |= _blends(yaml_file, store, sections["corpus"], grids)
    name = str(data.get("name") or Path(path).stem)
    check_name(name, ("name",), yaml_file)
    check_references(yaml_file, found, domains, sections)
    check_files(yaml_file, sections, found, store, tokenizer)
    listed: dict[str, tuple[list[Split], list[str]]] = {}
    if look and "sample" not in data:  # whose pages are made first
        check_functions(yaml_file, sections, found)
        check_scorers(yaml_file, sections["scores"], store)
        listed = check_input(yaml_file, found, store)
    yaml_file.check()
    return Recipe(str(path), name, sample, found, domains, sections, listed)  # type: ignore[arg-type]


def _found(entries: Any) -> str:
    """What stands in the place of a mapping of names, and what to write."""
    if isinstance(entries, list):
        return ", found a list: write `NAME: {...}`, without dashes"
    return f", found {cut(repr(entries))}" if entries else ""


def modules_beside(path: str | Path, store: Store) -> dict[str, bytes]:
    """Sources of the modules beside a mixture file that it uses, with those that these import, by path from there."""
    recipe = load(path, store)
    for source in recipe.sources:
        recipe.fingerprint("documents", source)  # loads formats and extractors
    return own_modules.packed()


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


def _domain(name: str, raw: Any, yaml_file: YamlFile) -> kept.Domain | None:
    check_name(name, ("domains", name), yaml_file)
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
        check_name(str(name), key, yaml_file)
        if raw.get("by") in unread:
            grids[str(name)] = []  # `checks` reports what is wrong with its model
            continue
        if common is None and not raw.get("copies"):
            grids[str(name)] = []  # reported in the section `labels`
            continue
        grids[str(name)] = cells_of(str(name), raw, known, yaml_file, store)
        for cell in grids[str(name)]:
            if len(cell.domain.name) > MOST_LETTERS:
                yaml_file.add(key, f"expected names of {MOST_LETTERS} letters at most, found {cell.domain.name!r}")
            domains[cell.domain.name] = cell.domain
    return domains, grids


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
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        yaml_file.add(place, f"{path} cannot be read as weights: {reason.removeprefix('Value error, ')}")
        return None
    return {"solver": "imported", **raw, "imported": dump(weights)}
