"""Extractors, rules and formats of the user's own, from modules beside the mixture file: found, reported, shipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.answers import verify
from pipeline.errors import RunError
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store
from stages import own_modules, quality
from stages.documents import own_format
from tests.support.runs import CHECKOUT, gristmill, made, run_inline, tree
from tests.support.wrong_mixtures import refused

FORMAT = """\
import own_helper

def read(file):
    for block in file.read().decode().split("\\n===\\n"):
        url, _, text = block.partition("\\n")
        if own_helper.is_markup(text):
            yield {"url": url, "html": text}
        else:
            yield {"url": url, "text": text}
"""
HELPER = "def is_markup(text):\n    return text.startswith('<')\n"
RULES = """\
def capitals(texts):
    return [sum(map(str.isupper, text.as_py())) / max(1, len(text.as_py())) for text in texts]

RULES = [{"name": "too_loud", "column": "capital_fraction", "measure": capitals, "max": 0.3}]
"""
EXTRACTOR = """\
import re

def strip(pages):
    return [re.sub(r"<[^>]+>", " ", page.as_py().decode()).strip() for page in pages]
"""
BLOCKS = """\
http://a/quiet
The quiet mill turned by the river when it rained, and the flour was fine.
===
http://a/loud
THE LOUD MILL TURNED BY THE RIVER, and nobody liked it at all.
===
http://a/markup
<p>A page of <b>markup</b> for the extractor of our own, with words in it.</p>
===
http://a/odd
<p>odd</p>
"""
MIXTURE = """\
sources: {a: {paths: a.blocks, format: "own_blocks:read"}}
documents: {extractor: "own_strip:strip"}
quality: {rules: "own_loudness:RULES"}
run: {max_bad_fraction: 0.5}
kept: {families: []}
clusters: {enabled: false}
domains: {d: {sources: [a]}}
mixture: {domains: {d: {share: 1}}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a mixture file, its input, and the modules it names."""
    folder = tmp_path / "own"
    folder.mkdir()
    write(folder, own_blocks=FORMAT, own_helper=HELPER, own_loudness=RULES, own_strip=EXTRACTOR)
    (folder / "a.blocks").write_text(BLOCKS)
    (folder / "m.yaml").write_text(MIXTURE)
    return folder


def write(folder: Path, **modules: str) -> None:
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)


def rows(root: Path, product: str) -> list[dict[str, object]]:
    snapshot = snapshots.load(Store(str(root)))
    return [row for entry in snapshot.product(product) for row in snapshot.store.read_table(entry.address).to_pylist()]


def test_modules_beside_the_mixture_file_read_extract_and_judge(own: Path, tmp_path: Path) -> None:
    done = gristmill("run", own / "m.yaml", "--root", tmp_path / "root", "--engine", "inline")
    assert done.returncode == 0, done.stderr
    texts = [row["text"] for row in rows(tmp_path / "root", "documents")]
    assert texts[2] == "A page of  markup  for the extractor of our own, with words in it."
    reasons = [row["reason"] for row in rows(tmp_path / "root", "kept")]
    assert reasons == [None, "too_loud", None, None]
    assert not (own / "__pycache__").exists()
    verify.verify_root(Store(str(tmp_path / "root")), None)
    moved = tmp_path / "moved"
    own.rename(moved)  # what decides is what the modules hold, and not where they lie
    assert made(run_inline(moved / "m.yaml", tmp_path / "root")) == {}
    show = gristmill("show", "http://a/markup", "--raw", "--root", tmp_path / "root", GRISTMILL_MODULES=str(moved))
    assert "A page of <b>markup</b>" in show.stdout
    lost = gristmill("show", "http://a/markup", "--raw", "--root", tmp_path / "root", GRISTMILL_MODULES="")
    assert "No module named 'own_blocks'; a module lies beside the mixture file" in lost.stderr


def test_an_edit_of_a_module_redoes_what_it_decides_and_a_threshold_only_kept(own: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    run_inline(own / "m.yaml", root)
    write(own, own_loudness=RULES.replace("0.3}", "0.9}"))
    assert not {"documents", "language"} & set(made(run_inline(own / "m.yaml", root)))
    assert [row["reason"] for row in rows(root, "kept")] == [None] * 4
    write(own, own_helper=HELPER.replace("'<'", "'<x'"))  # imported by the format
    assert {"documents", "quality", "kept"} <= set(made(run_inline(own / "m.yaml", root)))
    assert str(rows(root, "documents")[3]["text"]).startswith("<p>odd")
    (own / "m.yaml").write_text(MIXTURE.replace("families: []", "families: [], rules: {too_loud: 0.01}"))
    assert set(made(run_inline(own / "m.yaml", root))) <= {"kept", "survey", "tokens", "shards", "corpus", "report"}
    assert [row["reason"] for row in rows(root, "kept")][:2] == ["too_loud"] * 2
    (own / "m.yaml").write_text(MIXTURE.replace("families: []", "families: [], rules: {too_loud: false}"))
    run_inline(own / "m.yaml", root)
    assert [row["reason"] for row in rows(root, "kept")] == [None] * 4


def test_a_mixture_without_rules_of_its_own_has_the_addresses_it_had() -> None:
    assert "rules" not in quality.Params().model_dump(mode="json")
    assert "rules" in quality.Params(rules=("a:b",)).model_dump(mode="json")


MISTAKES = {
    "own_loudness": {
        "RULES = 3\n": "expected a list of rules, found int",
        "RULES = [{'name': 'x'}]\n": "expected small letters, digits and _ as column, found None",
        "RULES = [{'name': 'x', 'column': 'y', 'measure': len}]\n": "expected a number as min or as max",
        RULES.replace("too_loud", "too_few_words"): "expected names that no rule has already, found too_few_words",
        RULES.replace("return [", "return 1 / 0 or ["): "rule too_loud: capitals raised ZeroDivisionError",
        RULES.replace("return [", "return ['x'] or ["): "rule too_loud: expected 1 numbers, one a text, found list",
        RULES.replace("for text in texts]", "for text in texts][1:]"): "expected 1 numbers, one a text, found 0",
        RULES.replace('"capital_fraction"', '"gopher_num_words"'): "column gopher_num_words is measured already",
        "import nothing_here\n": "cannot be imported: No module named 'nothing_here'",
        "1 / 0\n": "own_loudness.py cannot be imported: ZeroDivisionError: division by zero",
    },
    "own_strip": {
        "strip = 3\n": "own_strip:strip: expected a function, found int",
        "def strip(pages):\n    return [3] * len(pages)\n": "expected 1 texts, one a page, found list",
        "def strip(pages):\n    return ['x']*(len(pages) + 1)\n": "expected 1 texts, one a page, found 2",
        "def strip(pages):\n    return None\n": "expected 1 texts, one a page, found NoneType",
        "def strip(pages):\n    raise KeyError('body')\n": "called on a page, own_strip:strip raised KeyError: 'body'",
    },
    "own_blocks": {
        "def read(file):\n    return 3\n": "own_blocks:read: expected an iterator of records, found int",
        "def read(file):\n    yield 'text'\n": "own_blocks:read: expected a mapping as record 0, found str",
        "def read(file):\n    raise EOFError('cut')\n    yield\n": "a.blocks: own_blocks:read raised EOFError: cut",
        "def read(file, more):\n    yield {}\n": "own_blocks:read raised TypeError",
        "other = 1\n": "has no attribute 'read'",
    },
}


@pytest.mark.parametrize("module", MISTAKES)
def test_what_a_function_does_wrong_is_reported_in_a_line_before_any_work(own: Path, module: str) -> None:
    for source, message in MISTAKES[module].items():
        write(own, **{module: source})
        found = refused(own, MIXTURE)
        assert any(message in line for line in found), (source, found)
        assert len(found) == 1, found


def test_pages_and_files_that_a_function_fails_on_are_counted(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        own,
        own_strip=EXTRACTOR.replace(
            "    return", "    assert not any(b'odd' in page.as_py() for page in pages)\n    return"
        ),
    )
    run_inline(own / "m.yaml", tmp_path / "a")
    (entry,) = snapshots.load(Store(str(tmp_path / "a"))).product("documents")
    assert [(one["offset"], one["reason"]) for one in entry.report["quarantined"]] == [(3, "extraction_failed")]
    write(
        own,
        own_strip=EXTRACTOR,
        own_blocks=FORMAT.replace("        url, _", "        assert 'loud' not in block\n        url, _"),
    )
    run_inline(own / "m.yaml", tmp_path / "b")
    (entry,) = snapshots.load(Store(str(tmp_path / "b"))).product("documents")
    assert entry.report["rows"] == 1
    assert [(one["offset"], one["reason"]) for one in entry.report["bad"]] == [(1, "format_failed")]
    write(
        own,
        own_blocks=FORMAT.replace("        url, _", "        while 'loud' in block:\n            pass\n        url, _"),
    )
    monkeypatch.setattr(own_format, "RECORD_SECONDS", 0.2)
    run_inline(own / "m.yaml", tmp_path / "c")
    (entry,) = snapshots.load(Store(str(tmp_path / "c"))).product("documents")
    assert [(one["offset"], one["reason"]) for one in entry.report["bad"]] == [(1, "format_hangs")]


def test_a_rule_that_fails_on_a_page_fails_the_run_and_shows_the_page(own: Path, tmp_path: Path) -> None:
    write(
        own,
        own_loudness=RULES.replace("    return", "    assert 'LOUD' not in str(texts), 'too loud for me'\n    return"),
    )
    message = "rule too_loud: capitals raised AssertionError: too loud for me, of the text 'THE LOUD MILL"
    with pytest.raises(RunError, match=message):
        run_inline(own / "m.yaml", tmp_path / "root")


def test_names_of_rules_are_checked_with_those_of_ones_own(own: Path) -> None:
    wrong = "families: [], rules: {too_lout: 0.1}, overrides: [{languages: [de], rules: {too_loud: 0.5}}]"
    assert refused(own, MIXTURE.replace("families: []", wrong)) == [
        "5: kept.rules: unknown rule 'too_lout'; did you mean 'too_loud'?"
    ]
    own_section = MIXTURE.replace('own_blocks:read"', 'own_blocks:read", quality: {rules: []}')
    assert "the same for all sources" in refused(own, own_section)[0]
    assert "filled in from quality.rules" in refused(own, MIXTURE.replace("families: []", "own: {}"))[0]
    assert "did you mean 'resiliparse'" in refused(own, MIXTURE.replace("own_strip:strip", "resilliparse"))[0]
    assert "or module:function, found 'jsonlines'" in refused(own, MIXTURE.replace("own_blocks:read", "jsonlines"))[0]


def test_a_module_beside_the_file_comes_first_but_not_before_pythons_own(own: Path) -> None:
    write(own, numba="def read(file):\n    yield {'text': 'x'}\n")
    found = refused(own, MIXTURE.replace("own_blocks:read", "string:read"))
    assert any("module 'string' has no attribute 'read'" in line for line in found)
    write(own, string=FORMAT)
    assert any(
        "'string' is a module of Python's own" in line for line in refused(own, MIXTURE.replace("own_blocks", "string"))
    )


@pytest.mark.parametrize("there", ["nothing", "open to all", "a link"])
def test_packed_modules_are_found_on_another_machine(own: Path, tmp_path: Path, there: str) -> None:
    """Modules in a folder where another user may write are not looked for."""
    shared = tmp_path / f"gristmill-modules-{os.getuid()}"
    if there == "open to all":
        shared.mkdir()
        shared.chmod(0o777)
    elif there == "a link":
        shared.symlink_to(own)
    own_modules.look_in(own)
    own_modules.load("own_blocks")
    packed = own_modules.packed()
    assert {"own_blocks.py", "own_helper.py"} <= set(packed)
    code = (
        "import sys; from stages import own_modules\n"
        f"own_modules.unpack({packed!r})\n"
        "import io; print([row['url'] for row in own_modules.load('own_blocks').read(io.BytesIO(b'u\\ntext'))])\n"
        "print(own_modules.path_of('own_blocks'))"
    )
    env = {"PYTHONPATH": str(CHECKOUT), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd="/", env=env, capture_output=True, text=True, check=False)
    names, place = done.stdout.splitlines()
    assert names == "['u']", done.stderr
    assert Path(place).is_relative_to(shared) == (there == "nothing")
    assert Path(place).parents[1].stat().st_mode & 0o077 == 0


@pytest.mark.ray
def test_workers_of_ray_have_the_modules_and_give_the_same_bytes(own: Path, tmp_path: Path) -> None:
    for engine in ("inline", "ray"):
        done = gristmill("run", own / "m.yaml", "--root", tmp_path / engine, "--engine", engine)
        assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "inline") == tree(tmp_path / "ray")
