"""Words of a style sheet: blanks, comments, strings, names and media queries (CSS Syntax 3, 4). For `css_rules`, `css_sheets` and `style_sheets`.

Every function reads forward and stays below ``stop``. Legend: data uint8, positions int64.
"""

from __future__ import annotations

from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import find_byte, is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

SURE, UNSURE, NEVER = 0, 1, 2
"""Where a rule stands: it holds for readers of a screen, it may hold, it never does."""
_SCREEN, _ALL, _PRINT, _SPEECH, _ONLY = (fnv(word) for word in (b"screen", b"all", b"print", b"speech", b"only"))


@inline_kernel
def is_name_byte(b):  # type: ignore[no-untyped-def]
    """Letters, digits, ``-``, ``_`` and all beyond ASCII."""
    return 97 <= b | 0x20 <= 122 or 48 <= b <= 57 or b == 45 or b == 95 or b >= 128


@inline_kernel
def skip_blank(data, i, stop):  # type: ignore[no-untyped-def]
    """Behind white space, comments and the ``<!--``, ``-->`` of old pages."""
    while i < stop:
        if is_space(data[i]):
            i += 1
        elif data[i] == 47 and i + 1 < stop and data[i + 1] == 42:
            i = skip_comment(data, i, stop)
        elif data[i] == 60 and i + 3 < stop and data[i + 1] == 33 and data[i + 2] == 45 and data[i + 3] == 45:
            i += 4
        elif data[i] == 45 and i + 2 < stop and data[i + 1] == 45 and data[i + 2] == 62:
            i += 3
        else:
            break
    return i


@inline_kernel
def skip_comment(data, i, stop):  # type: ignore[no-untyped-def]
    """Behind the comment that begins at ``i``."""
    i = find_byte(data, i + 3, stop, 47)
    while i < stop and data[i - 1] != 42:
        i = find_byte(data, i + 1, stop, 47)
    return min(stop, i + 1)


@inline_kernel
def skip_string(data, i, stop):  # type: ignore[no-untyped-def]
    """Behind the string that begins at ``i``; a line feed ends a broken one."""
    quote = data[i]
    i += 1
    while i < stop and data[i] != quote and data[i] != 10:
        i += 2 if data[i] == 92 else 1
    return min(stop, i + 1)


@inline_kernel
def read_word(data, i, stop):  # type: ignore[no-untyped-def]
    """(behind the word at ``i``, its hash in small letters); ``@``, ``/`` and what may stand in a name belong to a word."""
    h = FNV_START
    while i < stop and (
        is_name_byte(data[i]) or data[i] == 64 or (data[i] == 47 and i + 1 < stop and data[i + 1] != 42)
    ):
        h = mix(h, data[i] | 0x20 if 65 <= data[i] <= 90 else data[i])
        i += 1
    return i, h


@inline_kernel
def read_name(data, i, stop):  # type: ignore[no-untyped-def]
    """(behind the name of a class or id at ``i``, its hash); ``\\:`` is ``:``, and other escapes end it."""
    h = FNV_START
    while i < stop:
        b = data[i]
        if b == 92 and i + 1 < stop and not (48 <= data[i + 1] <= 57 or 97 <= data[i + 1] | 0x20 <= 102):
            b = data[i + 1]
            i += 1
        elif not is_name_byte(b):
            break
        h = mix(h, b)
        i += 1
    return i, h


@inline_kernel
def media_kind(data, i, stop):  # type: ignore[no-untyped-def]
    """`SURE` if one query of a list is ``screen`` or ``all`` alone, `NEVER` if all are print or speech, else `UNSURE`."""
    i = skip_blank(data, i, stop)
    if i >= stop:
        return SURE
    kind = NEVER
    while i < stop:
        i = skip_blank(data, i, stop)
        after, h = read_word(data, i, stop)
        if h == _ONLY:
            after, h = read_word(data, skip_blank(data, after, stop), stop)
        after = skip_blank(data, after, stop)
        alone = after >= stop or data[after] == 44
        if alone and (h in (_SCREEN, _ALL)):
            kind = SURE
        elif h != _PRINT and h != _SPEECH:
            kind = min(kind, UNSURE)
        i = find_byte(data, after, stop, 44) + 1
    return kind


@inline_kernel
def is_address(data, i, start):  # type: ignore[no-untyped-def]
    """Whether ``url`` stands before the bracket at ``i``, and no quote behind it."""
    if i < start + 3 or data[i - 1] | 0x20 != 108 or data[i - 2] | 0x20 != 114 or data[i - 3] | 0x20 != 117:
        return False
    return data[i + 1] != 34 and data[i + 1] != 39
