"""Reports of tasks on their files, until the manifest is written: reports in a temporary file, facts as columns.

A dump of a crawl has 360,000 files, and a report of `kept` some 25 KB. Workers hand them over packed (`Packed`): bytes
that this process passes on, the few facts that later steps use, and the tally that makes the sums of the report.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard

from pipeline.store import facts as columns
from pipeline.store import manifest
from pipeline.store.sinks import Checksum, encode
from pipeline.store.storage import Store, naming_full_disks


@dataclass(frozen=True)
class Packed:
    """A report as it travels: its rows, its facts, itself as compressed JSON, and its tally where it has one."""

    rows: int | None
    facts: columns.Row
    """The facts as columns (`pipeline.store.facts.flat`)."""
    encoded: bytes
    """The facts as JSON."""
    report: bytes
    tally: tuple[str, bytes] | None = None


def pack(report: Mapping[str, Any], tally: str = "") -> Packed:
    """``tally``: "module:function" of the product's reports (`pipeline.recipe.graph.Product.tally`)."""
    facts = manifest.facts(dict(report))
    flat = columns.flat(facts)
    counted = None
    if tally:
        module, _, function = tally.partition(":")
        counted = getattr(importlib.import_module(module), function)(report)
    if counted is not None:
        flat |= {"held_rows": counted.rows, "held_text_bytes": counted.text_bytes}
    packed = zstandard.ZstdCompressor(level=1).compress(encode(report))
    return Packed(
        report.get("rows"), flat, encode(facts), packed, None if counted is None else (counted.names, counted.numbers)
    )


def packed(store: Store, *, job: str, args: dict[str, Any], tally: str) -> dict[str, Any]:
    """Job: another job whose result is a report, which comes back packed."""
    module, _, function = job.partition(":")
    report = getattr(importlib.import_module(module), function)(store, **args)
    seconds = {"seconds": report["seconds"]} if "seconds" in report else {}
    return {"packed": pack(report, tally), "rows": report.get("rows"), **seconds}


class Spool:
    """Lines of a manifest (`pipeline.store.manifest.line_of`) by the number of the file, in any order."""

    def __init__(self, count: int) -> None:
        self._file = tempfile.TemporaryFile(prefix="gristmill-reports-", buffering=1 << 20)  # noqa: SIM115 - gone with this object
        self._starts = array("q", [-1]) * count
        self._sizes = array("q", [0]) * (2 * count)
        self._end = 0
        self._facts = columns.Builder()
        self._sums: Sums | None = Sums()

    def __contains__(self, number: int) -> bool:
        return self._starts[number] >= 0

    def add(self, number: int, address: str, checksum: Checksum, packed: Packed) -> None:
        self._starts[number] = self._end
        self._sizes[2 * number], self._sizes[2 * number + 1] = len(packed.encoded), len(packed.report)
        with naming_full_disks(tempfile.gettempdir()):
            self._file.write(packed.encoded)
            self._file.write(packed.report)
        self._end += len(packed.encoded) + len(packed.report)
        self._facts.add(columns.row_of(address, checksum, packed.facts), number)
        if packed.tally is None:
            self._sums = None
        elif self._sums is not None:
            self._sums.add(*packed.tally)

    def differs(self, known: columns.Facts) -> bool:
        """Whether files that were added are other ones than those of a manifest."""
        places = self._facts.places()
        if not len(places):
            return False
        sums = known.table.select(["bytes", "xxh3_128"]).take(np.sort(places))
        return not sums.equals(self._facts.table().select(["bytes", "xxh3_128"]))

    def facts(self) -> columns.Facts:
        """The facts of all files; when all were added."""
        return columns.Facts(self._facts.table())

    def counts(self) -> dict[str, list[int]] | None:
        """The sums of all tallies; None where a report has none."""
        return None if self._sums is None else self._sums.result()

    def lines(self, facts: columns.Facts) -> Iterator[bytes]:
        """The lines of all files; ``facts`` are theirs."""
        unpacker = zstandard.ZstdDecompressor()
        with naming_full_disks(tempfile.gettempdir()):
            self._file.flush()
        place = self._file.fileno()
        number = 0
        for batch in facts.table.select(["address", "bytes", "xxh3_128"]).to_batches(columns.CHUNK):
            for address, size, xxh3 in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                size_of_facts, size_of_report = self._sizes[2 * number : 2 * number + 2]
                data = os.pread(place, size_of_facts + size_of_report, self._starts[number])
                encoded, report = data[:size_of_facts], data[size_of_facts:]
                checksum: Checksum = {"bytes": size, "xxh3_128": xxh3}
                yield manifest.line_with(address, checksum, encoded, unpacker.decompress(report))
                number += 1


class Sums:
    """Tallies added up: rows of numbers by name."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._totals = np.zeros((0, 0), np.int64)

    def add(self, names: str, numbers: bytes) -> None:
        """``names``, a line each, are different ones; ``numbers`` are int64, as many for each."""
        if not names:
            return
        wanted = names.split("\n")
        slots = self._slots
        try:
            places = [slots[name] for name in wanted]
        except KeyError:
            places = [slots.setdefault(name, len(slots)) for name in wanted]
        values = np.frombuffer(numbers, np.int64).reshape(len(wanted), -1)
        if len(slots) > len(self._totals):
            more = np.zeros((max(64, 2 * len(slots)), values.shape[1]), np.int64)
            more[: len(self._totals)] = self._totals if len(self._totals) else 0
            self._totals = more
        self._totals[places] += values

    def result(self) -> dict[str, list[int]]:
        return {name: self._totals[slot].tolist() for name, slot in sorted(self._slots.items())}
