"""Every rule that a page fails is listed, however many rules are active: against a slow twin, page by page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.storage import Store
from stages import kept, schemas
from stages.kept import failures
from stages.kept.takedown import taken_down
from stages.rules import families
from tests.kept.test_kept import PASSES, pages


def test_all_families_at_once_may_be_asked_for() -> None:
    active = kept.active_rules(kept.Params(families=tuple(families.RULES), robots={"directives": ["noai"]}))
    assert len(active) > 64
    decided = kept.prepare(kept.Params(families=tuple(families.RULES)), [])(pages({"gopher_num_words": 3}))
    assert decided.column("failed").to_pylist() == [["too_few_words"]]


@pytest.mark.parametrize("num_rules", [64, 65, 130])
def test_reasons_lists_and_counts_are_those_of_one_rule_after_another(num_rules: int, tmp_path: Path) -> None:
    random = np.random.default_rng(num_rules)
    columns = [f"n{number:03d}" for number in range(num_rules)]
    values = random.random((num_rules, 300))
    limits = {f"below_min_{name}": float(random.choice([0.001, 0.01, 0.3])) for name in columns}
    table = pages(*({name: values[at, row] for at, name in enumerate(columns)} for row in range(300)))
    params = kept.Params(families=(), rules=limits)
    rules = kept.active_rules(params)
    assert len(rules) > num_rules
    decided = kept.prepare(params, [])(table)
    slow = [
        [
            rule
            for rule in rules
            if rule in limits and values[columns.index(rule.removeprefix("below_min_")), row] < limits[rule]
        ]
        for row in range(300)
    ]
    assert decided.column("failed").to_pylist() == slow
    assert decided.column("reason").to_pylist() == [own[0] if own else None for own in slow]
    assert {own[-1] for own in slow if own} >= {f"below_min_n{num_rules - 1:03d}"} or num_rules < 65
    report = kept.account(table, decided, rules, kept.decide.domains_of(table, []))
    for rule in rules:
        counts = report["failed"][rule]
        assert counts["documents"] == sum(rule in own for own in slow)
        assert counts["first"] == sum(own[:1] == [rule] for own in slow)
        assert counts["alone"] == sum(own == [rule] for own in slow)
        assert counts["text_bytes"] == PASSES["text_bytes"] * counts["documents"]
    ids = pa.chunked_array([pa.array([row.to_bytes(16) for row in range(300)], schemas.DOC_ID)])
    gone = [row.to_bytes(16).hex() for row in range(0, 300, 7)]
    after = taken_down(decided, ids, gone, rules)
    assert after.column("failed").to_pylist() == [own + ["taken_down"] * (row % 7 == 0) for row, own in enumerate(slow)]
    store = Store(str(tmp_path))
    store.write_table("kept.parquet", after)
    assert store.read_table("kept.parquet").equals(after)


@given(st.lists(st.lists(st.integers(0, 129), unique=True).map(sorted), max_size=20))
def test_lists_of_rules_come_back_as_they_were(lists: list[list[int]]) -> None:
    names = [f"rule_{number}" for number in range(130)]
    failing = [np.array([row for row, own in enumerate(lists) if rule in own], np.int64) for rule in range(130)]
    found = failures.gather(failing, len(lists))
    column = found.column(names)
    assert column.to_pylist() == [[names[rule] for rule in own] for own in lists]
    again = failures.read(pa.chunked_array([column], failures.TYPE), names)
    assert all((one == two).all() for one, two in zip(found, again, strict=True))
    assert all((again.of(rule) == failing[rule]).all() for rule in range(130))
    for own in lists:  # files of earlier versions hold a set of bits
        few = [rule for rule in own if rule < 64]
        assert failures.names_of(sum(1 << rule for rule in few), names) == [names[rule] for rule in few]
