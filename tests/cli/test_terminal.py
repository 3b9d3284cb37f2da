"""Safe output: hostile text of pages, names and arguments through every command, read from a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import terminal
from stages import untrusted
from tests.support.runs import CHECKOUT, command

EVIL = "\x1b]52;c;ZXZpbA==\x07 \x1b[2J\x1b[1;31m red \u202e backwards \u2066 \x9b31m \x08\x08 \r over \x7f \U000e0041"
UNSAFE = re.compile(f"[{''.join(chr(code) for code in untrusted.SPELT_CODES if code not in (9, 10, 13))}]")
BARS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\x1b\[\?25[lh]")
"""Sequences of a progress bar: colours, movements of the cursor, and hiding it; never an OSC."""


def through_terminal(typed: list[str]) -> str:
    """The output of a process on a terminal of 80 columns."""
    main, side = pty.openpty()
    process = subprocess.Popen(typed, stdin=side, stdout=side, stderr=side, cwd=CHECKOUT)
    os.close(side)
    held = b""
    while True:
        try:
            piece = os.read(main, 1 << 16)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        held += piece
    process.wait()
    os.close(main)
    return held.decode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "in").mkdir()
    words = [f"word{number}" for number in range(60)]
    rows = [
        {"url": f"https://e.org/{n}?{EVIL}", "id": f"{n}{EVIL}", "title": f"{EVIL} {n}", "language": EVIL}
        | {"text": f"start {EVIL} " + " ".join(words[(n * k) % 60] for k in range(1, 90)) + f" {EVIL}"}
        for n in range(12)
    ]
    name = "in/page \x1b]0;title\x07\u202e.jsonl"
    (folder / name).write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in [*rows, *rows[:3]]))
    (folder / "m.yaml").write_text(
        f"name: m\nsources: {{web: {{paths: '{folder}/in'}}}}\nkept: {{families: []}}\n"
        "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    printed = through_terminal(command("run", folder / "m.yaml", "--root", folder / "root", "--engine", "inline"))
    assert "nothing to do" not in printed
    assert not UNSAFE.search(BARS.sub("", printed)), printed
    return folder


COMMANDS = (
    *("plan MIXTURE", "status", "stats", "stats --json", "verify", "dedup-report", "show PAGE", "show PAGE --raw"),
    *("why PAGE", "why PAGE --json", "why PAGE --raw", "find start", "find start --json", "find EVIL"),
    *("trace SHARD:0:0", "trace SHARD:0:0 --json", "diff m m", "card CARD", "why EVIL", "show EVIL"),
    *("run EVIL", "plan EVIL --debug", "status --root EVIL", "EVIL", "stats --mixture EVIL", "trace EVIL"),
)
MARK = "=== the next command ==="
ONE_AFTER_THE_OTHER = f"""
import json, sys
from pipeline.cli import main
for words in json.load(open(sys.argv[1])):
    sys.argv = ["gristmill", *words]
    try:
        main()
    except SystemExit:
        pass
    sys.stdout.flush()
    print({MARK!r}, flush=True)
"""


@pytest.fixture(scope="module")
def printed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Output of each command of `COMMANDS` on a terminal, all typed in one process."""
    folder = tmp_path_factory.mktemp("asked")
    shard = next((root / "root" / "corpus").rglob("*.arrow"))
    places = {"MIXTURE": root / "m.yaml", "PAGE": page(root), "SHARD": shard, "EVIL": EVIL, "CARD": folder / "c"}
    typed = []
    for line in COMMANDS:
        words = []
        for word in line.split():
            name, mark, rest = word.partition(":")
            words.append(f"{places.get(name, name)}{mark}{rest}")
        typed.append(words + ([] if "--root" in words else ["--root", str(root / "root")]))
    (folder / "typed.json").write_text(json.dumps(typed))
    out = through_terminal([sys.executable, "-c", ONE_AFTER_THE_OTHER, str(folder / "typed.json")])
    answers = out.split(MARK)
    assert len(answers) == len(COMMANDS) + 1, out
    return dict(zip(COMMANDS, answers, strict=False))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_prints_no_character_that_a_terminal_obeys(printed: dict[str, str], line: str) -> None:
    found = printed[line]
    assert found.strip()
    assert not UNSAFE.search(found), repr(UNSAFE.search(found)) + found
    if line.startswith(("show PAGE", "why PAGE --raw", "find start")) and "json" not in line:
        assert "\u2039U+202E\u203a" in found


def page(root: Path) -> str:
    from pipeline.recipe import snapshot
    from pipeline.store.storage import Store

    store = Store(str(root / "root"))
    address = next(iter(snapshot.load(store).product("documents"))).address
    return str(store.read_table(address, ["doc_id"]).column("doc_id")[0].as_py().hex())


def test_json_keeps_its_values_and_raw_bytes_are_whole_in_a_pipe(root: Path) -> None:
    text = terminal.json_text(json.dumps({"a": EVIL, "b": "ü"}, ensure_ascii=False))
    assert not UNSAFE.search(text)
    assert json.loads(text) == {"a": EVIL, "b": "ü"}
    raw = subprocess.run(
        command("show", page(root), "--raw", "--root", root / "root"), capture_output=True, cwd=CHECKOUT, check=True
    ).stdout
    assert EVIL in {json.loads(raw)["language"]}


def test_nothing_else_in_the_pipeline_prints() -> None:
    spots = {
        f"{path.relative_to(CHECKOUT)}"
        for path in (CHECKOUT / "pipeline").rglob("*.py")
        if re.search(
            r"\bprint\(|click\.(s?echo|secho)\(|std(out|err)\.(buffer\.)?write|print_exc\(\)", path.read_text()
        )
    }
    mains = {"pipeline/recipe/reference.py", "pipeline/sample/__init__.py"}  # for those who build: our own words alone
    assert spots <= mains | {"pipeline/terminal.py", "pipeline/progress.py", "pipeline/compiling.py"}, spots
