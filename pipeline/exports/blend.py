"""A mixture as Megatron takes it: the blend file of all splits, the flags that go with it, and what order it gives.

Megatron draws sample i from the data set that is furthest behind its weight, measured after max(i, 1) samples
(`build_blending_indices` in megatron/core/datasets/helpers.cpp; nanotron's nanosets do the same). `greedy_order`
is that rule, so a plan can show before a run which set is read when and how often.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.exports.megatron import prefixes, read_idx
from pipeline.exports.target import whole_file
from pipeline.reader import Manifest
from stages.kernels.packing.greedy import fill_order

MAX_DATASETS = 32766
SPLITS = ("train", "valid", "test")


def greedy_order(weights: Sequence[float], num_samples: int, normalise: bool = True) -> npt.NDArray[np.int64]:
    """The data set that each sample comes from; of equal deficits the first set wins.

    Megatron divides the weights by their sum first, nanosets takes them as they are. The last bit matters where
    deficits are equal: 0.1 + 0.5 + 0.3 + 0.1 is not 1 in floating point.
    """
    shares = np.asarray(weights, np.float64)
    if shares.ndim != 1 or not shares.size or (shares <= 0).any() or not np.isfinite(shares).all():
        raise UserError(f"blend weights must be positive numbers, found {list(weights)}")
    order = np.empty(num_samples, np.int64)
    fill_order(shares / shares.sum() if normalise else shares, order)
    return order


def blend(folders: Mapping[str, str | Path], shares: Mapping[str, float]) -> list[str]:
    """Weights and prefixes, alternating: each exported domain has its share, divided by tokens over its prefixes.

    Args:
        folders: domain -> folder of its Megatron export (`link` or `merge`).
        shares: domain -> share of the tokens; all above 0, they need not sum to 1.
    """
    if set(folders) != set(shares):
        raise UserError(f"blend: folders are of {sorted(folders)}, shares of {sorted(shares)}")
    if any(not share > 0 for share in shares.values()):
        raise UserError(f"blend: Megatron refuses a weight that is not above 0: {dict(shares)}")
    total = sum(shares.values())
    line: list[str] = []
    for domain in sorted(folders):
        paths = prefixes(folders[domain])
        tokens = [int(read_idx(f"{path}.idx")["lengths"].sum(dtype=np.int64)) for path in paths]
        for path, count in zip(paths, tokens, strict=True):
            line += [repr(shares[domain] / total * count / sum(tokens)), str(Path(path).absolute())]
    if len(line) // 2 > MAX_DATASETS:
        raise UserError(f"blend: {len(line) // 2} prefixes, Megatron takes {MAX_DATASETS}; use merge in place of link")
    return line


def write_blend(path: str | Path, splits: Mapping[str, Sequence[str] | None]) -> Path:
    """The JSON for ``--per-split-data-args-path``: a blend or null for each of train, valid and test."""
    unknown = set(splits) - set(SPLITS)
    if unknown:
        raise UserError(f"blend: splits are {', '.join(SPLITS)}, found {', '.join(sorted(unknown))}")
    body = {split: list(splits[split] or ()) or None for split in SPLITS if split in splits}
    with whole_file(Path(path)) as file:
        file.write(json.dumps({split: body.get(split) for split in SPLITS}, indent=1).encode() + b"\n")
    return Path(path)


def megatron_flags(manifest: Manifest, blend_path: str | Path, sequence_length: int) -> list[str]:
    """The exact data flags of a Megatron run over a blend, one argument an item.

    The tokenizer is given by its vocabulary only: Megatron's `NullTokenizer` adds one end-of-document id to the
    number it is given, so it is given one less. That last id is seldom our EOS, and then the three document switches
    would never fire: they are given only when it is.
    """
    vocabulary = int(manifest.tokenizer["vocab_size"])
    flags = ["--per-split-data-args-path", str(blend_path), "--seq-length", str(sequence_length)]
    flags += ["--tokenizer-type", "NullTokenizer", "--vocab-size", str(vocabulary - 1)]
    flags += ["--make-vocab-size-divisible-by", "128"]
    if manifest.eos_id == vocabulary - 1:
        flags += ["--reset-position-ids", "--reset-attention-mask", "--eod-mask-loss"]
    return flags


def as_shell(flags: Sequence[str]) -> str:
    """Flags as lines of a shell script."""
    return " \\\n  ".join(shlex.quote(flag) for flag in flags)


def blend_report(manifest: Manifest, flags: Sequence[str]) -> dict[str, Any]:
    """Flags for a user, the tokenizer's identity, and notes on the traps that apply."""
    notes = []
    vocabulary = int(manifest.tokenizer["vocab_size"])
    if 65500 <= vocabulary <= 65536:
        notes.append(
            "vocabulary of 65,500 to 65,536: Megatron's own preprocess tool would write int32; these are uint16"
        )
    if "--eod-mask-loss" not in flags:
        notes.append(
            f"EOS is {manifest.eos_id}, the NullTokenizer's end of document {vocabulary - 1}: use the real tokenizer "
            f"(sha256 {manifest.tokenizer['sha256']}) if documents are to be masked from each other"
        )
    return {"flags": list(flags), "tokenizer": dict(manifest.tokenizer), "notes": notes}
