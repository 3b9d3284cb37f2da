"""The loop over a grid: shares of labels drawn, fitted and proposed as units, and what they give within a document."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import recipe as recipes
from pipeline.answers import stats as reporting
from pipeline.recipe.fitting import Wishes
from pipeline.recipe.snapshot import load
from pipeline.store.storage import Store
from pipeline.tune.fit import Request, propose
from pipeline.tune.proxy_runs import read_mixtures
from pipeline.tune.swarm import enough_text, write_swarm
from pipeline.tune.units import Units
from tests.kept.test_grids import gridded
from tests.support.runs import run_inline

WEIGHTS = {"web--short": -0.9, "web--long": 0.4, "code": 0.2}
"""The planted law: a loss of 2 + exp of these by the shares."""


def test_units_add_up_and_divide() -> None:
    groups = {"a": ["a--1", "a--2"], "b": ["b"], "none": ["n--1", "n--2"]}
    units = Units.of_groups(groups, {"a--1": 0.125, "a--2": 0.375, "b": 0.5, "n--1": 0.0, "n--2": 0.0})
    assert units.parts == {"a": {"a--1": 0.25, "a--2": 0.75}}
    assert units.added({"a--1": 1, "a--2": 2, "b": 3}) == {"a": 3, "b": 3}
    assert units.divided({"a": 0.4, "b": 0.6}) == {"a--1": 0.1, "a--2": pytest.approx(0.3), "b": 0.6}
    caps = units.least({"a--1": 0.2, "a--2": 0.3, "b": 1.0})
    assert caps == {"a": pytest.approx(0.4), "b": 1.0}  # three quarters of it come from what has .3
    assert Units.of(json.loads(json.dumps({"groups": units.parts}))) == units
    assert Units.of(None).divided({"b": 1.0}) == {"b": 1.0}


def test_swarm_fit_and_the_run_of_what_is_proposed(tmp_path: Path) -> None:
    mixture, root = gridded(tmp_path, corpus=True), tmp_path / "root"
    store = Store(str(root))
    run_inline(mixture, root)
    budget = 60_000
    files = write_swarm(
        str(mixture), store, str(tmp_path / "swarm"), count=15, budget=str(budget), seed=1, around_mixture=True
    )
    assert "15 mixtures of 3 groups and domains; 5 runs a domain (15) are enough" in enough_text(files[0], 15, ())
    found = read_mixtures(str(tmp_path / "swarm"))
    units = Units.of(found.origin)
    assert set(units.parts) == {"web--short", "web--long"}
    lines = ["run,loss"]
    for name, shares in found.shares.items():
        drawn = units.added(shares)
        for unit, inside in units.parts.items():  # proportions within a label stay
            for cell, part in inside.items():
                assert shares[cell] == pytest.approx(part * drawn[unit], abs=2e-6)
        lines.append(f"{name},{2 + np.exp(sum(WEIGHTS[unit] * share for unit, share in drawn.items())):.6f}")
    (tmp_path / "results.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "best.yaml"
    request = Request(Wishes(resamples=5, pull=0.01), budget=str(budget))
    said = propose(str(tmp_path / "swarm"), str(tmp_path / "results.csv"), str(out), store, request)
    assert "15 runs, 3 domains" in said
    assert "few" not in said
    recipe = recipes.load(out, store)
    imported = recipe.section("mixture").imported
    asked = units.added(imported.shares)
    before = {"web--short": 0.32, "web--long": 0.48, "code": 0.2}
    assert asked["web--short"] > before["web--short"] + 0.1
    assert asked["code"] < before["code"]
    run_inline(out, root)
    snapshot = load(store)
    for row in reporting.stats_of(snapshot)["mixture"]:
        manifest = snapshot.data["shards"].get(row["domain"])
        if manifest is None:
            assert imported.shares[row["domain"]] * budget < 1
            continue
        folder = root / manifest.rpartition("/")[0]
        longest = max(
            max(pq.read_table(file, columns=["num_tokens"])["num_tokens"].to_pylist())
            for file in folder.rglob("*.parquet")
        )
        assert abs(row["tokens"] - imported.shares[row["domain"]] * recipe.section("mixture").budget) <= longest


def test_every_bucket_may_be_drawn_too(tmp_path: Path) -> None:
    mixture, root = gridded(tmp_path, corpus=True), tmp_path / "root"
    run_inline(mixture, root)
    given = {"count": 2, "budget": "20k", "seed": 1}
    files = write_swarm(str(mixture), Store(str(root)), str(tmp_path / "s"), every_domain=True, **given)  # type: ignore[arg-type]
    assert Units.of(read_mixtures(str(tmp_path / "s")).origin).parts == {}
    assert "2 mixtures of 7 domains are few" in enough_text(files[0], 2, ())
