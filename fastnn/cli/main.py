"""The command ``fastnn``: arguments in, exit codes and one-line errors out."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from .parser import parser

__all__ = ["main"]


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
    line = parser()
    given = line.parse_args(arguments)
    given.arguments = list(sys.argv[1:] if arguments is None else arguments)[1:]
    try:
        if given.command is None:
            line.print_help()
        else:
            given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `fastnn info | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("fastnn: interrupted", file=sys.stderr)
        return 130
    return 0
