"""Files that a mixture names, edited between two runs of one process, which holds what it read of the old ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.api import load, opened
from stages import documents
from tests.support.runs import run_inline

MILLER = (
    "How many sacks of rye does the miller of Oberdorf grind between sunrise and noon on the first Monday of March?"
)
BRIDGE = "Which of the seven bridges over the river was rebuilt twice before the great flood of seventeen eighty?"
PAGES = [
    f"The archive of the village has a sheet. {MILLER} It ends here.",
    f"Another sheet. {BRIDGE} It was never told.",
]


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    rows = [*PAGES, "A page that no rule drops."]
    (tmp_path / "pages.jsonl").write_text("".join(json.dumps({"text": page}) + "\n" for page in rows))
    settings: dict[str, Any] = {
        "name": "edited",
        "sources": {"web": {"paths": "pages.jsonl"}},
        "quality": {
            "families": ["contamination"],
            "benchmarks": {"files": [{"path": "exam.jsonl"}]},
            "bad_words": {"all": "words.txt"},
        },
        "kept": {"families": ["contamination"], "rules": {"has_bad_words": True}},
        "clusters": {"enabled": False},
        "domains": {"web": {"sources": ["web"]}},
        "mixture": {"domains": {"web": {"epochs": 1}}},
    }
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def failed(mixture: Path, question: str, word: str) -> list[set[str]]:
    """Rules that each page fails where the benchmark has this question and the list this word."""
    (mixture.parent / "exam.jsonl").write_text(json.dumps({"question": question}) + "\n")
    (mixture.parent / "words.txt").write_text(word + "\n")
    run_inline(mixture, mixture.parent / "root")
    table = opened(mixture.parent / "root").table(["kept.failed"], kept=False)
    return [set(rules or ()) for rules in table.column(0).to_pylist()[: len(PAGES)]]


def test_an_edited_benchmark_or_list_of_words_is_read_again_by_the_same_process(mixture: Path) -> None:
    assert failed(mixture, MILLER, "another") == [{"contaminated"}, {"has_bad_words"}]
    assert failed(mixture, BRIDGE, "archive") == [{"has_bad_words"}, {"contaminated"}]
    assert failed(mixture, MILLER, "another") == [{"contaminated"}, {"has_bad_words"}]


def test_another_version_of_documents_is_the_one_reason_for_all_that_follows(
    mixture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that are read from a file as lists are those that are tuples here; `eligible` knows no `repeats`."""
    settings = yaml.safe_load(mixture.read_text())
    settings |= {"clusters": {}, "repeats": {"enabled": True, "min_bytes": 100}}
    settings["kept"]["views"] = ["without_repeats"]
    mixture.write_text(yaml.safe_dump(settings))
    failed(mixture, MILLER, "another")
    version = documents.VERSION
    monkeypatch.setattr(documents, "VERSION", version + 1)
    reasons = {step.product: step.why for step in load(mixture, mixture.parent / "root").plan() if step.to_do}
    assert reasons["documents"] == f"version: {version} -> {version + 1}"
    follows = "an earlier product changed"
    assert {reasons[name] for name in ("language", "quality", "overlaps", "eligible", "kept")} == {follows}
