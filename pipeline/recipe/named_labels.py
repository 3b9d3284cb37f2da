"""Labels that a mixture file names: is there such a labeller, does it know such a label, is its column carried?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pipeline.recipe.mistakes import nearest
from pipeline.recipe.products import Source
from pipeline.recipe.yaml_file import Key, YamlFile
from stages import labels
from stages.figures import listed

SHOWN = 12
"""Labels that a message lists."""


def check_labels(yaml_file: YamlFile, found: dict[str, Source | None], sections: dict[str, Any]) -> None:
    """Report every labeller and label that is named and not there, and columns that no source carries."""
    common = sections.get("labels")
    if common is None:
        return
    sources = [source for source in found.values() if source is not None and source.sections.get("labels") is not None]
    for source in sources:
        for name in source.sections["labels"].labellers:
            if name not in common.labellers:
                hint = nearest(name, list(common.labellers))
                place = ("sources", source.name, "labels", "labellers", name)
                yaml_file.add(place, f"expected a labeller of the section `labels`{hint}")
    _check_carried(yaml_file, sources)
    known = known_labels(common, sources)
    for key, named in _named(yaml_file.data):
        if not isinstance(named, dict):
            continue
        for name, wanted in named.items():
            if name not in common.labellers:
                hint = nearest(str(name), list(common.labellers)) or (
                    "" if common.labellers else "; the section `labels` has none"
                )
                yaml_file.add((*key, name), f"no such labeller {name!r}{hint}")
                continue
            for where, label in _labels_at((*key, name), wanted):
                there = known[name]
                if there is not None and label not in there:
                    hint = nearest(label, list(there)) or f"; known: {listed(there, SHOWN)}"
                    yaml_file.add(where, f"labeller {name!r} has no label {label!r}{hint}")


def known_labels(common: labels.Params, sources: list[Source]) -> dict[str, tuple[str, ...] | None]:
    """The labels that each labeller may give in any source; None where that shows only in the input."""
    found: dict[str, tuple[str, ...] | None] = {}
    for name in common.labellers:
        lists: list[tuple[str, ...] | None] = []
        for params in [source.sections["labels"] for source in sources] or [common]:
            with suppress(ValueError, OSError):  # which `checks` reports
                lists.append(params.labellers[name].known())
        every = {label for known in lists for label in known or ()}
        found[name] = None if not lists or None in lists else tuple(sorted(every))
    return found


def _check_carried(yaml_file: YamlFile, sources: list[Source]) -> None:
    """A column that no source carries is one that nobody has."""
    wanted: dict[tuple[str, str], bool] = {}
    for source in sources:
        for name, labeller in source.sections["labels"].labellers.items():
            if labeller.column is not None:
                key = (name, labeller.column)
                wanted[key] = wanted.get(key, False) or labeller.column in source.params.carry
    for (name, column), carried in wanted.items():
        if not carried:
            there = sorted({ours for source in sources for ours in source.params.carry})
            hint = nearest(column, there) or "; a source says `carry: {" + column + ": THEIR_COLUMN}`"
            yaml_file.add(("labels", "labellers", name, "column"), f"no source carries a column {column!r}{hint}")


def _named(data: dict[str, Any]) -> Iterator[tuple[Key, Any]]:
    """Every place that names labels, with what stands there."""

    def under(holder: Any, key: Key) -> Iterator[tuple[Key, Any]]:
        if isinstance(holder, dict) and "labels" in holder:
            yield (*key, "labels"), holder["labels"]

    def decides(holder: Any, key: Key) -> Iterator[tuple[Key, Any]]:
        yield from under(holder, key)
        overrides = holder.get("overrides") if isinstance(holder, dict) else None
        for position, override in enumerate(overrides if isinstance(overrides, list) else ()):
            yield from under(override, (*key, "overrides", position))

    for name, domain in (data.get("domains") or {}).items():
        yield from under(domain, ("domains", name))
    yield from decides(data.get("kept"), ("kept",))
    for name, source in (data.get("sources") or {}).items():
        yield from decides(source.get("kept") if isinstance(source, dict) else None, ("sources", name, "kept"))


def _labels_at(key: Key, wanted: Any) -> Iterator[tuple[Key, str]]:
    """The labels of a condition, or of a choice of `kept.labels`, each with its place."""
    if isinstance(wanted, dict):
        for side, listed in wanted.items():
            yield from _labels_at((*key, side), listed)
    elif isinstance(wanted, list):
        for position, label in enumerate(wanted):
            if isinstance(label, str):
                yield (*key, position), label
