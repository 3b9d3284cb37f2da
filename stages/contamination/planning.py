"""The waves of `contamination`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stages.contamination.jobs import add_up, count, score, summarise
from stages.contract import Task, Wave, and_more
from stages.rules.contamination import Benchmarks

GROUP = 64
"""Splits that are counted together."""
MEMORY = 1 << 30


@dataclass(frozen=True)
class ContaminationInput:
    """One split: a name that stays the same from run to run, and the addresses of its files."""

    name: str
    source: str
    documents: str
    overlaps: str


def plan(params: Benchmarks, splits: list[ContaminationInput], directory: str, labels: Mapping[str, str]) -> list[Wave]:
    """All waves. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json``.

    The order of ``splits`` does not matter. ``labels``: what people are shown of each, by its name.
    """
    if not splits:
        return []
    ordered = [asdict(split) for split in sorted(splits, key=lambda split: split.name)]
    settings = params.model_dump(mode="json")
    work = f"{directory}/work"
    groups = [ordered[start : start + GROUP] for start in range(0, len(ordered), GROUP)]
    counts = [f"{work}/counts/{group:05d}.parquet" for group in range(len(groups))]
    total, summary = f"{work}/counts.parquet", f"{directory}/summary.json"
    finals = [f"{directory}/{split['name']}.parquet" for split in ordered]
    counting = [
        _task(
            count,
            {"params": settings, "overlaps": [s["overlaps"] for s in group], "output": to},
            to,
            and_more(labels[group[0]["name"]], len(group) - 1),
        )
        for group, to in zip(groups, counts, strict=True)
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
        Wave("contamination: count", tuple(counting)),
        Wave("contamination: weigh", (adding,), (f"{work}/counts",)),
        Wave("contamination: score", tuple(scoring)),
        Wave("contamination: summary", (_task(summarise, last, summary, "summary"),), (work,)),
    ]


def _task(job: Callable[..., Any], args: dict[str, Any], output: str, label: str) -> Task:
    outputs: Sequence[str] = (output,)
    return Task(f"{job.__module__}:{job.__name__}", args, tuple(outputs), label, 0, MEMORY)
