"""A small language model trained on a corpus with PyTorch, stopped in the middle and resumed exactly.

    python examples/train_pytorch.py ROOT/corpus/FOLDER

The reader shuffles globally, packs documents into windows, and goes on after a stop where it was: the losses after
`resume` are those of an undisturbed run, whatever the number of ranks and loader workers before and after.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from pipeline.reader import Stream, TokenShards, Windows
from pipeline.reader.pytorch import StreamDataset

WIDTH = 64
State = dict[str, Any]


def model_of(vocabulary: int) -> torch.nn.Module:
    """A bigram model with a little room to think: enough to see a loss fall on two CPU cores."""
    torch.manual_seed(0)
    layers = (torch.nn.Embedding(vocabulary, WIDTH), torch.nn.Linear(WIDTH, WIDTH), torch.nn.GELU())
    return torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, vocabulary))


def train(folder: str, steps: int = 20, state: State | None = None) -> tuple[list[float], State]:
    """Losses of up to ``steps`` batches, and the state after the last; that of an earlier call goes on from there."""
    shards = TokenShards(folder)
    samples = Windows(shards, sequence_length=128)
    stream = Stream(samples, global_batch_size=8, seed=1, rank=0, world_size=1, epochs=1)
    model = model_of(shards.manifest.tokenizer["vocab_size"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    if state is not None:
        stream.resume(state["stream"])
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    losses: list[float] = []
    after: State = {}
    for batch in DataLoader(StreamDataset(stream), batch_size=None, num_workers=0):
        logits = model(batch["input_ids"])
        loss = functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        after = {
            "stream": stream.state(batch["consumed_samples"]),
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
        }
        if len(losses) == steps:
            break
    return losses, after


if __name__ == "__main__":
    for number, value in enumerate(train(sys.argv[1])[0]):
        print(f"step {number:3} loss {value:.4f}")
