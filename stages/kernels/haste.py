"""Numba in a hurry: the same machine code in two thirds of the time, for a process that compiles and ends.

Most of the time Numba takes to compile our kernels goes into its own Python. `hasten` spares what it does again
and again, or for nothing:

- `a[i] + b` is resolved anew wherever it stands, every overload of `+` tried in turn: an answer is kept for the next
  call with the same types.
- The compiler's flags are a key of those answers; hashing and comparing them took a getter call for each of forty.
- Which variables a statement names is asked of every statement some ten times: by its types, not by trial.
- Passes for what no kernel of ours contains (closures, `with`, inlined callees, literal loops, array expressions)
  walk over every function to find nothing, and each pass reports to listeners nobody has attached.
- LLVM's verifier checks every module twice, which is a check of Numba itself.

It replaces methods inside the pinned Numba (`pyproject.toml`), so it is called only where kernels are compiled ahead
(`pipeline.warm`); anywhere else Numba compiles as its makers meant. `tests/kernels/test_haste.py` compares the machine
code.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import llvmlite.binding
from numba.core import compiler_machinery, event, ir, targetconfig, typed_passes, untyped_passes
from numba.core.types import functions

IDLE_PASSES = frozenset(
    {
        untyped_passes.WithLifting,
        untyped_passes.InlineClosureLikes,
        untyped_passes.MakeFunctionToJitFunction,
        untyped_passes.InlineInlinables,
        untyped_passes.FindLiterallyCalls,
        untyped_passes.LiteralUnroll,
        untyped_passes.LiteralPropagationSubPipelinePass,
        typed_passes.InlineOverloads,
        typed_passes.NopythonRewrites,
        typed_passes.NoPythonSupportedFeatureValidation,
        typed_passes.DumpParforDiagnostics,
    }
)
"""What changes nothing in a kernel of `stages`; what Numba itself writes (`np.searchsorted`) takes all passes."""

_SOURCES = __name__.partition(".")[0] + "."
_NAMELESS = frozenset({ir.Loc, str, int, bool, type(None), type})
_UNTIMED = compiler_machinery.pass_timings(0.0, 0.0, 0.0)


def hasten() -> None:
    """Make Numba compile quickly in this process, from now on. Must be called before the first kernel compiles."""
    flags = targetconfig.TargetConfig
    for owner, name, replacement in (
        (functions.BaseFunction, "get_call_type", _remembering(functions.BaseFunction.get_call_type)),
        (flags, "values", _values),
        (flags, "__hash__", _hash),
        (flags, "__eq__", _equals),
        (compiler_machinery.PassManager, "_runPass", _run_pass),
        (ir.Inst, "_rec_list_vars", lambda self, value: _variables(value, [])),
        (event, "trigger_event", _no_span),
        (event, "start_event", _no_event),
        (event, "end_event", _no_event),
        (llvmlite.binding.ModuleRef, "verify", _not_verified),
    ):
        setattr(owner, name, replacement)


def _remembering(resolve: Any) -> Any:
    """``get_call_type`` that keeps the signature it found for a function, its argument types and the flags in force."""
    found: dict[Any, Any] = {}
    flags = targetconfig.ConfigStack.top_or_none

    def get_call_type(self: Any, context: Any, args: Any, kws: Any) -> Any:
        key = (self, context, tuple(args), tuple(kws.items()), flags())
        signature = found.get(key)
        if signature is None:
            signature = found[key] = resolve(self, context, args, kws)
        return signature

    return get_call_type


def _values(self: Any) -> dict[str, Any]:
    own = self._values
    return {name: own.get(name, option.default) for name, option in self.options.items()}


def _hash(self: Any) -> int:
    """Equal for equal flags: of the names of those that are not as by default."""
    return hash(frozenset(name for name, value in self._values.items() if value != self.options[name].default))


def _equals(self: Any, other: Any) -> Any:
    if self is other:
        return True
    if isinstance(other, targetconfig.TargetConfig):
        return self._values == other._values or self.values() == other.values()
    return NotImplemented


def _variables(value: Any, found: list[Any]) -> list[Any]:
    """``found`` and the variables in a statement, an expression, or what one is made of, in order."""
    kind = type(value)
    if kind is ir.Var:
        found.append(value)
    elif kind is dict:
        for part in value.values():
            _variables(part, found)
    elif kind is tuple or kind is list:
        for part in value:
            _variables(part, found)
    elif kind not in _NAMELESS and isinstance(value, ir.Inst):
        found.extend(value.list_vars())
    return found


def _run_pass(self: Any, index: int, one: Any, state: Any) -> None:
    """A pass without its timers, events and prints; an idle one not at all."""
    self.exec_times[f"{index}_{one.name()}"] = _UNTIMED
    if type(one) in IDLE_PASSES and state.func_id.modname.startswith(_SOURCES):
        return
    one.analysis = self._analysis
    one.run_initialization(state)
    one.run_pass(state)
    one.run_finalizer(state)


def _no_span(kind: str, data: Any = None) -> AbstractContextManager[None]:
    return nullcontext()


def _no_event(kind: str, data: Any = None) -> None:
    pass


def _not_verified(self: Any) -> None:
    pass
