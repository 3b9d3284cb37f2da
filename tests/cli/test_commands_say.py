"""What commands say of themselves and of wrong options: whole sentences, and the file or name that is wrong."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.errors import told
from pipeline.run import redo_reasons


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


def test_a_root_that_is_a_file_is_refused_by_commands_that_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for command in ("status", "stats", "verify"):
        result = CliRunner().invoke(main, [command, "--root", str(tmp_path / "file")])
        assert result.exit_code == 2
        assert "is a file; expected a folder" in result.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "/a/b"), "/a/b: No such file or directory"),
        (OSError("disk is gone"), "disk is gone"),
        (ValueError("one\ntwo"), "one"),
    ],
)
def test_errors_of_the_system_name_the_file_first(error: Exception, said: str) -> None:
    assert told(error) == said


def mixture(**domains: dict[str, float]) -> dict[str, object]:
    return {"identity": {"mixture": {"domains": domains}}}


def test_a_changed_share_is_told_and_not_what_follows_from_it() -> None:
    old = mixture(a={"requested_share": 0.1 + 0.2, "target_tokens": 3}, b={"requested_share": 0.7, "target_tokens": 7})
    new = mixture(a={"requested_share": 0.4, "target_tokens": 4}, b={"requested_share": 0.6, "target_tokens": 6})
    assert redo_reasons.causes(redo_reasons.differences(old, new)) == [
        "mixture.domains.a.requested_share: 0.3 -> 0.4",
        "mixture.domains.b.requested_share: 0.7 -> 0.6",
    ]


def test_a_setting_that_was_not_there_is_called_not_set() -> None:
    assert redo_reasons.differences({"params": {"x": None}}, {"params": {"x": 30.0}}) == ["x: not set -> 30"]
