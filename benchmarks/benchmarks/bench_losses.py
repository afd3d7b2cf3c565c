"""Every cost of the table: value and gradient of a batch, and NumPy's reference."""

import numpy as np

from fastnn.losses import COSTS, LOSSES
from fastnn.reference.losses import COSTS as REFERENCE

ROWS, COLUMNS = 2_000, 12  # a mixture of 3 Gaussians has 9 outputs for one target


def sample(name, dtype):
    """A cost, activities of a batch, and targets in their form."""
    rng, cost = np.random.default_rng(0), COSTS[name]()
    columns = getattr(cost, "targets", COLUMNS)
    logits = rng.normal(size=(ROWS, cost.outputs_for(columns))).astype(dtype)
    if LOSSES[name].targets == "numbers":
        return cost, logits, rng.normal(size=(ROWS, columns)).astype(dtype)
    return cost, logits, np.eye(columns, dtype=dtype)[rng.integers(0, columns, ROWS)]


class Losses:
    """``cost(logits, targets)`` and ``cost.delta``, with the checks of targets."""

    params = (list(COSTS), ["value", "delta"], ["float32", "float64"])
    param_names = ("cost", "part", "dtype")

    def setup(self, name, part, dtype):
        cost, *self.given = sample(name, dtype)
        self.kernel = cost if part == "value" else cost.delta
        self.kernel(*self.given)

    def time_kernel(self, name, part, dtype):
        self.kernel(*self.given)


class LossReferences:
    """What the kernels are checked against, in float64."""

    params = Losses.params[:2]
    param_names = Losses.param_names[:2]

    def setup(self, name, part):
        _, *self.given = sample(name, "float64")
        self.reference = getattr(REFERENCE[name], part)

    def time_numpy(self, name, part):
        self.reference(*self.given)
