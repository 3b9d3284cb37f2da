"""Mixture files: those shipped are right, overrides reach their source alone, fingerprints hold what matters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import recipe as recipes
from pipeline.recipe import Recipe
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from tests.support.corpora import write_corpus, write_mixture

ROOT = Path(__file__).resolve().parents[2]
BASE = """\
sources:
  web: {paths: "a/*.warc.gz"}
  code: {paths: ["b/*.jsonl", "s3://bucket/c.parquet"], kept: {families: []}}
kept: {families: [gopher_quality], rules: {too_few_words: 40}}
domains: {web: {sources: [web]}, code: {sources: [code]}}
mixture: {domains: {web: {share: 0.5}, code: {share: 0.5}}}
"""


def load(tmp_path: Path, text: str = BASE, root: str = "root") -> Recipe:
    (tmp_path / "m.yaml").write_text(text)
    return recipes.load(tmp_path / "m.yaml", Store(str(tmp_path / root)))


@pytest.mark.parametrize("path", sorted((ROOT / "mixtures").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_mixture_is_right(path: Path, tmp_path: Path) -> None:
    recipe = recipes.load(path, Store(str(tmp_path)))
    assert recipe.name == path.stem
    assert recipe.fingerprint("documents", next(iter(recipe.sources))).hex


def test_the_crawl_mixture_has_four_domains_and_more() -> None:
    recipe = recipes.load(ROOT / "mixtures" / "crawl.yaml", Store("/nowhere"))
    assert len(recipe.sources) == 4
    assert len(recipe.domains) > 4


def test_paths_are_relative_to_the_mixture_file_and_uris_stay(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert recipe.sources["web"].params.paths == (f"{tmp_path}/a/*.warc.gz",)
    assert recipe.sources["code"].params.paths == (f"{tmp_path}/b/*.jsonl", "s3://bucket/c.parquet")


ARGUMENTS = """
transforms:
  new: {{function: "stages.transforms.chat_server:ask", params: {{{params}}}, inputs: {{sources: [web]}}}}
scores:
  scorers: {{x: {{function: "beside:score", params: {{{scored}}}}}}}
"""


def test_arguments_are_paths_where_they_are_written_so_or_their_folder_is_there(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def score(texts, **params): return [0] * len(texts)\n")
    (tmp_path / "made").mkdir()
    names = {
        "model": "Qwen/Qwen2.5-7B-Instruct",
        "system": "请翻译成英文/中文。",
        "separator": "/no_think",
        "key_variable": "a" * 300 + "/b",
    }
    paths = {"prompt": "gone/prompt.txt", "url": "./gone"}
    extra = ARGUMENTS.format(
        params=", ".join(f'{key}: "{value}"' for key, value in (names | paths).items()),
        scored='a: text/html, b: made/new, c: own.bin, d: "HuggingFaceFW/fineweb-edu-classifier", e: made/*/deep/words',
    )
    path = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=1), extra=extra)
    found = recipes.load(path, Store(str(tmp_path / "root")))
    [transform] = found.transforms().values()
    assert transform.params == names | {key: str(tmp_path / value) for key, value in paths.items()}
    assert found.section("scores").scorers["x"].params == {
        "a": "text/html",
        "b": f"{tmp_path}/made/new",
        "c": f"{tmp_path}/own.bin",
        "d": "HuggingFaceFW/fineweb-edu-classifier",
        "e": f"{tmp_path}/made/*/deep/words",
    }


def test_variables_are_filled_in_and_a_missing_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAWL", "/data")
    recipe = load(tmp_path, BASE.replace('"a/', '"${CRAWL}/${root}/'))
    assert recipe.sources["web"].params.paths == (f"/data/{tmp_path}/root/*.warc.gz".replace("//", "/"),)
    monkeypatch.delenv("CRAWL")
    with pytest.raises(ConfigError, match=r"sources.web.paths: \$\{CRAWL\} is not set"):
        load(tmp_path, BASE.replace('"a/', '"${CRAWL}/'))


def test_an_override_reaches_its_source_and_leaves_the_rest_of_the_section(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    web, code = (recipe.sources[name].sections["kept"] for name in ("web", "code"))
    assert web.families == ("gopher_quality",)
    assert code.families == ()
    assert code.rules == web.rules == {"too_few_words": 40}


def test_a_threshold_moves_the_fingerprint_of_kept_alone(tmp_path: Path) -> None:
    before = load(tmp_path)
    after = load(tmp_path, BASE.replace("40", "41"))
    for product in ("documents", "language", "quality", "signatures"):
        assert before.fingerprint(product, "web") == after.fingerprint(product, "web")
    assert before.fingerprint("kept", "web").hex != after.fingerprint("kept", "web").hex
    assert before.clusters() == after.clusters()
    assert before.fingerprint("tokens", "web") == after.fingerprint("tokens", "web")


def test_neither_root_nor_order_of_keys_nor_engine_is_in_a_fingerprint(tmp_path: Path) -> None:
    lines = BASE.splitlines()
    shuffled = "\n".join([*lines[3:], *lines[:3]]) + "\n"
    here, there = load(tmp_path), load(tmp_path, shuffled, root="elsewhere")
    for product in ("documents", "language", "quality", "signatures"):
        assert here.fingerprint(product, "code").hex == there.fingerprint(product, "code").hex
    assert here.fingerprint("kept", "code").hex == there.fingerprint("kept", "code").hex


def test_one_wrong_common_key_is_reported_once_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, BASE.replace("too_few_words: 40", "too_few_wrods: 40"))
    assert [problem.line for problem in caught.value.problems] == [4]
    assert "too_few_words" in str(caught.value)


def test_names_that_cannot_be_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sources.a/b: expected letters"):
        load(tmp_path, BASE.replace("  web: {paths", "  a/b: {paths"))
    with pytest.raises(ConfigError, match="name: expected letters"):
        load(tmp_path, "name: ../up\n" + BASE)


def test_models_named_by_path_are_found_beside_the_mixture_file_and_names_are_left_alone(tmp_path: Path) -> None:
    model = ROOT / "stages" / "models" / "lid.176.ftz"
    (tmp_path / "lid.ftz").write_bytes(model.read_bytes())
    recipe = load(tmp_path, BASE + "language: {model: lid.ftz}\n")
    assert recipe.section("language").model == str(tmp_path / "lid.ftz")
    by_name = load(tmp_path, BASE)
    assert by_name.section("language").model == "lid.176"
    with pytest.raises(ConfigError, match=r"m.yaml:7: language.model: .*none.ftz"):
        load(tmp_path, BASE + "language: {model: models/none.ftz}\n")


def test_more_bands_than_permutations_are_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"clusters\.bands"):
        load(tmp_path, BASE + "clusters: {bands: 40, rows: 8}\n")


@pytest.mark.parametrize(
    "name", ["../..", "", "a/b", "<img src=x>", ".hidden", "-x", "a b", "\u202ex", "x" * 101, "a\n"]
)
def test_a_domain_has_a_name_that_is_safe_in_a_path_and_a_report(tmp_path: Path, name: str) -> None:
    domains = json.dumps({name: {}})
    text = f"sources: {{web: {{paths: a.jsonl}}}}\ndomains: {domains}\nmixture: {{domains: {{}}}}\n"
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ConfigError, match="expected letters, digits"):
        recipes.load(tmp_path / "m.yaml", Store(str(tmp_path / "root")))
