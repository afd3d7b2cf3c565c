"""Layers with `trainable=False`: nothing moves them, and everything else is as without them."""

import copy

import numpy as np
import pytest
from numba import njit
from support.networks import DTYPES, data, optimizer
from support.reference_training import ReferenceTraining
from support.tolerance import assert_close

from fastnn import (
    DenseLayer,
    LinearLayer,
    NeuralNetwork,
    SoftmaxCrossEntropy,
    SumSquaresError,
    TanhLayer,
    kernels,
)
from fastnn.optimizers import RULES

SIZES, ROWS = (5, 9, 7, 6, 3), 29
FROZEN = [(0,), (0, 1), (1,), (0, 2), (3,), (1, 2, 3)]
OPTIONS = [
    {},
    {"clip_norm": 0.05},
    {"weight_decay": 0.1, "clip_value": 0.02},
    {"penalties": (0.02, 0.3), "batch_size": 7, "weight_decay": 0.1},
    {"penalties": (0.02, 0.3), "batch_size": 7, "reduction": "mean", "clip_norm": 0.1},
]


def make(frozen=(), dtype=np.float64, penalties=(0.0, 0.0), reduction="sum", dropout=0.0):
    """A network with layers of all kinds: in place, all features together, with slopes."""
    rng = np.random.default_rng(0)
    names = "tanh", "GLU", "PReLU", "identity"
    layers = [
        DenseLayer(
            a, b, std=a**-0.5, activation=name, dtype=dtype, rng=rng, trainable=k not in frozen,
            l1=penalties[0], l2=penalties[1], dropout=dropout if k < 3 else 0.0,
        )
        for k, (a, b, name) in enumerate(zip(SIZES, SIZES[1:], names, strict=False))
    ]  # fmt: skip
    return NeuralNetwork(layers, SoftmaxCrossEntropy(reduction=reduction))


def values(layers):
    return [getattr(layer, name).tobytes() for layer in layers for name in layer.trained]


def fixed(nn):
    return values(layer for layer in nn.layers if not layer.trainable)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
@pytest.mark.parametrize("frozen", FROZEN)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_equals_the_reference_that_moves_the_other_layers(
    frozen, options, dtype, threads
):
    nn = make(frozen, dtype, options.get("penalties", (0, 0)), options.get("reduction", "sum"))
    hyper = {k: options[k] for k in ("clip_norm", "clip_value", "weight_decay") if k in options}
    opt = optimizer("Adam", learning_rate=0.005, eps=1e-3, **hyper)
    X, t = (array.astype(dtype) for array in data(SIZES, "SoftmaxCrossEntropy", ROWS))
    twin, before, batch = ReferenceTraining(nn, opt), fixed(nn), options.get("batch_size", ROWS)
    history = nn.fit(
        X, t, optimizer=opt, epochs=12, batch_size=batch, shuffle=False, n_threads=threads
    )
    costs = twin.fit(X.astype(np.float64), t.astype(np.float64), 12, batch)
    steps = 12 * -(-ROWS // batch)
    assert fixed(nn) == before
    assert_close(nn.parameters, twin.parameters, operations=steps * (sum(SIZES) + 32 + batch))
    assert_close(history.cost.astype(dtype), costs, operations=steps * (sum(SIZES) + 32 + batch))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_equals_a_loop_by_hand_over_some_layers(rule):
    nn, (X, t) = make([3]), data(SIZES, "SoftmaxCrossEntropy", ROWS)
    hand, before = make(), fixed(nn)
    nn.fit(X, t, optimizer=optimizer(rule), epochs=10, n_threads=1)
    opt, size = optimizer(rule), sum(a.size for a in arrays(hand.layers[:3]))
    for _ in range(10):
        gradient = hand.gradient(X, t)[0][:size]
        opt.step([hand.parameters[:size]], [gradient], f=hand.cost(X, t))
    assert fixed(nn) == before
    np.testing.assert_allclose(nn.parameters, hand.parameters, rtol=1e-9, atol=1e-12)


def arrays(layers):
    return [getattr(layer, name) for layer in layers for name in layer.trained]


# The random numbers of a noisy rule go by the place in the vector of parameters.
@pytest.mark.parametrize("rule", [name for name, spec in RULES.items() if not spec.noisy])
def test_an_upper_part_trains_as_alone_on_the_trunks_outputs(rule):
    nn, (X, t) = make([0, 1]), data(SIZES, "SoftmaxCrossEntropy", ROWS)
    trunk = NeuralNetwork(copy.deepcopy(nn.layers[:2]), SumSquaresError())
    head = NeuralNetwork(copy.deepcopy(nn.layers[2:]), nn.cost_function)
    opt, alone = optimizer(rule, clip_norm=0.5), optimizer(rule, clip_norm=0.5)
    for batch in (ROWS, 8):
        more = {"epochs": 5, "batch_size": batch, "shuffle": False, "n_threads": 1}
        nn.fit(X, t, optimizer=opt, **more)
        head.fit(trunk.predict(X), t, optimizer=alone, **more)
    assert values(nn.layers[:2]) == values(trunk.layers)
    np.testing.assert_allclose(
        np.concatenate([a.ravel() for a in arrays(nn.layers[2:])]), head.parameters,
        rtol=1e-9, atol=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_of_a_frozen_layer_changes_in_a_large_network(threads):
    """Where each thread updates a share, with one gradient for all and one for each."""
    rng = np.random.default_rng(0)
    layers = [TanhLayer(40, 90, rng=rng), TanhLayer(90, 70, rng=rng), LinearLayer(70, 3, rng=rng)]
    nn = NeuralNetwork(layers, SumSquaresError(reduction="mean"))
    X, t = rng.normal(size=(300, 40)), rng.normal(size=(300, 3))
    for batch, frozen in ((8, 0), (300, 1), (64, 2)):
        for k, layer in enumerate(layers):
            layer.trainable = k != frozen
        opt = optimizer("Adam", learning_rate=0.01, weight_decay=0.1)
        before, places = values([layers[frozen]]), nn.parameters.copy()
        nn.fit(X, t, optimizer=opt, epochs=3, batch_size=batch, n_threads=threads, rng=0)
        assert values([layers[frozen]]) == before
        moved = nn.parameters != places
        trained = ReferenceTraining(nn, opt).trained
        assert np.array_equal(moved, trained)
        state = opt.state_dict()
        for name in opt.rule.states:
            assert not state[name][~trained].any()
            assert state[name][trained].any()


def test_trainable_may_change_between_trainings():
    nn, (X, t) = make(), data(SIZES, "SoftmaxCrossEntropy", ROWS)
    for frozen in ((), (0,), (1, 3), ()):
        for k, layer in enumerate(nn.layers):
            layer.trainable = k not in frozen
        before = [values([layer]) for layer in nn.layers]
        nn.fit(X, t, 0.01, epochs=2)
        after = [values([layer]) for layer in nn.layers]
        assert [a == b for a, b in zip(before, after, strict=True)] == [
            k in frozen for k in range(4)
        ]


def test_the_penalty_of_a_frozen_layer_is_a_constant_of_the_cost():
    X, t = data(SIZES, "SoftmaxCrossEntropy", ROWS)
    nn, plain = make([1], penalties=(0.1, 0.2)), make([1])
    for other in (0, 2, 3):
        nn.layers[other].l1 = nn.layers[other].l2 = 0.0
    constant = nn.layers[1].penalty()
    a, b = (n.fit(X, t, 0.01, epochs=4, batch_size=10, shuffle=False) for n in (nn, plain))
    assert np.array_equal(nn.parameters, plain.parameters)
    np.testing.assert_allclose(a.cost, b.cost + constant, rtol=1e-12)


def test_dropout_of_a_frozen_layer_acts_in_a_training():
    X, t = data(SIZES, "SoftmaxCrossEntropy", ROWS)
    results = []
    for dropout in (0.0, 0.5):
        nn = make([0, 1, 2], dropout=dropout)
        nn.fit(X, t, 0.01, epochs=3, rng=0)
        results.append(nn.parameters.copy())
    assert not np.array_equal(*results)


@pytest.mark.parametrize("frozen", FROZEN)
def test_lbfgs_minimizes_over_the_other_layers(frozen):
    nn, (X, t) = make(frozen), data(SIZES, "SoftmaxCrossEntropy", ROWS)
    before = fixed(nn)
    history = nn.fit(X, t, optimizer="L-BFGS", epochs=15)
    assert fixed(nn) == before
    assert nn.cost(X, t) < history.cost[0]


@pytest.mark.parametrize("frozen", FROZEN)
def test_gradients_of_frozen_parameters_are_zero_and_the_others_are_not_touched(frozen):
    nn, (X, t) = make(frozen), data(SIZES, "SoftmaxCrossEntropy", ROWS)
    found, below = nn.gradient(X, t)
    whole, expected = make().gradient(X, t)
    trained = ReferenceTraining(nn, optimizer("SGD")).trained
    assert not found[~trained].any()
    assert np.array_equal(found[trained], whole[trained])
    assert np.array_equal(below, expected)
    assert nn.gradient_check(X, t) < 1e-6


def test_back_propagation_of_a_frozen_layer_only_passes_on():
    layer, other = TanhLayer(3, 2, rng=0, trainable=False), TanhLayer(3, 2, rng=0)
    X, delta = np.full((4, 3), 0.3), np.ones((4, 2))
    before = values([layer])
    layer(X), other(X)
    assert np.array_equal(layer.back_propagation(delta, 0.1), other.back_propagation(delta, 0.1))
    assert values([layer]) == before != values([other])


class OwnWay(TanhLayer):
    """Its own gradient descent, which knows nothing of freezing."""

    def back_propagation(self, delta, learning_rate):
        below, dw, db = self.gradients(delta)
        self.w -= learning_rate * dw + 0.1
        self.b -= learning_rate * db
        return below


class OwnFormula(TanhLayer):
    def forward_propagation(self, X):
        return super().forward_propagation(X)


@pytest.mark.parametrize("rule", ["SGD", "Adam", "Eve"])
@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 2)])
def test_networks_with_own_layers_freeze_alike(rule, frozen):
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    results = []
    for kind in (TanhLayer, OwnFormula):
        layers = [TanhLayer(4, 5, rng=1), kind(5, 6, rng=2), LinearLayer(6, 2, rng=3)]
        for k in frozen:
            layers[k].trainable = False
        nn = NeuralNetwork(layers, SumSquaresError())
        before = fixed(nn)
        nn.fit(X, t, optimizer=optimizer(rule, clip_norm=1.0), epochs=8)
        assert fixed(nn) == before
        results.append(nn.parameters.copy())
    np.testing.assert_allclose(*results, rtol=1e-9, atol=1e-12)


def test_an_own_back_propagation_cannot_move_a_frozen_layer():
    X, t = np.ones((6, 4)), np.ones((6, 2))
    nn = NeuralNetwork(
        [TanhLayer(4, 5, rng=1), OwnWay(5, 6, rng=2, trainable=False), LinearLayer(6, 2, rng=3)],
        SumSquaresError(),
    )
    before, others = fixed(nn), values([nn.layers[0], nn.layers[2]])
    nn.fit(X, t, 0.01, epochs=3)
    assert fixed(nn) == before
    assert values([nn.layers[0], nn.layers[2]]) != others


def test_training_nothing_is_refused():
    X, t = data(SIZES, "SoftmaxCrossEntropy", ROWS)
    nn = make(range(4))
    for train in (
        lambda: nn.fit(X, t, 0.1),
        lambda: nn.fit(X, t, optimizer="L-BFGS"),
        lambda: nn.compiled("SGD"),
    ):
        with pytest.raises(ValueError, match="all layers have trainable=False"):
            train()
    nn.compiled()  # which does not train
    assert not nn.gradient(X, t)[0].any()


def test_trainable_is_shown_checked_copied_and_kept():
    layer = DenseLayer(2, 3, rng=0, trainable=False)
    assert repr(layer) == "DenseLayer(2, 3, trainable=False, dtype=float64)"
    assert "trainable" not in repr(DenseLayer(2, 3, rng=0))
    assert copy.deepcopy(layer).trainable is False
    for wrong in (0, 1, "no", None):
        with pytest.raises(TypeError, match="trainable must be True or False"):
            layer.trainable = wrong
    with pytest.raises(TypeError, match="trainable must be True or False"):
        DenseLayer(2, 3, trainable="yes")


def test_train_step_in_compiled_code_leaves_frozen_layers_alone():
    @njit
    def steps(model, x, t, rate, work, count):
        for _ in range(count):
            kernels.train_step(model, x, t, rate, work)

    X, t = data(SIZES, "SoftmaxCrossEntropy", ROWS)
    for frozen in FROZEN:
        nn, twin = make(frozen, penalties=(0.01, 0.1)), make(frozen, penalties=(0.01, 0.1))
        before = fixed(nn)
        model = nn.compiled("Adam")
        steps(model, X, t, 0.01, np.empty(kernels.workspace_size(model, ROWS)), 7)
        twin.fit(X, t, optimizer="Adam", learning_rate=0.01, epochs=7, n_threads=1)
        assert fixed(nn) == before
        np.testing.assert_allclose(nn.parameters, twin.parameters, rtol=1e-9, atol=1e-12)
