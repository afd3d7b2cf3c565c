"""Every update rule of the table: a step on the arrays of a network, and NumPy's reference."""

import fastnn
from fastnn.bench.optimizers.cases import Case, reference
from fastnn.optimizers import RULES


class Optimizers:
    """A step in place, by as many threads as pay; the reference makes new arrays, in float64."""

    params = (list(RULES), ["float32", "float64", "reference"], ["1k", "100k", "1M"])
    param_names = ("optimizer", "by", "parameters")

    def setup(self, optimizer, by, parameters):
        case = Case(optimizer, parameters)
        if by == "reference":
            self.step = reference(case)[1]
        else:
            made = fastnn.get_opt(optimizer, **case.task.settings)
            arrays = [[a.astype(by) for a in given] for given in (case.params(), case.grads())]
            self.step = lambda: made.step(*arrays, f=1.0)
        self.step()

    def time_step(self, optimizer, by, parameters):
        self.step()
