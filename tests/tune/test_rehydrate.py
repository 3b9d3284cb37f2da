"""`rehydrate`: repeats by copies, by hand calculation and on a whole run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner

from pipeline import recipe as recipes
from pipeline.answers import stats as reporting
from pipeline.cli import main
from pipeline.recipe import mixing
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from pipeline.tune.rehydrate import ALONE, families_of, table
from stages.mixture.rehydrate import Copies, rehydrate, repeats_of
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


def test_repeats_by_hand() -> None:
    # rate of all .4: .5 and .4 are not repeated, .2 is best, .3 half way: 1 + 9 / 2 = 5.5, to the even 6
    assert repeats_of([0.5, 0.4, 0.2, 0.3], 0.4, 10) == [1, 1, 10, 6]
    assert repeats_of([0.5, 0.4, 0.2, 0.3], 0.4, 3) == [1, 1, 3, 2]
    assert repeats_of([0.4, 0.4], 0.4, 10) == [1, 1]
    assert repeats_of([], 0.4, 10) == []


def test_five_sizes_are_smoothed_and_the_two_at_either_end_are_not() -> None:
    # unsmoothed: 1, 4, 10, 7, 4, 1, 1; in the middle the means of five: (1+4+10+7+4)/5 = 5.2, (4+10+7+4+1)/5 = 5.2,
    # (10+7+4+1+1)/5 = 4.6
    rates = [0.4, 0.3, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert repeats_of(rates, 0.4, 10) == [1, 4, 5, 5, 5, 1, 1]


def test_sizes_with_few_families_are_pooled_with_all_larger_ones() -> None:
    sizes = np.array([1] * 100 + [2] * 60 + [3] * 50 + [4] * 10 + [5] * 50)
    kept = np.array(
        [k % 2 == 0 for k in range(100)] + [True] * 60 + [k % 10 > 0 for k in range(50)] + [True] * 30 + [False] * 30
    )
    found = rehydrate(sizes, kept, 10, 50)
    # removed of all: 50 + 0 + 5 + 30 of 270 = .315; of the sizes .5, 0, .1, .5; of 3: 1 + 9 * .215 / .315 = 7.1
    assert found == [
        Copies(1, 1, 100, 50, 1),
        Copies(2, 2, 60, 60, 10),
        Copies(3, 3, 50, 45, 7),
        Copies(4, None, 60, 30, 1),
    ]
    assert rehydrate(np.empty(0, np.int64), np.empty(0, bool)) == []


def test_a_rate_that_chance_explains_repeats_nothing() -> None:
    # pages of ten real crawl files: English, 34.92% of 5,730 families without copies, 37.66% of 77 with
    sizes = np.array([1] * 5730 + [2] * 77)
    kept = np.array([k >= 2001 for k in range(5730)] + [k >= 29 for k in range(77)])
    assert rehydrate(sizes, kept, 10, 50) == [Copies(1, None, 5807, 3777, 1)]
    assert repeats_of([2001 / 5730, 29 / 77], 2030 / 5807, 10) == [10, 1]  # as FineWeb-2's code has it
    # standard error of .5 among 100: .05; two are .1
    assert repeats_of([0.39, 0.41, 0.9], 0.5, 10, [100, 100, 100]) == [10, 1, 1]
    assert repeats_of([0.39, 0.41, 0.9], 0.5, 10, [100, 10_000, 100]) == [10, 8, 1]  # 1 + 9 * 9 / 11 = 8.4


def test_a_tail_of_few_families_has_no_rate_of_its_own() -> None:
    one = rehydrate(np.array([1] * 397 + [7]), np.array([k >= 185 for k in range(397)] + [True]), 10, 50)
    assert one == [Copies(1, None, 398, 213, 1)]
    sizes = np.array([1] * 100 + [2] * 50 + [3] * 30 + [9] * 19)  # 49 of three and more
    kept = np.array([False] * 50 + [True] * 50 + [True] * 50 + [True] * 30 + [False] * 19)
    # removed of all: 69 of 199 = .35; of one .5, of two and more 19 of 99 = .19
    assert rehydrate(sizes, kept, 10, 50) == [Copies(1, 1, 100, 50, 1), Copies(2, None, 99, 80, 10)]
    assert rehydrate(sizes, kept, 10, 49)[-1] == Copies(3, None, 49, 30, 1)
    assert rehydrate(sizes, kept, 10, 1000) == [Copies(1, None, 199, 130, 1)]  # too few for any size


def test_texts_of_signs_alone_are_families_of_one_page() -> None:
    pages = pa.table(
        {
            "exact_hash": pa.array([b"a" * 16, b"0" * 16, b"a" * 16, b"0" * 16], pa.binary(16)),
            "num_shingles": pa.array([3, 0, 3, 0], pa.int32()),
            "passed": [False, False, True, True],
            "language": ["en", "und", "en", "en"],
        }
    )
    assert families_of(pages).to_pylist() == [
        {"language": "en", "cluster_size": 2, "keep": True},
        {"language": "und", "cluster_size": 1, "keep": False},
        {"language": "en", "cluster_size": 1, "keep": True},
    ]


def test_the_table_states_when_pages_without_copies_are_repeated() -> None:
    rows = [Copies(1, 1, 1000, 900, 10), Copies(2, None, 100, 20, 1)]
    assert ALONE in table("xx", rows).notes
    assert ALONE not in table("xx", [Copies(1, 1, 100, 20, 1), Copies(2, None, 100, 90, 10)]).notes


def test_a_run_gives_a_table_and_domains_that_make_a_mixture(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=2)
    path = write_mixture(tmp_path / "small.yaml", tmp_path / "in")
    run_inline(path, tmp_path / "root")
    given = ("rehydrate", str(path), "--root", str(tmp_path / "root"))
    result = CliRunner().invoke(main, [*given, "--min-families", "5"])
    assert result.exit_code == 0, result.stderr
    assert "repeats by copies" in result.stdout
    made = yaml.safe_load(result.stdout[result.stdout.index("domains:") :])
    assert made["domains"]
    assert set(made["domains"]) == set(made["mixture"]["domains"])
    assert all(1 <= own["epochs"] <= 10 for own in made["mixture"]["domains"].values())
    few = CliRunner().invoke(main, [*given, "--min-families", "1000000"])
    assert few.exit_code == 2
    assert "no language has 1000000 families" in few.stderr


@pytest.mark.parametrize("most", [1, 4, 10])
def test_repeats_stay_between_one_and_the_most(most: int) -> None:
    rates = np.random.default_rng(most).uniform(0, 1, 40).tolist()
    found = repeats_of(rates, 0.5, most)
    assert min(found) >= 1
    assert max(found) <= most


def test_weights_in_a_file_make_domains_that_are_repeated_so(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=2)
    path, root = write_mixture(tmp_path / "small.yaml", tmp_path / "in"), tmp_path / "root"
    run_inline(path, root)
    weights = tmp_path / "weights.json"
    given = ("rehydrate", str(path), "--root", str(root), "--min-families", "5", "--out", str(weights))
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 0, result.stderr
    assert "repeats by copies" in result.stdout
    known = json.loads(weights.read_text())["languages"]["en"]
    assert [known[0]["first"], known[-1]["last"]] == [1, None]
    known = [{"first": 1, "last": 1, "repeats": 2}, {"first": 2, "last": None, "repeats": 9}]  # 9: above the cap
    weights.write_text(json.dumps({"kind": "rehydration", "version": 1, "languages": {"en": known}}))
    text = path.read_text().replace("docs: {sources: [web]}", "docs: {sources: [web], copies: weights.json}")
    path.write_text(text.replace("docs: {share: 0.7}", "docs: {max_epochs: 3}").replace("{share: 0.3}", "{epochs: 1}"))
    run_inline(path, root)
    rows = {row["domain"]: row for row in reporting.stats_of(snapshots.load(Store(str(root))))["mixture"]}
    for row in known:
        sizes = f"{row['first']:03d}-" + ("up" if row["last"] is None else f"{row['last']:03d}")
        found = rows.get(f"docs--en--{sizes}")
        if found and found["available_tokens"]:
            assert found["epochs"] == pytest.approx(min(row["repeats"], 3), rel=1e-3)
    assert not rows["docs--others"]["epochs"]  # nothing there: another language would be, once
    assert any(name.startswith("docs--en--") and row["epochs"] for name, row in rows.items())


def test_a_share_is_divided_by_tokens_times_repeats(tmp_path: Path) -> None:
    rows = [{"first": 1, "last": 1, "repeats": 1}, {"first": 2, "last": None, "repeats": 3}]
    (tmp_path / "w.json").write_text(json.dumps({"kind": "rehydration", "version": 1, "languages": {"en": rows}}))
    path = write_mixture(tmp_path / "a.yaml", tmp_path)
    text = path.read_text().replace("docs: {sources: [web]}", "docs: {sources: [web], copies: w.json}")
    text = text.replace("mixture:\n", "mixture:\n  solver: quality-curve\n  budget: 1000\n")
    path.write_text(text)
    recipe = recipes.load(path, Store(str(tmp_path / "root")))
    available = {"docs--en--001-001": 600, "docs--en--002-up": 100, "docs--others": 100, "code": 10_000}
    targets = mixing.solve(recipe, available, {"sha256": ""}).targets
    assert targets == {"docs--en--001-001": 420, "docs--en--002-up": 210, "docs--others": 70, "code": 300}
    good = (tmp_path / "w.json").read_text()
    for content, message in (
        ("no", "expected weights as `gristmill rehydrate --out` writes them, found something else"),
        (good.replace('"version": 1', '"version": 2'), "expected weights of version 1, found version 2"),
        (good.replace('"first": 2', '"first": 3'), "languages: en: expected sizes from 2 on, found 3 to None"),
        (good.replace('"repeats": 3', '"repeats": 0'), "repeats: Input should be greater than or equal to 1"),
    ):
        (tmp_path / "w.json").write_text(content)
        with pytest.raises(ConfigError) as caught:
            recipes.load(path, Store(str(tmp_path / "root")))
        [problem] = [one for one in caught.value.problems if one.key == "domains.docs.copies"]
        assert message in problem.message
    (tmp_path / "w.json").unlink()
    with pytest.raises(ConfigError, match=r"domains\.docs\.copies"):
        recipes.load(path, Store(str(tmp_path / "root")))
    path.write_text(text.replace("copies: w.json", "copies: w.json, by: x"))
    with pytest.raises(ConfigError, match="a grid by `copies` has neither `by` nor `percentiles`"):
        recipes.load(path, Store(str(tmp_path / "root")))
