"""Arrays of other libraries, masks, text and costs of the user: the right result or an error."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import fastnn
from fastnn import get_act, get_err, get_opt, kernels
from fastnn._core import arrays as _arrays
from fastnn.reference.activations import softmax as reference

X = np.arange(12.0).reshape(6, 2) / 10
T = X[:, :1] - 0.3
MASKED = np.ma.masked_array(X, mask=X == 0.5)  # X[2, 1]
FAMILY = ["softmax", "softmin", "log_softmax"]


def net(cost=None, outputs=1):
    return fastnn.NeuralNetwork(
        [fastnn.LinearLayer(2, outputs, rng=0)], cost or fastnn.SumSquaresError()
    )


# --- Masked arrays ---------------------------------------------------------------------------


def test_masked_values_are_refused_where_numbers_meet():
    told = "masked value"
    nn, opt = net(), get_opt("SGD", eta=0.1)
    p = np.ma.masked_array(np.ones(3), mask=[0, 1, 0])
    calls = [
        lambda: nn.fit(MASKED, T, 0.1),
        lambda: nn.fit(X, np.ma.masked_equal(T, T[2, 0]), 0.1),
        lambda: nn.fit(X, T, 0.1, sample_weight=np.ma.masked_array(np.ones(6), mask=X[:, 0] > 0.5)),
        lambda: nn.cost(MASKED, T),
        lambda: nn.cost(X, np.ma.masked_equal(T, T[2, 0])),
        lambda: nn.gradient(MASKED, T),
        lambda: nn.predict(MASKED),
        lambda: nn.predict(X, out=np.ma.masked_array(T, mask=T > 0)),
        lambda: nn(MASKED),
        lambda: nn.predict([[1.0, np.ma.masked], [0.0, 1.0]]),
        lambda: nn.predict(list(MASKED)),
        lambda: setattr(nn.layers[0], "w", np.ma.masked_array([[1.0], [2.0]], mask=[[0], [1]])),
        lambda: setattr(nn, "parameters", p),
        lambda: opt.step(p, np.ones(3)),
        lambda: opt.step(np.ones(3), p),
        lambda: opt.update(p, np.ones(1)),
        lambda: get_err("Square").forward(p, np.ones(3)),
        lambda: get_act("maxout", 2, 1, 2).forward(MASKED),
        lambda: get_act("GLU").backward(MASKED),
        lambda: get_act("PReLU").vjp(X, MASKED),
        lambda: fastnn.SumSquaresError()(MASKED, X),
        lambda: nn.fit(X, T, np.ma.masked),
    ]
    before = nn.parameters.copy()
    for call in calls:
        with pytest.raises(ValueError, match=told):
            call()
    np.testing.assert_array_equal(nn.parameters, before)
    with pytest.raises(ValueError, match=r"X has 1 masked value, .*numpy.ma.filled\(X, 0.0\)"):
        nn.predict(MASKED)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", FAMILY)
def test_softmax_family_refuses_masked_values(name):
    kernel, pull = getattr(kernels, name), getattr(kernels, f"{name}_vjp")
    act = get_act(name.replace("_", "-"))
    calls = [
        lambda: kernel(MASKED),
        lambda: kernel(MASKED, axis=0),
        lambda: pull(MASKED, X),
        lambda: pull(X, MASKED),
        lambda: act.forward(MASKED),
        lambda: act.vjp(MASKED, X),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="1 masked value"):
            call()
    plain = np.ma.masked_array(X)  # masks nothing
    np.testing.assert_array_equal(kernel(plain), kernel(X))


def test_activations_of_each_number_keep_the_mask():
    x, act = MASKED.copy(), get_act("tanh")
    for found in (kernels.tanh(x), act.forward(x), act.forward(x, out=x)):
        np.testing.assert_array_equal(found.mask, MASKED.mask)
    assert x[0, 1] == act.forward(X)[0, 1]


# --- Columns that may miss values, text, objects ---------------------------------------------


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "Float32", "boolean"])
def test_nullable_columns_are_numbers(dtype):
    values = pd.Series([0, 1, 1, 0, 1, 0], dtype=dtype)
    plain = values.to_numpy(np.float64)
    table = pd.DataFrame({"a": X[:, 0], "b": values})
    both = np.column_stack([X[:, 0], plain])
    nn = net()
    np.testing.assert_array_equal(nn.predict(table), nn.predict(both))
    assert nn.cost(table, table[["b"]]) == nn.cost(both, plain.reshape(-1, 1))
    found = get_err("Square").forward(values, values)
    assert found.dtype == ("float32" if dtype == "Float32" else "float64")
    np.testing.assert_array_equal(found, np.zeros(6))
    act = get_act("softmax")
    np.testing.assert_allclose(act.forward(values.array), act.forward(plain), rtol=1e-6)
    np.testing.assert_allclose(act.forward(table[["b", "b"]]), 0.5)


def test_labels_may_be_a_nullable_column():
    nn = net(fastnn.SoftmaxCrossEntropy(), 3)
    labels = pd.Series([0, 1, 2, 0, 1, 2], dtype="Int64")
    assert nn.cost(X, labels) == nn.cost(X, labels.to_numpy(int))


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_missing_values_are_named(dtype):
    column = pd.Series([1, 0, 1, None, 1, 0], dtype=dtype)
    table = pd.DataFrame({"a": X[:, 0], "b": column})
    nn = net()
    with pytest.raises(ValueError, match=r"row 3 of column 'b' of X is missing, .*X.fillna"):
        nn.fit(table, T, 0.1)
    with pytest.raises(ValueError, match=r"sample_weight\[3\] is missing, expected a number"):
        nn.fit(X, T, 0.1, sample_weight=column)
    for values in (column, column.array):
        with pytest.raises(ValueError, match=r"x\[3\] is missing"):
            get_act("softmax").forward(values)


NOT_NUMBERS = [
    (pd.DataFrame({"a": ["1.5", "2"], "b": ["1", "n/a"]}), r"X\[1, 1\] is 'n/a' in column 'b'"),
    (pd.DataFrame({"a": [1.5, 2.0], "b": ["1", "n/a"]}), r"X\[1, 1\] is 'n/a' in column 'b'"),
    (np.array([[1.0, None]], object), r"X\[0, 1\] is None"),
    (np.array([["1", "2,5"]]), r"X\[0, 1\] is '2,5'"),
    (np.array([[1.0, Decimal(2)]], object), r"numpy.asarray\(X, dtype=float\) makes numbers"),
    (np.array([["1", "2"]]), r"numpy.asarray\(X, dtype=float\) makes numbers"),
    (np.array([["x" * 1000] * 2] * 1000), "… .a str_.$"),
    (X.astype("M8[s]"), "datetime64"),
    (X * 1j, "complex128"),
    (np.zeros((2, 2), "f8,i4"), ".*f8"),
]


@pytest.mark.parametrize(("value", "told"), NOT_NUMBERS)
def test_what_is_no_number_is_named(value, told):
    with pytest.raises(TypeError, match=f"X must hold real numbers, not .*{told}") as caught:
        net().predict(value)
    assert len(str(caught.value)) < 300
    with pytest.raises(TypeError, match="x must hold real numbers of at most 64 bits, not "):
        get_act("tanh").forward(np.asarray(value))


@pytest.mark.parametrize(
    "value", [1j, np.complex128(1), "0.1", np.str_("1"), b"1", np.timedelta64(3, "s"), [0.1, 0.2]]
)
def test_numbers_are_real_and_alone(value):
    with pytest.raises(TypeError, match="std must be a number, not "):
        fastnn.initializers.get_init("normal", std=value)


def test_a_long_value_is_shown_in_part():
    with pytest.raises(TypeError, match=r"epochs must be an int, not \[0, 1.*… \(a list\)") as told:
        net().fit(X, T, 0.1, epochs=list(range(10_000)))
    assert len(str(told.value)) < 150


# --- Costs of the user ------------------------------------------------------------------------


class Own:
    """A sum of squares that looks at nothing."""

    def activate(self, logits):
        return logits

    def __call__(self, y, t):
        return 0.5 * ((y - t) ** 2).sum()

    def delta(self, y, t):
        return y - t


class Derived(fastnn.SumSquaresError):
    """The same, derived from a cost of the library."""

    __call__, delta = Own.__call__, Own.delta


DOORS = {
    "cost": lambda nn, t: nn.cost(X, t),
    "fit": lambda nn, t: nn.fit(X, t, 0.01),
    "gradient": lambda nn, t: nn.gradient(X, t),
    "gradient_check": lambda nn, t: nn.gradient_check(X, t),
    "validation": lambda nn, t: nn.fit(X, T, 0.01, validation_data=(X, t)),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("cost", [Own, Derived, fastnn.SumSquaresError])
def test_targets_are_never_broadcast(cost, door):
    DOORS[door](net(cost()), T[:, 0])  # of one output, as its column
    with pytest.raises(ValueError, match=r"ha(s|ve) shape \(6, 1\), expected .*[(](rows|6), 2[)]"):
        DOORS[door](net(cost(), 2), T)
    if door != "validation":
        with pytest.raises(
            ValueError, match=r"ha(s|ve) shape \(6,\), expected .*[(](rows|6), 2[)]"
        ):
            DOORS[door](net(cost(), 2), T[:, 0])
    with pytest.raises(ValueError, match=r"shape|rows"):
        DOORS[door](net(cost()), T[:1])
    assert net(cost()).cost(X, T) == pytest.approx(net().cost(X, T), rel=1e-14)
    assert net(cost()).cost(X[0], T[0]) == pytest.approx(net().cost(X[0], T[0]), rel=1e-14)


def test_outputs_of_a_layer_of_ones_own_are_never_broadcast():
    class Flat(fastnn.LinearLayer):
        def __call__(self, X):
            return super().__call__(X)[:, 0]

    nn = net(Own())
    nn.layers[0] = Flat(2, 1, rng=0)
    for door in DOORS.values():
        with pytest.raises(ValueError, match=r"t has shape \(6, 1\), expected \(6,\) for outputs"):
            door(nn, T)


def test_results_of_a_cost_of_ones_own_are_checked():
    class Each(Own):
        def __call__(self, y, t):
            return (y - t) ** 2

    class Narrow(Own):
        def delta(self, y, t):
            return (y - t)[:, :1]

    with pytest.raises(TypeError, match=r"Each gave an array of shape \(6, 1\) as the cost"):
        net(Each()).cost(X, T)
    nn = net(Narrow(), 2)
    for train in (lambda: nn.fit(X, X, optimizer="Adam"), lambda: nn.gradient(X, X)):
        with pytest.raises(ValueError, match=r"Narrow.delta gave .* \(6, 1\), expected .*\(6, 2\)"):
            train()


def test_errors_refuse_other_shapes():
    for y, t in ((T, T[:, 0]), (T[:, 0], T)):
        with pytest.raises(ValueError, match=r"t has shape .* expected that of y"):
            get_err("Square").forward(y, t)


def test_columns_of_labels_are_told():
    nn, labels = net(fastnn.SoftmaxCrossEntropy(), 3), np.array([[0], [1], [2], [0], [1], [2]])
    with pytest.raises(ValueError, match=r"t has shape \(6, 1\).*labels go as \(rows,\)"):
        nn.fit(X, labels, 0.1)
    with pytest.raises(ValueError, match=r"\(6, 1\), expected .*\(6, 3\); labels go as \(6,\)"):
        nn.cost(X, labels)


# --- Axes, random numbers, outputs -----------------------------------------------------------


@pytest.mark.parametrize("axis", [None, (0, 2), (-1, 0), (1,), (), (0, 1, 2)])
@pytest.mark.parametrize("name", FAMILY)
def test_softmax_family_along_several_axes(name, axis):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 4, 5))
    act = get_act(name.replace("_", "-"), axis=axis)
    pairs = [
        ("", act.forward, (x,)),
        ("_derivative", act.backward, (x,)),
        ("_second_derivative", act.d2y, (x,)),
        ("_vjp", act.vjp, (g, x)),
    ]
    for suffix, method, given in pairs:
        expected = getattr(reference, name + suffix)(*given, axis=axis)
        kernel, out = getattr(kernels, name + suffix), np.empty_like(x)
        results = [method(*given), kernel(*given, axis=axis), kernel(*given, out, axis=axis)]
        assert kernel(*given, out=out, axis=axis) is out
        for found in results:
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)
    y = act.forward(x)
    np.testing.assert_allclose(act.vjp(g, x, y), act.vjp(g, x), rtol=1e-12, atol=1e-15)
    assert eval(repr(act), {type(act).__name__: type(act)}) == act


def test_wrong_axes_are_named():
    for wrong in ("last", 1.0, [0, "a"]):
        with pytest.raises(TypeError, match="axis must be an int, a tuple of ints or None, not"):
            get_act("softmax", axis=wrong)
    with pytest.raises(TypeError, match="axis must be an int, a tuple of ints or None, not 'last'"):
        kernels.softmax(X, axis="last")
    with pytest.raises(ValueError, match="axis 2 is out of bounds"):
        kernels.softmax(X, axis=(0, 2))
    with pytest.raises(ValueError, match="no axis 2"):
        get_act("softmax", axis=(0, 2)).forward(X)
    with pytest.raises(ValueError, match="repeated axis"):
        kernels.softmax(X, axis=(0, -2))
    with pytest.raises(TypeError, match="axis must be an int, not None"):
        get_act("GLU", axis=None)


def test_random_state_is_taken_wherever_rng_goes():
    def made(rng):
        nn = fastnn.NeuralNetwork(
            [fastnn.TanhLayer(2, 3, rng=rng), fastnn.LinearLayer(3, 1, rng=rng)],
            fastnn.SumSquaresError(),
        )
        nn.fit(X, T, 0.01, epochs=2, batch_size=2, rng=rng)
        noisy = get_opt("SantaSSS", rng=rng)
        return [nn.parameters, get_act("maxout", 2, 1, 2, rng=rng).w, np.array([noisy._seed])]

    for ours, again in zip(
        made(np.random.RandomState(3)), made(np.random.RandomState(3)), strict=True
    ):
        np.testing.assert_array_equal(ours, again)
    with pytest.raises(TypeError, match=r"rng must be .*Generator or RandomState, not 'dice'"):
        fastnn.TanhLayer(2, 3, rng="dice")


def test_outputs_that_share_memory_with_themselves_are_refused():
    def shared(shape):
        return np.lib.stride_tricks.as_strided(np.zeros(64), shape, (0,) * len(shape))

    act, out = get_act("ReLU"), shared(X.shape)
    calls = [
        lambda: act.forward(X, out),
        lambda: act.backward(X, out=out),
        lambda: act.vjp(X, X, out=out),
        lambda: get_act("softmax").forward(X, out),
        lambda: get_act("GLU").forward(X, shared((6, 1))),
        lambda: get_act("PReLU").forward(X, out),
        lambda: get_act("maxout", 2, 1, 2).forward(X, shared((6, 1))),
        lambda: net().predict(X, out=shared((6, 1))),
        lambda: kernels.softmax(X, out=out),
        lambda: kernels.softmax(X, out),
        lambda: kernels.log_softmax(X, axis=None, out=(out,)),
        lambda: kernels.softmax_vjp(X, X, out=out),
    ]
    act.forward(X)
    for call in calls:
        with pytest.raises(ValueError, match=re.escape("out has strides (0, 0)")):
            call()
    with pytest.raises(ValueError, match="params must be C-contiguous"):
        get_opt("SGD", eta=0.1).step(out, X)


def test_views_do_not_overlap():
    a = np.zeros((4, 6, 8))
    views = [a, a.T, a[::-1, ::2, 1::3], a[:, :1], a.diagonal(), a[None, ..., None], a[:0]]
    assert not any(map(_arrays.overlaps_itself, views))
    windows = np.lib.stride_tricks.sliding_window_view(np.zeros(9), 3)
    assert _arrays.overlaps_itself(windows)
    assert _arrays.overlaps_itself(np.broadcast_to(np.zeros(3), (2, 3)))
