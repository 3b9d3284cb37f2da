"""`prune`: files that no mixture of a root names any more, listed with sizes, and removed.

Every edit of a mixture leaves the files of before, so that going back costs nothing; here they go. Kept is whatever the
snapshots of the mixtures lead to: of all finished ones and of one that was begun and is not finished, or of those
named, and of the earlier mixtures that these are deduplicated against. Of a mixture that is not kept its snapshot goes
first, so that nobody believes in it. Never touched are ``runs``, ``takedown``, compiled lists of addresses and whatever
is no product's.

The root is held while files go (`pipeline.store.lock`): beside a run the command is refused, and a run is beside it.
A run of a kept mixture afterwards makes at most files again that led to what stands, such as decisions before repeats.
Price: a listing of the root and a read of every kept manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.answers import stats, verify_files
from pipeline.errors import UserError
from pipeline.progress import Reporter, human_bytes
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store

FOLDERS = (*(product.name for product in graph.PRODUCTS), "manifests", "buckets")
"""Folders that files are removed from."""
THREADS = 16


def prune_text(store: Store, keep: Sequence[str], dry: bool) -> str:
    """Remove what is not kept, or only list it; the list as text.

    Raises:
        UserError: a mixture to keep is not there, or a run holds the root.
    """
    if dry:
        return _listed(store, *_spare(store, keep), dry)
    with RootLock(store, Reporter().say):
        dropped, spare = _spare(store, keep)
        if dropped and snapshots.load(store).name in dropped:
            store.write_json("runs/current.json", {"mixture": keep[0], "complete": True})
        for name in dropped:
            store.remove(f"mixtures/{name}.json")
            store.remove(f"runs/{name}")
        _remove(store, spare)
        return _listed(store, dropped, spare, dry)


def _spare(store: Store, keep: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Names of the mixtures that are not kept, and files with their sizes that nothing kept leads to."""
    finished = snapshots.names(store)
    unknown = [name for name in keep if name not in finished]
    if unknown:
        raise UserError(f"{store.root} has no finished mixture {', '.join(unknown)}; it has: {', '.join(finished)}")
    kept = [snapshots.load(store, name) for name in with_earlier(store, keep or finished)]
    unfinished = []
    if store.exists("runs/current.json"):
        current = snapshots.load(store)
        if not current.complete and (not keep or current.name in keep):
            kept.append(current)
        elif not current.complete:
            unfinished = [current.name]
    if not kept:
        raise UserError(f"{store.root} holds no mixture: nothing would be left; remove the folder itself")
    reached = {address for snapshot in kept for address in reach(snapshot)}
    names = {snapshot.name for snapshot in kept}
    spare = {address: size for folder in FOLDERS for address, size in store.list(folder) if address not in reached}
    return [name for name in dict.fromkeys([*finished, *unfinished]) if name not in names], spare


def with_earlier(store: Store, names: Sequence[str]) -> list[str]:
    """Mixtures, and those of this root that they are deduplicated against, and so on."""
    found: list[str] = []
    waiting = list(names)
    finished = set(snapshots.names(store))
    while waiting:
        name = waiting.pop()
        if name in found or name not in finished:
            continue
        found.append(name)
        waiting += snapshots.load(store, name).data.get("earlier") or []
    return found


def reach(snapshot: Snapshot) -> Iterable[str]:
    """Every file that a mixture consists of.

    Raises:
        RunError: a manifest is gone, so that what it names is not known.
    """
    store = snapshot.store
    yield from verify_files.named(snapshot, stats.made_folder(snapshot))
    yield from (address for product in snapshot.data["products"] for address in snapshot.addresses(product))
    yield from (address for found in snapshot.data.get("pending", {}).values() for address in found)
    folders = [*(snapshot.data.get("shards") or {}).values(), *snapshot.corpora().values()]
    folders += [snapshot.data["survey"]] if snapshot.data.get("survey") else []
    for manifest in folders:
        yield from (address for address, _ in store.list(manifest.rpartition("/")[0]))


def _remove(store: Store, spare: dict[str, int]) -> None:
    """Whole folders where nothing in them stays, else file by file."""
    by_folder: dict[str, list[str]] = {}
    for address in spare:
        by_folder.setdefault("/".join(address.split("/")[:2]), []).append(address)
    whole, single = [], []
    for folder, files in by_folder.items():
        if folder not in files and len(store.list(folder)) == len(files):
            whole.append(folder)
        else:
            single += files
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(store.remove, [*single, *whole]))


def _listed(store: Store, dropped: Sequence[str], spare: dict[str, int], dry: bool) -> str:
    sums: dict[str, list[int]] = {}
    for address, size in spare.items():
        counts = sums.setdefault(address.partition("/")[0], [0, 0])
        counts[0] += 1
        counts[1] += size
    width = max((len(name) for name in sums), default=0)
    lines = [f"{name:<{width}}  {files:>9,} files  {human_bytes(size):>10}" for name, (files, size) in sums.items()]
    lines += [f"mixture {name}" for name in dropped]
    word = "would be removed" if dry else "removed"
    total = f"{len(spare):,} files, {human_bytes(sum(spare.values()))} {word} from {store.root}"
    return "\n".join([*lines, total]) + "\n"
