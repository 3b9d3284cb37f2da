"""BOS and fill-in-the-middle: ids by a slow twin, rates, determinism, counts in manifests, and a whole run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from click.testing import CliRunner

from pipeline.answers.verify_shards import Sample
from pipeline.cli import main
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store
from stages import tokens
from stages.kernels.columns.ragged import offsets_of
from stages.tokenizers import load
from stages.tokenizers.arrangement import FimParams, arrange, arrangement, cut
from stages.tokenizers.tokenizer import TokenizerError
from stages.tokens import encoding
from stages.verify import verify
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline
from tests.support.token_files import doc_id, write_split

TEXTS = [f"def f{i}(x):\n    return x * {i}  # wörd 漢字 🙂\n" * (i % 3 + 1) for i in range(200)]
PREFIX, MIDDLE, SUFFIX, BOS, EOS = 14, 15, 16, 1, 2
"""Of the tokenizer `tekken`."""


def tokenize(store: Store, arguments: dict[str, Any], **params: Any) -> tuple[dict[bytes, list[int]], dict[str, Any]]:
    tokens.tokenize(store, **arguments, params={"tokenizer": "tekken", **params})
    with store.open(arguments["output"]) as file:
        table = pa.ipc.open_file(file).read_all()
    table.validate(full=True)
    ids = dict(zip(table["doc_id"].to_pylist(), table["input_ids"].to_pylist(), strict=True))
    return ids, store.metadata(arguments["output"])


def slow(text: str, name: bytes, rate: float, spm_rate: float, seed: int = 0) -> list[int]:
    """A document as its docstring says, one character at a time."""
    encode = load("tekken").reference.encode
    chosen, form, *drawn = (xxhash.xxh3_64_intdigest(name + b"fim", 4 * seed + k) / 2**64 for k in range(4))
    if chosen >= rate:
        return [BOS, *encode(text.encode()).tolist(), EOS]
    first, second = sorted(int(part * (len(text) + 1)) for part in drawn)
    parts = [encode(part.encode()).tolist() for part in (text[:first], text[first:second], text[second:])]
    if form < spm_rate:
        return [BOS, PREFIX, SUFFIX, *parts[2], MIDDLE, *parts[0], *parts[1], EOS]
    return [BOS, PREFIX, *parts[0], SUFFIX, *parts[2], MIDDLE, *parts[1], EOS]


@pytest.mark.slow
def test_documents_are_those_of_the_slow_twin_whatever_their_domain_asks_for(store: Store) -> None:
    domains = [("code", "grid--a--00-50", "web", "grid--b--00-50", "code--x--00-50")[i % 5] for i in range(200)]
    drawn = {"code", "grid--a--00-50", "code--x--00-50"}  # by name, by label of a grid, by grid
    arguments = write_split(store, "s", TEXTS, domains=domains)
    found, report = tokenize(store, arguments, bos=True, fim={"domains": ["code", "grid--a"], "rate": 0.6, "seed": 3})
    for i, text in enumerate(TEXTS):
        name = doc_id(f"s/{i}")
        assert found[name] == slow(text, name, 0.6 if domains[i] in drawn else 0, 0.5, 3), i
    rearranged = sum(PREFIX in ids for ids in found.values())
    assert 50 <= rearranged <= 95
    assert 10 <= sum(ids[1:3] == [PREFIX, SUFFIX] for ids in found.values()) <= rearranged - 10
    assert report["tokenizer"]["add_bos"] is True
    assert report["tokenizer"]["fim"]["suffix_id"] == SUFFIX
    assert report["tokens"] == sum(map(len, found.values()))


@pytest.mark.slow
def test_which_documents_are_rearranged_has_nothing_to_do_with_their_order(store: Store) -> None:
    arguments = write_split(store, "s", TEXTS, domains=["code"] * 200)
    found, _ = tokenize(store, arguments, fim={"domains": ["code"], "rate": 0.5})
    rearranged = [PREFIX in ids for ids in found.values()]
    assert 30 <= sum(rearranged[:100]) <= 70


@pytest.mark.slow
def test_texts_come_back_from_their_parts(store: Store) -> None:
    from mistral_common.tokens.tokenizers.tekken import SpecialTokenPolicy, Tekkenizer

    arguments = write_split(store, "s", TEXTS, domains=["code"] * 200)
    found, _ = tokenize(store, arguments, fim={"domains": ["code"], "rate": 1.0, "spm_rate": 0.0})
    path = Path(__import__("mistral_common").__file__).parent / "data" / "tekken_240911.json"
    decode = Tekkenizer.from_file(path).decode
    for i, text in enumerate(TEXTS):
        ids = found[doc_id(f"s/{i}")]
        after, middle = ids.index(SUFFIX), ids.index(MIDDLE)
        parts = (ids[1:after], ids[middle + 1 : -1], ids[after + 1 : middle])
        assert "".join(decode(part, SpecialTokenPolicy.IGNORE) for part in parts) == text


def test_how_documents_are_batched_changes_nothing_and_the_seed_does(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fim = {"domains": ["code"], "rate": 0.5}
    whole, _ = tokenize(store, write_split(store, "a", TEXTS, domains=["code"] * 200), fim=fim)
    monkeypatch.setattr(encoding, "ENCODED_BYTES", 1)
    arguments = write_split(store, "a", TEXTS, domains=["code"] * 200)
    assert tokenize(store, arguments, fim=fim)[0] == whole
    assert tokenize(store, arguments, fim={**fim, "seed": 1})[0] != whole


@pytest.mark.parametrize("texts", [[], [""], ["", "a", ""], ["é"], ["\U0001f642"]])
def test_empty_and_tiny_texts(texts: list[str]) -> None:
    tokenizer = load("tekken")
    made = arrangement(tokenizer, True, FimParams(domains=("code",), rate=1.0))
    data = np.frombuffer("".join(texts).encode(), np.uint8)
    offsets = offsets_of([len(text.encode()) for text in texts])
    names = np.frombuffer(b"".join(doc_id(text + str(k)) for k, text in enumerate(texts)), np.uint8)
    cuts = cut(made, data, offsets, names, np.array(["code"] * len(texts), object))
    ids, bounds = arrange(made, cuts, *tokenizer.encode(data, cuts.offsets, fast=False))
    assert len(bounds) == len(texts) + 1
    for k in range(len(texts)):
        own = ids[bounds[k] : bounds[k + 1]].tolist()
        assert own[0] == BOS
        assert own[-1] == EOS
        assert sorted(set(own) & {PREFIX, MIDDLE, SUFFIX}) == [PREFIX, MIDDLE, SUFFIX]


def test_models_without_the_tokens_say_what_to_do(store: Store) -> None:
    with pytest.raises(TokenizerError, match="'mistral-v1' has no three tokens for fim"):
        arrangement(load("mistral-v1"), False, FimParams(domains=("code",)))
    own = FimParams(domains=("code",), prefix="[PREFIX]", middle="[MIDDLE]", suffix="none")
    with pytest.raises(TokenizerError, match=r"looked for '\[PREFIX\]', '\[MIDDLE\]', 'none'"):
        arrangement(load("tekken"), False, own)
    with pytest.raises(ValueError, match="give all of `prefix`, `middle` and `suffix`, or none"):
        FimParams(domains=("code",), prefix=3)


@pytest.mark.slow
def test_a_run_with_both_is_verified_and_counted_and_a_wrong_domain_is_named(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=2)
    extra = "tokens: {tokenizer: tekken, bos: true, fim: {domains: [code], rate: 0.7}}\n"
    path = write_mixture(tmp_path / "small.yaml", tmp_path / "in", extra=extra)
    run_inline(path, tmp_path / "root")
    held = Store(str(tmp_path / "root"))
    sample = Sample(snapshots.load(held, "small"))
    snapshot = json.loads((tmp_path / "root/mixtures/small.json").read_text())
    manifest = json.loads((tmp_path / "root" / snapshot["corpus"]).read_text())
    for address in (snapshot["corpus"], *snapshot["shards"].values()):
        assert verify(held, address) == []
        assert sample.problems(address) == []
    assert sample.compared > 10
    assert manifest["tokenizer"]["add_bos"] is True
    counted = manifest["splits"]["train"]["fim_documents"]
    assert counted == sum(entry["fim_documents"] for entry in manifest["shards"])
    assert 0.4 * manifest["domains"]["code"]["documents"] < counted < manifest["domains"]["code"]["documents"]
    shards = (tmp_path / "root" / snapshot["corpus"]).parent
    checked = CliRunner().invoke(main, ["check-tokenizer", str(shards), "tekken"])
    assert checked.exit_code == 0, checked.output
    path.write_text(path.read_text().replace("domains: [code]", "domains: [coed]"))
    wrong = CliRunner().invoke(main, ["plan", str(path), "--root", str(tmp_path / "root")])
    assert wrong.exit_code == 2
    assert "no such domain" in wrong.output
