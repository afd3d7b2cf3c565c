"""What each activation promises, from the library's table, and where to look closely."""

import math
from typing import NamedTuple

from fastnn.activations import ACTIVATIONS
from fastnn.kernels import activations

__all__ = ["FUNCTIONS", "OTHERS", "TABLE", "Row", "suffixed"]


def suffixed(name, order):
    """The name of the formula of a derivative; order 0 is the activation itself."""
    return name + activations.ORDERS[order]


class Row(NamedTuple):
    """An activation with its parameters, and its promises.

    bounds: ULP of the activation, and of the first, second and third derivative.
    zeros: where each of the four is zero away from x = 0. In the neighbourhood, where terms of the
    size of 1 cancel, it is enough that the error is below as many eps as the bound has ULP.
    breaks: where formulas change, and where results leave the normal range.
    kinks: where the derivative jumps, at a number that may not be one of the dtype.
    scales: the sizes of each one's terms, which those eps are multiplied by.
    largest: |x| up to which it is promised, for float32 and float64; beyond, all give NaN.
    """

    name: str
    parameters: tuple
    bounds: tuple
    zeros: tuple = ((), (), (), ())
    breaks: tuple = ()
    kinks: tuple = ()
    scales: tuple = (1.0, 1.0, 1.0, 1.0)
    largest: tuple = (math.inf, math.inf)


EXP32, EXP64 = (-103.97, -87.34, 88.72), (-745.13, -708.396, 709.78)
EXP = (*EXP32, *EXP64, 0.34657, -0.34657)

CHOSEN = {"threshold": (0.1, 20.0)}  # where the defaults would show less

# zeros of sine and cosine such that all that is beyond the first is near one of them
_MULTIPLES = tuple(sign * 3.0**k * math.pi for k in range(30) for sign in (-1, 1))
_ODD = tuple(place / 2 for place in _MULTIPLES)

# where rows have more to look at than all others; see `Row`
PLACES = {
    "bent_identity": {"breaks": (1.0, -1.0, 2.0**60, -(2.0**60), 2.0**500)},
    "hard_shrink": {"kinks": (-0.5, 0.5)},
    "soft_shrink": {"kinks": (-0.5, 0.5)},
    "threshold": {"kinks": (0.1,)},
    "sigmoid": {"breaks": EXP, "zeros": ((), (), (), (-1.3169579, 1.3169579))},
    "hard_sigmoid": {"kinks": (-2.5, 2.5)},
    "log_sigmoid": {"breaks": (*EXP, 0.5, -0.5, 0.88137, -0.88137)},
    "tanh": {
        "zeros": ((), (), (), (-0.65847895, 0.65847895)),
        "breaks": (0.17329, 9.01, 19.06, 44.0, 52.4, 354.2, 372.9),
    },
    "tanh_shrink": {
        "zeros": ((), (), (), (-0.65847895, 0.65847895)),
        "breaks": (0.1, 0.15, 0.25, 0.5, 0.625, 1.0, 9.01, 19.06),
    },
    "hard_tanh": {"kinks": (-1.0, 1.0)},
    "relu6": {"kinks": (6.0,)},
    "elu": {"breaks": EXP},
    "selu": {"breaks": EXP},
    "celu": {"breaks": EXP},
    "softplus": {"breaks": (*EXP, 0.5, -0.5, 0.88137, -0.88137)},
    "softsign": {"breaks": (1.0, -1.0, 1e12, 1e150)},
    "swish": {
        "zeros": ((), (-1.27846454,), (-2.39935728, 2.39935728), (-3.43584099, 3.43584099)),
        "breaks": (*EXP, -108.6, -91.9, -751.8, -715.0),
    },
    "mish": {
        "zeros": (
            (),
            (-1.19243121,),
            (-2.2563764, 1.49057118),
            (-3.26733785, -0.0879344313, 2.11484256),
        ),
        "breaks": (*EXP, -108.6, -91.9, -751.8, -715.0, 22.0, 356.0, 375.0),
    },
    "tanh_exp": {
        "zeros": (
            (),
            (-1.07886006,),
            (-2.0659719, 0.69656396),
            (-3.04169263, -0.192516121, 0.988783998),
        ),
        "breaks": (*EXP, -108.6, -91.9, -751.8, -715.0, 2.2, 2.95, 3.8, 4.0, 5.87, 5.95),
    },
    "gelu": {
        "zeros": ((), (-0.75179152,), (-1.41421356, 1.41421356), (-2.0, 2.0)),
        "breaks": (
            -13.1,
            -14.4,
            13.1,
            14.4,
            -37.5,
            -38.6,
            37.5,
            38.6,
            5.5,
            8.3,
            0.5,
            -0.5,
            1.0,
            -1.0,
        ),
    },
    "gelu_tanh": {
        "zeros": ((), (-0.75246142,), (-1.41850401, 1.41850401), (-2.01348072, 2.01348072)),
        "breaks": (-9.9, -10.6, 9.9, 10.6, -21.0, -21.5, 21.0, 21.5, 4.8, 7.0),
    },
    "hard_swish": {"zeros": ((-3.0,), (-1.5,), (), ()), "kinks": (-3.0, 3.0)},
    "squareplus": {"breaks": (2.0, -2.0, -(2.0**60), 2.0**60, 2.0**500, 1e12)},
    "log_cosh": {
        "breaks": (0.1, 0.25, 0.34657, 0.5, 0.88137, 1.0, 9.01, 19.06, 44.0, 52.4, 354.2, 372.9)
    },
    "exponential": {"breaks": EXP},
    "sin": {
        "zeros": (_MULTIPLES, _ODD, _MULTIPLES, _ODD),
        "breaks": (0.7853982, 2.3561945, 2.0**-13, 2.0**-28, 1e3, 1e5),
    },
    "sparse_plus": {"kinks": (-1.0, 1.0)},
    "sparse_sigmoid": {"kinks": (-1.0, 1.0)},
}

# the same promises for other parameters
OTHER_PARAMETERS = {
    "hard_shrink": [(0.0,), (1.5,)],
    "soft_shrink": [(0.0,), (1.5,)],
    "threshold": [(-3.0, -7.5), (0.0, 0.0)],
    "hard_sigmoid": [(1 / 6, 0.5), (-0.25, 0.25), (3.0, -1.0)],
    "hard_tanh": [(-0.5, 2.0), (1.0, 3.0)],
    "leaky_relu": [(2.5,), (-0.75,), (0.0,), (1e-30,)],
    "elu": [(0.3,), (-2.0,), (1e4,)],
    "selu": [(1.0, 1.0), (2.0, -0.7), (-1.5, 30.0)],
    "celu": [(0.3,), (-2.0,), (1e4,), (1e-3,), (-0.3,), (-1e-30,)],
    "swish": [(1.702,), (-1.0,), (1e-3,), (300.0,)],
    "sin": [(30.0,), (-0.3,), (1e-3,)],
    "squareplus": [(1.0,), (0.25,), (1e6,)],
    "prelu": [(2.5,), (-0.75,), (0.0,)],
}


def _with(row, parameters):
    """The row with other parameters, and with its zeros and kinks where these put them."""
    zeros, kinks, scales, largest = row.zeros, row.kinks, row.scales, row.largest
    if row.name in ("swish", "sin"):
        scale = abs(parameters[0])
        below = 1 if row.name == "swish" else 0  # powers of beta that are missing
        scales = tuple(scale ** max(order - below, 0) for order in range(4))
        largest = tuple(size / scale for size in largest)
        zeros = tuple(tuple(x / parameters[0] for x in places) for places in zeros)
    elif row.name in ("hard_shrink", "soft_shrink"):
        kinks = (-parameters[0], parameters[0])
    elif row.name == "threshold":
        kinks = parameters[:1]
    elif row.name == "hard_sigmoid":
        slope, offset = parameters
        kinks = (-offset / slope, (1 - offset) / slope)
    elif row.name == "hard_tanh":
        kinks = parameters
    return row._replace(
        parameters=parameters, zeros=zeros, kinks=kinks, scales=scales, largest=largest
    )


def _row(row):
    """The promises of a row of the library's table, for its own parameters."""
    given = CHOSEN.get(row.kernel) or tuple(row.parameters.values())
    places = PLACES.get(row.kernel, {})
    return Row(row.kernel, given, row.bounds, largest=row.largest, **places)


TABLE = [_row(row) for row in ACTIVATIONS.values() if activations.find(suffixed(row.kernel, 1))]
OTHERS = [_with(row, numbers) for row in TABLE for numbers in OTHER_PARAMETERS.get(row.name, ())]
FUNCTIONS = [(row, k) for row in TABLE for k in range(4) if activations.find(suffixed(row.name, k))]
