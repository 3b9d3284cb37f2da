"""Labels beside code that are none of its text: the name of its language, ``Copy``.

For `blocks` and `text`. A label is dropped only right before code. It is ``Code:`` as forums write it, or, if the page names the language in its
markup too (`kinds`), that name or a longer or shorter form of it: `js` and JavaScript, `cpp` and C++.
"""

from __future__ import annotations

from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_LABEL = 24
_COPY = tuple(
    fnv(word.encode())
    for word in ("copy", "copy code", "copy to clipboard", "copied", "copied!", "code: select all", "code: [select]", "select all",
                 "复制", "复制代码", "コピー", "copier", "kopieren", "copiar", "копировать")
)  # fmt: skip

_TITLES = tuple(
    fnv(word.encode())
    for word in ("code", "code:", "php code:", "html code:", "quellcode:", "codice:", "código:", "codigo:", "kod:", "код:", "代码:", "代码：")
)  # fmt: skip


@inline_kernel
def letter_of(c):  # type: ignore[no-untyped-def]
    """A byte of a name, small; the signs of C++, C# and F# as the letters of `cpp` and `csharp`; 0 for what does not count."""
    if 65 <= c <= 90:
        return c | 0x20
    if c == 43:
        return 112
    if c == 35:
        return 115
    return c if 97 <= c <= 122 or 48 <= c <= 57 or c >= 128 else 0


@inline_kernel
def holds_letters(word, a, b, name, c, d):  # type: ignore[no-untyped-def]
    """Whether the letters of ``name[c:d]`` stand in ``word[a:b]`` in their order."""
    while c < d:
        wanted = letter_of(name[c])
        if wanted:
            while a < b and letter_of(word[a]) != wanted:
                a += 1
            if a == b:
                return False
            a += 1
        c += 1
    return True


@inline_kernel
def names_language(label, a, b, name, c, d):  # type: ignore[no-untyped-def]
    """Whether ``label[a:b]`` is one word that names the language ``name[c:d]``."""
    while a < b and is_space(label[a]):
        a += 1
    while b > a and (is_space(label[b - 1]) or label[b - 1] == 58):
        b -= 1
    if b - a == 0 or b - a > MAX_LABEL or d - c == 0 or letter_of(label[a]) != letter_of(name[c]):
        return False
    for i in range(a, b):
        if is_space(label[i]):
            return False
    if b - a == 1 or d - c == 1:
        return b - a == d - c
    return holds_letters(label, a, b, name, c, d) or holds_letters(name, c, d, label, a, b)


@inline_kernel
def says_code(text, a, b):  # type: ignore[no-untyped-def]
    """Whether ``text[a:b]`` is what forums write above code."""
    h = FNV_START
    for i in range(a, min(b, a + MAX_LABEL)):
        h = mix(h, text[i] | 0x20 if 65 <= text[i] <= 90 else text[i])
    return b - a <= MAX_LABEL and h in _TITLES


@inline_kernel
def says_copy(text, a, b):  # type: ignore[no-untyped-def]
    """Whether ``text[a:b]`` is what a button beside code says."""
    if b - a > MAX_LABEL:
        return False
    h = FNV_START
    for i in range(a, b):
        h = mix(h, text[i] | 0x20 if 65 <= text[i] <= 90 else text[i])
    return h in _COPY
