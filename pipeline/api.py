"""Gristmill from Python: load a mixture, plan and run it, read its products and figures.

    from pipeline.api import load

    mixture = load("mixtures/mine.yaml", root="/data/corpus")
    mixture.run()
    table = mixture.table(["url", "language", "fineweb_short_line_fraction"], limit=1000)
    mixture.stats()["totals"]["tokens"]

Nothing here is found nowhere else: it is what the commands do, with values instead of text. Errors are
`pipeline.errors.UserError` (a request that cannot be met) and `RunError` (a run that failed), each with one line that
says what to do. `load` reads nothing but the mixture file and what it names; a root may be read while a run writes it,
and then holds what was finished before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from pipeline import recipe as recipes
from pipeline.answers import paths, stats
from pipeline.errors import UserError
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.columns import Pages
from pipeline.recipe.snapshot import Snapshot
from pipeline.run import driver
from pipeline.store.storage import Store

__all__ = ["Mixture", "Step", "load", "opened"]


@dataclass(frozen=True)
class Step:
    """The work of a run on one product: files in all, files to make, and why."""

    product: str
    files: int
    to_do: int
    why: str
    exact: bool
    """False where the product before it is not there yet: ``to_do`` is the most it can be."""


@dataclass(frozen=True)
class Mixture:
    """A mixture under a root; ``path`` is its file, or None where only what stands under the root is read."""

    name: str
    root: str
    path: str | None = None

    def plan(self) -> list[Step]:
        """The steps that `run` would make, redo or reuse; changes nothing.

        Raises:
            UserError: the mixture file is wrong, or there is none.
        """
        steps = driver.planned(self._file(), Store(self.root))
        return [Step(step.product, step.total, step.to_do, step.why, step.exact) for step in steps]

    def run(self, *, engine: str = "ray", workers: int | None = None, quiet: bool = False) -> str:
        """Make everything the mixture asks for; the text that ends the run.

        Args:
            engine: ``ray`` (the cluster of RAY_ADDRESS, else one on this machine) or ``inline`` (this process).
            workers: processes at most; none: every CPU.
            quiet: print nothing on the way.

        Raises:
            UserError, RunError: as the command.
        """
        return driver.run(self._file(), Store(self.root), engine, workers, quiet)

    def files(self, product: str) -> list[str]:
        """Paths or URIs of the files of a product, in the order of the splits; as `gristmill path`."""
        return paths.paths_of(Store(self.root), self.name, product)

    def dataset(self, product: str) -> ds.Dataset:
        """A product as one Arrow dataset: Parquet for products with a row a page, Arrow for tokens and shards.

        Rows of different products of one split stand in the same order, but a scan of a dataset need not keep it:
        `batches` and `table` put columns side by side.
        """
        store = Store(self.root)
        found = paths.addresses(self._snapshot(), product)
        if not found:
            paths.paths_of(store, self.name, product)  # raises, with the reason
        stream = product in ("shards", "corpus")
        if stream:
            tables = [pa.ipc.open_stream(store.open(address)) for address in found]
            batches = [batch for reader in tables for batch in reader]
            return ds.dataset(pa.Table.from_batches(batches))
        kind = "parquet" if found[0].endswith(".parquet") else "ipc"
        return ds.dataset([store.path(address) for address in found], format=kind, filesystem=store.fs)

    def batches(
        self, columns: Sequence[str], *, kept: bool = True, domain: str | None = None, views: bool = True
    ) -> Iterator[pa.Table]:
        """Pages with columns of any product side by side, a table a row group, in the order of the splits.

        Args:
            columns: by name, or ``product.column``; ``text`` is the text with the views of the mixture applied.
            kept: leave out dropped pages.
            domain: of this domain alone.
            views: False for the text as extracted.

        Raises:
            UserError: naming every column that is not there, with the nearest that is.
        """
        pages = Pages(self._snapshot())
        chosen = pages.columns(columns)
        for split in range(len(pages.files["documents"])):
            yield from pages.batches(split, chosen, kept=kept, domain=domain, views=views)

    def table(
        self,
        columns: Sequence[str],
        *,
        kept: bool = True,
        domain: str | None = None,
        views: bool = True,
        limit: int | None = None,
    ) -> pa.Table:
        """The pages of `batches` as one table in memory, of at most ``limit`` rows."""
        found: list[pa.Table] = []
        rows = 0
        for part in self.batches(columns, kept=kept, domain=domain, views=views):
            found.append(part)
            rows += len(part)
            if limit is not None and rows >= limit:
                break
        if not found:
            return pa.table({name: pa.array([]) for name in columns})
        return pa.concat_tables(found).slice(0, limit)

    def stats(self) -> dict[str, Any]:
        """The figures of stats.json (docs/formats.md)."""
        return stats.stats_of(self._snapshot())

    def _snapshot(self) -> Snapshot:
        return snapshots.load(Store(self.root), self.name)

    def _file(self) -> str:
        if self.path is None:
            raise UserError(f"mixture {self.name} was opened by name; load its file to plan or run it")
        return self.path


def load(path: str | Path, root: str | Path) -> Mixture:
    """A mixture file, read and checked, with the root that holds what it makes.

    Raises:
        ConfigError: with every mistake in the file, each with its line and key.
    """
    recipe = recipes.load(path, Store(str(root)))
    return Mixture(recipe.name, str(root), str(path))


def opened(root: str | Path, name: str | None = None) -> Mixture:
    """A mixture that was run under a root, by name; the one run last if none is given. It can be read, not run.

    Raises:
        UserError: the root holds no such mixture.
    """
    return Mixture(snapshots.load(Store(str(root)), name).name, str(root))
