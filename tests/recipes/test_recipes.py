"""Each recipe is applied to a copy and the thing is found measured, verified, shown, counted and documented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recipes.copy import Copy
from tests.support.corpora import documented, write_corpus, write_mixture

ADDRESS = f"https://docs.example/{documented()[0][0]}"


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    made = Copy.make(tmp_path / "copy")
    yield made
    made.close()


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    return write_mixture(tmp_path / "a.yaml", write_corpus(tmp_path / "in", files=2))


RULE = '''"""How much of a page is shouted: our own family, to show how one is added.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_many_exclamation_marks` | `shouting_marks_per_token` | > 0.2 |

Equality keeps. Tokens are those of `quality.unit`. Price: one count over the bytes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.words.words import Words
from stages.rules.rule import Rule, fractions

FIELDS = (pa.field("shouting_marks_per_token", pa.float64()),)
RULES = (Rule("too_many_exclamation_marks", "shouting_marks_per_token", "max", 0.2),)


def measure(data: Bytes, offsets: Offsets, words: Words) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    before = np.concatenate(([0], np.cumsum(data == ord("!"))))
    marks = before[offsets[1:]] - before[offsets[:-1]]
    return [fractions(marks, np.diff(words.words_D1))]
'''
TWIN = """    _family(
        "shouting",
        "words",
        lambda text: {"shouting_marks_per_token": slow_rules.ratio(text.count("!"), len(text.split()))},
    ),
"""


def test_a_rule_family_is_four_files(copy: Copy, mixture: Path, tmp_path: Path) -> None:
    copy.add("stages/rules/shouting.py", RULE)
    copy.insert("stages/rules/families.py", '    "bad_words": Family(', SHOUTING)
    copy.insert("tests/support/quality_kernels.py", '    _unit("white_space"', TWIN)
    copy.insert("docs/decisions/quality.md", "| words by white_space |", "| shouting | words | 900 | 30 | 1.0 |\n")
    assert len(copy.touched) == 4
    families = copy.folder / "stages/rules/families.py"
    families.write_text(families.read_text().replace("    redpajama,\n", "    redpajama,\n    shouting,\n", 1))
    copy.python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernels/test_quality.py", "-k", "shouting or row"
    )
    text = mixture.read_text().replace("families: [gopher_quality]", "families: [gopher_quality, shouting]")
    assert "shouting" in text
    mixture.write_text(text + "quality: {families: [gopher_quality, shouting]}\n")
    root = tmp_path / "root"
    copy.gristmill("run", mixture, "--root", root, "--engine", "inline", "--quiet")
    assert "all is well" in copy.gristmill("verify", "--root", root)
    assert "shouting_marks_per_token" in copy.gristmill("show", ADDRESS, "--root", root)
    assert "too_many_exclamation_marks" in copy.gristmill("why", ADDRESS, "--root", root)
    stats = json.loads(copy.gristmill("stats", "--root", root, "--json"))
    assert "shouting_marks_per_token" in {entry["column"] for entry in stats["survey"]["histograms"]}
    assert "`too_many_exclamation_marks`" in copy.python("-m", "pipeline.recipe.reference")
    assert "shouting.py" in copy.python("-c", "from tools.write_map import page; print(page())")


SHOUTING = """    "shouting": Family(
        shouting.FIELDS, shouting.RULES, ("data", "offsets", "words"), shouting.measure, by_default=False
    ),
"""

PRODUCT = '''"""`topics`: a topic for every page, by the word of a list that it has most of. A map product.

For domains and rules: ``topic_share``. Input: `documents` (``text``). Output: `schemas.TOPICS`, row for row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from stages import schemas
from stages.contract import StageParams

VERSION = 1


class Params(StageParams):
    """Settings of `topics`."""

    words: tuple[str, ...] = ()
    """Words that name topics; without any, the product is not made."""


def identity(params: Params) -> dict[str, Any]:
    """Nothing outside the parameters decides the output."""
    return {}


def schema(params: Params) -> pa.Schema:
    return schemas.TOPICS


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The function returned gives one batch of `documents` its topics."""

    def label(batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = []
        for text in batch.column("text").to_pylist():
            found = {word: text.lower().split().count(word) for word in params.words}
            best = max(found, key=found.__getitem__)
            share = found[best] / max(1, len(text.split()))
            rows.append({"topic": best if found[best] else None, "topic_share": share})
        return pa.RecordBatch.from_pylist(rows, schema=schemas.TOPICS)

    return label
'''
SCHEMA = """TOPICS = pa.schema([pa.field("topic", pa.string()), pa.field("topic_share", pa.float64(), nullable=False)])

"""
ENTRY = """    _in_pass(
        "topics",
        topics,
        on=lambda sections: bool(sections["topics"].words),
        params=topics.Params,
        columns=lambda params: schemas.TOPICS,
    ),
"""
TEST = '''"""`topics`: the word of the list that a page has most of."""

import pyarrow as pa

from stages import topics


def test_the_word_that_stands_most_often_is_the_topic() -> None:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(["a map of a map", "nothing"], pa.large_string())})
    found = topics.prepare(topics.Params(words=("map", "mill")))(batch).to_pylist()
    assert found == [{"topic": "map", "topic_share": 0.4}, {"topic": None, "topic_share": 0.0}]
'''


def test_a_map_product_that_domains_can_use_is_four_files(copy: Copy, mixture: Path, tmp_path: Path) -> None:
    copy.add("stages/topics.py", PRODUCT)
    copy.insert("stages/schemas.py", "KEPT = pa.schema(", SCHEMA)
    copy.insert("pipeline/recipe/graph.py", '    _in_pass("signatures", signatures,', ENTRY)
    copy.add("tests/products/test_topics.py", TEST)
    assert len(copy.touched) == 4
    listing = copy.folder / "pipeline/recipe/graph.py"
    listing.write_text(listing.read_text().replace("    tokens,\n)", "    tokens,\n    topics,\n)", 1))
    copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/products/test_topics.py")
    text = mixture.read_text().replace(
        "domains:\n", "domains:\n  about: {sources: [web], min: {topic_share: 0.01}}\n", 1
    )
    text = text.replace("mixture:\n  domains:\n", "mixture:\n  domains:\n    about: {share: 0.1}\n").replace(
        "0.7}", "0.6}"
    )
    mixture.write_text(text + "topics: {words: [object, file, string]}\n")
    root = tmp_path / "root"
    copy.gristmill("run", mixture, "--root", root, "--engine", "inline", "--quiet")
    assert "topics" in copy.gristmill("verify", "--root", root)
    assert "topics" in copy.gristmill("status", "--root", root)
    assert "topic_share" in copy.gristmill("show", ADDRESS, "--root", root)
    assert "topic_share" in copy.gristmill("why", ADDRESS, "--root", root)
    stats = json.loads(copy.gristmill("stats", "--root", root, "--json"))
    assert next(row for row in stats["domains"] if row["domain"] == "about")["documents"] > 0
    assert "topic_share" in {entry["column"] for entry in stats["survey"]["histograms"]}
    assert "words that name topics" in copy.python("-m", "pipeline.recipe.reference").lower()
    damaged = next((root / "topics").rglob("*.parquet"))
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(AssertionError, match=damaged.name):
        copy.gristmill("verify", "--root", root)


EXPORTER = '''"""Ids as text, a line a document: shows how an exporter is added."""

from __future__ import annotations

from pathlib import Path

from pipeline.exports.target import Export, empty_folder, whole_file, written
from pipeline.reader import TokenShards


def export_lines(shards: TokenShards, folder: str | Path) -> Export:
    """``ids.txt``: the ids of a document in decimal, spaces between them."""
    folder = empty_folder(folder)
    with whole_file(folder / "ids.txt") as file:
        for segment in range(shards.num_segments):
            values, offsets = shards.arrays(segment)
            for start, stop in zip(offsets[:-1], offsets[1:], strict=True):
                file.write(" ".join(map(str, values[start:stop])).encode() + b"\\n")
    return written(folder, "lines", shards, f"open('{folder}/ids.txt')")
'''
EXPORT_TEST = '''"""Ids as text."""

from pathlib import Path

from pipeline.exports.lines import export_lines
from pipeline.reader import TokenShards
from tests.support.shard_folders import random_documents, write_folder


def test_a_line_a_document(tmp_path: Path) -> None:
    documents = random_documents(20)
    write_folder(tmp_path / "corpus", [[documents]])
    export_lines(TokenShards(tmp_path / "corpus"), tmp_path / "out")
    lines = (tmp_path / "out" / "ids.txt").read_text().splitlines()
    assert [len(line.split()) for line in lines] == [len(ids) for ids in documents]
'''


def test_an_exporter_is_three_files(copy: Copy, mixture: Path, tmp_path: Path) -> None:
    copy.add("pipeline/exports/lines.py", EXPORTER)
    copy.insert("pipeline/exports/__init__.py", '    "nanosets": export_nanosets,', '    "lines": export_lines,\n')
    copy.add("tests/exports/test_lines.py", EXPORT_TEST)
    assert len(copy.touched) == 3
    table = copy.folder / "pipeline/exports/__init__.py"
    imported = "from pipeline.exports.litdata import export_litdata\n"
    table.write_text(
        table.read_text().replace(imported, "from pipeline.exports.lines import export_lines\n" + imported)
    )
    copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/exports/test_lines.py")
    assert "lines" in copy.gristmill("export", "--help")


SUBTITLES = '''"""SubRip subtitles (``.srt``): what is said in a film is a page.

A page's position is 0. Numbers and times are left out; bytes that are no UTF-8 become U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stages.documents.page import Page


def subtitle_pages(stream: Any) -> Iterator[Page]:
    """The one page of a file."""
    body = stream.read()
    lines = body.decode("utf-8", "replace").splitlines()
    text = "\\\\n".join(line for line in lines if line.strip() and not line.strip().isdigit() and "-->" not in line)
    yield Page(offset=0, raw_bytes=len(body), content_type="application/x-subrip", text=text)
'''
SUBTITLES_TEST = '''"""Subtitles."""

from __future__ import annotations

from pathlib import Path

from tests.support.archives import read, whole


def test_what_is_said_is_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\\\\n00:00:01,000 --> 00:00:02,000\\\\nHello\\\\nthere\\\\n")
    rows, _ = read(whole(tmp_path / "a.srt"))
    assert [row["text"] for row in rows] == ["Hello\\\\nthere"]
'''


def test_an_input_format_is_four_files(copy: Copy) -> None:
    copy.add("stages/documents/subtitles.py", SUBTITLES.replace("\\\\n", "\\n"))
    copy.insert(
        "stages/formats/__init__.py", '        Container("tar", (".tar",)),', '        Container("srt", (".srt",)),\n'
    )
    copy.insert(
        "stages/documents/readers.py",
        '    "tar": Reader(',
        '    "srt": Reader(lambda one: subtitles.subtitle_pages(one.file), raw.whole),\n',
    )
    copy.add("tests/documents/test_subtitles.py", SUBTITLES_TEST.replace("\\\\n", "\\n"))
    assert len(copy.touched) == 4
    readers = copy.folder / "stages/documents/readers.py"
    readers.write_text(
        readers.read_text().replace("from stages.documents import ", "from stages.documents import subtitles, ", 1)
    )
    tests = ("tests/documents/test_subtitles.py", "tests/documents/test_formats.py")
    copy.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "said_is_the_text or container")
