"""Training by Levenberg-Marquardt: beside plain NumPy, what ends it, and what it refuses."""

import numpy as np
import pytest
from support.least_squares import LeastSquares

import fastnn
from fastnn.callbacks import Callback, EarlyStopping, LearningRate
from fastnn.optimizers import LevenbergMarquardt
from fastnn.training import levenberg_marquardt as lm

X = np.linspace(-1, 1, 41)[:, np.newaxis]
T = np.sin(np.pi * X)
NOISY = T + 0.1 * np.random.default_rng(0).standard_normal(T.shape)


def regression(dtype="float64", cost=None, seed=1, **more):
    layers = [
        fastnn.DenseLayer(1, 5, activation="tanh", dtype=dtype, rng=seed, **more),
        fastnn.LinearLayer(5, 1, dtype=dtype, rng=seed + 1),
    ]
    return fastnn.NeuralNetwork(layers, cost or fastnn.SumSquaresError())


def fit(network, epochs=30, x=X, t=T, **more):
    numbers = {
        key: more.pop(key) for key in list(more) if key in LevenbergMarquardt.__annotations__
    }
    return network.fit(x, t, optimizer=LevenbergMarquardt(**numbers), epochs=epochs, **more)


@pytest.mark.parametrize("seed", [2, 5])  # of which μ falls and rises
def test_the_iterates_are_those_of_plain_numpy(seed):
    path = LeastSquares(regression(seed=seed), X, T).minimize(6)
    for k, theta in enumerate(path):
        network = regression(seed=seed)
        fit(network, k + 1)
        np.testing.assert_allclose(network.parameters, theta, rtol=1e-9, atol=1e-9)
    stepped = regression(seed=seed)
    fit(stepped, len(path), callbacks=lambda run: None)
    np.testing.assert_allclose(stepped.parameters, path[-1], rtol=1e-9, atol=1e-9)


def plane(activation, frozen=False, rows=530):
    """Two inputs and outputs, more samples than a tile has."""
    rng = np.random.default_rng(5)
    layers = [
        fastnn.DenseLayer(2, 4, activation=activation, rng=1),
        fastnn.DenseLayer(4, 3, activation="tanh", rng=2, trainable=not frozen),
        fastnn.DenseLayer(3, 2, activation="sigmoid", rng=3),
    ]
    network = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
    return network, rng.standard_normal((rows, 2)), rng.random((rows, 2)), rng.random(rows)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "softmax", "PReLU", "GLU"])
def test_normal_equations_are_those_of_plain_numpy(activation, frozen):
    network, x, t, w = plane(activation, frozen)
    r, J = LeastSquares(network, x, t, w).at(network.parameters)
    objective = lm.Objective(network, x, t, w)
    memory, size = objective.memory, J.shape[1]
    objective.measure()
    found = np.tril(memory.search.matrix[:size, :size], -1)
    scale = np.abs(J.T @ J).max()
    np.testing.assert_allclose(found, np.tril(J.T @ J, -1), rtol=0, atol=1e-13 * scale)
    diagonal, gradient = memory.search.vectors[[lm.solver.DIAGONAL, lm.solver.GRADIENT]]
    np.testing.assert_allclose(diagonal, np.diag(J.T @ J), rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(gradient, J.T @ r, rtol=0, atol=1e-12 * np.abs(J.T @ r).max())
    assert memory.search.numbers[lm.solver.COST] == pytest.approx(0.5 * r @ r, rel=1e-13)


def test_the_jacobian_is_that_of_differences():
    network, x, t, _ = plane("tanh", rows=7)
    reference, theta, h = LeastSquares(network, x, t), network.parameters.copy(), 1e-6
    J = reference.at(theta)[1]
    for i, unit in enumerate(np.eye(theta.size)):
        above, below = reference.at(theta + h * unit)[0], reference.at(theta - h * unit)[0]
        np.testing.assert_allclose(J[:, i], (above - below) / (2 * h), rtol=0, atol=1e-8)


def test_frozen_layers_stay_and_others_move():
    network, x, t, w = plane("tanh", frozen=True)
    before = [layer.w.copy() for layer in network.layers]
    reference = LeastSquares(network, x, t, w).minimize(2)
    fit(network, 2, x, t, sample_weight=w)
    np.testing.assert_array_equal(network.layers[1].w, before[1])
    np.testing.assert_allclose(network.parameters, reference[-1], rtol=1e-9, atol=1e-9)


def test_a_small_error_for_all_seeds():
    for seed in range(10):
        network = regression(cost=fastnn.MeanSquaredError(), seed=seed)
        history = fit(network, 1000, goal=0.002)
        assert network.cost(X, T) <= 0.002
        assert len(history) < 200
        assert history.stopped == "LM has converged: the cost is at most 0.002, the goal"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_costs_are_those_before_each_step(dtype):
    network, seen = regression(dtype), []
    first = network.cost(X, T)
    history = fit(network, 8, callbacks=lambda run: seen.append(run.network.cost(X, T)))
    plain = regression(dtype)
    blind = fit(plain, 8)
    assert network.dtype == dtype
    assert len(history) == len(seen) == 8
    tolerance = 1e-12 if dtype == "float64" else 1e-3
    np.testing.assert_allclose(history.cost, [first, *seen[:-1]], rtol=tolerance)
    np.testing.assert_array_equal(history.cost, blind.cost)
    np.testing.assert_array_equal(network.parameters, plain.parameters)
    assert np.all(np.diff(history.cost) < 0)
    assert np.all(history.seconds > 0)
    assert np.all(blind.seconds > 0)


@pytest.mark.parametrize("cost", [fastnn.SumSquaresError, fastnn.MeanSquaredError])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_cost_is_that_of_the_network(cost, reduction):
    network, x, t, _ = plane("tanh")
    network.cost_function = cost(reduction=reduction)
    first = network.cost(x, t)
    history = fit(network, 3, x, t)
    assert history.cost[0] == pytest.approx(first, rel=1e-12)
    assert network.cost(x, t) < history.cost[-1]


def test_weights_count_like_repeated_samples():
    one, other = regression(), regression()
    weights = np.ones(len(X))
    weights[::2] = 2.0
    twice = np.repeat(np.arange(len(X)), weights.astype(int))
    for more in ({}, {"bayesian": True}):
        fit(one, 5, sample_weight=weights, **more)
        fit(other, 5, X[twice], T[twice], **more)
        np.testing.assert_allclose(one.parameters, other.parameters, rtol=1e-8, atol=1e-8)
    assert one.posterior.log_evidence == pytest.approx(other.posterior.log_evidence, rel=1e-6)


def test_weights_of_classes_are_those_of_their_samples():
    one, other = regression(), regression()
    classes = (T > 0.5).astype(float)
    fit(one, 4, t=classes, class_weight={1: 3.0})
    fit(other, 4, t=classes, sample_weight=1 + 2 * classes[:, 0])
    np.testing.assert_array_equal(one.parameters, other.parameters)


def test_l2_is_that_of_more_residuals():
    network = regression(l2=0.3)
    decay = np.repeat([0.3, 0.0], [5, 11])
    path = LeastSquares(network, X, T).minimize(4, decay=decay)
    history = fit(network, 4)
    np.testing.assert_allclose(network.parameters, path[-1], rtol=1e-9, atol=1e-9)
    assert history.cost[0] == pytest.approx(regression(l2=0.3).cost(X, T), rel=1e-12)


def test_a_linear_problem_is_solved():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((60, 3)), rng.standard_normal((60, 2))
    network = fastnn.NeuralNetwork([fastnn.LinearLayer(3, 2, rng=1)], fastnn.SumSquaresError())
    history = fit(network, 100, a, b)
    exact = np.linalg.lstsq(np.c_[a, np.ones(60)], b)[0]
    np.testing.assert_allclose(network.parameters, exact.ravel(), rtol=1e-8, atol=1e-8)
    assert "the gradient's length is at most 1e-07" in history.stopped
    assert len(history) < 10


def test_no_lower_cost():
    network = regression()
    network.fit(X, NOISY, optimizer="LM", epochs=2000)  # near a minimum
    history = fit(network, 2000, t=NOISY, gradient_tolerance=0.0)
    assert "no step lowers the cost up to mu_max, 1e+10" in history.stopped


def test_validation_ends_it_and_the_best_come_back():
    network = regression(seed=3)
    other = X[::2] * 0.9, -T[::2]  # gets worse as the training gets better
    history = fit(network, 50, validation_data=other, max_fail=3)
    best = int(np.argmin(history.validation_cost))
    assert len(history) == best + 4
    assert "validation cost has not improved for 3 epochs" in history.stopped
    assert network.cost(*other) == history.validation_cost[best]
    assert len(fit(regression(seed=3), 8, validation_data=other, max_fail=None)) == 8


def test_no_epochs():
    network = regression()
    before = network.parameters.copy()
    assert len(fit(network, 0)) == 0
    np.testing.assert_array_equal(network.parameters, before)


def test_early_stopping_and_verbose(capsys):
    callback = EarlyStopping("cost", patience=1, min_delta=1e9)
    history = fit(regression(), 30, callbacks=callback, verbose=1)
    assert len(history) == 2
    shown = capsys.readouterr()
    assert "2/30" in shown.err + shown.out


class Action(Callback):
    every = 4

    def __init__(self, at, action):
        self.at, self.action = at, action

    def on_epoch(self, run):
        if run.epoch == self.at:
            self.action(run)


def test_a_callback_may_move_the_parameters():
    def move(run):
        run.network.parameters[...] = regression().parameters

    network, plain = regression(), regression()
    history = fit(network, 12, callbacks=Action(8, move))
    again = fit(plain, 4)
    assert len(history) == 12
    np.testing.assert_array_equal(history.cost[8:], again.cost)
    np.testing.assert_array_equal(network.parameters, plain.parameters)
    fit(network, 4, callbacks=Action(4, lambda run: run.network.parameters.fill(0.5)))
    assert np.all(network.parameters == 0.5)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_training_keeps_the_best(error):
    def interrupt(run):
        run.network.parameters[...] = 7.0
        raise error

    network, plain = regression(), regression()
    with pytest.raises(error):
        fit(network, 20, callbacks=Action(8, interrupt))
    fit(plain, 8)
    np.testing.assert_array_equal(network.parameters, plain.parameters)


def test_a_stop_ends_a_call_with_the_best_point():
    network = regression()
    objective = lm.Objective(network, X, T, X[:0, 0])
    objective._stop()
    found = lm.descend(objective, 20)
    assert found.costs.size == 1
    assert not found.converged
    np.testing.assert_array_equal(network.parameters, regression().parameters)


def test_a_callback_may_train_another_network():
    inner = []

    def train(run):
        inner.append(regression())
        fit(inner[-1], 3)

    network, plain = regression(), regression()
    fit(network, 8, callbacks=train)
    fit(plain, 8)
    np.testing.assert_array_equal(network.parameters, plain.parameters)
    fit(plain := regression(), 3)
    np.testing.assert_array_equal(inner[-1].parameters, plain.parameters)


def test_nowhere_to_begin():
    network = regression()
    network.parameters[...] = 1e300
    with pytest.raises(ValueError, match="infinite or NaN where LM begins"):
        fit(network)
    assert np.all(network.parameters == 1e300)
    network.parameters[3] = np.nan
    with pytest.raises(ValueError, match=r"parameters\[3\] is nan"):
        fit(network)


def test_a_step_that_is_not_finite_is_no_step():
    layers = [fastnn.DenseLayer(1, 1, activation="exponential", rng=1)]
    network = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
    network.parameters[...] = [-10.0, -10.0]  # where a step to the targets is far too long
    history = fit(network, 50, t=1e3 + 0 * X, mu=1e-18)
    assert np.all(np.isfinite(history.cost))
    assert np.all(np.diff(history.cost) < 0)


def test_too_many_parameters():
    layers = [fastnn.TanhLayer(100, 41, rng=1), fastnn.LinearLayer(41, 1, rng=2)]
    network = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
    with pytest.raises(ValueError, match=r"has 4183 trained parameters, .* at most 4096"):
        fit(network, 1, np.zeros((3, 100)), np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("more", "error", "text"),
    [
        ({"learning_rate": 0.1}, TypeError, "LM finds the length of its steps"),
        ({"batch_size": 8}, ValueError, "LM takes all 41 samples"),
        ({"epochs": -1}, ValueError, "epochs"),
        ({"callbacks": LearningRate(lambda epoch: 0.1)}, ValueError, "LM has no learning rate"),
    ],
)
def test_bad_input(more, error, text):
    network = regression()
    before = network.parameters.copy()
    with pytest.raises(error, match=text):
        fit(network, **{"epochs": 2, **more})
    if "callbacks" not in more:
        np.testing.assert_array_equal(network.parameters, before)


@pytest.mark.parametrize(
    ("layer", "method", "text"),
    [
        ({"dropout": 0.5}, {}, r"layers\[0\] has dropout=0.5, but LM needs the same cost"),
        ({"l1": 0.5}, {}, r"layers\[0\] has l1=0.5, but LM takes penalties that are squares"),
        ({"l2": 0.5}, {"bayesian": True}, r"layers\[0\] has l2=0.5, but LM estimates the decay"),
        ({"cost": fastnn.Huber()}, {}, "but LM minimizes sums of squares"),
    ],
)
def test_networks_that_are_refused(layer, method, text):
    with pytest.raises(ValueError, match=text):
        fit(regression(**layer), **method)


@pytest.mark.parametrize(
    ("numbers", "error", "text"),
    [
        ({"mu": 0.0}, ValueError, "mu must be above 0"),
        ({"mu": "1"}, TypeError, "mu must be a number"),
        ({"mu_increase": 1.0}, ValueError, "mu_increase is 1.0, expected more than 1"),
        ({"mu_decrease": 1.0}, ValueError, "mu_decrease is 1.0, expected less than 1"),
        ({"mu_max": 1e-4}, ValueError, "mu_max is 0.0001, expected at least mu"),
        ({"gradient_tolerance": -1.0}, ValueError, "gradient_tolerance must be at least 0"),
        ({"goal": np.nan}, ValueError, "goal must be a finite number"),
        ({"max_fail": 0}, ValueError, "max_fail must be at least 1"),
        ({"bayesian": 1}, TypeError, "bayesian is 1, expected True or False"),
        ({"alpha": 1.0}, TypeError, "alpha"),
    ],
)
def test_numbers_that_are_refused(numbers, error, text):
    with pytest.raises(error, match=text):
        fastnn.get_opt("LM", **numbers)


def test_names():
    assert fastnn.get_opt("levenberg-marquardt", mu=0.5) == LevenbergMarquardt(mu=0.5)
    assert "mu=0.001" in repr(fastnn.get_opt("lm"))
    one, other = regression(), regression()
    one.fit(X, T, optimizer="Levenberg-Marquardt", epochs=3)
    fit(other, 3)
    np.testing.assert_array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize("given", ["LM", LevenbergMarquardt()])
def test_it_is_no_update_rule(given):
    text = "LM is no update rule, it needs all samples"
    with pytest.raises(ValueError, match=text):
        regression().compiled(optimizer=given)
    for step in (LevenbergMarquardt().step, LevenbergMarquardt().update):
        with pytest.raises(ValueError, match=text):
            step(np.zeros(3), np.zeros(3))
