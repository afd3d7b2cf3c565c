"""Initial weights: their distribution against theory, their source, and bad input."""

import copy
import pickle

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import truncnorm

from fastnn.initializers import INITIALIZERS, Initializer, find, get_init, truncated_normal

FAN_IN, FAN_OUT = SHAPE = (400, 250)  # unequal, so that one in place of the other shows
CUT_OFF_STD = 0.87962566103423978  # of N(0, 1) cut off at ±2, as Keras has it
FIXED = ("zeros", "constant")

# variance of the weights, by the family of rows
SCALED = {
    "glorot": 2 / (FAN_IN + FAN_OUT),
    "he": 2 / FAN_IN,
    "lecun": 1 / FAN_IN,
}


def uniform_case(name, parameters, low, high):
    # E x⁴ / (E x²)² about the mean is 9/5 for the uniform distribution
    return name, parameters, (low + high) / 2, (high - low) / 12**0.5, 1.8, low, high


def cut_off_case(name, parameters, std):
    # moments of N(0, 1) cut off at ±2, with r = 2 φ(2) / (Φ(2) - Φ(-2)): E x² = 1 - 2 r and
    # E x⁴ = 3 E x² - 8 r
    r = 2 * np.exp(-2.0) / (2 * np.pi) ** 0.5 / (ndtr(2.0) - ndtr(-2.0))
    square, fourth = 1 - 2 * r, 3 * (1 - 2 * r) - 8 * r
    return name, parameters, 0.0, std * square**0.5, fourth / square**2, -2 * std, 2 * std


# name, parameters, mean, standard deviation, kurtosis, and the ends of the distribution
DISTRIBUTIONS = [
    uniform_case("uniform", {}, -0.05, 0.05),
    uniform_case("uniform", {"low": 1, "high": 4}, 1.0, 4.0),
    uniform_case("siren", {}, -((6 / FAN_IN) ** 0.5) / 30, (6 / FAN_IN) ** 0.5 / 30),
    uniform_case("siren", {"omega": 2}, -((6 / FAN_IN) ** 0.5) / 2, (6 / FAN_IN) ** 0.5 / 2),
    uniform_case("siren_first", {}, -1 / FAN_IN, 1 / FAN_IN),
    ("normal", {}, 0.0, 1.0, 3.0, -np.inf, np.inf),
    ("normal", {"mean": -2, "std": 0.5}, -2.0, 0.5, 3.0, -np.inf, np.inf),
    cut_off_case("truncated_normal", {}, 1.0),
    cut_off_case("truncated_normal", {"std": 3}, 3.0),
    *(
        case
        for family, variance in SCALED.items()
        for parameters, std in (({}, variance**0.5), ({"gain": 3}, 3 * variance**0.5))
        for case in (
            uniform_case(f"{family}_uniform", parameters, -(3**0.5) * std, 3**0.5 * std),
            cut_off_case(f"{family}_normal", parameters, std / CUT_OFF_STD),
        )
    ),
]


def test_every_row_is_tested():
    assert {case[0] for case in DISTRIBUTIONS} | {*FIXED, "orthogonal"} == set(INITIALIZERS)


@pytest.mark.parametrize(
    ("name", "parameters", "mean", "std", "kurtosis", "low", "high"), DISTRIBUTIONS
)
def test_moments(name, parameters, mean, std, kurtosis, low, high):
    w = get_init(name, **parameters)(SHAPE, rng=0)
    # five standard errors: σ/√n of the mean, σ² sqrt((κ - 1) / n) of the variance
    assert abs(w.mean() - mean) <= 5 * std / w.size**0.5
    assert abs(w.var() - std**2) <= 5 * std**2 * ((kurtosis - 1) / w.size) ** 0.5
    # the ends hold, and are reached: the largest of n leaves out about 1/n of the distribution
    assert low <= w.min()
    assert w.max() <= high
    if np.isfinite(high):
        assert w.min() - low <= 0.01 * std
        assert high - w.max() <= 0.01 * std


@pytest.mark.parametrize("family", SCALED)
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_scaled_rows_have_the_deviation_of_their_formula(family, distribution):
    w = get_init(f"{family}_{distribution}")(SHAPE, rng=1)
    # neither distribution has a kurtosis above 2.5
    assert abs(w.var() / SCALED[family] - 1) <= 5 * (1.5 / w.size) ** 0.5


@pytest.mark.parametrize("std", [0.0, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(7,), (4, 3), (2, 3, 4)])
def test_truncated_normal_is_drawn_by_inversion(shape, std):
    np.random.seed(11)  # noqa: NPY002
    found = truncated_normal(shape, std, None)
    np.random.seed(11)  # noqa: NPY002
    u = np.random.uniform(size=shape)  # noqa: NPY002
    assert np.array_equal(found, std * ndtri(ndtr(-2.0) + u * (ndtr(2.0) - ndtr(-2.0))))
    assert np.array_equal(truncated_normal(shape, std, 5), truncated_normal(shape, std, 5))
    if len(shape) == 2:
        assert np.array_equal(
            get_init("truncated_normal", std=std)(shape, 5), truncated_normal(shape, std, 5)
        )


def test_truncated_normal_gives_the_numbers_of_the_article():
    np.random.seed(11)  # noqa: NPY002
    expected = truncnorm(a=-2, b=2, scale=1.0).rvs((4, 3))
    np.random.seed(11)  # noqa: NPY002
    assert np.allclose(truncated_normal((4, 3), 1.0, None), expected, rtol=1e-12, atol=0)


def test_fixed_values():
    assert np.array_equal(get_init("zeros")((2, 3)), np.zeros((2, 3)))
    assert np.array_equal(get_init("constant")((2, 3)), np.zeros((2, 3)))
    assert np.array_equal(get_init("constant", value=-2)((2, 3)), np.full((2, 3), -2.0))


@pytest.mark.parametrize("gain", [1.0, 0.25, 3.0])
@pytest.mark.parametrize("shape", [(40, 40), (60, 20), (20, 60), (1, 5), (5, 1), (1, 1)])
def test_orthogonal(shape, gain):
    w = get_init("orthogonal", gain=gain)(shape, rng=0)
    assert w.shape == shape
    product = w.T @ w if shape[0] >= shape[1] else w @ w.T
    # Householder QR is off by a small multiple of n eps (Higham 2002, theorem 19.4)
    tolerance = 8 * max(shape) * np.finfo(np.float64).eps * gain**2
    assert np.abs(product - gain**2 * np.eye(min(shape))).max() <= tolerance


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5)])
def test_orthogonal_is_haar_distributed(shape):
    rng, n = np.random.default_rng(0), 4000
    init = get_init("orthogonal")
    w = np.array([init(shape, rng) for _ in range(n)])
    # each entry is one coordinate of a random point of a sphere in d dimensions: its mean is 0,
    # its square 1/d on average, with a variance below 2/d²
    d = max(shape)
    assert np.abs(w.mean(axis=0)).max() <= 5 / (n * d) ** 0.5
    assert np.abs((w**2).mean(axis=0) - 1 / d).max() <= 5 * 2**0.5 / d / n**0.5


@pytest.mark.parametrize("name", INITIALIZERS)
def test_rng_fixes_the_weights(name):
    init = get_init(name)
    seeded = init((4, 3), rng=3)
    for rng in (np.int64(3), np.random.default_rng(3)):
        assert np.array_equal(init((4, 3), rng), seeded)
    np.random.seed(3)  # noqa: NPY002
    first, second = init((4, 3)), init((4, 3))
    np.random.seed(3)  # noqa: NPY002
    assert np.array_equal(init((4, 3)), first)
    generator = np.random.default_rng(3)
    init((4, 3), generator)
    drawn = generator.bit_generator.state != np.random.default_rng(3).bit_generator.state
    for a, b in ((first, second), (seeded, init((4, 3), 4)), (seeded, init((4, 3), generator))):
        assert np.array_equal(a, b) is (name in FIXED)
    assert drawn is (name not in FIXED)


@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (3, 4), [2, 5], (np.int64(2), 1)])
@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_are_plain_arrays_of_the_caller_s_own(name, shape):
    init = get_init(name)
    w = init(shape, rng=0)
    assert w.shape == tuple(shape)
    assert w.dtype == np.float64
    assert w.flags.c_contiguous
    assert w.flags.writeable
    assert w.flags.owndata
    expected = w.copy()
    w += 1
    assert np.array_equal(init(shape, rng=0), expected)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("glorot", "glorot_uniform"),
        ("xavier", "glorot_uniform"),
        ("Xavier-Normal", "glorot_normal"),
        ("xavier_uniform", "glorot_uniform"),
        ("he", "he_uniform"),
        ("kaiming", "he_uniform"),
        ("kaiming_uniform", "he_uniform"),
        ("KaimingNormal", "he_normal"),
        ("lecun", "lecun_uniform"),
        ("TruncatedNormal", "truncated_normal"),
    ],
)
def test_aliases(alias, name):
    assert get_init(alias).name == name
    assert find(alias) is INITIALIZERS[name]


def ones(shape, rng):
    return np.ones(shape, dtype=np.float32, order="F")


class Eye:
    def __call__(self, shape, rng):
        return np.eye(*shape, dtype=int).tolist()


MATRIX = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("given", "shown", "expected"),
    [
        (MATRIX.tolist(), "matrix()", MATRIX),
        (MATRIX.astype(">f4").T.copy().T, "matrix()", MATRIX),
        (MATRIX.astype(np.uint8), "matrix()", MATRIX),
        (ones, "ones()", np.ones((2, 3))),
        (Eye(), "Eye()", np.eye(2, 3)),
    ],
)
def test_a_matrix_or_a_callable(given, shown, expected):
    init = get_init(given)
    assert get_init(init) is init
    assert repr(init) == shown
    for same in (init, pickle.loads(pickle.dumps(init)), copy.deepcopy(init)):
        w = same((2, 3), rng=0)
        assert w.dtype == np.float64
        assert w.flags.c_contiguous
        assert np.array_equal(w, expected)
        w += 1  # neither what was given nor what is given next changes
        assert np.array_equal(same((2, 3)), expected)


def test_the_matrix_is_copied():
    given = MATRIX.copy()
    init = get_init(given)
    given += 1
    assert np.array_equal(init((2, 3)), MATRIX)


@pytest.mark.parametrize("rng", [None, 3, np.random.default_rng(3)])
def test_a_callable_gets_shape_and_rng(rng):
    calls = []

    def draw(*arguments):
        calls.append(arguments)
        return MATRIX

    get_init(draw)([2, 3], rng)
    assert calls == [((2, 3), rng)]
    assert calls[0][1] is rng


@pytest.mark.parametrize("name", INITIALIZERS)
def test_copies_and_repr(name):
    defaults = INITIALIZERS[name].parameters
    init = get_init(name, **dict.fromkeys(defaults, 2))
    assert isinstance(init, Initializer)
    assert repr(init) == f"{name}({', '.join(f'{p}=2.0' for p in defaults)})"
    for same in (pickle.loads(pickle.dumps(init)), copy.deepcopy(init)):
        assert repr(same) == repr(init)
        assert same.draw is INITIALIZERS[name]
        assert np.array_equal(same((4, 3), 0), init((4, 3), 0))
    assert get_init(name).parameters == defaults


@pytest.mark.parametrize(
    ("init", "parameters", "error", "message"),
    [
        ("glorott", {}, ValueError, "unknown initializer 'glorott'; nearest: glorot"),
        ("", {}, ValueError, "unknown initializer ''; nearest: "),
        ("normal", {"sd": 1}, TypeError, "normal has no parameter sd; known: mean, std"),
        ("normal", {"b": 1, "a": 1}, TypeError, "normal has no parameter b, a; known: mean"),
        ("zeros", {"value": 1}, TypeError, "zeros has no parameter value; known: none"),
        ("normal", {"std": -1}, ValueError, "std must be at least 0, but is -1.0"),
        ("truncated_normal", {"std": -1}, ValueError, "std must be at least 0, but is -1.0"),
        ("he", {"gain": -1}, ValueError, "gain must be at least 0, but is -1.0"),
        ("orthogonal", {"gain": "1"}, TypeError, "gain must be a number, not '1'"),
        ("normal", {"mean": np.nan}, ValueError, "mean must be a finite number, not nan"),
        ("constant", {"value": None}, TypeError, "value must be a number, not None"),
        ("uniform", {"low": 1}, ValueError, r"low must not be above high .*: U\(1.0, 0.05\)"),
        ("uniform", {"low": -1.7e308, "high": 1.7e308}, ValueError, "nor endlessly below"),
        (MATRIX, {"gain": 1}, TypeError, "parameters go with a name only, .*: gain"),
        (ones, {"gain": 1}, TypeError, "parameters go with a name only, .*: gain"),
        (get_init("he"), {"gain": 1}, TypeError, "parameters go with a name only, .*: gain"),
        (None, {}, TypeError, "init must be a name, a matrix, a callable or an Initializer: "),
        (MATRIX * 1j, {}, TypeError, "init must hold real numbers, not complex128"),
        (0.5, {}, ValueError, r"init has shape \(\), expected .*get_init\(\"constant\""),
        ([1, 2], {}, ValueError, r"init has shape \(2,\), expected \(fan_in, fan_out\)$"),
        ([[], []], {}, ValueError, r"init has shape \(2, 0\), expected"),
        ([[1, 2], [3]], {}, ValueError, "init is not an array of numbers"),
        ([[1, np.nan]], {}, ValueError, "init must hold finite numbers only"),
    ],
)
def test_bad_arguments(init, parameters, error, message):
    with pytest.raises(error, match=message):
        get_init(init, **parameters)


@pytest.mark.parametrize(
    ("init", "arguments", "error", "message"),
    [
        ("zeros", (3,), TypeError, r"shape must be \(fan_in, fan_out\), not 3"),
        ("zeros", ((3,),), ValueError, r"shape must be \(fan_in, fan_out\), not \(3,\)"),
        ("zeros", ((3, 2, 1),), ValueError, r"shape must be \(fan_in, fan_out\), not "),
        ("zeros", ((0, 1),), ValueError, "fan_in must be at least 1, but is 0"),
        ("zeros", ((1, -1),), ValueError, "fan_out must be at least 1, but is -1"),
        ("zeros", ((1, 2.0),), TypeError, "fan_out must be an int, not 2.0"),
        ("zeros", ((1, 2), "3"), TypeError, "rng must be None, an int or a "),
        (MATRIX, ((1, 2), -3), ValueError, "rng must not be negative, but is -3"),
        (MATRIX, ((3, 2),), ValueError, r"from matrix\(\) have shape \(2, 3\), expected \(3, 2\)"),
        (lambda shape, rng: 1.0, ((3, 2),), ValueError, r"from <lambda>\(\) have shape \(\), exp"),
        (lambda shape, rng: np.full(shape, np.inf), ((1, 2),), ValueError, "are not finite"),
        (lambda shape, rng: [["a"]], ((1, 1),), TypeError, "initial weights must hold real numb"),
        (lambda shape, rng: None, ((1, 1),), TypeError, "initial weights must hold real numbers"),
    ],
)
def test_bad_use(init, arguments, error, message):
    with pytest.raises(error, match=message):
        get_init(init)(*arguments)


def test_weights_too_large_for_a_float_are_refused():
    with pytest.raises(ValueError, match=r"from normal\(mean=0.0, std=1.7e\+308\) are not finite"):
        get_init("normal", std=1.7e308)((10, 10), rng=0)
