"""Sixty-four bytes, or eight, in one instruction: what Numba has no function for, as LLVM instructions.

All are for little-endian machines (x86-64, ARM64) and check nothing: the caller sees to it that the bytes exist.

Legend: data uint8 array.
"""

# mypy: ignore-errors

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

intrinsic: Any = extending.intrinsic

_BLOCK = 64


def _address(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def block_bits(typing_context, data, i, first, span, fold):
    """uint64: bit k is set where ``(data[i + k] | fold) - first``, modulo 256, is at most ``span``."""

    def codegen(context, builder, signature, args):
        byte = ir.IntType(8)
        vector = ir.VectorType(byte, _BLOCK)
        address = _address(context, builder, signature.args[0], args[0], args[1])
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
def copy_block(typing_context, data, i, out, o):
    """Write the sixty-four bytes from ``data[i]`` on to ``out[o]`` and on."""

    def codegen(context, builder, signature, args):
        pointer = ir.VectorType(ir.IntType(8), _BLOCK).as_pointer()
        source = _address(context, builder, signature.args[0], args[0], args[1])
        target = _address(context, builder, signature.args[2], args[2], args[3])
        block = builder.load(builder.bitcast(source, pointer))
        block.align = 1
        builder.store(block, builder.bitcast(target, pointer), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, out, types.int64), codegen


@intrinsic
def load_8(typing_context, data, i):
    """uint64: the eight bytes from ``data[i]`` on, the first of them lowest."""

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature.args[0], args[0], args[1])
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
        address = _address(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), codegen
