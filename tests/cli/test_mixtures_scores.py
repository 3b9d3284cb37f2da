"""Scores of `quality` beside the shards: the values that were measured, on the way from the page to the corpus."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import recipe as recipes
from pipeline.answers.verify import verify_root
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline

COLUMN = "gopher_num_words"


def with_scores(folder: Path, scores: str) -> Path:
    path = write_mixture(folder / "small.yaml", folder / "in", extra=f"tokens: {{scores: [{scores}]}}\n")
    override = f'"{folder}/in/code/*.jsonl"\n    quality: {{families: [c4]}}'
    text = path.read_text().replace(f'"{folder}/in/code/*.jsonl"', override)
    path.write_text(
        text.replace("low_language_confidence: false", "low_language_confidence: false, too_few_words: false")
    )
    return path


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    write_corpus(folder / "in", files=2)
    run_inline(with_scores(folder, COLUMN), folder / "root")
    return folder


def test_scores_stand_beside_every_shard_and_are_null_where_they_were_not_measured(scored: Path) -> None:
    store = Store(str(scored / "root"))
    snapshot = snapshots.load(store)
    measured: dict[bytes, float | None] = {}
    for documents, quality in zip(snapshot.product("documents"), snapshot.product("quality"), strict=True):
        names = store.read_table(documents.address, ["doc_id"])["doc_id"].to_pylist()
        table = store.read_table(quality.address)
        values = table[COLUMN].to_pylist() if COLUMN in table.column_names else [None] * len(names)
        measured.update(zip(names, values, strict=True))
    places = {**snapshot.data["shards"], "corpus": snapshot.data["corpus"]}
    for kind, manifest in places.items():
        for entry in store.read_json(manifest)["shards"]:
            docs = store.read_table(f"{manifest.rpartition('/')[0]}/{entry['docs']}")
            assert docs.schema.field(COLUMN).type == pa.float32()
            values = docs[COLUMN].to_pylist()
            assert values == [measured[name] for name in docs["doc_id"].to_pylist()]
            assert all((value is None) == (kind == "code") for value in values) or kind == "corpus"
    assert "all is well" in verify_root(store, None)


def test_without_scores_a_change_of_measurements_leaves_the_tokens(scored: Path) -> None:
    path = with_scores(scored, "")
    root = scored / "other"
    run_inline(path, root)
    path.write_text(path.read_text().replace("quality: {families: [c4]}", "quality: {families: []}"))
    assert {"tokens", "shards"} & made(run_inline(path, root)).keys() == set()


def test_a_score_that_nobody_measures_or_that_is_no_score_is_refused(scored: Path) -> None:
    store = Store(str(scored / "root"))
    with pytest.raises(
        ConfigError, match=r"tokens.scores\[0\]: no column 'gopher_num_wrods' is measured; did you mean"
    ):
        recipes.load(with_scores(scored, "gopher_num_wrods"), store)
    with pytest.raises(ConfigError, match="scores must be columns of `quality`"):
        recipes.load(with_scores(scored, "url"), store)
