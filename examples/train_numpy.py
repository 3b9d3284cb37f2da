"""The smallest language model there is, trained on a corpus with NumPy alone: to see a loss fall on any machine.

    python examples/train_numpy.py ROOT/corpus/FOLDER

Each token predicts the next through a vector (a bigram model), by Adam. Windows, shuffle and resume are those of the
reader, as for any trainer; `train_pytorch.py` is the same with PyTorch.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from pipeline.reader import Stream, TokenShards, Windows

WIDTH, RATE = 32, 0.02
Floats = npt.NDArray[np.float32]


class Adam:
    """One array of weights and how it is moved."""

    def __init__(self, weights: Floats) -> None:
        self.weights, self.steps = weights, 0
        self.mean, self.square = np.zeros_like(weights), np.zeros_like(weights)

    def move(self, slope: Floats) -> None:
        self.steps += 1
        self.mean += 0.1 * (slope - self.mean)
        self.square += 0.05 * (slope * slope - self.square)
        size = np.sqrt(self.square / (1 - 0.95**self.steps)) + 1e-8
        self.weights -= RATE * self.mean / (1 - 0.9**self.steps) / size


def train(folder: str, steps: int = 20) -> list[float]:
    """Losses of up to ``steps`` batches, in nats a token."""
    shards = TokenShards(folder)
    stream = Stream(Windows(shards, 64), global_batch_size=4, seed=1, rank=0, world_size=1, epochs=1)
    vocabulary = shards.manifest.tokenizer["vocab_size"]
    rng = np.random.default_rng(0)
    into = Adam(rng.normal(0, 0.3, (vocabulary, WIDTH)).astype(np.float32))
    out = Adam(np.zeros((WIDTH, vocabulary), np.float32))
    losses = []
    for batch, _ in zip(stream, range(steps), strict=False):
        given, wanted = batch["input_ids"].ravel().astype(np.int64), batch["labels"].ravel().astype(np.int64)
        given, wanted = given[wanted >= 0], wanted[wanted >= 0]
        hidden = into.weights[given]
        scores = hidden @ out.weights
        scores -= scores.max(axis=1, keepdims=True)
        chances = np.exp(scores)
        chances /= chances.sum(axis=1, keepdims=True)
        rows = np.arange(len(wanted))
        losses.append(float(-np.log(chances[rows, wanted]).mean()))
        chances[rows, wanted] -= 1
        chances /= len(wanted)
        slope = np.zeros_like(into.weights)
        np.add.at(slope, given, chances @ out.weights.T)
        out.move(hidden.T @ chances)
        into.move(slope)
    return losses


if __name__ == "__main__":
    for number, value in enumerate(train(sys.argv[1])):
        print(f"step {number:3} loss {value:.4f}")
