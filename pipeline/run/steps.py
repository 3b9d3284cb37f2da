"""The machinery that the steps of a run share: files of a product that stand, tasks for others, reports, the manifest.

A step names the addresses of its product; `Steps` sees which files are missing, runs the tasks that make them, checks
what an interrupted run left, and writes one manifest of addresses, checksums and reports. In a dry run it
stops at the first step that would have work to do (`Unknown`).
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Any, TypeVar

from pipeline.engine.scheduler import Done, Planned, Scheduler, TasksFailed
from pipeline.progress import Reporter, WaveProgress
from pipeline.recipe import Recipe, graph
from pipeline.recipe import snapshot as snapshots
from pipeline.run import mending, rebuild, redo_reasons, traffic
from pipeline.run.mending import MAX_REBUILDS
from pipeline.run.product import Addresses, Numbers, Product
from pipeline.run.spool import Spool, pack
from pipeline.store import facts as columns
from pipeline.store import manifest
from pipeline.store.address import Fingerprint, split_ids
from pipeline.store.costs import Costs
from pipeline.store.facts import Facts
from pipeline.store.sinks import Checksum
from pipeline.store.storage import Store
from stages.contract import Split, Task, Wave

T = TypeVar("T")
READ_THREADS = 16
READ_AHEAD = 1024
PROGRESS = "runs/progress.json"
PROGRESS_SECONDS = 3.0
SLOWEST = 10
"""Tasks of the wave under way that `watch` names."""
SUM_FILES = 64
UNCHANGED = "nothing changed"
LOST = "files of it are missing or cut"
LOCAL_KEYS = ("batches",)
"""Parts of a report that stay in its file: where to find rows in it."""


@dataclass(frozen=True)
class Step:
    """The needs of one product: files in all, those to be made, and why."""

    product: str
    total: int
    to_do: int
    why: str
    exact: bool = True
    """False when ``to_do`` is a bound: it depends on rows that are not computed yet."""


class Unknown(Exception):
    """Planning cannot look further: the next addresses depend on files that are not made yet."""


class Steps:
    """The machinery of one run. ``dry`` only plans: it fills ``planned`` and changes nothing."""

    def __init__(
        self, recipe: Recipe, store: Store, scheduler: Scheduler, reporter: Reporter, costs: Costs, dry: bool = False
    ) -> None:
        self.recipe, self.store, self.scheduler, self.reporter = recipe, store, scheduler, reporter
        self.costs, self.dry = costs, dry
        self.mender = mending.Mender(store, reporter.say)
        self.checksums: dict[str, Checksum] = {}
        self.aside = False
        """True: the run of something else than a corpus, which `status` and `stats` do not take for the last run."""
        self._shown_at = -PROGRESS_SECONDS
        self._splits: list[Split] = []
        self._ids: list[str] = []
        self._sources: list[str] = []
        self._abouts: dict[str, Any] = {}
        self.foreign: set[str] = set()
        """Files that are read, but made by runs of other mixtures."""
        self.planned: list[Step] = []
        self.traffic: list[traffic.Traffic] = []
        """Traffic of the exchanges of a plan whose inputs are all known."""
        self.snapshot: dict[str, Any] = {"version": 1, "name": recipe.name, "products": {}}

    def whole(self, work: Callable[[], T]) -> T:
        """The result of ``work``, begun anew when damaged files were removed."""
        try:
            made = self.mender.whole(work, self.again, self.foreign.__contains__)
        except BaseException:
            with suppress(OSError):  # on a full disk: the error under way is the one to see
                self.costs.write()
            raise
        self.costs.write()
        return made

    def again(self) -> None:
        """Forget what was found so far: the run begins anew."""
        self.planned = []
        self.snapshot = {"version": 1, "name": self.recipe.name, "products": {}}

    @property
    def splits(self) -> list[Split]:
        """The input of this run."""
        return self._splits

    @splits.setter
    def splits(self, splits: list[Split]) -> None:
        self._splits, self._ids = splits, []
        self._sources = [split.source for split in splits]

    @property
    def ids(self) -> list[str]:
        """`split_id` of each."""
        if len(self._ids) != len(self._splits):
            self._ids = split_ids(self._splits)
        return self._ids

    def addresses(self, folders: Mapping[str, str], names: Sequence[str] = (), suffix: str = ".parquet") -> Addresses:
        """Addresses of a product of every split: in the folder of its source, by its id or another name."""
        return Addresses([*map(folders.__getitem__, self._sources)], names or self.ids, suffix)

    def make(self, name: str, tasks: list[Task]) -> None:
        """Run those tasks whose outputs are not there."""
        self.run_waves(name, [Wave(name, tuple(tasks))])

    def map_product(
        self,
        name: str,
        product: Product,
        make: Callable[[int], Task],
        costs: Sequence[int],
        fingerprint_of: Callable[[str], Fingerprint],
        step: str = "",
    ) -> None:
        """Make a map product.

        Args:
            make: the task of a split, by its number; its result is the file's report.
            costs: bytes of input of every split's task.
            step: the name of the step, where a run makes the product twice.
        """
        missing = self.standing(name, product)
        count = len(product.addresses)
        self.planned.append(Step(step or name, count, len(missing), self.why(name, product, missing, fingerprint_of)))
        fresh = Spool(count)

        def one(number: int) -> Task:
            t = make(number)
            args = {"job": t.job, "args": t.args, "tally": graph.BY_NAME[name].tally}
            return Task("pipeline.run.spool:packed", args, t.outputs, t.label, t.cost, t.memory, t.gpus)

        def done(result: Done) -> None:
            file = result.task.outputs[0]
            fresh.add(result.number, file, result.files.pop(file), result.value["packed"])

        tasks = Planned(one, missing, [costs[number] for number in missing])
        self.run(step or name, tasks, done)
        self.finish(name, product, fresh, {source: fingerprint_of(source) for source in self.recipe.sources})

    def missing(self, addresses: Iterable[str]) -> set[str]:
        wanted = set(addresses)
        listed = self.listed(wanted)
        return {address for address in wanted if not listed.get(address)}

    def listed(self, addresses: Iterable[str], *others: str) -> dict[str, int]:
        """Sizes of all files in the folders of these files."""
        if isinstance(addresses, Addresses):
            folders = addresses.folders()
        else:
            folders = {address.rpartition("/")[0] for address in addresses}
        folders |= {address.rpartition("/")[0] for address in others}
        found: dict[str, int] = {}
        for folder in folders:
            more = self.store.sizes(folder)
            found = found | more if found else more
        return found

    def standing(
        self, name: str, product: Product, others: Sequence[str] = (), listed: Mapping[str, int] | None = None
    ) -> Numbers:
        """The files of a product that are not there, by their numbers, and after them those of others made with them;
        fills in facts from its manifest.

        A file of another size than its manifest states counts as not there, and is removed. ``listed``: what there is.
        """
        address = product.manifest(name)
        sizes: list[int] = []
        if self.store.exists(address):
            product.facts = columns.read(self.store, address).without("address")
            sizes = product.facts.column("bytes")
        listed = self.listed(product.addresses, *others) if listed is None else listed
        found = list(map(listed.get, product.addresses))
        missing = array("q")
        if found != sizes:
            for number, (size, expected) in enumerate(zip(found, chain(sizes, repeat(None)), strict=False)):
                if size is None:
                    missing.append(number)
                elif expected is not None and size != expected:
                    missing.append(number)
                    self._remove_wrong(product.addresses[number], expected, size)
        missing.extend(number for number, one in enumerate(others, len(found)) if one not in listed)
        return missing

    def _remove_wrong(self, address: str, size: int | None, found: int) -> None:
        if not self.dry:
            self.reporter.say(f"{address} is damaged ({found} bytes of {size}): it is removed and made again")
            self.store.remove(address)

    def lacking(self, listed: Mapping[str, int], expected: Mapping[str, int | None]) -> set[str]:
        """Files that should be there and are not; those of another size are removed."""
        missing, wrong = mending.lacking(listed, expected)
        for address in sorted(wrong):
            self._remove_wrong(address, expected[address], listed[address])
        return missing | wrong

    def unsound(self, sizes: str, addresses: Iterable[str]) -> set[str]:
        """Files without a manifest that are not there; those of another size than the JSON file ``sizes`` has
        are removed, and where that is not there, those without an end."""
        expected: dict[str, int | None] = dict.fromkeys(addresses)
        listed = self.listed(expected)
        known: dict[str, int] = {}
        if self.store.exists(sizes):
            known = self.store.read_json(sizes)["sizes"]
            if known.items() <= listed.items() and all(map(known.get, expected)):
                return set()
        elif not self.dry:
            for one in expected:
                if listed.get(one) and not one.endswith(".json") and not self.store.whole(one):
                    self.reporter.say(f"{one} is damaged (cut off): it is removed and made again")
                    self.store.remove(one)
                    del listed[one]
        expected = {address: known.get(address) for address in expected}
        return self.lacking(listed, expected) | {address for address in expected if not listed.get(address)}

    def keep_sizes(self, sizes: str, addresses: Iterable[str]) -> None:
        """Write the sizes of files without a manifest that are all there, for `unsound`; JSON is read whole anyway."""
        if not self.dry and not self.store.exists(sizes):
            wanted = {address for address in addresses if not address.endswith(".json")}
            listed = self.listed(wanted)
            self.store.write_json(sizes, {"sizes": {address: listed[address] for address in sorted(wanted)}})

    def tidy(self, folder: str, *expected: Sequence[str] | str, listed: Iterable[str] | None = None) -> None:
        """Remove what an interrupted run left in the folder of a product that is whole; ``listed``: what there is."""
        if self.dry:
            return
        left = {address for address, _ in self.store.list(folder)} if listed is None else {*listed}
        for one in expected:
            left.difference_update([one] if isinstance(one, str) else one)
        for address in sorted(left):
            self.store.remove(address)

    def run(self, name: str, tasks: Sequence[Task], done: Callable[[Done], None]) -> None:
        if self.dry:
            if tasks:
                raise Unknown
            return
        if not tasks:
            return
        cost = sum(tasks.costs if isinstance(tasks, Planned) else (task.cost for task in tasks))
        with self.reporter.wave(name, len(tasks), cost) as progress:

            def finished(result: Done) -> None:
                done(result)
                self.checksums.update(result.files)
                self.costs.add(name, result.task, result.value, result.cost)
                progress.advance(result.task.cost, result.value.get("pages", 0))
                self._progress(name, progress)

            try:
                self.scheduler.run(name, tasks, finished, lambda: self._progress(name, progress))
            finally:
                self.costs.retries = self.scheduler.retries
                self.costs.end_wave()

    def run_waves(self, name: str, waves: list[Wave]) -> None:
        """Run an exchange; what is found damaged on the way is made again (see `pipeline.run.rebuild`)."""
        if self.dry and waves:
            self.traffic.append(traffic.whole(name, waves))
            raise Unknown
        for rebuilds_left in reversed(range(MAX_REBUILDS + 1)):
            made = (address for wave in waves for outputs in rebuild.outputs_of(wave.tasks) for address in outputs)
            listed = self.listed(made)
            wanted = rebuild.to_run(waves, lambda address, listed=listed: not listed.get(address))  # type: ignore[misc]
            del listed
            for wave, tasks in zip(waves, wanted, strict=True):
                label = wave.name if wave.name.startswith(name) else f"{name}: {wave.name}"
                try:
                    self.run(label, tasks, lambda result: None)
                except TasksFailed as error:
                    own = rebuild.inputs_of(tasks, waves)
                    for address in own & error.damaged.keys():
                        self.store.remove(address)
                    lost = self.missing(own)
                    if not lost or not rebuilds_left or not error.damaged.keys() <= own:
                        raise
                    self.reporter.say(f"{name}: {len(lost)} damaged file(s) are made again, first {min(lost)}")
                    break
                for prefix in wave.discard:
                    self.store.remove(prefix)
            else:
                return

    def finish(
        self,
        name: str,
        product: Product,
        fresh: Spool | None = None,
        fingerprints: dict[str, Fingerprint] | None = None,
    ) -> None:
        """Fill in the reports of a product: from its manifest, from the tasks just run, or from its files."""
        address = product.manifest(name)
        self.snapshot["products"][name] = address
        self.about((fingerprints or self._fingerprints(name)).values())
        tally = graph.BY_NAME[name].tally
        if product.facts and not (fresh and fresh.differs(product.facts)):
            if not self.dry and not product.facts.beside:
                known = Spool(len(product.addresses))
                for number, entry in enumerate(manifest.read(self.store, address)):
                    known.add(number, entry.address, entry.checksum, pack(entry.report, tally))
                columns.write(
                    self.store, address, known.facts().table, columns.digest(self.store, address), known.counts()
                )
            product.facts = product.facts.without("xxh3_128")
            return
        if self.dry:
            product.facts = Facts.of(map(manifest.facts, self.reports(product.addresses)))
            return
        spool = fresh or Spool(len(product.addresses))
        old = [number for number in range(len(product.addresses)) if number not in spool]
        files = [product.addresses[number] for number in old]
        self._check_sums(name, files)
        for number, file, report in zip(old, files, self.reports(files), strict=True):
            spool.add(number, file, self.checksums.pop(file), pack(report, tally))
        facts = spool.facts()
        beside = partial(columns.write, self.store, address, facts.table, counts=spool.counts())
        manifest.write(self.store, address, spool.lines(facts), lambda digest: beside(digest=digest))
        product.facts = facts.without("address", "xxh3_128")

    def reports(self, addresses: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The reports inside files, in order."""
        with ThreadPoolExecutor(READ_THREADS) as threads:
            for start in range(0, len(addresses), READ_AHEAD):
                yield from threads.map(self.report, addresses[start : start + READ_AHEAD])

    def _check_sums(self, name: str, addresses: list[str]) -> None:
        """Read the files an interrupted run left without their checksums, on the workers."""
        unknown = [address for address in addresses if address not in self.checksums]
        groups = [unknown[start : start + SUM_FILES] for start in range(0, len(unknown), SUM_FILES)]
        tasks = [
            Task("pipeline.store.manifest:checksums", {"addresses": group}, (), f"{name} {index + 1}/{len(groups)}")
            for index, group in enumerate(groups)
        ]
        self.run(f"{name}: checksums", tasks, lambda result: self.checksums.update(result.value))

    def report(self, address: str) -> dict[str, Any]:
        """The report inside a file, without what only readers of that file need."""
        report = self.store.metadata(address)
        return {key: value for key, value in report.items() if key not in LOCAL_KEYS}

    def _fingerprints(self, name: str) -> dict[str, Fingerprint]:
        if graph.BY_NAME[name].shape == "exchange":
            return {}
        return {source: self.recipe.fingerprint(name, source) for source in self.recipe.sources}

    def about(self, fingerprints: Iterable[Fingerprint]) -> None:
        """Write the fingerprints of products beside their files: when these are whole, and again where one is gone."""
        if self.dry:
            return
        found = {f"{fingerprint.folder}/about.json": fingerprint.about() for fingerprint in fingerprints}
        with ThreadPoolExecutor(READ_THREADS) as threads:
            list(threads.map(self.store.keep_json, found, found.values()))

    def save(self, pending: dict[str, list[str]] | None = None, complete: bool = False) -> None:
        """Write how far this run is, for `status` and `stats`; and, once it is whole, keep its snapshot."""
        if self.dry or self.aside:
            return
        snapshot = self.snapshot | ({"pending": pending} if pending else {})
        if complete:
            snapshots.keep(self.store, self.recipe.name, self.snapshot)
        self.store.write_json(
            "runs/current.json", {"mixture": self.recipe.name, "complete": complete, "snapshot": snapshot}
        )

    def _progress(self, wave: str, progress: WaveProgress) -> None:
        if time.monotonic() - self._shown_at < PROGRESS_SECONDS:
            return
        self._shown_at, now = time.monotonic(), time.time()
        record: dict[str, Any] = {"phase": wave, "tasks": progress.tasks, "done": progress.done_tasks}
        record |= {"cost": progress.cost, "done_cost": progress.done_cost, "pages": progress.pages}
        record |= {"started": now - (time.monotonic() - progress.started), "time": now}
        record["slowest"] = self.costs.slowest(SLOWEST)
        with suppress(OSError):  # for who looks on alone: a task that writes will say what is wrong with the disk
            self.store.write_json(PROGRESS, record | {"said": list(self.reporter.last_lines)})

    # Why something is to be done

    def why(self, name: str, product: Product, missing: Numbers, fingerprint_of: Callable[[str], Fingerprint]) -> str:
        if not missing or product.facts:
            return LOST if missing else UNCHANGED
        sources = sorted({self.splits[number].source for number in missing})
        reasons = {self.why_changed(name, fingerprint_of(source)) for source in sources}
        return redo_reasons.joined(reasons)

    def why_whole(self, name: str, fingerprint: Fingerprint, missing: bool, stood: bool) -> str:
        """``stood``: it was whole once."""
        if not missing:
            return UNCHANGED
        return LOST if stood else self.why_changed(name, fingerprint)

    def why_changed(self, name: str, fingerprint: Fingerprint) -> str:
        return redo_reasons.changed(self.store, name, fingerprint, self._abouts)
