"""How kernels are compiled: one decorator, so that one place decides processor level, caching, threads and checks.

Kernels release the GIL, never use fast-math, are compiled for a level of processors rather than for the one at hand
(`LEVELS`), so that what is compiled on one machine runs on all, and are kept on disk (`stages.kernels.cache`,
`docs/decisions/numba-cache.md`). `stages.kernels.compile` compiles them all when an environment is made.
Set NUMBA_BOUNDSCHECK=1 for a debug build that checks every index, NUMBA_CPU_NAME for another processor (Numba's own
switches).
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

from stages.kernels.cache import KernelCache, is_stage
from stages.kernels.code_generation import CalleeCompiler, KernelCompiler

CONFIG: Any = numba.config
COMPILE: Any = numba.njit
"""Untyped: Numba's stubs do not know all of its options."""
INTRINSIC: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic
LEVELS = {
    "x86_64": ("x86-64-v3", "avx2 bmi bmi2 f16c fma lzcnt movbe popcnt"),
    "aarch64": ("generic", ""),
    "arm64": ("generic", ""),
}
"""By machine: what LLVM calls the level, and what a processor must have for it (x86-64-v3: servers since 2013)."""
KERNELS: dict[str, Any] = {}
"""Every kernel of the modules loaded so far, by ``module.function``."""


def named_level() -> str | None:
    """The level that kernels are compiled for on this machine; None where its processor is below: its own, then."""
    level, needed = LEVELS.get(platform.machine(), (None, ""))
    has: Any = llvmlite.binding.get_host_cpu_features
    return level if all(has().get(feature) for feature in needed.split()) else None


if CONFIG.CPU_NAME is None and (_level := named_level()) is not None:
    CONFIG.CPU_NAME, CONFIG.CPU_FEATURES = _level, ""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` at its first call: no GIL, exact floats, kept on disk.

    Only unsigned integers wrap around: LLVM may take it that a signed product or sum never overflows. An index counts
    from the front: ``a[-1]`` of a variable is no element (`stages.kernels.code_generation`).
    """
    return _cached(COMPILE(nogil=True, no_cfunc_wrapper=True, pipeline_class=KernelCompiler)(function))


def inline_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A small function that only other kernels call: compiled into them, so it has no cache entry of its own."""
    return _callee(COMPILE(nogil=True, inline="never", pipeline_class=CalleeCompiler)(function))


def lean_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Like `kernel`, for kernels that allocate nothing and pass many arrays to many functions.

    Compiled without Numba's reference counting: its atomic increments at every call cost four fifths of the
    time of the HTML scanner (50 MB/s with it). Such a kernel can neither make nor return arrays.
    """
    options = {"_nrt": False, "error_model": "numpy", "pipeline_class": KernelCompiler}
    return _cached(COMPILE(nogil=True, no_cfunc_wrapper=True, **options)(function))


def lean_inline_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """`inline_kernel` for the callees of a `lean_kernel`."""
    options = {"_nrt": False, "error_model": "numpy", "pipeline_class": CalleeCompiler}
    return _callee(COMPILE(nogil=True, inline="never", **options)(function))


def _cached(dispatcher: Any) -> Callable[..., Any]:
    """Keep its machine code as `stages.kernels.cache` does; not that of a kernel outside `stages`."""
    function: Any = getattr(dispatcher, "py_func", None)
    if isinstance(dispatcher, CPUDispatcher) and is_stage(function.__module__):
        compiled: Any = dispatcher
        compiled._cache = KernelCache(function)
        compiled._compilation_chain_init_hook = lambda: None  # extensions serve compiling alone: `KernelCache`
        KERNELS[f"{function.__module__}.{function.__qualname__}"] = dispatcher
    kernel: Callable[..., Any] = dispatcher
    return kernel


def _callee(dispatcher: Any) -> Callable[..., Any]:
    """Make a function that kernels alone call cheap to compile: the kernel it ends in is optimised as a whole anyway.

    - Numba compiles a function again for every literal argument (`put(out, o, 10, 0, 1)`): literals are made plain.
    - It optimises the module of every callee, again in every caller, and makes machine code and a Python wrapper of
      each: callees stay as LLVM code, optimised function by function.

    Together they take two thirds off the time to compile the HTML kernels, the second a third off the others. This
    leans on how the pinned Numba works inside (`pyproject.toml`): after an upgrade every kernel's tests tell.
    """
    resolve = dispatcher.get_call_template

    def resolve_without_literals(args: Any, keywords: Any) -> Any:
        plain = {name: numba.types.unliteral(kind) for name, kind in keywords.items()}
        return resolve(tuple(numba.types.unliteral(kind) for kind in args), plain)

    def without_machine_code(flags: Any) -> Any:
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        return flags

    def register(compiled: Any) -> None:
        library = compiled.library
        library._optimize_final_module = lambda: None
        library._finalize_final_module = lambda: setattr(library, "_finalized", True)
        entry = (dispatcher, compiled.signature)  # stands for the address of machine code
        compiled.target_context.insert_user_function(entry, compiled.fndesc, [library])
        dispatcher.overloads[tuple(compiled.signature.args)] = compiled._replace(entry_point=entry)

    dispatcher.get_call_template = resolve_without_literals
    dispatcher._compiler._customize_flags = without_machine_code
    dispatcher.add_overload = register
    kernel: Callable[..., Any] = dispatcher
    return kernel


@INTRINSIC
def leading_zeros(typing_context: Any, value: Any) -> Any:
    """Zero bits of a uint64 above its highest one, as uint64; 64 of 0. One instruction, which no NumPy function is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], context.get_constant(numba.types.boolean, False))

    return numba.types.uint64(numba.types.uint64), generate
