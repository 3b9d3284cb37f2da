"""Phases of training from the mixture file to the corpora, and to every command that reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.reader import TokenShards
from stages.mixture import MixtureError, PhasesParams, solve_phases, swarm, whole_of
from tests.support.corpora import MIXTURE, write_corpus
from tests.support.runs import run_inline, tree

PHASES = """\
phases:
  budget: 120k
  phases:
    - name: stable
      until: 0.75
      mixture: {domains: {docs: {share: 0.8}, code: {share: 0.2}}}
    - name: anneal
      until: 1
      mixture: {domains: {docs: {share: 0.4}, code: {share: 0.6}}}
      reserve: {code: 0.5}
"""


def mixture_text(folder: Path, section: str) -> str:
    """The small mixture of the tests with another last section."""
    text = MIXTURE.format(folder=folder, docs=0.7, code=0.3, min_words=50)
    return text[: text.index("mixture:")] + section


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def phased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, a mixture file with two phases, and its finished root."""
    folder = tmp_path_factory.mktemp("phased")
    write_corpus(folder / "in", files=3)
    (folder / "small.yaml").write_text(mixture_text(folder / "in", PHASES))
    result = call("run", folder / "small.yaml", "--root", folder / "root", "--engine", "inline")
    assert result.exit_code == 0, result.stderr
    places = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("shards")]
    assert [Path(place).name for place in places] == ["stable", "anneal"]
    return folder


def corpora(root: Path) -> dict[str, dict[str, Any]]:
    snapshot = json.loads((root / "mixtures/small.json").read_text())
    assert snapshot["corpus"] == snapshot["corpora"]["anneal"]
    places = {phase: snapshot["corpora"][phase] for phase in snapshot["phases"]}
    return {phase: json.loads((root / place).read_text()) for phase, place in places.items()}


def longest(root: Path, domain: str) -> int:
    """Tokens of the longest document of a domain."""
    place = root / json.loads((root / "mixtures/small.json").read_text())["shards"][domain]
    shards = json.loads(place.read_text())["shards"]
    return max(max(pq.read_table(place.parent / s["docs"])["num_tokens"].to_pylist(), default=0) for s in shards)


def test_every_phase_has_a_corpus_with_its_shares_and_its_part_of_the_budget(phased: Path) -> None:
    found = corpora(phased / "root")
    assert list(found) == ["stable", "anneal"]
    for phase, budget, docs in (("stable", 90_000, 0.8), ("anneal", 30_000, 0.4)):
        domains = found[phase]["domains"]
        assert sum(domain["target_tokens"] for domain in domains.values()) == budget
        assert domains["docs"]["target_tokens"] == round(docs * budget)
        for name, domain in domains.items():  # documents are not cut
            assert abs(domain["tokens"] - domain["target_tokens"]) <= longest(phased / "root", name)


def test_what_is_reserved_for_a_phase_is_read_by_no_other(phased: Path) -> None:
    snapshot = json.loads((phased / "root/mixtures/small.json").read_text())
    read: dict[str, set[bytes]] = {}
    for phase, place in snapshot["corpora"].items():
        folder = (phased / "root" / place).parent
        read[phase] = set()
        for shard in json.loads((phased / "root" / place).read_text())["shards"]:
            docs = pq.read_table(folder / shard["docs"], columns=["doc_id", "domain"]).to_pylist()
            read[phase] |= {row["doc_id"] for row in docs if row["domain"] == "code"}
    assert read["stable"]
    assert read["anneal"]
    assert not read["stable"] & read["anneal"]


def test_every_phase_opens_as_a_dataset_of_its_own(phased: Path) -> None:
    snapshot = json.loads((phased / "root/mixtures/small.json").read_text())
    for phase, place in snapshot["corpora"].items():
        shards = TokenShards((phased / "root" / place).parent)
        assert shards.manifest.name == f"small/{phase}"


def test_a_second_run_makes_nothing_and_plan_says_so(phased: Path) -> None:
    before = tree(phased / "root")
    job = run_inline(phased / "small.yaml", phased / "root")
    assert {step.product: step.to_do for step in job.steps if step.to_do} == {}
    assert tree(phased / "root") == before
    result = call("plan", phased / "small.yaml", "--root", phased / "root", "--compute", "1e15")
    assert result.exit_code == 0, result.stderr
    line = next(line.split() for line in result.stdout.splitlines() if line.startswith("corpus"))
    assert line[1:4] == ["2", "2", "0"]
    assert "phases of 120 K tokens" in result.stdout
    assert "anneal (25%)" in result.stdout


def test_reports_show_the_sum_and_the_shares_of_every_phase(phased: Path, tmp_path: Path) -> None:
    text = call("stats", "--root", phased / "root")
    assert text.exit_code == 0, text.stderr
    assert {"stable: docs", "anneal: code"} <= {line.partition("  ")[0] for line in text.stdout.splitlines()}
    stats = json.loads(call("stats", "--root", phased / "root", "--json").stdout)
    sums = {row["domain"]: row["tokens"] for row in stats["mixture"]}
    for domain, tokens in sums.items():
        assert tokens == sum(row["tokens"] for row in stats["phases"] if row["domain"] == domain)
    assert stats["totals"]["training_tokens"] == sum(sums.values())
    page = call("stats", "--root", phased / "root", "--html", tmp_path / "page.html")
    assert page.exit_code == 0, page.stderr
    assert "every phase of training" in (tmp_path / "page.html").read_text()
    assert "in 4 shards" in (status := call("status", "--root", phased / "root")).stdout, status.stdout


def test_verify_names_every_phase_and_finds_damage_in_each(phased: Path, tmp_path: Path) -> None:
    good = call("verify", "--root", phased / "root")
    assert good.exit_code == 0, good.stderr
    assert [line.split()[1] for line in good.stdout.splitlines() if line.startswith("corpus")] == ["stable:", "anneal:"]
    shutil.copytree(phased / "root", tmp_path / "root")
    place = tmp_path / "root" / json.loads((tmp_path / "root/mixtures/small.json").read_text())["corpora"]["stable"]
    shard = place.parent / json.loads(place.read_text())["shards"][0]["path"]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    bad = call("verify", "--root", tmp_path / "root")
    assert bad.exit_code == 1
    assert "/stable/" in bad.stderr


def test_export_takes_one_phase_and_asks_which(phased: Path, tmp_path: Path) -> None:
    result = call("export", "nanosets", tmp_path / "none", "--root", phased / "root")
    assert result.exit_code == 2
    assert "choose with --phase one of: stable, anneal" in result.stderr
    wrong = call("export", "nanosets", tmp_path / "none", "--root", phased / "root", "--phase", "warm")
    assert wrong.exit_code == 2
    assert "no phase 'warm'" in wrong.stderr
    made = call("export", "nanosets", tmp_path / "out", "--root", phased / "root", "--phase", "anneal")
    assert made.exit_code == 0, made.stderr
    assert f"{corpora(phased / 'root')['anneal']['tokens']:,} tokens" in made.stdout


WRONG = {
    "both": (PHASES + "mixture: {domains: {docs: {share: 1}}}\n", "phases: a file has either `mixture` or `phases`"),
    "domain": (
        PHASES.replace("code: {share: 0.6}", "cod: {share: 0.6}").replace("{code: 0.5}", "{cod: 0.5}"),
        "phases.phases[1].mixture.domains.cod: no such domain; did you mean 'code'?",
    ),
    "overlap": (PHASES.replace("until: 1", "until: 0.5"), "phases overlap or leave a gap"),
    "budget": (PHASES.replace("budget: 120k", "budget: many"), "phases.budget: 'many' is not a number of tokens"),
    "share": (PHASES.replace("share: 0.6", "share: 0.5"), "shares must sum to 1, found 0.9"),
    "key": (PHASES.replace("reserve:", "reserves:"), "no such key; did you mean 'reserve'?"),
    "reserve": (PHASES.replace("reserve: {code: 0.5}", "reserve: {code: 1.5}"), "must be above 0 and at most 1"),
    "reference": (PHASES + "corpus: {materialise: false}\n", "phases take parts of domains"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_reported_with_file_line_and_key(name: str, phased: Path, tmp_path: Path) -> None:
    section, message = WRONG[name]
    text = mixture_text(phased / "in", section)
    if name == "reference":
        text = text.replace("corpus: {target_tokens: 30000}\n", "")
    (tmp_path / "bad.yaml").write_text(text)
    result = call("plan", tmp_path / "bad.yaml", "--root", tmp_path / "root")
    assert result.exit_code == 2
    assert message in result.stderr, result.stderr
    line, key = result.stderr.partition("bad.yaml:")[2].split(":")[:2]
    assert 15 <= int(line) <= 30
    assert key.startswith((" phases", " corpus"))


def test_a_phase_that_the_tokens_do_not_allow_is_named_before_shards_are_written(phased: Path, tmp_path: Path) -> None:
    text = mixture_text(phased / "in", PHASES.replace("120k", "9M"))
    (tmp_path / "large.yaml").write_text(text)
    shutil.copytree(phased / "root", tmp_path / "root")
    result = call("run", tmp_path / "large.yaml", "--root", tmp_path / "root", "--engine", "inline")
    assert result.exit_code == 1
    assert "phases: phase 'stable': not enough tokens" in result.stderr


@given(
    until=st.sampled_from([0.1, 0.25, 0.5, 0.9]),
    budget=st.integers(100, 100_000),
    docs=st.sampled_from([0.2, 0.5, 0.8]),
    reserve=st.sampled_from([0.1, 0.5, 0.75]),
)
def test_phases_add_up_to_the_budget_within_the_caps(until: float, budget: int, docs: float, reserve: float) -> None:
    shares = {"docs": {"share": docs}, "code": {"share": round(1 - docs, 6)}}
    second = {"name": "b", "until": 1, "mixture": {"domains": shares}, "reserve": {"code": reserve}}
    first = {"name": "a", "until": until, "mixture": {"domains": shares}}
    params = PhasesParams.model_validate({"budget": budget, "phases": [first, second]})
    available = {"docs": 40_000, "code": 30_000, "other": 5}
    try:
        plans = solve_phases(params, available)
    except MixtureError:
        assume(False)
    whole = whole_of(plans, available)
    assert whole.tokens == whole.requested_budget == budget
    assert whole.targets == {name: sum(plan.mixture.targets[name] for plan in plans) for name in ("code", "docs")}
    for domain in whole.domains:
        assert domain.available_tokens == available[domain.name]
        assert domain.target_tokens <= domain.max_epochs * domain.available_tokens
    assert abs(sum(domain.target_share for domain in whole.domains) - 1) < 1e-9


def test_a_phase_of_less_than_a_token_is_refused() -> None:
    one = {"domains": {"docs": {"share": 1}}}
    phases = [{"name": "a", "until": 0.001, "mixture": one}, {"name": "b", "until": 1, "mixture": one}]
    params = PhasesParams.model_validate({"budget": 100, "phases": phases})
    with pytest.raises(MixtureError, match="phase 'a': its part of the budget is not one token"):
        solve_phases(params, {"docs": 1000})


def test_a_swarm_keeps_the_cap_of_every_domain() -> None:
    available = {"docs": 1000, "code": 1000, "books": 1000}
    caps = {"docs": 0.5, "code": 1.0, "books": 4.0}
    for shares in swarm(available, 50, seed=3, budget=4000, max_epochs=caps):
        for name, share in shares.items():
            assert share * 4000 <= caps[name] * available[name] + 1e-6


def test_a_card_of_a_phase_tells_of_that_phase_alone(phased: Path, tmp_path: Path) -> None:
    root = phased / "root"
    assert call("card", tmp_path, "--root", root).exit_code == 2
    for phase, manifest in corpora(root).items():
        result = call("card", tmp_path, "--phase", phase, "--root", root)
        assert result.exit_code == 0, result.stderr
        card = (tmp_path / "README.md").read_text(encoding="utf-8")
        files = len(manifest["shards"])
        assert f"- {manifest['tokens']:,} tokens in {files} Arrow shard{'s' * (files > 1)}\n" in card
        assert f"pretty_name: small-{phase}\n" in card
