"""The traffic that a plan states is that of running it, file by file."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.run import traffic
from pipeline.store.storage import Store
from stages import clusters, shards, tokens
from stages.contract import Wave
from tests.support.dedup_corpus import many_partitions, split_up
from tests.support.dedup_families import all_families
from tests.support.token_files import write_split


class Watched(Store):
    """A store that remembers which files were opened."""

    seen: set[str]

    def open_unchecked(self, address: str, mapped: bool = True) -> Any:
        self.seen.add(address)
        return super().open_unchecked(address, mapped)

    def read_bytes(self, address: str) -> bytes:
        self.seen.add(address)
        return super().read_bytes(address)


def counted(root: str, waves: Sequence[Wave], taken: Collection[str] = ()) -> list[tuple[str, int, int, int]]:
    """Of every wave that is run the tasks, the files written, and reads of those (but JSON) and of ``taken``."""
    store = Watched(root)
    made = {address for wave in waves for task in wave.tasks for address in task.outputs}
    found = []
    for wave in waves:
        files = reads = 0
        for task in wave.tasks:
            store.seen, store.written = set(), {}
            module, _, function = task.job.partition(":")
            getattr(importlib.import_module(module), function)(store, **task.args)
            files += len(made & store.written.keys())
            reads += len({one for one in store.seen & {*made, *taken} if not one.endswith(".json")} - {*task.outputs})
        found.append((wave.name, len(wave.tasks), files, reads))
        for prefix in wave.discard:
            store.remove(prefix)
    return found


def stated(waves: Sequence[Wave]) -> list[tuple[str, int, int, int]]:
    return [(part.name, part.tasks, part.files, part.reads) for part in traffic.of_waves(waves)]


def test_of_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_partitions(monkeypatch)
    inputs = split_up(Store(str(tmp_path)), all_families()[:200], 4)
    waves = clusters.plan(clusters.Params(memory=1 << 26, passes=2), inputs, "clusters/run")
    expected = stated(waves)
    assert expected == counted(str(tmp_path), waves)
    whole = traffic.whole("clusters", waves)
    assert (whole.files, whole.reads) == (sum(part[2] for part in expected), sum(part[3] for part in expected))
    assert f"{whole.files:,} files and read them {whole.reads:,} times" in whole.line()


@pytest.mark.parametrize("max_reads", [1, 1000])
def test_of_shards(tmp_path: Path, max_reads: int) -> None:
    store = Store(str(tmp_path))
    inputs = []
    for part in range(6):
        arguments = write_split(store, f"in/{part}", [f"page {part} {n}" for n in range(9)])
        tokens.tokenize(store, **arguments, params={})
        report = store.metadata(arguments["output"])
        inputs.append(shards.Input(arguments["output"], report["rows"], report["tokens"]))
    params = shards.Params(target_tokens=40, max_reads=max_reads)
    waves = shards.plan(params, "en", inputs, "out", tokenizer=report["tokenizer"], seed=0)
    assert stated(waves) == counted(str(tmp_path), waves, {one.address for one in inputs})
