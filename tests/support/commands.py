"""The command line in tests."""

import pytest

from fastnn import cli


def error_of(arguments, capsys):
    """The one line that a refused call leaves on stderr."""
    with pytest.raises(SystemExit) as leaving:
        cli.main(arguments)
    assert leaving.value.code == 2
    written = capsys.readouterr()
    assert written.err.count("\n") == 1
    assert written.err.startswith("fastnn: error: ")
    return written.err
