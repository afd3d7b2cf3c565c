"""The optimizers converge as the table of the documents says."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.optimizers import RULES
from fastnn.optimizers.table import LBFGS
from fastnn.reference.optimizers import RULES as REFERENCES

DOCS = Path(__file__).parents[2] / "docs"
NOISY = {"SantaE", "SantaSSS"}


@pytest.fixture(scope="module")
def convergence():
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("convergence")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def rows(convergence):
    """Rates, steps and costs of the page, by rule and task."""
    lines = convergence.PAGE.read_text(encoding="utf-8").split("<!-- convergence -->")[1]
    found = {}
    for line in lines.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells and cells[0].startswith("`"):
            found[cells[0].strip("`")] = [cells[k : k + 3] for k in (1, 4, 7)]
    return found


def test_every_rule_is_there(rows):
    assert list(rows) == [*REFERENCES, LBFGS]
    assert set(RULES) <= set(rows)


def told(cells):
    return None if cells[1] == "–" else int(cells[1])


@pytest.mark.parametrize("name", REFERENCES)
def test_it_converges_as_the_table_says(convergence, rows, name):
    """Roundings differ from machine to machine, and steps of signs and of long ways with them."""
    for cells, (kind, task) in zip(rows[name], convergence.tasks().items(), strict=True):
        settings = convergence.settings_of(name, float(cells[0]))
        size = task.start.size
        count, cost = convergence.converged(task, convergence.reference(name, settings, size))
        expected = told(cells)
        assert (count is None) == (expected is None), kind
        if expected is not None:
            assert count == pytest.approx(expected, rel=0.2, abs=2), kind
            assert cost <= task.enough


def test_lbfgs_converges_so_too(convergence, rows):
    for cells, task in zip(rows[LBFGS], convergence.tasks().values(), strict=True):
        count, cost = convergence.by_curvature(task)
        assert count == pytest.approx(int(cells[1]), rel=0.2, abs=2)
        assert cost <= task.enough


@pytest.mark.parametrize("name", sorted(set(RULES) - NOISY))
def test_compiled_rules_converge_so_too(convergence, rows, name):
    for cells, (kind, task) in zip(rows[name], convergence.tasks().items(), strict=True):
        settings = convergence.settings_of(name, float(cells[0]))
        count, _ = convergence.converged(task, stepper(fastnn.get_opt(name, **settings)))
        expected = told(cells)
        assert (count is None) == (expected is None), kind
        assert count is None or count == pytest.approx(expected, rel=0.2, abs=2), kind


def stepper(optimizer):
    def step(p, g, cost):
        found = p.copy()
        optimizer.step(found, g, f=cost)
        return found

    return step


def test_most_rules_converge(rows):
    """A bound of the page as a whole: nothing has silently stopped working."""
    for task in range(3):
        counts = [told(cells[task]) for cells in rows.values()]
        assert sum(count is not None for count in counts) >= len(rows) - 3
    assert np.median([told(cells[0]) or 9999 for cells in rows.values()]) < 1000
