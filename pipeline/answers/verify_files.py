"""Checks of `verify` on the files beside the products' own: each is there and matches its own checksum.

A finished mixture names, by its snapshot and what that leads to, every file it consists of (`named`). The small files
that mixtures of a root share (snapshots, manifests, listings, reports, indices, surveys, ...) are all checked, whoever
made them. Products of other mixtures and of earlier runs are not: they are counted, with what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.progress import human_bytes
from pipeline.recipe import exchange_problem, graph, survey_addresses
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store import facts, key_index, lock
from pipeline.store.key_file import DamagedIndex, Entries
from pipeline.store.storage import Store

SHARED = ("mixtures", "sources", "manifests", "buckets", "urls", "robots", "survey", "report", "takedown", "runs")
"""Folders whose files are checked whoever made them."""
CHANGING = (lock.ADDRESS, lock.GUARD)
"""The file that a run under way rewrites as it goes, and the one it locks, which is empty."""


@dataclass
class Account:
    """Findings about the files beside the products' own."""

    problems: list[str] = field(default_factory=list)
    sound: int = 0
    bare: int = 0
    """Files without a checksum of their own: made before there were any."""

    def lines(self) -> list[str]:
        """For people."""
        found = [f"{'others':<11} {self.sound:,} files"]
        if self.bare:
            found.append(
                f"not checked: {self.bare:,} files without a checksum of their own, made by an earlier version"
            )
        return found


def named(snapshot: Snapshot, report: str) -> list[str]:
    """Files that a mixture consists of beside those in its manifests and its folders of shards.

    ``report`` is the folder of its report.
    """
    data = snapshot.data
    files = [f"mixtures/{snapshot.name}.json", f"{report}/stats.json", f"{report}/report.html"]
    files = files if snapshot.complete else ["runs/current.json"]
    files += [data[key] for key in ("sources", "survey", "buckets") if data.get(key)]
    files += data["products"].values()
    files += filter(snapshot.store.exists, map(facts.address_of, data["products"].values()))
    files += [f"{data[name]}/summary.json" for name in graph.exchanged() if name in data["products"]]
    folders = [data[name] for name in graph.exchanged() if name in data["products"]]
    for name in ("families", "ranked", "taking_part"):  # no file a split, or none that the corpus is made of
        files += data.get(name, [])
        folders += {address.rpartition("/")[0] for address in data.get(name, [])}
    for address in data.get("families", [])[:1]:
        files += [learnt for learnt, _ in snapshot.store.list(f"{address.rpartition('/')[0]}/learnt")]
    folders += [*data.get("shards", {}).values(), *snapshot.corpora().values()]
    for product in data["products"]:
        if product not in graph.exchanged():
            folders += {address.rpartition("/")[0] for address in snapshot.addresses(product)}
    files += {f"{'/'.join(folder.split('/')[:2]).partition('-')[0]}/about.json" for folder in folders}
    if "survey" in data:
        survey, parts = survey_addresses(snapshot.addresses("kept"))
        files += parts if survey == data["survey"] else []  # of an earlier version they have other names
    return sorted(set(files))


def check(snapshot: Snapshot, expected: Iterable[str]) -> Account:
    """Every expected file and every file of `SHARED` by its own checksum.

    An expected file without one is a problem where the snapshot has one: then it had one too.
    """
    store, account = snapshot.store, Account()
    first = f"mixtures/{snapshot.name}.json" if snapshot.complete else "runs/current.json"
    sealed = store.problem(first) == ""
    wanted = set(expected)
    others = {address for folder in SHARED for address, _ in store.list(folder)} - set(CHANGING)
    indexed = key_index.folders(store)
    for address in sorted(wanted | others):
        left = address.endswith(".keys") and indexed is not None and address.rpartition("/")[0] not in indexed
        what = None if left else problem(store, address)
        if what:
            account.problems.append(f"{address}: {what}")
        elif what == "":
            account.sound += 1
        elif sealed and address in wanted:
            account.problems.append(f"{address}: its checksum is not there any more")
        else:
            account.bare += 1
    return account


def problem(store: Store, address: str) -> str | None:
    """The fault of a file in words; '' if there is none; None where it has no checksum of its own."""
    if address.endswith(".part"):
        return exchange_problem(store, address) if store.exists(address) else store.problem(address)
    if not address.endswith(".keys"):
        return store.problem(address)
    try:
        Entries(store, address)[:]
    except DamagedIndex as damage:
        return str(damage).removeprefix(f"{address} ")
    return ""


def unnamed(store: Store, seen: Iterable[str]) -> str | None:
    """Number and size of the files of the root that were not checked, as a line; None if all were."""
    known = set(seen)
    folders = {product.name for product in graph.PRODUCTS} - set(SHARED)
    rest = [size for folder in sorted(folders) for address, size in store.list(folder) if address not in known]
    if not rest:
        return None
    others = snapshots.names(store)
    return (
        f"not checked: {len(rest):,} files ({human_bytes(sum(rest))}) of other mixtures or earlier runs;"
        f" mixtures here: {', '.join(others) or 'none finished'}"
    )
