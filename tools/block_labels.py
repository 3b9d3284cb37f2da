"""Blocks of a page that its gold text is made of, and the worth of each choice: labels to train on.

For `tools.train_extractor`. The metric is F1 over multisets of word 4-grams, as in the benchmark. A page's blocks are chosen by hill climbing
on the F1 of the chosen blocks' joined words, starting from the blocks whose own 4-grams are mostly in the gold text.
The weight of a block is how much F1 changes when it alone is chosen otherwise: what a mistake costs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W{_UNSPACED}]+")
Gram = tuple[str, ...]


def words(text: str) -> list[str]:
    """Runs of letters, digits and underscore; each character of a script written without spaces."""
    return _WORD.findall(text)


def grams(sequence: Sequence[str]) -> list[Gram]:
    """Word 4-grams; fewer than four words make one gram."""
    if not sequence:
        return []
    if len(sequence) < 4:
        return [tuple(sequence)]
    return list(zip(*(sequence[i:] for i in range(4)), strict=False))


def gram_f1(gold: Counter[Gram], chosen: Counter[Gram]) -> float:
    """F1 of two multisets."""
    total = sum(gold.values()) + sum(chosen.values())
    return 2 * sum(min(n, chosen[g]) for g, n in gold.items() if g in chosen) / total if total else 1.0


class _Choice:
    """A set of chosen blocks and its F1, kept up to date as blocks are flipped."""

    def __init__(self, gold: list[str], blocks: list[list[str]]) -> None:
        self.gold, self.blocks = Counter(grams(gold)), blocks
        self.num_gold = sum(self.gold.values())
        self.chosen = np.zeros(len(blocks), bool)
        self.held: Counter[Gram] = Counter()
        self.num_held = self.hits = 0

    def f1(self) -> float:
        return 2 * self.hits / max(1, self.num_gold + self.num_held)

    def _around(self, block: int) -> tuple[list[str], list[str]]:
        before: list[str] = []
        i = block - 1
        while i >= 0 and len(before) < 3:
            if self.chosen[i]:
                before = self.blocks[i][-3:] + before
            i -= 1
        after: list[str] = []
        i = block + 1
        while i < len(self.blocks) and len(after) < 3:
            if self.chosen[i]:
                after = after + self.blocks[i][:3]
            i += 1
        return before[-3:], after[:3]

    def flip(self, block: int) -> None:
        before, after = self._around(block)
        with_it = list(zip(*((before + self.blocks[block] + after)[i:] for i in range(4)), strict=False))
        without = list(zip(*((before + after)[i:] for i in range(4)), strict=False))
        gone, come = (with_it, without) if self.chosen[block] else (without, with_it)
        for g in gone:
            self.hits -= self.held[g] <= self.gold.get(g, 0)
            self.held[g] -= 1
        for g in come:
            self.held[g] += 1
            self.hits += self.held[g] <= self.gold.get(g, 0)
        self.num_held += len(come) - len(gone)
        self.chosen[block] = not self.chosen[block]


def label_blocks(gold: str, blocks: list[list[str]]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], float]:
    """(chosen, weight of each block, F1 reached) for the words of a page's blocks."""
    choice = _Choice(words(gold), blocks)
    for block, sequence in enumerate(blocks):
        own = grams(sequence)
        if len(sequence) >= 4 and 2 * sum(g in choice.gold for g in own) >= len(own):
            choice.flip(block)
    for _ in range(4):
        changed = False
        for block, sequence in enumerate(blocks):
            if sequence:
                f1 = choice.f1()
                choice.flip(block)
                if choice.f1() > f1:
                    changed = True
                else:
                    choice.flip(block)
        if not changed:
            break
    weights = np.zeros(len(blocks))
    f1 = choice.f1()
    for block, sequence in enumerate(blocks):
        if sequence:
            choice.flip(block)
            weights[block] = abs(choice.f1() - f1)
            choice.flip(block)
    return choice.chosen, weights, f1
