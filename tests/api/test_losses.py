"""Costs against their references, in the tails, and on bad input."""

import copy
import inspect
import pickle

import mpmath
import numpy as np
import pytest
from support.loss_cases import CASES, IDS, made, sample
from support.networks import DTYPES
from support.tolerance import assert_close

import fastnn
from fastnn import losses
from fastnn.losses import COSTS, LOSSES
from fastnn.reference.losses import COSTS as REFERENCE

SHAPES = [(1, 1), (7, 3), (1000, 1), (3, 40), ((2, 5), 4)]

cases = pytest.mark.parametrize("case", CASES, ids=IDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def test_every_cost_has_its_reference():
    assert set(COSTS) == set(REFERENCE) == set(LOSSES)
    assert all(COSTS[name].spec is spec for name, spec in LOSSES.items())


@pytest.mark.parametrize("name", COSTS)
def test_classes_come_from_the_table(name):
    kind, spec = COSTS[name], LOSSES[name]
    assert getattr(losses, name) is kind is getattr(fastnn, name)
    assert name in losses.__all__
    assert name in fastnn.__all__
    for heading in ("Parameters", "Notes", "References", "Examples"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in inspect.getdoc(kind)
    assert all(peer in kind.__doc__ for peer in ("PyTorch", "Keras", "optax"))
    assert kind().reduction == spec.reduction
    known = inspect.signature(kind).parameters
    assert list(known) == ["reduction", *spec.parameters]
    assert all(known[key].default == value for key, value in spec.parameters.items())
    cost = kind("mean" if spec.reduction == "sum" else "sum")
    assert repr(kind()) == f"{name}()"
    assert repr(cost) == f"{name}(reduction={cost.reduction!r})"
    for twin in (copy.deepcopy(cost), pickle.loads(pickle.dumps(cost))):
        assert type(twin) is kind
        assert (twin.reduction, twin.parameters) == (cost.reduction, cost.parameters)


def close_to_size(found, expected, size, operations):
    """Equal up to roundings of numbers of a size, which may cancel."""
    assert_close(np.append(found, size).astype(found.dtype), np.append(expected, size),
                 operations=operations)  # fmt: skip


@dtypes
@pytest.mark.parametrize("shape", SHAPES)
@cases
def test_equals_reference(case, shape, dtype):
    cost, reference = made(case)
    logits, t = sample(cost, *shape, dtype)
    kept = logits.copy()
    exact, target = logits.astype(np.float64), t.astype(np.float64)
    rows, n = logits.shape[:-1], 8 + logits.shape[-1]
    weights = np.random.default_rng(1).uniform(0, 2, rows).astype(dtype)
    weights[..., 0] = 0
    each = np.array(
        [reference.value(a, b) for a, b in zip(exact.reshape(-1, exact.shape[-1]),
                                              target.reshape(-1, t.shape[-1]), strict=True)]
    ).reshape(rows)  # fmt: skip
    delta = reference.delta(exact, target)
    # of the cosine, what cancels is as large as the inverse of the length
    lengths = np.linalg.norm(exact, axis=-1)
    turn = 1 / lengths.min() if case[0] == "CosineSimilarity" else 0.0
    # terms of the sums cancel
    size = max(1.0, np.abs(exact).max() * max(1.0, target.max()) * target.shape[-1],
               np.abs(each).max())  # fmt: skip
    for w in (None, weights):
        factor = np.ones(rows) if w is None else w.astype(np.float64)
        for reduction in ("sum", "mean", "none"):
            c, _ = made(case, reduction=reduction)
            found = c(logits, t, w)
            unit = 1 / each.size if reduction == "mean" else 1.0
            if reduction == "none":
                assert found.dtype == dtype
                assert found.shape == rows
                close_to_size(found, factor * each, size, n)
            else:
                assert type(found) is float
                expected = unit * np.sum(factor * each)
                bound = 4 * n**0.5 * np.finfo(dtype).eps * size * each.size * unit
                assert abs(found - expected) <= bound
            slope = c.delta(logits, t, w)
            assert slope.dtype == dtype
            expected = unit * factor[..., np.newaxis] * delta
            close_to_size(slope, expected, unit * turn, 4 * n)
    assert_close(cost.activate(logits), reference.activate(exact), operations=n)
    assert np.array_equal(logits, kept)


@dtypes
@cases
def test_many_samples_are_their_parts(case, dtype):
    """More than kernels take at once; with weights, and in parts that end elsewhere."""
    logits, t = sample(made(case)[0], 2500, 3, dtype)
    kept, weights = (logits.copy(), t.copy()), np.random.default_rng(1).uniform(0, 2, 2500)
    weights = weights.astype(dtype)
    for w in (None, weights):
        parts = [
            (logits[k : k + 700], t[k : k + 700], None if w is None else w[k : k + 700])
            for k in range(0, 2500, 700)
        ]
        total, each = made(case, reduction="sum")[0], made(case, reduction="none")[0]
        found, expected = total(logits, t, w), [total(*part) for part in parts]
        single = np.concatenate([each(*part) for part in parts])
        assert_close(each(logits, t, w), single, operations=4)
        bound = 4 * t.size**0.5 * np.finfo(dtype).eps * np.abs(single).sum()
        assert abs(found - sum(expected)) <= bound
        delta = np.concatenate([total.delta(*part) for part in parts])
        assert_close(total.delta(logits, t, w), delta, operations=4)
    rows = np.concatenate([total.activate(logits[k : k + 700]) for k in range(0, 2500, 700)])
    assert_close(total.activate(logits), rows, operations=4)
    assert np.array_equal(logits, kept[0])
    assert np.array_equal(t, kept[1])


@cases
def test_delta_is_the_derivative_of_the_cost(case):
    cost, _ = made(case)
    logits, t = sample(cost, 4, 3, np.float64)
    delta = cost.delta(logits, t)
    step = 1e-4
    for place in np.ndindex(*logits.shape):
        slopes = []
        for h in (step, step / 2):
            above, below = logits.copy(), logits.copy()
            above[place] += h
            below[place] -= h
            slopes.append((cost(above, t) - cost(below, t)) / (2 * h))
        numeric = (4 * slopes[1] - slopes[0]) / 3
        assert numeric == pytest.approx(delta[place], rel=1e-6, abs=1e-6 * np.abs(delta).max())


# --- tails -----------------------------------------------------------------------------------


def sigma(a):
    return 1 / (1 + mpmath.exp(-a))


def entropy(a, t):
    return t * mpmath.log1p(mpmath.exp(-a)) + (1 - t) * mpmath.log1p(mpmath.exp(a))


EXACT = {  # of activity and target: the cost, and its derivative
    "SumSquaresError": (lambda a, t: (a - t) ** 2 / 2, lambda a, t: a - t),
    "MeanSquaredError": (lambda a, t: (a - t) ** 2, lambda a, t: 2 * (a - t)),
    "MeanAbsoluteError": (lambda a, t: abs(a - t), lambda a, t: mpmath.sign(a - t)),
    "SigmoidCrossEntropy": (
        entropy,
        lambda a, t: -sigma(-a) if t == 1 else (sigma(a) if t == 0 else sigma(a) - t),
    ),
    "Huber": (
        lambda a, t: (a - t) ** 2 / 2 if abs(a - t) <= 1 else abs(a - t) - mpmath.mpf(1) / 2,
        lambda a, t: max(-1, min(1, a - t)),
    ),
    "LogCosh": (lambda a, t: mpmath.log(mpmath.cosh(a - t)), lambda a, t: mpmath.tanh(a - t)),
    "Quantile": (lambda a, t: abs(a - t) / 2, lambda a, t: mpmath.sign(a - t) / 2),
    "Poisson": (lambda a, t: mpmath.exp(a) - t * a, lambda a, t: mpmath.exp(a) - t),
    "Hinge": (
        lambda a, t: max(0, 1 - (1 if t > 0 else -1) * a),
        lambda a, t: (-1 if t > 0 else 1) if (1 if t > 0 else -1) * a < 1 else 0,
    ),
    "SquaredHinge": (
        lambda a, t: max(0, 1 - (1 if t > 0 else -1) * a) ** 2,
        lambda a, t: 2 * (-1 if t > 0 else 1) * max(0, 1 - (1 if t > 0 else -1) * a),
    ),
}


def test_every_elementwise_cost_has_an_exact_twin():
    assert set(EXACT) == {name for name, spec in LOSSES.items() if spec.is_elementwise}


@dtypes
@pytest.mark.parametrize("name", EXACT)
def test_tails_of_each_output(name, dtype):
    cost, (value, slope) = COSTS[name](reduction="sum"), EXACT[name]
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    with mpmath.workprec(200):
        for a in (-1e4, -700.0, -100.0, -20.0, -1.0, -1e-6, 0.0, 0.5, 1.0, 15.0, 80.0, 1e4):
            for t in (0.0, 1.0):
                x, y = mpmath.mpf(float(dtype(a))), mpmath.mpf(t)
                if name == "Poisson" and a > 80:
                    continue
                terms = mpmath.exp(x) + y if name == "Poisson" else 0  # which cancel
                found = cost(np.array([[a]], dtype), np.array([[t]], dtype))
                exact = value(x, y)
                assert abs(found - exact) <= 4 * eps * (abs(exact) + terms) + 2 * tiny
                found = float(cost.delta(np.array([[a]], dtype), np.array([[t]], dtype))[0, 0])
                exact = slope(x, y)
                assert abs(found - exact) <= 4 * eps * (abs(exact) + terms) + 2 * tiny


@dtypes
def test_infinite_logits(dtype):
    cost = fastnn.SigmoidCrossEntropy()
    big = np.array([[np.inf, -np.inf]], dtype)
    assert cost(big, np.array([[1.0, 0.0]], dtype)) == 0.0
    assert cost(big, np.array([[0.0, 1.0]], dtype)) == np.inf
    assert np.array_equal(cost.delta(big, [[1.0, 0.0]]), [[0.0, 0.0]])
    assert fastnn.Poisson()(np.array([[-np.inf]], dtype), [[0]]) == 0.0


@dtypes
def test_smoothing_at_its_ends(dtype):
    logits = np.array([[1e4, -1e4, 0.0]], dtype)
    t = np.array([[1.0, 0.0, 0.0]], dtype)
    for kind in (fastnn.SigmoidCrossEntropy, fastnn.SoftmaxCrossEntropy):
        none, plain = kind(label_smoothing=0.0), kind()
        assert (
            none(logits, t)
            == plain(logits, t)
            == (np.log(2) if kind is fastnn.SigmoidCrossEntropy else 0.0)
            or kind is fastnn.SigmoidCrossEntropy
        )
        assert np.array_equal(none.delta(logits, t), plain.delta(logits, t))
        even = kind(label_smoothing=1.0)
        assert even(logits, t) == even(logits, t[:, ::-1])
        assert np.isfinite(even.delta(logits, t)).all()
    assert fastnn.SoftmaxCrossEntropy(label_smoothing=1.0)(logits, t) == pytest.approx(1e4)


def exact_softmax(a):
    top = max(a)
    e = [mpmath.exp(x - top) for x in a]
    return [x / mpmath.fsum(e) for x in e]


@pytest.mark.one_in(3)
@dtypes
@pytest.mark.parametrize("name", ["SoftmaxCrossEntropy", "KLDivergence"])
@pytest.mark.parametrize(
    "logits",
    [(1e4, -1e4, 0.0), (0.0, 30.0, 0.0), (80.0, 0.0, -20.0), (3.0, 3.0, -1.0), (0.0, 0.0, 0.0)],
)
def test_tails_of_the_softmax(name, logits, dtype):
    cost = COSTS[name]()
    eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
    with mpmath.workprec(40000):  # exp(-2e4)
        a = [mpmath.mpf(float(x)) for x in logits]
        y = exact_softmax(a)
        for t in [(1, 0, 0), (0, 1, 0), (0, 0, 1)]:
            exact = -mpmath.log(y[t.index(1)])
            found = cost(np.array([logits], dtype), np.array([t], dtype))
            assert abs(found - exact) <= 8 * eps * abs(exact) + 2 * tiny
            slopes = cost.delta(np.array([logits], dtype), np.array([t], dtype))[0]
            for k in range(3):
                exact = y[k] - t[k]
                assert abs(float(slopes[k]) - exact) <= 8 * eps * abs(exact) + 2 * tiny


@dtypes
def test_infinite_logits_of_the_softmax(dtype):
    cost = fastnn.SoftmaxCrossEntropy()
    logits = np.array([[1e4, -1e4, 0.0], [0.0, 0.0, -np.inf]], dtype)
    assert cost(logits, np.array([[0, 1, 0], [1, 0, 0]])) == pytest.approx(2e4 + np.log(2))
    assert cost(logits, np.array([[1, 0, 0], [1, 0, 0]])) == pytest.approx(np.log(2))
    assert np.array_equal(cost.activate(logits), np.array([[1, 0, 0], [0.5, 0.5, 0]], dtype))
    assert np.isfinite(cost.delta(logits, np.eye(3)[:2])).all()


def test_divergence_of_probabilities_from_themselves_is_zero():
    cost = fastnn.KLDivergence()
    logits = np.log([[0.5, 0.25, 0.25], [1.0, 1e-300, 1e-300]])
    t = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    assert abs(cost(logits, t)) <= 4e-16
    assert np.abs(cost.delta(logits, t)).max() <= 2e-16
    assert cost([[0.0, 0.0]], [[1.0, 0.0]]) == pytest.approx(np.log(2))


@dtypes
def test_divergence_is_never_negative(dtype):
    """Of close distributions too, where it is e²/2 of relative differences e, with many digits."""
    cost, rng = fastnn.KLDivergence("none"), np.random.default_rng(0)
    logits = rng.normal(size=(1000, 10)).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    y = np.exp(logits.astype(np.float64))
    y /= y.sum(axis=1, keepdims=True)
    found = cost(logits, y.astype(dtype))
    assert (found >= 0).all()
    assert found.max() <= 64 * eps**2
    factor = 1 + eps**0.25 * rng.normal(size=y.shape)
    t = (y * factor / (y * factor).sum(axis=1, keepdims=True)).astype(dtype)
    with mpmath.workprec(200):
        for a, b, ours in zip(logits[:50], t[:50], cost(logits[:50], t[:50]), strict=True):
            exact = exact_softmax([mpmath.mpf(float(x)) for x in a])
            p = [mpmath.mpf(float(x)) for x in b]
            # without the rounding of the sum, which is not known from 1
            exact = mpmath.fsum(
                u * mpmath.log(u / v) + v - u for u, v in zip(p, exact, strict=True)
            )
            assert abs(float(ours) - exact) <= 16 * eps**0.75 * exact


@dtypes
def test_divergence_of_targets_that_do_not_sum_to_one(dtype):
    cost, a = fastnn.KLDivergence(), np.array([[0.5, -1.0, 2.0]], dtype)
    t = np.array([[0.2, 0.1, 0.05]], dtype)
    y = cost.activate(a)
    exact = (t * np.log(t / y)).sum()
    assert exact < 0
    assert cost(a, t) == pytest.approx(exact, rel=16 * float(np.finfo(dtype).eps))
    assert cost.delta(a, t) == pytest.approx(y * t.sum() - t, rel=16 * float(np.finfo(dtype).eps))


@dtypes
def test_tails_of_the_gaussian(dtype):
    cost = fastnn.GaussianNLL()
    eps = float(np.finfo(dtype).eps)
    with mpmath.workprec(200):
        for mean, s, t in [
            (1e4, 20.0, 0.0),
            (1e4, -20.0, -1e4),
            (0.0, 80.0, 1.0),
            (0.5, -60.0, 0.5),
        ]:
            m, v, y = (mpmath.mpf(float(dtype(x))) for x in (mean, s, t))
            square = (m - y) ** 2 * mpmath.exp(-v)
            a, b = np.array([[mean, s]], dtype), np.array([[t]], dtype)
            exact = (v + square + mpmath.log(2 * mpmath.pi)) / 2
            assert abs(cost(a, b) - exact) <= 8 * eps * (abs(v) + square + 2)
            first, second = cost.delta(a, b)[0].tolist()
            exact = (m - y) * mpmath.exp(-v)
            assert abs(first - exact) <= 8 * eps * abs(exact)
            assert abs(second - (1 - square) / 2) <= 8 * eps * (1 + square)


@dtypes
def test_mixture_of_far_data(dtype):
    cost = fastnn.MixtureDensityError(components=2, targets=2)
    eps = float(np.finfo(dtype).eps)
    a = np.array([[1e4, 0.0, 1e3, 0.0, -1e3, 5.0, -2.0, 1.5]], dtype)
    t = np.array([[-1e4, 3.0]], dtype)
    with mpmath.workprec(400):
        x, y = [mpmath.mpf(float(v)) for v in a[0]], [mpmath.mpf(float(v)) for v in t[0]]
        logits, means, widths = x[:2], (x[2:4], x[4:6]), x[6:]
        squares = [
            mpmath.fsum((m - v) ** 2 for m, v in zip(mean, y, strict=True)) * mpmath.exp(-2 * w)
            for mean, w in zip(means, widths, strict=True)
        ]
        shares = [
            p - 2 * w - s / 2 - mpmath.log(2 * mpmath.pi)
            for p, w, s in zip(logits, widths, squares, strict=True)
        ]
        norm = mpmath.log(mpmath.fsum(map(mpmath.exp, logits)))
        exact = norm - mpmath.log(mpmath.fsum(map(mpmath.exp, shares)))
        assert abs(cost(a, t) - exact) <= 16 * eps * abs(exact)
        part = exact_softmax(shares)
        mixing = exact_softmax(logits)
        found = cost.delta(a, t)[0].astype(float)
        expected = [mixing[k] - part[k] for k in range(2)]
        expected += [
            part[k] * (means[k][j] - y[j]) * mpmath.exp(-2 * widths[k])
            for k in range(2) for j in range(2)
        ]  # fmt: skip
        expected += [part[k] * (2 - squares[k]) for k in range(2)]
        assert np.isfinite(found).all()
        for ours, theirs in zip(found, expected, strict=True):
            assert abs(ours - theirs) <= 16 * eps * max(abs(theirs), mpmath.mpf("1e-30"))


def assert_exact(found, exact, dtype, operations):
    """Equal up to roundings, relative to each number; infinite exactly where it overflows."""
    limit, eps = float(np.finfo(dtype).max), float(np.finfo(dtype).eps)
    if abs(exact) > limit:
        assert found == mpmath.sign(exact) * np.inf
    else:
        bound = operations * (eps * abs(exact) + float(np.finfo(dtype).smallest_subnormal))
        assert abs(float(found) - exact) <= bound


WIDTHS = [-1e4, -2000.0, -1500.0, -1420.0, -1300.0, -800.0, -700.0, -400.0, -180.0, -170.0,
          -150.0, -100.0, -90.0, -60.0, -1.0, 60.0, 180.0, 800.0, 3000.0, 1e4]  # fmt: skip
SOME_WIDTHS = [  # 60,000 bits take seconds each
    pytest.param(s, marks=[] if k % 4 == 1 else [pytest.mark.sweep]) for k, s in enumerate(WIDTHS)
]


@dtypes
@pytest.mark.parametrize("s", WIDTHS)
def test_gaussian_of_any_width(s, dtype):
    cost, info = fastnn.GaussianNLL("none"), np.finfo(dtype)
    sizes = (0.0, info.tiny, float(info.tiny) ** 0.5, -1e-3, 1.0, -1e4)
    with mpmath.workprec(200):
        for apart in sizes:
            a, t = np.array([[apart, s]], dtype), np.zeros((1, 1), dtype)
            d, w = mpmath.mpf(float(a[0, 0])), mpmath.mpf(s)
            square = d * d * mpmath.exp(-w)
            slack = 4 + (abs(w) + square) / (abs(w + square) + 1)  # terms that cancel
            value = (w + square + mpmath.log(2 * mpmath.pi)) / 2
            assert_exact(cost(a, t)[0], value, dtype, 8 * slack)
            slope = cost.delta(a, t)[0]
            assert_exact(slope[0], d * mpmath.exp(-w), dtype, 16)
            # 1 - square cancels
            assert_exact(slope[1], (1 - square) / 2, dtype, 16 * (1 + square) / (abs(1 - square)))


@pytest.mark.one_in(4)
@dtypes
@pytest.mark.parametrize("s", SOME_WIDTHS)
def test_mixture_of_any_width(s, dtype):
    cost, info = fastnn.MixtureDensityError("none", components=2, targets=1), np.finfo(dtype)
    sizes = (0.0, info.tiny, float(info.tiny) ** 0.5, -1e-3, 1.0, -1e4)
    with mpmath.workprec(1000 + int(6 * abs(s))):  # exp(2 s) beside 1
        for apart in sizes:
            a = np.array([[0.5, 0.0, apart, 1.0, s, 1.0]], dtype)
            t = np.zeros((1, 1), dtype)
            x = [mpmath.mpf(float(v)) for v in a[0]]
            logits, means, widths = x[:2], x[2:4], x[4:]
            squares = [m * m * mpmath.exp(-2 * w) for m, w in zip(means, widths, strict=True)]
            mixing = exact_softmax(logits)
            terms = [
                mpmath.log(p) - w - q / 2
                for p, w, q in zip(mixing, widths, squares, strict=True)
            ]  # fmt: skip
            top = max(terms)
            part = exact_softmax(terms)
            log_sum = top + mpmath.log(mpmath.fsum(mpmath.exp(u - top) for u in terms))
            value = mpmath.log(2 * mpmath.pi) / 2 - log_sum
            # an exponential of u is off by |u| roundings
            size = 1 + max((abs(w) + q for w, q, p in zip(widths, squares, part, strict=True)
                            if p > mpmath.mpf(10) ** -600), default=0)  # fmt: skip
            assert_exact(cost(a, t)[0], value, dtype, 16 * size / (abs(value) + 1))
            found = cost.delta(a, t)[0]
            assert not np.isnan(found).any()
            for k in range(2):
                slope = part[k] * means[k] * mpmath.exp(-2 * widths[k])
                assert_exact(found[2 + k], slope, dtype, 16 * size)
            expected = [mixing[k] - part[k] for k in range(2)]
            expected += [part[k] * (1 - squares[k]) for k in range(2)]
            for ours, exact in zip(found[[0, 1, 4, 5]], expected, strict=True):
                bound = 16 * float(info.eps) * size * (1 + part[0] * squares[0])
                assert abs(float(ours) - exact) <= bound


@dtypes
def test_very_narrow(dtype):
    a, eps = np.array([[1.0, -1e4]], dtype), float(np.finfo(dtype).eps)
    gaussian = fastnn.GaussianNLL()
    assert gaussian(a, [[1.0]]) == pytest.approx(np.log(2 * np.pi) / 2 - 5000, rel=2 * eps)
    assert np.array_equal(gaussian.delta(a, [[1.0]]), [[0.0, 0.5]])
    assert np.array_equal(gaussian.delta(a, [[0.0]]), [[np.inf, -np.inf]])
    assert np.array_equal(gaussian.delta(a, [[0.0]], [0.0]), [[0.0, 0.0]])
    mixture = fastnn.MixtureDensityError(components=2)
    a = np.array([[0.0, 0.0, 0.0, 1.0, -800.0, 1.0]], dtype)
    exact = np.log(2 * np.pi) / 2 + np.log(2) - 800  # the other is 0 beside it
    assert mixture(a, [[0.0]]) == pytest.approx(exact, rel=2 * eps)
    assert np.array_equal(mixture.delta(a, [[0.0]]), [[-0.5, 0.5, 0.0, 0.0, 1.0, 0.0]])


@dtypes
def test_infinitely_narrow(dtype):
    """Infinite costs where the likelihood is infinite or zero, and gradients without NaN."""
    narrow = np.array([[0.0, 0.0, 1.0, 5.0, -np.inf, -np.inf]], dtype)
    for cost, a in (
        (fastnn.GaussianNLL(), np.array([[1.0, -np.inf]], dtype)),
        (fastnn.MixtureDensityError(components=2), narrow),
    ):
        assert cost(a, [[1.0]]) == -np.inf
        assert cost(a, [[2.0]]) == np.inf
        for t in (1.0, 2.0):
            assert not np.isnan(cost.delta(a, [[t]])).any()


def test_mixture_of_one_component_is_the_gaussian():
    one, gaussian = fastnn.MixtureDensityError(components=1), fastnn.GaussianNLL()
    assert one([[7.0, 0.3, -0.2]], [[1.0]]) == pytest.approx(gaussian([[0.3, -0.4]], [[1.0]]))


@dtypes
def test_cosine_of_any_length(dtype):
    cost = fastnn.CosineSimilarity("none")
    big, small = float(np.finfo(dtype).max) / 4, float(np.finfo(dtype).tiny)
    a = np.array([[big, 0], [small, small], [1, 1e-3], [-3, 0], [0, 0], [1, 2]], dtype)
    t = np.array([[0, small], [big, big], [1, 0], [5, 0], [1, 1], [0, 0]], dtype)
    found, eps = cost(a, t), np.finfo(dtype).eps
    close = 1 - mpmath.cos(mpmath.atan(float(dtype(1e-3))))
    expected = np.array([1.0, 0.0, float(close), 2.0, 1.0, 1.0])
    assert np.abs(found - expected).max() <= 4 * eps
    assert found[2] == pytest.approx(float(close), rel=2e3 * float(eps))  # no cancellation to 0
    delta = cost.delta(a, t)
    assert np.isfinite(delta).all()
    assert not delta[4:].any()


@pytest.mark.parametrize("name", COSTS)
def test_no_floating_point_warning(name):
    cost = COSTS[name]()
    logits = np.array([[1e308, -1e308], [0.0, -800.0], [800.0, 5e-324]])
    if name not in ("SigmoidCrossEntropy", "SoftmaxCrossEntropy", "KLDivergence", "Hinge"):
        logits = np.clip(logits / 1e160, -300, 300)  # squares and exponentials overflow
    t = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    if cost.outputs_for(getattr(cost, "targets", 2)) != 2:
        logits = np.tile(logits[:, :1], cost.outputs_for(getattr(cost, "targets", 2)))
        t = t[:, : getattr(cost, "targets", 2)]
    with np.errstate(all="raise"):
        assert np.isfinite(cost(logits, t))
        assert np.isfinite(cost.delta(logits, t)).all()
        assert np.isfinite(cost.activate(logits)).all()


# --- arguments -------------------------------------------------------------------------------


@cases
def test_any_layout_gives_the_same(case):
    cost, _ = made(case)
    logits, t = sample(cost, 6, 4, np.float64)
    frozen = logits.copy()
    frozen.flags.writeable = False
    expected = cost(logits, t), cost.delta(logits, t), cost.activate(logits)
    wide = np.zeros((6, 2 * logits.shape[1]))
    wide[:, ::2] = logits
    for given in (
        logits.tolist(),
        wide[:, ::2],
        np.asfortranarray(logits),
        frozen,
        logits.astype(">f8"),
    ):
        found = cost(given, t), cost.delta(given, t), cost.activate(given)
        for ours, theirs in zip(found, expected, strict=True):
            assert np.array_equal(ours, theirs)


@cases
def test_nan_gives_nan(case):
    cost, _ = made(case, reduction="none")
    logits, t = sample(cost, 3, 4, np.float64)
    logits[1, 0] = np.nan
    found = cost(logits, t)
    assert np.array_equal(np.isnan(found), [False, True, False])
    delta = cost.delta(logits, t)
    assert np.isnan(delta[1, 0])
    assert np.isfinite(delta[[0, 2]]).all()
    logits[1, 0], t[2, 0] = 0.0, np.nan
    if cost.spec.targets != "signs":
        assert np.isnan(cost(logits, t)[2]) or cost.parameters.get("label_smoothing") == 1.0


@pytest.mark.parametrize("name", COSTS)
def test_bad_input(name):
    cost = COSTS[name]()
    outputs, columns = cost.outputs_for(getattr(cost, "targets", 2)), getattr(cost, "targets", 2)
    a, t = np.zeros((2, outputs)), np.zeros((2, columns))
    with pytest.raises(ValueError, match=r"targets have shape \(2, 7\), expected .*\(2, \d\)"):
        cost(a, np.ones((2, 7)))
    with pytest.raises(TypeError, match="logits must hold real numbers, not complex128"):
        cost(a * 1j, t)
    with pytest.raises(TypeError, match="targets must hold real numbers"):
        cost.delta(a, np.full(t.shape, "a"))
    with pytest.raises(ValueError, match="logits is not an array of numbers"):
        cost.activate([[1, 2], [3]])
    with pytest.raises(ValueError, match="targets is not an array of numbers"):
        cost(a, [[1, 2], [3]])
    with pytest.raises(ValueError, match=r"sample_weight has shape \(3,\), expected .*\(2,\)"):
        cost(a, t, [1, 1, 1])
    with pytest.raises(ValueError, match=r"sample_weight\[1\] is -1.0, expected a finite number"):
        cost.delta(a, t, [1, -1])
    with pytest.raises(ValueError, match="reduction must be 'sum', 'mean' or 'none', not 'total'"):
        COSTS[name]("total")
    with pytest.raises(TypeError, match=rf"nonsense: no parameter of {name}, which has|unexpected"):
        COSTS[name](nonsense=1)
    empty = np.empty((0, outputs))
    assert cost(empty, t[:0]) == 0.0
    assert COSTS[name]("none")(empty, t[:0]).shape == (0,)
    assert cost.activate(empty).shape == empty.shape


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("SigmoidCrossEntropy", 1.5, "a probability, from 0 to 1"),
        ("SoftmaxCrossEntropy", -0.5, "a probability, from 0 to 1"),
        ("KLDivergence", 2.0, "a probability, from 0 to 1"),
        ("Poisson", -1.0, "a number, at least 0"),
        ("Hinge", 0.5, "-1 or 1, or 0 for -1"),
        ("SquaredHinge", 2.0, "-1 or 1, or 0 for -1"),
    ],
)
def test_targets_out_of_range(name, target, words):
    cost = COSTS[name]()
    t = np.ones((3, 2))
    t[2, 1] = target
    with pytest.raises(ValueError, match=rf"targets\[2, 1\] is {target}, expected {words}"):
        cost(np.zeros((3, 2)), t)
    nn = fastnn.NeuralNetwork([fastnn.LinearLayer(1, 2)], cost)
    with pytest.raises(ValueError, match=rf"^t\[2, 1\] is {target}, expected {words}"):
        nn.fit(np.zeros((3, 1)), t, 0.1)
    good = np.ones((3, 2))
    with pytest.raises(ValueError, match=rf"validation_data\[1\]\[2, 1\] is {target}, expected"):
        nn.fit(np.zeros((3, 1)), good, 0.1, validation_data=(np.zeros((3, 1)), t))


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("Huber", {"delta": 0}, "delta must be above 0, but is 0.0"),
        ("Huber", {"delta": np.inf}, "delta must be a finite number"),
        ("Quantile", {"q": 1}, "q must be between 0 and 1, but is 1.0"),
        ("SigmoidCrossEntropy", {"label_smoothing": 1.1}, "label_smoothing must be from 0 to 1"),
        ("SoftmaxCrossEntropy", {"label_smoothing": -1}, "label_smoothing must be from 0 to 1"),
        ("SoftmaxCrossEntropy", {"class_weight": [1, -1]}, r"class_weight\[1\] is -1.0"),
        ("SoftmaxCrossEntropy", {"class_weight": []}, "class_weight is empty, expected one number"),
        ("SoftmaxCrossEntropy", {"class_weight": 1.0}, r"class_weight has shape \(\)"),
        ("MixtureDensityError", {"components": 0}, "components must be at least 1, but is 0"),
        ("MixtureDensityError", {"targets": 0}, "targets must be at least 1, but is 0"),
    ],
)
def test_parameters_out_of_range(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        COSTS[name](**parameters)


def test_parameters_are_given_by_name():
    message = r"reduction must be .*, not 0\.5; parameters are given by name: delta="
    with pytest.raises(ValueError, match=message):
        fastnn.Huber(0.5)
    with pytest.raises(ValueError, match=r"not 3; .* by name: components=, targets=$"):
        fastnn.MixtureDensityError(3)
    with pytest.raises(ValueError, match=r"not 0\.5$"):
        fastnn.LogCosh(0.5)
    with pytest.raises(ValueError, match=r"not 'total'$"):
        fastnn.Huber("total")


def test_parameters_of_another_kind():
    with pytest.raises(TypeError, match="q must be a number, not 'a'"):
        fastnn.Quantile(q="a")
    with pytest.raises(TypeError, match=r"components must be an int, not 2\.0"):
        fastnn.MixtureDensityError(components=2.0)
    with pytest.raises(ValueError, match="class_weight has 2 numbers, expected 3"):
        fastnn.SoftmaxCrossEntropy(class_weight=[1, 2])(np.zeros((1, 3)), [0])
    with pytest.raises(AttributeError):
        fastnn.Quantile(q=0.2).q = 0.3
    assert fastnn.Quantile(q=0.2).q == 0.2


def test_numbers_of_outputs():
    with pytest.raises(ValueError, match="GaussianNLL needs 2 outputs for each target, not 3 in"):
        fastnn.GaussianNLL().activate(np.zeros((1, 3)))
    cost = fastnn.MixtureDensityError(components=2, targets=2)
    assert (cost.outputs_for(2), cost.targets_for(8)) == (8, 2)
    with pytest.raises(ValueError, match=r"\(components=2, targets=2\) needs 8 outputs, not 7"):
        cost(np.zeros((1, 7)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="has 2 targets, not 3"):
        cost.outputs_for(3)


# --- labels ----------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("more", [{}, {"label_smoothing": 0.1}, {"class_weight": (1, 2, 0.5)}])
def test_labels_are_one_hot_rows(more, dtype):
    cost = fastnn.SoftmaxCrossEntropy(**more)
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 5, 3)).astype(dtype), rng.integers(0, 3, (2, 5))
    for given in (labels, labels.astype("u1"), labels.astype(float), labels.tolist()):
        assert cost(logits, given) == cost(logits, np.eye(3)[labels])
        assert np.array_equal(cost.delta(logits, given), cost.delta(logits, np.eye(3)[labels]))
    assert cost(logits[0, 0], 2) == cost(logits[0, 0], [0, 0, 1])


@pytest.mark.parametrize(
    ("labels", "shown"), [([0, 3, 1], "3"), ([0, -1, 1], "-1"), ([0, 1.5, 1], "1.5")]
)
def test_labels_out_of_range(labels, shown):
    message = rf"\[1\] is {shown}, expected a class, from 0 to 2"
    with pytest.raises(ValueError, match="targets" + message):
        fastnn.SoftmaxCrossEntropy()(np.zeros((3, 3)), labels)
    nn = fastnn.NeuralNetwork([fastnn.LinearLayer(1, 3)], fastnn.SoftmaxCrossEntropy())
    before = nn.parameters.copy()
    with pytest.raises(ValueError, match="^t" + message):
        nn.fit(np.zeros((3, 1)), labels, 0.1)
    with pytest.raises(ValueError, match=r"t\[0\] is nan, expected a class"):
        nn.fit(np.zeros((3, 1)), [np.nan, 0, 0], 0.1)
    assert np.array_equal(nn.parameters, before)


def test_signs_may_be_zeros_and_ones():
    a = np.random.default_rng(0).normal(size=(5, 2))
    t = np.random.default_rng(1).integers(0, 2, (5, 2))
    for cost in (fastnn.Hinge(), fastnn.SquaredHinge()):
        assert cost(a, t) == cost(a, 2 * t - 1)
        assert np.array_equal(cost.delta(a, t), cost.delta(a, 2 * t - 1))


def test_article_s_numbers_on_ordinary_logits():
    """On logits where the article's own formulas are exact, the same numbers come out."""
    a, t = np.array([[-1.5, 0.3]]), np.array([[0.0, 1.0]])
    p = 1 / (1 + np.exp(-a))
    article = np.sum(-t * np.log(p) - (1 - t) * np.log(1 - p))
    assert fastnn.SigmoidCrossEntropy()(a, t) == pytest.approx(article, rel=1e-14)
    assert np.allclose(fastnn.SigmoidCrossEntropy().delta(a, t), p - t, rtol=1e-14)
    assert fastnn.SumSquaresError().delta(a, t) == pytest.approx(a - t)
