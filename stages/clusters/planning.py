"""The waves of `clusters`, task by task; `stages.clusters.work` cuts the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stages.clusters.addresses import map_addresses, reduce_addresses
from stages.clusters.bands import MAP_RECORD_BYTES, REDUCE_RECORD_BYTES, map_bands, reduce_bands
from stages.clusters.components import TEXT_BYTES, deal, extract_shingles, find_components
from stages.clusters.decide import PASSING_BYTES, decide, gather_passing
from stages.clusters.families import FAMILY_BYTES, shelve, summarise_families
from stages.clusters.output import ROW_BYTES, summarise, write_splits
from stages.clusters.pages import RECORD_BYTES, map_pages, reduce_texts
from stages.clusters.params import ClusterInput, Params
from stages.clusters.stars import EDGE_BYTES, ROUNDS, contract, gather, large_star, small_star
from stages.clusters.verify import verify
from stages.clusters.work import SHINGLE_BYTES, SHINGLE_COPIES, Work, task
from stages.contract import Each, Wave


def plan(params: Params, splits: Sequence[ClusterInput], directory: str) -> list[Wave]:
    """All waves of deduplication. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json``.

    For whoever wants no families afterwards: `measure`, `settle_all`, and nothing else is left.
    """
    if not splits:
        return []
    families = f"{directory}/work/families"
    return [*measure(params, splits, families), *settle_all(params, splits, families, directory)]


def measure(params: Params, splits: Sequence[ClusterInput], directory: str) -> list[Wave]:
    """Phases that find families and compare texts; they end in ``DIRECTORY/shelf-N.part``, ``DIRECTORY/summary.part``.

    Which pages may stay plays no part. The order of ``splits`` does not matter. A task's memory grows with its input
    only where one split alone passes ``params.memory``; `Task.memory` says so.
    """
    work = Work(params, splits, directory)
    waves = [_pages(work), _texts(work)]
    waves += [_addresses(work), _same_address(work)] if params.urls else []
    for number in range(params.passes):
        waves += [_bands(work, number), _candidates(work, number)]
    waves += _components(work)
    for number in range(work.rounds):
        waves += [_shingles(work, number), _verify(work, number)]
    return [*waves, _shelve(work), _summary_of_families(work)]


def settle_all(params: Params, splits: Sequence[ClusterInput], families: str, directory: str) -> list[Wave]:
    """Phases that decide among the pages that are `eligible`; final outputs as of `plan`, from what `measure` left."""
    work = Work(params, splits, directory, families)
    return [_passing(work), _decide(work), _output(work), _summary(work)]


def _addresses(work: Work) -> Wave:
    tasks = []
    for partition, output in enumerate(work.addresses):
        args = {"texts": work.texts, "rows": work.page_rows[partition], "partition": partition}
        args |= {"partitions": len(work.links), "output": output}
        memory = work.all_rows * RECORD_BYTES / len(work.texts)
        tasks.append(task(map_addresses, args, [output], f"addresses {partition}", memory))
    return Wave("clusters: addresses", tuple(tasks))


def _same_address(work: Work) -> Wave:
    tasks = []
    for partition, output in enumerate(work.links):
        args = {"texts": work.texts, "inputs": work.addresses, "partition": partition, "output": output}
        memory = work.all_rows * RECORD_BYTES / len(work.links)
        tasks.append(task(reduce_addresses, args, [output], f"same address {partition}", memory))
    return Wave("clusters: same address", tuple(tasks), (work.folder("addresses"),))


def _pages(work: Work) -> Wave:
    tasks = []
    for group, output in enumerate(work.pages):
        members = work.groups[group]
        args = {"params": work.settings, "splits": work.of(members), "partitions": len(work.texts), "output": output}
        tasks.append(task(map_pages, args, [output], f"pages {group}", work.rows(members) * RECORD_BYTES))
    return Wave("clusters: pages", tuple(tasks))


def _texts(work: Work) -> Wave:
    tasks = []
    for partition, (texts, rows) in enumerate(zip(work.texts, work.page_rows, strict=True)):
        args = {
            "params": work.settings,
            "inputs": work.pages,
            "partition": partition,
            "groups": work.group_of,
            "texts": texts,
            "rows": rows,
        }
        memory = work.all_rows * RECORD_BYTES / len(work.texts)
        tasks.append(task(reduce_texts, args, [texts, rows], f"texts {partition}", memory))
    return Wave("clusters: texts", tuple(tasks), (work.folder("pages"),))


def _bands(work: Work, number: int) -> Wave:
    first, last = work.band_range(number)
    tasks = []
    for group, output in enumerate(work.bands(number)):
        members = work.groups[group]
        args = {
            "params": work.settings,
            "splits": work.of(members),
            "group": group,
            "texts": work.texts,
            "rows": work.page_rows,
            "first_band": first,
            "last_band": last,
            "partitions": work.key_ranges,
            "output": output,
        }
        memory = work.rows(members) * (last - first) * MAP_RECORD_BYTES
        tasks.append(task(map_bands, args, [output], f"bands {first}-{last - 1} of {group}", memory))
    return Wave(f"clusters: bands {first}-{last - 1}", tuple(tasks))


def _candidates(work: Work, number: int) -> Wave:
    first, last = work.band_range(number)
    tasks = []
    for partition, output in enumerate(work.pairs(number)):
        args = {"params": work.settings, "texts": work.texts, "inputs": work.bands(number), "partition": partition}
        args |= {"output": output}
        memory = work.all_rows * (last - first) * REDUCE_RECORD_BYTES / work.key_ranges
        tasks.append(task(reduce_bands, args, [output], f"candidates {partition}", memory))
    return Wave(f"clusters: candidates of bands {first}-{last - 1}", tuple(tasks), (work.folder(f"bands-{number}"),))


def _components(work: Work) -> list[Wave]:
    """One task, or the rounds of `stages.clusters.stars` where it would need more than a task may have; then `deal`."""
    output = work.files("components", 1)[0]
    whole = work.all_rows * TEXT_BYTES
    if whole <= work.budget:
        args: dict[str, Any] = {"texts": work.texts, "pairs": work.joining, "output": output}
        found = Wave("clusters: components", (task(find_components, args, [output], "components", whole),))
        return [found, _deal(work, {"whole": output, "rounds": []})]
    forests = work.files("components/forests", len(work.joining))
    memory = work.all_rows * EDGE_BYTES / work.hash_ranges
    tasks = []
    for number, (pairs, forest) in enumerate(zip(work.joining, forests, strict=True)):
        args = {"texts": work.texts, "pairs": pairs, "output": forest}
        tasks.append(task(contract, args, [forest], f"forest {number}", memory))
    args = {"texts": work.texts, "forests": forests, "memory": work.budget, "output": output}
    waves = [
        Wave("clusters: forests", tuple(tasks)),
        Wave("clusters: components", (task(gather, args, [output], "components", work.budget),)),
    ]
    large: list[str] | None = None
    small = work.stars(0, "small")
    waves.append(_stars(work, small_star, "small stars 0", small, {"gathered": output, "inputs": forests}))
    rounds = []
    for number in range(1, ROUNDS + 1):
        shared = {"gathered": output, "inputs": small, "before": large}
        large = work.stars(number, "large")
        waves.append(_stars(work, large_star, f"large stars {number}", large, shared))
        small = work.stars(number, "small")
        shared = {"gathered": output, "inputs": large}
        waves.append(_stars(work, small_star, f"small stars {number}", small, shared))
        rounds.append([large, small])
    return [*waves, _deal(work, {"whole": output, "rounds": rounds})]


def _stars(work: Work, job: Callable[..., Any], name: str, outputs: list[str], shared: dict[str, Any]) -> Wave:
    memory = work.all_rows * EDGE_BYTES / work.hash_ranges
    tasks = []
    for partition, output in enumerate(outputs):
        args = {"texts": work.texts, **shared, "partition": partition, "output": output}
        tasks.append(task(job, args, [output], f"{name} of {partition}", memory))
    return Wave(f"clusters: {name}", tuple(tasks))


def _deal(work: Work, components: dict[str, Any]) -> Wave:
    group_of = [group for group, members in enumerate(work.text_groups) for _ in members]
    tasks = []
    for partition, (members, edges) in enumerate(zip(work.members, work.edges, strict=True)):
        args = {
            "params": work.settings,
            "texts": work.texts,
            "rows": work.page_rows[partition],
            "components": components,
            "pairs": work.all_pairs,
            "partition": partition,
            "places": work.places,
            "rounds": work.rounds,
            "shelves": len(work.shelves),
            "groups": group_of,
            "members": members,
            "edges": edges,
            "families": work.dealt[partition],
        }
        memory = work.all_rows * RECORD_BYTES / len(work.texts)
        outputs = [members, edges, work.dealt[partition]]
        tasks.append(task(deal, args, outputs, f"deal {partition}", memory))
    used = [work.folder(name) for name in ("components", "rows", *(("links",) if work.links else ()))]
    return Wave("clusters: deal", tuple(tasks), (*used, work.folder("texts")))


def _shingles(work: Work, number: int) -> Wave:
    first, last = work.place_range(number)
    tasks = []
    for group, output in enumerate(work.shingles(number)):
        members = work.text_groups[group]
        args = {
            "splits": work.of(members),
            "members": work.members,
            "partition": number * len(work.text_groups) + group,
            "first_place": first,
            "last_place": last,
            "output": output,
        }
        memory = work.text(members) * SHINGLE_BYTES * SHINGLE_COPIES / work.rounds
        tasks.append(task(extract_shingles, args, [output], f"shingles {group} of round {number}", memory))
    return Wave(f"clusters: shingles of places {first}-{last - 1}", tuple(tasks))


def _verify(work: Work, number: int) -> Wave:
    first, last = work.place_range(number)
    tasks = []
    for place in range(first, last):
        args = {
            "params": work.settings,
            "edges": work.edges,
            "shingles": work.shingles(number),
            "partition": place,
            "first_place": first,
            "shelves": len(work.shelves),
            "output": work.verified[place],
        }
        memory = work.text(range(len(work.splits))) * SHINGLE_BYTES * SHINGLE_COPIES / work.places
        tasks.append(task(verify, args, [work.verified[place]], f"verify {place}", memory))
    used = [work.folder(f"shingles-{number}")]
    used += [work.folder("members"), work.folder("edges")] if last == work.places else []
    return Wave(f"clusters: verify {first}-{last - 1}", tuple(tasks), tuple(used))


def _shelve(work: Work) -> Wave:
    tasks = []
    for shelf, output in enumerate(work.shelves):
        # of the pairs it takes only what each file of them says of all
        args: dict[str, Any] = {"families": work.dealt, "verified": work.verified, "pairs": work.all_pairs[:1]}
        args |= {"shelf": shelf, "output": output}
        memory = work.all_rows * FAMILY_BYTES / len(work.shelves)
        tasks.append(task(shelve, args, [output], f"shelf {shelf}", memory))
    return Wave("clusters: shelves", tuple(tasks), (work.folder("dealt"),))


def _summary_of_families(work: Work) -> Wave:
    args = {"verified": work.verified, "pairs": work.all_pairs, "summary": work.families_summary}
    last = task(summarise_families, args, [work.families_summary], "summary of families", 0)
    return Wave("clusters: summary of families", (last,), (f"{work.directory}/work",))


def _passing(work: Work) -> Wave:
    tasks = []
    for group, output in enumerate(work.passing):
        members = work.groups[group]
        args = {"params": work.settings, "splits": work.of(members), "output": output}
        tasks.append(task(gather_passing, args, [output], f"passing {group}", work.rows(members) * PASSING_BYTES))
    return Wave("clusters: passing", tuple(tasks))


def _decide(work: Work) -> Wave:
    tasks = []
    for shelf, (output, copies) in enumerate(zip(work.decisions, work.copies, strict=True)):
        args = {
            "params": work.settings,
            "shelf": work.shelves[shelf],
            "passing": work.passing,
            "learnt": f"{work.families}/learnt/{shelf:05d}",
            "groups": work.group_of,
            "output": output,
            "copies": copies,
        }
        memory = work.all_rows * FAMILY_BYTES / len(work.shelves)
        tasks.append(task(decide, args, [output, copies], f"decide {shelf}", memory))
    return Wave("clusters: decide", tuple(tasks), (work.folder("passing"),))


def _output(work: Work) -> Wave:
    tasks = []
    for group, members in enumerate(work.groups):
        outputs = [work.final(split) for split in members]
        args = {
            "splits": work.of(members),
            "group": group,
            "decisions": work.decisions,
            "copies": work.copies,
            "outputs": outputs,
        }
        tasks.append(task(write_splits, args, outputs, f"output {group}", work.rows(members) * ROW_BYTES))
    return Wave("clusters: output", tuple(tasks), (work.folder("copies"),))


def _summary(work: Work) -> Wave:
    summary = f"{work.directory}/summary.json"
    args = {
        "outputs": Each(work.final, len(work.splits)),
        "decisions": work.decisions,
        "families": work.families_summary,
        "summary": summary,
    }
    last = task(summarise, args, [summary], "summary", 0)
    return Wave("clusters: summary", (last,), (f"{work.directory}/work",))
