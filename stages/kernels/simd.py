"""Sixty-four bytes, or eight, in one instruction: what Numba has no function for, as LLVM instructions.

All are for little-endian machines (x86-64, ARM64) and check nothing: the caller sees to it that the bytes exist.

Legend: data uint8 array.
"""

# mypy: ignore-errors

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from stages.kernels.jit import lean_inline_kernel, named_level

intrinsic: Any = extending.intrinsic

_BLOCK = 64
SHUFFLES = platform.machine() == "x86_64" and named_level() is not None
"""Whether kernels may use AVX2's shuffle of bytes, which LLVM has no common name for."""


def address_of(context, builder, array_type, array, index):
    """Where an element of an array stands."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def block_bits(typing_context, data, i, first, span, fold):
    """uint64: bit k is set where ``(data[i + k] | fold) - first``, modulo 256, is at most ``span``."""

    def codegen(context, builder, signature, args):
        byte = ir.IntType(8)
        vector = ir.VectorType(byte, _BLOCK)
        address = address_of(context, builder, signature.args[0], args[0], args[1])
        block = builder.load(builder.bitcast(address, vector.as_pointer()))
        block.align = 1

        def splat(value):
            one = builder.insert_element(
                ir.Constant(vector, ir.Undefined), builder.trunc(value, byte), ir.IntType(32)(0)
            )
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), _BLOCK), [0] * _BLOCK)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

        moved = builder.sub(builder.or_(block, splat(args[4])), splat(args[2]))
        found = builder.icmp_unsigned("<=", moved, splat(args[3]))
        return builder.bitcast(found, ir.IntType(_BLOCK))

    return types.uint64(data, types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def _shuffled_bits(typing_context, data, i, nibbles):
    """`bucket_bits` in AVX2."""

    def codegen(context, builder, signature, args):
        byte, number = ir.IntType(8), ir.IntType(32)
        half, quarter = ir.VectorType(byte, 32), ir.VectorType(byte, 16)
        twice = ir.Constant(ir.VectorType(number, 32), [*range(16), *range(16)])
        kind = ir.FunctionType(half, [half, half])
        shuffle = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pshuf.b")
        low, four = (ir.Constant(half, [value] * 32) for value in (15, 4))

        def load(vector, array_type, array, index):
            address = address_of(context, builder, array_type, array, index)
            loaded = builder.load(builder.bitcast(address, vector.as_pointer()))
            loaded.align = 1
            return loaded

        tables = [
            builder.shuffle_vector(table, table, twice)
            for table in (load(quarter, signature.args[2], args[2], ir.IntType(64)(16 * k)) for k in range(6))
        ]
        found = ir.IntType(64)(0)
        for first in (0, 32):
            buckets = None
            for k in range(3):
                index = builder.add(args[1], ir.IntType(64)(first + k))
                block = load(half, signature.args[0], args[0], index)
                of_low = builder.call(shuffle, [tables[2 * k], builder.and_(block, low)])
                of_high = builder.call(shuffle, [tables[2 * k + 1], builder.lshr(block, four)])
                both = builder.and_(of_low, of_high)
                buckets = both if buckets is None else builder.and_(buckets, both)
            bits = builder.bitcast(builder.icmp_unsigned("!=", buckets, ir.Constant(half, [0] * 32)), number)
            found = builder.or_(found, builder.shl(builder.zext(bits, ir.IntType(64)), ir.IntType(64)(first)))
        return found

    return types.uint64(data, types.int64, nibbles), codegen


@lean_inline_kernel
def buckets_at(data, i, nibbles):
    """uint8: which of eight buckets the three bytes from ``data[i]`` on may belong to, a bit each.

    ``nibbles`` uint8, 96: for each of the three bytes the buckets of its low four bits (16), then of its high four.
    """
    found = np.uint8(255)
    for k in range(3):
        b = np.int64(data[i + k])
        found &= nibbles[32 * k + (b & 15)] & nibbles[32 * k + 16 + (b >> 4)]
    return found


@lean_inline_kernel
def _counted_bits(data, i, nibbles):
    """`bucket_bits` where there is no shuffle, and its twin."""
    found = np.uint64(0)
    for k in range(_BLOCK):
        found |= np.uint64(buckets_at(data, i + k, nibbles) != 0) << np.uint64(k)
    return found


bucket_bits = _shuffled_bits if SHUFFLES else _counted_bits
"""uint64 of (data, i, nibbles): bit k is set where `buckets_at` ``i + k`` has any. Reads 66 bytes."""


@intrinsic
def copy_block(typing_context, data, i, out, o):
    """Write the sixty-four bytes from ``data[i]`` on to ``out[o]`` and on."""

    def codegen(context, builder, signature, args):
        pointer = ir.VectorType(ir.IntType(8), _BLOCK).as_pointer()
        source = address_of(context, builder, signature.args[0], args[0], args[1])
        target = address_of(context, builder, signature.args[2], args[2], args[3])
        block = builder.load(builder.bitcast(source, pointer))
        block.align = 1
        builder.store(block, builder.bitcast(target, pointer), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, out, types.int64), codegen


@intrinsic
def load_8(typing_context, data, i):
    """uint64: the eight bytes from ``data[i]`` on, the first of them lowest."""

    def codegen(context, builder, signature, args):
        address = address_of(context, builder, signature.args[0], args[0], args[1])
        word = builder.load(builder.bitcast(address, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.int64), codegen


@intrinsic
def ones(typing_context, bits):
    """int64: how many bits of a uint64 are set."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def lowest(typing_context, bits):
    """int64: the place of the lowest bit set of a uint64; 64 where none is."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], cgutils.false_bit)

    return types.int64(types.uint64), codegen


@intrinsic
def highest(typing_context, bits):
    """int64: the place of the highest bit set of a uint64; -1 where none is."""

    def codegen(context, builder, signature, args):
        return builder.sub(ir.IntType(64)(63), builder.ctlz(args[0], cgutils.false_bit))

    return types.int64(types.uint64), codegen


@intrinsic
def prefetch(typing_context, array, i):
    """Ask for the cache line of ``array[i]``, which will be needed soon; any index is harmless."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        address = builder.bitcast(builder.gep(data, [args[1]]), byte)
        builder.call(function, [address, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


@intrinsic
def store_8(typing_context, data, i, word):
    """Write a uint64 to ``data[i]`` and the seven bytes behind it, its lowest byte first."""

    def codegen(context, builder, signature, args):
        address = address_of(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), codegen


@intrinsic
def load_float(typing_context, data, i):
    """data[i:i + 4] as a float32, wherever it stands."""

    def codegen(context, builder, signature, args):
        address = address_of(context, builder, signature.args[0], args[0], args[1])
        value = builder.load(builder.bitcast(address, ir.FloatType().as_pointer()))
        value.align = 1
        return value

    return types.float32(data, types.int64), codegen


def _row_adder(width):
    """A function of ``(out, o, floats, first, stride, rows, start, stop)``.

    It adds to ``width`` float32 from ``out[o]`` on rows[start] to rows[stop - 1], in that order; row r stands in the
    bytes of ``floats`` from ``first + stride * r`` on. Each column is a sum of its own: none is rounded otherwise than
    one by one.
    """

    def codegen(context, builder, signature, args):
        vector = ir.VectorType(ir.FloatType(), width)
        target = address_of(context, builder, signature.args[0], args[0], args[1])
        target = builder.bitcast(target, vector.as_pointer())
        total = cgutils.alloca_once(builder, vector)
        before = builder.load(target)
        before.align = 4
        builder.store(before, total)
        index = cgutils.alloca_once_value(builder, args[6])
        loop, done = builder.append_basic_block("rows"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", args[6], args[7]), loop, done)
        builder.position_at_end(loop)
        k = builder.load(index)
        row = builder.load(address_of(context, builder, signature.args[5], args[5], k))
        place = builder.add(args[3], builder.mul(args[4], builder.sext(row, args[4].type)))
        address = address_of(context, builder, signature.args[2], args[2], place)
        values = builder.load(builder.bitcast(address, vector.as_pointer()))
        values.align = 1
        builder.store(builder.fadd(builder.load(total), values), total)
        following = builder.add(k, ir.Constant(k.type, 1))
        builder.store(following, index)
        builder.cbranch(builder.icmp_signed("<", following, args[7]), loop, done)
        builder.position_at_end(done)
        builder.store(builder.load(total), target, align=4)
        return context.get_dummy_value()

    @intrinsic
    def add_rows(typing_context, out, o, floats, first, stride, rows, start, stop):
        whole = types.int64
        return types.void(out, whole, floats, whole, whole, rows, whole, whole), codegen

    return add_rows


add_rows_16, add_rows_4 = _row_adder(16), _row_adder(4)


@intrinsic
def high_product(typing_context, a, b):
    """The upper 64 of the 128 bits of a product of two uint64."""

    def codegen(context, builder, signature, args):
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), codegen
