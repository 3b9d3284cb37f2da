"""The waves of `contamination`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from stages.contamination.jobs import add_up, count, map_texts, score, summarise
from stages.contract import Task, Wave, and_more
from stages.rules.contamination import Benchmarks
from stages.text_copies import PAGE_BYTES, find_copies

GROUP = 64
"""Splits that are counted together."""
MEMORY = 1 << 30
EVIDENCE = 1 / 4
"""Share of the pages that share words with an item or are sampled, rather too many."""


@dataclass(frozen=True)
class ContaminationInput:
    """One split: a name that stays the same from run to run, and the addresses of its files."""

    name: str
    source: str
    documents: str
    overlaps: str
    rows: int


def plan(params: Benchmarks, splits: list[ContaminationInput], directory: str, labels: Mapping[str, str]) -> list[Wave]:
    """All waves. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json``.

    The order of ``splits`` does not matter. ``labels``: what people are shown of each, by its name.
    """
    if not splits:
        return []
    ordered = [asdict(split) for split in sorted(splits, key=lambda split: split.name)]
    num_pages = 0
    for split in ordered:
        split["first"] = num_pages
        num_pages += split["rows"]
    num_texts = max(1, ceil(num_pages * EVIDENCE * PAGE_BYTES / (MEMORY / 2)))
    settings = params.model_dump(mode="json")
    work = f"{directory}/work"
    groups = [ordered[start : start + GROUP] for start in range(0, len(ordered), GROUP)]
    names = [and_more(labels[group[0]["name"]], len(group) - 1) for group in groups]
    texts = [f"{work}/texts/{group:05d}.part" for group in range(len(groups))]
    copies = [f"{work}/copies/{number:05d}.part" for number in range(num_texts)]
    counts = [f"{work}/counts/{group:05d}.parquet" for group in range(len(groups))]
    total, summary = f"{work}/counts.parquet", f"{directory}/summary.json"
    finals = [f"{directory}/{split['name']}.parquet" for split in ordered]
    mapping = [
        _task(map_texts, {"splits": group, "ranges": num_texts, "output": to}, to, name)
        for group, to, name in zip(groups, texts, names, strict=True)
    ]
    matching = [
        _task(find_copies, {"inputs": texts, "partition": number, "output": to}, to, f"copies {number}")
        for number, to in enumerate(copies)
    ]
    shared = {"params": settings, "copies": copies}
    counting = [
        _task(count, {**shared, "splits": group, "texts": mine, "group": number, "output": to}, to, name)
        for number, (group, mine, to, name) in enumerate(zip(groups, texts, counts, names, strict=True))
    ]
    adding = _task(add_up, {"params": settings, "counts": counts, "output": total}, total, "weigh")
    scoring = [
        _task(
            score,
            {"params": settings, "counts": total, "output": to}
            | {key: split[key] for key in ("source", "documents", "overlaps")},
            to,
            labels[split["name"]],
        )
        for split, to in zip(ordered, finals, strict=True)
    ]
    last = {"params": settings, "outputs": finals, "counts": total, "summary": summary}
    return [
        Wave("contamination: texts", tuple(mapping)),
        Wave("contamination: copies", tuple(matching)),
        Wave("contamination: count", tuple(counting), (f"{work}/texts", f"{work}/copies")),
        Wave("contamination: weigh", (adding,), (f"{work}/counts",)),
        Wave("contamination: score", tuple(scoring)),
        Wave("contamination: summary", (_task(summarise, last, summary, "summary"),), (work,)),
    ]


def _task(job: Callable[..., Any], args: dict[str, Any], output: str, label: str) -> Task:
    outputs: Sequence[str] = (output,)
    return Task(f"{job.__module__}:{job.__name__}", args, tuple(outputs), label, 0, MEMORY)
