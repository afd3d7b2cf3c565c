"""Schedules: the plain formulas, ends and restarts, one step against many, and bad input."""

import copy
import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from support.tolerance import assert_close

from fastnn import schedules
from fastnn.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    OneCycle,
    Polynomial,
    Schedule,
    StepDecay,
    WarmUp,
    as_schedule,
)


def cosine(rate, steps, final=0.0, restarts=0, multiplier=1):
    """Walks from descent to descent."""

    def at(k):
        length, done = steps, 0
        while k >= length and (restarts is None or done < restarts):
            k, length, done = k - length, length * multiplier, done + 1
        t = min(k / length, 1)
        return final + (rate - final) * (1 + math.cos(math.pi * t)) / 2

    return at


def one_cycle(peak, steps, top, start, final):
    def at(k):
        if k < top:
            return start + (peak - start) * (1 - math.cos(math.pi * k / top)) / 2
        t = min((k - top) / (steps - top), 1)
        return final + (peak - final) * (1 + math.cos(math.pi * t)) / 2

    return at


def polynomial(rate, steps, power=1.0, final=0.0):
    return lambda k: final + (rate - final) * (1 - min(k / steps, 1)) ** power


def warm_up(steps, then, start=0.0):
    return lambda k: start + (then(0) - start) * k / steps if k < steps else then(k - steps)


# schedule, and its formula in plain Python
CASES = [
    (Constant(0.1), lambda k: 0.1),
    (Constant(0), lambda k: 0),
    (StepDecay(0.8, 7), lambda k: 0.8 * 0.5 ** (k // 7)),
    (StepDecay(0.8, every=1, factor=0.9), lambda k: 0.8 * 0.9**k),
    (StepDecay(1, 3, factor=0), lambda k: 1.0 if k < 3 else 0.0),
    (Exponential(0.3, 0.97), lambda k: 0.3 * 0.97**k),
    (Exponential(0.3, decay=0.5, every=13), lambda k: 0.3 * 0.5 ** (k / 13)),
    (Exponential(1e-6, decay=1.1), lambda k: 1e-6 * 1.1**k),
    (InverseTime(0.3, 0.01), lambda k: 0.3 / (1 + 0.01 * k)),
    (InverseTime(0.3, decay=2, every=13), lambda k: 0.3 / (1 + 2 * k / 13)),
    (Polynomial(0.3, 50), polynomial(0.3, 50)),
    (Polynomial(0.3, 50, power=2, final=0.01), polynomial(0.3, 50, 2, 0.01)),
    (Polynomial(0.01, 50, power=0.5, final=0.3), polynomial(0.01, 50, 0.5, 0.3)),
    (Polynomial(0.3, 1), polynomial(0.3, 1)),
    (Cosine(0.3, 50), cosine(0.3, 50)),
    (Cosine(0.3, 1, final=0.1), cosine(0.3, 1, 0.1)),
    (Cosine(0.3, 17, final=0.1, restarts=3), cosine(0.3, 17, 0.1, 3)),
    (Cosine(0.3, 17, restarts=None), cosine(0.3, 17, 0, None)),
    (Cosine(0.3, 5, restarts=2, multiplier=3), cosine(0.3, 5, 0, 2, 3)),
    (Cosine(0.3, 1, 0.1, restarts=None, multiplier=2), cosine(0.3, 1, 0.1, None, 2)),
    (OneCycle(0.5, 100), one_cycle(0.5, 100, 30, 0.5 / 25, 0.5 / 25e4)),
    (OneCycle(0.5, 50, rise=0.5, start=0.1, final=0), one_cycle(0.5, 50, 25, 0.1, 0)),
    (OneCycle(0.5, 50, rise=0, start=0.1, final=0.2), one_cycle(0.5, 50, 0, 0.1, 0.2)),
    (OneCycle(0.5, 50, rise=1, start=0.1, final=0.2), one_cycle(0.5, 50, 49, 0.1, 0.2)),
    (OneCycle(0.5, 1, start=0.1), one_cycle(0.5, 1, 0, 0.1, 1e-5)),
    (WarmUp(10, 0.2), warm_up(10, lambda k: 0.2)),
    (WarmUp(1, 0.2, start=0.1), warm_up(1, lambda k: 0.2, 0.1)),
    (WarmUp(10, Cosine(0.3, 50), 0.4), warm_up(10, cosine(0.3, 50), 0.4)),
    (WarmUp(5, WarmUp(5, StepDecay(1, 7))), warm_up(5, warm_up(5, lambda k: 0.5 ** (k // 7)))),
    (WarmUp(5, lambda k: 1 / (k + 1)), warm_up(5, lambda k: 1 / (k + 1))),
    (as_schedule(lambda k: 1 / (k + 1)), lambda k: 1 / (k + 1)),
]
IDS = [f"{index}-{type(schedule).__name__}" for index, (schedule, _) in enumerate(CASES)]
K = np.arange(130)


def test_every_schedule_is_tested():
    assert set(SCHEDULES) == {type(schedule) for schedule, _ in CASES[:-1]}
    public = {getattr(schedules, name) for name in schedules.__all__ if name[0].isupper()}
    assert {*SCHEDULES, Schedule} == public - {SCHEDULES}


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=IDS)
def test_equals_the_formula(schedule, formula):
    rates = schedule(K)
    assert rates.dtype == np.float64
    assert_close(rates, np.array([formula(k) for k in K.tolist()], np.float64), operations=4)


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=IDS)
def test_one_step_gives_the_very_number_of_many(schedule, formula):
    rates = schedule(K)
    for given in (K.tolist(), K):
        one_by_one = [schedule(k) for k in given]
        assert {type(rate) for rate in one_by_one} == {float}
        assert np.array_equal(one_by_one, rates)


@pytest.mark.parametrize(("schedule", "formula"), CASES, ids=IDS)
def test_any_array_of_steps(schedule, formula):
    rates = schedule(K)
    for given, expected in (
        (K.reshape(13, 10), rates.reshape(13, 10)),
        (K[::-1], rates[::-1]),
        (K.reshape(13, 10).T[::2], rates.reshape(13, 10).T[::2]),
        (K.astype(np.uint8), rates),
        (K.astype(">i4"), rates),
        (K[:0], rates[:0]),
        (K[:0].reshape(0, 3), rates[:0].reshape(0, 3)),
        (np.array(7), rates[7]),
    ):
        found = schedule(given)
        assert isinstance(found, np.ndarray)
        assert found.shape == given.shape
        assert np.array_equal(found, expected)
    assert np.array_equal(K, np.arange(130))


@pytest.mark.parametrize(("schedule", "formula"), CASES[:-2], ids=IDS[:-2])
def test_copies_and_repr(schedule, formula):
    for same in (
        pickle.loads(pickle.dumps(schedule)),
        copy.deepcopy(schedule),
        eval(repr(schedule), {kind.__name__: kind for kind in SCHEDULES}),
    ):
        assert same == schedule
        assert hash(same) == hash(schedule)
        assert np.array_equal(same(K), schedule(K))
    field = next(iter(vars(schedule)))
    with pytest.raises(FrozenInstanceError):
        setattr(schedule, field, 1)


def test_functions_pickle_and_show():
    schedule = as_schedule(math.exp, "rate")
    assert "exp" in repr(schedule)
    assert pickle.loads(pickle.dumps(schedule)) == schedule


# schedule, and rates that hold exactly
ENDS = [
    (Polynomial(0.3, 7, 2, 0.1), {0: 0.3, 7: 0.1, 8: 0.1, 10**18: 0.1}),
    (Cosine(0.3, 7, 0.1), {0: 0.3, 7: 0.1, 8: 0.1, 10**18: 0.1}),
    (Cosine(0.1, 7, 0.7), {0: 0.1, 7: 0.7}),  # 0.7 + (0.1 - 0.7) is not 0.1
    (Cosine(0.3, 7, 0.1, restarts=2), {0: 0.3, 7: 0.3, 14: 0.3, 21: 0.1, 10**18: 0.1}),
    (Cosine(0.3, 7, 0.1, 2, multiplier=2), {7: 0.3, 21: 0.3, 49: 0.1, 10**18: 0.1}),
    (Cosine(0.3, 7, 0.1, restarts=None), {7: 0.3, 7 * 10**17: 0.3}),
    # restarts at 7 (3**i - 1) / 2, to the last one below 2**63
    (Cosine(0.3, 7, 0.1, None, multiplier=3), {7: 0.3, 28: 0.3, 7 * (3**38 - 1) // 2: 0.3}),
    (OneCycle(0.3, 10, 0.5, 0.1, 0.2), {0: 0.1, 5: 0.3, 10: 0.2, 11: 0.2, 10**18: 0.2}),
    (OneCycle(0.3, 10), {0: 0.3 / 25, 3: 0.3, 10: 0.3 / 25 / 10_000}),
    (WarmUp(4, 0.3), {0: 0.0, 4: 0.3, 5: 0.3, 10**18: 0.3}),
    (WarmUp(4, Cosine(0.3, 7, 0.1), start=0.2), {0: 0.2, 4: 0.3, 11: 0.1, 12: 0.1}),
    (WarmUp(4, StepDecay(1, 3)), {4: 1.0, 6: 1.0, 7: 0.5, 9: 0.5, 10: 0.25}),
    (StepDecay(1, 3), {0: 1.0, 2: 1.0, 3: 0.5, 5: 0.5, 6: 0.25, 10**18: 0.0}),
    (Exponential(1, 0.25, every=2), {0: 1.0, 1: 0.5, 2: 0.25, 10**18: 0.0}),
    (InverseTime(1, 1e300), {0: 1.0, 10**18: 0.0}),
]


@pytest.mark.parametrize(("schedule", "rates"), ENDS)
def test_ends_and_restarts_are_exact(schedule, rates):
    assert {k: schedule(k) for k in rates} == rates
    assert np.array_equal(schedule(np.array(list(rates))), list(rates.values()))


@pytest.mark.parametrize("multiplier", [1, 2, 3])
@pytest.mark.parametrize("restarts", [0, 1, 4, None])
def test_number_of_restarts(restarts, multiplier):
    rates = Cosine(1.0, 4, restarts=restarts, multiplier=multiplier)(np.arange(2000))
    starts = [4 * sum(multiplier**j for j in range(i)) for i in range(500)]
    expected = [s for s in starts[: None if restarts is None else restarts + 1] if s < 2000]
    assert np.flatnonzero(rates == 1.0).tolist() == expected


def test_one_cycle_goes_up_once_and_down_once():
    rates = OneCycle(1.0, 100)(np.arange(101))
    assert np.array_equal(np.sign(np.diff(rates)), [1] * 30 + [-1] * 70)


def test_as_schedule():
    assert as_schedule(0.1) == Constant(0.1)
    assert as_schedule(np.float32(0.5)) == Constant(0.5)
    assert as_schedule(0) == Constant(0.0)
    given = StepDecay(1, 2)
    assert as_schedule(given) is given
    assert WarmUp(3, 1).then == Constant(1.0)
    assert type(Constant(1).rate) is float


def test_a_function_is_asked_once_a_step_with_an_int():
    asked = []

    def rate(step):
        asked.append(step)
        return 1

    schedule = as_schedule(rate)
    assert asked == []
    assert np.array_equal(schedule(np.array([[3, 1], [2, 2]], np.uint16)), np.ones((2, 2)))
    assert schedule(np.int32(9)) == 1.0
    assert asked == [3, 1, 2, 2, 9]
    assert {type(step) for step in asked} == {int}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Constant(-1), ValueError, "rate must be at least 0, but is -1.0"),
        (lambda: Constant(np.nan), ValueError, "rate must be a finite number, not nan"),
        (lambda: Constant("1"), TypeError, "rate must be a number, not '1'"),
        (lambda: StepDecay(-1, 2), ValueError, "rate must be at least 0"),
        (lambda: StepDecay(1, 0), ValueError, "every must be at least 1, but is 0"),
        (lambda: StepDecay(1, 2.0), TypeError, "every must be an int, not 2.0"),
        (lambda: StepDecay(1, 2, -1), ValueError, "factor must be at least 0"),
        (lambda: Exponential(-1, 1), ValueError, "rate must be at least 0"),
        (lambda: Exponential(1, -1), ValueError, "decay must be at least 0"),
        (lambda: Exponential(1, 1, 0), ValueError, "every must be at least 1"),
        (lambda: InverseTime(-1, 1), ValueError, "rate must be at least 0"),
        (lambda: InverseTime(1, -1), ValueError, "decay must be at least 0"),
        (lambda: InverseTime(1, 1, 0), ValueError, "every must be at least 1"),
        (lambda: Polynomial(-1, 1), ValueError, "rate must be at least 0"),
        (lambda: Polynomial(1, 0), ValueError, "steps must be at least 1"),
        (lambda: Polynomial(1, 1, 0), ValueError, "power must be above 0, but is 0.0"),
        (lambda: Polynomial(1, 1, -1), ValueError, "power must be at least 0"),
        (lambda: Polynomial(1, 1, 1, -1), ValueError, "final must be at least 0"),
        (lambda: Cosine(-1, 1), ValueError, "rate must be at least 0"),
        (lambda: Cosine(1, 0), ValueError, "steps must be at least 1"),
        (lambda: Cosine(1, 1, -1), ValueError, "final must be at least 0"),
        (lambda: Cosine(1, 1, restarts=-1), ValueError, "restarts must be at least 0"),
        (lambda: Cosine(1, 1, restarts=1.0), TypeError, "restarts must be an int"),
        (lambda: Cosine(1, 1, multiplier=0), ValueError, "multiplier must be at least 1"),
        (lambda: Cosine(1, 1, multiplier=1.5), TypeError, "multiplier must be an int"),
        (lambda: OneCycle(-1, 1), ValueError, "peak must be at least 0"),
        (lambda: OneCycle(1, 0), ValueError, "steps must be at least 1"),
        (lambda: OneCycle(1, 1, 1.5), ValueError, "rise must be at most 1, but is 1.5"),
        (lambda: OneCycle(1, 1, -0.5), ValueError, "rise must be at least 0"),
        (lambda: OneCycle(1, 1, start=-1), ValueError, "start must be at least 0"),
        (lambda: OneCycle(1, 1, final=-1), ValueError, "final must be at least 0"),
        (lambda: WarmUp(0, 1), ValueError, "steps must be at least 1"),
        (lambda: WarmUp(1, -1), ValueError, "then must be at least 0"),
        (lambda: WarmUp(1, "fast"), TypeError, "then must be a number, a schedule or a function"),
        (lambda: WarmUp(1, 1, -1), ValueError, "start must be at least 0"),
        (lambda: as_schedule(-1), ValueError, "learning_rate must be at least 0, but is -1.0"),
        (lambda: as_schedule(np.inf, "rho"), ValueError, "rho must be a finite number, not inf"),
        (lambda: as_schedule(None, "rho"), TypeError, "rho must be a number, .*, not None"),
        (lambda: as_schedule("0.1"), TypeError, "learning_rate must be a number, .*, not '0.1'"),
        (lambda: as_schedule([1, 2]), TypeError, r"learning_rate must be .*, not \[1, 2\]"),
        (lambda: as_schedule(Cosine), TypeError, "not a class: call Cosine first"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("schedule", [Constant(0.1), as_schedule(math.exp)])
@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (-1, ValueError, "step must be at least 0, but is -1"),
        (1.0, TypeError, "step must be an int, not 1.0"),
        (True, TypeError, "step must be an int, not True"),
        ([1, 2], TypeError, r"step must be an int, not \[1, 2\]"),
        (2**63, ValueError, r"step must be at least 0 and below 2\*\*63"),
        (np.array([3, -1]), ValueError, "step must be at least 0, but is -1"),
        (np.array([1.0]), TypeError, "steps must be integers, not float64"),
        (np.array([True]), TypeError, "steps must be integers, not bool"),
        (np.array([0, 2**63], np.uint64), ValueError, r"step must be .* below 2\*\*63"),
    ],
)
def test_bad_steps(schedule, step, error, message):
    with pytest.raises(error, match=message):
        schedule(step)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda k: 1 - k, ValueError, "rho at step 2 must be at least 0, but is -1.0"),
        (lambda k: math.nan, ValueError, "rho at step 0 must be a finite number, not nan"),
        (lambda k: None, TypeError, "rho at step 0 must be a number, not None"),
        (lambda k: "1", TypeError, "rho at step 0 must be a number, not '1'"),
    ],
)
def test_bad_functions(function, error, message):
    with pytest.raises(error, match=message):
        as_schedule(function, "rho")(np.arange(4))


def test_a_rate_beyond_all_floats_is_refused():
    for schedule in (Exponential(1.0, decay=2), StepDecay(1.0, every=1, factor=2)):
        assert schedule(1023) == 2.0**1023
        with pytest.raises(ValueError, match=r"gives inf at step 1024$"):
            schedule(np.array([0, 1024, 1025]))


def test_schedules_of_the_caller_s_own():
    class Odd(Schedule):
        def _rates(self, k):
            return k % 2 - (k > 5)

    assert np.array_equal(Odd()(np.arange(6)), [0, 1, 0, 1, 0, 1])
    assert as_schedule(WarmUp(2, Odd()))(3) == 1.0
    with pytest.raises(ValueError, match=r"Odd\(\) gives -1.0 at step 6"):
        Odd()(np.arange(9))
    with pytest.raises(NotImplementedError, match="Schedule must define _rates"):
        Schedule()(0)
