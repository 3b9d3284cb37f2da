"""Lines of a manifest that is not whole yet: as tasks come back, in a temporary file of the driver's, compressed.

A dump of a crawl has 360,000 files, and a report of `kept` some 25 KB.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import zstandard

from pipeline.store import manifest
from pipeline.store.storage import Checksum, encode


class Spool:
    """Lines by address (`pipeline.store.manifest.line_of`); places in the file and facts of them stay in memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="gristmill-reports-")  # noqa: SIM115 - gone with this object
        self._places: dict[str, tuple[int, int]] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._end = 0
        self._packer, self._unpacker = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()

    def __contains__(self, address: str) -> bool:
        return address in self._places

    def add(self, address: str, checksum: Checksum, report: Mapping[str, Any]) -> None:
        facts = manifest.facts(dict(report))
        packed = self._packer.compress(manifest.line_of(address, checksum, facts, encode(report)))
        self._file.seek(self._end)
        self._file.write(packed)
        self._places[address] = (self._end, len(packed))
        self._facts[address] = facts
        self._end += len(packed)

    def line(self, address: str) -> bytes:
        at, size = self._places[address]
        self._file.seek(at)
        return self._unpacker.decompress(self._file.read(size))

    def take_facts(self, address: str) -> dict[str, Any]:
        """The facts of a file, which are forgotten here."""
        return self._facts.pop(address)
