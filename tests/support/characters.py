"""Text that Python and `stages.kernels.unicode.characters` see alike: a later Python knows more letters."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from hypothesis import strategies as st

from stages.kernels.unicode import characters


@cache
def differing() -> frozenset[int]:
    """Code points that this Python files under another general category."""
    if unicodedata.unidata_version == characters.UNICODE_VERSION:
        return frozenset()
    categories = [unicodedata.category(chr(code)) for code in range(characters.NUM_CODE_POINTS)]
    found = np.zeros(characters.NUM_CODE_POINTS, bool)
    for name in set(categories):
        found |= characters.of_category(name) != (np.array(categories) == name)
    return frozenset(np.flatnonzero(found).tolist())


def texts(max_size: int) -> st.SearchStrategy[str]:
    """Any text of at most so many characters, but for `differing` ones."""
    letters = st.characters(exclude_categories=["Cs"]).filter(lambda letter: ord(letter) not in differing())
    return st.text(letters, max_size=max_size)
