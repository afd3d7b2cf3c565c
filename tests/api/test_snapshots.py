"""Nothing that is changed behind a prepared call's back reaches memory that is not its own."""

import copy
import pickle
import threading

import numpy as np
import pytest

from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer, get_opt
from fastnn.callbacks import EarlyStopping
from fastnn.layers import changes

X = np.random.default_rng(0).normal(size=(20, 2))
T = X[:, :1].copy()


def network(own=False):
    class Own(TanhLayer):
        def forward_propagation(self, X):
            return super().forward_propagation(X)

    kind = Own if own else TanhLayer
    return NeuralNetwork([kind(2, 3, rng=0), LinearLayer(3, 1, rng=1)], SumSquaresError())


def replace_layer(nn):
    nn.layers[:] = [LinearLayer(100, 1, rng=0)]


def replace_one_layer(nn):
    nn.layers[1] = LinearLayer(3, 1, rng=0)


def widen_last_layer(nn):
    nn.layers[1].w, nn.layers[1].b = np.ones((3, 1000)), np.ones(1000)


def change_activation(nn):
    nn.layers[0].activation = "ReLU"


def halve_columns(nn):
    nn.layers[0].w, nn.layers[0].b = np.ones((2, 6)), np.ones(6)
    nn.layers[0].activation = "GLU"


def change_cost(nn):
    nn.cost_function = SumSquaresError("mean")


def penalise(nn):
    nn.layers[1].l2 = 1.0


def reshape_weights(nn):
    nn.layers[1].w.shape = (1, 3)


CHANGES = {
    replace_layer: "layers are 1, before 2",
    replace_one_layer: r"layers\[1\] is another layer",
    widen_last_layer: r"layers\[1\].w is float64 \(3, 1000\), before float64 \(3, 1\)",
    change_activation: r"layers\[0\].activation is 'ReLU', before 'tanh'",
    halve_columns: r"layers\[0\].activation is 'GLU', before 'tanh'",
    change_cost: "cost_function is another",
    penalise: r"layers\[1\].l2 is 1.0, before 0.0",
    reshape_weights: r"layers\[1\].w is float64 \(1, 3\), before float64 \(3, 1\)",
}

WAYS = {
    "compiled": {"learning_rate": 1e-3},
    "L-BFGS": {"optimizer": "L-BFGS"},
    "own": {"learning_rate": 1e-3},
}


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_callback_that_changes_the_network_is_refused(change, way):
    nn = network(own=way == "own")
    done = []

    def callback(run):
        if run.epoch == 2:
            change(run.network)
            done.append(run.epoch)

    def never(run):
        assert run.epoch < 2, "called after the change"

    with pytest.raises(ValueError, match=CHANGES[change]):
        nn.fit(X, T, epochs=5, callbacks=[callback, never], validation_data=(X, T), **WAYS[way])
    assert done == [2]


def test_a_schedule_that_changes_the_network_is_refused():
    nn = network()

    def rate(step):
        if np.max(step) > 2:
            change_activation(nn)
        return 1e-3 + 0.0 * step

    with pytest.raises(ValueError, match="activation is 'ReLU'"):
        nn.fit(X, T, rate, epochs=5, callbacks=lambda run: None)


def test_a_callback_that_shrinks_the_data_is_refused():
    x = X.copy()

    def callback(run):
        x.resize((5, 2), refcheck=False)

    with pytest.raises(ValueError, match="another size or place"):
        network().fit(x, T, 1e-3, epochs=3, callbacks=callback)


def test_a_callback_may_change_the_values_of_parameters():
    nn, twin = network(), network()

    def callback(run):
        nn.layers[0].w *= 0.5
        nn.layers[0].b = np.zeros(3)
        nn.parameters[...] += 1.0
        network().fit(X, T, 1e-3)  # another network is another matter
        copy.deepcopy(nn).fit(X, T, 1e-3)

    nn.fit(X, T, 1e-3, epochs=2, callbacks=callback)
    for _ in range(2):
        twin.fit(X, T, 1e-3)
        twin.layers[0].w, twin.layers[0].b = 0.5 * twin.layers[0].w, np.zeros(3)
        twin.parameters += 1.0
    assert np.array_equal(nn.parameters, twin.parameters)


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
def test_weights_that_are_reshaped_in_place_are_refused():
    nn = network()
    nn.fit(X, T, 1e-3)
    nn.predict(X[0])
    nn.layers[1].w.shape = (1, 3)
    for call in (
        lambda: nn.predict(X[0]),
        lambda: nn.gradient(X, T),
        lambda: nn.fit(X, T, 1e-3),
        lambda: nn.cost(X, T),
        lambda: nn.parameters,
    ):
        with pytest.raises(ValueError, match=r"takes 1 features|shape"):
            call()


def test_weights_of_another_dtype_in_place_are_refused():
    layers = [DenseLayer(4, 4, activation=name, rng=0) for name in ("tanh", "softmax")]
    for layer in layers:
        layer.w.dtype = np.int64
        with pytest.raises(TypeError, match="w has dtype int64, expected float64"):
            layer(np.zeros((1, 4)))


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
def test_parameters_may_be_reshaped_by_whoever_has_them():
    nn = network()
    expected = nn.predict(X)
    nn.parameters.shape = (1, -1)
    assert nn.parameters.shape == (13,)
    assert np.array_equal(nn.predict(X), expected)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("which", ["params", "grads"])
def test_a_step_looks_at_arrays_again_that_were_changed_in_place(which, single):
    arrays = {"params": np.ones(1000), "grads": np.ones(1000)}
    opt = get_opt("Adam")

    def step():
        p, g = arrays["params"], arrays["grads"]
        return opt.step(p, g) if single else opt.step(params, grads)

    params, grads = [arrays["params"]], [arrays["grads"]]
    step()
    step()
    arrays[which].resize(10, refcheck=False)
    with pytest.raises(ValueError, match=r"shape|parameters"):
        step()
    arrays[which].resize(1000, refcheck=False)
    assert step()
    arrays[which].dtype = np.int64
    if which == "params":
        with pytest.raises(TypeError, match="must be an array of float32 or float64, not int64"):
            step()
    else:
        assert step()  # whole numbers are fine as gradients
    arrays[which].dtype = np.float64
    arrays["params"].setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        step()


def test_back_propagation_through_a_layer_that_was_widened_meanwhile_is_refused():
    layer = DenseLayer(2, 3, activation="softmax", rng=0)
    layer(X)
    layer.w, layer.b = np.ones((2, 3000)), np.ones(3000)
    with pytest.raises(ValueError, match="has changed since the forward pass"):
        layer.back_propagation(np.ones((20, 3000)), 0.1)


def test_widths_assigned_by_another_thread_are_old_or_new_or_an_error(child):
    assert child("change_widths_meanwhile", timeout=300) > 0


def test_a_call_of_a_layer_returns_its_own_output_whoever_calls_it_meanwhile(child):
    assert child("call_layers_between_their_lines", timeout=300) == [True] * 4


def test_layers_that_changed_between_forward_and_back_are_refused():
    layer = TanhLayer(2, 3, rng=0)
    layer(X)
    layer.w, layer.b = np.ones((2, 5)), np.ones(5)
    with pytest.raises(ValueError, match="has changed since the forward pass"):
        layer.back_propagation(np.ones((20, 5)), 0.1)


def test_weights_that_another_thread_widens_within_a_step_are_refused():
    class Widened(TanhLayer):
        def gradients(self, delta):
            found = super().gradients(delta)
            self.w = np.ones((2, 5))
            return found

    layer = Widened(2, 3, rng=0)
    layer(X)
    with pytest.raises(ValueError, match="has changed since the forward pass"):
        layer.back_propagation(np.ones((20, 3)), 0.1)


def test_biases_that_would_be_broadcast_are_refused():
    layer = TanhLayer(2, 3, rng=0)
    layer.b = np.ones(1)
    with pytest.raises(ValueError, match=r"w of shape \(2, 3\) and b of shape \(1,\) do not fit"):
        layer.forward_propagation(X)


def test_a_network_that_changed_is_not_given_its_best_parameters_back():
    nn = network()
    change = [EarlyStopping(), lambda run: replace_layer(run.network)]
    with pytest.raises(ValueError, match=r"parameters have shape \(13,\), expected \(101,\)"):
        nn.fit(X, T, 1e-3, epochs=3, callbacks=change)


@pytest.mark.parametrize("own", [False, True])
def test_only_a_forward_pass_is_remembered(own):
    nn = network(own)
    nn.cost(X, T)
    nn.gradient(X, T)
    nn.predict(X)
    assert all(layer.input is None and layer.output is None for layer in nn.layers)
    seen = []

    def callback(run):
        seen.append([layer.input is X for layer in run.network.layers])

    validation = np.ones((1000, 2)), np.ones((1000, 1))
    nn.fit(X, T, 1e-3, epochs=2, validation_data=validation, callbacks=callback)
    for layer in nn.layers:
        assert layer.input is None or len(layer.input) == len(X)
    nn(X)
    assert all(layer.input is not None and layer.output is not None for layer in nn.layers)


@pytest.mark.parametrize("kind", ["tanh", "softmax"])
def test_pickles_and_copies_carry_no_data(kind):
    layer = DenseLayer(2, 3, activation=kind, rng=0)
    nn = NeuralNetwork([layer, LinearLayer(3, 1, rng=0)], SumSquaresError())
    size = len(pickle.dumps(nn))
    nn(np.ones((1000, 2)))
    nn.fit(np.ones((1000, 2)), np.ones((1000, 1)), 1e-9)
    assert len(pickle.dumps(nn)) < size + 1000
    nn(np.ones((1000, 2)))
    for twin in (copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.input is None
        assert twin.output is None
        with pytest.raises(ValueError, match="forward pass first"):
            twin.back_propagation(np.ones((1000, 3)), 0.1)


def test_a_gradient_layer_by_layer_leaves_parameters_alone_that_are_written_meanwhile():
    class Own(TanhLayer):
        def back_propagation(self, delta, learning_rate):
            nn.parameters += 1.0  # as another thread may
            return super().back_propagation(delta, learning_rate)

    nn = NeuralNetwork([Own(2, 3, rng=0), LinearLayer(3, 1, rng=1)], SumSquaresError())
    before, twin = nn.parameters.copy(), network()
    assert np.allclose(nn.gradient(X, T)[0], twin.gradient(X, T)[0], rtol=1e-12, atol=0)
    assert np.array_equal(nn.parameters, before + 1.0)


def test_threads_that_train_networks_of_one_layer_of_ones_own_do_not_mix(child):
    assert child("share_a_layer_of_ones_own", timeout=300) == [0, 200]


def test_a_setting_of_another_thread_is_seen_whenever_it_comes(monkeypatch):
    """Here: while the number of a change has been drawn, and is not yet written down."""
    nn = network()
    nn.predict(X)
    NeuralNetwork([nn.layers[0], LinearLayer(3, 1, rng=2)], SumSquaresError()).predict(X)
    setter = threading.Thread(target=setattr, args=(nn.layers[0], "trainable", False))
    real, started = changes._numbers, []

    class Numbers:
        def __next__(self):
            number = next(real)
            if not started:
                started.append(number)
                setter.start()
                setter.join(0.2)
            return number

    monkeypatch.setattr(changes, "_numbers", Numbers())
    nn.predict(X)  # gathers the layer, and counts that
    setter.join()
    w = nn.layers[0].w.copy()
    nn.fit(X, T, 0.1)
    assert started
    assert np.array_equal(nn.layers[0].w, w)
