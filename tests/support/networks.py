"""Networks and data that several tests train."""

import itertools
import warnings

import numpy as np

from fastnn import DenseLayer, NeuralNetwork, get_opt
from fastnn.activations import ACTIVATIONS
from fastnn.losses import COSTS as ALL_COSTS
from fastnn.optimizers import RULES

DTYPES = [np.float32, np.float64]

# The article's costs meet everything. The others reach compiled code in the same way, and have
# tests of their own.
COSTS = dict(itertools.islice(ALL_COSTS.items(), 3))

# Activations that meet every cost and every rule: all kinds of kernels, derivatives by input and by
# output. The others are only other formulas, and meet one cost each, in turn.
MAIN = ["identity", "sigmoid", "tanh", "ReLU", "softplus", "Swish"]
MAIN += [name for name, spec in ACTIVATIONS.items() if spec.kind]
OTHERS = list(
    zip([name for name in ACTIVATIONS if name not in MAIN], itertools.cycle(COSTS), strict=False)
)
WITH_COSTS = [*itertools.product(MAIN, COSTS), *OTHERS]


# Rules that meet everything: no state, two states, numbers of the step, and random ones. All others
# are only other formulas.
FEW_RULES = ["SGD", "Adam", "Eve", "SantaSSS"]


def is_main(value):
    """Whether an argument of a test names no activation, cost or rule but those that meet all."""
    name = value[0] if isinstance(value, tuple) else getattr(value, "name", value)
    if not isinstance(name, str):
        return True
    others = ACTIVATIONS.keys() - MAIN | RULES.keys() - FEW_RULES | ALL_COSTS.keys() - COSTS
    return name not in others


def optimizer(rule, **hyper):
    """The optimizer of that name, with the same random numbers every time, and few of them."""
    calm = {"rng": 5, "burnin": 3, "eta": 1e-4} if RULES[rule].noisy else {}
    if "learning_rate" in hyper:
        calm.pop("eta", None)
    return get_opt(rule, **calm, **hyper)


def network(sizes, activations, cost, dtype=np.float64, seed=0):
    """A network of dense layers whose weights have the scale 1 / sqrt(fan in).

    Exponentials of exponentials would make a rounding as large as the result: every other is tanh.
    """
    names = list(activations)
    names[1::2] = ["tanh" if name == "exponential" else name for name in names[1::2]]
    rng = np.random.default_rng(seed)
    layers = [
        DenseLayer(a, b, std=a**-0.5, bias=0.1, activation=name, dtype=dtype, rng=rng)
        for a, b, name in zip(sizes, sizes[1:], names, strict=False)
    ]
    return twice_activated(layers, COSTS[cost]())


def twice_activated(layers, cost):
    """A network whose last layer may have the activation of the cost, without the warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* a second time", UserWarning)
        return NeuralNetwork(layers, cost)


def data(sizes, cost, rows, seed=1):
    """Samples and fitting targets: numbers, zeros and ones, or one-hot classes."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (rows, sizes[0]))
    if cost == "SumSquaresError":
        t = rng.normal(size=(rows, sizes[-1]))
    elif cost == "SigmoidCrossEntropy":
        t = rng.integers(0, 2, (rows, sizes[-1])).astype(float)
    else:
        t = np.eye(sizes[-1])[rng.integers(0, sizes[-1], rows)]
    return X, t
