"""OLMo-core and Dolma token files: `.npy` that are not NumPy files, with `.csv.gz` beside them.

`.npy` is ids and nothing else: no header, no padding, EOS included (`np.load` would fail on it, `np.save` would
spoil it). `.csv.gz` has a line per document without a header: start, end (exclusive, in tokens of the file),
document id, source, place in the source. Documents never straddle files.

OLMo-core takes floor(T / S) windows of each file and drops the rest, so few large files lose least; its default
of 512 Mi tokens is ours. It guesses the width of ids from the vocabulary, from uint8 up: give ``dtype`` explicitly.
"""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.exports.target import Export, empty_folder, parts, raw, whole_file, written
from pipeline.reader import TokenShards
from pipeline.store.storage import Store

MAX_TOKENS = 512 << 20


def export_olmo(shards: TokenShards, folder: str | Path, max_tokens: int = MAX_TOKENS) -> Export:
    """Token files of at most ``max_tokens`` (whole record batches) and their document lists."""
    if max_tokens < 1:
        raise UserError(f"max_tokens must be 1 or more, found {max_tokens}")
    folder = empty_folder(folder)
    groups = parts(shards, max_tokens)
    docs = _Docs(shards)
    for number, numbers in enumerate(groups):
        stem = f"part-{number:05d}-of-{len(groups):05d}"
        with whole_file(folder / f"{stem}.csv.gz") as file:
            _write_documents(file, shards, numbers, docs)
        with whole_file(folder / f"{stem}.npy") as file:
            for segment in numbers:
                file.write(raw(shards.arrays(segment)[0]))
    tokenizer = shards.manifest.tokenizer
    pad = tokenizer.get("pad_id")
    read_with = (
        f"NumpyFSLDataset(*sorted(glob('{folder}/*.npy')), sequence_length=S, dtype=np.{shards.dtype.name}, "
        f"eos_token_id={shards.eos_id}, pad_token_id={shards.eos_id if pad is None or pad < 0 else pad}, "
        f"vocab_size={tokenizer['vocab_size']})"
    )
    return written(folder, "olmo-core", shards, read_with)


def _write_documents(file: Any, shards: TokenShards, numbers: list[int], docs: _Docs) -> None:
    # No name and no time in the gzip header: the same bytes every time.
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        text = io.TextIOWrapper(packed, encoding="utf-8", newline="")
        lines = csv.writer(text, lineterminator="\n")
        at = 0
        for segment in numbers:
            offsets = (shards.arrays(segment)[1] + at).tolist()
            names = [bytes(name).hex() for name in shards.doc_ids(segment)]
            places = docs.places(segment)
            lines.writerows(
                (start, end, name, *place)
                for start, end, name, place in zip(offsets[:-1], offsets[1:], names, places, strict=True)
            )
            at = offsets[-1]
        text.flush()
        text.detach()


class _Docs:
    """File and offset of each document, from the Parquet beside the shards; one shard is held at a time."""

    def __init__(self, shards: TokenShards) -> None:
        self._shards = shards
        self._held: tuple[str, list[tuple[str, int]]] = ("", [])

    def places(self, segment: int) -> list[tuple[str, int]]:
        shard, batch = self._shards.segment_shard(segment)
        if self._held[0] != shard.docs:
            table = Store(str(self._shards.manifest.folder)).read_table(shard.docs, ["file", "offset"])  # checked
            columns = table["file"].to_pylist(), table["offset"].to_pylist()
            self._held = (shard.docs, list(zip(*columns, strict=True)))
        before = sum(b.rows for b in shard.batches[: shard.batches.index(batch)])
        return self._held[1][before : before + batch.rows]
