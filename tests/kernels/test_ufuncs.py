"""Ufuncs of activations: NumPy's protocol, every layout, special values, users' compiled code."""

import copy
import functools
import math
import operator
import pickle
import re

import llvmlite.binding as llvm
import mpmath
import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from support.ulp import ulp_error

import fastnn
from fastnn import kernels
from fastnn.activations import ACTIVATIONS
from fastnn.kernels.ufuncs import elementwise as ufuncs
from fastnn.kernels.ufuncs.elementwise import Kernel
from fastnn.reference.activations import find as reference

ALONG = [name for name in ufuncs.known() if name.startswith(("softm", "log_softmax"))]
ELEMENTWISE = [name for name in ufuncs.known() if name not in ALONG and name[:3] != "glu"]
FORWARD = [spec.kernel for spec in ACTIVATIONS.values() if spec.kernel in ELEMENTWISE]
FLOATS = ["float16", "float32", "float64"]
SIZES = [0, 1, 63, 64, 65, 127, 1000, 100_003]
# What carries numbers to a formula and back knows only how many there are of what: results, inputs,
# and parameters with and without defaults.
SHAPES = [
    *("tanh", "gelu_derivative", "swish", "selu", "hard_tanh_second_derivative", "prelu"),
    *("gelu_vjp", "swish_vjp", "selu_vjp", "prelu_vjp"),
    *("tanh_and_vjp", "swish_and_vjp", "selu_and_vjp", "prelu_and_vjp"),
]
each_ufunc = pytest.mark.parametrize("name", ELEMENTWISE)
each_shape = pytest.mark.parametrize("name", SHAPES)
each_activation = pytest.mark.parametrize("name", FORWARD)
each_along = pytest.mark.parametrize("name", ALONG)
each_dtype = pytest.mark.parametrize("dtype", FLOATS)


def names_of(name):
    """Names of the parameters of the activation that a ufunc belongs to."""
    base = next(n for n in sorted(FORWARD, key=len, reverse=True) if name.startswith(n))
    return list(next(spec for spec in ACTIVATIONS.values() if spec.kernel == base).parameters)


def required(name):
    """Parameters that have no default."""
    return {"alpha": 0.25} if name.startswith("prelu") else {}


def inputs(name):
    return 2 if "_vjp" in name else 1


def numbers(size, dtype, seed=0):
    x = np.random.default_rng(seed).normal(0, 3, size)
    return x.astype(dtype)


def arguments(name, size, dtype, seed=0):
    """x, or g and x."""
    return [numbers(size, dtype, seed + k) for k in range(inputs(name))]


def apply(name, *args, **keywords):
    return getattr(kernels, name)(*args, **required(name), **keywords)


def results(name, *args, **keywords):
    """All results, as a tuple."""
    found = apply(name, *args, **keywords)
    return found if isinstance(found, tuple) else (found,)


def assert_same(found, expected):
    """Equal bits, but for those of NaN."""
    for y, z in zip(found, expected, strict=True):
        assert y.dtype == z.dtype
        assert y.shape == z.shape
        same = (y == z) & (np.signbit(y) == np.signbit(z)) | (np.isnan(y) & np.isnan(z))
        assert np.all(same), (y[~same][:3], z[~same][:3])


def test_every_formula_has_its_ufuncs():
    assert {"tanh", "tanh_derivative", "tanh_second_derivative"} <= set(ELEMENTWISE)
    assert set(FORWARD) == {spec.kernel for spec in ACTIVATIONS.values() if not spec.kind} | {
        "prelu"
    }
    for name in FORWARD:
        for suffix in ("", "_derivative", "_second_derivative", "_vjp", "_and_vjp"):
            assert name + suffix in ELEMENTWISE
            assert name + suffix in dir(kernels)
    assert len(ALONG) == 15
    with pytest.raises(AttributeError, match="no attribute 'tanhh'"):
        kernels.tanhh  # noqa: B018
    with pytest.raises(AttributeError):
        kernels.sigmoid_from_output  # noqa: B018


@each_shape
@each_dtype
def test_every_layout_gives_the_same_bits(name, dtype):
    for size in SIZES[:-1]:
        args = arguments(name, size, dtype)
        expected = results(name, *args)
        assert all(y.dtype == dtype and y.shape == (size,) for y in expected)

        def spread(x, step):
            wide = np.full(x.size * step, 7, x.dtype)
            wide[::step] = x
            return wide[::step]

        def unaligned(x):
            place = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype)
            place[:] = x
            return place

        for layout in (
            functools.partial(spread, step=2),
            functools.partial(spread, step=5),
            unaligned,
            lambda x: x[::-1].copy()[::-1],
            lambda x: x.astype(x.dtype.newbyteorder(">")),
            lambda x: np.pad(x, (3, 0))[3:],
        ):
            given = [layout(x) for x in args]
            for x in given:
                x.flags.writeable = False
            assert_same(results(name, *given), expected)
            outs = tuple(layout(np.zeros(size, dtype)) for _ in expected)
            found = results(name, *args, out=outs if len(outs) > 1 else outs[0])
            assert all(y is z for y, z in zip(found, outs, strict=True))
            assert_same([y.astype(dtype) for y in outs], expected)


@each_shape
@each_dtype
def test_pieces_equal_the_whole(name, dtype):
    args = arguments(name, SIZES[-1], dtype)
    whole = results(name, *args)
    for start, stop in ((3, None), (0, 77), (64, 129), (99_999, 100_003), (5, 99_990)):
        part = slice(start, stop)
        assert_same(results(name, *(x[part] for x in args)), [y[part] for y in whole])
    table = [x[:100_000].reshape(100, 1000).T for x in args]
    assert_same(results(name, *table), [y[:100_000].reshape(100, 1000).T for y in whole])


@each_shape
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_in_place_and_overlapping(name, dtype):
    args = arguments(name, 1000, dtype)
    expected = results(name, *args)
    for place in range(inputs(name)):
        given = [x.copy() for x in args]
        outs = (given[place], *(np.empty_like(args[0]) for _ in expected[1:]))
        assert_same(results(name, *given, out=outs), expected)
    memory = np.concatenate([args[-1], np.zeros(8, dtype)])
    outs = (memory[8:], *(np.empty_like(args[0]) for _ in expected[1:]))
    assert_same(results(name, *args[:-1], memory[:1000], out=outs), expected)
    memory = np.concatenate([np.zeros(8, dtype), args[-1]])
    outs = (memory[:1000], *(np.empty_like(args[0]) for _ in expected[1:]))
    assert_same(results(name, *args[:-1], memory[8:], out=outs), expected)


@each_activation
def test_out_dtype_and_casting(name):
    kernel = functools.partial(apply, name)
    x = numbers(130, "float64")
    y = kernel(x)
    place = np.full(130, 9.0)
    assert getattr(kernels, name)(x, *required(name).values(), out=place) is place
    np.testing.assert_array_equal(place, y)
    defaults = [
        required(name).get(key, value)
        for key, value in zip(names_of(name), defaults_of(name), strict=True)
    ]
    place[:] = 9
    assert getattr(kernels, name)(x, *defaults, place) is place
    np.testing.assert_array_equal(place, y)
    assert kernel(x, dtype="float32").dtype == np.float32
    wide = kernel(x.astype("float32"), out=np.empty(130))
    assert_same([wide], [kernel(x.astype("float32")).astype(float)])
    with pytest.raises(TypeError, match="Cannot cast"):
        kernel(x, out=np.empty(130, np.float32), casting="safe")
    with pytest.raises(TypeError, match="Cannot cast"):
        kernel(x, out=np.empty(130, np.int64))
    with pytest.raises(ValueError, match=r"non-broadcastable|broadcast"):
        kernel(x, out=np.empty(129))
    with pytest.raises(ValueError, match="read-only"):
        kernel(x, out=np.broadcast_to(0.0, 130))
    assert kernel(x.reshape(13, 10)[:, None]).shape == (13, 1, 10)


def defaults_of(name):
    spec = next(spec for spec in ACTIVATIONS.values() if spec.kernel == name)
    return list(spec.parameters.values())


@each_activation
def test_numbers_lists_and_empty_arrays(name):
    one = apply(name, 0.7)
    assert isinstance(one, np.float64)
    assert isinstance(apply(name, np.float32(0.7)), np.float32)
    assert isinstance(apply(name, np.array(0.7, "float16")), np.float16)
    assert apply(name, [0.7, -1]).tolist() == apply(name, np.array([0.7, -1.0])).tolist()
    assert apply(name, np.empty((3, 0, 2), "float32")).shape == (3, 0, 2)
    same = apply(name, np.broadcast_to(0.7, (3, 50)))  # no step from number to number
    assert np.all(same == one)
    assert same.shape == (3, 50)


@each_shape
def test_dtypes_are_those_of_numpy(name):
    weighs = bool(names_of(name))  # with parameters, which are Python's floats
    for code in "?bBhHiIlLqQefd":
        x = np.ones(3, code)
        like = np.multiply(x, 0.5) if weighs else np.tanh(x)
        for y in results(name, *[x] * inputs(name)):
            assert y.dtype == like.dtype, code
    bad = [np.ones(3, "F"), np.ones(3, "D"), np.array([1.0, 2], object), np.array(["a"])]
    bad += [np.zeros(2, "M8[s]"), np.zeros(2, "m8[s]")]
    if np.dtype("longdouble").itemsize > 8:
        bad.append(np.ones(3, "g"))
    for x in bad:
        with pytest.raises(TypeError):
            apply(name, *[x] * inputs(name))


@pytest.mark.parametrize("name", ["tanh", "gelu_derivative"])
def test_float16_is_float32_rounded(name):
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    with np.errstate(all="ignore"):
        wide = x.astype(np.float32)
        assert_same([apply(name, x)], [apply(name, wide).astype(np.float16)])


def specials(dtype):
    kind = np.finfo(dtype)
    x = np.array([0.0, kind.smallest_subnormal, kind.tiny, 1, 30, 88, 700, kind.max / 2, kind.max])
    return np.concatenate([x, -x, [np.inf, -np.inf, np.nan]]).astype(dtype)


@pytest.mark.one_in(12)
@each_dtype
@each_ufunc
def test_no_warnings_and_nan_stays(name, dtype):
    with np.errstate(all="ignore"):
        x = np.resize(specials(dtype), 150)
    with np.errstate(all="raise"):
        found = results(name, *[x] * inputs(name))
        results(name, *[x[::2]] * inputs(name))
        apply(name, *[x[:3]] * inputs(name))
    assert all(np.isnan(y[np.isnan(x)]).all() for y in found)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        np.float64(1) / np.zeros(1)  # the state is as it was


STREAMED = 2**24 // 4 + 1003  # more numbers of float32 than are written through the caches


@pytest.mark.parametrize("name", ["tanh", "relu", "leaky_relu", "sigmoid_vjp"])
@pytest.mark.parametrize("begin", [0, 1, 17])
def test_large_arrays_equal_small_ones(name, begin):
    args = [np.resize(x, STREAMED) for x in arguments(name, 4096, "float32")]
    part = results(name, *(x[:4096] for x in args))
    memory = np.zeros(STREAMED + 64, "float32")
    out = memory[begin : begin + STREAMED]
    results(name, *args, out=out)
    assert_same([out], [np.resize(part[0], STREAMED)])
    assert not memory[:begin].any()
    assert not memory[begin + STREAMED :].any()
    results(name, *args[:-1], args[-1], out=args[-1])
    assert_same([args[-1]], [out])


def test_unaligned_large_array():
    raw = np.zeros(4 * STREAMED + 3, np.uint8)
    out = raw[3:].view("float32")
    x = np.resize(numbers(4096, "float32"), STREAMED)
    kernels.tanh(x, out=out)
    assert_same([out], [np.resize(kernels.tanh(x[:4096]), STREAMED)])


PARAMETERS = [name for name in FORWARD if names_of(name)]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_by_place_and_name(name):
    kernel, names = getattr(kernels, name), names_of(name)
    assert isinstance(kernel, Kernel)
    given = dict(zip(names, (1.5, 2.5), strict=False))
    if name == "hard_sigmoid":
        given = {"slope": 0.3, "offset": 0.1}
    x = numbers(100, "float64")
    expected = reference(name)(x, *given.values())
    np.testing.assert_allclose(kernel(x, *given.values()), expected, rtol=1e-13)
    np.testing.assert_array_equal(kernel(x, **given), kernel(x, *given.values()))
    first, *others = given
    np.testing.assert_array_equal(
        kernel(x, given[first], **{key: given[key] for key in others}), kernel(x, **given)
    )
    vjp = getattr(kernels, f"{name}_vjp")
    np.testing.assert_array_equal(vjp(x, x, **given), vjp(x, x, *given.values()))
    assert kernel(x.astype("float32"), **given).dtype == np.float32
    with pytest.raises(TypeError, match="nothing"):
        kernel(x, *required(name).values(), nothing=1.0)
    with pytest.raises(TypeError):
        kernel(x, *given.values(), **{first: 1.0})
    with pytest.raises(TypeError):
        kernel()
    with pytest.raises(TypeError):
        kernel(**given)
    with pytest.raises(TypeError):
        kernel(x, 1.0, 1.0, None, None)


def test_parameters_are_broadcast():
    x, alpha = numbers((5, 7), "float32"), np.linspace(-1, 2, 7, dtype="float32")
    y = kernels.prelu(x, alpha)
    assert_same([y], [np.where(x >= 0, x, alpha * x)])
    assert_same([kernels.prelu(x, alpha=alpha)], [y])
    assert_same(
        [kernels.leaky_relu(x[:, :1], alpha)], [np.where(x[:, :1] >= 0, x[:, :1], alpha * x[:, :1])]
    )
    assert kernels.prelu_vjp(x, x, alpha).shape == (5, 7)
    assert kernels.prelu(x, alpha.astype("float64")).dtype == np.float64
    with pytest.raises(TypeError, match="needs alpha"):
        kernels.prelu(x)


def test_parameters_of_a_mixed_product_are_not_rounded():
    """g of float64 with x of float32 is a product of float64."""
    g, x = np.ones(3), -np.ones(3, "float32")
    assert kernels.leaky_relu_vjp(g, x).tolist() == [0.01] * 3
    assert kernels.leaky_relu_vjp(g, x, alpha=0.01).tolist() == [0.01] * 3


@each_shape
def test_pickle_copy_and_text(name):
    kernel = getattr(kernels, name)
    assert pickle.loads(pickle.dumps(kernel)) is kernel
    assert copy.copy(kernel) is kernel
    assert copy.deepcopy(kernel) is kernel
    assert repr(kernel) == f"<ufunc '{name}'>"
    assert kernel.__name__ == name
    assert kernel.nin == inputs(name) + len(names_of(name))
    assert kernel.nout == (2 if name.endswith("_and_vjp") else 1)
    assert kernel.types == [f"{c * kernel.nin}->{c * kernel.nout}" for c in "efd"]
    assert len(kernel.__doc__.splitlines()) > 1


def test_pickle_in_another_process(child):
    names = ["tanh", "leaky_relu", "swish_and_vjp", "softmax", "softmin_vjp"]
    found = [getattr(kernels, name) for name in names]
    answers = child("call_pickled", *(pickle.dumps(kernel).hex() for kernel in found))
    x = [0.5, -1.0, 2.0]
    for name, kernel, answer in zip(names, found, answers, strict=True):
        expected = kernel(*[x] * inputs(name))
        expected = expected if isinstance(expected, tuple) else (expected,)
        assert answer == [y.tolist() for y in expected], name


@pytest.mark.parametrize(
    "names", [[*SHAPES, *ALONG], pytest.param(ufuncs.known(), marks=pytest.mark.sweep)]
)
def test_a_second_access_compiles_nothing(names):
    from numba.core import event

    first = [getattr(kernels, name) for name in names]
    recorder = event.RecordingListener()
    event.register("numba:run_pass", recorder)
    try:
        again = [getattr(kernels, name) for name in names]
    finally:
        event.unregister("numba:run_pass", recorder)
    assert all(map(operator.is_, first, again))
    assert not recorder.buffer


def test_masked_arrays_keep_their_mask():
    x = np.ma.array(numbers(6, "float64"), mask=[0, 1, 0, 0, 1, 0])
    for name in ("tanh", "leaky_relu", "tanh_derivative"):
        y = apply(name, x)
        assert isinstance(y, np.ma.MaskedArray)
        assert y.mask.tolist() == x.mask.tolist()
        np.testing.assert_array_equal(y.compressed(), apply(name, x.compressed()))
    assert kernels.tanh_vjp(x, x).mask.tolist() == x.mask.tolist()


def test_dask_arrays_stay_lazy():
    array = pytest.importorskip("dask.array")
    calls = []

    def watched(x):
        calls.append(x.shape)
        return x

    values = numbers(100, "float32")
    x = array.from_array(values, chunks=30).map_blocks(watched, dtype="float32", meta=values[:0])
    for found, expected in (
        (kernels.tanh(x), kernels.tanh(values)),
        (kernels.leaky_relu(x, alpha=0.3), kernels.leaky_relu(values, alpha=0.3)),
        (kernels.elu(x), kernels.elu(values)),
        (kernels.softmax(x.rechunk(100)), kernels.softmax(values)),
    ):
        assert isinstance(found, array.Array)
        assert not calls
        assert found.dtype == np.float32
        assert_same([found.compute()], [expected])
        assert calls
        calls.clear()


def test_xarray_keeps_names_and_coordinates():
    xarray = pytest.importorskip("xarray")
    x = xarray.DataArray(
        numbers((2, 3), "float32"), dims=("a", "b"), coords={"b": [5, 6, 7]}, name="z"
    )
    for name in ("tanh", "leaky_relu", "gelu_derivative"):
        y = apply(name, x)
        assert y.dims == ("a", "b")
        assert y.name == "z"
        assert y.b.values.tolist() == [5, 6, 7]
        assert_same([y.values], [apply(name, x.values)])


# --- along an axis


LENGTHS = [1, 2, 31, 32, 33, 65, 256, 1000]  # with 70 rows up to 256 are turned


def along(name, shape, dtype, seed=0):
    given = [numbers(shape, dtype, seed + k) for k in range(inputs(name))]
    if name.endswith("_from_output"):
        given[-1] = getattr(kernels, name.removesuffix("_vjp_from_output"))(given[-1])
    return given


def assert_nearly(name, found, expected):
    """As near as the sums of two layouts are; of differences, relative to what cancels."""
    assert found.shape == expected.shape
    steps = math.ceil(4 + math.log2(max(2, found.size)))
    if "_vjp" in name or name.endswith("_second_derivative"):
        unit = np.finfo(expected.dtype).eps * (4.0 if "_vjp" in name else 1.0)
        total = expected.shape[-1] if name.startswith("log_softmax_vjp") else 1  # Σ g is no mean
        np.testing.assert_allclose(found, expected, rtol=steps * unit, atol=steps * unit * total)
    else:
        np.testing.assert_array_max_ulp(found.astype(expected.dtype), expected, steps)


@pytest.mark.one_in(5)
@each_along
@each_dtype
@pytest.mark.parametrize("length", LENGTHS)
def test_softmax_family_along_every_axis_and_layout(name, length, dtype):
    kernel = getattr(kernels, name)
    for rows in (1, 3, 70):
        args = along(name, (rows, length), dtype)
        rowwise = kernel(*args)
        assert rowwise.dtype == dtype
        single = 1e-3 if dtype == "float16" else 4e-6 if dtype == "float32" else 1e-14
        wide = [x.astype(np.float64) for x in args]
        np.testing.assert_allclose(
            rowwise, reference(name)(*wide), rtol=single, atol=single * (1 + (dtype == "float16"))
        )
        for layout in (
            np.asfortranarray,
            lambda x: np.repeat(x, 2, axis=1)[:, ::2],
            lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
            lambda x: x.astype(x.dtype.newbyteorder(">")),
            lambda x: (
                np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
            ),
        ):
            found = kernel(*map(layout, args))
            assert_nearly(name, found, rowwise)
        across = kernel(*(x.T.copy() for x in args), axis=0)
        assert_nearly(name, across.T, rowwise)
        deep = [np.stack([x, x[::-1]]).transpose(2, 0, 1) for x in args]
        assert_nearly(name, kernel(*deep, axis=0).transpose(1, 2, 0)[0], rowwise)
        out = np.empty_like(rowwise)
        assert kernel(*args, out=out) is out
        assert_same([out], [rowwise])
        given = [x.copy() for x in args]
        kernel(*given, out=given[-1])
        assert_same([given[-1]], [rowwise])
        one = kernel(*(x[rows - 1] for x in args))
        assert_nearly(name, one, rowwise[-1])


@each_along
def test_softmax_family_of_no_numbers(name):
    kernel = getattr(kernels, name)
    assert kernel(*[np.empty((0, 3))] * inputs(name)).shape == (0, 3)
    assert kernel(*[np.empty((3, 0))] * inputs(name)).shape == (3, 0)
    with pytest.raises(ValueError, match=r"dimension|core"):
        kernel(*[1.0] * inputs(name))
    with pytest.raises(TypeError):
        kernel(*[np.ones(3, complex)] * inputs(name))
    assert kernel(*[np.ones((2, 3), np.int8)] * inputs(name)).dtype == np.float16
    assert kernel(*[[1, 2, 3]] * inputs(name)).dtype == np.float64


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [2, 31, 33, 65, 1000])
def test_softmax_family_is_accurate(name, dtype, length):
    x = np.random.default_rng(length).normal(0, 8, (4, length)).astype(dtype)
    found = getattr(kernels, name)(x)
    sign = -1 if name == "softmin" else 1
    with mpmath.workprec(120):
        for row, y in zip(x.astype(float).tolist(), found, strict=True):
            e = [mpmath.exp(sign * mpmath.mpf(v)) for v in row]
            total = mpmath.fsum(e)
            if name == "log_softmax":
                exact = [mpmath.log(v / total) for v in e]
            else:
                exact = [v / total for v in e]
            error = ulp_error(y, np.array([*exact, None], object)[:-1], np.dtype(dtype).type)
            assert error.max() <= 4 + math.log2(length), error.max()


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("length", [3, 40, 100])
@each_dtype
def test_softmax_family_of_what_is_not_finite(name, length, dtype):
    kernel, away = getattr(kernels, name), np.inf if name == "softmin" else -np.inf
    x = numbers((5, length), dtype)
    x[1, 2], x[2, :] = np.nan, away
    x[3, 1], x[4, 0] = away, -away
    with np.errstate(all="raise"):
        y = kernel(x)
        kernel(x.T, axis=0)
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[[1, 2, 4]]).all()
    assert y[3, 1] == (-np.inf if name == "log_softmax" else 0)
    rest = np.arange(length) != 1
    np.testing.assert_allclose(y[3, rest], kernel(x[3, rest]), rtol=8 * np.finfo(dtype).eps)
    large = np.array([[1e4, 1e4 - 1], [-1e4, 1 - 1e4]], dtype)
    assert np.isfinite(kernel(large)).all()


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
def test_softmax_vjp_is_the_product_with_the_jacobian(name):
    x, g = numbers(9, "float64"), numbers(9, "float64", 1)
    y = reference("softmin" if name == "softmin" else "softmax")(x)
    jacobian = np.diag(y) - np.outer(y, y)
    if name == "softmin":
        jacobian = -jacobian
    elif name == "log_softmax":
        jacobian = np.eye(9) - y
    found = getattr(kernels, f"{name}_vjp")(g, x)
    np.testing.assert_allclose(found, g @ jacobian, rtol=0, atol=16 * np.finfo(float).eps)
    diagonal = getattr(kernels, f"{name}_derivative")(x)
    np.testing.assert_allclose(diagonal, np.diag(jacobian), rtol=1e-14)


# --- in compiled code


@numba.njit
def _by_module(x):
    return kernels.tanh(x)


@numba.njit
def _by_package(x):
    return fastnn.kernels.tanh(x)


from fastnn.kernels import tanh  # noqa: E402


@numba.njit
def _by_name(x):
    return tanh(x)


@pytest.mark.parametrize("function", [_by_module, _by_package, _by_name])
def test_spellings_in_compiled_code(function):
    for x in (0.7, np.float32(0.7), 1, True, np.linspace(-3, 3, 99)):
        y = np.asarray(x if np.asarray(x).dtype.kind == "f" else float(x))
        found = np.asarray(function(x), y.dtype)  # numba makes a Python float of a float32
        np.testing.assert_array_max_ulp(found, np.asarray(kernels.tanh(y)), 1)
    returned = {str(s[0]): str(o.signature.return_type) for s, o in function.overloads.items()}
    assert returned["float32"] == "float32"
    assert returned["float64"] == returned["int64"] == returned["bool"] == "float64"


@pytest.mark.one_in(20)
@pytest.mark.parametrize(
    "name", [*FORWARD, "gelu_derivative", "mish_second_derivative", "swish_vjp"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_code_equals_the_ufunc(name, dtype):
    kernel, more = getattr(kernels, name), tuple(required(name).values())
    count = inputs(name)

    @numba.njit
    def plain(*args):
        return kernel(*args)

    args = arguments(name, 200, dtype)
    expected = kernel(*args, *more)
    found = plain(*args, *more)
    assert found.dtype == dtype
    np.testing.assert_array_max_ulp(found, expected, 1)
    out = np.empty_like(expected)
    given = (*args, *(np.array(v, dtype) for v in (more or defaults_of_any(name))))
    if len(given) == kernel.nin:
        plain(*args, *(float(v) for v in given[count:]), out)
        np.testing.assert_array_max_ulp(out, expected, 1)
    one = plain(*(x[3] for x in args), *more)
    np.testing.assert_array_max_ulp(np.array([one], dtype), expected[3:4], 1)


def defaults_of_any(name):
    base = next(n for n in sorted(FORWARD, key=len, reverse=True) if name.startswith(n))
    return defaults_of(base)


def test_broadcasting_and_pairs_in_compiled_code():
    @numba.njit
    def outer(x, alpha):
        return kernels.prelu(x.reshape(-1, 1), alpha)

    x, alpha = numbers(5, "float32"), np.linspace(0, 1, 3, dtype=np.float32)
    np.testing.assert_array_equal(outer(x, alpha), kernels.prelu(x[:, None], alpha))
    assert outer(x, alpha).dtype == np.float32

    @numba.njit
    def pair(g, x):
        return kernels.leaky_relu_and_vjp(g, x)

    assert pair(2.0, -1.0) == (-0.01, 0.02)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("softmax", "float32"),
        ("log_softmax_vjp_from_output", "float64"),
        *(
            pytest.param(*case, marks=pytest.mark.sweep)  # seconds of the compiler each
            for case in [
                ("log_softmax", "float64"),
                ("softmin_derivative", "float64"),
                ("log_softmax_second_derivative", "float64"),
                ("softmin_vjp", "float64"),
                ("log_softmax_vjp", "float32"),
                ("softmax_vjp_from_output", "float32"),
            ]
        ),
    ],
)
def test_softmax_family_in_compiled_code(name, dtype):
    kernel = getattr(kernels, name)

    @numba.njit
    def plain(*args):
        return kernel(*args)

    for shape in [(7,), (5, 7), (2, 3, 40), (3, 1), (0, 3), (3, 0), (0,)]:
        args = along(name, shape, dtype)
        expected, found = kernel(*args), plain(*args)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert_nearly(name, found, expected)
        plain(*args, args[0])  # in place
        np.testing.assert_array_equal(args[0], found)
    x = np.array([[np.nan, 1], [np.inf, 0], [-np.inf, -np.inf], [-np.inf, 0], [9e9, -9e9]], dtype)
    if name.endswith("_from_output"):
        x = getattr(kernels, name.removesuffix("_vjp_from_output"))(x)
    args = (*[np.ones_like(x)] * (kernel.nin - 1), x.T)  # strided
    np.testing.assert_array_equal(plain(*args[:-1], x), kernel(*args[:-1], x))
    if kernel.nin == 1:
        np.testing.assert_array_equal(plain(x.T), kernel(x.T))
    with pytest.raises(ValueError, match="arrays of one shape"):
        plain(*args[:-1], x, x[:2].copy())


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        (lambda x: kernels.softmax(x), (1.0,), "softmax takes arrays of real numbers"),
        (lambda x: kernels.softmax(x, x, x), (np.ones(2),), "softmax does not take 3 arguments"),
        (lambda x: kernels.softmax(x, x.real), (np.ones(2, "i4"),), "out of softmax must be of"),
        (lambda x: kernels.tanh(), (1.0,), "tanh does not take 0 arguments"),
        (lambda x: kernels.tanh(x, x, x), (1.0,), "tanh does not take 3 arguments"),
        (lambda x: kernels.prelu(x), (1.0,), "prelu does not take 1 arguments"),
        (lambda x: kernels.tanh(x, 1.0), (1.0,), "tanh of numbers does not take 2 arguments"),
        (lambda x: kernels.tanh(x), (1j,), "tanh takes real numbers or arrays of them"),
        (lambda x: kernels.tanh(x), ("a",), "tanh takes real numbers or arrays of them"),
        (lambda x: kernels.tanh(x), (np.ones(2, complex),), "takes real numbers or arrays"),
        (lambda x: kernels.tanh_and_vjp(x, x), (np.ones(2),), "takes numbers in compiled code"),
    ],
)
def test_mistakes_in_compiled_code(function, args, message):
    with pytest.raises(TypeError, match=message):
        numba.njit(function)(*args)


def test_keywords_in_compiled_code():
    with pytest.raises(TypingError, match="unexpected keyword argument 'alpha'"):
        numba.njit(lambda x: kernels.elu(x, alpha=2.0))(1.0)


@pytest.mark.sweep
def test_cached_functions_of_users_are_found_again(child, tmp_path):
    source = tmp_path / "users.py"
    source.write_text(
        "import numba\n"
        "from fastnn import kernels\n\n\n"
        "@numba.njit(cache=True)\n"
        "def squash(x, out):\n"
        "    for i in range(x.size):\n"
        "        out[i] = kernels.tanh(x[i]) + kernels.leaky_relu(x[i])\n"
    )
    first = child("call_cached", tmp_path, NUMBA_CACHE_DIR=tmp_path / "cache")
    second = child("call_cached", tmp_path, NUMBA_CACHE_DIR=tmp_path / "cache")
    assert first["hits"] == 0
    assert second["hits"] == 1
    assert first["result"] == second["result"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu", "leaky_relu", "softplus"])
def test_loops_of_users_vectorise(name, dtype):
    if not llvm.get_host_cpu_features().get("avx2", False):
        pytest.skip("no vectors known to this test")
    kernel = getattr(kernels, name)

    @numba.njit
    def loop(x, out):
        for i in range(x.size):
            out[i] = kernel(x[i])

    loop(numbers(4, dtype), np.empty(4, dtype))
    (assembly,) = loop.inspect_asm().values()
    letter = "s" if dtype == "float32" else "d"
    assert re.search(rf"v(?:mul|add|fn?madd\d+|max|min|cmp\w*)p{letter}\s.*%[yz]mm", assembly)
    names = "exp|expm1|log|log1p|tanh|pow|ldexp|erf|fma"
    assert not re.findall(rf"(?:\$|call\w*\s+)_?(?:(?:{names})f?|__svml\w*)\b", assembly)
    assert not re.search(r"cvtps2pd|cvtss2sd", assembly)


@each_shape
def test_where(name):
    x = arguments(name, 130, "float64")
    mask = np.arange(130) % 3 == 0
    expected = results(name, *x)
    places = tuple(np.full(130, 9.0) for _ in expected)
    apply(name, *x, where=mask, out=places)
    for place, y in zip(places, expected, strict=True):
        np.testing.assert_array_equal(place, np.where(mask, y, 9))


def test_threads_that_ask_for_a_new_ufunc_get_the_same(child):
    assert child("make_a_ufunc_in_threads", timeout=300) == [1, 1]
