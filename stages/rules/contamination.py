"""Benchmarks: evaluation sets whose items no page should contain, their parts, and the rule that drops pages with them.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `contaminated` | `contamination_score` | > 0.7 |

An item has *parts*: a question, an answer, choices, a passage (a text that the question is about), a solution (of which
28 words or more give the item away, as of code). The columns are those of the product `contamination`, which says how
pages are scored; what is found is one of `FOUND`. A passage alone is the source of an item rather than the item: it is
found and reported, and drops nothing unless a threshold of its own is set (`Thresholds`).

A benchmark is a JSONL (.jsonl, .json, .ndjson), CSV (.csv, .tsv), Parquet or text file (a line an item; also .gz or
.zst). ``parts`` names the fields of each part; without it, fields of the usual names (`USUAL`) are taken; a file that
has none of them, and every file with ``fields``, holds questions alone: all strings of a row, or of those fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from stages import schemas
from stages.contract import StageParams
from stages.rules.row_files import mark, rows, sha256
from stages.rules.rule import Rule, as_stored

Part = Literal["question", "answer", "choices", "passage", "solution"]
PARTS: tuple[Part, ...] = ("question", "answer", "choices", "passage", "solution")
USUAL: dict[Part, tuple[str, ...]] = {
    "question": ("question", "prompt", "problem", "query", "ctx", "sentence", "input"),
    "answer": ("answer", "answers", "correct_answer", "best_answer", "target", "label", "gold"),
    "choices": ("choices", "options", "endings", "mc1_targets"),
    "passage": ("passage", "context", "article", "story", "support"),
    "solution": ("solution", "canonical_solution", "rationale", "explanation"),
}
"""Names of fields by part, for files whose parts are not named; the first that a row has is taken."""
FOUND = ("question", "question_answer", "solution", "passage")
"""Parts of an item that are found: its question alone, with answer, choices or passage, its solution alone, its
passage alone."""
SCORE = 0.7
"""Threshold; measured on pages with planted items and with common texts (`docs/decisions/decontamination.md`)."""

LEAST_WORDS = 4
"""Least words of an item that can be found (`stages.kernels.words.seeds`)."""
_WORD = re.compile(r"[^\W\d_]+|\d+")
_UNSPACED = "\u0e00"
"""First of the scripts without spaces, whose letters are words."""

RULES = (Rule("contaminated", "contamination_score", "max", SCORE),)
COLUMNS = ("contamination_score", "contamination_spans")
"""Columns that `Thresholds` decide anew, from the hits."""
HITS = "contamination_hits"


class Benchmark(StageParams):
    """A file of items no page should contain."""

    path: str
    name: str = ""
    """Its name in the columns; the file's name without its endings if empty."""
    parts: dict[Part, str | tuple[str, ...]] = Field(default={})
    """Fields (JSONL) or columns (Parquet, CSV) of each part: question, answer, choices, passage, solution."""
    fields: tuple[str, ...] = ()
    """Instead of parts: fields whose text, joined, is the question; none: the usual names, or every string."""

    @model_validator(mode="after")
    def _one_way(self) -> Benchmark:
        if self.parts and self.fields:
            raise ValueError("expected `parts` or `fields`, found both; `fields` are what `parts: {question: ...}` is")
        if self.parts and not {"question", "passage", "solution"}.intersection(self.parts):
            raise ValueError("expected a question, a passage or a solution among the parts: nothing else is looked for")
        return self

    @field_validator("parts")
    @classmethod
    def _sorted(cls, parts: dict[Part, Any]) -> dict[Part, Any]:
        return {part: parts[part] for part in PARTS if part in parts}

    def label(self) -> str:
        """The name in the columns."""
        return self.name or Path(self.path).name.partition(".")[0]

    def columns(self) -> list[str]:
        """The fields it reads; none: all."""
        return [*self.fields, *(name for named in self.parts.values() for name in _names(named))]


class Benchmarks(StageParams):
    """Evaluation sets to look for."""

    files: tuple[Benchmark, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _old(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "ngram" in data:
            raise ValueError(
                "`ngram` is no more: items are found from four words on and scored from 0 to 1; take it out, and set"
                f" kept.rules.contaminated if {SCORE} is not what is wanted"
            )
        return data

    @field_validator("files")
    @classmethod
    def _names_differ(cls, files: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
        labels = [one.label() for one in files]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"expected a name for each file, found {twice[0]!r} twice: set `name`")
        return files


class Thresholds(StageParams):
    """Scores from which hits of one benchmark count, by what is found; false: never."""

    question: float | bool = SCORE
    question_answer: float | bool = SCORE
    solution: float | bool = SCORE
    passage: float | bool = False

    @field_validator("*")
    @classmethod
    def _score(cls, value: float | bool) -> float | bool:
        if value is True:
            return SCORE
        if value is not False and not 0 <= value <= 1:
            raise ValueError(f"expected a score from 0 to 1 or false, found {value!r}")
        return value


@dataclass(frozen=True)
class Item:
    """One item of a benchmark, by parts; empty where it has none."""

    question: str
    answer: str
    choices: tuple[str, ...]
    passage: str
    solution: str


def identity(params: Benchmarks) -> list[dict[str, Any]]:
    """Everything that decides what is looked for: of each file its name, parts and SHA-256, and how it is written."""
    found = []
    for one in params.files:
        entry = {"name": one.label(), "parts": one.parts, "fields": one.fields, "sha256": sha256(one.path)}
        found.append(entry | ({"encoding": written} if (written := mark(one.path)) else {}))
    return found


def check(benchmark: Benchmark, *, every_field: bool = True) -> None:
    """Read a benchmark once, as far as needed.

    Args:
        every_field: whether each field of a part has to be in some row of a JSONL or CSV file.

    Raises:
        ValueError, OSError: it cannot be read, has no item, none has text in the fields named, no row has a field of
            a part, or no item has four words.
    """
    num_items, findable = 0, False
    missing = {name for named in benchmark.parts.values() for name in _names(named)} if every_field else set()
    others: dict[str, None] = {}
    for row in rows(benchmark.path, benchmark.columns()):
        texts = [] if findable else _looked_for(_item(row, benchmark))
        num_items += bool(texts)
        findable = findable or any(_has_words(text) for text in texts)
        missing.difference_update(row)
        others.update(dict.fromkeys(row))
        if findable and not missing:
            return
    fields = f" in the fields {', '.join(benchmark.columns())}" if benchmark.columns() else ""
    if not num_items:
        raise ValueError(f"{benchmark.path}: no text{fields}")
    if missing:
        raise ValueError(f"{benchmark.path}: no row has {min(missing)!r}; it has {', '.join(others)}")
    found = f"found {num_items} of fewer: pages cannot be recognised by them"
    raise ValueError(f"{benchmark.path}: expected an item of {LEAST_WORDS} words or more, {found}")


def _looked_for(item: Item) -> list[str]:
    return [text for text in (item.question, item.passage, item.solution) if text.strip()]


def _has_words(text: str) -> bool:
    """Whether a text may have the words by which an item is found."""
    return len(_WORD.findall(text)) >= LEAST_WORDS or max(text) >= _UNSPACED


def items(benchmark: Benchmark) -> Iterator[Item]:
    """Its items, a row each.

    Raises:
        ValueError, OSError: see `stages.rules.row_files.rows`.
    """
    for row in rows(benchmark.path, benchmark.columns()):
        yield _item(row, benchmark)


def _item(row: dict[str, Any], benchmark: Benchmark) -> Item:
    if benchmark.parts:
        values = {part: [row.get(name) for name in _names(named)] for part, named in benchmark.parts.items()}
    elif benchmark.fields:
        values = {"question": [row.get(name) for name in benchmark.fields]}
    else:
        taken = {
            part: next((name for name in names if _is_given(part, row.get(name))), None)
            for part, names in USUAL.items()
        }
        values = {part: [row[name]] for part, name in taken.items() if name is not None}
        if not {"question", "passage", "solution"}.intersection(values):
            values = {"question": [row]}
    choices = tuple(text for text in _choices(values.get("choices", [])) if text.strip())
    values["answer"] = [_listed(value) for value in values.get("answer", [])]
    text = {part: " ".join(_strings(values.get(part, []))) for part in PARTS if part != "choices"}
    answer = _answer(values["answer"], choices) or text["answer"]
    return Item(text["question"], answer, choices, text["passage"], text["solution"])


def _answer(values: list[Any], choices: Sequence[str]) -> str:
    """The choice that a number or a letter stands for; '' where it is text."""
    if len(values) != 1 or not choices:
        return ""
    value = values[0]
    letter = value.strip().upper() if isinstance(value, str) else ""
    if len(letter) == 1 and letter.isalpha():
        value = ord(letter) - ord("A")
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return choices[value] if is_number and 0 <= value < len(choices) else ""


def _is_given(part: Part, value: Any) -> bool:
    """Whether a field has a value of a part; of an answer 0 is one, as the number of the first choice."""
    return bool(value) or (part == "answer" and value == 0 and not isinstance(value, bool))


def _listed(value: Any) -> Any:
    """The texts of a value that keeps others beside them, labels (ARC, TruthfulQA) or places (SQuAD): lists of both, or
    a list with each text beside its own."""
    if isinstance(value, list):
        return [_listed(one) for one in value]
    if isinstance(value, dict):
        if isinstance(value.get("text"), str | list):
            return value["text"]
        return value["choices"] if isinstance(value.get("choices"), list) else value
    return value


def _choices(value: Any) -> Iterator[str]:
    value = _listed(value)
    if isinstance(value, list):
        for part in value:
            yield from _choices(part)
    elif isinstance(value, dict) and all(isinstance(flag, int) for flag in value.values()):
        yield from map(str, value)  # as TruthfulQA has them: text -> 0 or 1
    else:
        yield from _strings(value)


def _names(named: str | tuple[str, ...]) -> tuple[str, ...]:
    return (named,) if isinstance(named, str) else named


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        return
    elif isinstance(value, int | float):
        yield str(value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def applied(pages: pa.Table, thresholds: Mapping[str, Thresholds]) -> pa.Table:
    """The pages with `COLUMNS` as ``thresholds`` (by benchmark; '*' for the others) have them, from their hits.

    A hit's score is moved by as much as its threshold differs from `SCORE`, so that the rule `contaminated`, at
    whatever threshold it is for a page, sees it on the same scale; spans are those of hits that count.
    """
    if not thresholds or HITS not in pages.column_names:
        return pages
    usual = thresholds.get("*", Thresholds())
    found = pages.column(HITS).combine_chunks()
    scores = np.zeros(pages.num_rows, np.float32)
    spans: list[list[dict[str, Any]]] = [[] for _ in range(pages.num_rows)]
    for row in np.flatnonzero(found.value_lengths().to_numpy(zero_copy_only=False)).tolist():
        pieces = []
        for hit in found[row].as_py():
            least = getattr(thresholds.get(hit["benchmark"], usual), hit["part"])
            if least is not False:
                bound = float(as_stored(float(least), pa.float32()))
                scores[row] = max(scores[row], hit["score"] - bound + SCORE)
                if hit["score"] > bound:
                    pieces.append((hit["start"], hit["stop"]))
        spans[row] = joined(pieces)
    made = {COLUMNS[0]: pa.array(scores), COLUMNS[1]: pa.array(spans, pa.list_(schemas.SPAN))}
    for name in COLUMNS:
        if name in pages.column_names:
            pages = pages.set_column(pages.column_names.index(name), name, made[name])
    return pages


def joined(pieces: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Spans that cut these stretches of bytes, sorted, those that touch as one."""
    spans: list[dict[str, Any]] = []
    for start, stop in sorted(pieces):
        if spans and start <= spans[-1]["stop"]:
            spans[-1]["stop"] = max(spans[-1]["stop"], stop)
        else:
            spans.append({"start": start, "stop": stop, "replacement": ""})
    return spans
