"""Sources and domains that a mixture file names in other sections: is there one of that name?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pipeline.recipe.yaml_file import Key, YamlFile
from stages import schemas
from stages.rules.names import nearest

SOURCES: tuple[Key, ...] = (
    ("domains", "*", "sources"),
    ("kept", "overrides", "*", "sources"),
    ("sources", "*", "kept", "overrides", "*", "sources"),
    ("clusters", "source_priority"),
    ("clusters", "groups", "*"),
    ("clusters", "exempt"),
    ("clusters", "max_source_losses"),
    ("repeats", "source_priority"),
    ("run", "allow_empty"),
)
"""Keys that name sources, in a list or as keys. Those of transforms are checked with the transform."""
OVERRIDDEN: tuple[Key, ...] = (
    ("kept", "overrides", "*", "domains"),
    ("sources", "*", "kept", "overrides", "*", "domains"),
)
"""Keys that name domains for which rules are other ones."""
DOMAINS: tuple[Key, ...] = (*OVERRIDDEN, ("tokens", "fim", "domains"))
"""Keys that name domains, grids and labels of grids too."""


def check_named(yaml_file: YamlFile, sources: Collection[str], domains: Collection[str]) -> None:
    """Report every name that is none, with the nearest one that is.

    A page of an earlier crawl may be of a source that this file has not: where there are such, `clusters` may name any.
    """
    clusters: Any = yaml_file.data.get("clusters")
    earlier = _has_keys(clusters) and clusters.get("earlier")
    for pattern in SOURCES if sources else ():
        if earlier and pattern[0] == "clusters":
            continue
        for key, name in named(yaml_file.data, pattern):
            if name not in sources:
                yaml_file.add(key, f"no such source {name!r}{nearest(name, sources)}")
    names = list(dict.fromkeys(domain.partition(schemas.GRID_MARK)[0] for domain in domains))
    for pattern in DOMAINS if domains else ():
        for key, name in named(yaml_file.data, pattern):
            if not any(schemas.is_within(domain, (name,)) for domain in domains):
                yaml_file.add(key, f"no such domain {name!r}{nearest(name, names)}")


def named(value: Any, pattern: Key, key: Key = ()) -> Iterator[tuple[Key, str]]:
    """Every name at a pattern of keys, with its place; a value of another type is reported elsewhere."""
    if not pattern:
        names = (
            enumerate(value) if isinstance(value, list) else ((one, one) for one in value) if _has_keys(value) else ()
        )
        yield from (((*key, place), name) for place, name in names if isinstance(name, str))
    elif pattern[0] == "*":
        inside = enumerate(value) if isinstance(value, list) else value.items() if _has_keys(value) else ()
        for place, one in inside:
            yield from named(one, pattern[1:], (*key, place))
    elif _has_keys(value) and pattern[0] in value:
        yield from named(value[pattern[0]], pattern[1:], (*key, pattern[0]))


def _has_keys(value: Any) -> bool:
    return isinstance(value, dict)
