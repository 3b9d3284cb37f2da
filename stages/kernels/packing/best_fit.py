"""Best-fit decreasing: pieces into bins, by a tree over the room that bins have left.

Legend: P pieces; the tree has 2 * leaves nodes, leaf number leaves + r standing for bins with room r.
Source: Ding et al. 2024, arXiv 2404.10830, section 3. O(P log capacity); no allocation.
"""

from __future__ import annotations

from stages.kernels.jit import inline_kernel, kernel


@inline_kernel
def _count(tree, node, change):  # type: ignore[no-untyped-def]
    while node > 0:
        tree[node] += change
        node //= 2


@inline_kernel
def _least_room(tree, leaves, size):  # type: ignore[no-untyped-def]
    """Smallest room >= size with a bin, or -1: up until a right sibling has one, then down its left side."""
    node = leaves + size
    if tree[node] > 0:
        return size
    while node > 1:
        if node % 2 == 0 and tree[node + 1] > 0:
            node += 1
            while node < leaves:
                node = 2 * node if tree[2 * node] > 0 else 2 * node + 1
            return node - leaves
        node //= 2
    return -1


@kernel
def assign_bins(sizes_P, order_P, capacity, tree, head, following_P, bin_of_P):  # type: ignore[no-untyped-def]
    """Bins for the pieces in ``order_P``; fills ``bin_of_P`` and returns how many bins there are.

    Bins of equal room form a stack: ``head`` by room (-1 none), ``following_P`` by bin. ``tree`` counts, below each
    node, the stacks that are not empty. ``tree`` must be zeros, ``head`` and ``following_P`` -1.
    """
    leaves = tree.size // 2
    num_bins = 0
    for at in range(order_P.size):
        piece = order_P[at]
        size = sizes_P[piece]
        room = _least_room(tree, leaves, size)
        if room < 0:
            chosen = num_bins
            num_bins += 1
            room = capacity
        else:
            chosen = head[room]
            head[room] = following_P[chosen]
            if head[room] < 0:
                _count(tree, leaves + room, -1)
        bin_of_P[piece] = chosen
        left = room - size
        if left > 0:
            if head[left] < 0:
                _count(tree, leaves + left, 1)
            following_P[chosen] = head[left]
            head[left] = chosen
    return num_bins
