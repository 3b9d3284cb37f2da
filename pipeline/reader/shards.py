"""The tokens of a folder of shards as one stream that can be read anywhere, without copying.

For trainers and exports. Opens the Arrow files by memory map at the buffer positions of the manifest, so neither
an Arrow reader nor an index of its own is needed, and memory stays flat whatever the corpus holds. A token has a
global position (0 to `num_tokens`), a document a global row, both in the order of the manifest.

Nothing is believed unread. ``verify`` sets how much is checked and when:
    ``"open"``       sizes, end marker, buffer positions, and the checksum of every shard, at once (default)
    ``"lazy"``       the same, but checksums of the blocks that are read, when they are first read
    ``"structure"``  no checksums: for the other ranks once one rank has opened with ``"open"``
A cut or altered shard raises `DamagedShard` with its name and byte offset.

Price: one memory map per shard in use (no file descriptor is kept), 100 bytes per record batch. Local files only:
others are for `pipeline.reader.remote`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from pipeline.errors import UserError
from pipeline.reader.manifest import BLOCK_BYTES, Batch, DamagedShard, Manifest, Shard, check_tokenizer, read_manifest

Verify = Literal["open", "lazy", "structure"]
Tokens = npt.NDArray[Any]
Positions = npt.NDArray[np.int64]

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_PIECE_BYTES = 1 << 20  # fits the second-level cache: 12 GB/s where pieces of 16 MiB gave 5


class TokenShards:
    """Documents and tokens of one folder of shards.

    Args:
        folder: where `manifest.json` is.
        split: ``train``, ``valid``, ``test``, or None for all.
        verify: see the module.
        tokenizer: values the manifest's tokenizer block must have, see `check_tokenizer`.

    Raises:
        UserError, WrongTokenizer, DamagedShard
    """

    def __init__(
        self,
        folder: str | Path | Manifest,
        split: str | None = "train",
        verify: Verify = "open",
        tokenizer: dict[str, Any] | None = None,
    ) -> None:
        if verify not in ("open", "lazy", "structure"):
            raise UserError(f"verify must be open, lazy or structure, found {verify!r}")
        self.manifest = folder if isinstance(folder, Manifest) else read_manifest(folder, split)
        if tokenizer:
            check_tokenizer(self.manifest, **tokenizer)
        self.dtype = self.manifest.dtype
        self.eos_id = self.manifest.eos_id
        self._index()
        self._unchecked: dict[int, set[int]] = {}
        if verify == "lazy":
            # A shard without checksums of blocks is one block.
            self._unchecked = {n: set(range(max(1, len(shard.blocks)))) for n, shard in enumerate(self.shards)}
        for number in range(len(self.shards)):
            if verify == "open":
                check_checksum(self.manifest, self.shards[number])
            self._check_structure(number)

    def _index(self) -> None:
        self.shards = self.manifest.shards
        self._segments: list[tuple[int, Batch]] = []
        self._token_starts, self._row_starts = [0], [0]
        for number, shard in enumerate(self.shards):
            for batch in shard.batches * shard.multiplicity:
                self._segments.append((number, batch))
                self._token_starts.append(self._token_starts[-1] + batch.tokens)
                self._row_starts.append(self._row_starts[-1] + batch.rows)
        self.num_tokens = self._token_starts[-1]
        self.num_documents = self._row_starts[-1]
        self._buffers: dict[int, pa.Buffer] = {}
        self._arrays: dict[int, tuple[Tokens, Positions]] = {}

    looks_ahead = False
    """Whether it is worth announcing by `ahead` what will be read."""

    def __len__(self) -> int:
        return self.num_documents

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_buffers": {}, "_arrays": {}}

    # Checks

    def _check_structure(self, number: int) -> None:
        check_structure(self.manifest, self.shards[number])
        for batch in self.shards[number].batches:
            offsets = np.frombuffer(self._map(number), np.int64, batch.rows + 1, batch.offsets_position)
            if offsets[0] != 0 or offsets[-1] != batch.tokens:
                raise DamagedShard(
                    f"{self.shards[number].path}: list offsets at byte {batch.offsets_position} run from {offsets[0]} "
                    f"to {offsets[-1]}, expected 0 to {batch.tokens}"
                )

    # Reading

    def _map(self, number: int) -> pa.Buffer:
        buffer = self._buffers.get(number)
        if buffer is None:
            # The region outlives the closed file, so ten thousand shards need no ten thousand descriptors.
            with pa.memory_map(str(self.manifest.folder / self.shards[number].path)) as file:
                buffer = self._buffers[number] = file.read_buffer()
        return buffer

    def arrays(self, segment: int) -> tuple[Tokens, Positions]:
        """Token ids and list offsets (rows + 1, from 0) of one record batch: read-only views of the file."""
        if self._unchecked:
            batch = self._segments[segment][1]
            self._touch(segment, batch.offsets_position, batch.offsets_bytes)
            self._touch(segment, batch.values_position, batch.values_bytes)
        return self._views(segment)

    def _touch(self, segment: int, position: int, size: int) -> None:
        """Check the blocks that hold these bytes of the shard, unless they have been."""
        number = self._segments[segment][0]
        pending = self._unchecked.get(number)
        if pending is None:
            return
        shard = self.shards[number]
        if not shard.blocks:
            check_checksum(self.manifest, shard)
            pending.clear()
        for block in range(position // BLOCK_BYTES, -(-(position + size) // BLOCK_BYTES)):
            if block in pending:
                check_block(self.manifest, shard, block)
                pending.discard(block)
        if not pending:
            del self._unchecked[number]

    def _offsets(self, segment: int) -> Positions:
        if self._unchecked:
            batch = self._segments[segment][1]
            self._touch(segment, batch.offsets_position, batch.offsets_bytes)
        return self._views(segment)[1]

    def _values(self, segment: int, start: int, stop: int) -> Tokens:
        if self._unchecked:
            size = self.dtype.itemsize
            position = self._segments[segment][1].values_position
            self._touch(segment, position + start * size, (stop - start) * size)
        return self._views(segment)[0][start:stop]

    def _views(self, segment: int) -> tuple[Tokens, Positions]:
        found = self._arrays.get(segment)
        if found is None:
            number, batch = self._segments[segment]
            buffer = self._map(number)
            values = np.frombuffer(buffer, self.dtype, batch.tokens, batch.values_position)
            offsets = np.frombuffer(buffer, np.int64, batch.rows + 1, batch.offsets_position)
            found = self._arrays[segment] = (values, offsets)
        return found

    @property
    def num_segments(self) -> int:
        """Record batches, in order; what `arrays` takes."""
        return len(self._segments)

    def segment_shard(self, segment: int) -> tuple[Shard, Batch]:
        """The shard a record batch is in, and where."""
        number, batch = self._segments[segment]
        return self.shards[number], batch

    def segment_tokens(self, segment: int) -> tuple[int, int]:
        """Global token positions [start, stop) of a record batch."""
        return self._token_starts[segment], self._token_starts[segment + 1]

    def tokens(self, start: int, stop: int) -> Tokens:
        """Ids at global positions [start, stop): a view where they are in one record batch, else a copy."""
        if not 0 <= start <= stop <= self.num_tokens:
            raise IndexError(f"tokens [{start}, {stop}) are outside 0..{self.num_tokens}")
        if start == stop:
            return np.empty(0, self.dtype)
        starts = self._token_starts
        segment = bisect_right(starts, start) - 1
        base = starts[segment]
        if stop <= starts[segment + 1]:
            return self._values(segment, start - base, stop - base)
        pieces = []
        while start < stop:
            end = min(stop, starts[segment + 1])
            pieces.append(self._values(segment, start - starts[segment], end - starts[segment]))
            start, segment = end, segment + 1
        return np.concatenate(pieces)

    def ahead(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Told of global positions [start, stop) that will be read: on a disk nothing need be done."""

    def document_starts(self, start: int, stop: int, origin: int = 0) -> Positions:
        """Global positions p of first tokens of documents with start < p < stop, ascending, less ``origin``."""
        starts = self._token_starts
        segment = bisect_right(starts, start) - 1
        pieces = []
        while segment < len(self._segments) and starts[segment] < stop:
            base = starts[segment]
            offsets = self._offsets(segment)
            low, high = offsets.searchsorted(start - base, "right"), offsets.searchsorted(stop - base, "left")
            # The last offset is the end of the batch: a start only if a batch follows.
            pieces.append(offsets[low : min(high, len(offsets) - 1)] + (base - origin))
            segment += 1
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.int64), *pieces])

    def span(self, row: int) -> tuple[int, int]:
        """Global token positions [start, stop) of a document, its EOS included."""
        if not 0 <= row < self.num_documents:
            raise IndexError(f"document {row} is outside 0..{self.num_documents - 1}")
        segment = bisect_right(self._row_starts, row) - 1
        offsets = self._offsets(segment)
        local = row - self._row_starts[segment]
        base = self._token_starts[segment]
        return base + int(offsets[local]), base + int(offsets[local + 1])

    def document(self, row: int) -> Tokens:
        """Ids of a document, its EOS included: a view."""
        return self.tokens(*self.span(row))

    def doc_ids(self, segment: int) -> npt.NDArray[np.void]:
        """The 16-byte doc_ids of one record batch, as an array of raw 16-byte items (a view)."""
        number, batch = self._segments[segment]
        if self._unchecked:
            self._touch(segment, batch.doc_id_position, 16 * batch.rows)
        return np.frombuffer(self._map(number), np.dtype("V16"), batch.rows, batch.doc_id_position)


def check_structure(manifest: Manifest, shard: Shard) -> None:
    """Size, end marker and sums of one shard against the manifest, without reading its tokens."""
    path = manifest.folder / shard.path
    if not path.is_file():
        raise DamagedShard(f"{shard.path}: the manifest names this shard, and it is not in {manifest.folder}")
    size = path.stat().st_size
    if size != shard.bytes:
        problem = "cut" if size < shard.bytes else "longer than written"
        raise DamagedShard(f"{shard.path}: {problem}: ends at byte offset {size}, expected {shard.bytes}")
    with path.open("rb") as file:
        file.seek(size - len(END_OF_STREAM))
        if file.read() != END_OF_STREAM:
            raise DamagedShard(f"{shard.path}: no end-of-stream marker at byte offset {size - len(END_OF_STREAM)}")
    rows, tokens = sum(b.rows for b in shard.batches), sum(b.tokens for b in shard.batches)
    if (rows, tokens) != (shard.rows, shard.tokens):
        raise DamagedShard(
            f"{shard.path}: its batches hold {rows} rows and {tokens} tokens, expected {shard.rows} and {shard.tokens}"
        )
    for batch in shard.batches:
        buffers = (
            (batch.offsets_position, 8 * (batch.rows + 1)),
            (batch.values_position, manifest.dtype.itemsize * batch.tokens),
            (batch.doc_id_position, 16 * batch.rows),
        )
        for position, length in buffers:
            if position < 0 or position + length > size:
                raise DamagedShard(f"{shard.path}: buffer at byte offset {position} of {length} bytes leaves the file")


def check_checksum(manifest: Manifest, shard: Shard) -> None:
    """XXH3-128 of the whole file against the manifest; a difference is narrowed down as far as it can be seen."""
    path = manifest.folder / shard.path
    if not path.is_file() or path.stat().st_size != shard.bytes:
        check_structure(manifest, shard)
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        for number in range(-(-shard.bytes // BLOCK_BYTES)):
            found = _hash_block(file, digest)
            if shard.blocks and found != shard.blocks[number]:
                raise _damaged_block(manifest, shard, number)
    if digest.hexdigest() != shard.xxh3_128:
        raise DamagedShard(
            f"{shard.path}: checksum {digest.hexdigest()} instead of {shard.xxh3_128}: "
            f"{locate_damage(manifest, shard)}. Copy this shard again or run the stage again."
        )


def check_block(manifest: Manifest, shard: Shard, number: int) -> None:
    """XXH3-64 of one block of `BLOCK_BYTES` against the manifest."""
    with (manifest.folder / shard.path).open("rb", buffering=0) as file:
        file.seek(number * BLOCK_BYTES)
        if _hash_block(file, None) != shard.blocks[number]:
            raise _damaged_block(manifest, shard, number)


def _hash_block(file: Any, whole: Any) -> str:
    """XXH3-64 of the next block of a file; its bytes go into ``whole`` too, if given."""
    block, piece = xxhash.xxh3_64(), memoryview(bytearray(_PIECE_BYTES))
    left = BLOCK_BYTES
    while left and (held := file.readinto(piece[:left])):
        block.update(piece[:held])
        if whole is not None:
            whole.update(piece[:held])
        left -= held
    return block.hexdigest()


def _damaged_block(manifest: Manifest, shard: Shard, number: int) -> DamagedShard:
    start = number * BLOCK_BYTES
    return DamagedShard(
        f"{shard.path}: bytes {start} to {min(start + BLOCK_BYTES, shard.bytes)} are not those written: "
        f"{locate_damage(manifest, shard)}. Copy this shard again or run the stage again."
    )


def locate_damage(manifest: Manifest, shard: Shard) -> str:
    """The place where a shard of the right size and the wrong checksum shows its damage, in words with a byte offset.

    Sees bad list offsets, ids outside the range written, and EOS anywhere but at the end of a document. A changed
    id that is still a plausible id cannot be found without the original; then the whole range is named.
    """
    data = (manifest.folder / shard.path).read_bytes()
    size = manifest.dtype.itemsize
    for batch in shard.batches:
        offsets = np.frombuffer(data, np.int64, batch.rows + 1, batch.offsets_position)
        bad = np.flatnonzero((np.diff(offsets) <= 0) | (offsets[1:] > batch.tokens))
        if bad.size or offsets[0] != 0:
            row = 0 if offsets[0] != 0 else int(bad[0]) + 1
            return f"list offset {row} of a batch is wrong, at byte offset {batch.offsets_position + 8 * row}"
        values = np.frombuffer(data, manifest.dtype, batch.tokens, batch.values_position)
        wrong = (values < shard.min_id) | (values > shard.max_id)
        is_end = np.zeros(batch.tokens, np.bool_)
        is_end[offsets[1:] - 1] = True
        wrong |= is_end != (values == manifest.eos_id)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            where = batch.values_position + size * first
            return f"token {first} of a batch is {values[first]}, at byte offset {where}"
    return f"a byte between offset 0 and {len(data)} differs, and every id in them is a possible one"
