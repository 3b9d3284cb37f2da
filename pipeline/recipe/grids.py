"""Grids of domains in a mixture file: the domains they stand for, and shares given for their labels.

A grid in `domains` (`stages.kept.grid`) becomes a domain for each label and bucket. In `mixture` it is named as one:

    mixture:
      solver: quality-curve
      domains:
        web: {share: 0.8, labels: {science: 0.6, law: 0.4}}    # each label's share is spread over its buckets
        books: {share: 0.2}

Without ``labels`` one curve is spread over all its domains, labels in proportion to their tokens. A domain that is no
grid keeps its share: it is a group of one bucket. A grid without buckets gives each label its share as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import one_line
from pipeline.recipe.mistakes import nearest, validate
from pipeline.recipe.paths import resolve
from pipeline.recipe.yaml_file import Key, YamlFile
from pipeline.store.storage import Store
from stages.kept.copies import read_weights
from stages.kept.grid import Cell, Grid
from stages.mixture.params import MixtureParams
from stages.schemas import GRID_MARK

Grids = Mapping[str, list[Cell]]
"""The domains of every grid, by its name."""
MAX_EPOCHS = MixtureParams.model_fields["max_epochs"].default
KEYS = ("share", "labels", "epochs", "max_epochs")
"""Keys that a mixture may set for a grid."""


def is_grid(raw: Any) -> bool:
    """Whether an entry of `domains` is a grid."""
    if not isinstance(raw, dict):
        return False
    ranked = raw.get("percentiles")
    return "by" in raw or "copies" in raw or (isinstance(ranked, dict) and bool({"edges", "of"} & ranked.keys()))


def cells_of(
    name: str, raw: dict[str, Any], known: Mapping[str, tuple[str, ...] | None], yaml_file: YamlFile, store: Store
) -> list[Cell]:
    """The domains of a grid; its mistakes are added to the file's."""
    key = ("domains", name)
    if isinstance(raw.get("copies"), str):
        raw = {**raw, "copies": resolve(raw["copies"], (*key, "copies"), yaml_file, store)}
    grid = validate(Grid, raw, yaml_file, key)
    if grid is None:
        return []
    if grid.copies is not None:
        try:
            return grid.by_copies(name, read_weights(grid.copies))
        except (ValueError, OSError) as error:
            yaml_file.add((*key, "copies"), one_line(error))
            return []
    labels = None
    for place, labeller in (("by", grid.by), ("percentiles", grid.percentiles.within if grid.percentiles else None)):
        if labeller is not None and labeller not in known:
            hint = nearest(labeller, list(known)) or ("" if known else "; the section `labels` has none")
            yaml_file.add((*key, place), f"no such labeller {labeller!r}{hint}")
            return []
    if grid.by is not None:
        labels = known[grid.by]
        if labels is None and grid.by not in grid.labels:
            hint = f"give labels.labellers.{grid.by}.labels"
            yaml_file.add((*key, "by"), f"labeller {grid.by!r} does not say its labels: {hint}")
            return []
    return grid.cells(name, labels)


def written_out(raw: Any, key: Key, grids: Grids, yaml_file: YamlFile) -> Any:
    """A mixture section with the domains of grids in the place of their names; None where one of them is wrong, which
    is reported where it stands."""
    if not isinstance(raw, dict) or not isinstance(raw.get("domains"), dict):
        return raw
    named = [name for name in raw["domains"] if name in grids]
    if not named:
        return raw
    if not all(grids[name] for name in named):
        return None
    curved = raw.get("solver") == "quality-curve"
    before = len(yaml_file.problems)
    domains: dict[str, Any] = {}
    for name, own in raw["domains"].items():
        entry = {} if own is None else own
        place = (*key, "domains", name)
        if name in grids:
            most = raw.get("max_epochs", MAX_EPOCHS)
            domains |= _cells(name, entry, place, grids[name], curved, most, yaml_file)
        elif curved and isinstance(entry, dict) and "share" in entry and "domains" not in entry:
            rest = {field: value for field, value in entry.items() if field != "share"}
            domains[name] = {"share": entry["share"], "domains": {name: {"percentiles": [0, 1], **rest}}}
        else:
            domains[name] = own
    return {**raw, "domains": domains} if len(yaml_file.problems) == before else None


def _cells(
    name: str, entry: Any, place: Key, cells: list[Cell], curved: bool, most: Any, yaml_file: YamlFile
) -> dict[str, Any]:
    """The entries of a mixture in the place of a grid."""
    if not isinstance(entry, dict):
        yaml_file.add(place, "expected a mapping with `share`, `labels` or `epochs`")
        return {}
    for field in entry:
        if field not in KEYS:
            yaml_file.add((*place, field), f"no such key for a grid{nearest(str(field), list(KEYS))}")
            return {}
    cap = {"max_epochs": entry["max_epochs"]} if "max_epochs" in entry else {}
    if any(cell.repeats is not None for cell in cells):
        return _by_copies(name, entry, place, cells, cap, curved, most, yaml_file)
    if "epochs" in entry:
        return {cell.domain.name: {"epochs": entry["epochs"], **cap} for cell in cells}
    shares = _label_shares(name, entry, place, cells, yaml_file)
    if shares is None:
        return {}
    by_label: dict[str | None, list[Cell]] = {}
    for cell in cells:
        by_label.setdefault(cell.label, []).append(cell)
    buckets = any(cell.bucket is not None for cell in cells)
    if not curved:
        if not shares:
            if "share" in entry:
                yaml_file.add(place, "a grid's share is spread by a curve: set solver: quality-curve, or give `labels`")
            return {cell.domain.name: dict(cap) for cell in cells}
        if buckets:
            yaml_file.add((*place, "labels"), "shares are spread over buckets by a curve: set solver: quality-curve")
            return {}
        return {
            cells[0].domain.name: {"share": shares[label], **cap}
            for label, cells in by_label.items()
            if label in shares
        }
    if not shares:
        if "share" not in entry:
            yaml_file.add(place, "expected `share`, `labels` or `epochs`, found none")
            return {}
        return {name: {"share": entry["share"], "domains": {c.domain.name: _bucket(c) | cap for c in cells}}}
    return {
        cells[0].domain.name.rpartition(GRID_MARK)[0] if buckets else f"{cells[0].domain.name}": {
            "share": shares[label],
            "domains": {cell.domain.name: _bucket(cell) | cap for cell in cells},
        }
        for label, cells in by_label.items()
        if label in shares
    }


def _by_copies(
    name: str, entry: dict[str, Any], place: Key, cells: list[Cell], cap: dict[str, Any], curved: bool, most: Any,
    yaml_file: YamlFile,
) -> dict[str, Any]:  # fmt: skip
    """Pages repeated by their copies, within the cap: as often as the weights say, or in that proportion of a share."""
    if "labels" in entry or "epochs" in entry:
        yaml_file.add(place, "a grid by `copies` takes `share` or nothing, and `max_epochs`")
        return {}
    limit = cap.get("max_epochs", most)
    known = isinstance(limit, (int, float)) and not isinstance(limit, bool)
    repeats = {cell.domain.name: min(cell.repeats or 1, limit) if known else cell.repeats or 1 for cell in cells}
    if "share" not in entry:
        return {cell: {"epochs": times, **cap} for cell, times in repeats.items()}
    if not curved:
        yaml_file.add(place, "a share of a grid by `copies` is divided by tokens: set solver: quality-curve")
        return {}
    inside = {cell: {"percentiles": [0, 1], "repeats": times, **cap} for cell, times in repeats.items()}
    return {name: {"share": entry["share"], "domains": inside}}


def _bucket(cell: Cell) -> dict[str, Any]:
    low, high = cell.bucket or (0.0, 100.0)
    return {"percentiles": [low / 100, high / 100]}


def _label_shares(
    name: str, entry: dict[str, Any], place: Key, cells: list[Cell], yaml_file: YamlFile
) -> dict[str, float] | None:
    """Shares of the mixture by label; empty where none are given, None where they are wrong."""
    given = entry.get("labels")
    if given is None:
        return {}
    known = list(dict.fromkeys(cell.label for cell in cells if cell.label is not None))  # a cell a bucket
    if not isinstance(given, dict) or not given:
        yaml_file.add((*place, "labels"), "expected a mapping from labels to shares")
        return None
    whole = entry.get("share")
    for label, share in given.items():
        if label not in known:
            hint = nearest(str(label), known)
            yaml_file.add((*place, "labels", label), f"grid {name!r} has no label {label!r}{hint}")
            return None
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            yaml_file.add((*place, "labels", label), f"expected a share from 0 to 1, found {share!r}")
            return None
    if whole is None:
        return {str(label): float(share) for label, share in given.items()}
    total = sum(given.values())
    if abs(total - 1) > 1e-6 or isinstance(whole, bool) or not isinstance(whole, (int, float)):
        wrong = f"with a `share` of the grid, those of its labels must sum to 1, found {total:g}"
        yaml_file.add((*place, "labels"), wrong)
        return None
    return {str(label): float(share) * whole for label, share in given.items()}
