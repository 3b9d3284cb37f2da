"""Pages gained, lost and moved between two runs."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import schemas
from stages.report import build_stats
from stages.report.changes import EXAMPLES, add_up, compare, tables_of
from stages.report.diff import diff, render_diff_html, render_diff_text
from tests.support.report_runs import make_run

STATES = [("web", None), ("code", None), (None, "too_few_words"), (None, "near_duplicate")]
Pages = dict[bytes, tuple[str | None, str | None]]


def table(pages: Pages) -> pa.Table:
    columns: dict[str, Any] = {
        "doc_id": pa.array(list(pages), schemas.DOC_ID),
        "url": pa.array([f"https://x.example/{doc_id[:2].hex()}" for doc_id in pages], pa.string()),
        "text_bytes": pa.array([doc_id[0] for doc_id in pages], pa.int64()),
        "keep": pa.array([reason is None for _, reason in pages.values()], pa.bool_()),
        "domain": pa.array([domain for domain, _ in pages.values()], pa.string()),
        "reason": pa.array([reason for _, reason in pages.values()], pa.string()),
    }
    return pa.table(columns)


def make_pages(seed: int) -> tuple[Pages, Pages]:
    rng = random.Random(seed)
    ids = [rng.randbytes(16) for _ in range(50)]
    before = {doc_id: rng.choice(STATES) for doc_id in ids[:45]}
    after = {doc_id: before.get(doc_id, STATES[0]) if rng.random() < 0.5 else rng.choice(STATES) for doc_id in ids[5:]}
    return before, after


def state(pages: Pages, doc_id: bytes) -> str:
    domain, reason = pages.get(doc_id, (None, "absent"))
    return f"kept: {domain}" if reason is None else reason


@given(seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_transitions_are_those_of_a_plain_comparison(seed: int) -> None:
    before, after = make_pages(seed)
    expected: Counter[tuple[str, str]] = Counter()
    for doc_id in {*before, *after}:
        pair = (state(before, doc_id), state(after, doc_id))
        if pair[0] != pair[1]:
            expected[pair] += 1
    found = compare(table(before), table(after))
    assert {(row["before"], row["after"]): row["documents"] for row in found["transitions"]} == expected
    kinds = {row["kind"] for row in found["transitions"]}
    assert kinds <= {"lost", "gained", "moved", "other_reason"}
    for page in found["examples"]:
        doc_id = bytes.fromhex(page["doc_id"])
        assert (page["before"], page["after"]) == (state(before, doc_id), state(after, doc_id))


@given(seed=st.integers(0, 999), cuts=st.lists(st.integers(0, 50), max_size=3))
@settings(max_examples=20, deadline=None)
def test_the_sum_does_not_depend_on_how_pages_are_divided(seed: int, cuts: list[int]) -> None:
    before, after = make_pages(seed)
    ids = sorted({*before, *after})
    whole = add_up([compare(table(before), table(after))])
    parts = []
    for start, stop in pairwise([0, *sorted(cuts), len(ids)]):
        some = set(ids[start:stop])
        halves = [{doc_id: pages[doc_id] for doc_id in pages if doc_id in some} for pages in (before, after)]
        parts.append(compare(*(table(half) for half in halves)))
    assert add_up(parts) == add_up(reversed(parts)) == whole


def test_a_split_that_only_one_run_has_is_gained_or_lost() -> None:
    pages: Pages = {bytes([i]) * 16: ("web", None) for i in range(9)}
    lost = compare(table(pages), None)
    assert [(row["kind"], row["documents"], row["after"]) for row in lost["transitions"]] == [("lost", 9, "absent")]
    assert len(lost["examples"]) == EXAMPLES
    gained = compare(None, table(pages))
    assert gained["transitions"][0]["kind"] == "gained"
    assert gained["examples"][0]["url"].startswith("https://x.example/")
    assert compare(None, None) == {"transitions": [], "examples": []}


def test_changes_are_shown_with_the_figures() -> None:
    before, after = make_pages(1)
    changes = compare(table(before), table(after))
    a, b = (build_stats(name, **make_run(seed, files=3)) for seed, name in ((1, "a"), (1, "b")))
    found = diff(a, b, changes)
    assert not found["equal"]
    assert "Pages treated differently" in render_diff_text(found)
    assert "https://x.example/" in render_diff_html(found)
    assert [table.name for table in tables_of(changes)] == ["changes", "examples"]
    assert diff(a, b)["equal"]
