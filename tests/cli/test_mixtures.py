"""Weights from elsewhere, swarms, tokenizers: the commands around a mixture, on a small whole run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline import recipe as recipes
from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.recipe import listing, mixing
from pipeline.store.storage import Store
from pipeline.tune.output import copy_modules
from pipeline.tune.swarm import rewritten
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline, tree


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, ``small.yaml`` and its finished root."""
    folder = tmp_path_factory.mktemp("small")
    write_corpus(folder / "in", files=3)
    write_mixture(folder / "small.yaml", folder / "in")
    run_inline(folder / "small.yaml", folder / "root")
    return folder


def weighted(small: Path, folder: Path, weights: object, line: str = "  weights_from: weights.json\n") -> Path:
    """A mixture file that takes its shares from ``weights.json`` beside it."""
    (folder / "weights.json").write_text(weights if isinstance(weights, str) else json.dumps(weights))
    text = (small / "small.yaml").read_text()
    end = text.index("mixture:")
    path = folder / "weighted.yaml"
    path.write_text(text[:end] + f"mixture:\n  budget: 50k\n{line}  domains: {{docs: {{}}, code: {{}}}}\n")
    return path


# Weights from elsewhere


@pytest.mark.parametrize(
    "weights",
    [
        {"docs": 0.9, "code": 0.1},
        {"train_domain_weights": {"docs": 0.9, "code": 0.1}},
        [{"domain": "docs", "weight": 0.9}, {"domain": "code", "weight": 0.1}],
    ],
    ids=["plain", "DoReMi", "Olmix"],
)
def test_weights_are_read_from_a_file_beside_the_mixture_file(weights: object, small: Path, tmp_path: Path) -> None:
    recipe = recipes.load(weighted(small, tmp_path, weights), Store(str(tmp_path / "root")))
    solved = mixing.solve(recipe, {"docs": 100_000, "code": 100_000}, {"sha256": "x"})
    assert solved.targets == {"docs": 45_000, "code": 5_000}
    assert "do not say which tokenizer" in solved.warnings[0]


def test_weights_found_with_another_tokenizer_make_a_run_say_so(small: Path, tmp_path: Path) -> None:
    weights = {"method": "RegMix", "tokenizer_sha256": "0" * 64, "shares": {"docs": 0.6, "code": 0.4}}
    path = weighted(small, tmp_path, weights)
    shutil.copytree(small / "root", tmp_path / "root")
    result = call("run", path, "--root", tmp_path / "root", "--engine", "inline")
    assert result.exit_code == 0, result.stderr
    warning = "the weights of RegMix were found with another tokenizer (000000000000, here "
    assert result.stderr.startswith(f"mixture: {warning}")
    assert warning in call("plan", path, "--root", tmp_path / "root").stdout


WRONG = {
    "missing": ({}, "  weights_from: none.json\n", "none.json cannot be read as weights"),
    "no JSON": ("docs: 1", None, "cannot be read as weights: Expecting value"),
    "sum": ({"docs": 0.5, "code": 0.1}, None, "imported shares must be positive and sum to 1 within 1%, found 0.6"),
    "names": ({"docs": 0.5, "web": 0.5}, None, "they differ in code, web"),
    "solver": (
        {"docs": 0.5, "code": 0.5},
        "  weights_from: weights.json\n  solver: natural\n",
        "found solver 'natural'",
    ),
    "both": ({}, "  weights_from: weights.json\n  imported: {method: a, shares: {docs: 1}}\n", "not both"),
}


@pytest.mark.parametrize("name", WRONG)
def test_weights_that_cannot_be_used_are_reported_with_their_line(name: str, small: Path, tmp_path: Path) -> None:
    weights, line, message = WRONG[name]
    path = weighted(small, tmp_path, weights, line or "  weights_from: weights.json\n")
    result = call("plan", path, "--root", tmp_path / "root")
    assert result.exit_code == 2
    assert message in result.stderr, result.stderr
    assert "weighted.yaml:1" in result.stderr


# Swarms


def swarm(small: Path, folder: Path, *more: object) -> Result:
    return call("swarm", small / "small.yaml", folder, "--root", small / "root", "--budget", "60k", *more)


def test_a_swarm_is_the_same_for_a_seed_and_another_for_another(small: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = swarm(small, tmp_path / folder, "--count", 4, "--seed", seed)
        assert result.exit_code == 0, result.stderr
    assert tree(tmp_path / "a").keys() == tree(tmp_path / "c").keys()
    assert len(tree(tmp_path / "a")) == 4
    assert {path.read_text() for path in (tmp_path / "a").iterdir()} == {
        path.read_text() for path in (tmp_path / "b").iterdir()
    }
    assert tree(tmp_path / "a") != tree(tmp_path / "c")


def test_every_mixture_of_a_swarm_can_be_made_of_the_tokens_there_are(small: Path, tmp_path: Path) -> None:
    result = swarm(small, tmp_path / "swarm", "--count", 12)
    assert result.exit_code == 0, result.stderr
    store = Store(str(small / "root"))
    snapshot = store.read_json("mixtures/small.json")
    available = {name: store.read_json(place)["tokens"] for name, place in snapshot["shards"].items()}
    seen = set()
    for path in result.stdout.split():
        recipe = recipes.load(path, store)
        solved = mixing.solve(recipe, available, {"sha256": "x"})
        assert recipe.name == Path(path).stem
        assert solved.tokens == 60_000
        assert all(domain.target_tokens <= domain.max_epochs * domain.available_tokens for domain in solved.domains)
        seen.add(tuple(solved.targets.values()))
    assert len(seen) > 6


def test_a_mixture_of_a_swarm_runs_on_the_tokens_that_are_there(small: Path, tmp_path: Path) -> None:
    path = swarm(small, tmp_path, "--count", 1, "--prior", "mixture").stdout.strip()
    shutil.copytree(small / "root", tmp_path / "root")
    job = run_inline(Path(path), tmp_path / "root")
    assert {step.product for step in job.steps if step.to_do} == {"corpus"}


def test_relative_paths_of_a_swarm_lead_to_the_same_files_and_comments_stay(small: Path, tmp_path: Path) -> None:
    text = (small / "small.yaml").read_text().replace(str(small / "in"), "in").replace("name: small\n", "# why\n")
    (small / "relative.yaml").write_text(text.replace("shards:", "# how large\nshards:"))
    result = call("swarm", small / "relative.yaml", tmp_path, "--root", small / "root", "--budget", "60k", "--count", 2)
    assert result.exit_code == 0, result.stderr
    made = Path(result.stdout.split()[0])
    assert made.name == "relative-swarm-0.yaml"
    assert "# why" in made.read_text()
    assert "# how large" in made.read_text()
    store = Store(str(small / "root"))
    found, expected = (listing.list_splits(recipes.load(path, store)) for path in (made, small / "small.yaml"))
    assert found == expected


def test_modules_beside_the_mixture_file_are_beside_those_of_a_swarm(small: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "swarm_scores.py").write_text(
        "from swarm_parts import one\n\ndef size(texts):\n    return [one(t) for t in texts]\n"
    )
    (own / "swarm_parts.py").write_text("def one(text):\n    return float(len(text.as_py()))\n")
    scores = "scores: {scorers: {size: {function: 'swarm_scores:size'}}}\nmixture:"
    (own / "m.yaml").write_text((small / "small.yaml").read_text().replace("mixture:", scores))
    root = tmp_path / "root"
    run_inline(own / "m.yaml", root)
    given = ("swarm", own / "m.yaml", tmp_path / "made", "--root", root, "--budget", "60k", "--count", 2)
    for _ in range(2):  # the second finds all there
        result = call(*given)
        assert result.exit_code == 0, result.stderr
    assert sorted(tree(tmp_path / "made")) == [
        "small-swarm-0.yaml",
        "small-swarm-1.yaml",
        "swarm_parts.py",
        "swarm_scores.py",
    ]
    own.rename(tmp_path / "gone")
    job = run_inline(tmp_path / "made" / "small-swarm-0.yaml", root)
    assert {step.product for step in job.steps if step.to_do} == {"corpus"}  # the same modules: nothing is measured
    (tmp_path / "gone").rename(own)
    (tmp_path / "made" / "swarm_parts.py").write_text("def one(text):\n    return 0.0\n")
    other = call(*given)
    assert other.exit_code == 2
    assert "swarm_parts.py is there, and is not the module of that name beside" in other.stderr


def test_modules_of_every_kind_are_those_beside_the_mixture_file(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "m.yaml").write_text(
        "sources: {web: {paths: in.jsonl, format: 'kinds_format:read'}}\n"
        "documents: {extractor: 'kinds_extractor:text'}\n"
        "labels: {labellers: {l: {function: 'kinds_label:label'}}}\n"
        "transforms: {t: {inputs: {sources: [web]}, function: 'kinds_transform:rows'}}\n"
        "domains: {d: {sources: [web, t]}}\nmixture: {domains: {d: {share: 1.0}}}\n"
    )
    for name in ("format:read", "extractor:text", "label:label", "transform:rows"):
        module, _, function = name.partition(":")
        (tmp_path / f"kinds_{module}.py").write_text(
            f"import kinds_common\n\ndef {function}(given):\n    return given\n"
        )
    (tmp_path / "kinds_common.py").write_text("")
    (tmp_path / "kinds_unused.py").write_text("")
    store, folder = Store(str(tmp_path / "root")), tmp_path / "made"
    names = [f"kinds_{name}.py" for name in ("common", "extractor", "format", "label", "transform")]
    made = copy_modules(str(tmp_path / "m.yaml"), store, str(folder))
    assert sorted(made) == [str(folder / name) for name in names]
    assert sorted(tree(folder)) == names
    assert copy_modules(str(tmp_path / "m.yaml"), store, str(folder)) == []
    (folder / names[0]).unlink()
    (folder / names[0]).mkdir()
    with pytest.raises(UserError, match="is not the module of that name"):
        copy_modules(str(tmp_path / "m.yaml"), store, str(folder))


def test_paths_of_models_move_with_the_file_and_names_stay() -> None:
    text = (
        "sources: {web: {paths: [in/a, /in/b, 's3://c/d'], language: {model: ../own.bin}}}\n"
        "tokens: {tokenizer: own.model}\nlanguage: {model: lid.176}\n"
        "kept: {urls: {adult: {paths: [list, /l]}}}\nquality: {bad_words: {en: words, de: [wort]}}\nmixture: {}\n"
    )
    made = yaml.safe_load(rewritten(text, "/x/y/m.yaml", "/x/z", "other", "mixture: {budget: 1}\n"))
    assert made == {
        "name": "other",
        "sources": {"web": {"paths": ["../y/in/a", "/in/b", "s3://c/d"], "language": {"model": "../own.bin"}}},
        "tokens": {"tokenizer": "../y/own.model"},
        "language": {"model": "lid.176"},
        "kept": {"urls": {"adult": {"paths": ["../y/list", "/l"]}}},
        "quality": {"bad_words": {"en": "../y/words", "de": ["wort"]}},
        "mixture": {"budget": 1},
    }


def test_a_swarm_refuses_a_budget_beyond_the_caps_uncounted_tokens_and_files_in_the_way(
    small: Path, tmp_path: Path
) -> None:
    large = call("swarm", small / "small.yaml", tmp_path, "--root", small / "root", "--budget", "9B", "--count", 2)
    assert large.exit_code == 2
    assert "beyond all caps" in large.stderr
    fresh = call("swarm", small / "small.yaml", tmp_path, "--root", tmp_path / "new", "--budget", "1k", "--count", 2)
    assert fresh.exit_code == 2
    assert "not counted yet" in fresh.stderr
    (tmp_path / "small-swarm-1.yaml").write_text("mine")
    there = swarm(small, tmp_path, "--count", 2)
    assert there.exit_code == 2
    assert "holds something else" in there.stderr
    assert (tmp_path / "small-swarm-1.yaml").read_text() == "mine"


# Tokenizers


def train(small: Path, root: Path, output: Path, *more: object) -> Result:
    return call("train-tokenizer", small / "small.yaml", output, "--root", root, "--engine", "inline", *more)


KINDS = {"sentencepiece-bpe": ("sentencepiece", 1000), "byte-bpe": ("tokenizers", 1000)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_is_trained_from_the_kept_pages_and_the_same_from_any_division_of_them(
    kind: str, small: Path, tmp_path: Path
) -> None:
    if kind == "byte-bpe":
        pytest.importorskip("tokenizers")
    library, size = KINDS[kind]
    more = ("--kind", kind, "--vocab-size", size, "--sample-bytes", 300_000, "--quiet")
    result = train(small, small / "root", tmp_path / "a.model", *more)
    assert result.exit_code == 0, result.stderr
    assert f"library       {library}" in result.stdout
    assert f"vocab_size    {size}" in result.stdout
    # The same pages with the files of a source read in one go: other splits.
    text = (small / "small.yaml").read_text().replace("group_bytes: 0", "group_bytes: 100000000")
    (tmp_path / "small.yaml").write_text(text)
    other = train(tmp_path, tmp_path / "root", tmp_path / "b.model", *more)
    assert other.exit_code == 0, other.stderr
    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()


def test_a_trained_tokenizer_makes_shards_that_know_it(small: Path, tmp_path: Path) -> None:
    made = train(small, small / "root", tmp_path / "own.model", "--vocab-size", 1000, "--quiet")
    assert made.exit_code == 0, made.stderr
    shutil.copytree(small / "root", tmp_path / "root")
    path = tmp_path / "own.yaml"
    path.write_text((small / "small.yaml").read_text() + f"tokens: {{tokenizer: {tmp_path / 'own.model'}}}\n")
    assert call("run", path, "--root", tmp_path / "root", "--engine", "inline").exit_code == 0
    snapshot = json.loads((tmp_path / "root/mixtures/small.json").read_text())
    shards = (tmp_path / "root" / snapshot["corpus"]).parent
    same = call("check-tokenizer", shards, tmp_path / "own.model")
    assert same.exit_code == 0, same.stderr
    assert "written with this tokenizer" in same.stdout
    other = call("check-tokenizer", shards, "mistral-v1")
    assert other.exit_code == 1
    for key in (
        "sha256: expected",
        "vocab_size: expected 32000, shares have 1000".replace("shares", "shards"),
        "probe_",
    ):
        assert key in other.stderr, other.stderr


def test_training_leaves_the_last_run_the_last_run(small: Path, tmp_path: Path) -> None:
    before = (small / "root/runs/current.json").read_text()
    assert train(small, small / "root", tmp_path / "own.model", "--vocab-size", 900, "--quiet").exit_code == 0
    assert (small / "root/runs/current.json").read_text() == before
    assert "all is well" in call("verify", "--root", small / "root").stdout


def test_a_tokenizer_can_be_trained_for_a_mixture_that_names_it_already(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text((small / "small.yaml").read_text() + f"tokens: {{tokenizer: {tmp_path / 'later.model'}}}\n")
    assert call("plan", path, "--root", small / "root").exit_code == 2
    more = ("--vocab-size", 800, "--sample-bytes", 200_000, "--quiet")
    assert train(tmp_path, small / "root", tmp_path / "later.model", *more).exit_code == 0
    assert call("plan", path, "--root", small / "root").exit_code == 0


def test_training_refuses_files_in_the_way_and_too_little_text(small: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    refused = train(small, small / "root", tmp_path / "mine", "--vocab-size", 900, "--quiet")
    assert refused.exit_code == 2
    assert "holds something else" in refused.stderr
    little = train(small, small / "root", tmp_path / "own", "--vocab-size", 60_000, "--sample-bytes", 9_000, "--quiet")
    assert little.exit_code == 1
    assert "pieces that the text gives; set it to" in little.stderr
    few = train(small, small / "root", tmp_path / "own", "--vocab-size", 300, "--quiet")
    assert "vocab_size 300 is less than the " in few.stderr
    assert "a smaller vocab_size" not in few.stderr
    assert not (tmp_path / "own").exists()
