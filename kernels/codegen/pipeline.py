"""numba's compiler without what kernels do not need; a cold start is little else than compiling.

Three things cost most of the time in numba's own pipeline, and none of them is of use here:

* A function that is only ever inlined is optimised by LLVM on its own, and its machine code made,
  before its callers do both again. Here its library is not optimised as a whole (`_Inlined`);
  LLVM's passes over single functions stay, since some loops vectorise only after them.
* References are counted, which functions of pointers do not need: what is called by its address
  holds no array that anybody else has.
* Everything that a function calls is compiled once for each set of flags that callers have. Here
  all callers type what they call with the same flags.

Passes for what kernels do not contain (closures, ``with`` blocks, expressions of whole arrays) are
left out; who writes such a thing gets numba's error. Users' own functions go through numba's own
pipeline, also where they call ours.
"""

import dis
import functools

from numba import _dynfunc
from numba.core import compiler, typed_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.registry import cpu_target
from numba.core.targetconfig import ConfigStack

__all__ = ["AddressCompiler", "KernelCompiler", "ScalarCompiler"]

_LEFT_OUT = {
    "WithLifting", "InlineClosureLikes", "MakeFunctionToJitFunction",
    "InlineInlinables", "FindLiterallyCalls", "LiteralUnroll", "LiteralPropagationSubPipelinePass",
    "NopythonRewrites", "NoPythonSupportedFeatureValidation",
    "DumpParforDiagnostics",
}  # fmt: skip
_OF_REFERENCES = {"IRLegalization"}  # says where the life of a variable ends


class _Inlined(JITCodeLibrary):
    """The code of a function that is only ever inlined: its callers optimise it and emit it."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


class _Fixed(compiler.Flags):
    """Flags that nobody changes: numba asks for their hash at every call in a source."""

    __slots__ = ("_hash",)

    def __init__(self, flags):
        super().__init__(flags)
        self._hash = super().__hash__()

    def __hash__(self):
        return self._hash


@functools.cache
def _flags_of_callers(fastmath):
    """What functions inherit and are known by, whoever calls them; all of it said explicitly."""
    flags = compiler.Flags()
    options = {"nopython": True, "boundscheck": False, "error_model": "numpy", "_nrt": True}
    options |= {"no_cfunc_wrapper": True, "no_cpython_wrapper": True, "forceinline": True}
    cpu_target.options.parse_as_flags(flags, {"fastmath": set(fastmath), **options})
    return _Fixed(flags)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Typing(typed_passes.NopythonTypeInference):
    """With the same flags in all functions: what they call is compiled once."""

    _name = "fastnn_type_inference"

    def run_pass(self, state):
        with ConfigStack().enter(_flags_of_callers(frozenset(state.flags.fastmath.flags))):
            return super().run_pass(state)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(typed_passes.NativeLowering):
    """Without an entry, neither from Python nor from C, for which there is no machine code."""

    _name = "fastnn_lowering_of_inlined"

    def run_pass(self, state):
        state.flags = state.flags.copy()
        state.flags.no_compile = True
        done = super().run_pass(state)
        made, library = state.cr, state.library
        name = made.fndesc.qualname.rsplit(".", 1)[-1]
        # an object for numba's tables, at address 0
        key = _dynfunc.make_function(
            made.fndesc.lookup_module(), name, "inlined", 0, made.env, (library,)
        )
        state.targetctx.insert_user_function(key, made.fndesc, [library])
        state.cr = made._replace(cfunc=key)
        return done


class KernelCompiler(compiler.CompilerBase):
    """For functions that Python calls."""

    _counts_references = True

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        flags = flags.copy()
        flags.nrt = self._counts_references
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)

    def define_pipelines(self):
        """Numba's own passes, without those that are left out."""
        return self._pipelines(JITCodeLibrary, typed_passes.NativeLowering)

    def _pipelines(self, library, lowering):
        state = self.state
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        left_out = _LEFT_OUT if self._counts_references else _LEFT_OUT | _OF_REFERENCES
        ours = {"NopythonTypeInference": _Typing, "NativeLowering": lowering}
        passes = PassManager("fastnn")
        for kind, text in compiler.DefaultPassBuilder.define_nopython_pipeline(state).passes:
            if kind.__name__ not in left_out:
                passes.add_pass(ours.get(kind.__name__, kind), text)
        passes.finalize()
        return [passes]


class AddressCompiler(KernelCompiler):
    """For functions that are called by their address, which neither allocate nor raise."""

    _counts_references = False


class ScalarCompiler(KernelCompiler):
    """For functions that are only ever inlined."""

    def define_pipelines(self):
        """As for kernels if they raise: numba makes exceptions by code that must be known to it."""
        code = dis.get_instructions(self.state.func_id.func)
        if any(step.opname == "RAISE_VARARGS" for step in code):
            return super().define_pipelines()
        return self._pipelines(_Inlined, _Lowering)
