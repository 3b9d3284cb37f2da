"""Rules of lines of one's own: the slow twin, the texts that are left, and mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import recipe as recipes
from pipeline.answers.stats import html, stats_of
from pipeline.answers.verify import verify_root
from pipeline.recipe.columns import Pages
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import own_lines
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline

SPACE = " \t\n\r\v\f"
RULES: dict[str, dict[str, Any]] = {
    "counter": {"pattern": r"^[0-9.]+[KM]? (likes|shares)$"},
    "end": {"pattern": "(?i)share", "position": "tail", "edge_lines": 2},
    "long": {"min_bytes": 12, "max_bytes": 20},
    "short": {"max_bytes": 2, "max_share": 0.2},
    "top": {"pattern": "e", "position": "head", "edge_lines": 1, "cut": False},
}


def slow(text: str) -> dict[str, Any]:
    """The columns of a text, line by line."""
    lines, at = [], 0
    for piece in text.encode().split(b"\n"):
        stop = min(at + len(piece) + 1, len(text.encode()))
        line = piece.strip(SPACE.encode())
        if line:
            lines.append((at, stop, line))
        at = stop
    row: dict[str, Any] = {}
    spans: dict[int, dict[str, Any]] = {}
    for name, rule in RULES.items():
        own = []
        for number, (start, stop, line) in enumerate(lines):
            place = {"head": number, "tail": len(lines) - 1 - number, "any": 0}[rule.get("position", "any")]
            good = rule.get("min_bytes", 1) <= len(line) <= rule.get("max_bytes", 10**9)
            good &= place < rule.get("edge_lines", 10)
            if good and re.search(rule.get("pattern", ""), line.decode()):
                own.append((start, stop, len(line)))
        size = sum(entry[2] for entry in own)
        row[f"own_lines_{name}"] = len(own)
        row[f"own_lines_{name}_fraction"] = size / len(text.encode()) if text else None
        if rule.get("cut", True) and size <= rule.get("max_share", 1) * len(text.encode()):
            for start, stop, _ in own:
                spans.setdefault(start, {"start": start, "stop": stop, "replacement": "", "kind": name})
    return row | {"own_lines_spans": [spans[start] for start in sorted(spans)]}


PARAMS = own_lines.Params.model_validate({"rules": RULES})
TEXT = st.lists(
    st.sampled_from(["12 likes", "3.4K shares", " Share this ", "", "ab", "éé", "a line of words", "\t", "x" * 30])
).map("\n".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXT | st.text("e 1\n\r\x0bS"), max_size=5))
def test_columns_equal_the_slow_twin(texts: list[str]) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["before", *texts], pa.large_string())], ["text"]).slice(1)
    found = own_lines.prepare(PARAMS)(batch).to_pylist()
    for row, text in zip(found, texts, strict=True):
        expected = slow(text)
        for name, value in expected.items():
            assert row[name] == (pytest.approx(value, rel=1e-6) if name.endswith("_fraction") and value else value), (
                text
            )


LINES = """lines:
  rules:
    versions: {pattern: "older version of the library", position: tail}
    short: {max_bytes: 3, cut: false}
kept:
  views: [without_own_lines]
  families: [gopher_quality]
"""


@pytest.mark.slow
def test_a_run_cuts_the_lines_shows_them_and_measures_no_text_again_for_another_view(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "in", files=2)
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    mixture.write_text(mixture.read_text().replace("kept:\n  families: [gopher_quality]\n", LINES, 1))
    run_inline(mixture, tmp_path / "root")
    snapshot = load(Store(str(tmp_path / "root")))
    stats = stats_of(snapshot)
    views = {row["view"]: row["spans"] for row in stats["views"]}
    assert views["without_own_lines"] == views["without_own_lines: versions"] > 3
    assert {row["line"] for row in stats["own_lines"]} == {"This page describes an older version of the library."}
    assert "older version of the library" in html(snapshot.store, None)
    pages = Pages(snapshot)
    batches = [batch for split in range(3) for batch in pages.batches(split, pages.columns(["text"]))]
    kept = "".join(str(text) for batch in batches for text in batch.column("text").to_pylist())
    assert "version of the library" not in kept
    assert len(kept) > 10_000
    assert "damaged" not in verify_root(snapshot.store, None)
    mixture.write_text(
        mixture.read_text().replace("short: {max_bytes: 3, cut: false}", "short: {max_bytes: 4, cut: false}")
    )
    redone = made(run_inline(mixture, tmp_path / "root"))
    assert {"documents", "language", "quality", "signatures", "lines", "tokens"}.isdisjoint(redone)
    assert redone["own_lines"] == 3


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("x: {pattern: '(a'}", "is no expression of RE2"),
        ("x: {pattern: '(?=a)'}", "is no expression of RE2"),
        ("x: {}", "would hold of every line"),
        ("x: {pattern: ''}", "would hold of every line"),
        ("X-1: {pattern: a}", "small letters"),
        ("x: {min_bytes: 5, max_bytes: 4}", "no line is both"),
        ("x: {pattern: a, position: middle}", "position"),
        ("x: {pattern: a, max_share: 0}", "max_share"),
        ("x: {patern: a}", "patern"),
    ],
)
def test_mistakes_are_reported_with_their_key(rules: str, message: str, tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "in", files=1)
    mixture = write_mixture(tmp_path / "a.yaml", folder, extra=f"lines:\n  rules:\n    {rules}\n")
    with pytest.raises(ConfigError) as found:
        recipes.load(mixture, Store(str(tmp_path / "root")))
    assert any(message in line and "lines.rules" in line for line in str(found.value).splitlines()), str(found.value)


def test_a_view_without_rules_is_reported(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "in", files=1)
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    mixture.write_text(mixture.read_text().replace("kept:\n", "kept:\n  views: [without_own_lines]\n", 1))
    with pytest.raises(ConfigError, match=r"give lines\.rules"):
        recipes.load(mixture, Store(str(tmp_path / "root")))
