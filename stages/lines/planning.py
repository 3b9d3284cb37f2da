"""The waves of `lines`: how splits are grouped and hashes are cut so that every task stays within its memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import xxhash

from stages.contract import Task, Wave
from stages.exchange_file import grouped
from stages.lines.copies import map_texts
from stages.lines.counting import count_lines, find_frequent
from stages.lines.marking import mark_splits, summarise
from stages.lines.params import LinesInput, Params
from stages.text_copies import PAGE_BYTES, find_copies

BASE_MEMORY = 256 << 20
"""Memory of a worker before any data: interpreter, Arrow, compiled kernels."""
LINES_PER_BYTE = 1 / 30
"""Lines and paragraphs per byte of text, rather too many."""
COUNT_BYTES = 64
"""Bytes of memory a line costs while a group's are counted: keys, pages, sort order, copies."""
RANGE_BYTES = 96
"""Bytes of memory a line costs while a range is added up."""


def plan(params: Params, splits: list[LinesInput], directory: str) -> list[Wave]:
    """All waves. Final outputs: ``DIRECTORY/NAME.parquet`` per split and ``DIRECTORY/summary.json``.

    The order of ``splits`` does not matter.
    """
    if not splits:
        return []
    ordered = [dict(vars(split)) for split in sorted(splits, key=lambda split: split.name)]
    budget = max(params.memory - BASE_MEMORY, params.memory // 4)
    groups = grouped([ceil(_memory([split])) for split in ordered], budget)
    total = sum(split["text_bytes"] for split in ordered)
    num_pages = 0
    for split in ordered:
        split["first"] = num_pages
        num_pages += split["rows"]
    num_texts = max(1, ceil(num_pages * PAGE_BYTES / budget))
    num_ranges = max(1, ceil(total * LINES_PER_BYTE * RANGE_BYTES / budget))
    # files of an interrupted run that cut its work in another way are no use to this one
    shape = xxhash.xxh3_64_hexdigest(json.dumps([groups, num_ranges, num_texts, "first texts"]).encode())
    work = f"{directory}/work/{shape}"
    texts = [f"{work}/texts/{group:05d}.part" for group in range(len(groups))]
    copies = [f"{work}/copies/{number:05d}.part" for number in range(num_texts)]
    counts = [f"{work}/counts/{group:05d}.part" for group in range(len(groups))]
    frequent = [f"{work}/frequent/{number:05d}.part" for number in range(num_ranges)]
    finals = [f"{directory}/{split['name']}.parquet" for split in ordered]
    settings = params.model_dump(mode="json")
    mapping, matching, counting, finding, marking = [], [], [], [], []
    for group, members in enumerate(groups):
        mine = [ordered[index] for index in members]
        size = sum(split["text_bytes"] for split in mine)
        memory = _memory(mine)
        args: dict[str, Any] = {"params": settings, "splits": mine}
        rows = sum(split["rows"] for split in mine)
        text_args = {**args, "ranges": num_texts, "output": texts[group]}
        mapping.append(_task(map_texts, text_args, [texts[group]], f"texts {group}", rows, rows * PAGE_BYTES))
        count_args = {**args, "texts": texts[group], "copies": copies, "group": group}
        count_args |= {"ranges": num_ranges, "output": counts[group]}
        counting.append(_task(count_lines, count_args, [counts[group]], f"count {group}", size, memory))
        outputs = [finals[index] for index in members]
        mark_args = {**args, "frequent": frequent, "group": group, "outputs": outputs}
        marking.append(_task(mark_splits, mark_args, outputs, f"mark {group}", size, memory))
    for number, output in enumerate(copies):
        args = {"inputs": texts, "partition": number, "output": output}
        rows = num_pages // num_texts
        matching.append(_task(find_copies, args, [output], f"copies {number}", rows, rows * PAGE_BYTES))
    for number, output in enumerate(frequent):
        args = {"params": settings, "inputs": counts, "partition": number, "output": output}
        size = total // num_ranges
        memory = size * LINES_PER_BYTE * RANGE_BYTES
        finding.append(_task(find_frequent, args, [output], f"frequent {number}", size, memory))
    summary = f"{directory}/summary.json"
    args = {"outputs": finals, "frequent": frequent, "summary": summary}
    last = _task(summarise, args, [summary], "summary", 0, 0)
    return [
        Wave("lines: texts", tuple(mapping)),
        Wave("lines: copies", tuple(matching)),
        Wave("lines: count", tuple(counting), (f"{work}/texts", f"{work}/copies")),
        Wave("lines: frequent", tuple(finding), (f"{work}/counts",)),
        Wave("lines: mark", tuple(marking)),
        Wave("lines: summary", (last,), (f"{directory}/work",)),
    ]


def _memory(splits: Sequence[dict[str, Any]]) -> float:
    """Bytes of memory that data of these splits takes."""
    size: int = sum(split["text_bytes"] for split in splits)
    rows: int = sum(split["rows"] for split in splits)
    return max(size * LINES_PER_BYTE * COUNT_BYTES, rows * PAGE_BYTES)


def _task(
    job: Callable[..., Any], args: dict[str, Any], outputs: Sequence[str], label: str, cost: int, memory: float
) -> Task:
    return Task(f"{job.__module__}:{job.__name__}", args, tuple(outputs), label, cost, BASE_MEMORY + int(memory))
