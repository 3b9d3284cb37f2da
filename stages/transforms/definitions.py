"""A transform that runs offline: questions and answers from the definition lists of a page.

    transforms:
      glossary: {function: "stages.transforms.definitions:questions", inputs: {sources: [web]}}

A definition list is a block of lines (between empty lines) in one of three shapes, with `least` entries or more:

- a term on a line, its definition on the next, as `<dl>` comes out of the extractor;
- the same, the definition behind ``: ``, as Markdown has it;
- ``term: definition`` or ``term - definition`` (also en and em dash) on each line.

A term has up to six words and 60 characters and no mark that ends a sentence; a definition has four words or more and
ends as a sentence does. A block with any other line in it is left alone: prose, code, menus and tables are none. Of
each list comes one text: per entry the question (`question`, with the term in it), a line feed, the definition; an
empty line between entries. Nothing is invented, and nothing is left out of a list that is taken.

Price: one look at every line, about 20 MB/s; linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa

MOST_TERM_WORDS, MOST_TERM_CHARACTERS, LEAST_DEFINITION_WORDS = 6, 60, 4
ENDS = (".", "!", "?", "。", "।", "؟", "…", '."', ".)", ".”", ".»")
IN_TERM = re.compile(r"[.!?:;,。：；|=<>{}\[\]]")
LETTER = re.compile(r"[^\W\d_]")
ON_ONE_LINE = re.compile(r"^(?:[-*•] )?(?P<term>[^:–—]{1,60}?)(?:: | [-–—] )(?P<definition>\S.*)$")
BLOCK = re.compile(r"\n[ \t]*\n")

Entry = tuple[str, str]


def questions(rows: pa.RecordBatch, *, question: str = "What is {term}?", least: int = 3) -> Iterator[list[str]]:
    """Of each page its definition lists as questions and answers, a text a list.

    Args:
        question: what is asked, with ``{term}`` in it.
        least: entries of a list that is taken.

    Raises:
        ValueError: the question has no ``{term}``, or ``least`` is not positive.
    """
    if "{term}" not in question or least < 1:
        raise ValueError(f"expected {{term}} in the question and least of 1 or more, found {question!r} and {least}")
    for text in rows.column("text"):
        blocks = BLOCK.split(text.as_py())
        lists = [entries for block in blocks if len(entries := definitions(block)) >= least]
        yield ["\n\n".join(f"{question.replace('{term}', t)}\n{d}" for t, d in entries) for entries in lists]


def definitions(block: str) -> list[Entry]:
    """(term, definition) of every entry of a block that is a definition list; none of another block."""
    lines = [line.strip() for line in block.split("\n")]
    if len(lines) % 2 == 0:
        pairs = [(lines[i], lines[i + 1].removeprefix(": ")) for i in range(0, len(lines), 2)]
        if all(is_entry(*pair) for pair in pairs):
            return pairs
    found = [ON_ONE_LINE.match(line) for line in lines]
    entries = [(one["term"].strip(), one["definition"].strip()) for one in found if one]
    return entries if len(entries) == len(lines) and all(is_entry(*entry) for entry in entries) else []


def is_entry(term: str, definition: str) -> bool:
    """Whether two texts may be a term and what it means."""
    if not 0 < len(term) <= MOST_TERM_CHARACTERS or len(term.split()) > MOST_TERM_WORDS:
        return False
    if IN_TERM.search(term) or not LETTER.search(term):
        return False
    return len(definition.split()) >= LEAST_DEFINITION_WORDS and definition.endswith(ENDS)
