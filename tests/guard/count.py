"""Look at all kernels, count their instructions, and compare those with ``budgets.json``.

    python tests/guard/count.py [kernels …] [--dtype float32] [--write]

Without Valgrind nothing is counted. ``--write`` makes what is counted the new budgets, of all
kernels: after a change that is meant to cost or to save instructions, or with another LLVM.
Instructions are those of a processor with AVX2 for one element; they are no times, but they are the
same on every machine, and code that does more work takes more of them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from guard import assembly, callgrind  # noqa: E402
from guard.table import DTYPES, KERNELS  # noqa: E402

BUDGETS = HERE / "budgets.json"
_OWN = 0.08  # what another minor version of NumPy or Python may change, through the calls
_OTHER = 0.4  # what another version of LLVM may
_NOISE = 0.03  # instructions


class Guard:
    """Kernels compiled in a cache of their own, for `assembly.TARGET`."""

    def __init__(self, folder, names=(), dtypes=DTYPES):
        self.folder, self._names, self._dtypes = Path(folder), list(names), dtypes
        self._environment = {
            **os.environ,
            **assembly.TARGET,
            "NUMBA_CACHE_DIR": str(self.folder),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }

    def look(self):
        """What is wrong with each kernel, by name with dtype."""
        answers = self._run("guard.assembly", stdout=subprocess.PIPE)
        found = {dtype: json.loads(out) for dtype, out in answers.items()}
        return {
            f"{name} {dtype}": assembly.complaints(KERNELS[name], facts)
            for dtype, kernels in found.items()
            for name, facts in kernels.items()
        }

    def count(self):
        """Instructions for an element, of what `look` has compiled, by name with dtype."""
        paths = {dtype: self.folder / f"callgrind.{dtype}" for dtype in self._dtypes}
        self._run("guard.callgrind", paths)
        return {
            f"{name} {dtype}": round(number, 3)
            for dtype in self._dtypes
            for name, number in callgrind.read(paths[dtype]).items()
        }

    def use(self, what):
        """What `uses` tells of calls, in a process that finds what `look` has compiled."""
        command = [sys.executable, "-m", "guard.uses", what]
        environment = {**self._environment, "NUMBA_NRT_STATS": "1"}
        return json.loads(subprocess.check_output(command, env=environment))

    def _run(self, module, paths=None, **options):
        """A process for each dtype, all at once; what they print."""
        processes = {}
        for dtype in self._dtypes:
            command = [sys.executable, "-m", module, dtype, *self._names]
            if paths:
                out = f"--callgrind-out-file={paths[dtype]}"
                command = [*callgrind.COMMAND, out, *command]
            processes[dtype] = subprocess.Popen(command, env=self._environment, **options)
        answers = {dtype: process.communicate()[0] for dtype, process in processes.items()}
        for dtype, process in processes.items():
            if process.returncode:
                raise RuntimeError(f"{module} {dtype} ended with {process.returncode}")
        return answers


def is_countable():
    """Whether instructions can be counted here."""
    return assembly.is_possible() and shutil.which("valgrind") is not None


def budgets():
    """Instructions for an element, by name with dtype, and the version of LLVM they are for."""
    content = json.loads(BUDGETS.read_text())
    return {
        f"{name} {dtype}": number
        for name, row in content["instructions"].items()
        for dtype, number in row.items()
    }, content["llvmlite"]


def excess(key, number):
    """What is wrong with a count, or None."""
    known, llvm = budgets()
    if key not in known:
        return f"{key}: has no budget; python tests/guard/count.py --write"
    share = _OWN if llvm == version("llvmlite") else _OTHER
    budget = known[key]
    if abs(number - budget) <= share * budget + _NOISE:
        return None
    return (
        f"{key}: {number:.2f} instructions, and the budget is {budget:.2f}; if that is "
        "meant: python tests/guard/count.py --write"
    )


def write(counts, everything):
    """Make them the budgets, beside those of other kernels unless they are of everything."""
    rows = {} if everything else json.loads(BUDGETS.read_text())["instructions"]
    for key, number in counts.items():
        name, dtype = key.rsplit(" ", 1)
        rows.setdefault(name, {})[dtype] = number
    lines = [f" {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()]
    head = f'{{"llvmlite": "{version("llvmlite")}", "instructions": {{\n'
    BUDGETS.write_text(head + ",\n".join(lines) + "\n}}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help=f"of budgets.json, as {', '.join([*KERNELS][:3])}")
    parser.add_argument("--dtype", choices=DTYPES, help="default: both")
    parser.add_argument("--write", action="store_true", help="make them the budgets")
    given = parser.parse_args()
    if not assembly.is_possible() or (given.write and not is_countable()):
        parser.error("this needs a processor with AVX2, and Valgrind")
    with tempfile.TemporaryDirectory() as folder:
        guard = Guard(folder, given.names, [given.dtype] if given.dtype else DTYPES)
        looked = guard.look()
        counts = guard.count() if is_countable() else {}
    if unknown := {*given.names} - {key.rsplit(" ", 1)[0] for key in [*looked, *counts]}:
        parser.error(f"nothing is named {', '.join(sorted(unknown))}")
    if given.write:
        write(counts, everything=not (given.names or given.dtype))
    bad = [f"{key}: {', '.join(found)}" for key, found in looked.items() if found]
    for key, number in counts.items():
        print(f"{key:50}{number:12.3f}")
        if complaint := excess(key, number):
            bad.append(complaint)
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
