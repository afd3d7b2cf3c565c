"""What each activation promises: parameters, bounds in ULP, and where to look closely."""

from typing import NamedTuple

from fastnn.kernels import activations

__all__ = ["FUNCTIONS", "OTHERS", "TABLE", "Row", "suffixed"]

ORDERS = ("", "_derivative", "_second_derivative")


def suffixed(name, order):
    """The name of the formula of a derivative; order 0 is the activation itself."""
    return name + ORDERS[order]


class Row(NamedTuple):
    """An activation with its parameters, and its promises.

    bounds: ULP of the activation, the derivative, the second derivative.
    zeros: where each of the three is zero away from x = 0. In the neighbourhood, where terms of the
    size of 1 cancel, it is enough that the error is below as many eps as the bound has ULP.
    breaks: where formulas change, and where results leave the normal range.
    kinks: where the derivative jumps, at a number that may not be one of the dtype.
    scale: the size of the second derivative's terms, which those eps are multiplied by.
    """

    name: str
    parameters: tuple = ()
    bounds: tuple = (2.0, 4.0, 8.0)
    zeros: tuple = ((), (), ())
    breaks: tuple = ()
    kinks: tuple = ()
    scale: float = 1.0

    @property
    def orders(self):
        """Those that there are formulas for."""
        return [k for k in range(3) if activations.find(suffixed(self.name, k)) is not None]


EXACT, PARABOLA, COMPOSITE = (0.5, 0.5, 0.5), (2.0, 4.0, 0.5), (4.0, 4.0, 8.0)
EXP32, EXP64 = (-103.97, -87.34, 88.72), (-745.13, -708.396, 709.78)
EXP = (*EXP32, *EXP64, 0.34657, -0.34657)

ALL = (
    Row("step", (), EXACT),
    Row("identity", (), EXACT),
    Row("bent_identity", breaks=(1.0, -1.0, 2.0**60, -(2.0**60), 2.0**500)),
    Row("hard_shrink", (0.5,), EXACT, kinks=(-0.5, 0.5)),
    Row("soft_shrink", (0.5,), EXACT, kinks=(-0.5, 0.5)),
    Row("threshold", (0.1, 20.0), EXACT, kinks=(0.1,)),
    Row("sigmoid", breaks=EXP),
    Row("hard_sigmoid", (0.2, 0.5), EXACT, kinks=(-2.5, 2.5)),
    Row("log_sigmoid", breaks=(*EXP, 0.5, -0.5, 0.88137, -0.88137)),
    Row("tanh", breaks=(0.17329, 9.01, 19.06, 44.0, 52.4, 354.2, 372.9)),
    Row("tanh_shrink", (), COMPOSITE, breaks=(0.1, 0.15, 0.25, 0.5, 0.625, 1.0, 9.01, 19.06)),
    Row("hard_tanh", (-1.0, 1.0), EXACT, kinks=(-1.0, 1.0)),
    Row("relu", (), EXACT),
    Row("relu6", (), EXACT, kinks=(6.0,)),
    Row("leaky_relu", (0.01,), EXACT),
    Row("elu", (1.0,), breaks=EXP),
    Row("selu", (1.0507009873554805, 1.6732632423543772), breaks=EXP),
    Row("celu", (1.0,), breaks=EXP),
    Row("softplus", breaks=(*EXP, 0.5, -0.5, 0.88137, -0.88137)),
    Row("softsign", breaks=(1.0, -1.0, 1e12, 1e150)),
    Row(
        "swish",
        (1.0,),
        zeros=((), (-1.27846454,), (-2.39935728, 2.39935728)),
        breaks=(*EXP, -108.6, -91.9, -751.8, -715.0),
    ),
    Row(
        "mish",
        (),
        COMPOSITE,
        zeros=((), (-1.19243121,), (-2.25637640, 1.49057118)),
        breaks=(*EXP, -108.6, -91.9, -751.8, -715.0, 22.0, 356.0, 375.0),
    ),
    Row(
        "tanh_exp",
        (),
        # the end of its upper tail, exp(-2 E), is as far off as 2 E, of up to 750, is as a number
        (4.0, 4.0, 80.0),
        zeros=((), (-1.07886006,), (-2.06597190, 0.69656396)),
        breaks=(*EXP, -108.6, -91.9, -751.8, -715.0, 2.2, 2.95, 3.8, 4.0, 5.87, 5.95),
    ),
    Row(
        "gelu",
        (),
        COMPOSITE,
        zeros=((), (-0.75179152,), (-1.41421356, 1.41421356)),
        breaks=(-13.1, -14.4, 13.1, 14.4, -37.5, -38.6, 37.5, 38.6, 5.5, 8.3, 0.5, -0.5, 1.0, -1.0),
    ),
    Row(
        "gelu_tanh",
        (),
        COMPOSITE,
        zeros=((), (-0.75246142,), (-1.41850401, 1.41850401)),
        breaks=(-9.9, -10.6, 9.9, 10.6, -21.0, -21.5, 21.0, 21.5, 4.8, 7.0),
    ),
    Row("hard_swish", (), PARABOLA, zeros=((-3.0,), (-1.5,), ()), kinks=(-3.0, 3.0)),
    Row("squareplus", (4.0,), breaks=(2.0, -2.0, -(2.0**60), 2.0**60, 2.0**500, 1e12)),
    Row(
        "log_cosh",
        (),
        COMPOSITE,
        breaks=(0.1, 0.25, 0.34657, 0.5, 0.88137, 1.0, 9.01, 19.06, 44.0, 52.4, 354.2, 372.9),
    ),
    Row("exponential", breaks=EXP),
    Row("sparse_plus", (), PARABOLA, kinks=(-1.0, 1.0)),
    Row("sparse_sigmoid", (), EXACT, kinks=(-1.0, 1.0)),
    Row("prelu", (0.25,), EXACT),
)

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
    "celu": [(0.3,), (-2.0,), (1e4,), (1e-3,)],
    "swish": [(1.702,), (-1.0,), (1e-3,), (300.0,)],
    "squareplus": [(1.0,), (0.25,), (1e6,)],
    "prelu": [(2.5,), (-0.75,), (0.0,)],
}


def _with(row, parameters):
    """The row with other parameters, and with its zeros and kinks where these put them."""
    zeros, kinks, scale = row.zeros, row.kinks, 1.0
    if row.name == "swish":
        scale = abs(parameters[0])
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
    return row._replace(parameters=parameters, zeros=zeros, kinks=kinks, scale=scale)


TABLE = [row for row in ALL if row.orders]
OTHERS = [_with(row, numbers) for row in TABLE for numbers in OTHER_PARAMETERS.get(row.name, ())]
FUNCTIONS = [(row, order) for row in TABLE for order in row.orders]
