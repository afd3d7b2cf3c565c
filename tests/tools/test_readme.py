"""The programs of README and documents run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = [
    pytest.param(program, id=f"{path.stem}-{k}")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for k, program in enumerate(
        re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    )
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_runs(program, capsys):
    names = {}
    exec(program.replace("range(100000)", "range(2000)"), names)
    assert capsys.readouterr().out
    if "t" in names:
        nn = names["nn"]
        assert nn.cost(names["x"], names["t"]) < 0.1
        assert nn.gradient_check(names["x"], names["t"]) < 1e-6


def test_there_are_programs_and_commands():
    assert len(PROGRAMS) == 60
    assert re.search(r"python3 -m venv \.venv .*pytest -n 2\n", README)
