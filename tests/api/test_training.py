"""The engine against a training in NumPy: every activation, cost and rule, with every option."""

import itertools

import numpy as np
import pytest
from support.networks import COSTS, DTYPES, MAIN, OTHERS, data, network
from support.reference_training import ReferenceTraining
from support.tolerance import assert_close

from fastnn.activations import ACTIVATIONS
from fastnn.optimizers import RULES, get_opt
from fastnn.schedules import Cosine, InverseTime

pytestmark = pytest.mark.main_in_float32

SIZES, ROWS, STEPS = (5, 8, 6, 3), 29, 100
CLASSES = {0: 0.5, 2: 3.0}

WEIGHTS = np.random.default_rng(2).uniform(0, 2, ROWS)
WEIGHTS[::7] = 0.0

# Names of `get_opt`, of `fit`, of a cost, and of a layer: each goes to where it belongs.
OPTIONS = [
    {},
    {"reduction": "mean"},
    {"batch_size": 7},
    {"batch_size": 1, "reduction": "mean"},
    {"weight_decay": 0.1},
    {"clip_norm": 0.5, "batch_size": 10},
    {"clip_value": 0.05},
    {"learning_rate": Cosine(0.01, 60, final=1e-3, restarts=None), "batch_size": 15},
    {"learning_rate": lambda step: 0.01 / (1 + step), "reduction": "mean"},
    {"sample_weight": WEIGHTS, "reduction": "mean", "batch_size": 8},
    {"class_weight": CLASSES},
    {"l1": 0.1, "l2": 0.3},
    {"l1": 0.1, "l2": 0.3, "batch_size": 9},
    {"l1": 0.1, "l2": 0.3, "batch_size": 9, "sample_weight": WEIGHTS},
    {
        "reduction": "mean",
        "batch_size": 10,
        "weight_decay": 0.05,
        "clip_norm": 0.1,
        "clip_value": 0.02,
        "learning_rate": InverseTime(0.02, 0.5, 10),
        "sample_weight": WEIGHTS,
        "class_weight": CLASSES,
        "l1": 0.01,
        "l2": 0.02,
    },
]
OF_RULE = {"weight_decay", "clip_norm", "clip_value", "learning_rate"}
OF_FIT = {"batch_size", "sample_weight", "class_weight"}

# Where last bits decide, or grow by small gradients, or where numbers are random:
# tests/api/test_optimizers.py follows their steps.
OTHERWISE = ["RMSprop", "RAdam", "RMSpropGraves", "Rprop", "Lion", "SantaE", "SantaSSS"]


def options_of(k, rule):
    """The options of case k; SMORMS3 divides roundings where gradients are clipped to one size."""
    chosen = OPTIONS[k % len(OPTIONS)]
    return (
        OPTIONS[(k + 1) % len(OPTIONS)] if rule == "SMORMS3" and "clip_value" in chosen else chosen
    )


# Fifteen sets of options and many more triples: every set meets every rule, and most of the rest.
CASES = [
    (*triple, options_of(k, triple[-1]))
    for k, triple in enumerate(
        [
            *itertools.product(MAIN, COSTS, ["SGD", "Adam", "AdamW"]),
            *(("tanh", cost, rule) for rule in RULES if rule not in OTHERWISE for cost in COSTS),
            *((name, cost, "SGD") for name, cost in OTHERS),
        ]
    )
]


def chain(steps, batch):
    """The longest chain of roundings of a training, for the tolerance."""
    return steps * (sum(SIZES) + 8 * len(SIZES) + batch)  # 8: activation and its derivative


def make(activation, cost, rule, options, dtype):
    """A network and an optimizer with those of the options that are theirs."""
    names = [activation, activation, "identity"]
    if ACTIVATIONS[activation].kind:  # also last, before every cost
        names = [activation, "tanh", activation]
    if activation == "log-softmax":  # which has no bound, and two of which enlarge roundings
        names = ["tanh", activation, "tanh"]
    nn = network(SIZES, names, cost, dtype)
    nn.cost_function = COSTS[cost](reduction=options.get("reduction", "sum"))
    for layer in nn.layers[:2]:  # not all of them
        layer.l1, layer.l2 = options.get("l1", 0.0), options.get("l2", 0.0)
    chosen = {key: options[key] for key in OF_RULE & set(options)}
    return nn, get_opt(rule, **{"learning_rate": 0.005, **chosen})


def weights_of(options, t):
    weights = options.get("sample_weight", np.ones(ROWS))
    if "class_weight" in options:
        weights = weights * [options["class_weight"].get(k, 1.0) for k in t.argmax(axis=1)]
    return weights


@pytest.mark.one_in(7)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("activation", "cost", "rule", "options"),
    CASES,
    ids=[f"{a}-{c}-{r}-{k % len(OPTIONS)}" for k, (a, c, r, _) in enumerate(CASES)],
)
def test_a_hundred_steps_equal_the_reference(activation, cost, rule, options, dtype):
    nn, optimizer = make(activation, cost, rule, options, dtype)
    X, t = (array.astype(dtype) for array in data(SIZES, cost, ROWS))
    batch = options.get("batch_size", ROWS)
    epochs = -(-STEPS // -(-ROWS // batch))
    weights = weights_of(options, t).astype(dtype)
    twin = ReferenceTraining(nn, optimizer)
    history = nn.fit(
        X, t, optimizer=optimizer, epochs=epochs, shuffle=False, n_threads=1,
        **{key: options[key] for key in OF_FIT & set(options)},
    )  # fmt: skip
    costs = twin.fit(X.astype(np.float64), t.astype(np.float64), epochs, batch, weights)
    steps = epochs * -(-ROWS // batch)
    assert optimizer.steps == steps >= STEPS
    assert_close(nn.parameters, twin.parameters, operations=chain(steps, batch))
    assert_close(history.cost.astype(dtype), costs, operations=chain(steps, batch))


def test_every_option_acts():
    """Each changes the result: none of the comparisons above compares nothing."""

    def trained(**options):
        nn, optimizer = make("tanh", "SoftmaxCrossEntropy", "Adam", options, np.float64)
        X, t = data(SIZES, "SoftmaxCrossEntropy", ROWS)
        more = {key: options[key] for key in OF_FIT & set(options)}
        nn.fit(X, t, optimizer=optimizer, epochs=20, shuffle=False, **more)
        return nn.parameters.copy()

    plain = trained()
    for name, value in {key: value for o in OPTIONS for key, value in o.items()}.items():
        assert np.abs(trained(**{name: value}) - plain).max() > 1e-6, name
