"""`run --sample`: the same splits every time, whose files a whole run uses, and figures of everything by them."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.run.part import about, chosen, fraction_of
from stages.contract import Split
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline, tree


def test_shares_as_people_write_them() -> None:
    assert [fraction_of(text) for text in ("1%", "0.25", " 12.5 %")] == [0.01, 0.25, 0.125]
    for text in ("0", "100%", "some", "2"):
        with pytest.raises(UserError, match="expected a share such as 1%"):
            fraction_of(text)
    assert [about(count) for count in (0, 7, 99, 1234, 9_876_543)] == ["0", "7", "99", "1,200", "9,900,000"]


def test_a_part_grows_split_by_split_and_has_of_every_source() -> None:
    splits = [Split(source, f"{k}", 0, 0, "file", "", 100, "") for source in "ab" for k in range(50)]
    small, large = chosen(splits, 0.02), chosen(splits, 0.5)
    assert [sum(split.source == source for split in small) for source in "ab"] == [1, 1]
    assert len(large) == 50
    assert set(small) < set(large)
    assert chosen(splits[::-1], 0.5) == large[::-1]


def test_a_sample_tells_what_everything_gives_and_its_files_are_used_again(tmp_path: Path) -> None:
    mixture, root = write_mixture(tmp_path / "m.yaml", write_corpus(tmp_path / "in", files=8)), tmp_path / "root"
    command = ["run", str(mixture), "--root", str(root), "--engine", "inline", "--quiet"]
    result = CliRunner().invoke(main, [*command, "--sample", "40%"])
    assert result.exit_code == 0, result.stderr
    assert re.search(r"sample: [45] of 9 splits", result.output)
    before = tree(root)
    assert (root / "mixtures/small-sample.json").exists()
    row = next(line.split() for line in result.output.splitlines() if re.match(r"web +[\d,]+ +[\d,]+ +[\d,]+$", line))
    pages = int(row[1].replace(",", ""))
    whole = run_inline(mixture, root)
    assert made(whole)["documents"] in (4, 5)
    assert {name: found for name, found in tree(root).items() if name in before} == before
    real = sum(facts["rows"] for facts in whole.select()[0]["documents"].facts)
    code = next(line.split() for line in result.output.splitlines() if re.match(r"code +[\d,]+ +[\d,]+ +[\d,]+$", line))
    assert pages + int(code[1].replace(",", "")) == pytest.approx(real, rel=0.25)


def test_a_domain_of_which_the_sample_has_no_page_is_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(12):
        lines = [{"text": f"This is page {k} of file {number}, about a mill.", "url": f"https://a.example/{number}/{k}"}
                 for k in range(4)]  # fmt: skip
        (tmp_path / "in" / f"{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rare = {
        "text": "Seite einer anderen Mühle an einem anderen Fluss, nicht weit von hier.",
        "url": "https://b.example/",
    }
    text = """
        sources: {a: {paths: in/*.jsonl, group_bytes: 0}}
        kept: {families: []}
        domains: {de: {languages: [de]}, en: {languages: [en]}, rest: {sources: [a]}}
        mixture: {on_shortfall: shrink, domains: {de: {share: 0.1}, en: {share: 0.9}}}
    """
    (tmp_path / "m.yaml").write_text(textwrap.dedent(text))
    command = ["run", str(tmp_path / "m.yaml"), "--root", str(tmp_path / "root"), "--engine", "inline"]
    for number in range(12):  # the sample has one or two of the files, by hashes of names and times
        path = tmp_path / "in" / f"{number}.jsonl"
        before = path.read_text()
        path.write_text(before + json.dumps(rare) + "\n")
        result = CliRunner().invoke(main, [*command, "--sample", "10%"])
        assert result.exit_code == 0, result.stderr
        if "sample: domain 'de' has no page" in result.stderr:
            break
        path.write_text(before)
    assert "sample: domain 'de' has no page" in result.stderr
    assert "no page of the sample is of de: its corpus is made without" in result.output
    corpus = json.loads((tmp_path / "root/mixtures/m-sample.json").read_text())["corpus"]
    assert list(json.loads((tmp_path / "root" / corpus).read_text())["domains"]) == ["en"]
    result = CliRunner().invoke(main, [*command, "--quiet"])
    assert result.exit_code == 0, result.stderr
    (tmp_path / "m.yaml").write_text(textwrap.dedent(text).replace("[de]", "[ja]").replace("[en]", "[ko]"))
    result = CliRunner().invoke(main, [*command, "--sample", "10%"])
    assert result.exit_code == 1
    assert "domain 'de' has no page" in result.stderr


def test_a_domain_of_which_the_sample_has_held_out_pages_alone_is_left_out(tmp_path: Path) -> None:
    lines = [
        {"text": f"This is page {k} about a mill, number {k * k}.", "url": f"https://a.example/{k}"} for k in range(60)
    ]
    lines.append(
        {"text": "Seite einer anderen Mühle an einem anderen Fluss, nicht weit von hier.", "url": "https://b.example/"}
    )
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = """
        name: m
        sources: {a: {paths: in.jsonl}}
        kept: {families: []}
        shards: {valid_fraction: 0.45, test_fraction: 0.45}
        domains: {de: {languages: [de]}, en: {languages: [en]}, rest: {sources: [a]}}
        mixture: {on_shortfall: shrink, domains: {de: {share: 0.1}, en: {share: 0.9}}}
    """
    (tmp_path / "m.yaml").write_text(textwrap.dedent(text))
    command = ["run", str(tmp_path / "m.yaml"), "--root", str(tmp_path / "root"), "--engine", "inline"]
    result = CliRunner().invoke(main, [*command, "--sample", "50%"])
    assert result.exit_code == 0, result.stderr
    assert "sample: all that it has of 'de' is held out: its corpus is made without" in result.stderr
    corpus = json.loads((tmp_path / "root/mixtures/m-sample.json").read_text())["corpus"]
    assert list(json.loads((tmp_path / "root" / corpus).read_text())["domains"]) == ["en"]
    assert CliRunner().invoke(main, command).exit_code == 1, "a run of everything says what is wrong"
