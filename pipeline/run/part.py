"""`run --sample`: a part of the input run to the end, and what the whole would give and cost by it.

The part is drawn split by split, source by source, in the order of a hash of each split's identity until the share of
the source's bytes is reached, one split at least: the same ones every time, on every machine. Its files are those that
a run of everything uses again; its mixture is called ``NAME-sample``, has no budget of its own, and leaves the results
of ``NAME`` alone. A domain of which the part has no page, or held-out
ones alone, is left out of its mixture, and named.

The figures of the whole are each source's times the bytes of the source over those of its part. Duplicates are
found within the part alone, so the whole keeps fewer pages than that; tasks of a whole run are longer, not different.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from rich.table import Table

from pipeline.answers import stats
from pipeline.errors import UserError
from pipeline.progress import human_bytes, human_seconds, render
from pipeline.recipe import Recipe, lacking_domains, listing
from pipeline.recipe import snapshot as snapshots
from pipeline.store.address import digest, split_id
from pipeline.store.storage import Store
from stages.contract import Split
from stages.figures import listed


def fraction_of(text: str) -> float:
    """``1%`` or ``0.01`` as a number.

    Raises:
        UserError: it is none between 0 and 1.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(%?)\s*", text)
    number = float(match[1]) / (100 if match[2] else 1) if match else math.nan
    if not 0 < number < 1:
        raise UserError(f"--sample: expected a share such as 1% or 0.01, found {text!r}")
    return number


def of_part(recipe: Recipe, fraction: float) -> Recipe:
    """The recipe for a part of its input, under a name of its own and without a budget."""
    sections = dict(recipe.sections)
    if sections["phases"] is not None:
        raise UserError(
            f"{recipe.path}: phases share a budget, which a sample cannot fill; give it a `mixture` instead"
        )
    sections["mixture"] = sections["mixture"].model_copy(update={"budget": None})
    return replace(recipe, name=f"{recipe.name}-sample", sections=sections, part=fraction)


def without(recipe: Recipe, lacking: AbstractSet[str]) -> Recipe:
    """The recipe of a part that has no page of some domains: the others keep their proportions."""
    blend = recipe.sections["mixture"]
    update = {"domains": {name: own for name, own in blend.domains.items() if name not in lacking}}
    if blend.imported is not None:
        shares = {name: share for name, share in blend.imported.shares.items() if name not in lacking}
        update["imported"] = blend.imported.model_copy(update={"shares": shares})
    return replace(recipe, sections={**recipe.sections, "mixture": blend.model_copy(update=update)})


def chosen(splits: Sequence[Split], fraction: float) -> list[Split]:
    """The splits of a part, in the order of all."""
    found: set[Split] = set()
    for source in sorted({split.source for split in splits}):
        own = [split for split in splits if split.source == source]
        wanted, held = fraction * sum(split.size for split in own), 0
        for split in sorted(own, key=lambda split: digest(["sample", split_id(split)])):
            if found and held >= wanted and held:
                break
            found.add(split)
            held += split.size
    return [split for split in splits if split in found]


def extrapolated(recipe: Recipe, store: Store) -> str:
    """Results and costs of a run of everything, estimated from a finished part."""
    everything = listing.list_splits(replace(recipe, part=None), store=store)
    part = chosen(everything, recipe.part or 1)
    factors = {}
    for source in {split.source for split in everything}:
        whole, held = (sum(s.size for s in splits if s.source == source) for splits in (everything, part))
        factors[source] = whole / held if held else 1.0
    snapshot = snapshots.load(store, recipe.name)
    sizes = [sum(split.size for split in splits) for splits in (everything, part)]
    times = sizes[0] / max(1, sizes[1])
    found = stats.stats_of(snapshot)
    table = Table("by the sample", "pages", "kept", "tokens", box=None, pad_edge=False)
    for row in found["sources"]:
        factor = factors.get(row["source"], times)
        counts = (row["pages"], row["kept"] or 0, row["tokens"] or 0)
        table.add_row(row["source"], *(about(factor * count) for count in counts))
    domains: dict[str, float] = {}
    for group in found["tokens"]:
        domains[group["domain"]] = (
            domains.get(group["domain"], 0) + factors.get(group["source"], times) * group["tokens"]
        )
    tokens = Table("domain", "tokens of everything", box=None, pad_edge=False)
    for name, count in sorted(domains.items()):
        tokens.add_row(name, about(count))
    seconds = sum(entry["seconds"] for entry in stats.costs_of(snapshot).values())
    entries = (entry for product in snapshot.data["products"] for entry in snapshot.product(product))
    disk = sum(int(entry.checksum["bytes"]) for entry in entries)
    lines = [
        f"sample: {len(part):,} of {len(everything):,} splits, {sizes[1] / max(1, sizes[0]):.2%} of the bytes;"
        " everything would take about",
        f"  {human_seconds(times * seconds)} of one core, {human_bytes(int(times * disk))} of disk before shards;"
        " duplicates are found in the sample alone: everything keeps fewer",
    ]
    lacking = lacking_domains(recipe, {name for name, count in domains.items() if count})
    if lacking:
        lines.append(f"  no page of the sample is of {listed(sorted(lacking))}: its corpus is made without")
    return "\n".join([*lines, "", render(table).rstrip(), "", render(tokens).rstrip()]) + "\n"


def about(count: float) -> str:
    """Two digits of it, as no more are known."""
    if count < 100:
        return f"{count:.0f}"
    step = 10 ** (int(math.log10(count)) - 1)
    return f"{int(round(count / step) * step):,}"
