"""Held-out splits and what `verify` asks of shards: nothing held out is trained on, and ids are those of the texts."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from click.testing import CliRunner, Result

from pipeline.answers.verify import verify_root
from pipeline.answers.verify_shards import Sample, held_out_problems
from pipeline.cli import main
from pipeline.errors import RunError
from pipeline.exports.megatron import read_idx
from pipeline.reader import TokenShards
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store
from stages.shard_format import BLOCK_BYTES, hugging_face
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs without deduplication, a mixture with held-out splits, and its finished root."""
    folder = tmp_path_factory.mktemp("held")
    write_corpus(folder / "in", files=3)
    text = write_mixture(folder / "small.yaml", folder / "in", extra="clusters: {enabled: false}\n").read_text()
    shards = "shards: {target_tokens: 40000, valid_fraction: 0.2, test_fraction: 0.1}"
    (folder / "small.yaml").write_text(text.replace("shards: {target_tokens: 40000}", shards))
    run_inline(folder / "small.yaml", folder / "root")
    return folder


@pytest.fixture
def copied(held: Path, tmp_path: Path) -> Store:
    shutil.copytree(held / "root", tmp_path / "root")
    return Store(str(tmp_path / "root"))


def documents(store: Store, manifest: str) -> dict[str, set[bytes]]:
    """doc_ids per split of a folder of shards."""
    found: dict[str, set[bytes]] = {}
    folder = manifest.rpartition("/")[0]
    for shard in store.read_json(manifest)["shards"]:
        ids = store.read_table(f"{folder}/{shard['docs']}", ["doc_id"]).column("doc_id").to_pylist()
        found.setdefault(shard.get("split", "train"), set()).update(ids)
    return found


def test_held_out_documents_are_split_off_every_domain_and_in_no_corpus(held: Path) -> None:
    store = Store(str(held / "root"))
    snapshot = store.read_json("mixtures/small.json")
    trained = documents(store, snapshot["corpus"])
    assert set(trained) == {"train"}
    fractions = []
    for manifest in snapshot["shards"].values():
        splits = documents(store, manifest)
        assert set(splits) == {"train", "valid", "test"}
        assert not splits["valid"] & splits["test"]
        assert not (splits["valid"] | splits["test"]) & (trained["train"] | splits["train"])
        fractions.append(len(splits["valid"]) / sum(map(len, splits.values())))
    assert 0.1 < max(fractions) < 0.35


def test_copies_of_a_text_share_a_split_without_deduplication(held: Path) -> None:
    store = Store(str(held / "root"))
    snapshot = snapshots.load(store)
    texts: dict[bytes, bytes] = {}
    for entry in snapshot.product("documents"):
        table = store.read_table(entry.address, ["doc_id", "text_hash"])
        texts.update(zip(table["doc_id"].to_pylist(), table["text_hash"].to_pylist(), strict=True))
    splits: dict[bytes, set[str]] = {}
    copies = 0
    for split, names in documents(store, snapshot.data["shards"]["docs"]).items():
        for name in names:
            copies += texts[name] in splits
            splits.setdefault(texts[name], set()).add(split)
    assert copies > 10
    assert all(len(found) == 1 for found in splits.values())


def test_the_mixture_counts_only_what_is_for_training(held: Path) -> None:
    store = Store(str(held / "root"))
    snapshot = store.read_json("mixtures/small.json")
    corpus = store.read_json(snapshot["corpus"])
    for domain, manifest in snapshot["shards"].items():
        assert corpus["domains"][domain]["available_tokens"] == store.read_json(manifest)["tokens"]
    for split in ("valid", "test"):
        folder = Path(store.path(snapshot["shards"]["docs"])).parent
        assert len(TokenShards(folder, split=split)) == len(documents(store, snapshot["shards"]["docs"])[split])


def test_a_held_out_split_can_be_exported_and_a_corpus_has_none(held: Path, tmp_path: Path) -> None:
    def export(*more: str) -> Result:
        args = ["export", "nanosets", str(tmp_path / "out"), "--root", str(held / "root"), *more]
        return CliRunner().invoke(main, args)

    store = Store(str(held / "root"))
    splits = store.read_json(store.read_json("mixtures/small.json")["shards"]["docs"])["splits"]
    made = export("--domain", "docs", "--split", "valid")
    assert made.exit_code == 0, made.stderr
    assert f"{splits['valid']['tokens']:,} tokens" in made.stdout
    refused = export("--split", "test")
    assert refused.exit_code == 2
    assert "no shard of split 'test'; it has train" in refused.stderr


def test_a_blend_for_megatron_links_every_domain_and_split_with_the_mixtures_shares(held: Path, tmp_path: Path) -> None:
    args = ["export", "megatron-blend", str(tmp_path / "out"), "--root", str(held / "root")]
    made = CliRunner().invoke(main, [*args, "--sequence-length", "128"])
    assert made.exit_code == 0, made.stderr
    store = Store(str(held / "root"))
    snapshot = store.read_json("mixtures/small.json")
    domains = store.read_json(snapshot["corpus"])["domains"]
    total = sum(domain["requested_tokens"] for domain in domains.values())
    blends = json.loads((tmp_path / "out" / "blend.json").read_text())
    for split in ("train", "valid", "test"):
        weights, prefixes = [float(weight) for weight in blends[split][::2]], blends[split][1::2]
        assert sum(weights) == pytest.approx(1)
        for name, domain in domains.items():
            mine = [number for number, prefix in enumerate(prefixes) if Path(prefix).parent.name == name]
            assert sum(weights[number] for number in mine) == pytest.approx(domain["requested_tokens"] / total)
            shards = TokenShards(Path(store.path(snapshot["shards"][name])).parent, split=split)
            assert sum(int(read_idx(f"{prefixes[n]}.idx")["lengths"].sum()) for n in mine) == shards.num_tokens
    flags = shlex.split((tmp_path / "out" / "flags.sh").read_text().replace("\\\n", ""))
    assert flags[flags.index("--train-samples") + 1] == str(total // 128)
    refused = CliRunner().invoke(main, [*args, "--domain", "docs"])
    assert refused.exit_code == 2


@pytest.mark.parametrize("policy", ["shrink", "redistribute"])
def test_a_blend_for_megatron_passes_no_cap_where_the_corpus_has_fewer_tokens_than_asked(
    held: Path, copied: Store, tmp_path: Path, policy: str
) -> None:
    """Megatron reads of a domain its weight of the samples: as often as the corpus, and no more."""
    text = (held / "small.yaml").read_text()
    available = copied.read_json(copied.read_json("mixtures/small.json")["shards"]["docs"])["tokens"]
    rest = f"  max_epochs: 2\n  on_shortfall: {policy}\n  domains: {{docs: {{share: 0.5}}, code: {{share: 0.5}}}}\n"
    budget = f"clusters: {{enabled: false}}\nmixture:\n  budget: {8 * available}\n"
    (tmp_path / "small.yaml").write_text(text[: text.index("mixture:\n")] + budget + rest)
    run_inline(tmp_path / "small.yaml", tmp_path / "root")
    args = ["export", "megatron-blend", str(tmp_path / "out"), "--root", str(tmp_path / "root")]
    assert CliRunner().invoke(main, [*args, "--sequence-length", "128"]).exit_code == 0
    domains = copied.read_json(copied.read_json("mixtures/small.json")["corpus"])["domains"]
    train = json.loads((tmp_path / "out" / "blend.json").read_text())["train"]
    flags = shlex.split((tmp_path / "out" / "flags.sh").read_text().replace("\\\n", ""))
    tokens = 128 * int(flags[flags.index("--train-samples") + 1])
    for name, domain in domains.items():
        weight = sum(float(w) for w, at in zip(train[::2], train[1::2], strict=True) if Path(at).parent.name == name)
        assert weight * tokens == pytest.approx(domain["target_tokens"], rel=0.02)
        assert weight * tokens <= 2 * domain["available_tokens"]
    assert domains["docs"]["target_tokens"] == 2 * available < domains["docs"]["requested_tokens"]


def test_verify_counts_the_held_out_splits_and_tokenizes_a_sample_again(held: Path) -> None:
    text = verify_root(Store(str(held / "root")), None)
    assert "all is well" in text
    shards = [line for line in text.splitlines() if line.startswith("shards")]
    assert all(", test " in line and ", valid " in line for line in shards)
    (line,) = [line for line in text.splitlines() if line.startswith("sample")]
    assert int(line.split()[1]) >= 12


def test_verify_finds_damage_in_a_held_out_shard(copied: Store) -> None:
    manifest = copied.read_json("mixtures/small.json")["shards"]["docs"]
    entry = next(entry for entry in copied.read_json(manifest)["shards"] if entry["split"] == "valid")
    path = Path(copied.path(f"{manifest.rpartition('/')[0]}/{entry['path']}"))
    data = bytearray(path.read_bytes())
    data[entry["batches"][0]["values_position"] + 6] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RunError, match=r"valid.*damaged between byte"):
        verify_root(copied, None)


def test_a_held_out_document_in_a_corpus_is_named(copied: Store) -> None:
    snapshot = copied.read_json("mixtures/small.json")
    corpus, domain = snapshot["corpus"], snapshot["shards"]["docs"]
    entry = copied.read_json(corpus)["shards"][0]
    path = Path(copied.path(f"{corpus.rpartition('/')[0]}/{entry['docs']}"))
    secret = sorted(documents(copied, domain)["test"])[0]
    table = pq.read_table(path)
    names = pa.array([secret, *table.column("doc_id").to_pylist()[1:]], pa.binary(16))
    place = table.schema.get_field_index("doc_id")
    pq.write_table(table.set_column(place, table.schema.field(place), names), path)
    (problem,) = held_out_problems(snapshots.load(copied))
    assert secret.hex() in problem
    assert entry["docs"] in problem


def rewrite(store: Store, manifest: str, entry: dict[str, Any], data: bytes) -> None:
    """Other bytes of a shard, with a manifest that agrees with them."""
    folder = manifest.rpartition("/")[0]
    Path(store.path(f"{folder}/{entry['path']}")).write_bytes(data)
    whole = store.read_json(manifest)
    for found in whole["shards"]:
        if found["path"] == entry["path"]:
            found["xxh3_128"] = xxhash.xxh3_128_hexdigest(data)
            blocks = range(0, len(data), BLOCK_BYTES)
            found["blocks_xxh3_64"] = [xxhash.xxh3_64_hexdigest(data[start : start + BLOCK_BYTES]) for start in blocks]
            store.write_json(f"{folder}/{entry['path'].removesuffix('.arrow')}.json", found)
    store.write_json(manifest, whole)
    for address, content in hugging_face(folder, whole["shards"]).items():
        store.write_bytes(address, content)


def test_ids_that_are_not_those_of_the_text_are_found_even_where_checksums_agree(copied: Store) -> None:
    snapshot = copied.read_json("mixtures/small.json")
    manifest = snapshot["shards"]["docs"]
    entry = next(entry for entry in copied.read_json(manifest)["shards"] if entry["split"] == "train")
    path = Path(copied.path(f"{manifest.rpartition('/')[0]}/{entry['path']}"))
    data = bytearray(path.read_bytes())
    first = entry["batches"][0]["values_position"]
    ids = np.frombuffer(bytes(data[first : first + 8]), "<u2").copy()
    ids[1] = 1000 if ids[1] != 1000 else 1001  # the second token of the first document
    data[first : first + 8] = ids.tobytes()
    rewrite(copied, manifest, entry, bytes(data))
    with pytest.raises(RunError, match=r"document 0 \([0-9a-f]{32}\): token 1 is not that of its text"):
        verify_root(copied, None)


def test_a_tokenizer_that_is_gone_is_said_and_no_problem(copied: Store) -> None:
    snapshot = snapshots.load(copied)
    tokens = next(iter(snapshot.product("tokens"))).address
    about = f"{tokens.rpartition('/')[0]}/about.json"
    changed = copied.read_json(about)
    changed["params"]["tokenizer"] = "/nowhere/gone.model"
    copied.write_json(about, changed)
    sample = Sample(snapshot)
    assert sample.problems(snapshot.data["corpus"]) == []
    assert "gone.model" in sample.line()
    assert json.loads(Path(copied.path("mixtures/small.json")).read_text())["shards"]
