"""Where the TeX of an image stands: in the address of a service that draws it. For `written_formulas`.

``latex.codecogs.com/png.latex?x``, ``s0.wp.com/latex.php?latex=x``, ``zhihu.com/equation?tex=x``, ``tex.z-dn.net/?f=x``, ``tex2img.php?eq=x``,
``i.upmath.me/svg/x`` and the like.
"""

from __future__ import annotations

from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tex_output import is_letter
from stages.kernels.jit import lean_inline_kernel as inline_kernel

_KEYS = tuple(fnv(name) for name in (b"eq", b"f", b"from", b"chl", b"equation"))
_SETTINGS = tuple(
    fnv(name)
    for name in (b"inline", b"dpi", b"bg_white", b"bg_black", b"bg_transparent", b"bg", b"fn", b"large", b"small", b"tiny", b"huge")
)  # fmt: skip


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
    """Whether ``data[start:stop]`` is a parameter of an address that holds TeX: ``tex``, ``latex``, ``math`` and the like, or one of `_KEYS`."""
    h = FNV_START
    for i in range(start, stop):
        h = mix(h, data[i] | 0x20)
    if h in _KEYS:
        return True
    if stop - start < 3:
        return False
    a, b, c = data[stop - 3] | 0x20, data[stop - 2] | 0x20, data[stop - 1] | 0x20
    return (a == 116 and b == 101 and c == 120) or (a == 97 and b == 116 and c == 104)


@inline_kernel
def path_of_upmath(data, start, stop):  # type: ignore[no-untyped-def]
    """(start, stop) of TeX in the path of ``i.upmath.me/svg/``; (0, 0)."""
    for i in range(start, min(start + 20, stop - 14)):
        if data[i] == 117 and data[i + 1] == 112 and data[i + 2] == 109 and data[i + 6] == 46 and data[i + 9] == 47:
            return i + 14, stop  # upmath.me/svg/
    return 0, 0


@inline_kernel
def query_of_formula(data, start, stop):  # type: ignore[no-untyped-def]
    """(start, stop) of TeX in an image's address; (0, 0)."""
    stop = min(stop, start + 4096)
    mark = start
    while mark < stop and data[mark] != 63:
        mark += 1
    if mark >= stop:
        return path_of_upmath(data, start, stop)
    if not names_service(data, start, mark):
        return 0, 0
    i, begins_name, last = mark + 1, 0, stop
    while i < stop:
        if data[i - 1] == 63 or data[i - 1] == 38 or data[i - 1] == 59:
            k = i
            while k < stop and 97 <= data[k] | 0x20 <= 122:
                k += 1
            if k < stop and data[k] == 61 and k > i:
                if names_tex(data, i, k):
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
