"""The commands and their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import commands
from .arguments import DTYPES, Parser, dtype, listed, size, whole_number

__all__ = ["parser"]

_MOST_STEPS = 10**9  # a billion steps take hours; more is a slip of the finger

_DESCRIPTION = """\
Train the demo networks in compiled code, print what is measured, draw pictures.

  xor         two classes of 1000 points, 2-4-1, the article's binary classification
  regression  100 noisy points of a curve, 1-6-1, the article's regression
  digits      1797 handwritten digits, 64-64-10, mini-batches, a quarter held out
  ode         the equation of motion of a pendulum, 2-32-32-2, Adam; then integrated in a
              compiled loop of its own, timed against NumPy and, where installed, PyTorch
  mdn         which t has a given x = t + 0.3 sin(2 pi t)? up to three: least squares takes
              their mean, a mixture density network, 1-12-9, gives all of them
  lm          sin(x) with 1-5-1 and sin(x)/x with 1-20-1: Levenberg-Marquardt beside Adam and
              L-BFGS, and error bars from the evidence
  mpi         the digits, 64-512-512-10, by all ranks of `mpiexec -n 2 fastnn demo mpi` and by
              one process: the same curve, and the times
  pde         the Poisson equation on a square, by a network whose cost has its Laplacian in
              it, 2-32-32-1; timed against JAX where installed
"""

_BENCH = """\
Measure fastnn beside NumPy, and with --peers beside PyTorch, JAX, scikit-learn and ONNX Runtime
where they are installed, all in one run, in turn. Print how many times as fast it is, and write
report.html with pictures, report.md with the tables, and results.json with every measurement.

  dropin       the articles' calls, one by one, beside the articles' NumPy
  activations  every activation and its vector-Jacobian product
  optimizers   a step of every update rule
  products     the three products of layers beside NumPy's BLAS, and their share of the peak
  training     steps of whole trainings; how they grow with width, batch and threads
  inference    predictions from Python and inside compiled code
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from .. import __version__

    result = Parser(
        prog="fastnn",
        description="Dense neural networks on the CPU, trained by compiled kernels.",
        allow_abbrev=False,
    )
    result.add_argument("--version", action="version", version=f"fastnn {__version__}")
    parsers = result.add_subparsers(dest="command", metavar="COMMAND")
    for add in (_add_demo, _add_bench, _add_info, _add_warmup):
        add(parsers)
    return result


def _add_demo(parsers: Any) -> None:
    demo = parsers.add_parser(
        "demo",
        help="train example networks, time them against NumPy, draw pictures and animations",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    demo.add_argument(
        "name",
        nargs="?",
        choices=(*commands.DEMOS, "mpi", "all"),
        default="all",
        help="which demo (default: all but mpi)",
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("fastnn-demo"),
        metavar="DIR",
        help="folder for the pictures, made if missing (default: %(default)s)",
    )
    _add_training(demo)
    demo.set_defaults(run=commands.demo)


def _add_training(demo: Any) -> None:
    """How long a demo trains, from which seed, in which dtype."""
    demo.add_argument(
        "--steps",
        type=whole_number("steps", 1, _MOST_STEPS),
        metavar="N",
        help="length of the training: full-batch gradient steps for xor and regression (default: "
        "100000), epochs of 43 mini-batches for digits (default: 50), of 10 for ode (default: "
        "2000), full-batch steps of Adam for mdn (default: 3000), iterations for lm (default: "
        "600), epochs of 6 mini-batches for mpi (default: 20), steps at 1000 points for pde "
        "(default: 3000)",
    )
    demo.add_argument(
        "--seed",
        type=whole_number("seed", 0),
        default=0,
        metavar="N",
        help="of data, initial weights and shuffling (default: %(default)s)",
    )
    demo.add_argument(
        "--dtype",
        type=dtype,
        choices=DTYPES,
        default="float32",
        help="of the network; the NumPy reference of the training computes in float64, what ode "
        "is timed against in the same (default: %(default)s)",
    )


def _add_bench(parsers: Any) -> None:
    bench = parsers.add_parser(
        "bench",
        help="measure fastnn beside NumPy and other libraries, and write a report with pictures",
        description=_BENCH,
        epilog="The other libraries come with the extra peers: pip install 'fastnn-numba[peers]'; "
        "wheels for the CPU are enough.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    bench.add_argument(
        "part", nargs="?", choices=(*commands.PARTS, "all"), default="all", help="default: all"
    )
    bench.add_argument(
        "names", nargs="*", help="only these activations, update rules, layers or tasks"
    )
    bench.add_argument(
        "--peers", action="store_true", help="take in the other libraries that are installed"
    )
    bench.add_argument("--quick", action="store_true", help="few sizes and short measurements")
    bench.add_argument(
        "--out",
        type=Path,
        default=Path("fastnn-bench"),
        metavar="DIR",
        help="folder for the report, made if missing (default: %(default)s)",
    )
    _add_measurements(bench)
    bench.set_defaults(run=commands.bench)


def _add_measurements(bench: Any) -> None:
    """How often, on what, and on how many threads."""
    bench.add_argument(
        "--rounds",
        type=whole_number("rounds", 2, 1000),
        metavar="N",
        help="measurements of each competitor (default: 9, quick: 5)",
    )
    bench.add_argument(
        "--threads",
        type=listed(whole_number("threads", 1)),
        metavar="N,…",
        help="numbers of threads, each in processes of its own (default: 1, 2, 4 … and all cores; "
        "quick: 1 and all cores)",
    )
    bench.add_argument(
        "--sizes",
        type=listed(size),
        metavar="N,…",
        help="of activations, as in 16k,1M; of optimizers one or more of 1k,7.5k,100k,1M,10M",
    )
    bench.add_argument(
        "--dtypes",
        type=listed(dtype),
        metavar="NAME,…",
        help="of activations and products (default: float32,float64, quick: float32)",
    )


def _add_info(parsers: Any) -> None:
    info = parsers.add_parser(
        "info",
        help="versions, CPU, threads, BLAS and the kernel cache",
        description="Print versions, CPU, threads, BLAS and the state of the kernel cache.",
        allow_abbrev=False,
    )
    info.set_defaults(run=commands.info)


def _add_warmup(parsers: Any) -> None:
    warmup = parsers.add_parser(
        "warmup",
        help="compile all kernels into the cache, so that later processes only load them",
        description="Compile the kernels of all activations, costs, update rules, trainings and "
        "predictions, of all ufuncs and errors, into the cache, so that later processes only load "
        "them. That takes minutes; what is at work is shown.",
        allow_abbrev=False,
    )
    warmup.add_argument(
        "--dtype",
        type=dtype,
        choices=(*DTYPES, "all"),
        default="all",
        help="of the networks to come (default: %(default)s)",
    )
    warmup.add_argument(
        "--derivatives",
        action="store_true",
        help="compile derivatives of networks, too: jvp, hvp, parameter_jacobian, laplacian",
    )
    warmup.add_argument("--quiet", action="store_true", help="print errors only")
    warmup.set_defaults(run=commands.warm_up)
