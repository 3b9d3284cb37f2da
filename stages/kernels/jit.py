"""How kernels are compiled: one decorator, so that one place decides caching, threads and checks.

Kernels release the GIL, never use fast-math, and are cached on disk (`docs/decisions/numba-cache.md`).
Set NUMBA_BOUNDSCHECK=1 for a debug build that checks every index (Numba's own switch).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.extending import intrinsic

CONFIG: Any = numba.config
COMPILE: Any = numba.njit
"""Untyped: Numba's stubs do not know all of its options."""
INTRINSIC: Any = intrinsic
CONFIG.CACHE_LOCATOR_CLASSES = "stages.kernels.cache.ContentCacheLocator,InTreeCacheLocator"


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` at its first call: no GIL, wrap-around integers, exact floats, cached on disk."""
    return numba.njit(cache=True, nogil=True)(function)


def inline_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A small function that only other kernels call: compiled into them, so it has no cache entry of its own."""
    return numba.njit(nogil=True, inline="never")(function)


def lean_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `kernel`, for kernels that allocate nothing and pass many arrays to many functions.

    Compiled without Numba's reference counting: its atomic increments at every call cost four fifths of the
    time of the HTML scanner (50 MB/s with it). Such a kernel can neither make nor return arrays.
    """
    return COMPILE(cache=True, nogil=True, _nrt=False, error_model="numpy")(function)


def lean_inline_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """`inline_kernel` for the callees of a `lean_kernel`, compiled once whatever constants it is called with.

    Numba compiles a function again for every literal argument (`put(out, o, 10, 0, 1)`): that doubled the time to
    compile the HTML kernels.
    """
    dispatcher = COMPILE(nogil=True, inline="never", _nrt=False, error_model="numpy")(function)
    resolve = dispatcher.get_call_template

    def resolve_without_literals(args: Any, keywords: Any) -> Any:
        plain = {name: numba.types.unliteral(kind) for name, kind in keywords.items()}
        return resolve(tuple(numba.types.unliteral(kind) for kind in args), plain)

    dispatcher.get_call_template = resolve_without_literals
    return dispatcher


@INTRINSIC
def leading_zeros(typing_context: Any, value: Any) -> Any:
    """Zero bits of a uint64 above its highest one, as uint64; 64 of 0. One instruction, which no NumPy function is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], context.get_constant(numba.types.boolean, False))

    return numba.types.uint64(numba.types.uint64), generate
