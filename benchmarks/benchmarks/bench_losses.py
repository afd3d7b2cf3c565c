"""Every cost of the table: value and gradient of a batch, and NumPy's reference."""

import numpy as np

from fastnn.losses import COSTS, LOSSES
from fastnn.reference.losses import COSTS as REFERENCE

COLUMNS = 12  # a mixture of 3 Gaussians has 9 outputs for one target


def sample(name, dtype, rows):
    """A cost, activities of a batch, and targets in their form."""
    rng, cost = np.random.default_rng(0), COSTS[name]()
    columns = getattr(cost, "targets", COLUMNS)
    logits = rng.normal(size=(rows, cost.outputs_for(columns))).astype(dtype)
    if LOSSES[name].targets == "numbers":
        return cost, logits, rng.normal(size=(rows, columns)).astype(dtype)
    return cost, logits, np.eye(columns, dtype=dtype)[rng.integers(0, columns, rows)]


class Losses:
    """``cost(logits, targets)`` and ``cost.delta``, with the checks of targets."""

    params = (
        list(COSTS),
        ["value", "delta"],
        ["float32", "float64", "reference"],
        [100, 2_000, 40_000],
    )
    param_names = ("cost", "part", "by", "samples")

    def setup(self, name, part, by, samples):
        cost, *self.given = sample(name, "float64" if by == "reference" else by, samples)
        if by == "reference":
            cost = REFERENCE[name].bound(**cost.parameters)
            self.call = cost.value if part == "value" else cost.delta
        else:
            self.call = cost if part == "value" else cost.delta
        self.call(*self.given)

    def time_call(self, name, part, by, samples):
        self.call(*self.given)
