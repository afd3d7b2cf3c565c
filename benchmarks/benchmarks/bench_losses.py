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
    """``cost(logits, targets)`` and ``cost.delta``, with the checks of targets.

    Every combination runs in a process of its own, so there is one dtype.
    """

    params = (list(COSTS), ["value", "delta"])
    param_names = ("cost", "part")

    def setup(self, name, part):
        cost, *self.given = sample(name, "float32")
        self.kernel = cost if part == "value" else cost.delta
        self.kernel(*self.given)

    def time_kernel(self, name, part):
        self.kernel(*self.given)


class LossReferences:
    """What the kernels are checked against, in float64: the gradients."""

    params = Losses.params[:1]
    param_names = Losses.param_names[:1]

    def setup(self, name):
        _, *self.given = sample(name, "float64")
        self.reference = REFERENCE[name].delta

    def time_numpy(self, name):
        self.reference(*self.given)
