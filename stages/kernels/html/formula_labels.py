"""TeX that a drawn formula carries: labels and titles of MathJax, labels of ``role=math``. For `blocks` and `regions`."""

from __future__ import annotations

from stages.kernels.html import state as s
from stages.kernels.html import tokens as t
from stages.kernels.html.formula_texts import attribute_with_tex, is_source, is_word
from stages.kernels.html.written_formulas import FROM_ATTRIBUTE, formula_span
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def rendered_tex(data, found, W, T, out, o):  # type: ignore[no-untyped-def]
    """TeX in an attribute of what MathJax rendered: next o."""
    which = attribute_with_tex(found)
    start, stop = W[s.SPANS + 2 * which], W[s.SPANS + 2 * which + 1]
    if W[s.TEX_SURE]:
        return o  # of a part of the formula
    W[s.TEX_SURE] = 1
    return formula_span(data, start, stop, False, W[s.TEX_DISPLAY], FROM_ATTRIBUTE, T, W, out, o)


@inline_kernel
def is_drawn_math(data, found, W):  # type: ignore[no-untyped-def]
    """Whether a class is ``mjx-math``: what MathJax 2 draws, with its source as a label."""
    start = W[s.SPANS + 2 * t.CLASS]
    is_name = (found >> t.CLASS) & 1 and W[s.SPANS + 2 * t.CLASS + 1] - start == 8
    return (
        is_name and data[start] == 109 and data[start + 3] == 45 and data[start + 4] == 109 and data[start + 7] == 104
    )


@inline_kernel
def labelled_tex(data, W, T, out, o):  # type: ignore[no-untyped-def]
    """TeX that is the label of what MathJax 2 drew, if it is no speech (``a plus b``, ``alpha``): next o."""
    start, stop = W[s.SPANS + 2 * t.ARIA_LABEL], W[s.SPANS + 2 * t.ARIA_LABEL + 1]
    if is_word(data, start, stop) or not is_source(data, start, stop, T, out, o):
        return o
    return formula_span(data, start, stop, False, W[s.TEX_DISPLAY], FROM_ATTRIBUTE, T, W, out, o)


@inline_kernel
def is_labelled_math(data, W, T, out, o):  # type: ignore[no-untyped-def]
    """Whether the role of the tag just read is ``math`` and its label TeX: with a command or a script, or without a word. No speech (``x squared = 5``)."""
    role, start, stop = W[s.SPANS + 2 * t.ROLE], W[s.SPANS + 2 * t.ARIA_LABEL], W[s.SPANS + 2 * t.ARIA_LABEL + 1]
    if W[s.SPANS + 2 * t.ROLE + 1] - role != 4 or data[role] | 0x20 != 109 or data[role + 3] | 0x20 != 104:
        return False
    any_sign, run, most = False, 0, 0
    for i in range(start, stop):
        any_sign |= data[i] == 92 or data[i] == 94 or data[i] == 95
        run = run + 1 if 97 <= data[i] | 0x20 <= 122 else 0
        most = max(most, run)
    return (any_sign or most < 3) and not is_word(data, start, stop) and is_source(data, start, stop, T, out, o)


@inline_kernel
def titled_tex(data, W, T, out, o):  # type: ignore[no-untyped-def]
    """TeX that MathJax gave to its drawing, as ``data-latex`` or as a title: next o."""
    if W[s.REGION] == s.RENDERED_REGION and W[s.DRAWN_TEX] == 1:
        return rendered_tex(data, 1 << t.DATA_LATEX, W, T, out, o)
    start, stop = W[s.SPANS + 2 * t.DATA_LATEX], W[s.SPANS + 2 * t.DATA_LATEX + 1]
    if not is_source(data, start, stop, T, out, o):
        return o
    display = W[s.REGION] == s.RENDERED_REGION and W[s.TEX_DISPLAY]
    return formula_span(data, start, stop, False, display, FROM_ATTRIBUTE, T, W, out, o)
