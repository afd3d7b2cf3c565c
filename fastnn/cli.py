"""The command ``fastnn``: arguments in, exit codes and one-line errors out."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

__all__ = ["main"]

_DTYPES = ("float32", "float64")
_DEMOS = ("xor", "regression", "digits", "ode", "mdn")
_MOST_STEPS = 10**9  # a billion steps take hours; more is a slip of the finger

_PARTS = ("activations", "optimizers", "training", "inference")

# Command -> module -> name of its distribution, in the extra of the command's name.
_NEEDED = {
    "demo": {
        "matplotlib": "matplotlib",
        "PIL": "pillow",
        "tqdm": "tqdm",
        "sklearn": "scikit-learn",
    },
    "bench": {
        "matplotlib": "matplotlib",
        "adjustText": "adjustText",
        "jinja2": "jinja2",
        "rich": "rich",
    },
}

_DESCRIPTION = """\
Train the demo networks in compiled code, print what is measured, draw pictures.

  xor         two classes of 1000 points, 2-4-1, the article's binary classification
  regression  100 noisy points of a curve, 1-6-1, the article's regression
  digits      1797 handwritten digits, 64-64-10, mini-batches, a quarter held out
  ode         the equation of motion of a pendulum, 2-32-32-2, Adam; then integrated in a
              compiled loop of its own, timed against NumPy and, where installed, PyTorch
  mdn         which t has a given x = t + 0.3 sin(2 pi t)? up to three: least squares takes
              their mean, a mixture density network, 1-12-9, gives all of them
"""

_BENCH = """\
Measure fastnn beside NumPy, and with --peers beside PyTorch, JAX, scikit-learn and ONNX Runtime
where they are installed, all in one run, in turn. Print how many times as fast it is, and write
report.html with pictures, report.md with the tables, and results.json with every measurement.

  activations  every activation and its vector-Jacobian product
  optimizers   a step of every update rule
  training     steps of whole trainings; how they grow with width, batch and threads
  inference    predictions from Python and inside compiled code
"""


class _Parser(argparse.ArgumentParser):
    """Takes names before, between and after options; reports a bad argument in one line."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does for commands, and with names anywhere for what they take."""
        if self._subparsers is not None or self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True  # the method below calls this one, in Python 3.11
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False

    def error(self, message: str) -> NoReturn:
        _fail(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        The exit code, 0. Bad arguments leave by ``SystemExit`` with code 2, a warm-up that keeps
        nothing with code 1.

    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # "µs" on a terminal that knows ASCII only; lines as they come, in a file too
            stream.reconfigure(errors="replace", line_buffering=True)
    parser = _parser()
    given = parser.parse_args(arguments)
    given.arguments = list(sys.argv[1:] if arguments is None else arguments)[1:]
    try:
        if given.command == "demo":
            _demo(given)
        elif given.command == "bench":
            _bench(given)
        elif given.command == "info":
            from .info import report

            print(report())
        elif given.command == "warmup":
            _warm_up(given)
        else:
            parser.print_help()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `fastnn info | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("fastnn: interrupted", file=sys.stderr)
        return 130
    return 0


def _fail(message: str, code: int = 2) -> NoReturn:
    print("fastnn: error:", " ".join(message.split()), file=sys.stderr)
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = _Parser(
        prog="fastnn",
        description="Dense neural networks on the CPU, trained by compiled kernels.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="train example networks, time them against NumPy, draw pictures and animations",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    demo.add_argument(
        "name", nargs="?", choices=(*_DEMOS, "all"), default="all", help="which demo (default: all)"
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("fastnn-demo"),
        metavar="DIR",
        help="folder for the pictures, made if missing (default: %(default)s)",
    )
    demo.add_argument(
        "--steps",
        type=_whole_number("steps", 1, _MOST_STEPS),
        metavar="N",
        help="length of the training: full-batch gradient steps for xor and regression (default: "
        "100000), epochs of 43 mini-batches for digits (default: 50), of 10 for ode (default: "
        "2000), full-batch steps of Adam for mdn (default: 3000)",
    )
    demo.add_argument(
        "--seed",
        type=_whole_number("seed", 0),
        default=0,
        metavar="N",
        help="of data, initial weights and shuffling (default: %(default)s)",
    )
    demo.add_argument(
        "--dtype",
        type=_dtype,
        choices=_DTYPES,
        default="float32",
        help="of the network; the NumPy reference of the training computes in float64, what ode "
        "is timed against in the same (default: %(default)s)",
    )
    _add_bench(commands)
    commands.add_parser(
        "info",
        help="versions, CPU, threads, BLAS and the kernel cache",
        description="Print versions, CPU, threads, BLAS and the state of the kernel cache.",
        allow_abbrev=False,
    )
    warmup = commands.add_parser(
        "warmup",
        help="compile all kernels into the cache, so that later processes only load them",
        description="Compile the kernels of all activations, costs, update rules, trainings and "
        "predictions, of all ufuncs and errors, into the cache, so that later processes only load "
        "them. That takes minutes; what is at work is shown.",
        allow_abbrev=False,
    )
    warmup.add_argument(
        "--dtype",
        type=_dtype,
        choices=(*_DTYPES, "all"),
        default="all",
        help="of the networks to come (default: %(default)s)",
    )
    warmup.add_argument("--quiet", action="store_true", help="print errors only")
    return parser


def _add_bench(commands: Any) -> None:
    bench = commands.add_parser(
        "bench",
        help="measure fastnn beside NumPy and other libraries, and write a report with pictures",
        description=_BENCH,
        epilog="The other libraries come with the extra peers: pip install 'fastnn-numba[peers]'; "
        "wheels for the CPU are enough.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    bench.add_argument(
        "part", nargs="?", choices=(*_PARTS, "all"), default="all", help="default: all"
    )
    bench.add_argument("names", nargs="*", help="only these activations, update rules or tasks")
    bench.add_argument(
        "--peers", action="store_true", help="take in the other libraries that are installed"
    )
    bench.add_argument(
        "--quick",
        action="store_true",
        help="few sizes and short measurements",
    )
    bench.add_argument(
        "--out",
        type=Path,
        default=Path("fastnn-bench"),
        metavar="DIR",
        help="folder for the report, made if missing (default: %(default)s)",
    )
    bench.add_argument(
        "--rounds",
        type=_whole_number("rounds", 2, 1000),
        metavar="N",
        help="measurements of each competitor (default: 9, quick: 5)",
    )
    bench.add_argument(
        "--threads",
        type=_listed(_whole_number("threads", 1)),
        metavar="N,…",
        help="numbers of threads, each in processes of its own (default: 1, 2, 4 … and all cores; "
        "quick: 1 and all cores)",
    )
    bench.add_argument(
        "--sizes",
        type=_listed(_size),
        metavar="N,…",
        help="of activations, as in 16k,1M; of optimizers one or more of 1k,7.5k,100k,1M,10M",
    )
    bench.add_argument(
        "--dtypes",
        type=_listed(_dtype),
        metavar="NAME,…",
        help="of activations (default: float32,float64, quick: float32)",
    )


def _dtype(text: str) -> str:
    """An argparse type: the name of a dtype, of any that NumPy has for it; else the text."""
    try:
        return np.dtype(text).name
    except (TypeError, ValueError, SyntaxError):
        return text


class _listed:  # noqa: N801
    """An argparse type: values of another type, separated by commas."""

    def __init__(self, kind: Callable[[str], Any]) -> None:
        self.kind = kind

    def __call__(self, text: str) -> list[Any]:
        return list(dict.fromkeys(self.kind(item.strip()) for item in text.split(",")))


def _size(text: str) -> str:
    """A number of which k and M are a thousand and a million."""
    digits = text[:-1] if text[-1:] in ("k", "M") else text
    try:
        if float(digits) > 0:
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"sizes must be numbers like 1000, 16k or 1M, not {text!r}")


class _whole_number:  # noqa: N801  (a converter, named as `int` is)
    """An argparse type: an integer within bounds, with a message that says which."""

    def __init__(self, name: str, least: int, most: int | None = None) -> None:
        self.name, self.least, self.most = name, least, most

    def __call__(self, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{self.name} must be an integer, not {text!r}"
            ) from None
        if value < self.least or (self.most is not None and value > self.most):
            bounds = f"at least {self.least}"
            if self.most is not None:
                bounds = f"between {self.least} and {self.most}"
            raise argparse.ArgumentTypeError(f"{self.name} must be {bounds}, but is {text}")
        return value


def _check_installed(command: str, *unneeded: str) -> None:
    missing = [
        distribution
        for module, distribution in _NEEDED[command].items()
        if module not in unneeded and importlib.util.find_spec(module) is None
    ]
    if missing:
        _fail(f"the {command} needs {', '.join(missing)}: pip install 'fastnn-numba[{command}]'")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        _fail(f"argument --out: cannot write to {str(out)!r}: {reason}")


def _demo(given: argparse.Namespace) -> None:
    names = _DEMOS if given.name == "all" else (given.name,)
    _check_installed("demo", *(() if "digits" in names else ("sklearn",)))
    _make_folder(given.out)
    from . import demos
    from .bench.machine import load

    before = load()  # that of others: later it is ours
    try:
        for name in names:
            demos.run(name, given.out, given.steps, given.seed, given.dtype, before)
    except BrokenPipeError:
        raise
    except OSError as error:  # full disk, a folder where a picture should go
        _fail(f"cannot write to {str(given.out)!r}: {error}")


def _bench(given: argparse.Namespace) -> None:
    wishes = _wishes(given)  # what is wrong with the arguments no package mends
    _check_installed("bench")
    _make_folder(given.out)
    from .bench.report import bench
    from .bench.run import ChildError

    command = shlex.join(["fastnn", "bench", *given.arguments])
    try:
        bench(wishes, given.out, command)
    except ChildError as error:
        _fail(str(error), code=1)
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(f"cannot write to {str(given.out)!r}: {error}")


def _wishes(given: argparse.Namespace) -> Any:
    """What `given` asks of a run, checked."""
    from ._core.threads import usable_cores
    from .bench import plan
    from .bench.optimizers.cases import SHAPES

    cores = usable_cores()
    threads = sorted(given.threads or plan.threads_for(cores, quick=given.quick))
    if threads[-1] > cores:
        _fail(f"argument --threads: {threads[-1]} is more than the {cores} cores of this process")
    if given.part == "all" and (given.sizes or given.dtypes):
        _fail("--sizes and --dtypes need a part: fastnn bench activations --sizes 16k")
    if unknown := [one for one in given.dtypes or () if one not in _DTYPES]:
        _fail(f"argument --dtypes: {unknown[0]!r} is none of {', '.join(_DTYPES)}")
    if given.dtypes and given.part != "activations":
        _fail("--dtypes are for activations")
    if given.sizes and given.part not in ("activations", "optimizers"):
        _fail("--sizes are for activations and optimizers")
    sizes: list[Any] = given.sizes or []
    if given.part == "optimizers":
        if unknown := [size for size in sizes if size not in SHAPES]:
            _fail(f"argument --sizes: {unknown[0]!r} is none of {', '.join(SHAPES)}")
    else:
        sizes = [plan.number(size) for size in sizes]
        if sizes and min(sizes) < 64:
            _fail("argument --sizes: must be at least 64")
    names = plan.named(given.part, given.names)
    if isinstance(names, str):
        _fail(names)
    return plan.Wishes(
        part=given.part, names=names, sizes=sizes, dtypes=given.dtypes or (), threads=threads,
        rounds=given.rounds or (5 if given.quick else 9), peers=given.peers, quick=given.quick,
    )  # fmt: skip


def _warm_up(given: argparse.Namespace) -> None:
    from .warmup import warm_up

    dtypes = _DTYPES if given.dtype == "all" else (given.dtype,)
    try:
        found = warm_up(dtypes, given.quiet)
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(str(error), code=1)
    if not given.quiet:
        print(found)
