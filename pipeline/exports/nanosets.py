"""datatrove's token files, which nanotron's nanosets read: `.ds`, `.ds.index`, `.ds.metadata`.

`.ds` is ids and nothing else, 2 bytes each, or 4 where the vocabulary is above 65,536. `.ds.index` is the end of
each document in tokens, u64, without a leading zero. `.ds.metadata` is three lines: tokenizer name and
width, number of tokens, and the number for people.

The reader takes floor(T / (S + 1)) windows of each file in order, so few large files lose least.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UserError
from pipeline.exports.target import Export, empty_folder, parts, raw, whole_file, written
from pipeline.reader import TokenShards

MAX_TOKENS = 100 * 10**9
_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def export_nanosets(shards: TokenShards, folder: str | Path, max_tokens: int = MAX_TOKENS) -> Export:
    """Token files of at most ``max_tokens`` (whole record batches)."""
    size, vocabulary = shards.dtype.itemsize, int(shards.manifest.tokenizer["vocab_size"])
    if size != (2 if vocabulary <= 65536 else 4):
        raise UserError(f"nanosets reads ids of a vocabulary of {vocabulary} at another width than {shards.dtype.name}")
    folder = empty_folder(folder)
    groups = parts(shards, max_tokens)
    for number, numbers in enumerate(groups):
        path = folder / f"{number:05d}_tokens.ds"
        at = 0
        with whole_file(path) as file, whole_file(path.with_suffix(".ds.index")) as index:
            for segment in numbers:
                values, offsets = shards.arrays(segment)
                file.write(raw(values))
                index.write((offsets[1:] + at).astype("<u8").tobytes())
                at += len(values)
        with whole_file(path.with_suffix(".ds.metadata")) as file:
            file.write(f"{shards.manifest.tokenizer['name']}|{size}\n{at}\n{_for_people(at)}".encode())
    read_with = f"DatatroveFolderDataset('{folder}', seq_len=S, filename_pattern='*.ds', token_size={size})"
    return written(folder, "nanosets", shards, read_with)


def _for_people(tokens: int) -> str:
    for value, unit in _UNITS:
        if tokens >= value:
            return f"{tokens / value:.3g} {unit}T"
    return f"{tokens} T"
