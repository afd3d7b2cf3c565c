"""Ours beside numbers that other libraries have computed, see the folder ``outside``."""

import json
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.optimizers import RULES
from fastnn.reference import ReferenceOptimizer

DATA = json.loads(
    (Path(__file__).parents[1] / "outside/optimizers.json").read_text(encoding="utf-8")
)
TRAJECTORIES = DATA["trajectories"]
ACCURACY = 1e-12  # relative to the largest way of a parameter, or to the parameter


def names(entries):
    return [f"{k}-{entry['ours']}-{entry['package']}" for k, entry in enumerate(entries)]


def compared(entry, found):
    """Parameters after the steps that the file keeps."""
    start, expected = np.array(DATA["start"]), np.array(entry["parameters"])
    scale = np.maximum(np.abs(expected), np.abs(expected - start).max(axis=0))
    error = np.abs(np.array(found) - expected) / scale
    assert error.max() <= ACCURACY, f"{entry['theirs']}: {error.max():.1e}, at {error.argmax()}"


@pytest.mark.parametrize("entry", TRAJECTORIES, ids=names(TRAJECTORIES))
def test_references_walk_the_same_way(entry):
    optimizer = ReferenceOptimizer.named(entry["ours"], **entry["settings"])
    p, found = np.array(DATA["start"]), []
    for t, g in enumerate(DATA["gradients"], 1):
        p = optimizer.step(p, g)
        if t in DATA["steps"]:
            found.append(p)
    compared(entry, found)


KNOWN = [entry for entry in TRAJECTORIES if entry["ours"] in RULES]


@pytest.mark.parametrize("entry", KNOWN, ids=names(KNOWN))
def test_compiled_rules_walk_the_same_way(entry):
    optimizer = fastnn.get_opt(entry["ours"], **entry["settings"])
    p, found = np.array(DATA["start"]), []
    for t, g in enumerate(DATA["gradients"], 1):
        optimizer.step(p, np.array(g))
        if t in DATA["steps"]:
            found.append(p.copy())
    compared(entry, found)


def test_the_data_say_where_they_come_from():
    assert {entry["package"] for entry in TRAJECTORIES} <= set(DATA["versions"])
    assert len(TRAJECTORIES) >= 30
