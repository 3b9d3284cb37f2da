"""Contents of `manifest.json` of a folder of token shards, and the questions a trainer asks of it first.

Reads the format ``gristmill-shards`` version 1 (`docs/formats.md`): the tokenizer's identity, and for each shard
its rows, tokens, bytes, checksum and the byte positions of the Arrow buffers. Keys this module does not know are
left alone. Every number is checked for being there and whole before any shard is opened.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from pipeline.errors import RunError, UserError
from stages.figures import listed
from stages.seal import DamagedFile, decode_json

FORMAT = "gristmill-shards"
VERSION = 1
BLOCK_BYTES = 1 << 24
_DTYPES: dict[str, np.dtype[Any]] = {"uint16": np.dtype("<u2"), "uint32": np.dtype("<u4")}


class DamagedShard(RunError):
    """A shard is not what its manifest says: cut, altered or missing. The message names shard and byte offset."""


class WrongTokenizer(UserError):
    """The shards were written with another tokenizer than the one asked for."""


@dataclass(frozen=True)
class Batch:
    """One Arrow record batch of a shard. Positions are absolute bytes in the file."""

    rows: int
    tokens: int
    offsets_position: int
    offsets_bytes: int
    values_position: int
    values_bytes: int
    doc_id_position: int


@dataclass(frozen=True)
class Shard:
    """One Arrow stream file of documents."""

    path: str
    docs: str
    rows: int
    tokens: int
    bytes: int
    xxh3_128: str
    min_id: int
    max_id: int
    eos_count: int
    domains: Mapping[str, int]
    batches: tuple[Batch, ...]
    blocks: tuple[str, ...] = ()
    """XXH3-64 of consecutive blocks of `BLOCK_BYTES`, where the writer gave them: damage is then located by block."""
    multiplicity: int = 1
    """Number of times that a corpus that only refers to shards reads this one."""

    split: str = "train"
    """``train``, ``valid`` or ``test``."""


@dataclass(frozen=True)
class Manifest:
    """A folder of shards of one tokenizer."""

    folder: Path
    name: str
    kind: str
    seed: int
    tokenizer: Mapping[str, Any]
    domains: Mapping[str, Mapping[str, Any]]
    shards: tuple[Shard, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        return _DTYPES[str(self.tokenizer["dtype"])]

    @property
    def eos_id(self) -> int:
        return int(self.tokenizer["eos_id"])

    @property
    def identity(self) -> str:
        """Hash of the tokens and their order: the same for a copy of the folder, another for other bytes."""
        digest = xxhash.xxh3_128()
        for shard in self.shards:
            digest.update(f"{shard.xxh3_128} {shard.rows} {shard.tokens} {shard.multiplicity}\n".encode())
        return digest.hexdigest()

    def splits(self) -> list[str]:
        return sorted({shard.split for shard in self.shards})


def read_manifest(folder: str | Path, split: str | None = "train") -> Manifest:
    """The manifest of a folder, with the shards of one split (all of them if ``split`` is None).

    Raises:
        UserError: no manifest, another format or version, a missing key, or no shard of that split.
    """
    folder = Path(folder)
    path = folder / "manifest.json"
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(folder)):
        raise UserError(f"{folder}: what is not on a disk is read by pipeline.reader.remote.RemoteShards, with a cache")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{folder}: no manifest.json here; expected a folder of token shards{_near(folder)}") from None
    return manifest_of(content, str(path), folder, split)


def _near(folder: Path) -> str:
    """Folders of shards right below or above one that is none: phases of a mixture, domains, splits."""
    below = sorted(str(path.parent) for path in folder.glob("*/manifest.json"))
    if below:
        return f"; there is one in {listed(below)}"
    return f"; {folder.parent} is one" if (folder.parent / "manifest.json").is_file() else ""


def manifest_of(content: bytes, path: str, folder: Path, split: str | None) -> Manifest:
    """The manifest of `read_manifest`, from its bytes; ``path`` is named in errors."""
    try:
        data = decode_json(content, path)
    except DamagedFile as damage:
        raise UserError(f"{path}: {damage.what}") from damage
    if data.get("format") != FORMAT or data.get("version") != VERSION:
        found = f"{data.get('format')!r} version {data.get('version')!r}"
        raise UserError(f"{path}: expected format {FORMAT!r} version {VERSION}, found {found}")
    try:
        manifest = _parse(folder, data)
    except KeyError as error:
        raise UserError(f"{path}: key {error} is missing") from error
    if split is None:
        return manifest
    shards = tuple(shard for shard in manifest.shards if shard.split == split)
    if not shards:
        raise UserError(f"{path}: no shard of split {split!r}; it has {', '.join(manifest.splits()) or 'none'}")
    return replace(manifest, shards=shards)


def _parse(folder: Path, data: Mapping[str, Any]) -> Manifest:
    if data["tokenizer"]["dtype"] not in _DTYPES:
        raise UserError(f"{folder}/manifest.json: dtype is {data['tokenizer']['dtype']!r}, expected uint16 or uint32")
    int(data["tokenizer"]["eos_id"])
    vocabulary, dtype = int(data["tokenizer"]["vocab_size"]), data["tokenizer"]["dtype"]
    if vocabulary > np.iinfo(_DTYPES[dtype]).max + 1:
        raise UserError(f"{folder}/manifest.json: a vocabulary of {vocabulary:,} does not fit its ids of {dtype}")
    return Manifest(
        folder=folder,
        name=str(data["name"]),
        kind=str(data["kind"]),
        seed=int(data["seed"]),
        tokenizer=data["tokenizer"],
        domains=data["domains"],
        shards=tuple(_parse_shard(shard) for shard in data["shards"]),
    )


def _parse_shard(data: Mapping[str, Any]) -> Shard:
    batches = tuple(Batch(**{f.name: int(batch[f.name]) for f in fields(Batch)}) for batch in data["batches"])
    values: dict[str, Any] = {key: str(data[key]) for key in ("path", "docs", "xxh3_128")}
    values |= {key: int(data[key]) for key in ("rows", "tokens", "bytes", "min_id", "max_id", "eos_count")}
    values["split"] = str(data.get("split", "train"))
    values["blocks"] = tuple(data.get("blocks_xxh3_64", ()))
    values["multiplicity"] = int(data.get("multiplicity", 1))
    return Shard(**values, domains=data["domains"], batches=batches)


def check_tokenizer(
    shards: str | Path | Manifest, *, file: str | Path | None = None, **expected: Any
) -> Mapping[str, Any]:
    """Refuse shards of another tokenizer. Returns the manifest's tokenizer block.

    ``file`` is the tokenizer's own file, compared by SHA-256. ``expected`` names keys of the block and the values
    they must have, such as ``probe_sha256="..."`` (the library's ids of the fixed probe text, which show
    another library version), ``eos_id=2`` or ``vocab_size=32000``.

    Raises:
        WrongTokenizer: listing every difference, expected and found.
    """
    manifest = shards if isinstance(shards, Manifest) else read_manifest(shards, split=None)
    if file is not None:
        expected["sha256"] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    if not expected:
        raise UserError("check_tokenizer: name a file or at least one value to compare, such as sha256=...")
    missing = object()
    block = manifest.tokenizer
    wrong = [key for key, value in expected.items() if block.get(key, missing) != value]
    if wrong:
        lines = "; ".join(f"{key}: expected {expected[key]!r}, shards have {block.get(key)!r}" for key in sorted(wrong))
        raise WrongTokenizer(
            f"{manifest.folder}: written with tokenizer {block.get('name')!r}, not the one asked for ({lines}). "
            "Train with the shards' tokenizer, or tokenize again."
        )
    return block
