"""The shuffle is a permutation, packing wastes as little as brute force, and a resumed run sees exactly the rest."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.reader import IGNORE, Packed, PackingPlan, Permutation, Stream, TokenShards, Windows, pack, position_ids
from pipeline.reader.packing import best_fit, split_documents
from tests.support.shard_folders import EOS, random_documents, write_folder


@pytest.fixture(scope="module")
def documents() -> list[np.ndarray]:
    return random_documents(300, mean=40)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory, documents: list[np.ndarray]) -> TokenShards:
    folder = tmp_path_factory.mktemp("shards")
    write_folder(folder, [[documents[:90], documents[90:100]], [documents[100:299], documents[299:]]])
    return TokenShards(folder)


# Permutation


@given(n=st.integers(1, 3000), seed=st.integers(-(1 << 63), (1 << 64) - 1), epoch=st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_every_key_permutes_every_size(n: int, seed: int, epoch: int) -> None:
    permutation = Permutation(n, seed, epoch)
    assert np.array_equal(np.sort(permutation(np.arange(n))), np.arange(n))


@given(n=st.integers(1, 1 << 61), seed=st.integers(0, 1 << 32), data=st.data())
@settings(deadline=None)
def test_one_index_and_many_agree_at_any_size(n: int, seed: int, data: st.DataObject) -> None:
    permutation, index = Permutation(n, seed), data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20))
    assert permutation(np.array(index)).tolist() == [permutation(i) for i in index]


@pytest.mark.slow
def test_positions_are_uniform_over_seeds_and_epochs() -> None:
    n, draws = 10, 8000
    hits = np.zeros((n, n))
    for seed in range(draws // 2):
        for epoch in range(2):
            hits[np.arange(n), Permutation(n, seed, epoch)(np.arange(n))] += 1
    chi_squared = ((hits - draws / n) ** 2 / (draws / n)).sum(axis=1)
    assert chi_squared.max() < 33.7  # 9 degrees of freedom, p = 1e-4


def test_neighbours_part(shards: TokenShards) -> None:
    steps = np.diff(Permutation(100_000, seed=3)(np.arange(100_000)))
    assert np.median(np.abs(steps)) > 20_000  # a uniform shuffle has 29,289
    assert (np.abs(steps) == 1).sum() < 15


def test_outside_is_an_error() -> None:
    for index in (-1, 5, np.array([0, 5])):
        with pytest.raises(IndexError):
            Permutation(5, 0)(index)


# Windows


@pytest.mark.parametrize("overlap", [True, False])
def test_windows_are_cuts_of_the_stream(shards: TokenShards, documents: list[np.ndarray], overlap: bool) -> None:
    stream, length = np.concatenate(documents), 64
    windows = Windows(shards, length, overlap=overlap)
    stride = length if overlap else length + 1
    assert len(windows) == ((len(stream) - 1) // length if overlap else len(stream) // (length + 1))
    batch = windows.batch(np.arange(len(windows)))
    for number in range(len(windows)):
        piece = stream[number * stride : number * stride + length + 1]
        assert np.array_equal(windows.window(number), piece)
        assert np.array_equal(batch["input_ids"][number], piece[:-1])
        assert np.array_equal(batch["labels"][number], piece[1:])


def test_boundaries_are_where_documents_begin(shards: TokenShards) -> None:
    batch = Windows(shards, 64, boundaries=True).batch([3, 100, 0])
    flat, edges = batch["input_ids"].reshape(-1), batch["cu_seqlens"]
    expected = sorted({0, 64, 128, 192} | {int(i) + 1 for i in np.flatnonzero(flat == EOS)})
    assert edges.tolist() == expected
    assert edges.dtype == np.int32
    assert batch["max_seqlen"] == max(np.diff(expected))
    positions = np.concatenate([np.arange(n) for n in np.diff(expected)])
    assert np.array_equal(position_ids(edges), positions)


def test_masked_ends_learn_nothing_of_the_next_document(shards: TokenShards) -> None:
    plain, masked = (Windows(shards, 64, mask_ends=mask).batch(range(20)) for mask in (False, True))
    ends = plain["input_ids"] == EOS
    assert ends.any()
    assert (masked["labels"][ends] == IGNORE).all()
    assert np.array_equal(masked["labels"][~ends], plain["labels"][~ends])


def test_ids_come_in_the_width_asked_for(shards: TokenShards) -> None:
    assert Windows(shards, 8, dtype=np.uint16).batch([0])["input_ids"].dtype == np.uint16
    with pytest.raises(UserError, match="cannot hold"):
        Windows(shards, 8, mask_ends=True, dtype=np.uint16)


# Packing


def best_fit_by_search(sizes: list[int], capacity: int) -> list[list[int]]:
    """Best-fit decreasing by looking at every bin."""
    bins: list[list[int]] = []
    for size in sorted(sizes, reverse=True):
        fitting = [b for b in bins if capacity - sum(b) >= size]
        if fitting:
            max(fitting, key=sum).append(size)
        else:
            bins.append([size])
    return bins


@given(capacity=st.integers(1, 40), data=st.data())
@settings(max_examples=300, deadline=None)
def test_best_fit_fills_bins_like_a_search_over_all_bins(capacity: int, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, capacity), min_size=1, max_size=60))
    bin_of, num_bins = best_fit(np.array(sizes), capacity)
    filled = np.bincount(bin_of, weights=sizes, minlength=num_bins)
    assert sorted(filled) == sorted(sum(b) for b in best_fit_by_search(sizes, capacity))


@given(lengths=st.lists(st.integers(1, 50), min_size=1), length=st.integers(2, 20))
def test_long_documents_are_cut_into_whole_sequences_and_a_rest(lengths: list[int], length: int) -> None:
    edges = np.cumsum([0, *lengths])
    starts, sizes = split_documents(edges, length)
    assert sizes.sum() == sum(lengths)
    assert np.array_equal(starts[1:], (starts + sizes)[:-1])
    assert set(edges[:-1]) <= set(starts.tolist())
    assert len(sizes) == sum(-(-n // length) for n in lengths)


def test_packed_sequences_hold_every_token_once_and_cut_only_long_documents(
    shards: TokenShards, documents: list[np.ndarray]
) -> None:
    packed = Packed(shards, 64)
    seen: Counter[int] = Counter()
    edges = np.cumsum([0, *map(len, documents)])
    for number in range(len(packed)):
        pieces = packed.pieces(number)
        assert sum(size for _, size in pieces) <= 64
        for start, size in pieces:
            seen.update(range(start, start + size))
            row = int(np.searchsorted(edges, start, "right")) - 1
            if len(documents[row]) <= 64:
                assert (start, size) == (edges[row], len(documents[row]))
    assert seen == Counter(range(int(edges[-1])))


def test_every_document_of_n_tokens_teaches_n_minus_one(shards: TokenShards, documents: list[np.ndarray]) -> None:
    packed = Packed(shards, 64, pad_id=0)
    batch = packed.batch(np.arange(len(packed)))
    learned = batch["labels"] != IGNORE
    assert learned.sum() == sum(len(document) - 1 for document in documents)
    follows = Counter(zip(batch["input_ids"][learned].tolist(), batch["labels"][learned].tolist(), strict=True))
    assert follows == Counter(p for d in documents for p in zip(d[:-1].tolist(), d[1:].tolist(), strict=True))
    assert (batch["input_ids"][:, 0] != 0).all()


def test_packed_boundaries_are_the_pieces_and_the_padding(shards: TokenShards) -> None:
    packed = Packed(shards, 64)
    number = next(n for n in range(len(packed)) if len(packed.pieces(n)) > 2)
    sizes = [size for _, size in packed.pieces(number)]
    rest = 64 - sum(sizes)
    assert np.diff(packed.batch([number])["cu_seqlens"]).tolist() == sizes + ([rest] if rest else [])


def test_packing_in_blocks_costs_few_sequences_and_depends_on_nothing_else(shards: TokenShards) -> None:
    whole, blocks = pack(shards, 64), pack(shards, 64, block_documents=50)
    assert len(whole) <= len(blocks) <= len(whole) + 6
    again = pack(TokenShards(shards.manifest, verify="structure"), 64, block_documents=50)
    assert np.array_equal(again.starts, blocks.starts)
    assert np.array_equal(again.bins, blocks.bins)


def test_a_saved_plan_is_the_plan_and_refuses_other_shards(shards: TokenShards, tmp_path: Path) -> None:
    plan = pack(shards, 64)
    plan.save(tmp_path / "plan")
    loaded = PackingPlan.load(tmp_path / "plan", shards)
    first, second = Packed(shards, 64, plan).batch([5, 1]), Packed(shards, 64, loaded).batch([5, 1])
    assert all(np.array_equal(first[key], second[key]) for key in first)
    write_folder(tmp_path / "other", [[random_documents(5, seed=9)]])
    with pytest.raises(UserError, match="made for other shards"):
        PackingPlan.load(tmp_path / "plan", TokenShards(tmp_path / "other"))


# Order and resume


def indices(stream: Stream, num_workers: int = 1) -> list[list[int]]:
    """Batches of a finite stream in the order a loader with so many workers gives them."""
    workers = [list(stream.batches(w, num_workers)) for w in range(num_workers)]
    merged = [workers[w][k] for k in range(max(map(len, workers))) for w in range(num_workers) if k < len(workers[w])]
    return [batch["index"].tolist() for batch in merged]


def flat(batches: list[list[int]]) -> list[int]:
    return [index for batch in batches for index in batch]


def test_each_epoch_is_every_sample_once_in_another_order(shards: TokenShards) -> None:
    windows = Windows(shards, 64)
    order = flat(indices(Stream(windows, 7, seed=5, epochs=2)))
    first, second = order[: len(windows)], order[len(windows) :]
    assert sorted(first) == sorted(second) == list(range(len(windows)))
    assert first != second
    assert first != flat(indices(Stream(windows, 7, seed=6, epochs=1)))


def test_without_a_seed_the_order_is_that_of_the_shards(shards: TokenShards) -> None:
    assert flat(indices(Stream(Windows(shards, 64), 8, seed=None, epochs=1))) == list(range(len(Windows(shards, 64))))


@pytest.mark.parametrize("num_workers", [1, 2, 3, 5])
def test_the_order_does_not_depend_on_loader_workers(shards: TokenShards, num_workers: int) -> None:
    stream = Stream(Windows(shards, 64), 9, seed=1, epochs=1, rank=1, world_size=2)
    assert indices(stream, num_workers) == indices(stream)


@given(
    stop=st.integers(0, 25),
    before=st.sampled_from([1, 2, 3, 8]),
    after=st.sampled_from([1, 2, 3, 8]),
    sizes=st.tuples(st.integers(8, 20), st.integers(8, 20)),
    workers=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_a_run_resumed_at_another_world_size_sees_exactly_the_rest(
    shards: TokenShards, stop: int, before: int, after: int, sizes: tuple[int, int], workers: int
) -> None:
    windows = Windows(shards, 128)
    options = {"seed": 4, "epochs": 2}
    seen: list[int] = []
    state = Stream(windows, sizes[0], **options).state(0)
    for rank in range(before):
        stream = Stream(windows, sizes[0], rank=rank, world_size=before, **options)
        for batch in islice(stream.batches(), stop):
            seen += batch["index"].tolist()
            state = max(state, stream.state(batch["consumed_samples"]), key=lambda s: s["consumed_samples"])
    state = json.loads(json.dumps(state))
    assert len(seen) == state["consumed_samples"]
    for rank in range(after):
        stream = Stream(windows, sizes[1], rank=rank, world_size=after, **options)
        stream.resume(state)
        seen += flat(indices(stream, workers))
    assert Counter(seen) == Counter(dict.fromkeys(range(len(windows)), 2))


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
def test_a_step_trains_the_same_samples_at_any_world_size(shards: TokenShards, world_size: int) -> None:
    windows = Windows(shards, 64)
    ranks = [Stream(windows, 16, seed=2, rank=r, world_size=world_size) for r in range(world_size)]
    whole = Stream(windows, 16, seed=2)
    for step, parts in enumerate(islice(zip(*ranks, strict=True), 4)):
        expected = next(islice(whole.batches(), step, None))["index"].tolist()
        assert sorted(i for part in parts for i in part["index"].tolist()) == sorted(expected)
        assert parts[0]["index"].tolist() == expected[::world_size]


def test_drop_last_gives_all_ranks_the_same_number_of_steps(shards: TokenShards) -> None:
    windows = Windows(shards, 64)
    steps = {len(list(Stream(windows, 8, rank=r, world_size=8, epochs=1, drop_last=True))) for r in range(8)}
    assert steps == {len(windows) // 8}


def test_a_state_of_another_run_is_refused(shards: TokenShards) -> None:
    state = Stream(Windows(shards, 64), 8, seed=1).state(80)
    for other in (Stream(Windows(shards, 32), 8, seed=1), Stream(Windows(shards, 64), 8, seed=2)):
        with pytest.raises(UserError, match="this state is of another run"):
            other.resume(state)


def test_impossible_ranks_and_lengths_are_refused(shards: TokenShards) -> None:
    with pytest.raises(UserError, match="rank 2 is outside"):
        Stream(Windows(shards, 64), 8, rank=2, world_size=2)
    with pytest.raises(UserError, match="without a sample"):
        Stream(Windows(shards, 64), 2, world_size=3)
    with pytest.raises(UserError, match="no whole sample"):
        Stream(Windows(shards, 1 << 30), 8)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 on"),
        ({"epochs": 1.5}, "found 1.5"),
        ({"seed": "a"}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"start": -8}, "start must be a whole number of samples from 0 on"),
    ],
)
def test_a_run_that_is_none_is_refused(shards: TokenShards, wrong: dict[str, Any], told: str) -> None:
    """Not trained on nothing, or on samples that wrapped around."""
    with pytest.raises(UserError, match=told):
        Stream(Windows(shards, 64), 8, **wrong)
    assert len(list(Stream(Windows(shards, 64), 8, epochs=np.int64(1), seed=np.int64(2)))) > 3


@pytest.mark.parametrize("consumed", [-8, None, "12", 1.5, True])
def test_a_damaged_state_is_refused(shards: TokenShards, consumed: Any) -> None:
    stream = Stream(Windows(shards, 64), 8, seed=1)
    with pytest.raises(UserError, match="consumed_samples is"):
        stream.resume({**stream.state(80), "consumed_samples": consumed})
    with pytest.raises(UserError, match="expected a state"):
        stream.resume(None)  # type: ignore[arg-type]


def test_a_state_of_other_shards_says_what_to_do(shards: TokenShards, tmp_path: Path) -> None:
    write_folder(tmp_path, [[random_documents(30, mean=40, seed=9)]])
    state = Stream(Windows(TokenShards(tmp_path), 64), 8).state(80)
    with pytest.raises(UserError, match="go on with the folder it was saved with"):
        Stream(Windows(shards, 64), 8).resume(state)
    with pytest.raises(UserError) as caught:
        Stream(Windows(shards, 64), 8, seed=3).resume(Stream(Windows(shards, 64), 8, seed=1).state(80))
    assert "its shards" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float16", "float32", "bool"])
def test_a_width_that_cannot_hold_the_ids_is_refused(shards: TokenShards, dtype: str) -> None:
    """They were cut to it."""
    with pytest.raises(UserError, match="cannot hold the ids"):
        Windows(shards, 64, dtype=dtype)


def test_a_plan_that_was_saved_over_another_by_half_is_none(shards: TokenShards, tmp_path: Path) -> None:
    pack(shards, 64).save(tmp_path)
    head = (tmp_path / "plan.json").read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.reader.packing.json.dumps", lambda *args, **more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pack(shards, 32).save(tmp_path)
    with pytest.raises(UserError, match=r"no plan\.json"):
        PackingPlan.load(tmp_path, shards)
    (tmp_path / "plan.json").write_text(head)
    with pytest.raises(UserError, match="more than one packing plan"):
        PackingPlan.load(tmp_path, shards)


# PyTorch


def test_torch_loader_gives_the_stream_at_any_number_of_workers(shards: TokenShards) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from pipeline.reader.pytorch import StreamDataset

    stream = Stream(Windows(shards, 64, boundaries=True), 8, seed=1, epochs=1, rank=1, world_size=2)
    expected = list(stream)
    for num_workers in (0, 1, 3):
        loader = torch.utils.data.DataLoader(StreamDataset(stream), batch_size=None, num_workers=num_workers)
        for batch, wanted in zip(loader, expected, strict=True):
            assert batch["input_ids"].dtype == torch.int64
            assert all(np.array_equal(np.asarray(batch[key]), wanted[key]) for key in wanted)


def test_torch_map_dataset_takes_any_sampler(shards: TokenShards) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from pipeline.reader.pytorch import MapDataset

    dataset = MapDataset(Windows(shards, 64), seed=3)
    loader = torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=True, num_workers=2)
    index = torch.cat([batch["index"] for batch in loader])
    assert sorted(index.tolist()) == list(range(len(dataset)))
    assert torch.equal(dataset[-1]["labels"], dataset[len(dataset) - 1]["labels"])
    with pytest.raises(IndexError):
        dataset[len(dataset)]
