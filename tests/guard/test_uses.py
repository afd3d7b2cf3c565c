"""What calls take beside time: kernels to compile, and memory."""

import pytest

from fastnn.activations import ACTIVATIONS
from fastnn.losses import COSTS
from fastnn.optimizers import RULES

pytestmark = pytest.mark.sweep  # minutes of the compiler, for what `looked` finds
SMALL = 4096  # bytes: what Python takes to make a call; the arrays have 40 000

KERNELS = {
    "the import": 0,
    "a first training": 13,
    "another depth and width": 0,
    "another batch size, rate and length": 0,
    "another rule": 1,
    "a first training by L-BFGS": 3,  # gradient, iterations, the clock
    "a first prediction": 4,
    "a first step of an optimizer": 1,
    # for two dtypes, as are the loop of ufuncs, and the prepared call
    "forward of every activation": 2 * (sum(not s.kind for s in ACTIVATIONS.values()) + 1 + 1),
    "the same again": 0,
    "gradient of every cost": len(COSTS) + 2,  # the prepared call, and the way of some costs
    "a step of every rule": len({rule.kernel() for rule in RULES.values()}) - 2,
}
"""How many are needed that were not before, where all that the guard compiles is in the cache."""


@pytest.mark.parametrize("use", KERNELS)
def test_kernels_needed(kernels, use):
    assert kernels[use] == KERNELS[use]


def test_arrays_are_worked_on_where_they_are(memory):
    calls = {name: taken for name, (taken, _) in memory.items() if "training" not in name}
    assert len(calls) >= 3 * len(RULES)
    assert {name: taken for name, taken in calls.items() if taken > SMALL} == {}


@pytest.mark.parametrize("rule", RULES)
def test_steps_allocate_nothing_for_an_array(memory, rule):
    assert memory[f"{rule} step of many arrays"][1] == memory[f"{rule} step"][1]


def test_epochs_allocate_nothing(memory):
    (few, handles), (many, same) = (memory[f"training of {n} epochs"] for n in (1, 100))
    assert same == handles
    assert many - few < 99 * 8 * 8  # the history: a few numbers an epoch
