"""Each project's own reader opens our shards or exports and gives back the same tokens. Skipped where not installed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.exports import blend, link, trainer_yields, write_blend
from pipeline.exports.blend import greedy_order
from pipeline.exports.litdata import export_litdata
from pipeline.exports.mds import export_mds
from pipeline.exports.megatron import merge, prefixes
from pipeline.exports.nanosets import export_nanosets
from pipeline.exports.olmo import export_olmo
from pipeline.reader import TokenShards
from tests.support.shard_folders import EOS, random_documents, write_folder

LENGTH = 64


@pytest.fixture(scope="module")
def documents() -> list[np.ndarray]:
    return random_documents(240, mean=90)


@pytest.fixture(scope="module", params=["uint16", "uint32"])
def shards(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, documents: list[np.ndarray]
) -> TokenShards:
    folder = tmp_path_factory.mktemp("shards")
    vocabulary = 32000 if request.param == "uint16" else 128256
    batches = [[documents[:90], documents[90:91]], [documents[91:]]]
    write_folder(folder, batches, dtype=request.param, vocab_size=vocabulary)
    return TokenShards(folder)


def windows_of(stream: np.ndarray, size: int, stride: int | None = None) -> list[list[int]]:
    stride = stride or size
    return [stream[at : at + size].tolist() for at in range(0, len(stream) - size + 1, stride)]


def streams(shards: TokenShards) -> list[np.ndarray]:
    """Tokens of each record batch."""
    return [shards.arrays(segment)[0].astype(np.int64) for segment in range(shards.num_segments)]


# Hugging Face datasets


def test_hugging_face_loads_the_shards_as_written(shards: TokenShards, documents: list[np.ndarray]) -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    dataset = datasets.load_from_disk(str(shards.manifest.folder / "train"))
    assert dataset.num_rows == len(documents)
    rows = dataset.data.column("input_ids").to_pylist()
    assert rows == [document.tolist() for document in documents]
    assert dataset.data.nbytes > 0
    assert dataset[5]["doc_id"] == bytes(shards.doc_ids(0)[5])


# Megatron


def megatron() -> Any:
    return pytest.importorskip("megatron.core.datasets.indexed_dataset", reason="megatron-core is not installed")


@pytest.mark.parametrize("how", [link, merge])
def test_megatron_indexed_dataset_reads_every_document(
    shards: TokenShards, documents: list[np.ndarray], tmp_path: Path, how: Any
) -> None:
    module = megatron()
    how(shards, tmp_path / "export")
    found = []
    for prefix in prefixes(tmp_path / "export"):
        dataset = module.IndexedDataset(prefix, multimodal=False, mmap=True)
        found += [dataset[i].copy() for i in range(len(dataset))]  # Megatron unmaps the file under its own views
        assert dataset.get(3, offset=0, length=1).tolist() == [int(dataset[3][0])] if len(dataset) > 3 else True
    assert [document.tolist() for document in found] == [document.tolist() for document in documents]


@pytest.fixture
def process_group() -> Iterator[None]:
    """One process that Megatron takes for a distributed run."""
    distributed = pytest.importorskip("torch.distributed", reason="PyTorch is not installed")
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def gpt_datasets(line: list[str], count: int, cache: Path) -> Any:
    """Megatron's own blended GPT data set over a per-split blend."""
    megatron()
    from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.utils import get_blend_from_list
    from megatron.core.tokenizers.text.libraries.null_tokenizer import NullTokenizer

    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=LENGTH,
        blend_per_split=[get_blend_from_list(part) for part in (line, None, None)],
        path_to_cache=str(cache),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        tokenizer=NullTokenizer(31999),
    )
    return BlendedMegatronDatasetBuilder(GPTDataset, [count, None, None], lambda: True, config).build()[0]


@pytest.mark.usefixtures("process_group")
def test_megatron_trains_on_a_linked_blend(shards: TokenShards, tmp_path: Path) -> None:
    """One prefix per shard: Megatron shuffles documents in each, every sample is documents of one prefix in a row."""
    link(shards, tmp_path / "linked")
    line = blend({"made": tmp_path / "linked"}, {"made": 1.0})
    written = json.loads(write_blend(tmp_path / "blend.json", {"train": line}).read_text())
    dataset = gpt_datasets(written["train"], 80, tmp_path / "cache")
    weights = [float(weight) for weight in line[::2]]
    order = greedy_order(weights, len(dataset))
    assert np.array_equal(dataset.dataset_index, order)
    known = {document[:8].tobytes() for s in streams(shards) for document in np.split(s, np.flatnonzero(s == EOS) + 1)}
    begun = 0
    for i in range(len(dataset)):
        tokens = dataset[i]["tokens"].numpy().astype(np.int64)
        assert np.array_equal(tokens[1:], dataset[i]["labels"].numpy()[:-1])
        for start in np.flatnonzero(tokens[:-9] == EOS) + 1:
            if EOS not in tokens[start : start + 8]:
                assert tokens[start : start + 8].tobytes() in known
                begun += 1
    assert begun > 20


def test_megatron_sees_the_tokens_once_in_an_epoch_of_a_merged_prefix(shards: TokenShards, tmp_path: Path) -> None:
    merge(shards, tmp_path / "merged")
    (prefix,) = prefixes(tmp_path / "merged")
    expected = {row.trainer: row for row in trainer_yields([shards.num_tokens], shards.num_documents, LENGTH)}
    dataset = gpt_datasets([prefix], expected["megatron"].windows or 0, tmp_path / "cache")
    assert len(dataset) == expected["megatron"].windows
    seen = Counter(token for i in range(len(dataset)) for token in dataset[i]["labels"].tolist())
    on_disk = Counter(np.concatenate(streams(shards)).tolist())
    assert not seen - on_disk
    assert sum(seen.values()) == expected["megatron"].targets


def test_megatron_blends_in_the_order_we_predict() -> None:
    pytest.importorskip("megatron.core.datasets.helpers_cpp", reason="megatron-core is not installed")
    from megatron.core.datasets import helpers_cpp

    for weights in ([0.1, 0.5, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3], [0.7, 0.2999, 0.0001]):
        index, sample = np.zeros(5000, np.int16), np.zeros(5000, np.int64)
        helpers_cpp.build_blending_indices(index, sample, np.array(weights), len(weights), 5000, False)
        assert np.array_equal(index, greedy_order(weights, 5000, normalise=False))


# OLMo-core


def test_olmo_core_reads_windows_of_the_files(shards: TokenShards, tmp_path: Path) -> None:
    pytest.importorskip("olmo_core.data", reason="OLMo-core is not installed")
    from olmo_core.data.numpy_dataset import NumpyFSLDataset
    from olmo_core.data.utils import iter_document_indices

    export_olmo(shards, tmp_path / "olmo")
    (path,) = (tmp_path / "olmo").glob("*.npy")
    vocabulary = int(shards.manifest.tokenizer["vocab_size"])
    dataset = NumpyFSLDataset(
        path, sequence_length=LENGTH, pad_token_id=EOS, eos_token_id=EOS, vocab_size=vocabulary, dtype=shards.dtype.type
    )
    dataset.prepare()
    stream = np.concatenate(streams(shards))
    assert [dataset[i]["input_ids"].tolist() for i in range(len(dataset))] == windows_of(stream, LENGTH)
    rows = {row.trainer: row for row in trainer_yields([len(stream)], shards.num_documents, LENGTH)}
    assert len(dataset) == rows["olmo-core"].windows
    listed = list(iter_document_indices(path, use_array_if_local=False))
    scanned = list(iter_document_indices(path, use_array_if_local=True, eos_token_id=EOS, dtype=shards.dtype.type))
    edges = np.flatnonzero(stream == EOS) + 1
    expected = np.stack([np.append(0, edges[:-1]), edges], axis=1)
    assert np.array_equal(listed, expected)
    assert np.array_equal(scanned, expected)


# datatrove


def test_datatrove_reads_windows_and_positions_of_the_files(shards: TokenShards, tmp_path: Path) -> None:
    pytest.importorskip("datatrove", reason="datatrove is not installed")
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from datatrove.utils.dataset import DatatroveFolderDataset

    export_nanosets(shards, tmp_path / "ds")
    dataset = DatatroveFolderDataset(
        str(tmp_path / "ds"), seq_len=LENGTH, filename_pattern="*.ds", token_size=shards.dtype.itemsize
    )
    stream = np.concatenate(streams(shards))
    assert [dataset[i]["input_ids"].tolist() for i in range(len(dataset))] == windows_of(stream, LENGTH + 1)
    rows = {row.trainer: row for row in trainer_yields([len(stream)], shards.num_documents, LENGTH)}
    assert len(dataset) == rows["nanosets"].windows


# MosaicML streaming


def test_mosaicml_streaming_reads_documents(shards: TokenShards, documents: list[np.ndarray], tmp_path: Path) -> None:
    streaming = pytest.importorskip("streaming", reason="mosaicml-streaming is not installed")
    export_mds(shards, tmp_path / "mds", max_bytes=6000)
    dataset = streaming.LocalDataset(str(tmp_path / "mds"))
    assert [dataset[i]["tokens"].tolist() for i in range(len(dataset))] == [d.tolist() for d in documents]
    names = [bytes(name) for s in range(shards.num_segments) for name in shards.doc_ids(s)]
    assert [dataset[i]["doc_id"] for i in range(len(dataset))] == names


def test_mosaicml_streaming_reads_windows(shards: TokenShards, tmp_path: Path) -> None:
    streaming = pytest.importorskip("streaming", reason="mosaicml-streaming is not installed")
    export_mds(shards, tmp_path / "mds", sequence_length=LENGTH, max_bytes=6000)
    dataset = streaming.LocalDataset(str(tmp_path / "mds"))
    expected = [window for stream in streams(shards) for window in windows_of(stream, LENGTH)]
    assert [dataset[i]["tokens"].tolist() for i in range(len(dataset))] == expected


# litdata


def test_litdata_reads_blocks_of_the_chunks(shards: TokenShards, tmp_path: Path) -> None:
    litdata = pytest.importorskip("litdata", reason="litdata is not installed")
    export_litdata(shards, tmp_path / "lit")
    loader = litdata.TokensLoader(block_size=LENGTH + 1)
    dataset = litdata.StreamingDataset(str(tmp_path / "lit"), item_loader=loader, shuffle=False)
    expected = [window for stream in streams(shards) for window in windows_of(stream, LENGTH + 1)]
    assert len(dataset) == len(expected)
    assert [dataset[i].tolist() for i in range(len(dataset))] == expected
