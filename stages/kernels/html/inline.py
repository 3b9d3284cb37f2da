"""What stands inside a line of text and is more than its letters: formulas, raised and lowered text, ruby, line numbers.

For `blocks`. Everything here works on the text written so far, ``out[:o]``, and gives the next ``o``. A formula is written between
dollars, on a line of its own if it is displayed. The same formula often stands in a page two to four times (MathML, glyphs, image,
script): the place and source of the last one are kept in the state, and another source of it right behind replaces it or is dropped.

Legend: T tables, W state (`state`).
"""

from __future__ import annotations

from stages.kernels.html import formulas, mathml, quoted, rendered, tex
from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.formula_sources import query_of_formula, skip_settings
from stages.kernels.html.kinds import DISPLAY, FORMULA, MATH, PICTURE
from stages.kernels.html.layout import KINDS, PARENT
from stages.kernels.html.tables import FNV_START, fnv, mix
from stages.kernels.html.tokens import is_space
from stages.kernels.jit import lean_inline_kernel as inline_kernel

HIDDEN_REGION, RENDERED_REGION, TEX_REGION, NUMBER_REGION, SIGN_REGION = 1, 2, 3, 4, 5
MAX_SIGN = 9
"""Bytes of a link beside a heading that is but a sign; a longer one is the heading."""
_MARKS = (
    *(
        fnv(word)
        for word in (b"#", b"link", b"permalink", b"permanent link", b"direct link", b"copy link", b"anchor", b"top")
    ),
    *(fnv(word) for word in (b"back to top", b"edit", b"edit source", b"source", b"view source", b"src")),
    *(fnv(word) for word in (b"hide", b"show")),
)
LONGEST_SIGN = 20
"""Bytes of the text of a link that may be such a mark."""
MATHML, IMAGE, SCRIPT_SOURCE, ATTRIBUTE, DRAWN, GLYPHS = 1, 2, 3, 4, 5, 6
MAX_SCRIPT = 24
"""Bytes of raised or lowered text that is marked; more is text in small type."""


@inline_kernel
def put_dollars(W, out, place, start, stop, display, source):  # type: ignore[no-untyped-def]
    """Make TeX at ``out[start:stop]`` a formula at ``place``, at least three bytes before it: next o."""
    start, stop = tex.skip_wrapper(out, start, stop)
    o = place
    if start >= stop:
        return place
    if display:
        while o > W[s.TEXT] and out[o - 1] == 32:
            o -= 1
        if o > W[s.TEXT] and out[o - 1] != 10:
            out[o] = 10
            o += 1
        out[o] = 36
        o += 1
    W[s.MATH_FROM] = o
    out[o] = 36
    o += 1
    for i in range(start, stop):
        out[o] = out[i]
        o += 1
    out[o] = 36
    o += 1
    if display:
        out[o] = 36
        out[o + 1] = 10
        o += 2
    W[s.MATH_FROM] = place
    W[s.MATH_TO] = o
    W[s.MATH_SOURCE] = source
    return o


@inline_kernel
def place_of_formula(W, out, o, source):  # type: ignore[no-untyped-def]
    """Where a formula from ``source`` is written; -1 if it stands there already."""
    place = W[s.REGION_FROM] if W[s.REGION] == RENDERED_REGION else o
    last = W[s.MATH_TO]
    if last > W[s.TEXT] and (last == place or (last + 1 == place and out[last] == 32)) and W[s.MATH_SOURCE] != source:
        if W[s.MATH_SOURCE] == GLYPHS or (source == SCRIPT_SOURCE and W[s.MATH_SOURCE] != ATTRIBUTE):
            return W[s.MATH_FROM]
        return -1
    return place


@inline_kernel
def written(W, o, now):  # type: ignore[no-untyped-def]
    """A formula was written up to ``now``: what a renderer adds to it is dropped from there on."""
    if W[s.REGION] == RENDERED_REGION:
        W[s.REGION_FROM] = now
    return now


@inline_kernel
def formula_element(data, tag_at, pos, end, found, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """A `math` element whose start tag, its attributes in ``W``, ends at ``pos``: (position after it, next o)."""
    alt_from, alt_to = -1, -1
    if (found >> t.ALTTEXT) & 1:
        alt_from, alt_to = W[s.SPANS + 2 * t.ALTTEXT], W[s.SPANS + 2 * t.ALTTEXT + 1]
    W[s.TEX_FROM] = -1
    if (found >> t.DATA_LATEX) & 1:
        W[s.TEX_FROM], W[s.TEX_TO] = W[s.SPANS + 2 * t.DATA_LATEX], W[s.SPANS + 2 * t.DATA_LATEX + 1]
    display = False
    if (found >> t.DISPLAY) & 1:
        a = W[s.SPANS + 2 * t.DISPLAY]
        display = a < W[s.SPANS + 2 * t.DISPLAY + 1] and data[a] | 0x20 == 98
    after, K = mathml.read_math(data, pos, end, T, W, nodes)
    if W[s.REGION] == HIDDEN_REGION:
        return after, o
    place = place_of_formula(W, out, o, MATHML)
    if place < 0:
        return after, o
    start = place + 3
    stop = start
    if W[s.TEX_FROM] >= 0:
        stop = tex.copy_tex(data, W[s.TEX_FROM], W[s.TEX_TO], False, T, out, start)
    if stop == start and alt_from >= 0:
        stop = tex.copy_tex(data, alt_from, alt_to, False, T, out, start)
        if not tex.looks_like_tex(out, start, stop):
            stop = start
    if stop == start:
        limit = start + after - tag_at - (8 if display else 2)  # room for what stands around it
        c = formulas.is_simple_fraction(data, K, nodes, W, T, out, start)
        if c >= 0:
            stop = formulas.write_fraction(data, c, T, W, nodes, out, start, limit)
        else:
            stop = formulas.write_math(data, K, T, W, nodes, out, start, limit)
        if W[s.FULL]:
            return after, written(W, o, formulas.write_characters(data, K, T, W, nodes, out, place))
    now = put_dollars(W, out, place, start, stop, display, MATHML)
    return after, written(W, o, now) if now > place else o


@inline_kernel
def formula_tree(data, K, size, display, source, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """A formula of ``K`` nodes that was read from ``size`` bytes of the page: next o."""
    place = place_of_formula(W, out, o, source)
    if K == 0 or place < 0 or W[s.REGION] == HIDDEN_REGION:
        return o
    start = place + 3
    stop = formulas.write_math(data, K, T, W, nodes, out, start, start + size - 8)
    if W[s.FULL]:
        return o
    now = put_dollars(W, out, place, start, stop, display, source)
    return written(W, o, now) if now > place else o


@inline_kernel
def drawn_formula(data, pos, end, found, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """What MathJax drew in the `mjx-container` whose start tag, its attributes in ``W``, ends at ``pos``, if its source is not there too:
    (position behind what was read, next o)."""
    display = (found >> t.DISPLAY) & 1 != 0 and data[W[s.SPANS + 2 * t.DISPLAY]] | 0x20 == 116
    stop, K = rendered.read_drawn(data, pos, end, T, W, nodes)
    now = formula_tree(data, K, stop - pos, display, DRAWN, T, W, nodes, out, o)
    if now > o and W[s.REGION] == TEX_REGION:
        W[s.REGION], W[s.REGION_FROM] = RENDERED_REGION, now
    return (stop if now > o else pos), now


@inline_kernel
def quoted_formula(data, start, stop, display, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """MathML in an attribute: next o."""
    K = quoted.read_quoted(data, start, stop, T, W, nodes)
    return formula_tree(data, K, stop - start, display, DRAWN, T, W, nodes, out, o)


@inline_kernel
def json_formula(data, start, stop, T, W, out, o):  # type: ignore[no-untyped-def]
    """TeX under the first name that ends with ``xpression`` of a JSON object in an attribute (Substack): next o."""
    i = start
    while i + 22 < stop and not (data[i] == 120 and data[i + 1] == 112 and data[i + 8] == 110 and data[i + 9] == 38):
        i += 1
    i += 22  # xpression&quot;:&quot;
    last = i
    while last < stop and not (data[last] == 38 and data[last + 1] == 113 and data[last - 1] != 92):
        last += 1
    place = place_of_formula(W, out, o, ATTRIBUTE)
    if last >= stop or place < 0:
        return o
    first = place + 3
    end = tex.copy_tex(data, i, last, False, T, out, first)
    to, k = first, first
    while k < end:
        if out[k] == 92 and k + 1 < end:
            k += 1
            out[to] = 32 if out[k] == 110 else out[k]
        else:
            out[to] = out[k]
        to += 1
        k += 1
    now = put_dollars(W, out, place, first, to, True, ATTRIBUTE)
    return written(W, o, now) if now > place else o


@inline_kernel
def formula_span(data, start, stop, is_url, display, source, T, W, out, o):  # type: ignore[no-untyped-def]
    """TeX in an attribute, an address or a script: next o."""
    if W[s.REGION] == HIDDEN_REGION:
        return o
    place = place_of_formula(W, out, o, source)
    if place < 0:
        return o
    stop = tex.copy_tex(data, start, stop, is_url, T, out, place + 3)
    start = skip_settings(out, place + 3, stop) if is_url else place + 3
    now = put_dollars(W, out, place, start, stop, display, source)
    return written(W, o, now) if now > place else o


@inline_kernel
def attribute_with_tex(found):  # type: ignore[no-untyped-def]
    """The first of the attributes that hold TeX; -1."""
    for which in range(t.DATA_TEX, t.DATA_EQUATION + 1):
        if (found >> which) & 1:
            return which
    return -1


@inline_kernel
def is_tex(data, start, stop, T, out, o):  # type: ignore[no-untyped-def]
    """Whether an attribute looks like TeX; ``out[o:]`` is scratch."""
    stop = tex.copy_tex(data, start, min(stop, start + 400), False, T, out, o)
    return stop > o and tex.looks_like_tex(out, o, stop)


@inline_kernel
def begins_with_delimiter(data, i, stop):  # type: ignore[no-untyped-def]
    """Whether ``$``, ``\\(``, ``\\[`` or ``\\begin{`` stands at ``i``."""
    if stop - i < 3:
        return False
    if data[i] == 36:
        return True
    return data[i] == 92 and (data[i + 1] == 40 or data[i + 1] == 91 or (data[i + 1] == 98 and data[i + 2] == 101))


@inline_kernel
def formula_image(data, found, kinds, T, W, nodes, out, o):  # type: ignore[no-untyped-def]
    """An image of a formula: next o."""
    if (found >> t.DATA_MATHML) & 1:
        before, which = o, t.DATA_MATHML
        o = quoted_formula(data, W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1], False, T, W, nodes, out, o)
        if o > before:
            return o
    start, stop, is_url = 0, 0, False
    which = attribute_with_tex(found)
    if which >= 0:
        start, stop = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
    has_alt = (found >> t.ALT) & 1 and W[s.SPANS + 2 * t.ALT] < W[s.SPANS + 2 * t.ALT + 1]
    alt, alt_stop = W[s.SPANS + 2 * t.ALT], W[s.SPANS + 2 * t.ALT + 1]
    if stop == 0 and has_alt and alt + 6 < alt_stop and data[alt] == 0xC2 and data[alt + 1] == 0xAB:
        return quoted_formula(data, alt, alt_stop, False, T, W, nodes, out, o)
    top = W[s.STACK_NODES + W[s.DEPTH] - 1]
    around = nodes[KINDS, top] | nodes[KINDS, nodes[PARENT, top]]
    if around & (MATH | FORMULA):
        kinds |= PICTURE | DISPLAY
    if (
        stop == 0
        and has_alt
        and ((kinds & PICTURE and is_tex(data, alt, alt_stop, T, out, o)) or begins_with_delimiter(data, alt, alt_stop))
    ):
        start, stop = alt, alt_stop
    if stop == 0 and (found >> t.SRC) & 1:
        start, stop = query_of_formula(data, W[s.SPANS + 2 * t.SRC], W[s.SPANS + 2 * t.SRC + 1])
        is_url = stop > 0
        if is_url and has_alt and is_tex(data, alt, alt_stop, T, out, o):
            start, stop, is_url = alt, alt_stop, False
    if stop == 0:
        return o
    display = kinds & DISPLAY != 0 or (data[start] == 36 and start + 1 < stop and data[start + 1] == 36)
    display |= data[start] == 92 and start + 1 < stop and (data[start + 1] == 91 or data[start + 1] == 98)
    return formula_span(data, start, stop, is_url, display, IMAGE, T, W, out, o)


@inline_kernel
def opens_formula(out, i):  # type: ignore[no-untyped-def]
    """Whether the backslash at ``i`` begins ``\\(`` or ``\\[``, behind the number of an equation for example; ``\\\\[2pt]`` does not."""
    return (out[i + 1] == 40 or out[i + 1] == 91) and out[i - 1] != 92


@inline_kernel
def end_tex(W, out, o, sure, display):  # type: ignore[no-untyped-def]
    """The end of an element whose text may be bare TeX: next o."""
    start = W[s.REGION_FROM]
    while start < o and is_space(out[start]):
        start += 1
    stop = o
    while stop > start and is_space(out[stop - 1]):
        stop -= 1
    if start >= stop or begins_with_delimiter(out, start, stop) or W[s.MATH_TO] > start:
        return o
    for i in range(start, stop):
        if out[i] == 36 or (i + 1 < stop and out[i] == 92 and opens_formula(out, i)):
            return o
    if not sure and not tex.looks_like_tex(out, start, stop):
        return o
    for i in range(stop - 1, start - 1, -1):
        out[i + 3] = out[i]
    return put_dollars(W, out, start, start + 3, stop + 3, display, ATTRIBUTE)


# ---- raised and lowered text


@inline_kernel
def start_script(tag, W, o):  # type: ignore[no-untyped-def]
    """`sup` or `sub`."""
    W[s.SCRIPT] = tag
    W[s.SCRIPT_FROM] = o
    W[s.SCRIPT_DEPTH] = W[s.DEPTH]
    W[s.SCRIPT_LINK] = W[s.LINK] != -1


@inline_kernel
def is_alnum(b):  # type: ignore[no-untyped-def]
    return 48 <= b <= 57 or 65 <= b <= 90 or 97 <= b <= 122


@inline_kernel
def insert(out, at, o, first, last):  # type: ignore[no-untyped-def]
    """Put byte ``first`` before ``out[at:o]`` and, unless it is 0, ``last`` behind: next o."""
    for i in range(o - 1, at - 1, -1):
        out[i + 1] = out[i]
    out[at] = first
    if last:
        out[o + 1] = last
        return o + 2
    return o + 1


@inline_kernel
def insert_mark(out, at, o, mark):  # type: ignore[no-untyped-def]
    """``^`` or ``_`` before a script, which gets brackets unless it is one word or number, with a sign: next o."""
    inner = 0
    for i in range(at, o):
        inner += not is_alnum(out[i]) and out[i] < 128 and i != at and i != o - 1
    plain = o - at == 1 or (inner == 0 and (is_alnum(out[at]) or is_alnum(out[o - 1]) or out[at] >= 128))
    if plain and not is_alnum(out[at]) and not is_alnum(out[o - 1]) and out[at] < 128 and o - at > 1:
        plain = False
    if plain:
        return insert(out, at, o, mark, 0)
    o = insert(out, at, o, 40, 41)
    return insert(out, at, o, mark, 0)


@inline_kernel
def slash_follows(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether ``/``, a fraction slash or a reference to one stands at ``pos``."""
    if pos + 2 >= end:
        return False
    b = data[pos]
    if b == 47 or (b == 0xE2 and data[pos + 1] == 0x81 and data[pos + 2] == 0x84):
        return True
    return b == 38 and pos + 6 < end and ((data[pos + 1] == 102 and data[pos + 2] == 114 and data[pos + 5] == 108)
                                         or (data[pos + 1] == 35 and data[pos + 2] == 56 and data[pos + 3] == 50
                                         and data[pos + 4] == 54 and data[pos + 5] == 48))  # fmt: skip


@inline_kernel
def end_script(data, pos, end, W, out, o):  # type: ignore[no-untyped-def]
    """``</sup>`` or ``</sub>``, which ends at ``pos``: the mark that keeps its meaning; next o."""
    at, raised = W[s.SCRIPT_FROM], W[s.SCRIPT] == t.SUP
    W[s.SCRIPT] = 0
    while at < o and out[at] == 32:
        at += 1
    while o > at and out[o - 1] == 32:
        o -= 1
    size = o - at
    if size == 0 or size > MAX_SCRIPT or at <= W[s.TEXT]:
        return o
    before = out[at - 1]
    digits, letters = 0, 0
    for i in range(at, o):
        digits += 48 <= out[i] <= 57
        letters += is_alnum(out[i]) and not 48 <= out[i] <= 57
    word = at - 1
    while word > W[s.TEXT] and ((out[word - 1] | 0x20 >= 97 and out[word - 1] | 0x20 <= 122) or out[word - 1] >= 128):
        if out[word - 2] == 0x80 and out[word - 3] == 0xE2:
            break  # spaces, dashes and quotes
        word -= 1
    word_size = at - word if (before | 0x20 >= 97 and before | 0x20 <= 122) or before >= 128 else 0
    if out[at] == 91 or out[at] == 40 or out[at] == 36:
        return o
    if not raised:
        return lower(data, pos, end, W, out, at, o, before, digits == size)
    if slash_follows(data, pos, end) and digits == size:
        return insert(out, at, o, 32, 0) if 48 <= before <= 57 else o
    if W[s.SCRIPT_LINK] and (digits + letters == size and size <= 3):
        return insert(out, at, o, 91, 93)
    if before == 32:
        return o
    if letters == size:
        ordinal = size > 1 or out[at] in (101, 97, 111)
        if (48 <= before <= 57 and ordinal) or word_size > 1 or (word_size == 1 and size > 1):
            return o
        return insert_mark(out, at, o, 94)
    if digits + letters == 0 and size == 1 and out[at] != 43 and out[at] != 45:
        return o  # asterisks
    if digits == 0 and letters == 0 and out[at] >= 128 and not (out[at] == 0xE2 and size == 3):
        return o  # trade marks
    if digits == size and (word_size >= 5 or before in (46, 44, 59, 58, 33, 63, 34, 39)):
        return insert(out, at, o, 91, 93)
    return insert_mark(out, at, o, 94)


@inline_kernel
def lower(data, pos, end, W, out, at, o, before, all_digits):  # type: ignore[no-untyped-def]
    """A subscript: next o. The number of atoms in a chemical formula stays as it is."""
    if before == 47:
        return o
    if at - 3 >= W[s.TEXT] and out[at - 3] == 0xE2 and out[at - 2] == 0x81 and out[at - 1] == 0x84:
        out[at - 3] = 47
        for i in range(at, o):
            out[i - 2] = out[i]
        return o - 2
    if all_digits and (pos >= end or not 48 <= data[pos] <= 57):
        capital = 65 <= before <= 90 or before == 41
        capital |= 97 <= before <= 122 and at - 2 >= W[s.TEXT] and 65 <= out[at - 2] <= 90
        if capital:
            return o
    if not is_alnum(before) and before < 128 and before != 41 and before != 93 and before != 125:
        return o
    return insert_mark(out, at, o, 95)


# ---- line numbers and links that are signs


@inline_kernel
def number_ahead(data, pos, end):  # type: ignore[no-untyped-def]
    """1 if the first text behind ``pos``, over at most some tags and white space, is a number that stands alone, 2 if
    the element that begins there ends before any (its number is drawn), else 0."""
    end, depth = min(end, pos + 400), 0
    while pos < end:
        b = data[pos]
        if b == 60:
            depth += 1 if pos + 1 < end and data[pos + 1] != 47 else -1
            if depth < 0:
                return 2
            while pos < end and data[pos] != 62:
                pos += 1
            pos += 1
        elif is_space(b):
            pos += 1
        elif b == 38 and pos + 5 < end and data[pos + 1] == 110 and data[pos + 2] == 98:
            pos += 6
        else:
            break
    first = pos
    while pos < end and 48 <= data[pos] <= 57:
        pos += 1
    if pos == first or pos - first > 6 or pos >= end:
        return 0
    b = data[pos]
    return 1 if b == 60 or is_space(b) or b == 46 or b == 58 or b == 38 or b == 124 else 0


@inline_kernel
def is_number_text(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether text holds nothing but digits, white space, dots, colons and bars."""
    for i in range(start, stop):
        b = out[i]
        if not (48 <= b <= 57 or is_space(b) or b == 46 or b == 58 or b == 124):
            return False
    return True


@inline_kernel
def _is_mark(out, start, stop):  # type: ignore[no-untyped-def]
    """Whether a word of ASCII, in whatever case, is one of `_MARKS`."""
    h = FNV_START
    for i in range(start, stop):
        h = mix(h, out[i] | 0x20 if 65 <= out[i] <= 90 else out[i])
    return h in _MARKS


@inline_kernel
def is_sign(out, start, stop, in_heading, is_own):  # type: ignore[no-untyped-def]
    """Whether the text of a link is a pilcrow or, in a heading, another sign that links to itself or to what is done with
    it: ``#``, ``[link]``, ``[edit]`` (`_MARKS`); with ``is_own`` it leads to its own heading, behind whose text it stands, and may say so in words."""
    while start < stop and out[start] == 32:
        start += 1
    while stop > start and out[stop - 1] == 32:
        stop -= 1
    size = stop - start
    if size == 2 and out[start] == 0xC2 and out[start + 1] == 0xB6:
        return True
    if not in_heading:
        return False
    if size == 1 and out[start] == 35:
        return True
    if size == 2 and out[start] == 0xC2 and out[start + 1] == 0xA7:
        return True
    if size == 3 and out[start] == 0xE2 and out[start + 1] == 0x80 and out[start + 2] == 0x8B:
        return True
    if is_own and _is_mark(out, start, stop):
        return True
    if size > 2 and out[start] == 91 and out[stop - 1] == 93:
        return _is_mark(out, start + 1, stop - 1)
    if size > 3 and out[stop - 3] == 0xEF and out[stop - 2] == 0xB8:
        size -= 3  # as text or as a picture
    if size == 3:
        private = out[start] == 0xEE or (out[start] == 0xEF and out[start + 1] < 0xA4)  # icon fonts
        return private or (out[start] == 0xE2 and 0x86 <= out[start + 1] <= 0xAF)  # arrows, shapes and signs
    return size == 4 and out[start] == 0xF0 and out[start + 1] == 0x9F
