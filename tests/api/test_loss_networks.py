"""Every cost in networks: in one compiled call, layer by layer, and in users' kernels."""

import copy

import numpy as np
import pytest
from support.compiled import run_step, run_step_with
from support.loss_cases import CASES, IDS, columns_of, made, targets_of
from support.networks import DTYPES
from support.reference_training import ReferenceTraining
from support.tolerance import assert_close

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SoftmaxCrossEntropy, get_opt, kernels
from fastnn.reference import ReferenceNetwork

pytestmark = pytest.mark.main_in_float32

cases = pytest.mark.parametrize("case", CASES, ids=IDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
SIZES = 3, 7
EPOCHS = 4


class OwnLayer(DenseLayer):
    """A layer that is not the engine's."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


def trained_by(case, rows, dtype=np.float64, kind=DenseLayer, **options):
    """A network for a cost, samples and targets."""
    cost, _ = made(case, **options)
    columns = columns_of(cost, 4)
    n_in, hidden = SIZES
    rng = np.random.default_rng(3)
    layers = [
        kind(n_in, hidden, std=n_in**-0.5, bias=0.1, activation="tanh", dtype=dtype, rng=rng),
        LinearLayer(hidden, cost.outputs_for(columns), std=hidden**-0.5, dtype=dtype, rng=rng),
    ]
    X = rng.uniform(-1, 1, (rows, n_in)).astype(dtype)
    return NeuralNetwork(layers, cost), X, targets_of(cost, (rows, columns), dtype, rng)


def chain(rows, steps=1):
    """The longest chain of roundings of a training, for the tolerance."""
    return steps * (sum(SIZES) + 60 + rows)  # 60: activations, and a mixture of 15 outputs


@pytest.mark.one_in(8)
@dtypes
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@cases
def test_fit_equals_the_reference(case, reduction, dtype):
    for rows, batch, weighted in ((1, None, False), (37, 10, True), (700, None, True)):
        nn, X, t = trained_by(case, rows, dtype, reduction=reduction)
        weights = np.random.default_rng(5).uniform(0, 2, rows).astype(dtype) if weighted else None
        optimizer = get_opt("SGD", learning_rate=1e-4)
        twin = ReferenceTraining(nn, optimizer)
        for kind in (X, X.tolist()):  # the trainer's second use too
            history = nn.fit(
                kind, t, optimizer=optimizer, epochs=EPOCHS, batch_size=batch, shuffle=False,
                sample_weight=weights, n_threads=1,
            )  # fmt: skip
        exact = X.astype(np.float64), t.astype(np.float64)
        costs = twin.fit(*exact, 2 * EPOCHS, batch, weights)
        n = chain(rows, 2 * EPOCHS * -(-rows // (batch or rows)))
        assert_close(nn.parameters, twin.parameters, operations=n)
        # Costs may be small beside their terms.
        size = rows * np.abs(nn(X)).max() if reduction == "sum" else np.abs(nn(X)).max()
        found = np.append(history.cost, size + 1).astype(dtype)
        assert_close(found, np.append(costs[EPOCHS:], size + 1), operations=n)


@cases
def test_gradient_check(case):
    for reduction in ("sum", "mean"):
        nn, X, t = trained_by(case, 6, reduction=reduction)
        assert nn.gradient_check(X, t) <= 1e-6


@dtypes
@cases
def test_threads_and_tiles_change_roundings_only(case, dtype):
    nn, X, t = trained_by(case, 1500, dtype, reduction="mean")
    twin = copy.deepcopy(nn)
    nn.fit(X, t, 0.01, epochs=3, n_threads=1)
    twin.fit(X, t, 0.01, epochs=3, n_threads=2)
    assert_close(twin.parameters, nn.parameters.astype(np.float64), operations=chain(1500, 3))


@pytest.mark.one_in(2)
@dtypes
@cases
def test_layer_by_layer_comes_to_the_same(case, dtype):
    nn, X, t = trained_by(case, 20, dtype)
    own, _, _ = trained_by(case, 20, dtype, OwnLayer)
    weights = np.linspace(0, 2, 20).astype(dtype)
    for net in (nn, own):
        net.fit(X, t, 1e-3, epochs=3, batch_size=8, shuffle=False, sample_weight=weights)
    assert_close(own.parameters, nn.parameters.astype(np.float64), operations=chain(20, 9))
    found, expected = own.gradient(X, t)[0], nn.gradient(X, t)[0]
    assert_close(found, expected.astype(np.float64), operations=8 * chain(20))


@pytest.mark.one_in(4)
@dtypes
@cases
def test_train_step_equals_fit(case, dtype):
    nn, X, t = trained_by(case, 90, dtype)
    twin = copy.deepcopy(nn)
    model = nn.compiled("Adam")
    work = np.empty(kernels.workspace_size(model, 90), dtype)
    for _ in range(3):
        before = float(nn.cost(X, t))
        found = run_step_with(model, X, t, 0.01, work)
        size = np.abs(nn(X)).max() * (1 if nn.cost_function.reduction == "mean" else 90)
        assert_close(np.array([found, size], dtype), np.array([before, size]), operations=chain(90))
    twin.fit(X, t, 0.01, optimizer="Adam", epochs=3, n_threads=1)
    assert_close(nn.parameters, twin.parameters.astype(np.float64), operations=chain(90, 3))
    assert np.isfinite(run_step(model, X[0], t[0], 0.01))


@dtypes
@cases
def test_outputs_equal_the_reference(case, dtype):
    nn, X, t = trained_by(case, 21, dtype)
    twin = ReferenceNetwork.like(nn)
    for rows in (1, 3, 21):
        assert_close(nn.predict(X[:rows]), twin(X[:rows]), operations=chain(0))
    expected = twin.cost(X, t) * (1 / 21 if nn.cost_function.reduction == "mean" else 1)
    assert nn.cost(X, t) == pytest.approx(expected, rel=1e4 * float(np.finfo(dtype).eps))
    step = 1e-6
    if dtype == np.float64:
        jacobian = nn.jacobian(X[0])
        for k in range(SIZES[0]):
            above, below = X[0].copy(), X[0].copy()
            above[k] += step
            below[k] -= step
            numeric = (nn.predict(above) - nn.predict(below)) / (2 * step)
            assert np.abs(jacobian[:, k] - numeric).max() < 1e-7
        g = np.random.default_rng(0).normal(size=(21, jacobian.shape[0]))
        pulled = nn.vjp(X, g)
        assert np.allclose(pulled[0], g[0] @ jacobian, rtol=1e-12)


@cases
def test_validation_is_the_cost(case):
    nn, X, t = trained_by(case, 30)
    weights = np.linspace(0, 2, 30)
    history = nn.fit(X, t, 0.0, epochs=2, validation_data=(X, t))
    assert history.validation_cost == pytest.approx([nn.cost(X, t)] * 2, rel=1e-12)
    history = nn.fit(X, t, 0.0, validation_data=(X, t, weights))
    expected = nn.cost_function(nn._logits(X), t, weights)
    assert history.validation_cost == pytest.approx([expected], rel=1e-12)


@cases
def test_training_lowers_the_cost(case):
    nn, X, t = trained_by(case, 60, reduction="mean")
    before = nn.cost(X, t)
    nn.fit(X, t, 0.01, optimizer="Adam", epochs=200)
    assert nn.cost(X, t) < before


@cases
def test_article_s_gradient_check(case, capsys):
    nn, _, _ = trained_by(case, 1)
    nn._gradient_check()
    lines = capsys.readouterr().out.splitlines()
    finite, back = (float(line.split()[-1]) for line in lines[2:4])
    assert finite == pytest.approx(back, rel=1e-6, abs=1e-9)


# --- labels ----------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("more", [{}, {"label_smoothing": 0.1, "class_weight": (1, 2, 0.5, 1)}])
def test_labels_train_as_one_hot_rows_do(more, dtype):
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(50, 3)).astype(dtype), rng.integers(0, 4, 50)
    one_hot = np.eye(4, dtype=dtype)[labels]
    first = NeuralNetwork([LinearLayer(3, 4, dtype=dtype, rng=1)], SoftmaxCrossEntropy(**more))
    second = copy.deepcopy(first)
    options = {"epochs": 3, "batch_size": 7, "rng": 0, "class_weight": {2: 3.0}}
    histories = [
        net.fit(X, t, 0.01, validation_data=(X, t), **options)
        for net, t in ((first, labels), (second, one_hot))
    ]
    assert np.array_equal(first.parameters, second.parameters)
    assert np.array_equal(histories[0].cost, histories[1].cost)
    assert np.array_equal(histories[0].validation_cost, histories[1].validation_cost)
    assert first.cost(X, labels) == second.cost(X, one_hot)
    assert np.array_equal(first.gradient(X, labels)[0], second.gradient(X, one_hot)[0])
    bound = 1e-6 if dtype == np.float64 else 1e-3
    assert first.gradient_check(X[:5], labels[:5]) <= bound


# --- refusals --------------------------------------------------------------------------------


def test_a_network_needs_one_number():
    message = "reduction='none', which gives a cost for each sample; a network needs"
    none = fastnn.SumSquaresError("none")
    with pytest.raises(ValueError, match=message):
        NeuralNetwork([LinearLayer(1, 1)], none)
    nn = NeuralNetwork([LinearLayer(1, 1)], fastnn.SumSquaresError())
    nn.cost_function = none
    x = np.ones((2, 1))
    for call in (
        lambda: nn.fit(x, x, 0.1),
        lambda: nn.cost(x, x),
        lambda: nn.gradient(x, x),
        lambda: nn.gradient_check(x, x),
        lambda: nn.compiled("SGD"),
        lambda: nn.predict(x),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_targets_of_another_width():
    x, t = np.ones((5, 1)), np.ones((5, 2))
    nn = NeuralNetwork([LinearLayer(1, 2)], fastnn.GaussianNLL())
    with pytest.raises(ValueError, match=r"t has shape \(5, 2\), expected \(rows, 1\)"):
        nn.fit(x, t, 0.1)
    odd = NeuralNetwork([LinearLayer(1, 3)], fastnn.GaussianNLL())
    with pytest.raises(ValueError, match="GaussianNLL needs 2 outputs for each target, not 3"):
        odd.fit(x, t, 0.1)
    with pytest.raises(ValueError, match="GaussianNLL needs 2 outputs for each target, not 3"):
        odd.predict(x)
    few = NeuralNetwork([LinearLayer(1, 3)], SoftmaxCrossEntropy(class_weight=[1, 2]))
    with pytest.raises(ValueError, match="class_weight has 2 numbers, expected 3"):
        few.fit(x, [0, 1, 2, 0, 1], 0.1)
    model = nn.compiled("SGD")
    work = np.empty(kernels.workspace_size(model, 5))
    with pytest.raises(ValueError, match="t has 2 features, expected 1"):
        run_step_with(model, x, t, 0.1, work)


@dtypes
def test_other_costs_compile_no_engine(dtype):
    nn, X, t = trained_by(("SumSquaresError", {}), 20, dtype)
    nn.fit(X, t, 0.01)
    from fastnn.kernels.engine import train as engine

    before = len(engine.train.signatures)
    for case in CASES:
        nn, X, t = trained_by(case, 20, dtype)
        nn.fit(X, t, 0.01)
    assert len(engine.train.signatures) == before
