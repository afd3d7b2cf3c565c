"""The machine code of kernels for processors that need not be at hand.

    python -m guard.targets target dtype [kernels …]

numba compiles for the machine that it runs on, since it runs what it compiles. So it is kept from
optimizing here, which leaves a kernel as LLVM was given it; LLVM then makes of that what any other
processor would run. `TARGETS` are those it is tried for. Prints what is wrong with each kernel.
"""

import json
import re
import sys
from dataclasses import dataclass

import llvmlite.binding as llvm
import numpy as np

from guard.assembly import OURS, not_full

__all__ = ["CHOSEN", "TARGETS", "Target"]

_LABELS = (".L",)
CHOSEN = (  # of each kind one or two; the others are for the sweep
    "tanh forward", "GELU derivative", "softmax forward", "SoftmaxCrossEntropy cost", "Adam step",
    "gemm", "gemm_nt", "packed_gemm", "transpose",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A processor: its name for LLVM, and how full vectors look in its assembly."""

    triple: str
    cpu: str
    size: int  # bytes of a register
    packed: str  # an instruction for full vectors; {t}: letter of the dtype
    fused: str | None  # the same, that multiplies and adds; None: it has none
    calls: frozenset[str] = frozenset()  # of the C library, that formulas cannot do without there
    features: str = ""


_X86, _ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
TARGETS = {
    "SSE2": Target(_X86, "x86-64", 16, r"\t[a-z]+p{t}\s.*%xmm", None, frozenset({"fma", "fmaf"})),
    "AVX2": Target(
        _X86, "haswell", 32, r"\tv\w+p{t}\s.*%ymm", r"\tvfn?m(?:add|sub)\d+p{t}\s.*%ymm"
    ),
    "AVX-512": Target(
        _X86, "skylake-avx512", 64, r"\tv\w+p{t}\s.*%zmm", r"\tvfn?m(?:add|sub)\d+p{t}\s.*%zmm"
    ),
    "ARM": Target(
        _ARM, "generic", 16, r"\t\w+\s+v\d+\.{lanes}{t}\b", r"\tfml[as]\s+v\d+\.{lanes}{t}\b"
    ),
}


def features(target):
    """What the processor can do, as numba's code generator has it."""
    known = {64: "+avx512f,+avx512vl,+avx512dq,+avx512bw,+avx,+avx2,+fma", 32: "+avx,+avx2,+fma"}
    return known.get(target.size, "") if target.triple == _X86 else "+neon"


def keep_unoptimized(target):
    """Have numba leave its modules as they are, made of vectors of that processor."""
    from numba.core.codegen import CPUCodeLibrary

    from fastnn.kernels.gemm import registers

    CPUCodeLibrary._optimize_functions = lambda self, module: None
    CPUCodeLibrary._optimize_final_module = lambda self: None
    found = registers._registers(features(target), target.triple)
    registers._registers = lambda features, triple: found


def assembly_of(code, target):
    """What LLVM makes of a module in its language for that processor."""
    code = re.sub(r'(?m)^target (?:triple|datalayout) = ".*"$', "", code)
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="static", codemodel="default"
    )
    module = llvm.parse_assembly(f'target triple = "{target.triple}"\n{code}')
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_assembly(module), str(module)


def facts(assembly, code, target, dtype):
    """What the machine code of a kernel is like; code: the same in LLVM's language."""
    letter = "sd"[dtype.itemsize // 8]
    fill = {"{t}": letter, "{lanes}": str(target.size // dtype.itemsize)}
    called = re.findall(r"(?m)^\t(?:callq?|jmpq?|bl|b)[ \t]+([A-Za-z_][\w.$]*)", assembly)
    return {
        "calls": sorted({name for name in called if not name.startswith(OURS + _LABELS)}),
        "packed": _count(target.packed, fill, assembly),
        "fused": _count(target.fused, fill, assembly) if target.fused else None,
        "fma": bool(re.search(r"call .*@llvm\.fma\.v", code)),
    }


def _count(pattern, fill, assembly):
    for key, value in fill.items():
        pattern = pattern.replace(key, value)
    return len(re.findall(pattern, assembly))


def kernels(target):
    """Function, signature and allowed calls of each kernel, by name: the table's and products."""
    from fastnn.kernels.gemm import loops, packing
    from guard.table import KERNELS

    copies = frozenset({"memset", "memcpy"})
    found = {name: (k.function, k.signature, k.calls | target.calls) for name, k in KERNELS.items()}
    for function, signature in (
        (loops.gemm, loops.GEMM),
        (loops.gemm_nt, loops.GEMM_NT),
        (packing.packed_gemm, packing.PACKED_GEMM),
        (loops.transpose, loops.TRANSPOSE),
    ):
        found[function.__name__] = function, signature, copies
    return found


def _main(name, dtype, names):
    from fastnn.kernels.codegen import declare

    target = TARGETS[name]
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    keep_unoptimized(target)
    found, table = {}, kernels(target)
    for kernel in names or table:
        function, signature, allowed = table[kernel]
        declare.address(function, dtype, signature)
        compiled = declare._addresses[function, dtype.char, signature]
        if compiled.cache_hits:
            sys.exit("what comes from the cache is optimized: NUMBA_CACHE_DIR must be empty")
        made = assembly_of(compiled._library.get_llvm_str(), target)
        found[kernel] = not_full(facts(*made, target, dtype), allowed)
    print(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1], np.dtype(sys.argv[2]), sys.argv[3:])
