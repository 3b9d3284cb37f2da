"""Four oblivious trees asked of sixty-four blocks at a time: what `trees` spends its time on.

A tree has 64 leaves, int16, kept as two planes of bytes: the low bytes of all, then the high ones. Where the processor can look
sixteen bytes up at once (AVX2's shuffle), the answers to four questions are the places looked up in four such tables, and those to
the other two choose among what is found; elsewhere leaves are read one by one. Sums of four trees are 16 bits wide while they are
made: `MOST_LEAF`.

Legend: X_FB features, uint8; T trees, K questions a tree, P = 128 bytes of leaves a tree.
"""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils

from stages.kernels.jit import lean_inline_kernel
from stages.kernels.simd import SHUFFLES, address_of, intrinsic

DEPTH = 6
LANES = 64
AT_ONCE = 4
NUM_LEAVES = 1 << DEPTH
MOST_LEAF = 32767 // AT_ONCE
_HALF = 32


def planes_of(leaves_TE: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """uint8 (T x P) of leaves (T x `NUM_LEAVES`): their low bytes, then their high ones.

    Raises:
        ValueError: if a leaf is beyond `MOST_LEAF`.
    """
    if np.abs(leaves_TE).max(initial=0) > MOST_LEAF:
        raise ValueError(f"expected leaves within {MOST_LEAF}, found {np.abs(leaves_TE).max()}")
    return np.concatenate([leaves_TE & 255, leaves_TE >> 8 & 255], axis=1).astype(np.uint8)


@intrinsic
def _shuffled_trees(typing_context, X, at, features_TK, limits_TK, planes_TP, tree, sums_B):
    """`add_trees` in AVX2."""

    def codegen(context, builder, signature, args):
        byte, word, number, wide = (ir.IntType(bits) for bits in (8, 16, 32, 64))
        lanes, table = ir.VectorType(byte, _HALF), ir.VectorType(byte, 16)
        words, numbers = ir.VectorType(word, 16), ir.VectorType(number, 16)
        kind = ir.FunctionType(lanes, [lanes, lanes])
        shuffle = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pshuf.b")

        def places(of):
            return ir.Constant(ir.VectorType(number, len(of)), of)

        def load(kind, array, index):
            place = address_of(context, builder, signature.args[array], args[array], index)
            loaded = builder.load(builder.bitcast(place, kind.as_pointer()))
            loaded.align = 1
            return loaded

        def in_tree(size, k):
            return builder.add(builder.mul(args[5], wide(size)), wide(k))

        def all_of(value):
            one = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, number(0))
            return builder.shuffle_vector(one, ir.Constant(lanes, ir.Undefined), places([0] * _HALF))

        def answer(half, k):
            row = builder.load(address_of(context, builder, signature.args[2], args[2], in_tree(DEPTH, k)))
            stride = cgutils.unpack_tuple(
                builder, context.make_array(signature.args[0])(context, builder, args[0]).strides
            )[0]
            values = load(lanes, 0, builder.add(builder.mul(row, stride), builder.add(args[1], wide(half))))
            return builder.icmp_unsigned(">", values, all_of(load(byte, 3, in_tree(DEPTH, k))))

        def table_at(start):
            sixteen = load(table, 4, in_tree(2 * NUM_LEAVES, start))
            return builder.shuffle_vector(sixteen, sixteen, places([*range(16), *range(16)]))

        # the order in which bytes of two vectors are interleaved within halves of them, and back
        low = [place + 16 * part for part in (0, 1) for k in range(8) for place in (k, k + _HALF)]
        high = [place + 8 for place in low]
        for half in (0, _HALF):
            sums = [ir.Constant(words, [0] * 16)] * 2
            for k in range(AT_ONCE):
                answers = [answer(half, DEPTH * k + question) for question in range(DEPTH)]
                index = ir.Constant(lanes, [0] * _HALF)
                for question in range(4):
                    bit = builder.and_(
                        builder.sext(answers[question], lanes), ir.Constant(lanes, [1 << question] * _HALF)
                    )
                    index = builder.or_(index, bit)
                planes = []
                for plane in (0, 1):
                    start = 2 * NUM_LEAVES * k + NUM_LEAVES * plane
                    four = [builder.call(shuffle, [table_at(start + 16 * q), index]) for q in range(4)]
                    pairs = [builder.select(answers[4], four[q + 1], four[q]) for q in (0, 2)]
                    planes.append(builder.select(answers[5], pairs[1], pairs[0]))
                for part, order in enumerate((low, high)):
                    leaves = builder.bitcast(builder.shuffle_vector(planes[0], planes[1], places(order)), words)
                    sums[part] = builder.add(sums[part], leaves)
            for part in (0, 1):
                order = [place + 8 * part for place in (*range(8), *range(16, 24))]
                found = builder.sext(builder.shuffle_vector(sums[0], sums[1], places(order)), numbers)
                place = builder.add(args[1], wide(half + 16 * part))
                place = address_of(context, builder, signature.args[6], args[6], place)
                place = builder.bitcast(place, numbers.as_pointer())
                held = builder.load(place)
                held.align = 4
                builder.store(builder.add(held, found), place, align=4)
        return context.get_dummy_value()

    int64 = types.int64
    return types.void(X, int64, features_TK, limits_TK, planes_TP, int64, sums_B), codegen


@lean_inline_kernel
def _single_trees(X, at, features_TK, limits_TK, planes_TP, tree, sums_B):
    """`add_trees` where there is no shuffle, and its twin."""
    for k in range(tree, tree + AT_ONCE):
        for b in range(at, at + LANES):
            leaf = 0
            for question in range(DEPTH):
                leaf |= (X[features_TK[k, question], b] > limits_TK[k, question]) << question
            sums_B[b] += np.int64(planes_TP[k, leaf]) + (np.int64(np.int8(planes_TP[k, NUM_LEAVES + leaf])) << 8)


add_trees = _shuffled_trees if SHUFFLES else _single_trees
"""Of (X, at, features_TK, limits_TK, planes_TP, tree, sums_B): add to the sums (int32) of `LANES` blocks from ``at`` on the leaves of trees ``tree`` to ``tree + 3``."""
