"""`quality`: every measurement of every published rule family, one number a column, and no decision.

For whom: `kept` applies thresholds to it, domains select by it, `calibrate` and the report show its distributions.

Input: `documents` (column ``text``). Output: row for row, the fields of every family switched on, in the order of
`FAMILIES` (`schema(params)`). The rule files in `stages/rules/` define each column, with the paper and our deviations.

Method: words and lines are found once a piece of about ``PIECE_BYTES`` of text, which then stays in the processor's
cache while the families' kernels pass over it. Price: see `docs/decisions/quality.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, field_validator

from stages.contract import GrownParams
from stages.kernels.columns.ragged import Bytes, Offsets, runs_of, text_buffers
from stages.kernels.unicode import characters
from stages.kernels.unicode.bitmaps import find_planes
from stages.kernels.words.as_written import split_as_written
from stages.kernels.words.c4_lines import C4Lines, c4_lines
from stages.kernels.words.code import Facts, code_facts
from stages.kernels.words.line_kinds import LineKinds, line_kinds
from stages.kernels.words.lines import Lines, split_lines
from stages.kernels.words.literals import Hits, Literals, find_literals, literals
from stages.kernels.words.mark_sentences import Sentences, mark_sentences
from stages.kernels.words.ngrams import Repetition, repeated_ngrams
from stages.kernels.words.script_lines import lines_by_script
from stages.kernels.words.spacy_words import split_script_words, split_spacy_words
from stages.kernels.words.unspaced import mostly_unspaced
from stages.kernels.words.word_sentences import count_sentences
from stages.kernels.words.words import Words, split_words
from stages.rules import (
    chrome,
    classifiers,
    contamination,
    fineweb_cleaned,
    madlad,
    own_functions,
    own_rules,
    views,
    word_lists,
)
from stages.rules.classifiers import Classifier
from stages.rules.ensembles import Ensemble
from stages.rules.families import FAMILIES, MEASURED, versions
from stages.rules.names import check_languages, check_names

VERSION = 5
PIECE_BYTES = 1 << 20


Unit = Literal["as_written", "white_space", "spacy", "script"]
Splitter = Callable[..., Words]
"""``(data, offsets, planes)`` to words; the planes are found where they are not given."""
UNITS: dict[str, Splitter] = {
    "as_written": split_as_written,
    "white_space": split_words,
    "spacy": split_spacy_words,
    "script": split_script_words,
}
BY_SCRIPT = ("as_written", "script")
"""Units that go by the script of a page: C4's lines too then (`stages.kernels.words.script_lines`)."""


class Params(GrownParams):
    """Settings of `quality`."""

    later = frozenset({"rules"})

    unit: Unit = "as_written"
    """The word of Gopher's rules, FineWeb's line breaks, RedPajama's words, C4's lines and sentences: `as_written`, by
    `script` on pages most of whose letters are of scripts without spaces, by `white_space` on others; what stands
    between `white_space` on all; what `spacy`'s English tokenizer makes of it, punctuation apart, as the recipe that
    made FineWeb counts on every page; or by `script`: as spacy, and scripts without spaces are cut too."""
    families: tuple[str, ...] = tuple(name for name in MEASURED if FAMILIES[name].by_default)
    """Rule families to measure."""
    views: tuple[str, ...] = ()
    """Cleaned texts to have spans for (`stages.rules.views`)."""

    classifiers: dict[str, Classifier] = Field(default={})
    """fastText models to apply: name -> model; the score of ``x`` is the column ``x_score``."""
    ensembles: dict[str, Ensemble] = Field(default={}, exclude=True)
    """Several scores as one, by percentile: the score of `x` is the column `x_score` of the product `ensembles`."""
    benchmarks: contamination.Benchmarks = contamination.Benchmarks()
    """Evaluation sets no page should contain: the products `overlaps` and `contamination` look for them."""

    stop_words: dict[str, word_lists.Words] = Field(default={})
    """Stop words by language: a list, or a file with one a line, in the place of the shipped one (35 languages beside
    English); the rule `too_few_stop_words` takes those, and is off for a language that has none."""
    bad_words: dict[str, word_lists.Words] = Field(default={})
    """Words nobody wants, by language or for `all`, in the same way; the rule `has_bad_words` drops pages with any."""

    rules: tuple[str, ...] = ()
    """Rules of your own, as `module:RULES`, the module beside this file ([extending.md](extending.md)): measured for
    all sources, and on at their thresholds unless `kept.rules` says otherwise."""

    @field_validator("rules", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("rules")
    @classmethod
    def _rules(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(own_functions.checked(name) for name in names)

    @field_validator("stop_words", "bad_words")
    @classmethod
    def _lists(cls, lists: dict[str, word_lists.Words]) -> dict[str, word_lists.Words]:
        check_languages([name for name in lists if name != word_lists.ALL])
        return dict(sorted(lists.items()))

    @field_validator("ensembles")
    @classmethod
    def _ensembles(cls, ensembles: dict[str, Ensemble]) -> dict[str, Ensemble]:
        for name in ensembles:
            if not (name.isidentifier() and name.isascii()):
                raise ValueError(f"expected letters, digits and _ in the name of an ensemble, found {name!r}")
        return dict(sorted(ensembles.items()))

    @field_validator("families")
    @classmethod
    def _families(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_names("rule family", names, MEASURED)
        return tuple(name for name in MEASURED if name in names)

    @field_validator("views")
    @classmethod
    def _views(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_names("view", names, views.VIEWS)
        return tuple(name for name in views.VIEWS if name in names)


def schema(params: Params) -> pa.Schema:
    """The columns of the families and views switched on."""
    measured = [field for name in measured_families(params) for field in FAMILIES[name].fields]
    measured += word_lists.fields(stop_words(params), params.bad_words)
    measured += [classifiers.field(name) for name in sorted(params.classifiers)]
    measured += [pa.field(name, pa.float64()) for name in own_rules.columns_of(own_rules.load(params.rules))]
    return pa.schema([*measured, *(views.FIELDS[name] for name in params.views)])


def stop_words(params: Params) -> dict[str, word_lists.Words]:
    """The lists counted, by language: those of the mixture, and with Gopher's rules the shipped ones of the others."""
    shipped = word_lists.shipped() if "gopher_quality" in params.families else {}
    return {**shipped, **params.stop_words}


def measured_families(params: Params) -> list[str]:
    """The families switched on that have what they need."""
    return [name for name in params.families if FAMILIES[name].measure is not None]


def identity(params: Params) -> dict[str, Any]:
    """Versions of the Unicode tables and of families, what a sentence is where words make it, and the contents of
    models and word lists."""
    models = {"classifiers": classifiers.identity(params.classifiers)} if params.classifiers else {}
    lists = {
        name: word_lists.identity(words)
        for name, words in (("stop_words", stop_words(params)), ("bad_words", params.bad_words))
        if words
    }
    raised = versions(tuple(measured_families(params)))
    families = {"families": raised} if raised else {}
    by_words = params.unit in ("spacy", "script") and {"c4", "c4_strict"}.intersection(params.families)
    sentences = {"sentences": "by words"} if by_words else {}
    of_lines = {"c4", "c4_strict", "fineweb_cleaned"}.intersection(params.families)
    of_lines |= {"c4_cleaned", "c4_strict_cleaned"}.intersection(params.views)
    lines = {"c4_lines": "by script"} if params.unit in BY_SCRIPT and of_lines else {}
    own = {"rules": {name: own_functions.identity(name, {}) for name in params.rules}} if params.rules else {}
    return {"unicode": characters.UNICODE_VERSION, **models, **lists, **families, **sentences, **lines, **own}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The function returned measures one batch of `documents`."""
    columns = schema(params)

    def measure(batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        parts = [
            pa.RecordBatch.from_arrays(measure_piece(data, piece, params), schema=columns) for piece in pieces(offsets)
        ]
        if not parts:
            return pa.RecordBatch.from_pylist([], schema=columns)
        return pa.concat_batches(parts)

    return measure


@cache
def _literals() -> Literals:
    return literals({**madlad.ANYWHERE, **chrome.ANYWHERE})


class Found:
    """Results that several families need of the documents of (data, offsets), made when the first of them asks."""

    def __init__(self, data: Bytes, offsets: Offsets, params: Params) -> None:
        self.data, self.offsets, self.params = data, offsets, params
        self._split = UNITS[params.unit]
        self.planes_BK = find_planes(data, offsets)

    @cached_property
    def unspaced_D(self) -> npt.NDArray[np.bool_]:
        """Documents whose words and sentences go by script where the unit is `as_written`."""
        return mostly_unspaced(self.data, self.offsets, self.planes_BK)

    @cached_property
    def words(self) -> Words:
        if self._split is split_as_written:
            return split_as_written(self.data, self.offsets, self.planes_BK, self.unspaced_D)
        return self._split(self.data, self.offsets, self.planes_BK)

    @cached_property
    def lines(self) -> Lines:
        return split_lines(self.data, self.offsets, self.planes_BK)

    @cached_property
    def repetition(self) -> Repetition:
        return repeated_ngrams(self.words)

    @cached_property
    def c4_lines(self) -> C4Lines:
        """C4's lines: the reference's, or by script where words are."""
        lines = c4_lines(self.data, self.offsets, self.planes_BK)
        if self.params.unit not in BY_SCRIPT:
            return lines
        words = self.words if self.unspaced_D.any() else None
        return lines_by_script(self.data, self.offsets, lines, words, self.unspaced_D)

    @cached_property
    def sentences(self) -> C4Lines:
        """The same lines, with the sentences that words make where the unit has them do so."""
        lines = self.c4_lines
        by_words_D, split = np.full(len(self.offsets) - 1, self._split is not split_words), self._split
        if self._split is split_as_written:
            by_words_D, split = self.unspaced_D, split_script_words
        if not by_words_D.any():
            return lines
        found = count_sentences(self.data, self.offsets, lines, self.words, split, by_words_D)
        return replace(lines, sentences_L=found)

    @cached_property
    def _cleaned(self) -> Found:
        return Found(*fineweb_cleaned.cleaned(self.data, self.c4_lines), self.params)

    @property
    def cleaned_words(self) -> Words:
        return self._cleaned.words

    @property
    def cleaned_lines(self) -> Lines:
        return self._cleaned.lines

    @cached_property
    def kinds(self) -> LineKinds:
        return line_kinds(self.data, self.offsets, self.planes_BK)

    @cached_property
    def marked(self) -> Sentences:
        return mark_sentences(self.data, self.offsets, self.planes_BK)

    @cached_property
    def hits(self) -> Hits:
        return find_literals(self.data, self.offsets, self.literals)

    @property
    def literals(self) -> Literals:
        return _literals()

    chrome_string = len(madlad.ANYWHERE)
    """The one of `chrome` among `literals`, which follows those of `madlad`."""

    @cached_property
    def code(self) -> Facts:
        return code_facts(self.data, self.offsets, self.planes_BK)

    def these(self, needs: tuple[str, ...]) -> list[Any]:
        return [getattr(self, name) for name in needs]


def measure_piece(data: Bytes, offsets: Offsets, params: Params) -> list[pa.Array]:
    """The columns of `schema(params)` for the documents of (data, offsets)."""
    found = Found(data, offsets, params)
    columns: list[pa.Array] = []
    for family in (FAMILIES[name] for name in measured_families(params)):
        assert family.measure is not None
        columns += family.measure(*found.these(family.needs))
    if stop_words(params) or params.bad_words:
        columns += word_lists.measure(data, offsets, stop_words(params), params.bad_words, found.planes_BK)
    columns += [
        pa.array(classifiers.scorer(params.classifiers[name])(data, offsets)) for name in sorted(params.classifiers)
    ]
    if params.rules:
        buffers = pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)
        texts = pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers)
        columns += own_rules.measure(own_rules.load(params.rules), texts)
    columns += [views.VIEWS[name].cut(*found.these(views.VIEWS[name].needs)) for name in params.views]
    return columns


def pieces(offsets: Offsets) -> Iterator[Offsets]:
    """The offsets of runs of documents of about `PIECE_BYTES` together; a longer document is a piece of its own."""
    return (offsets[first : last + 1] for first, last in runs_of(offsets, PIECE_BYTES))
