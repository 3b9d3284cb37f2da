"""Word lists per language, measured on every page: stop words (FineWeb-2's way), and words nobody wants (C4's rule).

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `has_bad_words` | `bad_words_<language of the page>` and `bad_words_all` together | > 0 |
| `too_few_stop_words` (Gopher) | `stop_words_<language>`; of English pages `gopher_num_stop_words` | < 2 |

`quality.stop_words` and `quality.bad_words` name a list a language: words in the mixture file, or a file with one a
line (``#`` comments). Every list is counted on every page, so a page's label may change without a new pass over its
text: `stop_words_de` is how many different stop words of the list `de` it has, `bad_words_de` how often it has any bad
word of the list `de`; `kept` looks at the columns of the language it has. The list `all` holds for every language.
Lists are named by the codes of lid.176; a page that another model labels (`swh`, `npi`, `tam`: GlotLID, OpenLID) has
the list of its language too (`stages.rules.names.codes_of`).

Lists of stop words for 35 languages are shipped (`stop_words.json`, made by `tools.write_stop_words` from wordfreq's
frequencies, in FineWeb-2's way); they are counted where Gopher's rules are, a list of the user's own in the place of
the shipped one. A page of a language without any list passes the rule.

C4 (Raffel et al. 2019, section 2.2) drops a page with any word of a list; as in its code, phrases count too, in any
case, between characters that are no letters, and anywhere in scripts without spaces (`stages.kernels.words.phrases`;
combining marks are letters here, which the reference forgets). FineWeb-2 (Penedo et al. 2025, arXiv 2506.20920) uses
Gopher's stop word rule with the most frequent words of each language; `gristmill calibrate` proposes them.

Price: one more pass over the text, some 200 MB/s on a busy core.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from stages.formats.file_states import State, state
from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.unicode.bitmaps import Planes
from stages.kernels.words.phrases import Phrases, build_phrases, check_phrases, count_phrases
from stages.rules.row_files import in_utf8
from stages.rules.rule import Rule

Words = str | tuple[str, ...]
"""Words, or the path of a file with one a line."""
Lists = Mapping[str, Words]

STOP_WORDS, BAD_WORDS = "stop_words_", "bad_words_"
ALL = "all"
RULES = (Rule("has_bad_words", "bad_words", "max", 0),)


@cache
def shipped() -> dict[str, tuple[str, ...]]:
    """The shipped stop words by language, English ones apart."""
    text = Path(__file__).with_name("stop_words.json").read_text(encoding="utf-8")
    return {language: tuple(words) for language, words in json.loads(text).items()}


def fields(stop_words: Lists, bad_words: Lists) -> list[pa.Field]:
    """The columns of the lists, by kind and language."""
    names = [STOP_WORDS + name for name in sorted(stop_words)] + [BAD_WORDS + name for name in sorted(bad_words)]
    return [pa.field(name, pa.int64(), nullable=False) for name in names]


def read(words: Words) -> tuple[str, ...]:
    """The words of one list.

    Raises:
        FileNotFoundError, ValueError: no such file, or no word in it.
    """
    if isinstance(words, str):
        lines = in_utf8(Path(words).read_bytes()).decode("utf-8", "replace").splitlines()
        found = tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
        where = words
    else:
        found, where = words, "this list"
    if not found:
        raise ValueError(f"{where}: no word in it")
    check_phrases(found)
    return found


def identity(lists: Lists) -> dict[str, str]:
    """SHA-256 of the words of each list."""
    return {name: hashlib.sha256("\n".join(read(words)).encode()).hexdigest() for name, words in sorted(lists.items())}


@lru_cache(maxsize=4)
def _compiled(lists: tuple[tuple[str, ...], ...], once: int) -> Phrases:
    return build_phrases(lists, once)


@lru_cache(maxsize=4)
def _words(lists: tuple[tuple[str, Words], ...], _: tuple[State, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(read(words) for _, words in lists)


def measure(
    data: Bytes, offsets: Offsets, stop_words: Lists, bad_words: Lists, planes_BK: Planes | None = None
) -> list[pa.Array]:
    """One array per field of `fields`, a row per document."""
    stops, bads = (
        _words(tuple(sorted(lists.items())), tuple(state(words) for words in lists.values() if isinstance(words, str)))
        for lists in (stop_words, bad_words)
    )
    counts_DL = count_phrases(data, offsets, _compiled((*stops, *bads), len(stops)), planes_BK)
    return [pa.array(column) for column in np.ascontiguousarray(counts_DL.T)]
