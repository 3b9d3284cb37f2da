"""Where the TeX of an image stands: in the address of a service that draws it. For `written_formulas`.

``latex.codecogs.com/png.latex?x``, ``s0.wp.com/latex.php?latex=x``, ``zhihu.com/equation?tex=x``, ``tex.z-dn.net/?f=x``, ``tex2img.php?eq=x``,
``i.upmath.me/svg/x`` and the like.
"""

from __future__ import annotations

from stages.kernels.html.glyphs import is_letter
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_PICTURES = tuple(fnv(name) for name in (b"jpg", b"png", b"gif", b"svg", b"bmp", b"jpeg", b"webp", b"avif"))
MAX_ADDRESS = 4096
"""Bytes of an address before its ``?``."""
MIN_VERSION = 5
"""Letters and numbers alone, so many or more, are rather the version of a picture."""
_CHART = fnv(b"chart")
_KEYS = tuple(fnv(name) for name in (b"eq", b"f", b"from", b"chl", b"equation"))
_SETTINGS = tuple(
    fnv(name)
    for name in (b"inline", b"dpi", b"bg_white", b"bg_black", b"bg_transparent", b"bg", b"fn", b"large", b"small", b"tiny", b"huge")
)  # fmt: skip


@inline_kernel
def draws_charts(data, start, mark, stop):  # type: ignore[no-untyped-def]
    """Whether an address ends with ``chart`` before its ``?`` and its query does not say ``cht=tx``: it draws a pie, or the code of an address."""
    h = FNV_START
    for i in range(max(start, mark - 5), mark):
        h = mix(h, data[i] | 0x20)
    if h != _CHART:
        return False
    for i in range(mark + 1, stop - 5):
        if data[i] == 99 and data[i + 1] == 104 and data[i + 2] == 116 and data[i + 4] == 116 and data[i + 5] == 120:
            return False
    return True


@inline_kernel
def is_picture(data, start, mark):  # type: ignore[no-untyped-def]
    """Whether the address before the ``?`` at ``mark`` ends with the suffix of a file that is a picture."""
    h, dot = FNV_START, mark - 1
    while dot > max(start, mark - 5) and data[dot] != 46:
        dot -= 1
    for i in range(dot + 1, mark):
        h = mix(h, data[i] | 0x20)
    return data[dot] == 46 and h in _PICTURES


@inline_kernel
def is_version(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a query is letters, digits, dots and dashes alone, `MIN_VERSION` or more: ``20210304``, ``v1.2.3``."""
    for i in range(start, stop):
        b = data[i]
        if not (48 <= b <= 57 or 97 <= b | 0x20 <= 122 or b == 45 or b == 46 or b == 95):
            return False
    return stop - start >= MIN_VERSION


@inline_kernel
def names_service(data, start, mark):  # type: ignore[no-untyped-def]
    """Whether the address before the ``?`` at ``mark`` is of something that draws TeX."""
    found = False
    for i in range(max(start, mark - 80), mark - 3):
        a, b, c, d = data[i] | 0x20, data[i + 1] | 0x20, data[i + 2] | 0x20, data[i + 3] | 0x20
        found |= a == 116 and b == 101 and c == 120 and not 97 <= d <= 122  # tex., tex?
        found |= a == 97 and b == 116 and c == 101 and d == 120  # latex
        found |= a == 109 and b == 97 and c == 116 and d == 104 and i + 4 == mark  # /math?
        found |= a == 116 and b == 105 and c == 111 and d == 110 and i + 4 == mark  # equation?
        found |= a == 104 and b == 97 and c == 114 and d == 116 and i + 4 == mark  # chart?
    return found


@inline_kernel
def draws_query(data, mark):  # type: ignore[no-untyped-def]
    """Whether the address before the ``?`` at ``mark`` ends with ``latex``, ``.image`` or ``.cgi``: all of its query is TeX, ``E=mc^2`` too."""
    a, b, c, d = data[mark - 4], data[mark - 3] | 0x20, data[mark - 2] | 0x20, data[mark - 1] | 0x20
    if a == 46 and b == 99 and c == 103 and d == 105:
        return True
    if a | 0x20 == 97 and b == 116 and c == 101 and d == 120:
        return True
    return a | 0x20 == 109 and b == 97 and c == 103 and d == 101


@inline_kernel
def names_tex(data, start, stop):  # type: ignore[no-untyped-def]
    """2 if ``data[start:stop]`` is a parameter of an address that holds TeX by its name, ``tex``, ``latex``, ``math`` and the like, 1 if it is one of `_KEYS`, else 0."""
    h = FNV_START
    for i in range(start, stop):
        h = mix(h, data[i] | 0x20)
    if h in _KEYS:
        return 1
    if stop - start < 3:
        return 0
    a, b, c = data[stop - 3] | 0x20, data[stop - 2] | 0x20, data[stop - 1] | 0x20
    is_math = a == 97 and b == 116 and c == 104 and stop - start > 3 and data[stop - 4] | 0x20 == 109
    return 2 if is_math or (a == 116 and b == 101 and c == 120) else 0


@inline_kernel
def path_of_upmath(data, start, stop):  # type: ignore[no-untyped-def]
    """(start, stop) of TeX in the path of ``i.upmath.me/svg/``; (0, 0)."""
    for i in range(start, min(start + 20, stop - 14)):
        if data[i] == 117 and data[i + 1] == 112 and data[i + 2] == 109 and data[i + 6] == 46 and data[i + 13] == 47:
            return i + 14, stop  # upmath.me/svg/
    return 0, 0


@inline_kernel
def query_of_formula(data, start, stop):  # type: ignore[no-untyped-def]
    """(start, stop) of TeX in an image's address; (0, 0)."""
    limit, mark = min(stop, start + MAX_ADDRESS), start
    while mark < limit and data[mark] != 63:
        mark += 1
    if mark >= limit:
        return path_of_upmath(data, start, stop)
    if not names_service(data, start, mark) or draws_charts(data, start, mark, stop):
        return 0, 0
    picture = is_picture(data, start, mark)
    i, begins_name, last = mark + 1, 0, stop
    while i < stop:
        if data[i - 1] == 63 or data[i - 1] == 38 or data[i - 1] == 59:
            k = i
            while k < stop and 97 <= data[k] | 0x20 <= 122:
                k += 1
            if k < stop and data[k] == 61 and k > i:
                if names_tex(data, i, k) > picture:
                    last = k + 1
                    while last < stop and data[last] != 38:
                        last += 1
                    return k + 1, last
                if i == mark + 1:
                    begins_name = k - i
                elif k > i + 1:
                    last = min(last, i - 1)
        i += 1
    if begins_name > 1 or (begins_name and (last < stop or not draws_query(data, mark))):
        return 0, 0
    if picture or (is_version(data, mark + 1, last) and not draws_query(data, mark)):
        return 0, 0
    return mark + 1, last


@inline_kernel
def skip_settings(out, start, stop):  # type: ignore[no-untyped-def]
    """Position behind what tells a service how to draw: ``\\inline``, ``\\dpi{120}``, ``\\bg_white``, ``\\large``."""
    while start < stop:
        i = start
        while i < stop and out[i] == 32:
            i += 1
        if i >= stop or out[i] != 92:
            break
        i += 1
        h = FNV_START
        while i < stop and (is_letter(out[i]) or out[i] == 95):
            h = mix(h, out[i])
            i += 1
        if h not in _SETTINGS:
            break
        if i < stop and out[i] == 123:
            while i < stop and out[i] != 125:
                i += 1
            i += 1
        start = i
    return start
