"""The phases of `clusters`, task by task; `stages.clusters.work` says how the work is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stages.clusters.addresses import map_addresses, reduce_addresses
from stages.clusters.bands import MAP_RECORD_BYTES, REDUCE_RECORD_BYTES, map_bands, reduce_bands
from stages.clusters.components import TEXT_BYTES, deal, extract_shingles, find_components
from stages.clusters.decide import decide
from stages.clusters.output import ROW_BYTES, assign, summarise, write_splits
from stages.clusters.pages import RECORD_BYTES, map_pages, reduce_texts
from stages.clusters.params import ClusterInput, Params
from stages.clusters.stars import EDGE_BYTES, ROUNDS, contract, gather, large_star, small_star
from stages.clusters.work import SHINGLE_BYTES, SHINGLE_COPIES, Work, task
from stages.contract import Phase


def plan(params: Params, splits: list[ClusterInput], directory: str) -> list[Phase]:
    """All phases of deduplication. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json``.

    The order of ``splits`` does not matter. A task's memory grows with its input only where one split
    alone passes ``params.memory``; `Task.memory` says so.
    """
    if not splits:
        return []
    names = [split.name for split in splits]
    if len({*names}) != len(names):
        raise ValueError("splits of `clusters` must have different names")
    work = Work(params, splits, directory)
    phases = [_addresses(work), _same_address(work)] if params.urls else []
    phases += [_pages(work), _texts(work)]
    for number in range(params.passes):
        phases += [_bands(work, number), _candidates(work, number)]
    phases += _components(work)
    for number in range(work.rounds):
        phases += [_shingles(work, number), _decide(work, number)]
    return [*phases, _assign(work), _output(work), _summary(work)]


def _addresses(work: Work) -> Phase:
    tasks = []
    for group, output in enumerate(work.addresses):
        members = work.groups[group]
        args = {"params": work.settings, "splits": work.of(members), "partitions": len(work.moved), "output": output}
        tasks.append(task(map_addresses, args, [output], f"addresses {group}", work.rows(members) * RECORD_BYTES))
    return Phase("clusters: addresses", tuple(tasks))


def _same_address(work: Work) -> Phase:
    tasks = []
    for partition, output in enumerate(work.moved):
        args = {
            "params": work.settings,
            "inputs": work.addresses,
            "partition": partition,
            "groups": work.group_of,
            "output": output,
        }
        memory = work.all_rows * RECORD_BYTES / len(work.moved)
        tasks.append(task(reduce_addresses, args, [output], f"same address {partition}", memory))
    return Phase("clusters: same address", tuple(tasks), (work.folder("addresses"),))


def _pages(work: Work) -> Phase:
    tasks = []
    for group, output in enumerate(work.pages):
        members = work.groups[group]
        args = {"params": work.settings, "splits": work.of(members), "partitions": len(work.texts), "output": output}
        args |= {"group": group, "moved": work.moved} if work.moved else {}
        tasks.append(task(map_pages, args, [output], f"pages {group}", work.rows(members) * RECORD_BYTES))
    return Phase("clusters: pages", tuple(tasks), (work.folder("moved"),) if work.moved else ())


def _texts(work: Work) -> Phase:
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
    return Phase("clusters: texts", tuple(tasks), (work.folder("pages"),))


def _bands(work: Work, number: int) -> Phase:
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
    return Phase(f"clusters: bands {first}-{last - 1}", tuple(tasks))


def _candidates(work: Work, number: int) -> Phase:
    first, last = work.band_range(number)
    tasks = []
    for partition, output in enumerate(work.pairs(number)):
        args = {"params": work.settings, "texts": work.texts, "inputs": work.bands(number), "partition": partition}
        args |= {"output": output}
        memory = work.all_rows * (last - first) * REDUCE_RECORD_BYTES / work.key_ranges
        tasks.append(task(reduce_bands, args, [output], f"candidates {partition}", memory))
    return Phase(f"clusters: candidates of bands {first}-{last - 1}", tuple(tasks), (work.folder(f"bands-{number}"),))


def _components(work: Work) -> list[Phase]:
    """One task, or the rounds of `stages.clusters.stars` where it would need more than a task may have; then `deal`."""
    output = work.files("components", 1)[0]
    whole = work.all_rows * TEXT_BYTES
    if whole <= work.budget:
        args: dict[str, Any] = {"texts": work.texts, "pairs": work.all_pairs, "output": output}
        found = Phase("clusters: components", (task(find_components, args, [output], "components", whole),))
        return [found, _deal(work, {"whole": output, "rounds": []})]
    forests = work.files("components/forests", len(work.all_pairs))
    memory = work.all_rows * EDGE_BYTES / work.hash_ranges
    tasks = []
    for number, (pairs, forest) in enumerate(zip(work.all_pairs, forests, strict=True)):
        args = {"texts": work.texts, "pairs": pairs, "output": forest}
        tasks.append(task(contract, args, [forest], f"forest {number}", memory))
    args = {"texts": work.texts, "forests": forests, "memory": work.budget, "output": output}
    phases = [
        Phase("clusters: forests", tuple(tasks)),
        Phase("clusters: components", (task(gather, args, [output], "components", work.budget),)),
    ]
    large: list[str] | None = None
    small = work.stars(0, "small")
    phases.append(_stars(work, small_star, "small stars 0", small, {"gathered": output, "inputs": forests}))
    rounds = []
    for number in range(1, ROUNDS + 1):
        shared = {"gathered": output, "inputs": small, "before": large}
        large = work.stars(number, "large")
        phases.append(_stars(work, large_star, f"large stars {number}", large, shared))
        small = work.stars(number, "small")
        shared = {"gathered": output, "inputs": large}
        phases.append(_stars(work, small_star, f"small stars {number}", small, shared))
        rounds.append([large, small])
    return [*phases, _deal(work, {"whole": output, "rounds": rounds})]


def _stars(work: Work, job: Callable[..., Any], name: str, outputs: list[str], shared: dict[str, Any]) -> Phase:
    memory = work.all_rows * EDGE_BYTES / work.hash_ranges
    tasks = []
    for partition, output in enumerate(outputs):
        args = {"texts": work.texts, **shared, "partition": partition, "output": output}
        tasks.append(task(job, args, [output], f"{name} of {partition}", memory))
    return Phase(f"clusters: {name}", tuple(tasks))


def _deal(work: Work, components: dict[str, Any]) -> Phase:
    group_of = [group for group, members in enumerate(work.text_groups) for _ in members]
    tasks = []
    for partition, (members, edges) in enumerate(zip(work.members, work.edges, strict=True)):
        args = {
            "texts": work.texts,
            "components": components,
            "pairs": work.all_pairs,
            "partition": partition,
            "places": work.places,
            "rounds": work.rounds,
            "groups": group_of,
            "members": members,
            "edges": edges,
        }
        memory = work.all_rows * RECORD_BYTES / len(work.texts)
        tasks.append(task(deal, args, [members, edges], f"deal {partition}", memory))
    return Phase("clusters: deal", tuple(tasks), (work.folder("components"),))


def _shingles(work: Work, number: int) -> Phase:
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
    return Phase(f"clusters: shingles of places {first}-{last - 1}", tuple(tasks))


def _decide(work: Work, number: int) -> Phase:
    first, last = work.place_range(number)
    tasks = []
    for place in range(first, last):
        args = {
            "params": work.settings,
            "texts": work.texts,
            "edges": work.edges,
            "shingles": work.shingles(number),
            "partition": place,
            "first_place": first,
            "output": work.decisions[place],
        }
        memory = work.text(range(len(work.splits))) * SHINGLE_BYTES * SHINGLE_COPIES / work.places
        tasks.append(task(decide, args, [work.decisions[place]], f"decide {place}", memory))
    used = [work.folder(f"shingles-{number}")]
    used += [work.folder("members"), work.folder("edges")] if last == work.places else []
    return Phase(f"clusters: decide {first}-{last - 1}", tuple(tasks), tuple(used))


def _assign(work: Work) -> Phase:
    tasks = []
    for partition, output in enumerate(work.assigned):
        args = {
            "texts": work.texts,
            "rows": work.page_rows[partition],
            "num_groups": len(work.groups),
            "decisions": work.decisions,
            "partition": partition,
            "groups": work.group_of,
            "output": output,
            "copies": work.copies[partition],
        }
        memory = work.all_rows * ROW_BYTES / len(work.texts)
        tasks.append(task(assign, args, [output, work.copies[partition]], f"assign {partition}", memory))
    return Phase("clusters: assign", tuple(tasks), (work.folder("texts"), work.folder("rows")))


def _output(work: Work) -> Phase:
    tasks = []
    for group, members in enumerate(work.groups):
        outputs = [work.final(split) for split in members]
        args = {
            "splits": work.of(members),
            "group": group,
            "assigned": work.assigned,
            "copies": work.copies,
            "outputs": outputs,
        }
        tasks.append(task(write_splits, args, outputs, f"output {group}", work.rows(members) * ROW_BYTES))
    return Phase("clusters: output", tuple(tasks), (work.folder("copies"),))


def _summary(work: Work) -> Phase:
    summary = f"{work.directory}/summary.json"
    args = {
        "outputs": [work.final(split) for split in range(len(work.splits))],
        "decisions": work.decisions,
        "assigned": work.assigned,
        "pairs": work.all_pairs,
        "summary": summary,
    }
    last = task(summarise, args, [summary], "summary", 0)
    return Phase("clusters: summary", (last,), (f"{work.directory}/work",))
