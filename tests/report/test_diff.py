"""Changes between two runs, and the tables as files."""

from __future__ import annotations

import copy
import csv
import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages.report import build_stats
from stages.report.diff import changed, diff, render_diff_html, render_diff_text
from stages.report.export import export_tables
from stages.report.funnel import ADDRESSES
from tests.report.test_page import COSTS, HOSTILE, hostile_run, survey
from tests.support.browser import Browser, chromium
from tests.support.report_runs import make_run

Stats = dict[str, Any]


@pytest.fixture
def before() -> Stats:
    return build_stats("before", **make_run(1, files=6, pages=80))


@pytest.fixture
def after() -> Stats:
    return build_stats("after", **make_run(2, files=6, pages=80))


def test_equal_figures_have_no_difference(before: Stats) -> None:
    found = diff(before, copy.deepcopy(before) | {"name": "after"})
    assert found["equal"]
    assert found["tables"] == {}
    assert render_diff_text(found) == "before and after: no figure differs\n"


def test_every_number_that_differs_is_listed_and_no_other(before: Stats) -> None:
    changed = copy.deepcopy(before)
    changed["languages"][1]["tokens"] += 7
    changed["mixture"][0]["realised_share"] += 0.25
    changed["reasons"][2]["documents"] -= 3
    found = diff(before, changed)
    assert not found["equal"]
    assert {name: len(rows) for name, rows in found["tables"].items()} == {"languages": 1, "mixture": 1, "reasons": 1}
    row = found["tables"]["languages"][0]
    assert row["language"] == before["languages"][1]["language"]
    assert row["tokens"][1] - row["tokens"][0] == 7


def test_steps_whose_estimate_alone_changed_are_no_difference(before: Stats) -> None:
    changed = copy.deepcopy(before)
    for step in changed["funnel"]:
        step["tokens"] = step["tokens"] + 1000 if step["estimated"] else step["tokens"]
    for reason in changed["reasons"]:
        reason["tokens"] = (reason["tokens"] or 0) + 7
    assert any(step["estimated"] for step in before["funnel"])
    assert diff(before, changed)["tables"] == {}
    changed["funnel"][-1]["tokens"] += 1
    assert list(diff(before, changed)["tables"]) == ["funnel"]


def test_changes_add_up_to_the_change_of_the_totals(before: Stats, after: Stats) -> None:
    found = diff(before, after)
    change = after["totals"]["tokens"] - before["totals"]["tokens"]
    for name in ("languages", "domains", "sources"):
        rows = found["tables"][name]
        assert sum((row["tokens"][1] or 0) - (row["tokens"][0] or 0) for row in rows) == change
    back = diff(after, before)
    assert back["tables"].keys() == found["tables"].keys()


def test_what_is_only_in_one_of_them_is_shown(before: Stats, after: Stats) -> None:
    after["domains"] = [
        *after["domains"],
        {"domain": "new", "tokens": 999_999_999, "documents": 3, "bytes": 1, "languages": {}},
    ]
    row = diff(before, after)["tables"]["domains"][0]
    assert (row["domain"], row["tokens"]) == ("new", [None, 999_999_999])
    assert "+1.00 B" in render_diff_text(diff(before, after))


def test_a_step_that_is_new_is_compared_with_what_was_there_before_it(before: Stats) -> None:
    after = copy.deepcopy(before)
    place = next(number for number, step in enumerate(after["funnel"]) if step["step"] == "language")
    left = after["funnel"][place - 1]
    step = {**left, "step": ADDRESSES, "documents": left["documents"] - 7, "bytes": left["bytes"] - 70}
    before["funnel"] = [row for row in before["funnel"] if row["step"] != ADDRESSES]
    after["funnel"] = [row for row in after["funnel"] if row["step"] != ADDRESSES]
    place = next(number for number, row in enumerate(after["funnel"]) if row["step"] == "language")
    after["funnel"].insert(place, step)
    for a, b, sign in ((before, after, 1), (after, before, -1)):
        [row] = diff(a, b)["tables"]["funnel"]
        assert (row["step"], row["documents"][1] - row["documents"][0]) == (ADDRESSES, -7 * sign)


def test_runs_at_different_stages_compare(before: Stats) -> None:
    run = make_run(1, files=6, pages=80)
    early = build_stats("early", run["documents"], [], None, [], None)
    for pair in ((early, before), (before, early)):
        assert render_diff_text(diff(*pair))
        assert render_diff_html(diff(*pair))


def test_the_page_of_a_diff_is_quiet_and_hostile_names_are_text(tmp_path: Path) -> None:
    if chromium() is None:
        pytest.skip("no Chromium on this machine")
    run = make_run(1, files=9, pages=60)
    stats = build_stats(HOSTILE[1], **hostile_run(), survey=survey())
    path = tmp_path / "diff.html"
    path.write_text(render_diff_html(diff(build_stats("before", **run), stats)), encoding="utf-8")
    browser = Browser(tmp_path / "chromium")
    try:
        browser.size(360, 800)
        browser.open(path)
        assert (browser.requests, browser.messages, browser.errors) == ([path.as_uri()], [], [])
        assert browser.run("document.querySelectorAll('img').length") == 0
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        assert browser.run("document.querySelectorAll('#table-hosts tbody tr').length") == 20
    finally:
        browser.close()


def test_tables_as_files_hold_the_exact_figures(before: Stats) -> None:
    files = export_tables(before, COSTS)
    assert {"languages.csv", "languages.parquet", "costs.csv", "removed.parquet"} <= set(files)
    for name in ("reasons", "languages", "sources", "domains", "mixture", "tokens_groups"):
        table = pq.read_table(io.BytesIO(files[f"{name}.parquet"]))
        lines = list(csv.DictReader(io.StringIO(files[f"{name}.csv"].decode())))
        assert [line.keys() for line in lines] == [dict.fromkeys(table.column_names).keys()] * table.num_rows
        for line, row in zip(lines, table.to_pylist(), strict=True):
            assert line == {key: "" if value is None else str(value) for key, value in row.items()}
    tokens = pq.read_table(io.BytesIO(files["languages.parquet"])).column("tokens")
    assert sum(tokens.to_pylist()) == before["totals"]["tokens"]


def test_hostile_names_survive_export_and_are_no_formulas() -> None:
    stats = build_stats("x", **hostile_run(), survey=survey())
    stats["sources"][0]["source"] = "=1+1"
    files = export_tables(stats)
    assert b"'=1+1" in files["sources.csv"]
    assert pq.read_table(io.BytesIO(files["sources.parquet"])).num_rows == 9


def test_equal_stats_give_equal_files(before: Stats) -> None:
    assert export_tables(before) == export_tables(build_stats("before", **make_run(1, files=6, pages=80)))


def test_totals_in_bytes_are_written_as_in_the_report_and_every_heading_stands_once(
    before: Stats, after: Stats
) -> None:
    before["totals"]["raw_bytes"], after["totals"]["raw_bytes"] = 26_400_000, 52_800_000
    found = diff(before, after)
    [line] = [line for line in render_diff_text(found).splitlines() if line.startswith("raw bytes")]
    assert line.split()[2:] == ["25.2", "MiB", "50.4", "MiB", "+25.2", "MiB"]
    html = render_diff_html(found)
    assert html.count(">Totals</") == 2  # a link to it, and its heading
    assert html.count('id="h-totals"') == 1


@pytest.mark.parametrize(("after", "differs"), [(0.00004, True), (0.000010001, False), (0.0, True)])
def test_a_small_share_that_was_asked_for_anew_is_a_change(after: float, differs: bool) -> None:
    rows = [[{"domain": "tiny", "requested_share": share}] for share in (0.00001, after)]
    assert bool(changed(*rows, ("domain",), ("requested_share",))) == differs


def test_a_share_that_moves_by_less_than_is_shown_is_no_change_of_its_domain() -> None:
    keys, numbers = ("domain",), ("tokens", "realised_share")
    before = [
        {"domain": "grown", "tokens": 1_000, "realised_share": 0.2},
        {"domain": "same", "tokens": 4_000, "realised_share": 0.8},
    ]
    for grown, named in ((1_001, ["grown"]), (1_100, ["grown", "same"])):
        total = grown + 4_000
        after = [
            {"domain": "grown", "tokens": grown, "realised_share": grown / total},
            {"domain": "same", "tokens": 4_000, "realised_share": 4_000 / total},
        ]
        after[1]["realised_share"] = after[1]["realised_share"] if grown > 1_001 else 0.79996
        assert [row["domain"] for row in changed(before, after, keys, numbers)] == named
