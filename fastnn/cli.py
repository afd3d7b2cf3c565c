"""The command ``fastnn``: arguments in, exit codes and one-line errors out."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

__all__ = ["main"]

_DTYPES = ("float32", "float64")
_DEMOS = ("xor", "regression", "digits", "ode", "mdn")
_MOST_STEPS = 10**9  # a billion steps take hours; more is a slip of the finger

# Module -> name of its distribution, in the extra "demo".
_NEEDED = {"matplotlib": "matplotlib", "PIL": "pillow", "tqdm": "tqdm", "sklearn": "scikit-learn"}

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


class _Parser(argparse.ArgumentParser):
    """Reports a bad argument in one line."""

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
            stream.reconfigure(errors="replace")  # "µs" on a terminal that knows ASCII only
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        if given.command == "demo":
            _demo(given)
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
        choices=_DTYPES,
        default="float32",
        help="of the network; the NumPy reference of the training computes in float64, what ode "
        "is timed against in the same (default: %(default)s)",
    )
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
        "predictions into the cache, so that later processes only load them. Some 40 s a dtype.",
        allow_abbrev=False,
    )
    warmup.add_argument(
        "--dtype",
        choices=(*_DTYPES, "all"),
        default="all",
        help="of the networks to come (default: %(default)s)",
    )
    warmup.add_argument("--quiet", action="store_true", help="print errors only")
    return parser


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


def _demo(given: argparse.Namespace) -> None:
    names = _DEMOS if given.name == "all" else (given.name,)
    missing = [
        distribution
        for module, distribution in _NEEDED.items()
        if (module != "sklearn" or "digits" in names) and importlib.util.find_spec(module) is None
    ]
    if missing:
        _fail(f"the demo needs {', '.join(missing)}: pip install 'fastnn-numba[demo]'")
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=given.out).close()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else error
        _fail(f"argument --out: cannot write to {str(given.out)!r}: {reason}")
    from . import demos

    try:
        for name in names:
            demos.run(name, given.out, given.steps, given.seed, given.dtype)
    except BrokenPipeError:
        raise
    except OSError as error:  # full disk, a folder where a picture should go
        _fail(f"cannot write to {str(given.out)!r}: {error}")


def _warm_up(given: argparse.Namespace) -> None:
    from ._warmup import warm_up

    dtypes = _DTYPES if given.dtype == "all" else (given.dtype,)
    try:
        found = warm_up(dtypes, given.quiet)
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(str(error), code=1)
    if not given.quiet:
        print(found)
