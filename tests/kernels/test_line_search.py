"""The compiled L-BFGS by itself: its line search on functions of one variable, and its memory."""

from types import SimpleNamespace

import numpy as np
import pytest

import fastnn
from fastnn.kernels.solvers import lbfgs as solver
from fastnn.kernels.solvers import line_search
from fastnn.training import lbfgs

NAN, INF = float("nan"), float("inf")


def search(function, slope, step, cost=None):
    """Trials from 0 on; by the interpreter, which runs the same lines."""
    n = np.zeros(line_search.NUMBERS)
    start = function(0.0) if cost is None else cost
    line_search.begin(n, start, slope(0.0), step)
    trials, verdict = [], line_search.TRY
    while verdict == line_search.TRY:
        trials.append(float(n[line_search.STEP]))
        cost, derivative = function(trials[-1]), slope(trials[-1])
        finite = bool(np.isfinite(cost) and np.isfinite(derivative))
        with np.errstate(all="ignore"):  # compiled code does not warn either
            verdict = line_search.judge(n, cost, derivative, finite)
    return verdict, trials


# Function and derivative of Moré and Thuente's tests (5.1), (5.2), (5.3), and others.
FUNCTIONS = {
    "concave, then flat": (
        lambda t: -t / (t * t + 2),
        lambda t: (t * t - 2) / (t * t + 2) ** 2,
    ),
    "of fifth degree": (
        lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
        lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3,
    ),
    "parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "waves": (
        lambda t: (t - 1) ** 2 + 0.3 * np.sin(9 * t) - 2.7 * t,
        lambda t: 2 * (t - 1) + 2.7 * np.cos(9 * t) - 2.7,
    ),
    "quartic": (lambda t: (t - 1) ** 4, lambda t: 4 * (t - 1) ** 3),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 10.0, 1000.0])
def test_steps_meet_the_strong_wolfe_conditions(name, step):
    """Or lie within a tenth beside a minimum, where the slope at 0 is next to nothing."""
    function, slope = FUNCTIONS[name]
    verdict, trials = search(function, slope, step)
    assert verdict == line_search.ACCEPT
    assert len(trials) <= 20
    t = trials[-1]
    assert function(t) <= function(0.0) + 1e-3 * t * slope(0.0)
    flat = abs(slope(t)) <= 0.9 * abs(slope(0.0))
    assert flat or slope(0.9 * t) < 0.0 < slope(1.12 * t)


@pytest.mark.parametrize("beyond", [NAN, INF, -INF])
@pytest.mark.parametrize("step", [2.0, 1e6])
def test_walls_are_not_passed(beyond, step):
    """Descending until it ends: the last point below the wall that was found will do."""
    verdict, trials = search(
        lambda t: -t if t < 1.5 else beyond, lambda t: -1.0 if t < 1.5 else NAN, step
    )
    assert verdict == line_search.ACCEPT
    assert 0.2 < trials[-1] < 1.5
    assert len(trials) <= 20


def test_there_may_be_nothing_lower():
    for function in (abs, lambda t: NAN if t else 0.0, lambda t: INF if t else 0.0):
        verdict, trials = search(function, lambda t: -1.0 if t == 0.0 else 1.0, 1.0)
        assert verdict == line_search.FAIL
        assert len(trials) == 19


def test_what_falls_for_ever_ends():
    verdict, trials = search(lambda t: -t, lambda t: -1.0, 1.0)
    assert verdict == line_search.ACCEPT
    assert trials[-1] <= 1e10
    assert len(trials) <= 20


class Quadratic(lbfgs.Objective):
    """½ Σ λ p²."""

    is_compiled, pinned = False, SimpleNamespace(check=lambda: None)

    def __init__(self, curvatures):
        self.curvatures = curvatures
        self.theta, self.grad = np.ones(curvatures.size), np.zeros(curvatures.size)

    def _compute(self):
        self.grad[...] = self.curvatures * self.theta
        return float(self.grad @ self.theta) / 2


@pytest.mark.parametrize("history", [1, 3, 10, 10**15])
def test_directions_are_those_of_the_dense_formula(history):
    """H of the last pairs by the update of the inverse Hessian (Nocedal and Wright, 7.16)."""
    objective = Quadratic(np.geomspace(1.0, 30.0, 6))
    descent = lbfgs.Descent(objective, 8, lbfgs.Options(history, 0.0, 0.0))
    memory, _, counters = descent._search
    descent.iterate(0)
    points, slopes = [memory[solver.POINT].copy()], [memory[solver.GRADIENT].copy()]
    for _ in range(6):
        descent.iterate(1)
        direction, identity = memory[solver.DIRECTION].copy(), np.eye(6)
        pairs = list(zip(np.diff(points, axis=0), np.diff(slopes, axis=0), strict=True))
        inverse = identity
        if pairs:
            inverse = identity * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
        for s, y in pairs[-min(history, 8) :]:
            left = identity - np.outer(s, y) / (s @ y)
            inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
        np.testing.assert_allclose(direction, -inverse @ slopes[-1], rtol=1e-8, atol=1e-12)
        points.append(memory[solver.POINT].copy())
        slopes.append(memory[solver.GRADIENT].copy())
    assert counters[solver.PAIRS] == min(history, 6)


class Walled(Quadratic):
    """Of which nothing is known after some evaluations."""

    left = 6

    def _compute(self):
        self.left -= 1
        return super()._compute() if self.left > 0 else np.nan


def test_where_nothing_lower_is_found_the_best_point_is_left():
    """After trials that were in vain, and a report of the iterations before them."""
    objective, seen = Walled(np.geomspace(1.0, 30.0, 6)), []

    def report(block):
        seen.append(objective.theta.copy())

    found = lbfgs.descend(objective, 100, report)
    assert found.reason == "no lower cost was found"
    assert (len(seen), found.costs.size > 2) == (1, True)
    np.testing.assert_array_equal(objective.theta, seen[0])
    assert Quadratic._compute(objective) == found.costs[-1] == found.costs.min()


def test_memory_that_does_not_fit_is_refused():
    search = solver.Search(
        np.zeros((solver.PAIRS_FROM + 2, 3)), np.zeros(solver.NUMBERS + 2),
        np.zeros(solver.COUNTERS, np.int64),
    )  # fmt: skip
    memory, numbers, counters = search
    for pairs, wrong in [
        (0, search), (-1, search), (2, search), (1 << 62, search),
        (1, search._replace(memory=memory[:-1])), (1, search._replace(numbers=numbers[:-1])),
        (1, search._replace(counters=counters[:-1])), (1, search._replace(memory=memory[:2])),
    ]:  # fmt: skip
        counters[solver.HISTORY] = pairs
        with pytest.raises(ValueError, match="a search"):
            solver.advance(wrong)
    counters[solver.HISTORY] = 1
    for place, value in ((solver.PAIRS, 2), (solver.NEXT, 1), (solver.NEXT, -1)):
        changed = counters.copy()
        changed[place] = value
        with pytest.raises(ValueError, match="a search"):
            solver.advance(search._replace(counters=changed))
    network = fastnn.NeuralNetwork([fastnn.LinearLayer(1, 1)], fastnn.SumSquaresError())
    one = np.ones((2, 1))
    objective = lbfgs.Objective(network, one, one, np.empty(0))
    data, two = objective.arguments(), search._replace(memory=memory[:, :2].copy())
    for given in ((np.zeros((2, 3)), 0, 2), (np.zeros((3, 2)), 0, 2), (np.zeros((3, 3)), 2, 1)):
        with pytest.raises(ValueError, match="room for the numbers of every iteration"):
            solver.run(*data, two, *given, 1)
    with pytest.raises(ValueError, match="room for each parameter"):
        solver.run(*data, search, np.zeros((3, 3)), 0, 2, 1)
