"""Tokenizer files of odd kinds: the same ids every time, one line for what cannot be used, and no EOS in a text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers as library

from pipeline.recipe import load as load_recipe
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import tokens
from stages.tokenizers import check_eos, load
from stages.tokenizers.tokenizer import TokenizerError
from stages.tokenizers.train import TrainParams, train
from tests.support.corpora import write_corpus, write_mixture
from tests.tokenizers.test_tokenizers import buffers

TEXT = ["the quick brown fox jumps over the lazy dog " * 20]


def bpe(path: Path, change: Callable[[dict[str, Any]], Any]) -> str:
    """A byte-level tokenizer.json, changed."""
    config = json.loads(train(TEXT, TrainParams(kind="byte-bpe", vocab_size=300)))
    change(config)
    path.write_text(json.dumps(config))
    return str(path)


def unigram(path: Path, special: bool = True, **model: Any) -> str:
    pieces = [("</s>", 0.0), ("▁the", -1.0), ("▁", -2.0), ("<unk>", -9.0)]
    made = library.Tokenizer(library.models.Unigram(pieces, **model))
    if special:
        made.add_special_tokens(["</s>"])
    path.write_text(made.to_str())
    return str(path)


def test_dropout_of_training_is_left_out(tmp_path: Path) -> None:
    plain = load(bpe(tmp_path / "plain.json", lambda config: None))
    dropping = load(bpe(tmp_path / "drop.json", lambda config: config["model"].update(dropout=0.5)))
    assert dropping.why_slow is None
    assert dropping.probe_sha256 == plain.probe_sha256
    for fast in (True, False):
        ids = [dropping.encode(*buffers(TEXT), fast=fast)[0] for _ in range(3)]
        assert all(np.array_equal(one, plain.encode(*buffers(TEXT))[0]) for one in ids)


def test_truncation_and_padding_of_a_file_are_left_out(tmp_path: Path) -> None:
    cut = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    filled = {"strategy": {"Fixed": 10}, "direction": "Right", "pad_to_multiple_of": None}
    filled |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"}
    found = load(bpe(tmp_path / "cut.json", lambda config: config.update(truncation=cut, padding=filled)))
    plain = load(bpe(tmp_path / "plain.json", lambda config: None))
    for texts in (TEXT, ["a"]):
        assert np.array_equal(found.encode(*buffers(texts))[0], plain.encode(*buffers(texts))[0])


def far(number: int) -> Callable[[dict[str, Any]], Any]:
    return lambda config: config["model"]["vocab"].update(zzz=number)


@pytest.mark.parametrize(("number", "dtype"), [(65_535, np.uint16), (65_536, np.uint32), ((1 << 24) - 1, np.uint32)])
def test_ids_take_the_smallest_type_that_holds_the_largest(tmp_path: Path, number: int, dtype: type) -> None:
    found = load(bpe(tmp_path / "far.json", far(number)))
    assert (found.reference.vocab_size, found.dtype) == (number + 1, np.dtype(dtype))


@pytest.mark.parametrize("number", [1 << 24, 3_000_000_000, 1 << 40])
def test_ids_that_no_table_can_hold_are_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(TokenizerError, match=f"expected ids below 16,777,216, found {number:,}"):
        load(bpe(tmp_path / "far.json", far(number)))


def test_a_model_without_a_token_for_the_unknown_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="its library cannot encode 'The quick brown fox"):
        load(unigram(tmp_path / "unigram.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"config": null}', "expected one of: a SentencePiece model"),
        ('{"model": ' + "[" * 100_000, "not JSON: maximum recursion depth"),
        ('{"model": null}', "not a tokenizer.json"),
        ('\n{"model": null}', "not a tokenizer.json"),
        ("\n", "not a SentencePiece model"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(TokenizerError, match=message):
        load(str(tmp_path / "odd.json"))


@pytest.mark.parametrize("name", ["mistral-v1", "mistral-v3", "tekken"])
def test_shipped_tokenizers_have_an_eos_that_no_text_makes(name: str) -> None:
    check_eos(load(name))


def test_an_eos_that_a_text_can_spell_is_refused_before_any_work(tmp_path: Path) -> None:
    def ordinary(config: dict[str, Any]) -> None:
        config["added_tokens"][2]["special"] = False

    added = bpe(tmp_path / "added.json", ordinary)
    path = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=1), extra="")
    path.write_text(path.read_text() + f'tokens: {{tokenizer: {added}, eos: "</s>"}}\n')
    with pytest.raises(ConfigError, match=r"tokens\.tokenizer: .*a page that holds '</s>' would hold id 2, which ends"):
        load_recipe(path, Store(str(tmp_path / "root")))
    listed = unigram(tmp_path / "u.json", special=False, unk_id=3)
    for model, eos in ((added, "the"), (added, 30), (listed, "</s>"), ("tekken", " ")):
        with pytest.raises(TokenizerError, match="which ends every document; choose another `eos`"):
            tokens.check(tokens.Params(tokenizer=model, eos=eos))


SPECIAL = ("<pad>", "</s>", "<unk>")
LETTERS = "▁abcdefghijklmnopqrstuvwxyz<>/[]"


def looked_up(kind: str) -> Any:
    """A model that looks pieces up in all of its vocabulary, as T5's, BERT's or one of whole words, before special
    tokens are named."""
    if kind == "unigram":
        pieces = [*((one, 0.0) for one in SPECIAL), *((letter, -4 - n / 8) for n, letter in enumerate(LETTERS))]
        made = library.Tokenizer(library.models.Unigram([*pieces, ("▁the", -3.0), ("the", -3.5)], unk_id=2))
        made.pre_tokenizer = library.pre_tokenizers.Metaspace()
        made.decoder = library.decoders.Metaspace()
        return made
    vocabulary = {piece: number for number, piece in enumerate((*SPECIAL, "the", "fox", "a"))}
    model = library.models.WordLevel if kind == "words" else library.models.WordPiece
    made = library.Tokenizer(model(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = library.pre_tokenizers.WhitespaceSplit()
    return made


@pytest.mark.parametrize(("kind", "spelt"), [("unigram", [35, 3, 30, 32, 22, 31, 3, 4]), ("words", [3, 2, 5])])
def test_models_that_look_pieces_up_find_no_special_token_in_a_text(
    tmp_path: Path, kind: str, spelt: list[int]
) -> None:
    made = looked_up(kind)
    made.add_special_tokens([*SPECIAL, "<extra>"])
    (tmp_path / "looked.json").write_text(made.to_str())
    found = load(str(tmp_path / "looked.json"))
    check_eos(found)
    reference = found.reference
    assert (found.eos_id, reference.pad_id, reference.vocab_size) == (1, 0, made.get_vocab_size())
    assert [reference.id_of(piece) for piece in (*SPECIAL, "<extra>")] == [0, 1, 2, made.get_vocab_size() - 1]
    for text in ("the fox", "a the  fox thethe", "the 狐 fox", ""):
        assert reference.encode(text.encode()).tolist() == made.encode(text, add_special_tokens=False).ids
        assert found.encode(*buffers([text]))[0].tolist() == [*reference.encode(text.encode()).tolist(), 1]
    assert reference.encode(b"the </s> a").tolist() == spelt
    assert reference.decode([spelt[0], 1, 0]) == b"the"


@pytest.mark.parametrize("entry", ["x", None, [], ["</s>"], [1, 2], {"a": 1}])
def test_odd_entries_of_a_vocabulary_are_refused_in_a_line(tmp_path: Path, entry: Any) -> None:
    config = json.loads(looked_up("unigram").to_str())
    config["model"]["vocab"].append(entry)
    (tmp_path / "odd.json").write_text(json.dumps(config))
    with pytest.raises(TokenizerError, match=r"not a tokenizer\.json"):
        load(str(tmp_path / "odd.json"))


@pytest.mark.parametrize("kind", ["bpe", "unigram", "byte-bpe"])
def test_training_says_how_much_a_text_gives(kind: Any) -> None:
    for texts in ([], ["", ""]):
        with pytest.raises(TokenizerError, match="expected text to train a tokenizer on, found none"):
            train(texts, TrainParams(kind=kind, vocab_size=300))
    if kind == "byte-bpe":
        return
    with pytest.raises(
        TokenizerError, match=r"vocab_size 32000 is more than the \d+ pieces that the text gives"
    ) as error:
        train(TEXT, TrainParams(kind=kind))
    gives = int(str(error.value).split("more than the ")[1].split()[0])
    if gives >= 300:
        assert train(TEXT, TrainParams(kind=kind, vocab_size=gives))
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 200)))
    with pytest.raises(TokenizerError, match=r"set it to 46[01] or more"):
        train([letters * 5], TrainParams(kind=kind, vocab_size=300, character_coverage=1.0))
