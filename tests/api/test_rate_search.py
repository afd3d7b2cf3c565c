"""The search for a learning rate: what it sees, and what it leaves alone."""

import copy
import pickle
import sys

import numpy as np
import pytest

import fastnn
from fastnn import (
    DenseLayer,
    LinearLayer,
    NeuralNetwork,
    SoftmaxCrossEntropy,
    SumSquaresError,
    TanhLayer,
    find_learning_rate,
)

X = np.linspace(-1, 1, 40).reshape(-1, 1)
T = np.sin(3 * X)


def net(dtype=np.float64, **more):
    layers = [TanhLayer(1, 8, dtype=dtype, rng=0, **more), LinearLayer(8, 1, dtype=dtype, rng=1)]
    return NeuralNetwork(layers, SumSquaresError("mean"))


class OwnLayer(DenseLayer):
    def forward_propagation(self, X):
        return super().forward_propagation(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", [None, "SGD", "Adam"])
@pytest.mark.parametrize("batch", [None, 10, 1000])
def test_the_suggestion_trains_well(optimizer, batch, dtype):
    nn = net(dtype)
    found = find_learning_rate(nn, X, T, optimizer=optimizer, batch_size=batch, rng=0)
    costs = {}
    for factor in (0.01, 1.0):
        twin = copy.deepcopy(nn)
        twin.fit(X, T, factor * found.suggestion, optimizer=optimizer, epochs=30, rng=0)
        costs[factor] = twin.cost(X, T)
    assert costs[1.0] < 0.7 * costs[0.01]
    assert found.rates.size == found.costs.size == found.smoothed.size <= 100
    assert np.isfinite(found.costs).all()


def test_costs_are_those_of_a_training_with_these_rates():
    nn, twin = net(), net()
    found = find_learning_rate(nn, X, T, optimizer="Adam", steps=20, highest=1e-2)
    rates = found.rates
    assert rates == pytest.approx(np.geomspace(1e-6, 1e-2, 20), rel=1e-12)
    opt = fastnn.get_opt("Adam", alpha=lambda step: rates[step])
    assert np.array_equal(twin.fit(X, T, optimizer=opt, epochs=20).cost, found.costs)
    assert found.stopped is None


@pytest.mark.parametrize("trained", [True, False])
def test_network_and_optimizer_stay_as_they_are(trained):
    nn, twin = net(dropout=0.5, l1=0.25), net(dropout=0.5, l1=0.25)
    opt = fastnn.get_opt("Adam")
    if trained:
        for each, own in ((nn, opt), (twin, "Adam")):
            each.fit(X, T, optimizer=own, epochs=3, rng=0)
    before = nn.parameters.copy(), opt.state_dict(), nn.optimizer, nn.draws
    random = np.random.get_state()[1].tolist()  # noqa: NPY002
    for given in (opt, None, "Lion"):
        find_learning_rate(nn, X, T, optimizer=given, batch_size=10, rng=0)
    assert np.array_equal(nn.parameters, before[0])
    assert str(opt.state_dict()) == str(before[1])
    assert (nn.optimizer, nn.draws) == before[2:]
    assert nn.layers[0].l1 == 0.25
    assert np.random.get_state()[1].tolist() == random  # noqa: NPY002
    if trained:
        for each in (nn, twin):
            each.fit(X, T, epochs=3, rng=each.draws)
        assert np.array_equal(nn.parameters, twin.parameters)


def test_the_same_numbers_find_the_same():
    one, same, other = (
        find_learning_rate(net(dropout=0.25), X, T, batch_size=7, rng=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.costs, same.costs)
    assert not np.array_equal(one.costs, other.costs)


def test_penalties_are_shared_out_over_the_batches():
    """Where costs are summed, each of four batches has a quarter of them."""
    layers = [LinearLayer(1, 1, init=[[3.0]], l1=1.0, l2=2.0)]
    nn = NeuralNetwork(layers, SumSquaresError())
    options = {"steps": 2, "lowest": 1e-12, "highest": 1e-11, "rng": 0}
    plain = NeuralNetwork([LinearLayer(1, 1, init=[[3.0]])], SumSquaresError())
    both = [find_learning_rate(each, X, T, batch_size=10, **options).costs for each in (nn, plain)]
    assert both[0] - both[1] == pytest.approx((3.0 + 9.0) / 4, rel=1e-6)


def test_labels_weights_and_layers_of_the_callers_own():
    labels = (X[:, 0] > 0).astype(int)
    nn = NeuralNetwork([OwnLayer(1, 2, init="zeros")], SoftmaxCrossEntropy("mean"))
    options = {"sample_weight": np.ones(40), "class_weight": {1: 2.0}, "batch_size": 9, "rng": 0}
    found = find_learning_rate(nn, X, labels, steps=30, **options)
    assert found.suggestion > 0


def test_a_cost_that_never_falls():
    nn = NeuralNetwork([LinearLayer(1, 1, init=[[0.0]])], SumSquaresError("mean"))
    found = find_learning_rate(nn, X, 0 * X, steps=10)
    assert found.suggestion is None
    assert repr(found).startswith("RateSearch(suggestion=None, 10 rates from 1e-06 to 10")


def test_noise_is_not_taken_for_a_fall():
    """Targets that the network cannot learn, by batches of few."""
    noise, suggestions = np.random.default_rng(1), []
    for seed in range(10):
        nn = NeuralNetwork([LinearLayer(1, 1, init="zeros")], SumSquaresError("mean"))
        targets = noise.standard_normal((40, 1))
        targets -= targets.mean() + X * (X[:, 0] @ targets[:, 0]) / (X[:, 0] @ X[:, 0])
        options = {"lowest": 1e-9, "highest": 1e-6, "batch_size": 2, "rng": seed}
        suggestions.append(find_learning_rate(nn, X, targets, **options).suggestion)
    assert suggestions.count(None) >= 8


def test_a_search_that_leaves_the_finite_numbers_ends():
    nn = NeuralNetwork([LinearLayer(1, 1, init=[[1e3]])], SumSquaresError())
    found = find_learning_rate(nn, X, T, lowest=1e-3, highest=1e300, steps=30)
    assert found.stopped.startswith("at the rate ")
    assert 1 <= found.rates.size < 30
    with pytest.raises(ValueError, match=r"even the first step cannot be taken, at the rate 1e\+3"):
        find_learning_rate(nn, X, T, lowest=1e307, highest=1e308)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lowest": 0.0}, ValueError, "lowest must be above 0"),
        ({"highest": np.inf}, ValueError, "highest must be a finite number"),
        ({"lowest": 1.0, "highest": 0.5}, ValueError, "highest must be above lowest, 1.0, but is"),
        ({"steps": 1}, ValueError, "steps must be at least 2"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"optimizer": "Adm"}, ValueError, "unknown optimizer 'Adm'"),
        ({"optimizer": "L-BFGS"}, ValueError, "L-BFGS is no update rule"),
        ({"rng": "x"}, TypeError, "rng must be None"),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight has shape"),
    ],
)
def test_refused_arguments(options, error, message):
    nn = net()
    before = nn.parameters.copy()
    with pytest.raises(error, match=message):
        find_learning_rate(nn, X, T, **options)
    assert np.array_equal(nn.parameters, before)


def test_data_are_refused():
    with pytest.raises(ValueError, match="t has 3 rows, expected as many as X, 40"):
        find_learning_rate(net(), X, T[:3])
    with pytest.raises(ValueError, match="X is empty"):
        find_learning_rate(net(), X[:0], T[:0])


@pytest.fixture
def no_window():
    import matplotlib
    from matplotlib import pyplot

    before = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    pyplot.close("all")
    matplotlib.use(before)


@pytest.mark.usefixtures("no_window")
def test_plot():
    found = find_learning_rate(net(), X, T, steps=30)
    axes = found.plot()
    assert axes.get_xscale() == "log"
    assert [line.get_label() for line in axes.get_lines()] == [
        "cost", "smoothed", f"suggestion {found.suggestion:.3g}",
    ]  # fmt: skip
    assert found._replace(suggestion=None).plot(ax=axes) is axes
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)


def test_plot_without_matplotlib(monkeypatch):
    found = find_learning_rate(net(), X, T, steps=3)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"RateSearch.plot needs matplotlib: pip install"):
        found.plot()


def test_what_is_no_network_is_refused():
    with pytest.raises(TypeError, match="network must be a NeuralNetwork, not MLPRegressor"):
        find_learning_rate(type("MLPRegressor", (), {})(), X, T)
