"""The stages' part of `calibrate`: rules that a mixture uses, and proposals for them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.recipe.products import Recipe
from pipeline.store.storage import Store
from stages import kept
from stages.kernels.unicode import characters
from stages.rules import calibrate
from stages.rules.names import check_names

STOP_WORD_PAGES = 1000
"""Pages of a language whose words are counted."""


class Proposals(NamedTuple):
    """Thresholds of rules, for people and as entries of ``kept.overrides``; and least confidences."""

    proposals: list[calibrate.Proposal]
    overrides: list[dict[str, Any]]
    confidences: dict[str, float]


def rules_of(recipe: Recipe) -> tuple[str, ...]:
    """The published rules that are on for any source of a mixture."""
    active = [kept.active_rules(source.sections["kept"]) for source in recipe.sources.values()]
    return tuple(name for name in kept.PUBLISHED if any(name in names for names in active))


def rules_by_source(recipe: Recipe, rules: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Rules for which the pages of each source count: those on for it, and those that are on for none."""
    active = {name: kept.active_rules(source.sections["kept"]) for name, source in recipe.sources.items()}
    nowhere = [name for name in rules if not any(name in names for names in active.values())]
    return {
        source: tuple(name for name in rules if name in names or name in nowhere) for source, names in active.items()
    }


def columns_of(rules: tuple[str, ...], measured: list[str]) -> list[str]:
    """The measured columns that rules look at."""
    wanted = [kept.PUBLISHED[name].column for name in rules if name in kept.PUBLISHED]
    lists = tuple(kept.BY_LANGUAGE[name] for name in wanted if name in kept.BY_LANGUAGE)
    return [name for name in measured if name in wanted or (lists and name.startswith(lists))]


def propose(pages: pa.Table, rules: tuple[str, ...], method: Any, reference: str, min_pages: int) -> Proposals:
    """Proposals from a sample of pages with the columns of `language` and `quality`.

    Raises:
        ValueError: for an unknown rule, or too few pages of the reference language.
    """
    check_names("rule", rules, kept.PUBLISHED)
    for name in (name for name in kept.BY_LANGUAGE if name in pages.column_names):
        values = pa.array(kept.rule_values(pages, name), pa.float64(), from_pandas=True)
        pages = pages.set_column(pages.column_names.index(name), name, values)
    languages = pages.column("language")
    found = calibrate.calibrate(pages, languages, rules, reference, method, min_pages)
    confidences = calibrate.least_confidences(pages.column("confidence"), languages, min_pages)
    return Proposals(found, calibrate.overrides(found), confidences)


def stop_words(store: Store, pages: pa.Table, min_pages: int) -> dict[str, list[str]]:
    """Stop words of every language that writes spaces between words, from the text of some pages each."""
    found = {}
    counts = {row["values"]: row["counts"] for row in pc.value_counts(pages.column("language")).to_pylist()}
    for language in sorted(name for name, count in counts.items() if count >= min_pages and name != "und"):
        own = pages.filter(pc.equal(pages.column("language"), language)).select(["file", "row"])
        step = max(1, own.num_rows // STOP_WORD_PAGES)
        texts: list[str] = []
        for file in dict.fromkeys(own.column("file").to_pylist()):
            rows = own.filter(pc.equal(own.column("file"), file)).column("row").to_numpy()[::step]
            texts += store.read_table(file, ["text"]).column("text").take(pa.array(rows)).to_pylist()
        classes = characters.classes()
        letters = [classes[ord(character)] for text in texts for character in text[:200]]
        unspaced = sum(1 for flags in letters if flags & characters.UNSPACED)
        if unspaced * 5 < len(letters) and (words := calibrate.stop_words(texts)):
            found[language] = words
    return found
