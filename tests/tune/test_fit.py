"""`fit` on a small whole run: swarm, made-up losses of a planted law, proposal, run; and all that is refused."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline import recipe as recipes
from pipeline.cli import main
from pipeline.recipe import mixing
from pipeline.store.storage import Store
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline

Rows = list[dict[str, Any]]
LOSSES = {"docs_loss": (0.2, 0.9), "code_loss": (1.0, 0.1)}
"""A planted law: slopes of docs and code."""


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def write_rows(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, ``small.yaml``, its finished root, a swarm of 20 and its ``results.csv``."""
    folder = tmp_path_factory.mktemp("fit")
    write_corpus(folder / "in", files=3)
    text = write_mixture(folder / "small.yaml", folder / "in").read_text()
    (folder / "small.yaml").write_text(text.replace("shards:", "# how large\nshards:"))
    run_inline(folder / "small.yaml", folder / "root")
    drawn = call(
        "swarm", folder / "small.yaml", folder / "swarm", "--root", folder / "root", "--budget", "60k", "--count", 20
    )
    assert drawn.exit_code == 0, drawn.stderr
    assert "5 runs a domain (10) are enough" in drawn.stderr
    write_rows(folder / "results.csv", results(folder / "swarm"))
    return folder


def results(swarm: Path) -> Rows:
    """Losses of the planted law for every mixture of a swarm."""
    rows = []
    generator = np.random.default_rng(0)
    for file in sorted(swarm.glob("*.yaml")):
        domains = yaml.safe_load(file.read_text())["mixture"]["domains"]
        x = np.array([domains["docs"]["share"], domains["code"]["share"]])
        losses = {name: 1 + float(np.exp(x @ np.array(t))) + generator.normal(0, 0.002) for name, t in LOSSES.items()}
        rows.append({"run": file.stem, **losses})
    return rows


def fit(small: Path, out: Path, *more: object, table: Path | None = None, swarm: Path | None = None) -> Result:
    given = (swarm or small / "swarm", table or small / "results.csv")
    return call("fit", *given, "--out", out, "--root", small / "root", "--resamples", 5, *more)


def test_a_proposal_is_the_mixture_file_with_shares_that_plan_and_run_take_as_they_are(
    small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "best.yaml"
    result = fit(small, out, "--budget", "60k")
    assert result.exit_code == 0, result.stderr
    text = out.read_text()
    assert "# how large" in text
    section = yaml.safe_load(text)["mixture"]
    assert section["imported"]["runs"] == 20
    assert section["imported"]["rank_correlation"] > 0.9
    store = Store(str(small / "root"))
    recipe = recipes.load(out, store)
    snapshot = store.read_json("mixtures/small.json")
    available = {name: store.read_json(place)["tokens"] for name, place in snapshot["shards"].items()}
    solved = mixing.solve(recipe, available, {"sha256": section["imported"]["tokenizer_sha256"]})
    assert not solved.warnings
    for domain in solved.domains:
        assert domain.target_tokens <= domain.max_epochs * domain.available_tokens
        assert domain.target_share == pytest.approx(section["imported"]["shares"][domain.name], abs=2e-5)
    shutil.copytree(small / "root", tmp_path / "root")
    job = run_inline(out, tmp_path / "root")
    assert {step.product for step in job.steps if step.to_do} == {"corpus"}
    assert "of resamples" in result.stdout
    assert "<svg" in (tmp_path / "best.html").read_text()


def test_any_order_of_rows_and_any_format_give_the_same_bytes(small: Path, tmp_path: Path) -> None:
    rows = results(small / "swarm")
    numbered = [{**row, "run": f"some/folder/{row['run']}.yaml"} for row in reversed(rows)]
    pq.write_table(pa.Table.from_pylist(numbered), tmp_path / "results.parquet")
    by_number = write_rows(tmp_path / "numbers.csv", [{**row, "run": k} for k, row in enumerate(rows)])
    pages = []
    for name, table in (("a", small / "results.csv"), ("b", tmp_path / "results.parquet"), ("c", by_number)):
        (tmp_path / name).mkdir()
        made = fit(small, tmp_path / name / "best.yaml", table=table)
        assert made.exit_code == 0, made.stderr
        pages.append([(tmp_path / name / f"best.{end}").read_bytes() for end in ("yaml", "html")])
    assert pages[0] == pages[1] == pages[2]


def test_the_next_round_is_drawn_around_a_proposal_with_domains_frozen(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "best.yaml"
    assert fit(small, out).exit_code == 0
    more = ("--root", small / "root", "--budget", "30k", "--count", 12, "--around", out)
    drawn = call("swarm", small / "small.yaml", tmp_path / "next", *more)
    assert drawn.exit_code == 0, drawn.stderr
    write_rows(tmp_path / "next.csv", results(tmp_path / "next"))
    again = fit(small, tmp_path / "again.yaml", swarm=tmp_path / "next", table=tmp_path / "next.csv")
    assert again.exit_code == 0, again.stderr
    frozen = call("swarm", small / "small.yaml", tmp_path / "f", *more, "--freeze", "docs,code")
    assert frozen.exit_code == 0, frozen.stderr
    assert "12 mixtures of 1 domains" in frozen.stderr
    shares = {row["run"]: row for row in ({"run": f.stem, **yaml.safe_load(f.read_text())["mixture"]["domains"]}
                                          for f in (tmp_path / "f").glob("*.yaml"))}  # fmt: skip
    assert len({row["docs"]["share"] for row in shares.values()}) == 1


def test_tables_of_shares_give_weights_that_a_mixture_takes(small: Path, tmp_path: Path) -> None:
    shares = [
        {"": k, "run": f"x{k}", "name": f"n{k}", "index": k, "docs": k / 14, "code": 1 - k / 14} for k in range(15)
    ]
    write_rows(tmp_path / "ratios.csv", shares)
    metrics = [{"": k, "run": f"x{k}", "name": f"n{k}", "index": k, "bpb": 1 + np.exp(0.5 - k / 14)} for k in range(15)]
    write_rows(tmp_path / "metrics.csv", metrics)
    made = call("fit", tmp_path / "ratios.csv", tmp_path / "metrics.csv", "--out", tmp_path / "best.json")
    assert made.exit_code == 0, made.stderr
    weights = json.loads((tmp_path / "best.json").read_text())
    assert weights["shares"]["docs"] > 0.6
    text = (small / "small.yaml").read_text()
    (tmp_path / "taken.yaml").write_text(
        text[: text.index("mixture:")]
        + "mixture: {budget: 50k, weights_from: best.json, domains: {docs: {}, code: {}}}\n"
    )
    recipes.load(tmp_path / "taken.yaml", Store(str(tmp_path / "root")))


def test_what_is_all_of_a_proposal_is_at_no_cap_and_wrong_shares_are_named(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    shares = draw.dirichlet(np.ones(3), 24)
    mixtures: Rows = [{"name": f"r{k}", "web": x[0], "code": x[1], "math": x[2]} for k, x in enumerate(shares)]
    write_rows(tmp_path / "m.csv", mixtures)
    losses: Rows = [{"name": f"r{k}", "loss": 1 + np.exp(x @ [0.6, -0.3, 0.9])} for k, x in enumerate(shares)]
    write_rows(tmp_path / "l.csv", losses)
    result = call("fit", tmp_path / "m.csv", tmp_path / "l.csv", "--out", tmp_path / "o.json", "--resamples", 2)
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "o.json").read_text())["shares"]["code"] == pytest.approx(1, abs=1e-5)
    assert "caps bind" not in result.stdout
    for wrong, message in (
        ({"web": 1.2, "code": -0.2, "math": 0.0}, "row 3: shares must not be negative, found code -0.2"),
        ({"web": 0.5, "code": 0.2, "math": 0.2}, "row 3: shares must sum to 1, found 0.9"),
    ):
        write_rows(tmp_path / "m.csv", changed(mixtures, 2, **wrong))
        refused = call("fit", tmp_path / "m.csv", tmp_path / "l.csv", "--out", tmp_path / "p.json")
        assert refused.exit_code == 2
        assert message in refused.stderr


def changed(rows: Rows, row: int, **values: Any) -> Rows:
    return [{**each, **(values if k == row else {})} for k, each in enumerate(rows)]


WRONG: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "unknown": (lambda rows: changed(rows, 3, run="other-3"), "run other-3 is not among the 20 mixtures of"),
    "twice": (lambda rows: [*rows, rows[2]], "row 21: run small-swarm-02 stands in row 3 too"),
    "nan": (lambda rows: changed(rows, 4, code_loss="nan"), "row 5: code_loss must be a finite number, found 'nan'"),
    "empty": (lambda rows: changed(rows, 4, code_loss=""), "row 5: code_loss must be a finite number, found nothing"),
    "constant": (lambda rows: [{**row, "code_loss": 2} for row in rows], "metric 'code_loss' is 2 in every run"),
    "shares": (
        lambda rows: [{**row, "docs": 0.5} for row in rows],
        "row 1: run small-swarm-00 was trained with docs 0.5, but its mixture says",
    ),
    "tokenizer": (lambda rows: [{**row, "tokenizer_sha256": "ab" * 32} for row in rows], "are of another tokenizer"),
    "text": (lambda rows: [{**row, "note": "fine"} for row in rows], "column 'note' holds text; name the metrics"),
    "negative": (lambda rows: changed(rows, 1, code_loss=-1), "needs losses above 0"),
    "noise": (
        lambda rows: [{"run": row["run"], "a": float(hash(row["run"][-2:]) % 97) + 1} for row in rows],
        "it predicts nothing to propose by",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_results_that_cannot_be_used_are_named_and_nothing_is_written(name: str, small: Path, tmp_path: Path) -> None:
    edit, message = WRONG[name]
    rows = edit(results(small / "swarm"))
    if name == "noise":
        order = np.random.default_rng(5).permutation(len(rows))
        rows = [{**row, "a": 1 + int(order[k])} for k, row in enumerate(rows)]
    result = fit(small, tmp_path / "best.yaml", table=write_rows(tmp_path / "results.csv", rows))
    assert result.exit_code == 2
    assert message in result.stderr, result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_two_metrics_of_one_name_and_options_that_name_nothing_are_refused(small: Path, tmp_path: Path) -> None:
    text = (small / "results.csv").read_text()
    (tmp_path / "results.csv").write_text(text.replace("docs_loss,code_loss", "a,a", 1))
    result = fit(small, tmp_path / "best.yaml", table=tmp_path / "results.csv")
    assert "two columns are called 'a'" in result.stderr
    for option, value in (("--metric", "x"), ("--weight", "x=1"), ("--not-worse", "x"), ("--freeze", "x")):
        assert "'x'" in fit(small, tmp_path / "best.yaml", option, value).stderr
    assert "beyond" in fit(small, tmp_path / "best.yaml", "--budget", "9B").stderr or (
        "no mixture meets the caps" in fit(small, tmp_path / "best.yaml", "--budget", "9B").stderr
    )
    assert not (tmp_path / "best.yaml").exists()


def test_runs_of_domains_that_were_defined_otherwise_are_refused(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "swarm", tmp_path / "swarm")
    for file in (tmp_path / "swarm").glob("*.yaml"):
        document = file.read_text()
        assert "domains:" in document
        file.write_text(document.replace("sources: [web]", "sources: [web], min: {text_bytes: 10}", 1))
    more = ("--mixture", small / "small.yaml")
    result = fit(small, tmp_path / "best.yaml", *more, swarm=tmp_path / "swarm")
    assert result.exit_code == 2
    assert "is defined otherwise than when" in result.stderr, result.stderr
    one = next((tmp_path / "swarm").glob("*.yaml"))
    one.write_text(one.read_text().replace("min: {text_bytes: 10}", "min: {text_bytes: 11}", 1))
    assert "cannot be fitted together" in fit(small, tmp_path / "best.yaml", *more, swarm=tmp_path / "swarm").stderr


def test_missing_runs_and_few_runs_are_reported(small: Path, tmp_path: Path) -> None:
    table = write_rows(tmp_path / "results.csv", results(small / "swarm")[:5])
    result = fit(small, tmp_path / "best.yaml", "--force", table=table)
    assert result.exit_code == 0, result.stderr
    assert "15 of 20 mixtures have no result: small-swarm-05" in result.stdout
    assert "5 runs for 2 domains are few" in result.stdout


def test_runs_that_leave_the_law_open_are_refused_and_their_file_is_named(small: Path, tmp_path: Path) -> None:
    table = write_rows(tmp_path / "results.csv", results(small / "swarm")[:3])
    result = fit(small, tmp_path / "best.yaml", table=table)
    assert result.exit_code == 2
    assert "results.csv: 3 runs for 2 domains leave a law of 3 numbers open" in result.stderr
    text = (small / "small.yaml").read_text()
    other = small / "renamed.yaml"
    other.write_text(text.replace("docs", "pages"))
    refused = fit(small, tmp_path / "best.yaml", "--mixture", other)
    other.unlink()
    assert "renamed.yaml: no domain 'docs', which runs of" in refused.stderr, refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_a_folder_with_another_swarm_is_left_as_it_is(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "swarm", small / "other")
    before = {path.name for path in (small / "other").iterdir()}
    given = ("swarm", str(small / "small.yaml"), str(small / "other"), "--root", str(small / "root"))
    result = CliRunner().invoke(main, [*given, "--count", "3", "--budget", "2k"])
    assert result.exit_code == 2
    assert "is of another swarm" in result.stderr, result.stderr
    assert {path.name for path in (small / "other").iterdir()} == before
    shutil.rmtree(small / "other")
