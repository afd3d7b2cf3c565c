"""What the commands do."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import tempfile
from pathlib import Path
from typing import Any

from .arguments import DTYPES, fail

__all__ = ["DEMOS", "PARTS", "bench", "demo", "info", "warm_up"]

DEMOS = ("xor", "regression", "digits", "ode", "mdn", "lm", "pde")
PARTS = ("dropin", "activations", "optimizers", "products", "training", "inference")

# Command -> module -> name of its distribution, in the extra of the command's name.
_NEEDED = {
    "demo": {
        "matplotlib": "matplotlib",
        "PIL": "pillow",
        "tqdm": "tqdm",
        "sklearn": "scikit-learn",
    },
    "mpi": {"mpi4py": "mpi4py"},
    "bench": {
        "matplotlib": "matplotlib",
        "adjustText": "adjustText",
        "jinja2": "jinja2",
        "rich": "rich",
    },
}


def _check_installed(command: str, *unneeded: str) -> None:
    missing = [
        distribution
        for module, distribution in _NEEDED[command].items()
        if module not in unneeded and importlib.util.find_spec(module) is None
    ]
    if missing:
        fail(f"the {command} needs {', '.join(missing)}: pip install 'fastnn-numba[{command}]'")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        fail(f"argument --out: cannot write to {str(out)!r}: {reason}")


def demo(given: argparse.Namespace) -> None:
    """Train the demo networks."""
    if given.name == "mpi":
        demo_of_ranks(given)
        return
    names = DEMOS if given.name == "all" else (given.name,)
    _check_installed("demo", *(() if "digits" in names else ("sklearn",)))
    _make_folder(given.out)
    from .. import demos
    from ..bench.machine import load

    before = load()  # that of others: later it is ours
    try:
        for name in names:
            demos.run(name, given.out, given.steps, given.seed, given.dtype, before)
    except BrokenPipeError:
        raise
    except OSError as error:  # full disk, a folder where a picture should go
        fail(f"cannot write to {str(given.out)!r}: {error}")


def demo_of_ranks(given: argparse.Namespace) -> None:
    """Train by the ranks of `mpiexec`, or by one."""
    _check_installed("demo")
    _check_installed("mpi")
    _make_folder(given.out)
    from ..demos import ranks

    ranks.run(given.out, given.steps, given.seed, given.dtype)


def bench(given: argparse.Namespace) -> None:
    """Measure, and write the report."""
    wishes = _wishes(given)  # what is wrong with the arguments no package mends
    _check_installed("bench")
    _make_folder(given.out)
    from ..bench.report import bench as measure
    from ..bench.run import ChildError

    command = shlex.join(["fastnn", "bench", *given.arguments])
    try:
        measure(wishes, given.out, command)
    except ChildError as error:
        fail(str(error), code=1)
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"cannot write to {str(given.out)!r}: {error}")


def _check_part(given: argparse.Namespace) -> None:
    """Refuse sizes and dtypes that the part has none of."""
    if given.part == "all" and (given.sizes or given.dtypes):
        fail("--sizes and --dtypes need a part: fastnn bench activations --sizes 16k")
    if unknown := [one for one in given.dtypes or () if one not in DTYPES]:
        fail(f"argument --dtypes: {unknown[0]!r} is none of {', '.join(DTYPES)}")
    if given.dtypes and given.part not in ("activations", "products"):
        fail("--dtypes are for activations and products")
    if given.sizes and given.part not in ("activations", "optimizers"):
        fail("--sizes are for activations and optimizers")


def _wishes(given: argparse.Namespace) -> Any:
    """What `given` asks of a run, checked."""
    from .._core.threads import usable_cores
    from ..bench import plan
    from ..bench.optimizers.cases import SHAPES

    cores = usable_cores()
    threads = sorted(given.threads or plan.threads_for(cores, quick=given.quick))
    if threads[-1] > cores:
        fail(f"argument --threads: {threads[-1]} is more than the {cores} cores of this process")
    _check_part(given)
    sizes: list[Any] = given.sizes or []
    if given.part == "optimizers":
        if unknown := [size for size in sizes if size not in SHAPES]:
            fail(f"argument --sizes: {unknown[0]!r} is none of {', '.join(SHAPES)}")
    else:
        sizes = [plan.number(size) for size in sizes]
        if sizes and min(sizes) < 64:
            fail("argument --sizes: must be at least 64")
    names = plan.named(given.part, given.names)
    if isinstance(names, str):
        fail(names)
    return plan.Wishes(
        part=given.part, names=names, sizes=sizes, dtypes=given.dtypes or (), threads=threads,
        rounds=given.rounds or (5 if given.quick else 9), peers=given.peers, quick=given.quick,
    )  # fmt: skip


def info(given: argparse.Namespace) -> None:
    """Print versions, CPU, threads, BLAS and the kernel cache."""
    from ..info import report

    print(report())


def warm_up(given: argparse.Namespace) -> None:
    """Compile all kernels into the cache."""
    from ..warmup import warm_up as compile_all

    dtypes = DTYPES if given.dtype == "all" else (given.dtype,)
    try:
        report = compile_all(dtypes, given.quiet, given.derivatives)
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(str(error), code=1)
    if not given.quiet:
        print(report)
