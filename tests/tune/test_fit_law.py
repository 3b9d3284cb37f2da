"""`fit-law` and `plan --law`: tables in, a law and a page out; what cannot be used is named in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.tune.fit_law_page import digits, round_numbers
from tests.planner.test_fitting import made
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def rows() -> list[dict[str, Any]]:
    runs = made(0.002)
    values = zip(runs.names, runs.parameters, runs.tokens, runs.losses, strict=True)
    return [{"run": name, "parameters": n, "tokens": d, "loss": loss} for name, n, d, loss in values]


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def test_a_law_is_written_that_plan_takes(tmp_path: Path) -> None:
    table = write(tmp_path / "runs.csv", rows())
    result = call("fit-law", table, "--out", tmp_path / "law.json", "--resamples", 50, "--at", "7e9,2e12")
    assert result.exit_code == 0, result.stderr
    assert "7.00 B on 2.00 T" in result.stdout
    assert "<svg" in (tmp_path / "law.html").read_text()
    renamed = [{"N": r["parameters"], "compute": 6 * r["parameters"] * r["tokens"], "bpb": r["loss"]} for r in rows()]
    other = call(
        "fit-law", write(tmp_path / "renamed.csv", renamed), "--out", tmp_path / "b.json", "--loss", "bpb",
        "--resamples", 50, "--name", "law",
    )  # fmt: skip
    assert other.exit_code == 0, other.stderr
    one, two = (json.loads((tmp_path / name).read_text())["constants"] for name in ("law.json", "b.json"))
    assert one == pytest.approx(two, rel=1e-6)

    write_corpus(tmp_path / "in", files=2)
    write_mixture(tmp_path / "small.yaml", tmp_path / "in")
    run_inline(tmp_path / "small.yaml", tmp_path / "root")
    given = (tmp_path / "small.yaml", "--root", tmp_path / "root", "--compute", "1e21")
    planned = call("plan", *given, "--law", tmp_path / "law.json")
    assert planned.exit_code == 0, planned.stderr
    lines = planned.stdout.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("law "))
    assert [lines[first + 2].split()[0], lines[first + 3].split()[0]] == ["law", "besiroglu"]
    assert "law: of its resamples, N" in planned.stdout
    alone = call("plan", *given, "--law", "kaplan").stdout
    assert "besiroglu" not in alone
    data = json.loads((tmp_path / "law.json").read_text())
    for name, edit, message in (
        ("version", {"version": 7}, "version: expected 1, found 7"),
        ("resamples", {"resamples": []}, "resamples: expected some, found none"),
        ("constants", {"constants": {"e": 1}}, "'a' is missing or no number"),
        ("alpha", {"constants": {**data["constants"], "alpha": -0.1}}, "constants.alpha: expected a number above 0"),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({**data, **edit}))
        refused = call("plan", *given, "--law", tmp_path / f"{name}.json")
        assert refused.exit_code == 2
        assert f"{name}.json: {message}" in refused.stderr, refused.stderr
    assert "no such law" in call("plan", *given, "--law", "nothing").stderr


WRONG = {
    "nan": (
        [{**row, **({"loss": "nan"} if k == 3 else {})} for k, row in enumerate(rows())],
        "row 4: loss must be a fin",
    ),
    "zero": (
        [{**row, **({"tokens": 0} if k == 3 else {})} for k, row in enumerate(rows())],
        "row 4: tokens must be above 0",
    ),
    "twice": ([*rows(), rows()[1]], "row 41: run r1 stands in row 2 too"),
    "missing": ([{"run": 1, "tokens": 1e9, "loss": 3}], "no column 'parameters'"),
    "units": ([{**row, "parameters": row["parameters"] / 1e9} for row in rows()], "give whole numbers"),
    "constant": ([{**row, "loss": 2.0} for row in rows()], "runs.csv: every run has the loss 2"),
    "few": (rows()[:5], "5 runs; at least 7 are needed"),
    "both": ([{**row, "N": 1e9} for row in rows()], "'parameters' and 'N' are both parameters"),
}


@pytest.mark.parametrize("name", WRONG)
def test_runs_that_cannot_be_used_are_named_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    table, message = WRONG[name]
    result = call("fit-law", write(tmp_path / "runs.csv", table), "--out", tmp_path / "law.json")
    assert result.exit_code == 2
    assert message in result.stderr, result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (2.44, 3.87, [2.6, 2.8, 3.0, 3.2, 3.4, 3.6, 3.8]),
        (-0.801, 1.65, [-0.5, 0, 0.5, 1, 1.5]),
        (0, 40, [0, 10, 20, 30, 40]),
    ],
)
def test_lines_of_a_drawing_stand_at_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert round_numbers(low, high) == pytest.approx(expected)


def test_constants_are_reported_in_digits_that_mean_something() -> None:
    assert [digits(value, 4) for value in (6.05e-15, 1.85904, -0.1, 124.83, 1e300)] == [
        "0", "1.859", "-0.1", "124.8", "beyond 1e15",
    ]  # fmt: skip
