"""Messages of a run while it works: lines in a log, pages measured, and no guess too early."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.table import Table

from pipeline import progress
from pipeline.answers import show
from pipeline.answers.stats import stats_of
from pipeline.answers.status import progress_line, status_text
from pipeline.errors import RunError, UserError, one_line
from pipeline.progress import Reporter, seconds_left
from pipeline.recipe import snapshot as snapshots
from pipeline.run import driver, steps
from pipeline.store.costs import Costs
from pipeline.store.storage import Store
from stages.formats import file_states
from stages.report import terminal


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    return clock


def lines(reporter: Reporter) -> list[str]:
    return [line for _, line in reporter.last_lines]


def test_a_log_gets_a_first_line_soon_and_then_one_every_ten_seconds(clock: Clock) -> None:
    reporter = Reporter(quiet=True)
    with reporter.wave("measure", 100, 10_000) as wave:
        for _ in range(40):
            clock.now += 0.9
            wave.advance(100)
    waves = [line.partition("  ")[0] for line in lines(reporter)]
    assert waves[:-1] == ["measure: 4/100", "measure: 16/100", "measure: 28/100", "measure: 40/100"]
    assert waves[-1] == "measure: 40 tasks in 36.0 s at 111 B/s"


def test_what_is_left_is_not_guessed_from_a_small_task() -> None:
    assert seconds_left(10, 0, 1000) is None
    assert seconds_left(10, 19, 1000) is None
    assert seconds_left(10, 20, 1000) == pytest.approx(490)
    assert seconds_left(10, 1000, 1000) == 0
    assert seconds_left(10, 0, 0) is None


@pytest.mark.parametrize(("width", "bar"), [(72, False), (100, True)])
def test_a_narrow_terminal_loses_the_bar_and_not_the_numbers(clock: Clock, width: int, bar: bool) -> None:
    reporter, shown = Reporter(), io.StringIO()
    reporter.console = Console(file=shown, force_terminal=True, width=width, legacy_windows=False)
    reporter.bars = True
    with reporter.wave("measure", 1234, 1000 << 20) as wave:
        clock.now += 100
        wave.advance(100 << 20, 56_789)
    last = shown.getvalue().split("\r")[-1]
    numbers = "56,789 pages, 1.0 MiB/s, 15 min 00 s left"
    assert numbers in last
    assert "1/1234" in last
    assert "0:00:00" in last  # of a clock that the test does not turn
    assert ("━" in last) == bar


def test_a_clock_that_is_set_back_by_hours_stops_no_progress(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path / "root"))
    reporter = Reporter(quiet=True)
    made = steps.Steps(SimpleNamespace(name="mine"), store, None, reporter, Costs(store, []))  # type: ignore[arg-type]
    with reporter.wave("measure", 10, 1000) as wave:
        for seconds, wall in ((10.0, 1e9), (20.0, 1e9 - 7200), (5.0, 1e9 + 7200)):
            clock.now += seconds
            monkeypatch.setattr(steps.time, "time", lambda wall=wall: wall)
            wave.advance(100)
            made._progress("measure", wave)
            shown = store.read_json("runs/progress.json")
            assert (shown["done"], shown["time"]) == (wave.done_tasks, wall)
            assert shown["time"] - shown["started"] == clock.now - 100
    monkeypatch.setattr(steps.time, "time", lambda: 1e9)
    assert progress_line(shown).endswith("of 10 tasks in 35 s, about 1 min 21 s left (reported 0 s ago)")


def test_progress_of_an_earlier_run_is_not_shown_for_that_of_this(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "root"))
    store.write_json(steps.PROGRESS, {"phase": "measure", "done": 1})
    line = '{"text": "The river rises in the northern hills and runs to the sea."}\n'
    (tmp_path / "in.jsonl").write_text(line + "{broken\n" * 9)
    (tmp_path / "m.yaml").write_text(
        "sources: {web: {paths: in.jsonl}}\ndomains: {all: {sources: [web]}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    with pytest.raises(RunError, match=r"90\.00% of its input is bad"):
        driver.run(str(tmp_path / "m.yaml"), store, "inline", None, quiet=True)
    assert not store.exists(steps.PROGRESS) or store.read_json(steps.PROGRESS)["tasks"] == 1


def test_brackets_and_colons_in_names_are_no_markup_and_a_line_stays_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    name = "bad: web/a[/red]b[bold] :x: " + "long/" * 40 + "c.jsonl at 0: not_json"
    table = Table("product [red]")
    table.add_row("x[/b] :on:")
    shown = progress.render(name, table)
    assert shown.split("\n")[0] == name
    assert "product [red]" in shown
    assert "x[/b] :on:" in shown
    Reporter().say("measure: web/:x:[/b].jsonl failed")
    assert capfd.readouterr().err == "measure: web/:x:[/b].jsonl failed\n"


def test_brackets_and_braces_in_the_name_of_a_wave_stand_beside_its_bar() -> None:
    reporter, shown = Reporter(), io.StringIO()
    reporter.console = Console(file=shown, force_terminal=True, width=120, no_color=True)
    reporter.bars = True
    with reporter.wave("shards of a[/b] {c}", 1, 1) as wave:
        wave.advance(1)
    assert "shards of a[/b] {c}" in shown.getvalue()


def test_a_line_end_in_the_name_of_a_file_begins_no_line_of_status_stats_or_an_error(tmp_path: Path) -> None:
    name = "a\ncorpus: 9 tokens\u202e.jsonl"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text('{"text": "The river turns the wheel."}\n' * 9 + "{broken\n")
    mixture, store = tmp_path / "m.yaml", Store(str(tmp_path / "r"))
    mixture.write_text(
        "sources: {web: {paths: 'in/'}}\nkept: {families: []}\nclusters: {enabled: false}\n"
        "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\nrun: {max_bad_fraction: FRACTION}\n"
    )
    text = mixture.read_text()
    mixture.write_text(text.replace("FRACTION", "0.01"))
    shown = "a\u2039U+000A\u203acorpus: 9 tokens\u2039U+202E\u203a.jsonl"
    with pytest.raises(RunError, match=re.escape(f"{tmp_path}/in/{shown}: not_json")):
        driver.run(str(mixture), store, "inline", None, quiet=True)
    mixture.write_text(text.replace("FRACTION", "0.1"))
    driver.run(str(mixture), store, "inline", None, quiet=True)
    assert f"quarantined: web/{shown} at 351: not_json" in status_text(store).splitlines()
    assert f"  web/{shown} at 351: not_json" in terminal.render_text(stats_of(snapshots.load(store))).splitlines()


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ("in/a\\nb.jsonl", "a\u2039U+000A\u203ab.jsonl: most of it cannot be read: not_json_object at 0"),
        ("in/c\\nd.jsonl, columns: {text: body}", "c\u2039U+000A\u203ad.jsonl: no row has 'body' for text"),
        ("in/gone\\nb.jsonl", "/in/gone\\nb.jsonl does not exist"),
        ("in/e\\nf.xyz", "/in/e\\nf.xyz has no suffix we know"),
    ],
)
def test_a_line_end_in_the_name_of_a_file_neither_cuts_nor_breaks_what_a_mixture_file_is_told(
    tmp_path: Path, paths: str, said: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a\nb.jsonl").write_text("[1]\n" * 30)
    (tmp_path / "in" / "c\nd.jsonl").write_text('{"te\\nxt": "The river turns the wheel."}\n' * 9)
    (tmp_path / "in" / "e\nf.xyz").write_text("x")
    path, _, more = paths.partition(",")
    mixture = tmp_path / "m.yaml"
    mixture.write_text(
        f'sources: {{web: {{paths: "{path}"{"," + more if more else ""}}}}}\nkept: {{families: []}}\n'
        "clusters: {enabled: false}\ndomains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    with pytest.raises(UserError) as error:
        driver.run(str(mixture), Store(str(tmp_path / "r")), "inline", None, quiet=True)
    [line] = str(error.value).splitlines()
    assert said in line


def test_a_line_end_in_the_name_of_a_file_begins_no_field_of_show_and_cuts_no_error() -> None:
    assert show.fields({"file": "a\ntokens 9.jsonl"}) == ["  file  a\u2039U+000A\u203atokens 9.jsonl"]
    assert (
        one_line(PermissionError(13, "Permission denied", "/in/a\nb")) == "/in/a\u2039U+000A\u203ab: Permission denied"
    )
    assert file_states.replaced("/in/a\nb").startswith("/in/a\u2039U+000A\u203ab was replaced while")
