"""Wrong mixture files, and what the command line says of them."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from pipeline.cli import main


def refused(folder: Path, text: str, *, job: str = "") -> list[str]:
    """The lines that `plan` says of a mixture file, without the file's name."""
    path = folder / "m.yaml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["plan", str(path), "--root", str(folder / "root")], env={"RAY_JOB_ID": job})
    assert result.exit_code == 2, result.output + result.stderr
    return result.stderr.removeprefix("gristmill: ").replace(f"{path}:", "").splitlines()


MIXTURE = "domains: {d: {sources: [a, b]}}\nmixture: {domains: {d: {share: 1}}}\n"


def mill(folder: Path, *changes: tuple[str, str]) -> str:
    """A mixture of two sources that is right, with some of its text replaced."""
    for name in ("a", "b"):
        (folder / f"{name}.jsonl").write_text('{"text": "The mill turns."}\n{"text": "And turns."}\n')
    text = """\
sources:
  a: {paths: a.jsonl}
  b: {paths: b.jsonl}
quality: {families: [gopher_quality]}
kept: {languages: [en], families: [gopher_quality]}
domains:
  d: {sources: [a, b]}
mixture:
  domains: {d: {share: 1}}
"""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text
