"""The machine code of every kernel, as one and the same processor would get it anywhere.

    python -m guard.assembly dtype [kernels …]

compiles for Haswell, the first with AVX2 and FMA, and prints what the code is like. In a process of
its own, since numba has one target a process; `TARGET` is the environment that sets it.
"""

import gc
import json
import platform
import re
import sys

import llvmlite.binding as llvm
import numpy as np

__all__ = ["OURS", "TARGET", "complaints", "is_possible", "not_full"]

TARGET = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+cx16,+cx8,+f16c,+fma,+fxsr,+lzcnt,"
    "+mmx,+movbe,+popcnt,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+xsave",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}

OURS = "_ZN", "NRT_", "Py", "numba_", ".LCPI", ".const."  # what the entry from Python refers to
_ARITHMETIC = r"(?:add|sub|mul|div|sqrt|min|max|fn?m(?:add|sub)\d+)"
_CONVERSION = r"cvt(?:ps2pd|ss2sd|pd2ps|sd2ss)"


def is_possible():
    """Whether this machine could run that code, parts of which numba does run."""
    features = llvm.get_host_cpu_features()
    return platform.machine() in ("x86_64", "AMD64") and features["avx2"] and features["fma"]


def facts(assembly, code, dtype):
    """What the machine code of a kernel is like; code: the same in LLVM's language."""
    letter, other = "sd" if dtype == np.float32 else "ds"
    symbols = set(re.findall(r"\$([A-Za-z_.][\w.$]*)", assembly))
    symbols |= set(re.findall(r"\b(?:callq?|jmpq?)\s+([A-Za-z_][\w.$@]*)", assembly))
    attributes = dict(re.findall(r"(?m)^attributes (#\d+) = (.*)$", code))
    functions = re.findall(r"(?ms)^define ([^\n]*)\n(.*?)^}", code)
    narrow = [
        head
        for head, body in functions
        if re.search(r"<\d+ x (?:float|double)>", body)
        and '"prefer-vector-width"="512"' not in "".join(map(attributes.get, _groups(head)))
    ]
    return {
        "calls": sorted(name for name in symbols if not name.startswith(OURS)),
        "packed": len(re.findall(rf"\tv(?:mov\w+|\w+p{letter})\s.*%ymm", assembly)),
        "fused": len(re.findall(rf"\tvfn?m(?:add|sub)\d+p{letter}\s.*%ymm", assembly)),
        "single": len(re.findall(rf"\tv{_ARITHMETIC}s[sd]\s", assembly)),
        "other": len(re.findall(rf"\tv(?:{_ARITHMETIC}[sp]{other}|{_CONVERSION})\s", assembly)),
        "fma": bool(re.search(r"call .*@llvm\.fma\.", code)),
        "narrow": len(narrow),
    }


def _groups(head):
    return re.findall(r"#\d+", head)


def not_full(found, calls=frozenset()):
    """What tells that a kernel, which may make these calls, is not made of full vectors."""
    bad = []
    if others := set(found["calls"]) - calls:
        bad.append(f"calls {', '.join(sorted(others))}")
    if not found["packed"]:
        bad.append("has no instruction for full vectors")
    if found["fma"] and found["fused"] == 0:  # None: the processor has none
        bad.append("multiplies and adds, but not fused and on full vectors")
    return bad


def complaints(kernel, found):
    """What is wrong with a kernel; nothing, if it is made of full vectors throughout."""
    bad = not_full(found, kernel.calls)
    if found["single"] and not kernel.has_remainder:
        bad.append(f"works on single numbers ({found['single']} instructions)")
    if found["other"] and not kernel.has_remainder:
        bad.append(f"works in the other dtype ({found['other']} instructions)")
    if found["narrow"]:
        bad.append("does not ask for the widest vectors")
    return bad


def _main(dtype, names):
    from fastnn.kernels.codegen import declare
    from guard.operations import operations
    from guard.table import KERNELS

    gc.disable()  # a tenth of the time
    found = {}
    for name in (name for name in KERNELS if name in (names or KERNELS)):
        kernel = KERNELS[name]
        declare.address(kernel.function, dtype, kernel.signature)
        compiled = declare._addresses[kernel.function, dtype.char, kernel.signature]
        if compiled.cache_hits:
            sys.exit("what comes from the cache has no assembly: NUMBA_CACHE_DIR must be empty")
        library = compiled._library
        found[name] = facts(library.get_asm_str(), library.get_llvm_str(), dtype)
    for _, call, short, _, _ in operations(dtype.name, names):
        call(*short)  # which are counted with what is in the cache then
    print(json.dumps(found))


if __name__ == "__main__":
    _main(np.dtype(sys.argv[1]), sys.argv[2:])
