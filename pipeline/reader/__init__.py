"""Reading token shards for training: windows, packing, shuffle and exact resume, with NumPy; PyTorch if wanted.

    from pipeline.reader import Stream, TokenShards, Windows

    shards = TokenShards("corpus", tokenizer={"eos_id": 2})         # checks every byte before the first step
    samples = Windows(shards, sequence_length=4096, boundaries=True)  # or Packed(shards, 4096)
    stream = Stream(samples, global_batch_size=512, seed=1, rank=rank, world_size=world_size)
    loader = DataLoader(StreamDataset(stream), batch_size=None, num_workers=4)  # from pipeline.reader.pytorch
    for batch in loader:
        ...                                                          # input_ids, labels, cu_seqlens, ...
        checkpoint["data"] = stream.state(batch["consumed_samples"])  # later: stream.resume(checkpoint["data"])

`manifest` says what a folder holds, `shards` reads it, `samples` and `packing` make training samples, `permutation`
and `stream` order them, `pytorch` wraps them. Needs NumPy, pyarrow and xxhash; packing needs Numba.
"""

from pipeline.reader.manifest import DamagedShard, Manifest, WrongTokenizer, check_tokenizer, read_manifest
from pipeline.reader.packing import PackingPlan, pack
from pipeline.reader.permutation import Permutation
from pipeline.reader.samples import IGNORE, Packed, Windows, position_ids
from pipeline.reader.shards import TokenShards
from pipeline.reader.stream import Order, Stream

__all__ = [
    "IGNORE", "DamagedShard", "Manifest", "Order", "Packed", "PackingPlan", "Permutation", "Stream", "TokenShards",
    "Windows", "WrongTokenizer", "check_tokenizer", "pack", "position_ids", "read_manifest",
]  # fmt: skip
