"""Optimizers as the article calls them; their attributes, states, copies and documentation."""

import copy
import inspect
import json
import re

import numpy as np
import pytest
from numba import njit
from support.networks import DTYPES, data, network, optimizer

import fastnn
from fastnn import dropin, get_opt, optimizers
from fastnn.kernels import train_step, workspace_size
from fastnn.optimizers import RULES

pytestmark = pytest.mark.main_in_float32

EVERY = pytest.mark.parametrize("rule", RULES)

# The article's classes: constructors, and update after the gradients.
ARTICLE = {
    "SGD": ("eta", ""),
    "MSGD": ("eta mu", ""),
    "NAG": ("eta mu", "w b dfw dfb nargs"),
    "AdaGrad": ("eta", ""),
    "RMSprop": ("eta rho eps", ""),
    "AdaDelta": ("rho eps", ""),
    "Adam": ("alpha beta1 beta2 eps", "t"),
    "RMSpropGraves": ("eta rho eps", ""),
    "SMORMS3": ("eta eps", ""),
    "AdaMax": ("alpha beta1 beta2", "t"),
    "Nadam": ("alpha mu nu eps", "t"),
    "Eve": ("alpha beta1 beta2 beta3 c eps fstar", "t f"),
    "SantaE": ("eta sigma lambda_ anne_func anne_rate burnin C N", "t"),
    "SantaSSS": ("eta sigma lambda_ anne_func anne_rate burnin C N", "t"),
    "AMSGrad": ("alpha beta1 beta2 eps", "t"),
    "AdaBound": ("alpha eta beta1 beta2 eps", "t"),
    "AMSBound": ("alpha eta beta1 beta2 eps", "t"),
}
VALUES = {"anne_func": lambda t, n: t**n, "c": 3, "burnin": 7, "C": 2, "N": 4}


@pytest.mark.parametrize("name", ARTICLE)
def test_numbers_stand_where_the_article_has_them(name):
    numbers, of_update = (text.split() for text in ARTICLE[name])
    values = [VALUES.get(number, 0.25 + 0.01 * k) for k, number in enumerate(numbers)]
    for made in (get_opt, lambda name, *given: getattr(dropin, name)(*given)):
        opt = made(name, *values)
        assert [getattr(opt, number) for number in numbers] == values
    assert list(inspect.signature(type(opt)).parameters)[: len(numbers)] == numbers
    assert list(opt.rule.places_of_update)[: len(of_update)] == of_update


def test_adadelta_by_place():
    assert get_opt("AdaDelta", 0.9, 1e-5).hyper == {"rho": 0.9, "eps": 1e-5}
    assert get_opt("AdaDelta", 0.9, 1e-5, 0.5).learning_rate == 0.5
    with pytest.raises(TypeError, match=re.escape("AdaDelta takes 3 numbers (rho, eps, learning_")):
        get_opt("AdaDelta", 1, 2, 3, 4)


@EVERY
def test_one_loop_over_all_optimizers(rule):
    """What only others use is ignored."""
    opt, alone = optimizer(rule, weight_decay=0.0), optimizer(rule, weight_decay=0.0)
    w, b, g = np.array([1.0, -2.0]), 0.5, np.array([0.1, 0.2])
    for t in (1, 2, 3):
        more = {"t": t, "f": 1.0 / t}
        given = {"w": w, "b": b, "dfw": lambda w, b: 2 * w, "dfb": lambda w, b: b, "nargs": 2}
        found = opt.update(g, 0.3, **more, **given)
        if rule == "NAG":
            expected = alone.update(None, None, **given)
        else:
            expected = alone.update(g, 0.3, **(more if rule == "Eve" else {}))
        for a, e in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, e)
    with pytest.raises(TypeError, match="foo"):
        opt.update(g, 0.3, foo=1.0)


def test_update_by_place():
    assert get_opt("Eve").update(1.0, 2.0, 3, 4.0) == get_opt("Eve").update(1.0, 2.0, t=3, f=4.0)
    calls = lambda w, b: 2 * w + b, lambda w, b: b - w
    by_place = get_opt("NAG").update(None, None, 1.0, 2.0, *calls, 2)
    assert by_place == get_opt("NAG").update(None, None, w=1.0, b=2.0, dfw=calls[0], dfb=calls[1])
    with pytest.raises(TypeError, match=r"multiple values for .*'t'"):
        get_opt("Adam").update(1.0, 2.0, 3, t=3)
    with pytest.raises(TypeError, match="takes grad_w, grad_b, t, f by place, not 5 arguments"):
        get_opt("Adam").update(1.0, 2.0, 3, 4.0, 5.0)


def test_rates_follow_t():
    """As the bias correction does."""
    schedule = fastnn.schedules.StepDecay(0.1, every=1)
    opt = get_opt("SGD", eta=schedule)
    for t in (4, 4, 1, 2):
        assert -opt.update(1.0, 0.0, t=t)[0] == schedule(t - 1)
    assert -opt.update(1.0, 0.0)[0] == schedule(2)


def test_gradients_of_nag_that_the_caller_looked_up():
    """With nargs=0 the article takes them as they are; the step is that of w itself."""
    calls = {"dfw": lambda w, b: 1 / 0, "dfb": lambda w, b: 1 / 0}
    for given in ({}, calls):
        opt, v = get_opt("NAG", 0.5, 0.8), np.zeros(2)
        for g in (np.array([1.0, 2.0]), np.array([-3.0, 0.5])):
            v = 0.8 * v - 0.2 * 0.5 * g
            np.testing.assert_allclose(opt.update(g, 0.0, nargs=0, **given)[0], v, rtol=1e-15)
    for wrong in (3, -1, "2", 2.0, True):
        with pytest.raises(ValueError, match="nargs must be 0, 1 or 2"):
            get_opt("NAG").update(1.0, 1.0, nargs=wrong)
    np.testing.assert_allclose(get_opt("NAG").update(1.0, 1.0, nargs=2)[0], -1.9e-3, rtol=1e-15)


def test_nags_callables_have_arrays_of_their_own():
    def dfw(w, b):
        w *= 2.0
        b += 1.0
        return w

    def dfb(w, b):
        return b

    changing, honest = get_opt("NAG"), get_opt("NAG")
    w, b = np.array([1.0, -2.0]), np.array([0.5])
    for _ in range(3):
        kept = w.copy(), b.copy()
        found = changing.update(None, None, w=w, b=b, dfw=dfw, dfb=dfb)
        expected = honest.update(None, None, w=w, b=b, dfw=lambda w, b: 2 * w, dfb=dfb)
        for a, e in zip([w, b, *found], [*kept, *expected], strict=True):
            np.testing.assert_array_equal(a, e)
        w, b = w + found[0], b + found[1]


def test_shapes_of_nag():
    opt, w = get_opt("NAG"), np.ones(3)
    with pytest.raises(ValueError, match=re.escape("dfw(w, b) has shape (3,), expected ()")):
        opt.update(0, 0, w=0.0, b=0.0, dfw=lambda w, b: np.ones(3), dfb=lambda w, b: b)
    with pytest.raises(ValueError, match=re.escape("dfb(w, b) has shape (3,), expected ()")):
        opt.update(0, 0, w=w, b=0.0, dfw=lambda w, b: w, dfb=lambda w, b: w)
    opt.update(0, 0, w=w, b=0.0, dfw=lambda w, b: w, dfb=lambda w, b: b)
    for wrong in (np.ones(2), np.ones((3, 1))):
        with pytest.raises(ValueError, match="has been used with 4 parameters"):
            opt.update(0, 0, w=wrong, b=0.0, dfw=lambda w, b: 1 / 0, dfb=lambda w, b: b)
    assert opt.steps == 1


@pytest.mark.parametrize("weak", [1.0, 1, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_python_are_weak(dtype, weak):
    opt, g = get_opt("Adam"), np.ones(2, dtype)
    for pair in ((g, weak), (weak, g)):
        opt.reset()
        assert all(np.asarray(x).dtype == dtype for x in opt.update(*pair))
    opt, w = get_opt("NAG"), np.ones(2, dtype)
    for _ in range(2):
        found = opt.update(0, 0, w=w, dfw=lambda w: 2.0 * w, nargs=1)
        assert all(np.asarray(x).dtype == dtype for x in found)
    both = get_opt("NAG").update(0, 0, w=w, b=weak, dfw=lambda w, b: w, dfb=lambda w, b: 1.0)
    assert all(np.asarray(x).dtype == dtype for x in both)
    assert all(type(x) is np.float64 for x in get_opt("SGD").update(weak, 2))
    assert get_opt("SGD").update(np.ones(2, "f4"), np.ones(1))[0].dtype == np.float64
    with pytest.raises(ValueError, match="grad_b is inf"):  # too large for float32
        get_opt("SGD").update(np.ones(2, "f4"), 1e300)


# --- attributes


@EVERY
def test_numbers_can_be_read_and_set(rule):
    opt, spec = optimizer(rule), RULES[rule]
    for name in spec.defaults:
        assert getattr(opt, name) == (opt.learning_rate if name == spec.rate else opt.hyper[name])
    made, changed = optimizer(rule), optimizer(rule)
    for name in spec.own:
        if isinstance(spec.defaults[name], float):
            new = getattr(changed, name) * 0.9
            setattr(changed, name, new)
            made = type(opt)(**{**made.hyper, name: new}, learning_rate=made.learning_rate,
                             **({"rng": 5} if spec.noisy else {}))  # fmt: skip
    p, q = np.ones(3), np.ones(3)
    for k in range(3):
        g = np.array([1.0, -2.0, 0.5]) * (k + 1)
        made.step(p, g, f=1.0 + k)
        changed.step(q, g, f=1.0 + k)
    np.testing.assert_array_equal(p, q)
    assert repr(made) == repr(changed)


@pytest.mark.parametrize(
    ("name", "attribute", "value", "error", "message"),
    [
        ("Adam", "beta1", 1.0, ValueError, "beta1 must be at least 0 and below 1"),
        ("Adam", "eps_placement", "there", ValueError, "eps_placement must be 'inside' or"),
        ("Adam", "alpha", -1.0, ValueError, "alpha must be at least 0"),
        ("SGD", "learning_rate", "much", TypeError, "eta must be"),
        ("SGD", "weight_decay", -1000, ValueError, "weight_decay must be at least 0"),
        ("SGD", "clip_norm", np.nan, ValueError, "clip_norm must be a finite number"),
        ("SGD", "clip_value", -5.0, ValueError, "clip_value must be at least 0"),
        ("SGD", "on_nonfinite", "foo", ValueError, "on_nonfinite must be one of"),
        ("Rprop", "step_min", 99.0, ValueError, "step_min must be at most step_max"),
        ("Adam", "bta1", 0.5, AttributeError, "'Adam' object has no attribute 'bta1'"),
        ("Adam", "mu", 0.5, AttributeError, "mu"),
        ("Adam", "steps", 3, AttributeError, "steps"),
        ("Adam", "hyper", {}, AttributeError, "hyper"),
    ],
)
def test_wrong_attributes(name, attribute, value, error, message):
    opt = get_opt(name)
    before = repr(opt)
    with pytest.raises(error, match=message):
        setattr(opt, attribute, value)
    assert repr(opt) == before


def test_settings_reach_every_way_of_training():
    """Steps, compiled models that are there already, and trainings under way."""
    X, T = data((2, 3), "SumSquaresError", 4)
    found = []

    class Change(fastnn.callbacks.Callback):
        def on_epoch(self, run):
            change(run.optimizer)

    def change(opt):
        opt.beta1, opt.weight_decay, opt.clip_value = 0.5, 0.1, 0.01

    for way in ("fit", "callback", "compiled"):
        nn, opt = network((2, 3), ["tanh"], "SumSquaresError"), get_opt("Adam")
        if way == "callback":
            nn.fit(X, T, optimizer=opt, epochs=2, callbacks=[Change()])
        elif way == "fit":
            nn.fit(X, T, optimizer=opt)
            change(opt)
            nn.fit(X, T, optimizer=opt)
        else:
            model = nn.compiled(opt)
            work = np.empty(workspace_size(model, 4))
            train_once(model, X, T, work)
            change(opt)
            train_once(model, X, T, work)
        found.append(nn.parameters)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@njit
def train_once(model, x, t, work):
    return train_step(model, x, t, 1e-3, work)


def test_compiled_models_get_no_function_of_python():
    nn, opt = network((2, 3), ["tanh"], "SumSquaresError"), get_opt("SantaE", rng=0)
    model = nn.compiled(opt)
    with pytest.raises(TypeError, match="anne_func is a function of Python's"):
        opt.anne_func = lambda t, n: t**n
    assert opt.anne_func is None
    del model
    opt.anne_func = lambda t, n: t**n


# --- states


@pytest.mark.one_in(4)
@pytest.mark.parametrize("dtype", DTYPES)
@EVERY
def test_states_go_through_json(rule, dtype):
    opt, p = optimizer(rule), np.ones(4, dtype)
    for k in range(3):
        opt.step(p, np.full(4, k - 0.5, dtype), f=1.0 + k)
    told = json.dumps(opt.state_dict(), default=lambda array: array.tolist())
    other, q = optimizer(rule), p.copy()
    other.load_state_dict(json.loads(told))
    opt.step(p, np.ones(4, dtype), f=2.0)
    other.step(q, np.ones(4, dtype), f=2.0)
    np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"steps": 2.7}, TypeError, "steps must be an int"),
        ({"steps": -1}, ValueError, "steps must be at least 0"),
        ({"steps": "2"}, TypeError, "steps must be an int"),
        ({"m": np.ones(5)}, ValueError, r"one length, but of the shapes m has \(5,\), v has \(3,"),
        ({"v": np.ones((3, 1))}, ValueError, r"m has \(3,\), v has \(3, 1\)"),
        ({"v": -np.ones(3)}, ValueError, "v must be finite, and not negative"),
        ({"dtype": "int8"}, TypeError, "dtype must be float32 or float64"),
    ],
)
def test_wrong_states(change, error, message):
    opt = get_opt("Adam")
    opt.step(np.ones(3), np.ones(3))
    state = opt.state_dict()
    with pytest.raises(error, match=message):
        opt.load_state_dict({**state, **change})
    for key, value in opt.state_dict().items():
        np.testing.assert_array_equal(value, state[key])


@EVERY
def test_copies_share_nothing(rule):
    opt, p = optimizer(rule), np.ones(3)
    opt.step(p, np.ones(3), f=1.0)
    other, state = copy.copy(opt), opt.state_dict()
    other.step(p.copy(), np.ones(3), f=2.0)
    assert (opt.steps, other.steps) == (1, 2)
    for key, value in opt.state_dict().items():
        np.testing.assert_array_equal(value, state[key])


def test_a_compiled_model_keeps_its_optimizer():
    X, T = data((2, 3), "SumSquaresError", 4)
    nn, opt = network((2, 3), ["tanh"], "SumSquaresError"), get_opt("Adam")
    model = nn.compiled(opt)
    message = "is at work with 9 parameters of float64"
    for params in (np.ones(5), np.ones(9, "f4"), [np.ones(4), np.ones(5)]):
        with pytest.raises(ValueError, match=message):
            opt.step(params, copy.deepcopy(params))
    with pytest.raises(ValueError, match=message):
        opt.update(np.ones(3), 1.0)
    other = get_opt("Adam")
    other.step(np.ones(5), np.ones(5))
    with pytest.raises(ValueError, match=message):
        opt.load_state_dict(other.state_dict())
    train_once(model, X, T, np.empty(workspace_size(model, 4)))
    assert opt.steps == 1
    assert opt.state_dict()["m"].any()
    opt.step(nn.parameters, np.ones(9))
    opt.reset()
    with pytest.raises(ValueError, match=message):
        opt.step(np.ones(5), np.ones(5))
    copied = copy.copy(opt)
    copied.step(np.ones(5), np.ones(5))
    del model
    opt.step(np.ones(5), np.ones(5))


# --- messages and documents


def test_lbfgs_is_a_method_of_fit():
    nn = network((2, 3), ["tanh"], "SumSquaresError")
    for make in (get_opt, nn.compiled):
        for name in ("L-BFGS", "lbfgs", "l_bfgs"):
            with pytest.raises(ValueError, match=re.escape('fit(X, t, optimizer="L-BFGS")')):
                make(name)


@pytest.mark.parametrize(
    ("params", "grads", "message"),
    [
        (None, None, "params must be an array or a list of arrays, not None"),
        (3.0, 1.0, "params must be an array or a list of arrays"),
        ([np.ones(2)], None, "grads must be a list, as params, not None"),
        ([np.ones(2)], 1.0, "grads must be a list, as params"),
        (np.ones(2), None, "grads must hold real numbers"),
    ],
)
def test_what_is_no_array(params, grads, message):
    with pytest.raises(TypeError, match=message):
        get_opt("Adam").step(params, grads)


def test_states_that_would_overflow():
    opt, p = get_opt("Adam"), np.ones(2)
    opt.step(p, np.ones(2))
    message = (
        r"step 2 of Adam\(.*would make a parameter or a state \(m, v\) infinite.*up to 1e\+200"
    )
    with pytest.raises(ValueError, match=message):
        opt.step(p, np.array([1.0, -1e200]))
    with pytest.raises(ValueError, match=r"step 1 of SGD\(.*would make a parameter infinite"):
        get_opt("SGD", eta=1e200).step(p, np.array([1.0, 1e200]))


@pytest.mark.parametrize("large", [1.0, 1e140])
@EVERY
def test_parameters_that_are_not_finite_are_the_callers(rule, large):
    """The step leaves them so, and the others go on, however large the gradient."""
    opt, other, p = optimizer(rule), optimizer(rule), np.array([1.0, np.nan, np.inf, 2.0])
    q = np.array([1.0, 0.0, 0.0, 2.0])
    g = np.array([1.0, 1.0, 1.0, -1.0]) * large
    assert opt.step(p, g, f=1.0)
    assert other.step(q, g, f=1.0)
    np.testing.assert_array_equal(p[[0, 3]], q[[0, 3]])
    assert np.isnan(p[1])
    assert not np.isfinite(p[2])


@EVERY
def test_rules_are_classes_that_tell_about_themselves(rule):
    spec, kind = RULES[rule], getattr(optimizers, rule)
    assert rule in optimizers.__all__
    opt = optimizer(rule)
    assert type(opt) is kind
    assert isinstance(opt, fastnn.Optimizer)
    told = " ".join(kind.__doc__.split())
    for text in (spec.formula, spec.peers, spec.reference, "weight_decay"):
        assert text in told
    for name, default in spec.defaults.items():
        assert spec.meaning(name), f"{rule} has a number of unknown meaning: {name}"
        assert spec.meaning(name) in told
        assert f"{name} : " in told
        assert inspect.signature(kind).parameters[name].default == default
    assert inspect.signature(kind).parameters["weight_decay"].default == spec.weight_decay
    assert max(map(len, kind.__doc__.splitlines())) <= 100


def test_integers_are_shown_as_such():
    assert "burnin=100, C=5, N=16" in repr(get_opt("SantaE", rng=0))
    assert "burnin=20, C=2.5" in repr(get_opt("SantaE", burnin=20.0, C=2.5, rng=0))
    assert repr(get_opt("Eve")).endswith("c=10, eps=1e-08, fstar=0)")
