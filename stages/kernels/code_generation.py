"""Numba's compiler as kernels have it: two changes, by Numba's own means (a compiler class, a compiler pass).

- *Indices count from the front* (`CountFromFront`): ``a[i]`` of a negative ``i`` is wrong, where Numba would take it
  from the end, and ask so of every signed index. A debug build (`NUMBA_BOUNDSCHECK=1`) raises `IndexError`.
- *Only the kernel itself is seen from outside* (`KernelLibrary`), so LLVM may change how it calls its own functions.

Together they make the HTML kernels half again as fast (`docs/decisions/numba-cache.md`).
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
from numba.core import codegen, compiler, compiler_machinery, ir, typed_passes, types
from numba.core.typing import templates

# Untyped: Numba's stubs do not know what these have.
CodeLibrary: Any = codegen.JITCodeLibrary
Compiler: Any = compiler.Compiler
FunctionPass: Any = compiler_machinery.FunctionPass
register_pass: Any = compiler_machinery.register_pass
signature_of: Any = templates.signature


@register_pass(mutates_CFG=False, analysis_only=False)
class CountFromFront(FunctionPass):  # type: ignore[misc]
    """Types the integers that index arrays as unsigned, which Numba does not wrap around."""

    _name = "count_from_front"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        for block in state.func_ir.blocks.values():
            for statement in block.body:
                access: Any = statement.value if isinstance(statement, ir.Assign) else statement
                if isinstance(access, ir.SetItem) or getattr(access, "op", None) == "getitem":
                    state.calltypes[access] = with_unsigned_index(state.calltypes.pop(access))
        return True


def with_unsigned_index(signature: Any) -> Any:
    """The signature of a getitem or setitem; of anything but arrays as it is."""
    container, index, *rest = signature.args
    if not isinstance(container, types.Array):
        return signature
    several = isinstance(index, types.BaseTuple)
    unsigned: Any = types.Tuple([_unsigned(kind) for kind in index.types]) if several else _unsigned(index)
    return signature_of(signature.return_type, container, unsigned, *rest)


def _unsigned(kind: Any) -> Any:
    return types.uint64 if kind in types.signed_domain else kind


class KernelLibrary(CodeLibrary):  # type: ignore[misc]
    """The machine code of one kernel, which nothing else is linked with.

    An array is seven words on the stack of each call, of which most functions need one or two, and a function with one
    caller becomes part of it.
    """

    def _optimize_final_module(self) -> None:
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == llvmlite.binding.Linkage.linkonce_odr:
                function.linkage = llvmlite.binding.Linkage.internal
        super()._optimize_final_module()


class CalleeCompiler(Compiler):  # type: ignore[misc]
    """For functions that kernels call."""

    def define_pipelines(self) -> list[Any]:
        (pipeline,) = super().define_pipelines()
        pipeline.add_pass_after(CountFromFront, typed_passes.NopythonTypeInference)
        pipeline.finalize()
        return [pipeline]


class KernelCompiler(CalleeCompiler):
    """For kernels."""

    def __init__(self, typing_context: Any, target_context: Any, library: Any, *rest: Any) -> None:
        if library is None:
            library = KernelLibrary(target_context.codegen(), "kernel")
            library.enable_object_caching()
        super().__init__(typing_context, target_context, library, *rest)
