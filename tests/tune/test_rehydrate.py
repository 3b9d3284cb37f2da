"""`rehydrate`: repeats by copies, by hand calculation and on a whole run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main
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
        [k % 2 == 0 for k in range(100)] + [True] * 60 + [k % 5 > 0 for k in range(50)] + [True] * 30 + [False] * 30
    )
    found = rehydrate(sizes, kept, 10, 50)
    # removed of all: 50 + 0 + 10 + 30 of 270 = .333; of the sizes .5, 0, .2, .5
    assert found == [
        Copies(1, 1, 100, 50, 1),
        Copies(2, 2, 60, 60, 10),
        Copies(3, 3, 50, 40, 5),
        Copies(4, None, 60, 30, 1),
    ]
    assert rehydrate(np.empty(0, np.int64), np.empty(0, bool)) == []


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
