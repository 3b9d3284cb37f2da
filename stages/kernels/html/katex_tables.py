"""Tables of a formula that KaTeX has drawn column by column, and children in another order, put as MathML has them: for `katex`.

Legend: K nodes of the formula; ``base`` the column of its first.
"""

from __future__ import annotations

from stages.kernels.html import mathml as m
from stages.kernels.html.rendered import exchange, number_children
from stages.kernels.jit import lean_inline_kernel as inline_kernel

SAME_ROW = 400
"""Ten-thousandths of an em: cells that lie no further from each other stand in one row."""


@inline_kernel
def swap_first(nodes, base, p):  # type: ignore[no-untyped-def]
    """Exchange the first two children of node ``p``, which has been read."""
    a, end = p + 1, nodes[m.END, base + p]
    if a >= end or nodes[m.END, base + a] >= end:
        return
    b = nodes[m.END, base + a]
    exchange(nodes, base, p, a, b, nodes[m.END, base + b])
    number_children(nodes, base, p)


@inline_kernel
def add_plain(nodes, c, kind, parent, index, k):  # type: ignore[no-untyped-def]
    """Make column ``c`` node ``k``, which holds nothing."""
    nodes[m.KIND, c], nodes[m.PARENT, c], nodes[m.INDEX, c], nodes[m.END, c] = kind, parent, index, k + 1
    nodes[m.FROM, c] = nodes[m.TO, c] = -1
    nodes[m.SECOND, c] = nodes[m.FLAGS, c] = nodes[m.AT, c] = nodes[m.OPEN, c] = 0


@inline_kernel
def copy_cell(nodes, base, source, p, size, n, row, index):  # type: ignore[no-untyped-def]
    """Copy the ``size`` nodes from column ``source``, where node ``p`` stands, to node ``n`` as a cell of ``row``."""
    for k in range(size):
        to = base + n + k
        for r in range(nodes.shape[0]):
            nodes[r, to] = nodes[r, source + k]
        nodes[m.END, to] += n - p
        nodes[m.PARENT, to] += n - p
        if nodes[m.SECOND, to]:
            nodes[m.SECOND, to] += n - p
    nodes[m.PARENT, base + n], nodes[m.INDEX, base + n], nodes[m.KIND, base + n] = row, index, m.MTD


@inline_kernel
def highest(nodes, at, first, last):  # type: ignore[no-untyped-def]
    """(place of the highest cell that is left in any column, number of columns); the place is 1 << 60 where none is. Columns stand from ``at`` on; `m.FROM` of
    one is its next cell."""
    place, num, q = 1 << 60, 0, first
    while q < last:
        p = nodes[m.FROM, at + q]
        if p < nodes[m.END, at + q]:
            place = min(place, nodes[m.OPEN, at + p])
        num += 1
        q = nodes[m.END, at + q]
    return place, num


@inline_kernel
def in_rows(nodes, base, table, K, room):  # type: ignore[no-untyped-def]
    """Turn the columns of node ``table``, whose last node is ``K - 1``, into rows: number of nodes; -1 if more than ``room`` columns would be needed.

    A row is what lies at one height; cells that are missing before others are empty.
    """
    first, size = table + 1, K - table - 1
    at = base + room - size - first  # the copy's
    if room - size < K:
        return -1
    for k in range(first, K):
        for r in range(nodes.shape[0]):
            nodes[r, at + k] = nodes[r, base + k]
    q = first
    while q < K:
        if nodes[m.KIND, at + q] != m.MTR:
            return -1
        nodes[m.FROM, at + q] = q + 1
        q = nodes[m.END, at + q]
    n, num_rows, work = first, 0, 0
    place, num = highest(nodes, at, first, K)
    while place < 1 << 60:
        work += num
        row, column, q = n, 0, first
        if work > 4 * size + 64 or n + 1 > room - size:
            return -1
        add_plain(nodes, base + n, m.MTR, table, num_rows, n)
        n += 1
        while q < K:
            p = nodes[m.FROM, at + q]
            if p < nodes[m.END, at + q] and nodes[m.OPEN, at + p] <= place + SAME_ROW:
                while nodes[m.AT, base + row] < column and n < room - size:
                    add_plain(nodes, base + n, m.MTD, row, nodes[m.AT, base + row], n)
                    nodes[m.AT, base + row] += 1
                    n += 1
                count = nodes[m.END, at + p] - p
                if n + count > room - size:
                    return -1
                copy_cell(nodes, base, at + p, p, count, n, row, column)
                nodes[m.AT, base + row] += 1
                nodes[m.FROM, at + q] = nodes[m.END, at + p]
                n += count
            column += 1
            q = nodes[m.END, at + q]
        nodes[m.END, base + row] = n
        num_rows += 1
        place, num = highest(nodes, at, first, K)
    nodes[m.AT, base + table] = num_rows
    return n
