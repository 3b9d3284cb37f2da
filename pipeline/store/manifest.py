"""Manifests: what a product's files are, written last, one line a file.

``manifests/<product>-<hash of the addresses>.jsonl.zst``: zstd-compressed JSON lines ``{"address", "bytes", "facts",
"report", "xxh3_128"}`` in this order, in the order of the splits, and a seal (`stages.seal`). Written and read as a
stream: a product of 100,000 files has a manifest of some hundred megabytes of reports, a tenth of that on the disk; the
driver holds the few facts it needs of each. A report is decoded when somebody asks for it, since most want an address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from json.encoder import encode_basestring
from typing import Any, cast

import zstandard

from pipeline.store.address import digest
from pipeline.store.sinks import Checksum, HashingSink, encode
from pipeline.store.storage import Store
from stages import seal
from stages.seal import DamagedFile

CHUNK = 1 << 13
"""Compressed bytes at a time: reports are so alike that a hundred times as many may come of them."""
FACTS = (
    "rows", "kept", "records", "raw_bytes", "text_bytes", "num_quarantined", "reasons", "digest", "selection_digest",
    "kept_rows", "domain_digests",
)  # fmt: skip
"""Parts of a report that later steps use; the rest stays in the manifest."""


@dataclass(frozen=True)
class Entry:
    """A file of a product: ``raw`` is its line."""

    address: str
    checksum: Checksum
    raw: bytes

    @property
    def about(self) -> str:
        """Address of ``about.json`` in its folder, which names what decided it."""
        return f"{self.address.rpartition('/')[0]}/about.json"

    @cached_property
    def report(self) -> dict[str, Any]:
        """The whole report of its task."""
        found: dict[str, Any] = json.loads(self.raw)["report"]
        return found

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The parts of it that later steps use."""
        found: dict[str, Any] | None = head_of(self.raw).get("facts")
        return facts(self.report) if found is None else found  # a manifest of an earlier program


def address_of(product: str, addresses: Sequence[str]) -> str:
    return f"manifests/{product}-{digest(addresses)}.jsonl.zst"


def line_of(address: str, checksum: Checksum, facts: dict[str, Any], report: bytes) -> bytes:
    """The line of a file; ``report`` is encoded."""
    return line_with(address, checksum, encode(facts), report)


def line_with(address: str, checksum: Checksum, facts: bytes, report: bytes) -> bytes:
    """`line_of` of facts that are encoded too."""
    name, xxh3 = encode_basestring(address).encode(), str(checksum["xxh3_128"]).encode()
    return b'{"address":%b,"bytes":%d,"facts":%b,"report":%b,"xxh3_128":"%b"}' % (
        name,
        int(checksum["bytes"]),
        facts,
        report,
        xxh3,
    )


def write(
    store: Store, address: str, lines: Iterable[bytes], first: Callable[[str], None] = lambda digest: None
) -> None:
    """Write a manifest of `line_of` each file; equal lines give equal bytes.

    ``first`` writes what is to stand before the manifest does, and is given the xxh3-128 of its lines as written.
    """
    compressor = zstandard.ZstdCompressor(level=3)
    with store.create(address) as sink:
        with compressor.stream_writer(sink, closefd=False) as stream:
            for line in lines:
                stream.write(line + b"\n")
        digest = cast(HashingSink, sink).digest()
        sink.write(seal.lines_seal(digest, address))
        first(digest.hex())


def read(store: Store, address: str) -> Iterator[Entry]:
    """The entries of a manifest, in order."""
    return (entry_of(line) for line in lines(store, address))


def nth(store: Store, address: str, number: int) -> Entry | None:
    """One entry, counted from 0; the lines before it are passed over unread, some 500 MB of them a second."""
    line = next(islice(lines(store, address), number, None), None)
    return None if line is None else entry_of(line)


def lines(store: Store, address: str) -> Iterator[bytes]:
    """The lines of a manifest.

    Raises:
        DamagedFile: it is not what its seal says, or cut off, which a plain reader of zstd takes for an end.
    """
    decoder = zstandard.ZstdDecompressor().decompressobj()
    rest = b""
    packed = frames(store, address)
    try:
        for start in range(0, len(packed), CHUNK):
            *whole, rest = (rest + decoder.decompress(packed[start : start + CHUNK])).split(b"\n")
            yield from whole
            if decoder.eof:
                if decoder.unused_data or start + CHUNK < len(packed):
                    raise DamagedFile(address, "damaged at its end")
                break
    except zstandard.ZstdError as error:
        raise DamagedFile(address, f"no whole zstd ({error})") from error
    if rest or not decoder.eof:
        raise DamagedFile(address, "cut off")


def frames(store: Store, address: str) -> memoryview:
    """The compressed lines of a manifest, without its seal.

    Raises:
        DamagedFile: it is not what its seal says.
    """
    return seal.check_lines(memoryview(store.read_bytes(address)), address)


def head_of(line: bytes) -> dict[str, Any]:
    """The members before the report of a line."""
    found: dict[str, Any] = json.loads(line[: line.index(b',"report":')] + b"}")
    return found


def entry_of(line: bytes) -> Entry:
    head = head_of(line)
    xxh3 = line[line.rindex(b'":"') + 3 : -2].decode()
    return Entry(head["address"], {"bytes": head["bytes"], "xxh3_128": xxh3}, line)


def facts(report: dict[str, Any]) -> dict[str, Any]:
    """The parts of a report that a run keeps in memory for each of its files."""
    kept = {key: report[key] for key in FACTS if key in report}
    if "bad" in report:
        kept["bad"] = bool(report["bad"])
    if "unread" in report:
        kept["unread_bytes"] = report["unread"]["bytes"]
    if "selection_digest" in report and "groups" in report:  # of `kept`
        kept["domains"] = sorted({group["domain"] for group in report["groups"] if group["reason"] is None})
    if "domain_digests" in report:
        kept["tokenizer"] = digest(report["tokenizer"])
        kept["groups"] = by_domain(report["groups"])
    return kept


def by_domain(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Documents and tokens per domain of a tokens report, sources and languages added up."""
    total: dict[str, dict[str, Any]] = {}
    for group in groups:
        entry = total.setdefault(group["domain"], {"domain": group["domain"], "documents": 0, "tokens": 0})
        entry["documents"] += group["documents"]
        entry["tokens"] += group["tokens"]
    return [total[domain] for domain in sorted(total)]


def checksums(store: Store, *, addresses: list[str]) -> dict[str, Checksum]:
    """Job: size and xxh3-128 of files that an interrupted run left, by address.

    Raises:
        DamagedFile: one is not what was written.
    """
    for address in addresses:
        what = store.problem(address)
        if what:
            raise DamagedFile(address, what)
    return {address: store.checksum(address) for address in addresses}
