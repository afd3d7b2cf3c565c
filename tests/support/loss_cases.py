"""Every cost with default and with other parameters, and samples for it."""

import numpy as np

from fastnn.losses import COSTS
from fastnn.reference.losses import COSTS as REFERENCE

MORE = {
    "SigmoidCrossEntropy": [{"label_smoothing": 0.1}, {"label_smoothing": 1.0}],
    "SoftmaxCrossEntropy": [
        {"label_smoothing": 0.1},
        {"class_weight": (0.5, 2.0, 0.0, 1.0)},
        {"label_smoothing": 0.2, "class_weight": (0.5, 2.0, 3.0, 1.0)},
        {"label_smoothing": 1.0},
    ],
    "Huber": [{"delta": 0.3}],
    "Quantile": [{"q": 0.9}],
    "MixtureDensityError": [{"components": 2, "targets": 3}, {"components": 1, "targets": 1}],
}
CASES = [(name, more) for name in COSTS for more in [{}, *MORE.get(name, [])]]
IDS = [f"{name}{'-'.join(['', *map(str, more)])}{k}" for k, (name, more) in enumerate(CASES)]


def made(case, **options):
    """The cost of a case, and its reference."""
    name, more = case
    return COSTS[name](**more, **options), REFERENCE[name].bound(**more)


def columns_of(cost, columns):
    """Columns of targets, where the cost leaves a choice."""
    weights = cost.parameters.get("class_weight")
    return len(weights) if weights else getattr(cost, "targets", columns)


def targets_of(cost, shape, dtype, rng):
    """Targets in the form that the cost asks for."""
    form = cost.spec.targets
    if form == "probabilities":
        t = rng.uniform(0, 1, shape) * (rng.uniform(0, 1, shape) > 0.2)
        if cost.spec.activation == "softmax":
            t = (t + 1e-3) / (t + 1e-3).sum(axis=-1, keepdims=True)
    elif form == "classes":
        t = np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    elif form == "counts":
        t = rng.poisson(3.0, shape)
    elif form == "signs":
        t = rng.choice([-1.0, 1.0], shape)
    else:
        t = rng.normal(size=shape)
    return t.astype(dtype)


def sample(cost, rows, columns, dtype, seed=0):
    """Activities of several sizes and targets of samples."""
    rng = np.random.default_rng(seed)
    rows = rows if isinstance(rows, tuple) else (rows,)
    columns = columns_of(cost, columns)
    t = targets_of(cost, (*rows, columns), dtype, rng)
    size = 1.0 if cost.spec.per_target > 1 or cost.spec.activation == "mixture" else 5.0
    return (size * rng.normal(size=(*rows, cost.outputs_for(columns)))).astype(dtype), t
