"""Shares of bad input: a source of which too much cannot be read, or that yields nothing, fails its run.

Two shares are looked at, and the larger counts: bytes of files of which nothing could be read, and quarantined records.
A file counts by its bytes whether it is divided among splits, is one of its own, or is read with many small ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import RunError
from pipeline.recipe import Recipe
from pipeline.run.product import Product
from pipeline.run.steps import Steps
from pipeline.terminal import safe_line
from stages.contract import Split
from stages.formats.listing import LISTED
from stages.reports import with_advice

MISSING = "missing_file"
"""The reason of a file that is gone, with ``missing: skip``: passed over, and not bad."""


def check_input(recipe: Recipe, steps: Steps, documents: Product) -> None:
    """Fail on a source that is too bad or yields nothing.

    Raises:
        RunError: names the source, its share, and a file of it with what is wrong there.
    """
    limits = recipe.section("run")
    facts = documents.facts
    rows, records, held = (facts.numbers(key) for key in ("rows", "records", "num_quarantined"))
    bad = np.array([bool(bad) for bad in facts.column("bad")], bool)
    unread = np.where(records == 0, bad, held == records).astype(np.float64)
    grouped = np.fromiter((split.unit == "files" for split in steps.splits), np.bool_, len(steps.splits))
    listed = np.fromiter((split.etag == LISTED for split in steps.splits), np.bool_, len(steps.splits))
    sizes = np.fromiter((split.size for split in steps.splits), np.float64, len(steps.splits))
    sizes[listed] = np.nan
    unread[grouped] = facts.numbers("unread_bytes")[grouped] / np.maximum(1, sizes[grouped])
    gone = (unread == 1) & listed & (records == 0)  # perhaps, where those are passed over
    asked = [*map(int, np.flatnonzero(gone))]
    for number, report in zip(asked, steps.reports([documents.addresses[number] for number in asked]), strict=True):
        unread[number] = float(any(one["reason"] != MISSING for one in report["bad"]))
    sources = np.array([split.source for split in steps.splits], object)
    for source in sorted(recipe.sources):
        title = f"transform {source}" if source in recipe.transforms() else f"source {source}"
        mine = sources == source
        quarantined = int(held[mine].sum()) / max(1, int(records[mine].sum()))
        unreadable = share_of(sizes[mine], unread[mine])
        worst = max(quarantined, unreadable)
        if worst > limits.max_bad_fraction:
            of_files = unreadable >= quarantined
            counts = (unread > 0) & (sizes != 0) if of_files else held > 0  # an empty file has no share in bytes
            number = int(np.flatnonzero(mine & counts)[0])
            place, reason = example(steps.splits[number], steps.report(documents.addresses[number]), of_files)
            what = "files of which nothing could be read, by bytes" if of_files else "quarantined records"
            shown = f"{safe_line(place)}: {with_advice(reason)}"
            share, limit = told_apart(worst, limits.max_bad_fraction)
            raise RunError(
                f"{title}: {share} of its input is bad ({what}; for example {shown}"
                f"{reasons_of([facts[int(number)] for number in np.flatnonzero(mine)])}), above"
                f" run.max_bad_fraction = {limit}; `gristmill status` lists the files"
            )
        if not rows[mine].any() and source not in limits.allow_empty:
            count = count_files(split for split in steps.splits if split.source == source)
            files = "file" if count == 1 else f"{count:,} files"
            raise RunError(
                f"{title}: no document in its {files};"
                f" check {'`inputs`' if source in recipe.transforms() else '`paths` and `format`'}, or name it in"
                " run.allow_empty"
            )


def count_files(splits: Iterable[Split]) -> int:
    """Files that some splits read: one divided among several counts once, those of a group each."""
    return len({file for split in splits for file in [part[0] for part in split.parts] or [split.file]})


def example(split: Split, report: Mapping[str, Any], of_files: bool) -> tuple[str, str]:
    """The place of the first trouble in a split, and what is wrong there.

    Args:
        of_files: a file of which nothing could be read is looked for; otherwise a quarantined record.
    """
    bad, quarantined = (report.get(key, ()) for key in ("bad", "quarantined"))
    unread = [report["unread"]["first"]] if "unread" in report else []
    trouble = next(iter([*unread, *bad, *quarantined] if of_files else [*quarantined, *bad]), None)
    if trouble is None:
        return split.uri, "unreadable"
    return next((uri for file, uri, _ in split.parts if file == trouble["file"]), split.uri), trouble["reason"]


def share_of(sizes: npt.NDArray[np.float64], parts: npt.NDArray[np.float64]) -> float:
    """The share of parts (0 to 1) of some files of all, by bytes; files of unknown size (NaN) count as the others do on
    average."""
    known = ~np.isnan(sizes)
    weights = np.where(known, sizes, sizes[known].mean() if known.any() else 1.0)
    # whole bytes, so that a share at its limit is not above it
    unread = np.where(known, np.rint(weights * parts), weights * parts)
    return float(unread.sum() / max(1.0, weights.sum()))


def told_apart(share: float, limit: float) -> tuple[str, str]:
    """Two shares as percent, with two digits or as many as tell them apart."""
    shown = ((f"{share:.{digits}%}", f"{limit:.{digits}%}") for digits in range(2, 17))
    return next((pair for pair in shown if pair[0] != pair[1]), (f"{share:%}", f"{limit:%}"))


def reasons_of(reports: list[dict[str, Any]]) -> str:
    """Reasons why pages of a transform are quarantined, the most frequent ones first."""
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.get("reasons", {}))
    return "".join(f"; {reason}: {pages:,}" for reason, pages in counts.most_common(3))
