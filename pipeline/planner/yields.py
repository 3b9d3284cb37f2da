"""Windows and learned tokens that each trainer makes of the same shards. A budget in tokens must name one of them.

Arithmetic from the loaders' source: Megatron shares one token between windows and reads a prefix as one stream;
OLMo-core shifts labels inside the window, and litdata, nanosets and OLMo-core drop the end of each file; torchtitan
shifts inside each document; best-fit packing learns everything but the first token of each document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import UserError


@dataclass(frozen=True)
class Yield:
    """One epoch of one trainer."""

    trainer: str
    windows: int | None
    """None where it depends on how documents fall."""
    targets: int
    """Tokens that are a label."""
    fraction: float
    """targets / tokens on disk."""


def trainer_yields(tokens_per_file: Sequence[int], documents: int, sequence_length: int) -> list[Yield]:
    """Windows and targets of one pass, per trainer.

    Args:
        tokens_per_file: tokens, EOS included, of each file (prefix, chunk) the trainer would open.
        documents: documents in all of them.
        sequence_length: S, inputs of a window.
    """
    if sequence_length < 2:
        raise UserError(f"sequence_length must be 2 or more, found {sequence_length}")
    length, total = sequence_length, sum(tokens_per_file)
    megatron = sum(max(0, tokens - 1) // length for tokens in tokens_per_file)
    shared = max(0, total - 1) // length
    cut = sum(tokens // length for tokens in tokens_per_file)
    longer = sum(tokens // (length + 1) for tokens in tokens_per_file)
    rows: list[tuple[str, int | None, int]] = [
        ("gristmill, overlap", shared, shared * length),
        ("gristmill, packed", None, total - documents),
        ("megatron", megatron, megatron * length),
        ("olmo-core", cut, cut * (length - 1)),
        ("nanosets", longer, longer * length),
        ("litdata, blocks of S + 1", longer, longer * length),
        ("mosaicml, windows of S", cut, cut * (length - 1)),
        ("torchtitan", None, total - documents),
    ]
    return [Yield(name, windows, targets, targets / total if total else 0.0) for name, windows, targets in rows]
