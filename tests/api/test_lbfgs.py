"""Training by L-BFGS: what it reaches, what callbacks see, and what it refuses."""

import numpy as np
import pytest
from scipy import optimize
from support.tolerance import assert_close
from threadpoolctl import threadpool_limits

import fastnn
from fastnn.callbacks import Callback, EarlyStopping, LearningRate
from fastnn.training import lbfgs

X = np.linspace(0, 1, 40)[:, np.newaxis]
T = np.sin(2 * np.pi * X)
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
XOR = np.array([[0], [1], [1], [0]], np.float64)


def regression(dtype="float64", **more):
    layers = [
        fastnn.DenseLayer(1, 6, activation="tanh", dtype=dtype, rng=1, **more),
        fastnn.LinearLayer(6, 1, dtype=dtype, rng=2),
    ]
    return fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())


def fit(network, epochs=30, **more):
    return network.fit(X, T, optimizer="L-BFGS", epochs=epochs, **more)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_lower_than_adam_in_as_many_epochs(dtype):
    one, other = regression(dtype), regression(dtype)
    history = fit(one, 100)
    other.fit(X, T, optimizer=fastnn.get_opt("Adam", alpha=0.03), epochs=100)
    assert one.cost(X, T) < 0.01 * other.cost(X, T)
    assert one.dtype == dtype
    assert np.all(np.diff(history.cost) <= 0)
    assert one.cost(X, T) <= history.cost[-1]


def test_xor():
    layers = [fastnn.TanhLayer(2, 4, rng=3), fastnn.LinearLayer(4, 1, rng=4)]
    network = fastnn.NeuralNetwork(layers, fastnn.SigmoidCrossEntropy())
    history = network.fit(CORNERS, XOR, optimizer="lbfgs", epochs=50)
    np.testing.assert_array_equal(network.predict(CORNERS).round(), XOR)
    assert network.cost(CORNERS, XOR) < 1e-4
    assert history.cost[0] > 1.0


def test_costs_are_those_before_each_step():
    network, seen = regression(), []
    first = network.cost(X, T)
    history = fit(network, 8, callbacks=lambda run: seen.append(run.network.cost(X, T)))
    assert len(history) == len(seen) == 8
    np.testing.assert_allclose(history.cost, [first, *seen[:-1]], rtol=1e-12)
    assert network.cost(X, T) == seen[-1]
    assert np.all(history.seconds > 0)
    assert np.all(history.learning_rate > 0)


@pytest.mark.parametrize("penalty", [{}, {"l2": 0.01}])
def test_minimize_tells_all_costs(penalty):
    network = regression(**penalty)
    first = network.cost(X, T)
    found = lbfgs.minimize(network, X, T, iterations=20)
    assert found.costs.size == 21
    assert not found.converged
    assert found.reason == "20 iterations are over"
    np.testing.assert_allclose(
        found.costs[[0, -1]], [first, network.cost(X, T)], rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_weights_count_like_repeated_samples(reduction):
    one, other = regression(), regression()
    for network in (one, other):
        network.cost_function = fastnn.SumSquaresError(reduction=reduction)
    weights = np.ones(len(X))
    weights[::2] = 2.0
    share = len(X) / weights.sum() if reduction == "mean" else 1.0
    fit(one, 5, sample_weight=weights * share)
    twice = np.repeat(np.arange(len(X)), weights.astype(int))
    other.fit(X[twice], T[twice], optimizer="L-BFGS", epochs=5)
    assert_close(one.parameters, other.parameters, operations=1e8)  # five searches long


def test_a_convex_problem_is_solved():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((60, 3)), rng.standard_normal((60, 2))
    network = fastnn.NeuralNetwork([fastnn.LinearLayer(3, 2, rng=1)], fastnn.SumSquaresError())
    history = network.fit(a, b, optimizer="L-BFGS", epochs=1000)
    exact = np.linalg.lstsq(np.c_[a, np.ones(60)], b)[0]
    np.testing.assert_allclose(network.parameters, exact.ravel(), rtol=1e-6, atol=1e-6)
    assert len(history) < 100
    assert "converged" in history.stopped
    again = network.fit(a, b, optimizer="L-BFGS", epochs=5)
    assert again.stopped is None or "converged" in again.stopped


def test_no_epochs():
    network = regression()
    before = network.parameters.copy()
    assert len(fit(network, 0)) == 0
    np.testing.assert_array_equal(network.parameters, before)


def test_validation_and_early_stopping():
    network, callback = regression(), EarlyStopping(patience=1, min_delta=1e9)
    history = fit(network, 30, validation_data=(X, T), callbacks=callback)
    assert len(history) == 2
    assert history.validation_cost.size == 2
    assert "has not improved" in history.stopped
    assert network.cost(X, T) == pytest.approx(history.validation_cost[0])


class Recorder(Callback):
    every = 4

    def __init__(self, at=None, action=None):
        self.calls, self.at, self.action = [], at, action

    def on_begin(self, run):
        self.calls.append("begin")

    def on_epoch(self, run):
        self.calls.append(run.epoch)
        if run.epoch == self.at:
            self.action(run)

    def on_end(self, run):
        self.calls.append("end")

    def on_divergence(self, run, error):
        self.calls.append(str(error))
        return self.action is None


def test_callbacks_are_called_when_they_are_due():
    recorder = Recorder()
    fit(regression(), 10, callbacks=recorder)
    assert recorder.calls == ["begin", 4, 8, 10, "end"]


def test_a_callback_may_stop():
    recorder = Recorder(4, lambda run: run.stop("enough"))
    history = fit(regression(), 10, callbacks=recorder)
    assert (len(history), history.stopped) == (4, "enough")
    assert recorder.calls == ["begin", 4, "end"]


def test_a_callback_may_move_the_parameters():
    def move(run):
        run.network.parameters[...] = regression().parameters

    network, plain = regression(), regression()
    history = fit(network, 12, callbacks=Recorder(8, move))
    again = fit(plain, 4)
    assert len(history) == 12
    np.testing.assert_array_equal(history.cost[8:], again.cost)
    np.testing.assert_array_equal(network.parameters, plain.parameters)


def test_what_a_callback_leaves_in_the_end_is_left():
    def clear(run):
        run.network.parameters[...] = 0.5

    network = regression()
    fit(network, 4, callbacks=Recorder(4, clear))
    assert np.all(network.parameters == 0.5)


def test_an_interrupted_training_keeps_the_best():
    def interrupt(run):
        raise KeyboardInterrupt

    network, plain, recorder = regression(), regression(), Recorder(8, interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(network, 20, callbacks=recorder)
    assert recorder.calls == ["begin", 4, 8, "end"]
    fit(plain, 8)
    np.testing.assert_array_equal(network.parameters, plain.parameters)


def test_an_interrupt_is_heard_between_pieces_of_a_call(monkeypatch):
    """However many iterations nobody has to be told of."""
    run, asked = lbfgs.solver.run, []

    def interrupted(*arguments):
        run(*arguments)
        asked.append(arguments[-1])
        if len(asked) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(lbfgs.solver, "run", interrupted)
    monkeypatch.setattr(lbfgs, "_LONG", 1e5)
    network = regression()
    first = network.cost(X, T)
    with pytest.raises(KeyboardInterrupt):
        fit(network, 10_000)
    assert max(asked) < 50
    assert network.cost(X, T) < 0.5 * first


def test_verbose(capsys):
    fit(regression(), 4, verbose=2)
    shown = capsys.readouterr()
    assert "4/4" in shown.err + shown.out


@pytest.mark.parametrize("compiled", [True, False])
def test_infinite_costs_are_walked_around(compiled, monkeypatch):
    """The first step leads from exp(−5) to exp(95), which float32 does not hold."""
    layer = fastnn.DenseLayer(1, 1, activation="exponential", dtype="float32")
    network = fastnn.NeuralNetwork([layer], fastnn.SumSquaresError())
    network.parameters[...] = -0.05, 0.0
    one, two = np.full((1, 1), 100, np.float32), np.full((1, 1), 2, np.float32)
    objective = lbfgs.Objective(network, one, two, np.empty(0, np.float32))
    monkeypatch.setattr(lbfgs.Objective, "is_compiled", compiled)
    found = lbfgs.descend(objective, 50)
    assert found.converged
    assert found.costs[-1] < 1e-9
    assert np.all(np.isfinite(found.costs))


class Walled(lbfgs.Objective):
    """Σ (p − 3)² within |p| < 1, beyond that NaN; from Python."""

    is_compiled = False

    def _compute(self):
        self.grad[...] = 2 * (self.theta - 3)
        return float(np.sum((self.theta - 3) ** 2)) if np.all(np.abs(self.theta) < 1) else np.nan


def test_a_wall_does_not_stop_the_search():
    network = regression()
    network.parameters[...] = 0.0
    objective = Walled(network, X, T, np.empty(0))
    found = lbfgs.descend(objective, 50)
    assert found.costs[-1] < 0.6 * found.costs[0]
    assert np.all(np.isfinite(found.costs))
    assert np.all(np.abs(network.parameters) < 1)


def endless():
    network = regression("float32")
    network.parameters[...] = 3e38
    return network


def test_nowhere_to_begin():
    network, asked = endless(), Recorder(1, lambda run: None)
    with pytest.raises(ValueError, match="infinite or NaN where L-BFGS begins"):
        fit(network, callbacks=asked)
    assert np.all(network.parameters == np.float32(3e38))
    quiet = Recorder()
    assert len(fit(endless(), callbacks=quiet)) == 0
    assert len(quiet.calls) == len(asked.calls) == 3
    spoilt = regression()
    spoilt.parameters[3] = np.nan
    with pytest.raises(ValueError, match=r"parameters\[3\] is nan"):
        fit(spoilt)


@pytest.mark.parametrize(
    ("more", "error", "text"),
    [
        ({"learning_rate": 0.1}, TypeError, "give no learning_rate"),
        ({"batch_size": 8}, ValueError, "takes all 40 samples"),
        ({"epochs": -1}, ValueError, "epochs"),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight"),
        ({"callbacks": LearningRate(lambda epoch: 0.1)}, ValueError, "no learning rate"),
    ],
)
def test_refused(more, error, text):
    network = regression()
    with pytest.raises(error, match=text):
        network.fit(X, T, **{"epochs": 2, "optimizer": "L-BFGS", **more})


def test_refused_networks():
    with pytest.raises(ValueError, match=r"layers\[0\] has dropout=0.5"):
        fit(regression(dropout=0.5))

    class Own(fastnn.LinearLayer):
        def back_propagation(self, delta, learning_rate):
            return super().back_propagation(delta, learning_rate)

    own = fastnn.NeuralNetwork([Own(1, 1)], fastnn.SumSquaresError())
    with pytest.raises(TypeError, match="needs a network of DenseLayers"):
        fit(own)


@pytest.mark.parametrize(
    "more",
    [{"iterations": -1}, {"history": 0}, {"tolerance": -1.0}, {"gradient_tolerance": np.nan}],
)
def test_refused_numbers(more):
    network = regression()
    before = network.parameters.copy()
    with pytest.raises(ValueError, match=next(iter(more))):
        lbfgs.minimize(network, X, T, **{"iterations": 3, **more})
    np.testing.assert_array_equal(network.parameters, before)


def test_a_whole_batch_may_be_named():
    one, other = regression(), regression()
    fit(one, 3, batch_size=40, shuffle=True, n_threads=2)
    fit(other, 3)
    np.testing.assert_array_equal(one.parameters, other.parameters)


@pytest.mark.parametrize("every", [1, 7])
def test_calls_of_any_length_go_the_same_way(every, monkeypatch):
    """Nothing of a search is lost from one compiled call to the next, nor from Python."""
    networks = [regression() for _ in range(4)]
    at_once = fit(networks[0], 25)
    by_parts = fit(networks[1], 25, callbacks=Recorder(every, lambda run: None))
    monkeypatch.setattr(lbfgs, "_LONG", 0.0)  # one evaluation a call
    fit(networks[2], 25)
    monkeypatch.setattr(lbfgs.Objective, "is_compiled", False)
    from_python = fit(networks[3], 25)
    for history in (by_parts, from_python):
        np.testing.assert_array_equal(history.cost, at_once.cost)
        np.testing.assert_array_equal(history.learning_rate, at_once.learning_rate)
    for network in networks[1:]:
        np.testing.assert_array_equal(network.parameters, networks[0].parameters)


def test_threads_come_to_the_same_bits():
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((20_000, 20)), rng.standard_normal((20_000, 2))
    found = []
    for threads in (1, 2):
        layers = [fastnn.TanhLayer(20, 50, rng=1), fastnn.LinearLayer(50, 2, rng=2)]
        network = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError("mean"))
        network.fit(x, t, optimizer="L-BFGS", epochs=3, n_threads=threads)
        found.append(network.parameters)
    np.testing.assert_array_equal(*found)


SEEDS = range(10)


def of_scipy(network, iterations):
    """Costs, by SciPy's method on the network's cost and gradient, as `fit` has them."""
    start = network.parameters.copy()

    def function(point):
        network.parameters[...] = point
        return network.cost(X, T), network.gradient(X, T)[0]

    with threadpool_limits(1, user_api="blas"):  # threads would only wait for one another
        found = optimize.minimize(
            function, start, jac=True, method="L-BFGS-B",
            options={"maxiter": iterations, "ftol": 1e-6, "gtol": 1e-8, "maxcor": 10},
        )  # fmt: skip
    return found.nit, found.fun


def test_it_goes_as_far_as_scipy_in_as_many_iterations():
    ours, theirs = [], []
    for seed in SEEDS:
        networks = [
            fastnn.NeuralNetwork(
                [fastnn.TanhLayer(1, 5, rng=seed), fastnn.LinearLayer(5, 1, rng=seed + 100)],
                fastnn.SumSquaresError(),
            )
            for _ in range(2)
        ]
        found = lbfgs.minimize(networks[0], X, T, iterations=500, tolerance=1e-6)
        ours.append((found.costs.size - 1, found.costs[-1]))
        theirs.append(of_scipy(networks[1], 500))
    ours, theirs = np.array(ours), np.array(theirs)
    assert np.median(ours[:, 0]) <= 1.2 * np.median(theirs[:, 0])
    assert np.median(ours[:, 1]) <= max(1e-3, 2 * np.median(theirs[:, 1]))
