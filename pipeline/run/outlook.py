"""`plan`: the time, disk, requests and money that a run would take, by what a run under the same root took.

Rates are those of a finished mixture of the root, the one that read most input; its own results or sample
(`run --sample 1%`) before others. Seconds of tasks and bytes of files, product by product, over the bytes of its input;
times the bytes of input of the mixture that is planned, and the share of each product's files that is to be made.

Limits: the exchanges (`clusters`, `lines`, `repeats`) are taken to grow with the input, and the pages of a root to be
like those it has seen; products that no run of the root has made are named. Requests are counted by the rules of the
store (one for every `ReadAhead.AHEAD` bytes read and `PART_BYTES` written, and `READS` for each file read back), and
those made again are not among them. No figure is better than two digits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.answers import stats
from pipeline.errors import RunError
from pipeline.progress import human_bytes, human_seconds
from pipeline.recipe import Recipe, graph, listing
from pipeline.recipe import snapshot as snapshots
from pipeline.run.part import about
from pipeline.run.steps import Step
from pipeline.store.storage import Store
from stages.contract import Split
from stages.formats.locations import ReadAhead, is_far
from stages.formats.s3 import PART_BYTES

READS = 3
"""Requests for a file that is read back: its size, its end, and the part wanted."""
LITTLE = 64 << 20
"""Bytes of input below which rates say little."""


@dataclass(frozen=True)
class Prices:
    """Prices in any one currency; None: not to be counted."""

    per_core_hour: float | None = None
    per_million_requests: float | None = None
    per_gib_month: float | None = None
    cores: int | None = None
    """Cores that work at once; None: those of this machine."""


@dataclass(frozen=True)
class Rates:
    """Seconds and bytes on disk by product, for each byte of input, and where they come from."""

    mixture: str
    input_bytes: int
    seconds: dict[str, float]
    disk: dict[str, float]


@dataclass(frozen=True)
class Need:
    """The work on one product: seconds of a core, bytes on disk, files; None: no run has shown it."""

    seconds: float | None
    disk: float | None
    files: int


def rates(recipe: Recipe, store: Store, steps: Sequence[Step]) -> Rates | None:
    """The rates of the root, of runs of this very mixture first; None where nothing is finished there, or to do."""
    if not any(step.to_do for step in steps):
        return None
    names = snapshots.names(store)
    own = [name for name in names if name in (recipe.name, f"{recipe.name}-sample")]
    for candidates in (own, [name for name in names if name not in own]):
        found = [one for name in candidates if (one := _rates_of(store, name)) is not None]
        if found:
            return max(found, key=lambda one: (one.input_bytes, one.mixture))
    return None


def _rates_of(store: Store, name: str) -> Rates | None:
    snapshot = snapshots.load(store, name)
    try:
        snapshot.check_there()
    except RunError:  # the sizes of what is left say nothing of the whole
        return None
    sizes = [split["size"] for split in snapshot.splits()]
    if not sum(sizes) or not snapshot.data.get("corpus"):
        return None
    seconds: dict[str, float] = {}
    for phase, entry in stats.costs_of(snapshot).items():
        product = phase.partition(":")[0]
        seconds[product] = seconds.get(product, 0.0) + entry["seconds"]
    disk = {
        product: float(sum(int(entry.checksum["bytes"]) for entry in snapshot.product(product)))
        for product in snapshot.data["products"]
    }
    folders = {"shards": list((snapshot.data.get("shards") or {}).values()), "corpus": [snapshot.data["corpus"]]}
    for product, manifests in folders.items():
        held = [size for place in manifests for _, size in store.list(place.rpartition("/")[0])]
        disk[product] = float(sum(held))
    total = sum(sizes)
    return Rates(
        name,
        total,
        {product: value / total for product, value in seconds.items()},
        {product: value / total for product, value in disk.items()},
    )


def needs(steps: Sequence[Step], splits: Sequence[Split], known: Rates | None) -> dict[str, Need]:
    """The work on each product of a plan, by the rates."""
    size = sum(split.size for split in splits)
    found = {}
    for step in steps:
        if step.product == "sources":
            continue
        share = size * step.to_do / max(1, step.total)
        seconds, disk = (part.get(step.product) for part in (known.seconds, known.disk)) if known else (None, None)
        if known is not None and (seconds is not None or _counted_elsewhere(step.product, known)):
            seconds, disk = seconds or 0.0, disk or 0.0
        found[step.product] = Need(
            None if seconds is None else share * seconds, None if disk is None else share * disk, step.to_do
        )
    return found


def _counted_elsewhere(product: str, known: Rates) -> bool:
    """Whether a product's tasks go under the name of another, whose module makes it (`families` of `clusters`)."""
    made = graph.BY_NAME[product]
    return made.shape == "gather" or any(
        other.module is made.module for name in known.seconds if (other := graph.BY_NAME.get(name))
    )


def shown(need: Need | None) -> tuple[str, str]:
    """Core time and disk of a product, for the table of a plan."""
    if need is None or not need.files:
        return "", ""
    time = "?" if need.seconds is None else f"~{human_seconds(need.seconds)}"
    return time, "?" if need.disk is None else f"~{human_bytes(need.disk)}"


def requests(found: dict[str, Need], splits: Sequence[Split], store: Store, indexed: int) -> tuple[int, int]:
    """Requests to the place of the input and to that of the root."""
    reading = found.get("documents")
    share = reading.files / max(1, len(splits)) if reading else 0.0
    whole = [split for split in splits if split.unit != "ranges"]
    parts = sum(max(len(split.parts), 1 + split.size // ReadAhead.AHEAD) for split in whole if is_far(split.uri))
    made = 0
    for product, need in found.items():
        known = graph.BY_NAME.get(product)
        made += need.files + int((need.disk or 0) // PART_BYTES)
        made += READS * need.files * sum(name in found for name in (known.inputs if known else ()))
    return round(share * (parts + indexed)), 0 if store.local else made


def text(
    recipe: Recipe, store: Store, found: dict[str, Need], splits: Sequence[Split], known: Rates | None, prices: Prices
) -> str:
    """The sums of a plan, in lines; nothing where nothing is to be made."""
    if not any(need.files for need in found.values()):
        return ""
    if known is None:
        return (
            "time and disk: no run under this root has measured them yet;"
            f" `gristmill run {recipe.path} --root {store.root} --sample 1%` does, on a part of the input\n"
        )
    seconds = sum(need.seconds or 0.0 for need in found.values())
    disk = sum(need.disk or 0.0 for need in found.values())
    cores = prices.cores or len(os.sched_getaffinity(0))
    hours = about(seconds / 3600) if seconds >= 360_000 else f"{seconds / 3600:.2g}"
    lines = [
        f"takes {f'about {hours}' if seconds >= 36 else 'less than 0.01'} core-hours"
        f" ({human_seconds(seconds / cores)} on {cores} cores) and {human_bytes(disk)} of disk,"
        f" by what {known.mixture} took for {human_bytes(known.input_bytes)} of input"
    ]
    far, made = requests(found, splits, store, listing.index_requests(list(splits)))
    if far or made:
        lines.append(f"requests: about {about(far)} for the input, {about(made)} for the root")
    lines += _money(seconds / 3600, far + made, disk, prices)
    unknown = sorted(name for name, need in found.items() if need.files and need.seconds is None)
    if unknown:
        lines.append(f"not counted, for no run under this root made it: {', '.join(unknown)}")
    if known.input_bytes < LITTLE:
        lines.append(f"rates of {human_bytes(known.input_bytes)} of input say little: `run --sample` of a larger part")
    return "\n".join(lines) + "\n"


def _money(core_hours: float, count: int, disk: float, prices: Prices) -> list[str]:
    parts = [
        (name, amount * price)
        for name, amount, price in (
            ("cores", core_hours, prices.per_core_hour),
            ("requests", count / 1e6, prices.per_million_requests),
            ("a month of disk", disk / (1 << 30), prices.per_gib_month),
        )
        if price is not None
    ]
    if not parts:
        return []
    shares = ", ".join(f"{name} {_amount(value)}" for name, value in parts)
    return [f"price: about {_amount(sum(value for _, value in parts))} ({shares})"]


def _amount(value: float) -> str:
    """Two digits, and no more than cents."""
    if value >= 100:
        return about(value)
    return f"{value:.2f}" if value < 1 else f"{value:.{max(0, 1 - int(math.log10(value)))}f}"
