"""`plan`: what a run would take, by what others took; `diff --previous`: what the last one changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.run.outlook import Need, requests
from pipeline.store.storage import Store
from stages.contract import Split
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


def sums(text: str) -> tuple[float, float]:
    """Core-hours and bytes of disk that a plan says."""
    found = re.search(r"takes (about [\d.,]+|less than 0.01) core-hours .* and ([\d.]+) (\w+) of disk", text)
    assert found, text
    hours = 0.0 if found[1].startswith("less") else float(found[1].removeprefix("about ").replace(",", ""))
    return hours, float(found[2]) * 1024 ** ["B", "KiB", "MiB", "GiB"].index(found[3])


def test_a_plan_tells_time_disk_and_money_by_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_corpus(tmp_path / "in", files=8)
    mixture, root = write_mixture(tmp_path / "m.yaml", folder), tmp_path / "root"
    nothing = call("plan", mixture, "--root", root).stdout
    assert "no run under this root has measured them yet" in nothing
    assert f"gristmill run {mixture} --root {root} --sample 1%" in nothing
    assert "core time" not in nothing
    assert call("run", mixture, "--root", root, "--engine", "inline", "--quiet", "--sample", "40%").exit_code == 0
    prices = ("--price-per-core-hour", 100_000, "--price-per-gib-month", 1024, "--cores", 64)
    text = call("plan", mixture, "--root", root, *prices).stdout
    assert "on 64 cores" in text
    assert "by what small-sample took for" in text
    assert re.search(r"price: about [\d,.]+ \(cores [\d,.]+, a month of disk [\d,.]+\)", text)
    assert "rates of" in text, "so little input says little, which is said"
    _, disk = sums(text)
    run_inline(mixture, root)
    sizes = sum(
        path.stat().st_size
        for product in ("documents", "language", "quality", "signatures", "kept", "tokens", "shards", "corpus")
        for path in (root / product).rglob("*")
        if path.is_file()
    )
    assert disk == pytest.approx(sizes, rel=0.6), "of what the sample left to do"
    assert "takes about" not in call("plan", mixture, "--root", root).stdout
    mixture.write_text(mixture.read_text().replace("families: []", "families: [gopher_quality]"))
    edited = call("plan", mixture, "--root", root).stdout
    rows = {line.split()[0]: line for line in edited.splitlines() if line}
    assert "~" in rows["kept"]
    assert "~" not in rows["documents"]
    assert sums(edited)[1] < disk


def test_requests_are_counted_for_what_lies_far_away(tmp_path: Path) -> None:
    splits = [Split("a", f"{k}", 0, 0, "file", f"s3://b/{k}", 20 << 20, "") for k in range(4)]
    needs = {"documents": Need(1.0, 300 << 20, 4), "language": Need(1.0, 1.0, 4)}
    store = Store(str(tmp_path))
    assert requests(needs, splits, store, 0) == (4 * 3, 0)
    assert requests(needs, splits, store, 10)[0] == 22
    store.local = False
    assert requests(needs, splits, store, 0)[1] == 8 + 4 + 3 * 4
    near = [Split("a", "x", 0, 0, "file", "/x", 20 << 20, "")]
    assert requests(needs, near, store, 0)[0] == 0


def test_what_the_last_run_changed(tmp_path: Path) -> None:
    mixture, root = write_mixture(tmp_path / "m.yaml", write_corpus(tmp_path / "in", files=2)), tmp_path / "root"
    run_inline(mixture, root)
    first = call("diff", root, "--previous")
    assert first.exit_code == 2
    assert "has not changed since its first run" in first.stderr
    text = mixture.read_text()
    mixture.write_text(text.replace("families: []", "families: [gopher_quality]"))
    run_inline(mixture, root)
    run_inline(mixture, root)  # changes nothing, and is no run before
    changed = call("diff", root, "--previous")
    assert changed.exit_code == 1
    assert "small before" in changed.stdout
    assert "too_few_" in changed.stdout
    assert call("prune", root).exit_code == 0
    pruned = call("diff", root, "--previous")
    assert pruned.exit_code == 2
    assert "`prune` removes them" in pruned.stderr
    assert "takes one root" in call("diff", root, root, "--previous").stderr
