"""The docs say what is true: keys, files and commands named in them exist, and none is missing."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli import main
from pipeline.recipe.reference import page
from stages.documents.archives import PLAIN_RECORDS
from stages.kept import params
from stages.kept.takedown import TAKEN_DOWN
from stages.rules import reasons, rights
from tests.support.shard_folders import random_documents, write_folder
from tools import docs_site, write_map, write_reference

ROOT = Path(__file__).resolve().parents[1]


def test_the_reference_of_mixture_files_is_that_of_the_models() -> None:
    written = (ROOT / "docs" / "mixtures.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m pipeline.recipe.reference > docs/mixtures.md"


def test_the_readme_names_every_command_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^gristmill (\w[\w-]*)", text, re.MULTILINE))
    assert named == set(main.commands)


def test_the_readme_is_short_and_shows_a_real_report() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.encode()) <= 10 * 1024
    [picture] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    image = (ROOT / picture).read_bytes()
    assert image.startswith(b"\x89PNG")
    assert len(image) < 150_000


def test_the_map_of_the_house_lists_every_file() -> None:
    assert write_map.PAGE.read_text(encoding="utf-8") == write_map.page(), "run: python -m tools.write_map"


PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
PAGES += [ROOT / "examples" / "README.md"]


SOURCES = sorted(path for room in ("pipeline", "stages", "tools") for path in (ROOT / room).rglob("*.py"))
PAST = ROOT / "docs" / "log.md"
"""What it names stood on its day."""


def module(name: str) -> Path | None:
    """The file or folder of a dotted name; None where there is none."""
    path = ROOT.joinpath(*name.split("."))
    return next((one for one in (path.with_suffix(".py"), path) if one.exists()), None)


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_modules_that_a_page_or_a_docstring_names_exist(path: Path) -> None:
    if path == PAST:
        return
    text = path.read_text(encoding="utf-8")
    files = re.findall(r"`((?:stages|pipeline|tests|tools|benchmarks|cluster)/[\w/.-]+\.(?:py|md|sh|yaml))`", text)
    assert [name for name in files if "NAME" not in name and not (ROOT / name).exists()] == []
    names = re.findall(r"`((?:stages|pipeline|tools|benchmarks)(?:\.\w+)+)`", text)
    for name in names:
        before, _, last = name.rpartition(".")
        found = module(name) or module(before) or module(before.rpartition(".")[0])
        assert found is not None, name
        if module(name) is None:  # something of a module, or of a class in it
            source = found / "__init__.py" if found.is_dir() else found
            assert re.search(rf"\b{last}\b", source.read_text(encoding="utf-8")), name


def prose(path: Path) -> str:
    """A page without its blocks of code, in which brackets are no links and # begins no heading."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """What a heading is called in an address, by GitHub and by the generator of the site alike."""
    headings = re.findall(r"^#+ +(.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?![a-z]+:)([^)\s]+)", prose(path)):
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), f"{path.name} links to {target}"
        assert place.is_relative_to(ROOT), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors(place), f"{path.name} links to {target}, which has no such heading"


def test_every_page_is_in_the_navigation_of_the_site_and_every_entry_is_there(tmp_path: Path) -> None:
    def entries(nav: Any) -> list[str]:
        if isinstance(nav, str):
            return [nav]
        return [name for one in (nav.values() if isinstance(nav, dict) else nav) for name in entries(one)]

    listed = entries(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    docs_site.gather(tmp_path / "site")
    gathered = {str(page.relative_to(tmp_path / "site")) for page in (tmp_path / "site").rglob("*.md")}
    assert sorted(listed) == sorted(gathered)
    assert {str(path.relative_to(ROOT)) for path in PAGES} <= gathered


def test_the_reference_pages_are_those_of_the_code() -> None:
    for name, write in write_reference.PAGES.items():
        written = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert written == write(), "run: python -m tools.write_reference"
    outside = {*params.FIRST, *rights.RULES, *params.LAST, *params.DUPLICATES}
    assert set(reasons.OUTSIDE) == outside | {TAKEN_DOWN}, "say when a page has the reason"
    assert set(params.ORDER) == outside | set(params.PUBLISHED)


def test_every_reason_of_reading_says_when_a_record_has_it() -> None:
    """Reasons are found in the code that gives them: ``drop("...")``, ``Refused("...")``, and what papers return."""
    found = {f"{kind}_record" for kind in PLAIN_RECORDS}
    papers = set()
    for path in (ROOT / "stages" / "documents").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'(?:account\.drop\(|_drop\(dropped, |reasons\[)"(\w+)"', text))
        found |= {name for pair in re.findall(r'account\.drop\("(\w+)" if \w+ else "(\w+)"', text) for name in pair}
        found |= set(re.findall(r'"(pdf_(?:cut|encrypted|damaged|too_large|without_text))"', text))
        papers |= {name for call in re.findall(r"raise Refused\((.*)\)", text) for name in re.findall(r'"(\w+)"', call)}
    found |= {f"{kind}_{name}" for kind in ("docx", "epub") for name in papers} | {
        "unchanged",
        "repeats_a_sibling",
        "quarantined",
    }
    assert len(found) > 30
    assert found == set(reasons.READING), "say in stages/rules/reasons.py when a record has it"


def test_the_pull_request_workflow_runs_words_of_the_makefile() -> None:
    words = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert set(runs) == {"make -j3 setup check", "make test", "make thorough", "make docs"}
    assert {word for run in runs for word in run.split()[1:] if word.isalpha()} <= words


@pytest.mark.slow
def test_every_module_says_what_it_is_for() -> None:
    for folder in ("pipeline", "stages", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not tree.body or ast.get_docstring(tree), f"{path} has no docstring"


def test_nothing_in_the_repository_names_a_machine() -> None:
    places = ("work/main", "work/shared", "tmp/venv", "root/.")
    pattern = re.compile("|".join(re.escape("/" + place) for place in places))
    for folder in ("pipeline", "stages", "tests", "benchmarks", "docs", "mixtures"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yaml", ".j2"):
                assert not pattern.search(path.read_text(encoding="utf-8")), path


def test_the_reader_in_the_readme_reads_every_sample_once_and_says_where_it_is(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    write_folder(tmp_path / "corpus", [[random_documents(200)]])
    small = code[1].replace("4096", "16").replace("512", "16")
    names: dict[str, Any] = {"folder": tmp_path / "corpus"}
    exec(small, names)  # the README's own words, at a smaller size
    assert names["state"]["consumed_samples"] == len(names["samples"])
    assert set(names["batch"]) == {"input_ids", "labels", "index", "consumed_samples"}
