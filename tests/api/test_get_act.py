"""`get_act` and its classes: names, parameters, arrays of every kind, and the table of errata."""

import copy
import pickle

import numpy as np
import pytest
from support.tolerance import assert_difference_close

import fastnn
from fastnn import activations
from fastnn.activations import ACTIVATIONS, get_act
from fastnn.kernels import activations as formulas
from fastnn.reference.activations import find as reference

GIVEN = {"threshold": (0.1, 20.0)}
ELEMENTWISE = [name for name, spec in ACTIVATIONS.items() if not spec.kind]
ALONG = ["softmax", "softmin", "log-softmax"]
each_elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
each_along = pytest.mark.parametrize("name", ALONG)


def made(name):
    return get_act(name, *GIVEN.get(name, ()))


def points(dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(0, 3, (6, 8)).astype(dtype)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "maxout"])
def test_every_spelling(name):
    spec = ACTIVATIONS[name]
    kind = type(made(name))
    assert getattr(activations, spec.class_name) is kind
    assert kind.__doc__.startswith(spec.formula)
    spellings = [name, *spec.aliases]
    spellings += [s.upper() for s in spellings] + [s.lower() for s in spellings]
    spellings += [s.replace("-", "_") for s in spellings] + [s.replace("-", "") for s in spellings]
    for spelling in spellings:
        assert type(get_act(spelling, *GIVEN.get(name, ()))) is kind
    assert made(name).name == name


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown activation 'rely'; nearest: ReLU"):
        get_act("rely")
    for wrong in (None, 3, b"tanh", ["tanh"]):
        with pytest.raises(TypeError, match="must be given by its name"):
            get_act(wrong)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_elementwise
def test_every_method_equals_the_reference(name, dtype):
    act, spec, x, g = made(name), ACTIVATIONS[name], points(dtype), points(dtype, 1)
    # as kernels get them
    given = [float(np.dtype(dtype).type(v)) for v in act._parameters.values()]
    wide = x.astype(float)
    found = [act.forward(x), act.backward(x), act.d2y(x), act.d3y(x)]
    eps = np.finfo(dtype).eps
    for suffix, y, bound in zip(formulas.ORDERS, found, spec.bounds, strict=True):
        expected = reference(spec.kernel + suffix)(wide, *given)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, rtol=2 * bound * eps, atol=2 * bound * eps)
    np.testing.assert_allclose(act.vjp(g, x), g * found[1], rtol=4 * eps)
    forward, back = act.forward_and_vjp(g, x)
    np.testing.assert_allclose(forward, found[0], rtol=8 * eps, atol=eps)
    np.testing.assert_allclose(back, g * found[1], rtol=16 * eps, atol=8 * eps)
    np.testing.assert_array_equal(act(x), found[0])
    np.testing.assert_array_equal(act.backward(x, found[0]), found[1])
    assert act.update() is None


@each_along
def test_softmax_family_equals_the_reference(name):
    x, g = points(), points(seed=1)
    kernel = ACTIVATIONS[name].kernel
    for axis in (-1, 0, 1):
        act = get_act(name, axis=axis)
        for suffix, y in (
            ("", act.forward(x)),
            ("_derivative", act.backward(x)),
            ("_second_derivative", act.d2y(x)),
        ):
            expected = reference(kernel + suffix)(x, axis=axis)
            np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-15)
        expected = reference(f"{kernel}_vjp")(g, x, axis=axis)
        np.testing.assert_allclose(act.vjp(g, x), expected, rtol=1e-13, atol=1e-14)
        np.testing.assert_array_equal(act.forward_and_vjp(g, x)[1], act.vjp(g, x))
    assert float(get_act(name).forward(3.0)) == (0 if name == "log-softmax" else 1)
    with pytest.raises(ValueError, match="no axis 2"):
        get_act(name, axis=2).forward(x)
    with pytest.raises(TypeError, match="axis must be an int"):
        get_act(name, axis=1.0)


# --- parameters


def test_parameters_of_the_articles_by_place_and_name():
    for name, given in (
        ("hard-shrink", {"lambda_": 0.7}),
        ("soft-shrink", {"lambda_": 0.7}),
        ("threshold", {"threshold": 0.1, "value": 20.0}),
        ("leaky-ReLU", {"alpha": 0.2}),
        ("ELU", {"alpha": 0.2}),
        ("SELU", {"lambda_": 1.1, "alpha": 0.2}),
        ("CELU", {"alpha": 0.2}),
        ("Swish", {"beta": 2.0}),
        ("hard-sigmoid", {"slope": 0.3, "offset": 0.4}),
        ("hard-tanh", {"min_val": -2.0, "max_val": 2.0}),
    ):
        assert get_act(name, *given.values()) == get_act(name, **given)
        assert get_act(name, **given).parameters == given


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("name", "args", "given", "error", "message"),
    [
        ("CELU", (0,), {}, ValueError, "alpha must be other than 0"),
        ("ELU", (NAN,), {}, ValueError, "alpha must be a finite number"),
        ("ELU", (INF,), {}, ValueError, "alpha must be a finite number"),
        ("ELU", ("1",), {}, TypeError, "alpha must be a number"),
        ("ELU", (None,), {}, TypeError, "alpha must be a number"),
        ("ELU", ([1.0, 2.0],), {}, TypeError, "alpha must be a number"),
        ("ELU", (), {"beta": 1}, TypeError, "beta: no parameter of the activation ELU"),
        ("ELU", (1, 2), {}, TypeError, r"takes 1 parameters \(alpha\), not 2"),
        ("ELU", (1,), {"alpha": 1}, TypeError, "alpha: given twice"),
        ("tanh", (1,), {}, TypeError, r"takes 0 parameters \(none\)"),
        ("hard-shrink", (-1,), {}, ValueError, "lambda_ must be at least 0"),
        ("soft-shrink", (-1e-9,), {}, ValueError, "lambda_ must be at least 0"),
        ("hard-tanh", (1, 1), {}, ValueError, "max_val must be above min_val"),
        ("hard-tanh", (), {"min_val": 2}, ValueError, "max_val must be above min_val"),
        ("squareplus", (-1,), {}, ValueError, "b must be at least 0"),
        ("GELU", (), {"approximate": "x"}, ValueError, "approximate must be 'none' or 'tanh'"),
        ("PReLU", (INF,), {}, ValueError, "alpha must be finite"),
        ("PReLU", ([[1.0]],), {}, ValueError, "alpha has shape"),
        ("maxout", (0, 1, 1), {}, ValueError, "n_prev must be at least 1"),
        ("maxout", (2, 1, 1.5), {}, TypeError, "k must be an int"),
    ],
)
def test_bad_parameters(name, args, given, error, message):
    with pytest.raises(error, match=message):
        get_act(name, *args, **given)


# --- arrays


@each_elementwise
def test_out(name):
    act, x = made(name), points("float32")
    for method in (act.forward, act.backward, act.d2y, act.d3y):
        expected, out = method(x), np.full_like(x, 7)
        assert method(x, out=out) is out
        np.testing.assert_array_equal(out, expected)
        bad = [
            (np.full((6, 7), 7.0, "float32"), ValueError, "out has shape"),
            (np.full((6, 8), 7.0), TypeError, "out has dtype float64, expected float32"),
            ([0.0], TypeError, "out must be an array"),
        ]
        fixed = np.full_like(x, 7)
        fixed.flags.writeable = False
        for wrong, error, message in [*bad, (fixed, ValueError, "out is read-only")]:
            with pytest.raises(error, match=message):
                method(x, out=wrong)
            assert np.all(np.asarray(wrong) == 7) or isinstance(wrong, list)
        given = x.copy()
        method(given, out=given)
        np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("name", ["tanh", "leaky-ReLU", "softmax"])
def test_arrays_of_every_kind(name):
    act, x = made(name), points()
    y = act.forward(x)
    np.testing.assert_array_equal(act.forward(x.tolist()), y)
    np.testing.assert_array_equal(act.forward(x.astype(">f8")), y)
    np.testing.assert_allclose(act.forward(np.repeat(x, 2, 1)[:, ::2]), y, rtol=1e-15)
    assert act.forward(x.astype("float16")).dtype == np.float16
    for integers in (np.ones((2, 2), np.int8), np.ones((2, 2), bool), [[1, 2]]):
        assert act.forward(integers).dtype == np.float64
    masked = np.ma.array(x, mask=x > 3)
    if name == "softmax":
        with pytest.raises(ValueError, match=r"x has .* masked values, expected none"):
            act.forward(masked)
    else:
        assert act.forward(masked).mask.tolist() == (x > 3).tolist()
    before = x.copy()
    act.backward(x)
    np.testing.assert_array_equal(x, before)
    assert act.forward(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("name", ["tanh", "leaky-ReLU", "softmax", "GLU", "PReLU"])
@pytest.mark.parametrize(
    ("x", "error"),
    [
        (1j * np.ones(2), TypeError),
        (np.array([1.0, 2], object), TypeError),
        ("ab", TypeError),
        (["a", "b"], TypeError),
        (None, TypeError),
        ([[1.0], [2.0, 3.0]], ValueError),
        (np.ones(2, "M8[s]"), TypeError),
    ],
)
def test_what_is_no_array_of_numbers(name, x, error):
    act = made(name)
    for method in (act.forward, act.backward, act.d2y):
        with pytest.raises(error, match=r"^x "):
            method(x)
    with pytest.raises((error, ValueError), match=r"^x "):
        act.vjp(np.ones(2), x)


def test_shapes_of_products():
    for name in ("tanh", "softmax"):
        with pytest.raises(ValueError, match="must have the same shape"):
            get_act(name).vjp(np.ones(3), np.ones(4))


def test_lazy_arrays():
    array, xarray = pytest.importorskip("dask.array"), pytest.importorskip("xarray")
    x = points("float32")
    lazy = array.from_array(x, chunks=(2, 8))
    named = xarray.DataArray(x, dims=("a", "b"), coords={"b": np.arange(8)}, name="z")
    for name in ("tanh", "leaky-ReLU", "softmax"):
        act = get_act(name)
        for method in (act.forward, act.backward, act.d2y):
            found = method(lazy)
            assert isinstance(found, array.Array)
            np.testing.assert_array_equal(found.compute(), method(x))
        if name != "softmax":
            assert act.forward(named).dims == ("a", "b")
            np.testing.assert_array_equal(act.backward(named).values, act.backward(x))
        forward, back = act.forward_and_vjp(lazy, lazy)
        np.testing.assert_array_equal(forward.compute(), act.forward(x))
        np.testing.assert_array_equal(back.compute(), act.vjp(x, x))


@pytest.mark.parametrize("name", ["tanh", "leaky-ReLU", "softmax"])
def test_threads_change_nothing(name):
    act, x = get_act(name), np.resize(points(), (700, 1001))
    try:
        found = []
        for threads in (1, 2):
            fastnn.set_num_threads(threads)
            inside, memory = x.copy(), np.concatenate([x, x[:1]])
            act.forward(inside, out=inside)
            act.forward(memory[:-1], out=memory[1:])
            found.append([act.forward(x), act.backward(x), act.vjp(x, x), inside, memory[1:]])
    finally:
        fastnn.set_num_threads(None)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
    for y in found[0][3:]:
        np.testing.assert_array_equal(y, found[0][0])


# --- objects


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "maxout"])
def test_pickle_copy_equality_and_repr(name):
    act = made(name)
    names = {
        spec.class_name: getattr(activations, spec.class_name) for spec in ACTIVATIONS.values()
    }
    twins = [pickle.loads(pickle.dumps(act)), copy.copy(act), copy.deepcopy(act)]
    twins.append(eval(repr(act), names))
    for twin in twins:
        assert type(twin) is type(act)
        assert twin == act
        assert hash(twin) == hash(act)
        assert repr(twin) == repr(act)
    assert act != fastnn.get_act("tanh" if name != "tanh" else "ReLU")
    assert act != name


def test_layers_take_activations():
    x = points()
    for activation, more in (
        (get_act("leaky-ReLU", alpha=0.2), {}),
        ("leaky-ReLU", {"alpha": 0.2}),
        ("LEAKY_RELU", {"alpha": 0.2}),
    ):
        layer = fastnn.DenseLayer(8, 3, activation=activation, rng=0, **more)
        z = x @ layer.w + layer.b
        np.testing.assert_allclose(layer(x), np.where(z < 0, 0.2 * z, z), rtol=1e-12, atol=1e-13)
    one = fastnn.DenseLayer(8, 3, activation="GELU", approximate="tanh", rng=0)(x)
    two = fastnn.DenseLayer(8, 3, activation=get_act("GELU", approximate="tanh"), rng=0)(x)
    other = fastnn.DenseLayer(8, 3, activation="GELU", rng=0)(x)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)

    class Own(fastnn.Activator):
        def forward(self, x, out=None):
            return x

    with pytest.raises(TypeError, match="has no kernels: derive a layer"):
        fastnn.DenseLayer(2, 3, activation=Own())
    with pytest.raises(NotImplementedError, match="Own must define backward"):
        Own().vjp(x, x)


def test_gradient_of_prelu():
    x, g = points(), points(seed=1)
    for alpha in (0.25, np.linspace(-0.5, 1, 8)):
        act = get_act("PReLU", alpha)
        act.vjp(g, x)

        shape = act.alpha.shape

        def cost(a, g=g, shape=shape):
            return np.array([np.sum(g * get_act("PReLU", a.reshape(shape)).forward(x))])

        assert_difference_close(act.dalpha.reshape(1, -1), cost, np.array(alpha).reshape(-1))
        before = act.alpha.copy()
        act.update(0.1)
        np.testing.assert_array_equal(act.alpha, before - 0.1 * act.dalpha)


# --- rows of the errata


def test_errata_dtype_is_kept():
    for name in ELEMENTWISE + ALONG:
        for method in (made(name).forward, made(name).backward, made(name).d2y):
            for dtype in ("float16", "float32", "float64"):
                assert method(points(dtype)).dtype == dtype


def test_errata_no_overflow_and_no_warnings():
    x = np.array([0.0, 30, 90, 710, 1e4, 1e30, -30, -90, -710, -1e4, -1e30])
    for name in (
        "sigmoid",
        "log-sigmoid",
        "softplus",
        "ELU",
        "SELU",
        "CELU",
        "Mish",
        "tanhExp",
        *ALONG,
    ):
        for dtype in ("float32", "float64"):
            act = get_act(name)
            with np.errstate(all="raise"):
                for y in (act.forward(x.astype(dtype)), act.backward(x.astype(dtype))):
                    assert np.isfinite(y).all()
    for name in ("Mish", "tanhExp"):
        assert get_act(name).backward([30.0, 1e4]) == pytest.approx([1, 1], rel=1e-15)


def test_errata_no_cancellation_near_zero_and_no_underflow():
    x = 1e-5
    assert float(get_act("tanh-shrink").forward(x)) == pytest.approx(x**3 / 3, rel=1e-9)
    assert get_act("bent-identity").forward(np.float32(1e30)) == pytest.approx(1.5e30, rel=3e-7)
    assert float(get_act("sigmoid").backward(40.0)) == pytest.approx(np.exp(-40.0), rel=1e-15)
    assert float(get_act("tanh").backward(30.0)) == pytest.approx(4 * np.exp(-60.0), rel=1e-15)


def test_errata_leaky_relu_with_alpha_above_one():
    act = get_act("leaky-ReLU", 2.0)
    assert act.forward([-1.0, 1.0]).tolist() == [-2, 1]
    assert act.backward([-1.0, 0.0, 1.0]).tolist() == [2, 1, 1]


def test_errata_selu_constants():
    given = {"lambda_": 1.0507009873554805, "alpha": 1.6732632423543772}
    assert get_act("SELU").parameters == given
    assert get_act("SELU", 1.0507, 1.67326).forward(-1e3) == pytest.approx(-1.0507 * 1.67326)


def test_errata_hard_sigmoid_slope_and_offset():
    x = np.linspace(-4, 4, 33)
    ours = get_act("hard-sigmoid").forward(x)
    np.testing.assert_allclose(ours, np.clip(0.2 * x + 0.5, 0, 1), atol=1e-16)
    peers = get_act("hard-sigmoid", slope=1 / 6).forward(x)
    np.testing.assert_allclose(peers, np.clip(x / 6 + 0.5, 0, 1), atol=2e-16)


def test_errata_softmax_sums_along_an_axis_and_softmin_has_its_sign():
    x = points()
    np.testing.assert_allclose(get_act("softmax").forward(x).sum(axis=1), 1)
    np.testing.assert_allclose(get_act("softmax", axis=0).forward(x).sum(axis=0), 1)
    y = get_act("softmin").forward(x)
    np.testing.assert_allclose(y, get_act("softmax").forward(-x), rtol=1e-15)
    np.testing.assert_allclose(get_act("softmin").backward(x), -y * (1 - y), rtol=1e-13)


def test_errata_second_derivative_of_every_activation():
    for name in ELEMENTWISE + ALONG + ["GLU", "PReLU"]:
        assert made(name).d2y(points()).shape == (6, 8)
    assert not get_act("ReLU").d2y(points()).any()


def test_third_derivatives_of_what_acts_on_each_number_alone():
    x = points()
    for name in [*ELEMENTWISE, "PReLU"]:
        y = made(name).d3y(x)
        slope = (made(name).d2y(x + 1e-6) - made(name).d2y(x - 1e-6)) / 2e-6
        np.testing.assert_allclose(y, slope, rtol=1e-4, atol=1e-6)
        assert made(name).d3y(x, out=x[:]) is not None
        x = points()
    for name in ("softmax", "GLU"):
        with pytest.raises(NotImplementedError, match=r"(Softmax|GLU) has no third"):
            made(name).d3y(x)
        with pytest.raises(ValueError, match=f"the activation {name} has no third derivative"):
            ACTIVATIONS[name].derivative(3)
    assert ACTIVATIONS["tanh"].derivative(0) is formulas.find("tanh")


def test_errata_maxout_is_complete():
    act = get_act("maxout", 8, 3, 4, rng=0)
    x, g = points(), np.random.default_rng(1).normal(size=(6, 3))
    act.w = np.random.default_rng(2).normal(size=act.w.shape)
    assert act.forward(x).shape == (6, 3)
    dx, dw, db = act.backward(g)

    def by(attribute):
        def cost(values):
            twin = copy.deepcopy(act)
            setattr(twin, attribute, values.reshape(getattr(act, attribute).shape))
            return np.array([np.sum(g * twin.forward(x))])

        return cost

    assert_difference_close(dw.reshape(1, -1), by("w"), act.w.ravel())
    assert_difference_close(db.reshape(1, -1), by("b"), act.b)
    assert_difference_close(
        dx.reshape(1, -1),
        lambda v: np.array([np.sum(g * act.forward(v.reshape(x.shape)))]),
        x.ravel(),
    )
    w = act.w
    act.update(0.5)
    np.testing.assert_array_equal(act.w, w - 0.5 * dw)
    twin = pickle.loads(pickle.dumps(act))
    np.testing.assert_array_equal(twin.forward(x), act.forward(x))


def test_errata_kinks():
    for name, x, slope in (
        ("ReLU", [0.0], [0]),
        ("ReLU6", [0.0, 6.0], [0, 0]),
        ("hard-tanh", [-1.0, 1.0], [1, 1]),
        ("leaky-ReLU", [0.0], [1]),
        ("ELU", [0.0], [1]),
        ("hard-sigmoid", [-2.5, 2.5], [0.2, 0.2]),
        ("hard-shrink", [-0.5, 0.5], [0, 0]),
        ("soft-shrink", [-0.5, 0.5], [0, 0]),
        ("step", [0.0], [0]),
    ):
        assert get_act(name).backward(x).tolist() == slope
