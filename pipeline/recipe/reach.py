"""Domains that no page can reach, and the reasons why a domain has no page.

A page goes to the first domain it meets, and only pages that every rule keeps go anywhere. Domains that no page can
reach by the file alone are reported before any work; others once `kept` is there, before anything is tokenized.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import pyarrow.compute as pc

from pipeline.recipe.products import Recipe, Source, mixtures_of
from pipeline.recipe.yaml_file import Key, YamlFile
from pipeline.store.storage import Store
from stages.schemas import GRID_MARK, label_column
from stages.untrusted import line

SHOWN = 4
"""Reasons and domains that are named; the rest is added up."""
LABELS = 8
"""Labels that are named."""
LABEL_FILES = 256
"""Files in which they are looked for."""
LETTERS = 60
"""Letters of a label or name that are shown, on one line: labels of carried columns are any text."""


class Labels(NamedTuple):
    """Pages by label of a labeller, of the first ``files``; ``whole``: there are no others."""

    counts: Counter[str]
    files: int
    whole: bool


def check_reach(
    yaml_file: YamlFile,
    found: Mapping[str, Source | None],
    domains: Mapping[str, Any],
    blends: Iterable[tuple[Key, Mapping[str, Any]]],
) -> None:
    """Add a mistake for each domain of a mixture that takes tokens of it and that no page can reach."""
    for name in dict.fromkeys(name for _, shares in blends for name, share in shares.items() if takes(share)):
        domain = domains.get(name)
        if domain is None:
            continue
        before = list(domains)[: list(domains).index(name)]
        cover = next((other for other in before if domains[other] is not None and covers(domains[other], domain)), None)
        if cover is not None:
            yaml_file.add(
                ("domains", name),
                f"no page can come here: {cover!r} stands before it and takes all it asks for; put {name!r} first",
            )
            continue
        read = [source for key, source in found.items() if domain.sources is None or key in domain.sources]
        kept = [source.sections["kept"] for source in read if source is not None and source.sections.get("kept")]
        if domain.languages is not None and kept and not any(keeps_some(params, domain.languages) for params in kept):
            wanted = ", ".join(domain.languages)
            yaml_file.add(("domains", name, "languages"), f"no page can come here: kept.languages leaves out {wanted}")


def takes(share: Any) -> bool:
    """Whether a mixture wants tokens of a domain itself: of buckets of a group some may be empty."""
    alone = getattr(share, "group", None) is None
    return bool(alone and getattr(share, "share", None) != 0 and getattr(share, "epochs", None) != 0)


def covers(one: Any, other: Any) -> bool:
    """Whether every page that meets ``other`` meets ``one``: by its sources and languages, and no other condition."""
    if any(value for key, value in one.model_dump().items() if key not in ("name", "sources", "languages")):
        return False
    sides = [(getattr(one, key), getattr(other, key)) for key in ("sources", "languages")]
    return all(wide is None or (narrow is not None and set(narrow) <= set(wide)) for wide, narrow in sides)


def keeps_some(params: Any, languages: Sequence[str]) -> bool:
    """Whether a source's settings keep pages of one of these languages."""
    off = params.rules.get("language_not_selected") is False
    overridden = any("language_not_selected" in override.rules for override in params.overrides)
    return off or overridden or params.languages is None or bool(set(params.languages) & set(languages))


def wanted_domains(recipe: Recipe) -> set[str]:
    """The domains that the mixture, or a phase of it, takes tokens of."""
    return {name for _, params in mixtures_of(recipe.sections) for name, own in params.domains.items() if takes(own)}


def lacking_domains(recipe: Recipe, held: Set[str]) -> set[str]:
    """The domains that are wanted and not among those that hold pages; of a grid cells may be empty, but not all."""
    grids = {name.partition(GRID_MARK)[0] for name in held if GRID_MARK in name}
    return {name for name in wanted_domains(recipe) - held if name.partition(GRID_MARK)[0] not in grids}


def empty_domains(
    recipe: Recipe, lacking: Iterable[str], reports: Iterable[Mapping[str, Any]], labels: Callable[[str], Labels]
) -> list[str]:
    """The reasons and domains that took the pages of each domain that has none, a sentence each.

    Args:
        reports: of the files of `kept`.
        labels: pages by label of a labeller.
    """
    groups = [group for report in reports for group in report["groups"]]
    return [f"domain {name!r} has no page: {_taken(recipe, name, groups, labels)}" for name in sorted(lacking)]


def labels_there(store: Store, files: Sequence[str], labeller: str) -> Labels:
    """Pages by label of a labeller, of the first `LABEL_FILES` files of `labels`."""
    counts = Counter[str]()
    for file in files[:LABEL_FILES]:
        column = store.read_table(file, [label_column(labeller)]).column(0)
        counts.update({row["values"]: row["counts"] for row in pc.value_counts(column.drop_null()).to_pylist()})
    return Labels(counts, min(len(files), LABEL_FILES), len(files) <= LABEL_FILES)


def _taken(recipe: Recipe, name: str, groups: Sequence[Mapping[str, Any]], labels: Callable[[str], Labels]) -> str:
    domain = recipe.domains[name]
    before = set(list(recipe.domains)[: list(recipe.domains).index(name)])
    reasons, taken, dropped, others = Counter[str](), Counter[str](), Counter[str](), 0
    for group in groups:
        pages, reason, place = group["documents"], group["reason"], group["domain"]
        if place == name:
            reasons[reason] += pages
        elif (domain.sources is None or group["source"] in domain.sources) and (
            domain.languages is None or group["language"] in domain.languages
        ):
            if place not in before:
                others += pages
            elif reason is None:
                taken[place] += pages
            else:
                dropped[reason] += pages
    if reasons:
        return f"of the {reasons.total():,} pages that meet its conditions, {_listed(reasons)} took all"
    parts = [f"{_listed(taken)} took: a page goes to the first it meets"] if taken else []
    parts += [f"{_listed(dropped)} dropped"] if dropped else []
    parts += [f"{others:,} do not meet {_conditions(domain)}{_labels_there(domain, labels)}"] if others else []
    count = taken.total() + dropped.total() + others
    if parts:
        return f"of the {count:,} pages of its sources and languages " + ", ".join(parts)
    return "no page of its sources and languages was read"


def _labels_there(domain: Any, labels: Callable[[str], Labels]) -> str:
    """The labels that pages have, of each labeller whose labels a domain asks for and no page has."""
    parts = []
    for labeller, asked in domain.labels.items():
        found = labels(labeller)
        if not set(asked) & set(found.counts):
            there = _listed(found.counts, LABELS) if found.counts else "none"
            names = [line(name, LETTERS) for name in asked[:LABELS]]
            names += [f"{len(asked) - LABELS:,} others"] if len(asked) > LABELS else []
            pages = "page" if found.whole else f"page of the first {found.files} files"
            parts.append(f" (no {pages} has a label {' or '.join(names)} of {labeller!r}; there are {there})")
    return "".join(parts)


def _conditions(domain: Any) -> str:
    """Conditions of a domain beside sources and languages, by name: `min.x_score`."""
    named = [f"{key}.{name}" for key in ("labels", "min", "max", "percentiles") for name in getattr(domain, key)]
    return " and ".join(named) or "its conditions"


def _listed(counts: Counter[str], shown: int = SHOWN) -> str:
    most = [f"{line(name, LETTERS)} ({pages:,})" for name, pages in counts.most_common(shown)]
    rest = counts.total() - sum(pages for _, pages in counts.most_common(shown))
    return ", ".join(most) + (f" and others ({rest:,})" if rest else "")
