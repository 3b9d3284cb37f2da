"""Code that a font alone tells: lines that `br` parts, or a paragraph each (Word, Google Docs, LibreOffice, mail). For `blocks` and `code_lines`.

A font for code is no proof: letters, verse and addresses stand in it, too. So lines must read as code (`reads_as_code`). Paragraphs that follow each
other become one `pre`, which the scanner opens before the first and closes behind the last. Price: such lines are read three times, up to `MAX_LINES` bytes
at once; of any other paragraph at most its first two tags are.
"""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.elements import open_element
from stages.kernels.html.layout import FIRST_BLOCK, OFF, PARENT, TAG
from stages.kernels.html.tables import TAG_FLAGS
from stages.kernels.html.tokens import find_byte, is_space, read_tag_name
from stages.kernels.jit import lean_inline_kernel as inline_kernel

MAX_LINES = 1 << 16
"""Bytes of code that is no `pre` and is looked at for lines."""
LETTERS_A_SIGN = 12
"""Letters for each sign of code, at most: prose in a font for code has some 300, code 3 to 10."""
SIGNS_A_SURE_ONE = 6
"""Signs for each that prose and addresses do not have, at most: a brace, an equals sign, a bracket right behind a name, a semicolon that ends a line."""


@inline_kernel
def is_monospaced(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a style holds the name of a font for code."""
    for i in range(start, stop - 3):
        a, b, c, d = data[i] | 0x20, data[i + 1] | 0x20, data[i + 2] | 0x20, data[i + 3] | 0x20
        if not ((a == 109 or a == 99) and (b == 111 or b == 101)):
            continue
        more = data[i + 4] | 0x20 if i + 4 < stop else 0
        if a == 109 and b == 111 and c == 110:
            if (d == 111 and (more == 115 or not 97 <= more <= 122)) or (d == 97 and more == 99):
                return True  # mono, monospace, Monaco; not Monotype
        elif a == 109 and c == 110 and d == 108 and more == 111:
            return True  # Menlo
        elif a == 99 and ((c == 110 and d == 115 and more == 111) or (c == 117 and d == 114 and more == 105)):
            return True  # Consolas, Courier; not courses
    return False


@inline_kernel
def is_sure_sign(data, i, stop, before):  # type: ignore[no-untyped-def]
    """Whether the sign at ``i``, behind the letter ``before`` of its line (10: none), is one that prose, prices, telephone numbers and forms do not have:
    no ``(s)``, no line to write on (``Yes ___``), no ornament (``=-=-=``)."""
    b, behind = data[i], data[i + 1] if i + 1 < stop else 10
    is_name = 97 <= before | 0x20 <= 122 or before == 95
    if b == 40:
        k = i + 1 + (behind == 101)
        return is_name and not (k + 1 < stop and data[k] == 115 and data[k + 1] == 41)
    if b == 41:
        return behind == 58 and i + 2 < stop and data[i + 2] in (10, 13, 60)  # def f(x):
    if b == 36:
        return 97 <= behind | 0x20 <= 122 or (before == 10 and behind == 32)
    if b == 95:
        return is_name and before != 95 and 97 <= behind | 0x20 <= 122
    if b == 91:
        return behind == 93
    if b == 61:
        is_ornament = (
            i > 1
            and i + 2 < stop
            and ((before in (42, 45, 126) and data[i - 2] == 61) or (behind in (42, 45, 126) and data[i + 2] == 61))
        )
        return before != 61 and behind != 61 and not is_ornament
    return b == 123 or b == 125 or b == 92


@inline_kernel
def reads_as_code(data, pos, stop, T):  # type: ignore[no-untyped-def]
    """Whether one in `LETTERS_A_SIGN` of the letters of ``data[pos:stop]`` is a sign of code, such as brackets, equals signs and semicolons, and one in
    `SIGNS_A_SURE_ONE` of these is no sign of other text (`is_sure_sign`) or a semicolon that ends a line; semicolons alone end clauses, too."""
    letters, signs, sure, ends, before = 0, 0, 0, 0, 10
    while pos < stop:
        b = data[pos]
        if b == 60:
            closing = pos + 1 < stop and data[pos + 1] == 47
            after, tag = read_tag_name(data, pos + 1 + closing, stop, T)
            before = 10 if T[TAG_FLAGS + tag] & t.BLOCK else before
            pos = find_byte(data, after, stop, 62)
        elif b == 38:
            c = data[pos + 1] | 0x20 if pos + 1 < stop else 0
            is_angle = c == 108 or c == 103  # &lt; &gt;
            signs += is_angle or c == 97  # &amp;
            sure += is_angle
            last = min(stop, pos + 8)
            while pos < last and data[pos] != 59:
                pos += 1
            before = 32 if c == 110 and before != 10 else before
        else:
            letters += 97 <= b | 0x20 <= 122 or b >= 128
            is_sign = b in (40, 41, 59, 61, 91, 93, 95, 123, 125, 36, 35, 124, 92, 42, 43)
            signs += is_sign
            sure += is_sign and is_sure_sign(data, pos, stop, before)
            ends += b == 59 and (pos + 1 >= stop or data[pos + 1] in (10, 13, 60))
            before = b if before != 10 or not is_space(b) else before
        pos += 1
    return (
        signs * LETTERS_A_SIGN >= letters and sure > 0 and sure + ends > 1 and (sure + ends) * SIGNS_A_SURE_ONE >= signs
    )


@inline_kernel
def end_of_lines(data, pos, end, tag, T):  # type: ignore[no-untyped-def]
    """Place of the end tag of ``tag`` whose text begins at ``pos``, within `MAX_LINES` bytes."""
    end = min(end, pos + MAX_LINES)
    while pos < end:
        pos = find_byte(data, pos, end, 60)
        if pos + 1 < end and data[pos + 1] == 47:
            _, other = read_tag_name(data, pos + 2, end, T)
            if other == tag:
                return pos
        pos += 1
    return end


@inline_kernel
def may_hold_code(W, nodes):  # type: ignore[no-untyped-def]
    """Whether code by its font alone may begin here: no text of a table was before it, so that it is a box and no cell of data."""
    node = W[s.STACK_NODES + W[s.DEPTH] - 1]
    for _ in range(4):
        if nodes[TAG, node] == t.TABLE:
            return nodes[FIRST_BLOCK, node] == W[s.BLOCKS]
        if nodes[TAG, node] != t.TD and nodes[TAG, node] != t.TR and nodes[TAG, node] != t.TBODY:
            return True
        node = nodes[PARENT, node]
    return True


@inline_kernel
def line_in_font(data, pos, after, end, tag, T):  # type: ignore[no-untyped-def]
    """(position behind the element whose start tag is ``data[pos:after]``, or -1; whether it has text) if all of its text is in a font for code, by its own tag or
    by `span` and `font` in it; -1 too where a block, an image or a comment stands in it."""
    whole = is_monospaced(data, pos, after)
    depth, font, any_text, i = 0, 0, False, after
    while i < end:
        b = data[i]
        if b == 60:
            closing = i + 1 < end and data[i + 1] == 47
            behind, other = read_tag_name(data, i + 1 + closing, end, T)
            stop = find_byte(data, behind, end, 62)
            if closing and other == tag:
                return (stop + 1 if stop < end else -1), any_text
            if other != t.BR and (T[TAG_FLAGS + other] & ~(t.VOID | t.BREAKOUT) or other == t.IMG or other == t.INPUT):
                return -1, any_text
            if i + 1 < end and (data[i + 1] == 33 or data[i + 1] == 63):
                return -1, any_text
            if closing:
                depth -= 1
                font = 0 if depth < font else font
            elif not T[TAG_FLAGS + other] & t.VOID:
                depth += 1
                if font == 0 and (other == t.SPAN or other == t.FONT) and is_monospaced(data, behind, stop):
                    font = depth
            i = stop + 1
            continue
        is_blank = is_space(b) or b == 0xA0
        if (
            b == 38 and i + 5 < end and (data[i + 1] == 110 or (data[i + 1] == 35 and data[i + 2] == 49))
        ):  # &nbsp; &#160;
            is_blank = data[i + 5] == 59
            i += 5 * is_blank
        elif b == 0xC2 and i + 1 < end and data[i + 1] == 0xA0:
            is_blank = True
        if not is_blank:
            if not whole and font == 0:
                return -1, any_text
            any_text = True
        i += 1
    return -1, any_text


@inline_kernel
def begins_in_font(data, after, end, found, W):  # type: ignore[no-untyped-def]
    """Whether the paragraph whose start tag ends at ``after`` may be in a font for code: its style says so, or `span` or `font` begins it."""
    while after < end and is_space(data[after]):
        after += 1
    if after + 6 < end and data[after] == 60:
        b, c, d = data[after + 1] | 0x20, data[after + 2] | 0x20, data[after + 4] | 0x20
        if (
            ((b == 115 and c == 112) or (b == 102 and c == 111))
            and (d == 110 or d == 116)
            and is_space(data[after + 5])
        ):
            return True
    if not (found >> t.STYLE_ATTR) & 1:
        return False
    return is_monospaced(data, W[s.SPANS + 2 * t.STYLE_ATTR], W[s.SPANS + 2 * t.STYLE_ATTR + 1])


@inline_kernel
def begin_paragraphs(data, pos, after, end, tag, T, W, nodes):  # type: ignore[no-untyped-def]
    """At the start tag ``data[pos:after]`` of a paragraph or `div` outside of code: open a `pre` around it and those behind it, if they are two and more lines of code by
    their font. `RUN_TO` is the place behind the last; what was read in vain, up to `RUN_SEEN`, is not read again."""
    first, stop, lines = pos, pos, 0
    end = min(end, pos + MAX_LINES)
    while pos < end:
        behind, any_text = line_in_font(data, pos, after, end, tag, T)
        if behind < 0:
            break
        lines += any_text
        stop = behind if any_text else stop
        pos = behind
        while pos < end and is_space(data[pos]):
            pos += 1
        if pos + 1 >= end or data[pos] != 60:
            break
        after, other = read_tag_name(data, pos + 1, end, T)
        if other != tag:
            break
        after = min(end, find_byte(data, after, end, 62) + 1)
    W[s.RUN_SEEN] = max(pos, stop)
    if lines > 1 and may_hold_code(W, nodes) and reads_as_code(data, first, stop, T):
        if open_element(W, nodes, t.PRE, 0, 0, 0):
            W[s.RUN_TO], W[s.HAS_BREAKS] = stop, 1
            W[s.LINE_OVER] = OFF
            W[s.LINE_FROM] = 0
