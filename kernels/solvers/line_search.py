"""A search along a direction for a step that meets the strong Wolfe conditions, by single trials.

    f(t) ≤ f(0) + c₁ t f′(0),    |f′(t)| ≤ c₂ |f′(0)|,    c₁ = 0.001, c₂ = 0.9

An interval is kept that has such steps: its low end has the least cost of those that met the first
condition; where its high end is not known yet, steps grow. Trials are chosen by cubic and quadratic
interpolation in the four cases of Moré and Thuente; an interval that does not shrink by a third in
two trials is halved.

Where cost or gradient are not finite there is a wall: the high end, of infinite cost.

J. J. Moré and D. J. Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM
Transactions on Mathematical Software 20, 1994; J. Nocedal and S. J. Wright, "Numerical
Optimization", 2006, sections 3.4 and 3.5.
"""

import numpy as np

from ..codegen.declare import scalar

__all__ = ["ACCEPT", "FAIL", "NUMBERS", "STEP", "TRY", "begin", "judge"]

TRY, ACCEPT, FAIL = 0, 1, 2  # what comes next: a trial of another step, this one, or none at all

# Places of the search's numbers, float64.
(
    STEP,  # that is tried, or that was accepted
    ORIGIN_COST,
    ORIGIN_SLOPE,
    LOW,  # the ends of the interval: step, cost, slope
    LOW_COST,
    LOW_SLOPE,
    HIGH,
    HIGH_COST,
    HIGH_SLOPE,
    BRACKETED,  # whether the high end is known
    WIDTH,  # of the interval, after the last trial and the one before
    WIDTH_BEFORE,
    TRIALS,
    RETURNS,  # whether the trial is the low end once more, to be accepted
    NUMBERS,  # how many
) = range(15)

_DECREASE, _CURVATURE = 1e-3, 0.9  # c₁, c₂
_LONGEST = 1e10
_TIGHT = 0.1  # width of an interval, relative to its upper end, in which there is no more to choose
_MOST_TRIALS = 19  # one more may go back to the low end
_WALL = 0.25  # of the way to a wall: where the next trial is


@scalar
def begin(n, cost, slope, step):
    """Start from cost and slope at 0; the first trial is `step`."""
    n[STEP], n[ORIGIN_COST], n[ORIGIN_SLOPE] = step, cost, slope
    n[LOW], n[LOW_COST], n[LOW_SLOPE] = 0.0, cost, slope
    n[HIGH], n[HIGH_COST], n[HIGH_SLOPE] = 0.0, np.inf, 0.0
    n[BRACKETED] = n[TRIALS] = n[RETURNS] = 0.0
    n[WIDTH], n[WIDTH_BEFORE] = np.inf, np.inf


@scalar
def judge(n, cost, slope, finite):
    """Whether the step that was tried will do; if not, ``n[STEP]`` is the next to be tried."""
    step, before = n[STEP], n[LOW]
    n[TRIALS] += 1.0
    enough = finite and cost <= n[ORIGIN_COST] + _DECREASE * step * n[ORIGIN_SLOPE]
    if n[RETURNS] != 0.0 or (enough and abs(slope) <= -_CURVATURE * n[ORIGIN_SLOPE]):
        return ACCEPT
    trial = before + _WALL * (step - before)
    if enough and cost <= n[LOW_COST]:
        trial = _below(n, step, cost, slope)
    else:
        if finite:
            trial = _above(n, step, cost, slope)
        n[HIGH], n[HIGH_COST], n[HIGH_SLOPE] = step, (cost if finite else np.inf), slope
        n[BRACKETED] = 1.0
    low, high = n[LOW], n[HIGH]
    over = n[TRIALS] >= _MOST_TRIALS or step >= _LONGEST
    if over or (n[BRACKETED] != 0.0 and abs(high - low) <= _TIGHT * max(high, low)):
        if low == step:
            return ACCEPT
        if low > 0.0:
            n[STEP], n[RETURNS] = low, 1.0
            return TRY
    n[STEP] = _safe(n, trial, step - before)
    return FAIL if over else TRY


@scalar
def _above(n, step, cost, slope):
    """The next trial after one that is too high, which ends the interval (case 1)."""
    low, f, g = n[LOW], n[LOW_COST], n[LOW_SLOPE]
    cubic = _cubic(low, f, g, step, cost, slope)
    quadratic = low + 0.5 * g / ((f - cost) / (step - low) + g) * (step - low)
    near = abs(cubic - low) < abs(quadratic - low)
    return cubic if near else 0.5 * (cubic + quadratic)


@scalar
def _below(n, step, cost, slope):
    """The next trial after one that is low enough, which is the new low end (cases 2 to 4)."""
    low, f, g, bracketed = n[LOW], n[LOW_COST], n[LOW_SLOPE], n[BRACKETED] != 0.0
    cubic = _cubic(low, f, g, step, cost, slope)
    secant = step + slope / (slope - g) * (low - step)
    n[LOW], n[LOW_COST], n[LOW_SLOPE] = step, cost, slope
    if slope * g < 0.0:  # case 2: the minimum lies between
        n[HIGH], n[HIGH_COST], n[HIGH_SLOPE], n[BRACKETED] = low, f, g, 1.0
        return cubic if abs(cubic - step) > abs(secant - step) else secant
    if abs(slope) < abs(g):  # case 3: it flattens
        onward = (cubic - step) * (step - low) > 0.0
        if not bracketed:
            return max(cubic, secant) if onward else secant
        near = onward and abs(cubic - step) < abs(secant - step)
        trial, most = (cubic if near else secant), step + 0.66 * (n[HIGH] - step)
        return min(trial, most) if n[HIGH] > step else max(trial, most)
    if bracketed:  # case 4: it gets steeper
        return _cubic(step, cost, slope, n[HIGH], n[HIGH_COST], n[HIGH_SLOPE])
    return np.inf


@scalar
def _safe(n, trial, grown):
    """A trial within the interval, or beyond the last one, which has grown by so much."""
    low, high = n[LOW], n[HIGH]
    if n[BRACKETED] == 0.0:
        return min(max(low + 1.1 * grown, min(trial, low + 4.0 * grown)), _LONGEST)
    width, middle = abs(high - low), low + 0.5 * (high - low)
    slow = width >= 0.66 * n[WIDTH_BEFORE]
    n[WIDTH_BEFORE], n[WIDTH] = n[WIDTH], width
    if slow or not min(low, high) < trial < max(low, high):
        return middle
    return trial


@scalar
def _cubic(a, f, g, b, cost, slope):
    """The minimum of the cubic that has these costs and slopes at a and b; NaN if it has none."""
    d = g + slope - 3.0 * (f - cost) / (a - b)
    root = d * d - g * slope
    if not root >= 0.0:
        return np.nan
    e = np.sqrt(root) if b > a else -np.sqrt(root)
    return b - (b - a) * (slope + e - d) / (slope - g + 2.0 * e)
