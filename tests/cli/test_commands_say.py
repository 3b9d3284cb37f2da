"""Help texts of commands, and messages about wrong options: whole sentences, and the file or name that is wrong."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import group, main
from pipeline.cli.values import Count, Number
from pipeline.errors import one_line
from pipeline.run import redo_reasons
from pipeline.store.storage import Store


def test_every_command_is_listed_with_a_whole_sentence() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output
    assert "..." not in listed.partition("Commands:")[2]
    for name in main.commands:
        assert f"\n  {name} " in listed


def test_every_option_of_every_command_says_what_it_is_or_shows_its_default() -> None:
    silent = [
        f"{name} {option.opts[0]}"
        for name, command in main.commands.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.help and not option.show_default and not option.hidden
    ]
    assert not silent


def test_an_unknown_format_lists_those_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["export", "olmoo", str(tmp_path / "out"), "--root", str(tmp_path)])
    assert result.exit_code == 2
    assert "Invalid value for 'FORMAT': 'olmoo' is not one of 'megatron-link'" in result.stderr


def test_a_wrong_value_of_any_option_is_one_line_with_the_option_and_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wrong: dict[type, tuple[str, ...]] = {
        Count: ("x", "1.5", "-1", "9" * 25),
        Number: ("x", "nan", "inf", "-1"),
        click.Choice: ("nosuch",),
    }
    num_messages = 0
    for name, command in main.commands.items():
        for option in command.params:
            values = wrong.get(type(option.type), ())
            if isinstance(option.type, click.Path):
                values = (str(tmp_path),) * (not option.type.dir_okay) + (str(tmp_path / "file"),) * (
                    not option.type.file_okay
                )
            if not isinstance(option, click.Option) or option.is_flag:
                continue
            for value in values:
                result = CliRunner().invoke(main, [name, option.opts[0], *[value] * option.nargs])
                assert result.exit_code == 2
                assert re.fullmatch(
                    rf"gristmill: {name}: Invalid value for '{option.opts[0]}': .*(expected|is not one of).*\n",
                    result.stderr,
                )
                num_messages += 1
    assert num_messages > 100


WEIGHT = "fit: Invalid value for '--weight': expected METRIC=NUMBER, 0 or more,"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nosuch"], "No such command 'nosuch'; `gristmill --help` lists what it takes"),
        (["fit"], "fit: Missing argument 'MIXTURES'; `gristmill fit --help` lists what it takes"),
        (["fit", "a", "b", "--out", "c", "--weight", "a=x"], f"{WEIGHT} found 'a=x'"),
        (["fit", "a", "b", "--out", "c", "--weight", "a=nan"], f"{WEIGHT} found 'a=nan'"),
        (["card", __file__], f"card: Invalid value for 'FOLDER': expected a folder, found the file '{__file__}'"),
    ],
)
def test_a_wrong_request_is_one_line_instead_of_the_usage(words: list[str], line: str) -> None:
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, result.stderr) == (2, f"gristmill: {line}\n")


def test_a_root_that_is_a_file_is_refused_by_commands_that_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for command in ("status", "stats", "verify"):
        result = CliRunner().invoke(main, [command, "--root", str(tmp_path / "file")])
        assert result.exit_code == 2
        assert "is a file; expected a folder" in result.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "/a/b"), "/a/b: No such file or directory"),
        (OSError("disk is gone"), "disk is gone"),
        (ValueError("one\ntwo"), "one"),
    ],
)
def test_errors_of_the_system_name_the_file_first(error: Exception, line: str) -> None:
    assert one_line(error) == line


def mixture(**domains: dict[str, float]) -> dict[str, object]:
    return {"identity": {"mixture": {"domains": domains}}}


def test_a_changed_share_is_reported_and_not_what_follows_from_it() -> None:
    old = mixture(a={"requested_share": 0.1 + 0.2, "target_tokens": 3}, b={"requested_share": 0.7, "target_tokens": 7})
    new = mixture(a={"requested_share": 0.4, "target_tokens": 4}, b={"requested_share": 0.6, "target_tokens": 6})
    assert redo_reasons.causes(redo_reasons.differences(old, new)) == [
        "mixture.domains.a.requested_share: 0.3 -> 0.4",
        "mixture.domains.b.requested_share: 0.7 -> 0.6",
    ]


def test_a_setting_that_was_not_there_is_called_not_set() -> None:
    assert redo_reasons._looks_equal("share: 0.15 -> 0.15")
    assert not redo_reasons._looks_equal("share: 0.15 -> 0.2")
    hashes = ({"identity": {"model": "4003b44a1ed25146"}}, {"identity": {"model": "3f294d253821de10"}})
    assert redo_reasons.differences(*hashes) == ["model: its content changed"]
    sources = {"source": "web", "version": 1}, {"source": "news", "version": 1}
    assert redo_reasons.differences(*sources) == ["source news is new, or has another name"]
    assert redo_reasons.differences({"params": {"x": None}}, {"params": {"x": 30.0}}) == ["x: not set -> 30"]


def test_a_list_that_is_added_is_told_by_its_name_and_by_no_hash(tmp_path: Path) -> None:
    table = "urls/b6fffa9a99fc00caa28bf1f8.arrow"
    listed = {"bl": {"paths": ["sha256:1d8342806df434a99e7b0d6f6d1d2ac3"], "kind": None}}
    old, new = {"params": {"urls": {}}, "identity": {}}, {"params": {"urls": listed}, "identity": {"urls": table}}
    assert redo_reasons.differences(old, new) == ["urls: added", "urls.bl: added"]
    assert redo_reasons.differences(new, old) == ["urls: gone", "urls.bl: gone"]
    other = {"urls": {"bl": {"paths": ["sha256:2d8342806df434a99e7b0d6f6d1d2ac3"], "kind": None}}}
    assert redo_reasons.differences({"params": {"urls": listed}}, {"params": other}) == [
        "urls.bl.paths: its content changed"
    ]
    store = Store(str(tmp_path))
    store.write_json("kept/a/about.json", old)
    fingerprint = SimpleNamespace(folder="kept/b", about=lambda: new)
    assert redo_reasons.changed(store, "kept", fingerprint) == "urls.bl: added"
    store.write_json(
        "kept/c/about.json", {"params": other, "identity": {"urls": "urls/a6fffa9a99fc00caa28bf1f8.arrow"}}
    )
    assert redo_reasons.changed(store, "kept", fingerprint) == "urls.bl.paths: its content changed"


def test_a_change_that_several_sources_have_is_told_once() -> None:
    one, more = "domains.d.labels.kind: +A, -a", "domains.d.labels.kind: +A, -a, rules.too_few_words: 50 -> 30"
    assert redo_reasons.joined([one, more, one]) == more
    assert redo_reasons.joined(["seed: 1 -> 2", "seed: 1 -> 21"]) == "seed: 1 -> 2; seed: 1 -> 21"
    assert redo_reasons.joined([]) == ""


def test_an_edited_list_is_reported_by_what_it_gained_and_lost() -> None:
    old = {"params": {"families": ["a", "b"], "domains": [["d", {"languages": None}]], "order": ["x", "y"]}}
    new = {
        "params": {"families": ["a", "c"], "domains": [["d", {"languages": ["de"]}], ["e", {}]], "order": ["y", "x"]}
    }
    assert redo_reasons.differences(old, new) == [
        "domains.d.languages: not set -> ['de']",
        "domains.e: added",
        "families: +c, -b",
        "order: ['x', 'y'] -> ['y', 'x']",
    ]
    named = [{"domains": [{"name": name} for name in order]} for order in ("de", "ed")]
    assert redo_reasons.differences(*named) == ["domains: in another order"]


def test_what_cannot_be_written_is_blamed_on_no_file_of_the_root() -> None:
    store = SimpleNamespace(root="/data/root", base="/data/root")
    elsewhere = PermissionError("s3://bucket/tables/reasons.csv: no credentials")
    assert group._elsewhere(elsewhere, store)
    assert not group._elsewhere(OSError("not a Parquet file"), store)
    store.root = "s3://bucket/tables?region=x"
    assert not group._elsewhere(elsewhere, store)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_reported_even_where_a_library_ends_the_program_by_it(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray's ``wait`` puts ``SystemExit(1)`` in the place of any other."""

    def work() -> None:
        try:
            signal.raise_signal(number)
        except SystemExit:
            raise SystemExit(1) from None

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(group._Stopping, "since", None)
    try:
        with pytest.raises(SystemExit) as ended:
            group.Group(commands={"work": click.Command("work", callback=work)}).main(["work"])
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert ended.value.code == 128 + number
    assert "the same command continues where it stopped" in capsys.readouterr().err
