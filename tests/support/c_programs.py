"""Exported C, compiled by the compilers that there are, and called."""

import ctypes
import shutil
import subprocess

import numpy as np

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
WARNINGS = "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"
# without and, where the machine has it, with the instruction for a multiplication and an addition
FLAGS = ("-O2",), ("-O3", "-march=native", "-fno-math-errno")


def compiled(compiler, source, library, flags=("-O2",)):
    """Run the compiler; what it says."""
    command = [compiler, *WARNINGS, *flags, "-shared", "-fPIC", str(source), "-o", str(library)]
    found = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
    return found.returncode, found.stderr


def libraries(text, folder, turn=0):
    """The program as a library of each compiler, which take the sets of flags in turn."""
    source = folder / "program.c"
    source.write_text(text, encoding="ascii")
    found = []
    for k, compiler in enumerate(COMPILERS, start=turn):
        library = folder / f"{compiler}.so"
        assert compiled(compiler, source, library, FLAGS[k % len(FLAGS)]) == (0, "")
        found.append(ctypes.CDLL(str(library)))
    return found


def called(library, name, X, outputs):
    """Outputs of the samples X, by one call each."""
    function, y = getattr(library, name), np.empty((len(X), outputs), X.dtype)
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p], None
    for x, row in zip(np.ascontiguousarray(X), y, strict=True):
        function(x.ctypes.data, row.ctypes.data)
    return y
