"""Doubtful settings of a mixture, known before any work is done: a line each, and no mistake."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.recipe.products import Recipe, Source, mixtures_of
from stages import kept, mixture, tokens


def warnings(recipe: Recipe) -> list[str]:
    """Remarks about doubtful settings of the mixture, known before any work is done."""
    found = [warning for source in recipe.sources.values() for warning in unused(source)] + unmeasured(recipe)
    blends = [blend for _, blend in mixtures_of(recipe.sections)]
    if all(blend.imported is None for blend in blends):
        return found
    tokenizer = tokens.identity(recipe.sections["tokens"])["tokenizer"]
    doubts = [warning for blend in blends for warning in mixture.weight_warnings(blend, tokenizer)]
    return [*found, *(f"mixture: {warning}" for warning in dict.fromkeys(doubts))]


def idle(recipe: Recipe) -> list[str]:
    """A remark for each source with rules that are given a threshold and are off there."""
    off = {name: kept.idle_thresholds(source.sections["kept"]) for name, source in recipe.sources.items()}
    return [
        f"source {name}: {', '.join(rules)}: off, whatever the threshold; true or the rule's family switches one on"
        for name, rules in off.items()
        if rules
    ]


def unmeasured(recipe: Recipe) -> list[str]:
    """A remark where `near_duplicate` names a lower similarity than the one from which pages are compared."""
    if not recipe.on("clusters"):
        return []
    least = recipe.sections["clusters"].threshold
    found: dict[str, None] = {}
    for source in recipe.sources.values():
        decides = source.sections["kept"]
        for rules in (decides.rules, *(override.rules for override in decides.overrides)):
            value = rules.get("near_duplicate")
            if value is not None and not isinstance(value, bool) and value < least:
                found[
                    f"kept: near_duplicate: {value:g} drops no page more than {least:g}, clusters.threshold: no"
                    " survivor is chosen below that; lower clusters.threshold"
                ] = None
    return list(found)


def unused(source: Source) -> Iterator[str]:
    """Measurements switched on by name for a source, of which nothing drops or cuts anything."""
    measured, decides = source.sections["quality"], source.sections["kept"]
    active = kept.active_rules(decides)
    looked_for = measured.benchmarks.files and "contamination" in measured.families
    if looked_for and "contaminated" not in active and "decontaminated" not in decides.views:
        yield (
            f"source {source.name}: quality.benchmarks are looked for, but what is found stays: add contamination to"
            " kept.families, or decontaminated to kept.views"
        )
    if measured.bad_words and "has_bad_words" not in active:
        yield f"source {source.name}: quality.bad_words are counted, but drop nothing: add bad_words to kept.families"
