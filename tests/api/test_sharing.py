"""A layer in two networks: they share its values, and models notice when they lose it."""

import copy
import gc

import numpy as np
import pytest
from numba import njit
from scipy.integrate import quad

from fastnn import (
    DenseLayer,
    LinearLayer,
    NeuralNetwork,
    SumSquaresError,
    TanhLayer,
    get_opt,
    kernels,
)
from fastnn.kernels.engine import layout

RNG = np.random.default_rng(0)
X, TA, TC = RNG.normal(size=(30, 4)), RNG.normal(size=(30, 2)), RNG.normal(size=(30, 1))


@njit
def step(model, x, t, work):
    return kernels.train_step(model, x, t, 0.002, work)


@njit
def predict(model, x, out):
    kernels.predict(model, x, out)


@njit
def derive(model, x, out, g, back):
    kernels.jacobian(model, x, out)
    kernels.vjp(model, x, g, back)


def networks():
    trunk = TanhLayer(4, 8, rng=1)
    actor = NeuralNetwork([trunk, LinearLayer(8, 2, rng=2)], SumSquaresError())
    critic = NeuralNetwork([trunk, LinearLayer(8, 1, rng=3)], SumSquaresError())
    return trunk, actor, critic


def workspace(model):
    return np.empty(kernels.workspace_size(model, len(X)))


def refused(model):
    with pytest.raises(ValueError, match=r"call compiled\(\) again"):
        predict(model, X[0], np.empty(model.descriptor[layout.OUTPUTS]))
    return True


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
def test_alternate_fits_train_the_shared_layer_as_a_loop_by_hand(rule):
    trunk, actor, critic = networks()
    twins = [NeuralNetwork(copy.deepcopy(n.layers), SumSquaresError()) for n in (actor, critic)]
    opts = [[get_opt(rule, 0.01) for _ in range(2)] for _ in range(2)]
    size = sum(array.size for array in (trunk.w, trunk.b))
    for _ in range(6):
        for k, (network, twin, t) in enumerate(zip((actor, critic), twins, (TA, TC), strict=True)):
            network.fit(X, t, optimizer=opts[0][k], epochs=2)
            twin.parameters[:size] = twins[1 - k].parameters[:size]
            twin.fit(X, t, optimizer=opts[1][k], epochs=2)
    assert np.array_equal(trunk.w, twins[1].layers[0].w)
    assert np.array_equal(actor.layers[1].w, twins[0].layers[1].w)
    assert np.array_equal(critic.parameters, twins[1].parameters)
    assert actor.layers[0] is critic.layers[0]
    np.testing.assert_allclose(actor.predict(X), actor(X), rtol=1e-12)


def test_a_vector_of_parameters_stays_the_networks_own():
    trunk, actor, critic = networks()
    theta = actor.parameters
    critic.fit(X, TC, 0.001)
    assert actor.parameters is theta
    assert np.array_equal(theta[: trunk.w.size], trunk.w.ravel())
    assert np.shares_memory(trunk.w, theta)


def test_a_callback_may_use_a_network_that_shares_a_layer():
    results = []
    for use in (False, True):
        _, actor, critic = networks()
        actor.fit(
            X, TA, optimizer="Adam", epochs=5,
            callbacks=[lambda run, use=use, critic=critic: use and critic.predict(X)],
        )  # fmt: skip
        results.append(actor.parameters.copy())
    assert np.array_equal(*results)


def test_a_model_that_lost_a_layer_is_refused_until_it_is_made_again():
    _, actor, critic = networks()
    model = actor.compiled("SGD")
    work = workspace(model)
    for _ in range(50):
        cost = step(model, X, TA, work)
    assert abs(actor.cost(X, TA) / cost - 1) < 0.1  # the network is the model's
    critic.predict(X)
    with pytest.raises(ValueError, match=r"call compiled\(\) again"):
        step(model, X, TA, work)
    assert refused(model)
    with pytest.raises(ValueError, match=r"call compiled\(\) again"):
        derive(model, X[0], np.empty((2, 4)), np.ones(2), np.empty(4))
    model = actor.compiled("SGD")
    for _ in range(50):
        cost = step(model, X, TA, work)
    assert abs(actor.cost(X, TA) / cost - 1) < 0.1


def test_compiled_is_refused_while_another_network_has_a_model_of_the_layer():
    _, actor, critic = networks()
    model = actor.compiled("SGD")
    with pytest.raises(ValueError, match=r"layers\[0\] is also in another network of which"):
        critic.compiled("SGD")
    predict(model, X[0], np.empty(2))  # which has lost nothing by that
    actor.compiled(), actor.jacobian(X[0]), actor.predict(X)  # one's own are in nobody's way
    predict(model, X[0], np.empty(2))
    del model
    gc.collect()
    out = np.empty(1)
    predict(critic.compiled(), X[0], out)
    np.testing.assert_allclose(out, critic.predict(X[0]), rtol=1e-12)


def test_a_callable_that_lost_a_layer_gives_nan():
    trunk = TanhLayer(1, 3, rng=0)
    one = NeuralNetwork([trunk, LinearLayer(3, 1, rng=1)], SumSquaresError())
    other = NeuralNetwork([trunk, LinearLayer(3, 1, rng=2)], SumSquaresError())
    integrand = one.low_level_callable()
    assert np.isfinite(quad(integrand, 0, 1)[0])
    other.predict([[0.0]])
    assert np.isnan(quad(integrand, 0, 1, full_output=1)[0])


CHANGES = {
    "w": lambda nn: setattr(nn.layers[0], "w", np.ones((3, 8))),
    "b": lambda nn: setattr(nn.layers[0], "b", np.ones(9)),
    "activation": lambda nn: setattr(nn.layers[0], "activation", "ReLU"),
    "parameters": lambda nn: setattr(nn.layers[1], "activation_parameters", {"alpha": 0.3}),
    "dropout": lambda nn: setattr(nn.layers[0], "dropout", 0.1),
    "l1": lambda nn: setattr(nn.layers[0], "l1", 0.1),
    "l2": lambda nn: setattr(nn.layers[0], "l2", 0.1),
    "trainable": lambda nn: setattr(nn.layers[0], "trainable", False),
    "method": lambda nn: setattr(nn.layers[0], "forward_propagation", np.tanh),
    "class": lambda nn: setattr(nn.layers[0], "__class__", DenseLayer),
    "layers": lambda nn: setattr(nn, "layers", nn.layers[:1]),
    "cost": lambda nn: setattr(nn, "cost_function", SumSquaresError(reduction="mean")),
    "list": lambda nn: (nn.layers.append(LinearLayer(2, 2)), nn.parameters),
    "pop": lambda nn: (nn.layers.pop(), nn.parameters),
    "replaced": lambda nn: (nn.layers.__setitem__(1, LinearLayer(8, 2)), nn.parameters),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_notices_what_it_has_compiled_in(change):
    layers = [TanhLayer(4, 8, rng=0), DenseLayer(8, 2, activation="leaky-ReLU", rng=1)]
    nn = NeuralNetwork(layers, SumSquaresError())
    model = nn.compiled()
    nn.layers[0].w = np.ones((4, 8))  # only values, which it shares
    nn.parameters = nn.parameters * 0.5
    nn.fit(X, TA, 0.001)
    out = np.empty(2)
    predict(model, X[0], out)
    np.testing.assert_allclose(out, nn.predict(X[0]), rtol=1e-12)
    CHANGES[change](nn)
    assert refused(model)


def test_copies_of_a_network_have_layers_of_their_own():
    nn = NeuralNetwork([TanhLayer(4, 2, rng=0)], SumSquaresError())
    model = nn.compiled()
    other = copy.deepcopy(nn)
    other.layers[0].activation = "ReLU"
    other.compiled()
    predict(model, X[0], np.empty(2))
