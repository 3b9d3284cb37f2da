"""The report of a root as commands show it: thresholds, samples, costs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.answers import stats
from pipeline.answers.verify import verify_root
from pipeline.errors import RunError
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.run import prune
from pipeline.store import key_file
from pipeline.store.costs import Costs
from pipeline.store.storage import Store
from stages.report import survey
from tests.support.answers import call, documents, made
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def snapshot(finished: Path) -> Snapshot:
    return snapshots.load(Store(str(finished / "root")))


def test_the_report_shows_distributions_thresholds_and_samples(finished: Path) -> None:
    stats = json.loads(call("stats", "--root", finished / "root", "--json").stdout)
    survey = stats["survey"]
    assert {row["host"] for row in survey["hosts"]} == {"docs.example", "mirror.example", "old.example", "code.example"}
    assert sum(row["pages"] for row in survey["hosts"]) == stats["totals"]["pages"]
    reasons = {row["reason"] for row in stats["reasons"] if row["bytes"] is not None}
    assert {sample["reason"] for sample in survey["samples"]} == {None, *reasons}
    words = next(entry for entry in survey["histograms"] if entry["column"] == "gopher_num_words")
    assert {"rule": "too_few_words", "side": "min", "value": 50, "for": ""} in words["thresholds"]


def test_thresholds_of_the_mixture_are_those_drawn(tmp_path: Path) -> None:
    from pipeline.answers import stats as reporting

    write_corpus(tmp_path / "in", files=1)
    run_inline(write_mixture(tmp_path / "m.yaml", tmp_path / "in", min_words=250), tmp_path / "root")
    snapshot = snapshots.load(Store(str(tmp_path / "root")))
    assert reporting.thresholds_of(snapshot) == {"too_few_words": 250, "near_duplicate": 0.8}
    drawn = next(row["rule"] for row in reporting.stats_of(snapshot)["reasons"] if row["reason"] == "too_few_words")
    assert drawn["threshold"] == 250


def test_a_threshold_of_nothing_is_said_in_place_of_what_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.answers import stats as reporting

    rules = {"low_language_confidence": 0, "near_duplicate": 0, "too_few_words": True}
    monkeypatch.setattr(reporting, "settings_of", lambda _: [({"min_confidence": 0.65, "rules": rules}, 9)])
    monkeypatch.setattr(reporting, "likeness", lambda _: 0.8)
    made: Any = None
    assert reporting.thresholds_of(made) == {"low_language_confidence": 0, "near_duplicate": 0.8}


def test_costs_tell_pages_and_retries_of_every_stage(finished: Path, snapshot: Snapshot) -> None:
    from pipeline.answers import stats as reporting

    costs = reporting.costs_of(snapshot)
    count = len(documents(snapshot))
    for stage in ("documents", "language", "quality", "signatures", "kept", "survey"):
        assert costs[stage]["pages"] == count
    assert all(entry["retries"] == 0 for entry in costs.values())


def test_retries_are_reported_once_for_the_phase_they_happened_in(tmp_path: Path) -> None:
    from pipeline.store import costs
    from stages.contract import Task

    store = Store(str(tmp_path))
    kept = Costs(store, graph.PAGED)
    spent = {"seconds": 1.0, "cpu_seconds": 1.0, "peak_bytes": 5.0}
    for phase, retries in (("kept", 2), ("tokens", 2)):
        for output in ("a", "b"):
            kept.add(phase, Task("m:f", {}, (f"{phase}/{output}",), output), {"rows": 3}, spent)
        kept.retries += retries - 1
        kept.write()
    made = {f"{phase}/{output}" for phase in ("kept", "tokens") for output in "ab"}
    found = costs.gather(store, costs.hashes_of(made), graph.BY_SPLIT)
    assert {stage: (entry["retries"], entry["pages"]) for stage, entry in found.items()} == {
        "kept": (1, 6),
        "tokens": (1, 6),
    }


def test_a_report_of_an_earlier_version_is_no_damage_and_stays_until_a_run_writes_todays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path / "in", files=1)
    mixture = write_mixture(tmp_path / "small.yaml", tmp_path / "in")
    run_inline(mixture, tmp_path / "root")
    store = Store(str(tmp_path / "root"))
    [old] = {address.split("/")[1] for address, _ in store.list("report")}
    monkeypatch.setattr(stats, "REPORT_VERSION", (stats.REPORT_VERSION[0] + 2, stats.REPORT_VERSION[1] + 1))
    assert "the report was written by an earlier version; a run writes it again" in verify_root(store, None)
    assert f"report/{old}/stats.json" in set(prune.reach(snapshots.load(store)))
    page = tmp_path / "root" / "report" / old / "report.html"
    whole = page.read_bytes()
    page.write_bytes(whole[:-200] + whole[-199:])
    with pytest.raises(RunError, match=f"report/{old}/report.html"):
        verify_root(store, None)
    page.write_bytes(whole)
    run_inline(mixture, tmp_path / "root")
    assert len({address.split("/")[1] for address, _ in store.list("report")}) == 2
    assert "earlier version" not in verify_root(store, None)


def test_indices_and_surveys_of_an_earlier_version_are_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path / "in", files=1)
    mixture = write_mixture(tmp_path / "small.yaml", tmp_path / "in")
    run_inline(mixture, tmp_path / "root")
    store = Store(str(tmp_path / "root"))
    indices = [address for address, _ in store.list("runs/index") if address.endswith(".json")]
    for address in indices:
        store.write_json(address, store.read_json(address) | {"version": 1})
    keys = [address for address, _ in store.list("runs/index") if address.endswith(".keys")]
    for address in keys:
        path = tmp_path / "root" / address
        path.write_bytes(path.read_bytes()[: -key_file.TAIL.size])  # the first form had no checksums
    monkeypatch.setattr(survey, "VERSION", survey.VERSION + 1)
    told = verify_root(store, None)
    assert f"not checked: {len(keys)} files without a checksum of their own, made by an earlier version" in told
    assert "all is well" in told


def test_a_summary_of_an_earlier_version_is_told_in_one_line(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "root", tmp_path / "root")
    store = Store(str(tmp_path / "root"))
    address = f"{snapshots.load(store).data['clusters']}/summary.json"
    summary = store.read_json(address)
    del summary["largest_shown"]
    store.write_json(address, summary)
    told = call("dedup-report", "--root", tmp_path / "root")
    assert told.exit_code == 2
    assert f"{address} was written by an earlier version; the next run of its mixture makes it anew" in told.stderr
