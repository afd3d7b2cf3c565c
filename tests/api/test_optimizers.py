"""Update rules: equal to their references however they are called, and told of every mistake."""

import contextlib
import copy
import itertools
import pickle
import re

import numpy as np
import pytest
from numba import njit
from support.networks import DTYPES, data, network, optimizer
from support.tolerance import assert_close

import fastnn
from fastnn import get_opt
from fastnn.kernels import train_step
from fastnn.kernels.engine import train as engine
from fastnn.optimizers import RULES
from fastnn.optimizers import optimizer as _optimizer
from fastnn.optimizers.table import find
from fastnn.reference import ReferenceOptimizer

pytestmark = pytest.mark.main_in_float32

VARIANTS = [
    *((name, {}) for name in RULES),
    ("Adam", {"eps_placement": "outside"}),
    ("RMSprop", {"eps_placement": "outside"}),
    ("Nadam", {"eps_placement": "outside"}),
    ("AMSGrad", {"eps_placement": "outside"}),
    *((name, {"eps_placement": "uncorrected"}) for name in ("Adam", "RMSprop", "Nadam", "AMSGrad")),
    ("AdaBound", {"variant": "authors"}),
    ("AMSBound", {"variant": "authors"}),
    ("RMSpropGraves", {"momentum": 0.9}),
    ("Eve", {"fstar": -3.0, "c": 2.0}),
    ("SantaSSS", {"anne_func": lambda t, n: 2.0 * t**n}),
    ("Rprop", {"step_max": 0.02, "step_min": 1e-3}),
    ("SGD", {"learning_rate": fastnn.schedules.InverseTime(0.1, 0.5, 10)}),
    ("Adam", {"clip_norm": 0.5, "weight_decay": 0.1}),
    ("Lion", {"clip_value": 0.1, "weight_decay": 0.1}),
    ("AdaDelta", {"learning_rate": 0.5}),
]
IDS = [name + "".join(f"-{key}" for key in hyper) for name, hyper in VARIANTS]
EVERY = pytest.mark.parametrize("rule", RULES)


def gradients(steps, size, dtype, seed=0):
    """Of all sizes, some of them zero."""
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(steps, size)) * 10.0 ** rng.uniform(-3, 1, (steps, size))
    g[:, 0] = 0.0
    g[: steps // 2, 1] = 0.0
    return g.astype(dtype)


def loss(step):
    return 1.1 + np.cos(step / 7.0)


def twin_of(opt, p):
    """The reference with the random numbers that the kernel begins with."""
    twin = ReferenceOptimizer(opt)
    if opt.rule.noisy:
        twin.state["u"] = opt.state_for(p)[0].astype(np.float64)
    return twin


@pytest.mark.one_in(2)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rule", "hyper"), VARIANTS, ids=IDS)
def test_a_thousand_steps_equal_the_reference(rule, hyper, dtype):
    opt, g = optimizer(rule, **hyper), gradients(1000, 23, dtype)
    p = np.random.default_rng(1).normal(size=23).astype(dtype)
    twin, expected = twin_of(opt, p), p.astype(np.float64)
    bound, scale = {np.float64: 1e-12, np.float32: 1e-5}[dtype], np.maximum(1.0, np.abs(p))
    for k in range(1000):
        extra = {"f": loss(k)}
        if opt.rule.noisy:
            extra["noise"] = opt.noise(23, dtype).astype(np.float64)
        opt.step(p, g[k], f=loss(k))
        expected = twin.step(expected, g[k], **extra)
        scale = np.maximum(scale, np.abs(expected))
        assert np.abs(p - expected).max() <= bound * scale.max(), f"step {k}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", [name for name, spec in RULES.items() if not spec.weight_decay])
def test_update_gives_what_step_adds(rule, dtype):
    opt, other, g = optimizer(rule), optimizer(rule), gradients(20, 13, dtype)
    p = np.zeros(13, dtype)
    for k in range(20):
        before = p.copy()
        opt.step(p, g[k], f=loss(k))
        grads = g[k, :12].reshape(3, 4), g[k, 12]
        kept = [np.copy(x) for x in grads]
        dw, db = other.update(*grads, f=loss(k))
        assert (dw.shape, dw.dtype, np.ndim(db), np.asarray(db).dtype) == ((3, 4), dtype, 0, dtype)
        found = np.append(dw.reshape(-1), db)
        unit = np.finfo(dtype).eps * max(1.0, np.abs(p).max())
        np.testing.assert_allclose(before + found, p, rtol=0, atol=unit)
        for given, copied in zip(grads, kept, strict=True):
            np.testing.assert_array_equal(given, copied)
        dw[...] = 1e30  # the caller's own
    assert other.steps == 20


def test_update_with_a_weight_decay():
    opt, other = get_opt("AdamW"), get_opt("AdamW")
    w, b = np.linspace(-1, 1, 6).reshape(2, 3), np.ones(3)
    p = np.append(w.reshape(-1), b)
    for k in range(5):
        opt.step(p, g := gradients(5, 9, "f8")[k])
        dw, db = other.update(g[:6].reshape(2, 3), g[6:], w=w, b=b)
        w, b = w + dw, b + db
    np.testing.assert_allclose(np.append(w.reshape(-1), b), p, rtol=1e-15)
    with pytest.raises(TypeError, match="update with a weight_decay needs w and b"):
        other.update(w, b)
    with pytest.raises(ValueError, match=r"w has shape \(3,\), expected \(2, 3\)"):
        other.update(w, b, w=b, b=b)


def test_update_counts_and_obeys_t():
    counted, told, jumped = get_opt("Adam"), get_opt("Adam"), get_opt("Adam")
    for t in (1, 2, 3):
        a, b = counted.update(1.0, 2.0), told.update(1.0, 2.0, t)
        assert a == b
    assert jumped.update(1.0, 2.0, t=3) != get_opt("Adam").update(1.0, 2.0)
    assert jumped.steps == 3
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="t must be at least 1"):
            counted.update(1.0, 2.0, t=wrong)
    with pytest.raises(TypeError, match="t must be an int"):
        counted.update(1.0, 2.0, t=1.5)


def test_nag_with_callables_has_the_iterates_of_nag_without():
    def dfw(w, b):
        return w * np.array([1.0, 10.0]) + b

    def dfb(w, b):
        return np.sum(w) + b

    plain, ahead = get_opt("NAG"), get_opt("NAG")
    w, b = np.array([1.0, -2.0]), 0.5
    phi, psi, velocity = w.copy(), b, (np.zeros(2), 0.0)
    for _ in range(50):
        dw, db = ahead.update(None, None, w=w, b=b, dfw=dfw, dfb=dfb)
        w, b, velocity = w + dw, b + db, (dw, db)
        dphi, dpsi = plain.update(dfw(phi, psi), dfb(phi, psi))
        phi, psi = phi + dphi, psi + dpsi
        np.testing.assert_allclose(phi, w + 0.9 * velocity[0], rtol=1e-13)
        np.testing.assert_allclose(psi, b + 0.9 * velocity[1], rtol=1e-13)
    single = get_opt("NAG")
    dw, db = single.update(None, None, w=np.array([3.0]), dfw=lambda w: 2 * w, nargs=1)
    np.testing.assert_allclose(dw, [-0.1 * 1e-2 * 6.0])
    assert db == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
@EVERY
def test_lists_of_arrays_are_one_vector(rule, dtype):
    shapes = [(3, 4), (), (0, 2), (7,), (1, 1, 2)]
    whole, parts = optimizer(rule, clip_norm=1.0), optimizer(rule, clip_norm=1.0)
    p = np.random.default_rng(0).normal(size=22).astype(dtype)
    cuts = np.cumsum([int(np.prod(s)) for s in shapes])[:-1]
    arrays = [a.reshape(s).copy() for a, s in zip(np.split(p, cuts), shapes, strict=True)]
    grads = [np.empty_like(a) for a in arrays]
    for k, g in enumerate(gradients(6, 22, dtype)):
        whole.step(p, g, f=loss(k))
        if k == 3:
            grads = [np.empty_like(a) for a in arrays]
        for target, a, s in zip(grads, np.split(g, cuts), shapes, strict=True):
            target[...] = a.reshape(s)
        parts.step(arrays, grads if k % 2 else [a.astype("f8") for a in grads], f=loss(k))
    # the last numbers of each array are not worked on as vectors, and may be rounded otherwise
    found, unit = np.concatenate([a.reshape(-1) for a in arrays]), np.finfo(dtype).eps
    np.testing.assert_allclose(found, p, rtol=64 * unit, atol=64 * unit)


@pytest.mark.parametrize("rule", ["Adam", "Eve"])
def test_threads_make_no_difference(rule, monkeypatch):
    monkeypatch.setattr(_optimizer, "PARALLEL", 1000)
    size, found = 10_007, []
    p0 = np.random.default_rng(2).normal(size=size).astype("f4")
    for threads in (1, 2, 5):
        fastnn.set_num_threads(threads)
        try:
            opt, p = optimizer(rule, clip_norm=3.0), p0.copy()
            for k, g in enumerate(gradients(4, size, "f4")):
                opt.step([p[:5000], p[5000:]], [g[:5000], g[5000:]], f=loss(k))
        finally:
            fastnn.set_num_threads(None)
        found.append(p)
    # the norm is a sum, whose order is that of the threads
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6)


@EVERY
def test_bits_do_not_depend_on_threads(rule, monkeypatch):
    monkeypatch.setattr(_optimizer, "PARALLEL", 64)
    found = []
    for threads in (1, 2):
        fastnn.set_num_threads(threads)
        try:
            opt, p = optimizer(rule), np.linspace(-1, 1, 1003)
            for k, g in enumerate(gradients(4, 1003, "f8")):
                opt.step(p, g, f=loss(k))
        finally:
            fastnn.set_num_threads(None)
        found.append(p)
    np.testing.assert_array_equal(*found)


@njit
def loop(model, X, T, rate, steps, work):
    for _ in range(steps):
        train_step(model, X, T, rate, work)


@EVERY
def test_compiled_steps_of_users_equal_fit(rule):
    cost = "SumSquaresError"
    X, T = data((3, 5, 2), cost, 8)
    found = []
    for way in ("fit", "loop"):
        nn = network((3, 5, 2), ["tanh", "identity"], cost)
        opt = optimizer(rule, learning_rate=1e-3)
        if way == "fit":
            nn.fit(X, T, optimizer=opt, epochs=7)
        else:
            model = nn.compiled(opt)
            work = np.empty(fastnn.kernels.workspace_size(model, 8))
            loop(model, X, T, 1e-3, 7, work)
        found.append((nn.parameters, opt.state_dict()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    for key, value in found[0][1].items():
        np.testing.assert_array_equal(value, found[1][1][key])


@EVERY
def test_threads_of_a_training_make_no_difference(rule):
    cost = "SumSquaresError"
    X, T = data((3, 50, 2), cost, 64)
    found = []
    for threads in (1, 2):
        nn = network((3, 50, 2), ["tanh", "identity"], cost)
        opt = optimizer(rule, learning_rate=1e-4)
        nn.fit(X, T, optimizer=opt, epochs=5, batch_size=32, rng=0, n_threads=threads)
        found.append(nn.parameters)
    assert_close(found[0], found[1], operations=200_000)


@EVERY
def test_states_go_on(rule):
    g, ways = gradients(8, 5, "f8"), []
    for way in (
        lambda opt: opt,
        copy.deepcopy,
        lambda opt: pickle.loads(pickle.dumps(opt)),
        lambda opt: (other := optimizer(rule)).load_state_dict(opt.state_dict()) or other,
    ):
        opt, p = optimizer(rule), np.ones(5)
        for k in range(8):
            opt = way(opt) if k == 4 else opt
            opt.step(p, g[k], f=loss(k))
        ways.append(p)
    for p in ways[1:]:
        np.testing.assert_array_equal(p, ways[0])
    opt.reset()
    fresh, p, q = optimizer(rule), np.ones(5), np.ones(5)
    for k in range(3):
        opt.step(p, g[k], f=loss(k))
        fresh.step(q, g[k], f=loss(k))
    np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("on_nonfinite", ["raise", "skip"])
@EVERY
def test_gradients_that_are_not_finite_change_nothing(rule, on_nonfinite, bad):
    opt, p = optimizer(rule, on_nonfinite=on_nonfinite), np.ones((5, 4))
    g = gradients(6, 20, "f8")
    opt.step(p, g[0].reshape(5, 4), f=1.0)
    opt.step(p, g[1].reshape(5, 4), f=2.0)
    before, state = p.copy(), opt.state_dict()
    wrong = g[2].reshape(5, 4).copy()
    wrong[3, 1] = bad
    if on_nonfinite == "skip":
        assert opt.step(p, wrong, f=7.0) is False
        dw, db = optimizer(rule, on_nonfinite="skip").update(wrong, 1.0, w=wrong, b=0.0)
        assert not dw.any()
        assert db == 0.0
    else:
        with pytest.raises(ValueError, match=r"grads\[3, 1\] is -?(nan|inf), expected a finite"):
            opt.step(p, wrong, f=7.0)
    np.testing.assert_array_equal(p, before)
    for key, value in opt.state_dict().items():
        np.testing.assert_array_equal(value, state[key])
    other, q = optimizer(rule), np.ones((5, 4))
    for k in (0, 1, 3):
        other.step(q, g[k].reshape(5, 4), f=k + 1.0)
    opt.step(p, g[3].reshape(5, 4), f=4.0)
    np.testing.assert_array_equal(p, q)


@EVERY
def test_nobody_looks_if_told_so(rule):
    opt, other = optimizer(rule, on_nonfinite="ignore"), optimizer(rule)
    p, q = np.ones(20), np.ones(20)
    for k, g in enumerate(gradients(5, 20, "f8")):
        assert opt.step(p, g, f=loss(k))
        other.step(q, g, f=loss(k))
    np.testing.assert_array_equal(p, q)
    assert opt.step(p, np.append(np.nan, np.ones(19)), f=1.0)
    assert opt.steps == 6
    assert np.isnan(p[0])
    assert np.isfinite(p[1:]).all()


@njit
def train_once(model, x, t, work):
    return train_step(model, x, t, 1e-3, work)


def refused(on_nonfinite, message):
    return (
        contextlib.nullcontext()
        if on_nonfinite == "skip"
        else pytest.raises(ValueError, match=message)
    )


def assert_same_state(opt, state):
    for key, value in opt.state_dict().items():
        np.testing.assert_array_equal(value, state[key])


@pytest.mark.parametrize("clips", [{}, {"clip_value": 1.0}, {"clip_norm": 1.0, "clip_value": 1.0}])
@pytest.mark.parametrize("on_nonfinite", ["raise", "skip"])
@EVERY
def test_no_clipping_and_no_sign_hides_an_infinity(rule, on_nonfinite, clips):
    opt, p = optimizer(rule, on_nonfinite=on_nonfinite, **clips), np.ones((2, 2))
    given = {"f": 1.0, "w": np.ones((2, 2)), "b": 1.0}
    for wrong in (np.inf, -np.inf):
        opt.step(p, np.array([[1.0, -2.0], [3.0, 4.0]]), f=1.0)
        before, state = p.copy(), opt.state_dict()
        with refused(on_nonfinite, r"grads\[0, 1\] is -?inf"):
            assert opt.step(p, np.array([[1.0, wrong], [2.0, 3.0]]), f=1.0) is False
        np.testing.assert_array_equal(p, before)
        assert_same_state(opt, state)
        opt.reset()
        opt.step(p, np.array([[1.0, 2.0], [3.0, 4.0]]), f=1.0)
    opt = optimizer(rule, on_nonfinite=on_nonfinite, **clips)
    opt.update(np.array([[1.0, -2.0], [3.0, 4.0]]), 1.0, **given)
    state = opt.state_dict()
    for wrong in (np.inf, -np.inf):
        with refused(on_nonfinite, r"grad_w\[0, 1\] is -?inf"):
            dw, db = opt.update(np.array([[1.0, wrong], [2.0, 3.0]]), 1.0, **given)
            assert not np.any(dw)
            assert not np.any(db)
        assert_same_state(opt, state)


@pytest.mark.parametrize("on_nonfinite", ["raise", "skip"])
@EVERY
def test_trainings_hide_no_infinity(rule, on_nonfinite):
    cost, X, T = fastnn.SumSquaresError(), np.array([[1e200]]), np.array([[1.0]])
    nn = fastnn.NeuralNetwork([fastnn.LinearLayer(1, 1, rng=1)], cost)
    opt, before = optimizer(rule, clip_value=1.0, on_nonfinite=on_nonfinite), nn.parameters.copy()
    with refused(on_nonfinite, "diverge"):
        assert np.isnan(nn.fit(X, T, optimizer=opt, learning_rate=1e-3).cost).all()
    np.testing.assert_array_equal(nn.parameters, before)
    assert opt.steps == 0
    model = nn.compiled(opt)
    assert np.isnan(train_once(model, X, T, np.empty(fastnn.kernels.workspace_size(model, 1))))
    np.testing.assert_array_equal(nn.parameters, before)
    assert opt.steps == 0


@pytest.mark.parametrize(("dtype", "tiny"), [("f4", 1e-25), ("f8", 1e-200)])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_norms_neither_overflow_nor_vanish(dtype, tiny, size):
    """Gradients are scaled to the norm however large or small they are, in the engine too."""
    huge = float(np.finfo(dtype).max)
    for largest, norm in (
        (huge, size + 1.0),
        (huge, huge / 9),
        (tiny, size * tiny),
        (size, size / 3),
    ):
        g = (np.array([0.1, -0.2, 0.7, 0.4]) * largest).astype(dtype)
        p, opt = np.zeros(4, dtype), get_opt("SGD", eta=1.0, clip_norm=norm)
        opt.step(p, g)
        exact, tolerance = g.astype(np.longdouble), 1e-5 if dtype == "f4" else 1e-13
        length = np.sqrt(np.sum(exact**2))
        exact *= min(norm, length) / length
        np.testing.assert_allclose(p, -exact.astype(dtype), rtol=tolerance)
    zero = np.zeros(4, dtype)
    get_opt("SGD", clip_norm=tiny).step(zero, zero.copy())
    assert not zero.any()


@pytest.mark.parametrize("scale", [2.0**-560, 2.0**560])
@pytest.mark.parametrize("threads", [1, 2])
def test_norms_of_trainings(scale, threads):
    """A linear layer that begins from zero: everything has the scale of the targets."""
    sizes, found = (3, 40), []
    X, T = data(sizes, "SumSquaresError", 64)
    for length in (1.0, scale):
        nn = network(sizes, ["identity"], "SumSquaresError")
        nn.parameters[...] = 0.0
        opt = get_opt("SGD", clip_norm=0.5 * length)
        nn.fit(X, T * length, optimizer=opt, learning_rate=1e-2, epochs=3, n_threads=threads)
        model = nn.compiled(opt)
        train_once(model, X, T * length, np.empty(fastnn.kernels.workspace_size(model, 64)))
        found.append(nn.parameters / length)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)


def test_trainings_leave_out_steps_that_are_not_finite():
    cost = "SumSquaresError"
    X, T = data((3, 5, 2), cost, 16)
    huge = T.copy()
    huge[4:8] = 1e200
    found = []
    for targets, rows in ((huge, slice(None)), (T, np.r_[0:4, 8:16])):
        nn = network((3, 5, 2), ["tanh", "identity"], cost)
        opt = get_opt("Adam", on_nonfinite="skip")
        history = nn.fit(
            X[rows], targets[rows], optimizer=opt, epochs=3, batch_size=4, shuffle=False
        )
        found.append((nn.parameters, opt.steps, history.cost))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1] == 9
    np.testing.assert_array_equal(found[0][2], found[1][2])


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("own", [False, True])
def test_costs_are_those_of_the_steps_taken(reduction, own):
    class Own(fastnn.SumSquaresError):
        def delta(self, logits, t):
            return super().delta(logits, t)

    def train(rows, optimizer, epochs=2, **more):
        X = np.array([1.0, 1e200, 1e200, 2.0, 3.0])[rows, np.newaxis]
        nn = fastnn.NeuralNetwork([fastnn.LinearLayer(1, 1, rng=1)], cost)
        before = nn.parameters.copy()
        history = nn.fit(X, np.ones_like(X), learning_rate=1e-3, optimizer=optimizer, epochs=epochs,
                         batch_size=1, shuffle=False, **more)  # fmt: skip
        return history.cost, np.array_equal(nn.parameters, before)

    cost = (Own if own else fastnn.SumSquaresError)(reduction)
    skip = {"on_nonfinite": "skip"}
    with np.errstate(all="ignore"):
        some, _ = train([0, 1, 2, 3, 4], get_opt("Adam", **skip))
        none, unchanged = train([1, 2], get_opt("Adam", **skip))
        stopping = fastnn.callbacks.EarlyStopping(patience=2)
        train([1, 2], get_opt("Adam", **skip), 9, callbacks=stopping)
    good, _ = train([0, 3, 4], get_opt("Adam"))
    np.testing.assert_allclose(some, good, rtol=1e-14)
    assert unchanged
    assert np.isnan(none).all()
    assert stopping.best == np.inf


def test_rates_are_those_of_the_steps():
    """None is asked for beyond the last step."""
    X, T = data((2, 1), "SumSquaresError", 8)
    for epochs, more in ((6, {}), (3, {"batch_size": 4})):
        nn, rates = network((2, 1), ["identity"], "SumSquaresError"), [0.01] * 6
        history = nn.fit(X, T, learning_rate=lambda k, rates=rates: rates[k], epochs=epochs, **more)
        assert len(history.cost) == epochs
    opt = get_opt("SGD", eta=lambda k: rates[k])
    nn.fit(X, T, optimizer=opt, epochs=6)
    nn.fit(X, T, optimizer=opt, epochs=0)
    assert opt.steps == 6


def test_eves_memory_begins_with_the_first_loss():
    """One that was left out is not taken for 0."""
    opt, p = get_opt("Eve"), np.ones(2)
    twin, r = ReferenceOptimizer(opt), np.ones(2)
    for f in (None, 3.0, 2.0, 4.0):
        opt.step(p, np.ones(2), f=f)
        r = twin.step(r, np.ones(2), f=f)
        np.testing.assert_allclose(p, r, rtol=1e-14)
        assert opt.state_dict()["d"] == pytest.approx(twin.state["d"], rel=1e-14)
    assert get_opt("Eve").update(1.0, 1.0, t=5, f=2.0) == get_opt("Eve").update(
        1.0, 1.0, t=5, f=9.0
    )
    opt = get_opt("Eve")
    opt.step(np.ones(2), np.ones(2))
    other = get_opt("Eve")
    other.load_state_dict(opt.state_dict())
    p, q = np.ones(2), np.ones(2)
    opt.step(p, np.ones(2), f=2.0)
    other.step(q, np.ones(2), f=2.0)
    np.testing.assert_array_equal(p, q)


# --- mistakes

P, G = np.ones(3), np.ones(3)


@pytest.mark.parametrize(
    ("name", "hyper", "error", "message"),
    [
        ("Adan", {}, ValueError, "unknown optimizer 'Adan'; nearest: "),
        ("Adam", {"beta1": 1.0}, ValueError, "beta1 must be at least 0 and below 1, but is 1.0"),
        ("Adam", {"beta2": -0.1}, ValueError, "beta2 must be at least 0"),
        ("Adam", {"alpha": -1.0}, ValueError, "alpha must be at least 0"),
        ("Adam", {"alpha": np.nan}, ValueError, "alpha must be a finite number"),
        ("Adam", {"eps": np.inf}, ValueError, "eps must be a finite number"),
        ("Adam", {"eta": 1.0}, TypeError, "Adam has no eta; it has alpha, beta1"),
        ("Adam", {"eps_placement": "there"}, ValueError, "eps_placement must be 'inside' or 'outs"),
        ("Adam", {"alpha": 1.0, "learning_rate": 1.0}, TypeError, "are the same"),
        ("Adam", {"rng": 0}, TypeError, "Adam has no rng"),
        ("Adam", {"on_nonfinite": "stop"}, ValueError, "on_nonfinite must be one of 'raise'"),
        ("Adam", {"clip_norm": 0.0}, ValueError, "clip_norm must be above 0"),
        ("Adam", {"weight_decay": -1.0}, ValueError, "weight_decay must be at least 0"),
        ("Eve", {"c": 0.5}, ValueError, "c must be at least 1, but is 0.5"),
        ("SantaE", {"N": 0}, ValueError, "N must be above 0"),
        ("SantaE", {"anne_func": 3}, TypeError, "anne_func must be a function or None"),
        ("Rprop", {"eta_plus": 0.9}, ValueError, "eta_plus must be at least 1"),
        ("Rprop", {"step_min": 9.0, "step_max": 1.0}, ValueError, "step_min must be at most step"),
        ("MSGD", {"mu": "much"}, TypeError, "mu must be a number"),
    ],
)
def test_wrong_numbers(name, hyper, error, message):
    with pytest.raises(error, match=re.escape(message)):
        get_opt(name, **hyper)


def test_numbers_by_place():
    assert repr(get_opt("MSGD", 0.5, 0.8)) == "MSGD(eta=0.5, mu=0.8)"
    with pytest.raises(TypeError, match=re.escape("SGD takes 1 numbers (eta), not 2")):
        get_opt("SGD", 1.0, 2.0)
    with pytest.raises(TypeError, match="eta: given twice to SGD"):
        get_opt("SGD", 1.0, eta=2.0)


READ_ONLY = np.ones(3)
READ_ONLY.flags.writeable = False
BOTH = np.ones(6)


@pytest.mark.parametrize(
    ("params", "grads", "error", "message"),
    [
        ([1.0], [1.0], TypeError, "params[0] must be an array of float32 or float64, not float"),
        (np.ones(3, int), G, TypeError, "params must be an array of float32 or float64, not int64"),
        (np.ones(3, ">f8"), G, TypeError, "params must be an array of float32"),
        (READ_ONLY, G, ValueError, "params is read-only"),
        (np.ones(6)[::2], G, ValueError, "params must be C-contiguous"),
        (P, np.ones(2), ValueError, "grads has shape (2,)"),
        (P, np.ones(3, complex), TypeError, "grads must hold real numbers"),
        ([P, P], [G, G], ValueError, "params[0] and params[1] share memory"),
        ([BOTH[:4], BOTH[3:]], [np.ones(4), G], ValueError, "share memory"),
        (BOTH[:3], BOTH[2:5], ValueError, "params and grads share memory"),
        ([P, np.ones(3, "f4")], [G, G], TypeError, "params[1] is of float32, expected that of par"),
        ([P], [G, G], ValueError, "grads has 2 arrays, expected 1"),
        ([], [], ValueError, "params is empty"),
    ],
)
def test_wrong_arrays(params, grads, error, message):
    opt = get_opt("Adam")
    with pytest.raises(error, match=re.escape(message)):
        opt.step(params, grads)
    assert opt.steps == 0


def test_arrays_that_were_right_before():
    opt, p, g = get_opt("Adam"), np.ones(3), np.ones(3)
    opt.step([p], [g])
    p.flags.writeable = False
    with pytest.raises(ValueError, match=r"params\[0\] is read-only"):
        opt.step([p], [g])
    with pytest.raises(ValueError, match="has been used with 3 parameters of float64"):
        opt.step(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="has been used with 3 parameters"):
        opt.update(np.ones((2, 2)), 1.0)
    with pytest.raises(ValueError, match=r"in arrays of \(2,\), \(1,\)"):
        opt.step([np.ones(2), np.ones(1)], [np.ones(2), np.ones(1)])
    assert opt.steps == 1


def test_eve_needs_the_loss():
    opt, p = get_opt("Eve"), np.ones(3)
    opt.step(p, G)
    before = p.copy()
    with pytest.raises(TypeError, match="Eve needs f, the loss, from its second step on"):
        opt.step(p, G)
    with pytest.raises(ValueError, match="f must be a finite number"):
        opt.step(p, G, f=np.nan)
    np.testing.assert_array_equal(p, before)
    opt.step(p, G, f=1.0)


def test_nag_tells_what_it_needs():
    opt = get_opt("NAG")
    with pytest.raises(TypeError, match="NAG with nargs=2 and callables needs w, b, dfb too"):
        opt.update(None, None, dfw=lambda w, b: w)
    with pytest.raises(TypeError, match="NAG with nargs=1 and callables needs dfw too"):
        opt.update(None, None, w=P, dfb=lambda w, b: w, nargs=1)
    with pytest.raises(ValueError, match="nargs must be 0, 1 or 2"):
        opt.update(None, None, w=P, b=P, dfw=lambda *p: p, dfb=lambda *p: p, nargs=3)


def test_annealing_of_ones_own_is_not_for_compiled_trainings():
    nn = network((2, 2), ["tanh"], "SumSquaresError")
    opt = get_opt("SantaSSS", anne_func=lambda t, n: t**n, rng=0)
    for train in (
        lambda: nn.fit(np.ones((2, 2)), np.ones((2, 2)), optimizer=opt),
        lambda: nn.compiled(opt),
    ):
        with pytest.raises(TypeError, match="anne_func is a function of Python's"):
            train()
    bad = get_opt("SantaSSS", anne_func=lambda t, n: -1.0, rng=0)
    with pytest.raises(ValueError, match=re.escape("anne_func(1) must be above 0")):
        bad.step(np.ones(2), np.ones(2))


# --- what everything is


def test_aliases_and_letters():
    assert find("SDG") is find("sgd") is RULES["SGD"]
    assert find("rms-prop") is RULES["RMSprop"]


@EVERY
def test_rows_are_whole(rule):
    spec = RULES[rule]
    assert next(iter(spec.defaults)) == spec.rate
    assert spec.formula
    assert spec.peers
    assert spec.reference or rule == "SGD"
    shown = repr(optimizer(rule))
    assert all(f"{key}=" in shown for key in spec.defaults)


@pytest.mark.parametrize("rule", [name for name, spec in RULES.items() if not spec.noisy])
def test_zero_gradients_move_nothing_at_first(rule):
    opt, p = optimizer(rule, weight_decay=0.0), np.linspace(-1, 1, 9)
    opt.step(p, np.zeros(9), f=1.0)
    np.testing.assert_array_equal(p, np.linspace(-1, 1, 9))


def test_noise_is_normal_and_new_at_every_step():
    from scipy import stats

    opt, p, seen = get_opt("SantaSSS", rng=1), np.ones(10), []
    for dtype in DTYPES:
        x = opt.noise(200_000, dtype)
        assert x.dtype == dtype
        assert stats.kstest(x.astype("f8"), "norm").pvalue > 1e-3
    for _ in range(3):
        seen.append(opt.noise(1000))
        opt.step(p, np.ones(10))
    for a, b in itertools.combinations(seen, 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.15
    assert not np.array_equal(
        get_opt("SantaSSS", rng=2).noise(9), get_opt("SantaSSS", rng=1).noise(9)
    )
    np.testing.assert_array_equal(
        get_opt("SantaE", rng=2).noise(9), get_opt("SantaSSS", rng=2).noise(9)
    )


def test_engine_knows_no_rule():
    import inspect

    source = inspect.getsource(engine)
    assert not any(re.search(rf"\b{name}\b", source) for name in RULES)


def test_names_in_fit_give_new_optimizers():
    def one():
        return fastnn.NeuralNetwork([fastnn.LinearLayer(1, 1)], fastnn.SumSquaresError())

    first, second = one(), one()
    for each in (first, second):
        each.fit([[1.0]], [[2.0]], 0.1, optimizer="Adam", epochs=2)
    assert first.optimizer is not second.optimizer
    assert repr(first.optimizer) == repr(get_opt("Adam"))
    first.optimizer.beta1 = 0.5
    assert second.optimizer.beta1 == 0.9
    second.fit([[1.0]], [[2.0]], optimizer="Adam", epochs=2)
    assert second.optimizer.steps == 4
    first.fit([[1.0]], [[2.0]], optimizer="Adam", epochs=2)  # of other numbers: a new one
    assert (first.optimizer.beta1, first.optimizer.steps) == (0.9, 2)
