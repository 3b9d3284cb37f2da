"""Questions about nodes of a formula's tree: single characters, words, primes, brackets around a node. For `formulas`.

Legend: k a node, K nodes of the formula; T tables, W state; ``out[o:]`` is scratch where nothing is written.
"""

from __future__ import annotations

from stages.kernels.html import mathml as m
from stages.kernels.html import state as s
from stages.kernels.html.glyphs import is_letter, next_code
from stages.kernels.html.tex_output import makes_words, plain_letter
from stages.kernels.jit import lean_inline_kernel as inline_kernel


@inline_kernel
def only_code(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """The one character that node ``k`` holds, through rows of one child; 0 where it holds more or none."""
    c = base + k
    while nodes[m.KIND, c] <= m.MACTION:
        if nodes[m.FROM, c] >= 0 or nodes[m.END, c] == c - base + 1 or nodes[m.END, c + 1] != nodes[m.END, c]:
            return 0
        c += 1
    if nodes[m.KIND, c] > m.MS or nodes[m.FROM, c] < 0:
        return 0
    stop = nodes[m.TO, c]
    code, pos = next_code(data, nodes[m.FROM, c], stop, T, out, o)
    more, pos = next_code(data, pos, stop, T, out, o)
    while more == 32 or 9 <= more <= 13:
        more, pos = next_code(data, pos, stop, T, out, o)
    return code if more < 0 else 0


@inline_kernel
def shows_nothing(k, nodes, base):  # type: ignore[no-untyped-def]
    """Whether node ``k`` is at most a few rows and spaces without any character."""
    last = nodes[m.END, base + k]
    if last > k + 4:
        return False
    for i in range(k, last):
        kind = nodes[m.KIND, base + i]
        if nodes[m.FROM, base + i] >= 0 or (kind > m.MACTION and kind != m.MSPACE and kind != m.NONE):
            return False
    return True


@inline_kernel
def first_leaf(k, nodes, base):  # type: ignore[no-untyped-def]
    """Node ``k``, or what a row of one child holds."""
    c = base + k
    while nodes[m.KIND, c] <= m.MACTION and nodes[m.END, c] > c - base + 1 and nodes[m.END, c + 1] == nodes[m.END, c]:
        c += 1
    return c - base


@inline_kernel
def names_function(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Whether row ``k`` is one leaf and, behind it, nothing but spaces and the invisible sign that applies a function."""
    last = nodes[m.END, base + k]
    if last < k + 3 or nodes[m.END, base + k + 1] != k + 2:
        return False
    for i in range(k + 2, last):
        if nodes[m.KIND, base + i] != m.MSPACE and only_code(data, i, T, nodes, base, out, o) != 0x2061:
            return False
    return True


@inline_kernel
def is_word(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Whether row ``k`` is a function's name, or letters of one alphabet that are written as a word."""
    if names_function(data, k, T, nodes, base, out, o):
        return True
    style = 0
    for i in range(k + 1, nodes[m.END, base + k]):
        code, now = plain_letter(only_code(data, i, T, nodes, base, out, o), nodes[m.FLAGS, base + i] & 15, T)
        if nodes[m.KIND, base + i] not in (m.MI, m.MN) or (style and now != style):
            return False
        if not (is_letter(code) or 48 <= code <= 57) or not makes_words(now):
            return False
        style = now
    return True


@inline_kernel
def num_primes(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """How many primes node ``k`` is, as a leaf or a row of them; 0 if it is anything else."""
    found = 0
    for i in range(k, nodes[m.END, base + k]):
        if nodes[m.KIND, base + i] <= m.MACTION and nodes[m.FROM, base + i] < 0:
            continue
        code = only_code(data, i, T, nodes, base, out, o)
        if code in (0x2032, 39, 0x2019):
            found += 1
        elif 0x2033 <= code <= 0x2034:
            found += code - 0x2031
        else:
            return 0
    return found


@inline_kernel
def before(k, nodes, base):  # type: ignore[no-untyped-def]
    """The node before ``k`` in its row; -1."""
    if nodes[m.INDEX, base + k] == 0:
        return -1
    j = k - 1
    while nodes[m.PARENT, base + j] != nodes[m.PARENT, base + k]:
        j = nodes[m.PARENT, base + j]
    return j


@inline_kernel
def outermost(k, nodes, base):  # type: ignore[no-untyped-def]
    """Node ``k``, or the outermost row that holds nothing but it."""
    p = nodes[m.PARENT, base + k]
    while (
        p > 0
        and nodes[m.KIND, base + p] <= m.MACTION
        and nodes[m.INDEX, base + k] == 0
        and nodes[m.END, base + p] == nodes[m.END, base + k]
    ):
        k, p = p, nodes[m.PARENT, base + p]
    return k


@inline_kernel
def sign_of_fence(data, place, round_one, T, out, o):  # type: ignore[no-untyped-def]
    """A bracket of `mfenced` from where its attribute stands; 0: none, ``round_one`` without an attribute."""
    if place < 0:
        return round_one
    start = place >> m.SIGN_SHIFT
    code, _ = next_code(data, start, start + (place & 15), T, out, o)
    return max(0, code)


@inline_kernel
def brackets(data, k, K, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """The one character before node ``k`` in its row and the one behind it, or those of the `mfenced` that holds it alone; 0 where none is."""
    k = outermost(k, nodes, base)
    left, right = 0, 0
    holder = base + nodes[m.PARENT, base + k]
    if nodes[m.KIND, holder] == m.MFENCED:
        if nodes[m.INDEX, base + k] == 0 and nodes[m.END, base + k] == nodes[m.END, holder]:
            left = sign_of_fence(data, nodes[m.OPEN, holder], 40, T, out, o)
            right = sign_of_fence(data, nodes[m.CLOSE, holder], 41, T, out, o)
        return left, right
    if before(k, nodes, base) >= 0:
        left = only_code(data, before(k, nodes, base), T, nodes, base, out, o)
    after = nodes[m.END, base + k]
    if after < K and nodes[m.PARENT, base + after] == nodes[m.PARENT, base + k]:
        right = only_code(data, after, T, nodes, base, out, o)
    return left, right


@inline_kernel
def take_brackets(k, left, right, W, nodes, base, o):  # type: ignore[no-untyped-def]
    """Take the brackets back that node ``k`` writes itself, the one before it if ``left`` and the one behind it if ``right``: next o."""
    k = outermost(k, nodes, base)
    is_fence = nodes[m.KIND, base + nodes[m.PARENT, base + k]] == m.MFENCED
    if right:
        nodes[m.FLAGS, base + (nodes[m.PARENT, base + k] if is_fence else nodes[m.END, base + k])] |= m.SKIPPED
    if left:
        W[s.COMMAND] = 0
        return nodes[m.AT, base + (nodes[m.PARENT, base + k] if is_fence else before(k, nodes, base))]
    return o


@inline_kernel
def needs_braces(data, k, T, nodes, base, out, o):  # type: ignore[no-untyped-def]
    """Whether a script's base is more than one thing: a leaf, a bracketed row and a sum with limits are one."""
    c = base + first_leaf(k, nodes, base)
    kind = nodes[m.KIND, c]
    if kind > m.MACTION:
        return not (kind <= m.MSQRT or kind in (m.MTABLE, m.MFENCED, m.MUNDER, m.MOVER, m.MUNDEROVER))
    if nodes[m.END, c] <= c - base + 1:
        return False
    if is_word(data, c - base, T, nodes, base, out, o):
        return False
    first = only_code(data, c - base + 1, T, nodes, base, out, o)
    return not (first == 40 or first == 91 or first == 123 or first == 124 or first == 0x27E8 or first == 0x2016)
