"""Every activation of the table: its values, derivatives and products, and NumPy's reference."""

from fastnn.activations import ACTIVATIONS
from fastnn.bench.activations.cases import case_of, oracle, ours


class Activations:
    """A call with its result in an array that is there; the reference makes new ones, in float64.

    Those along an axis work on rows of 10 numbers, maxout on rows of 32, always in float64.
    """

    params = (
        list(ACTIVATIONS),
        ["forward", "derivative", "vjp"],
        ["float32", "float64", "reference"],
        [1_000, 30_000, 1_000_000],
    )
    param_names = ("activation", "part", "by", "numbers")

    def setup(self, activation, part, by, numbers):
        if (activation, by) == ("maxout", "float32"):
            raise NotImplementedError  # asv leaves it out
        case = case_of(activation, part, "float64" if by == "reference" else by, numbers)
        self.call = oracle(case) if by == "reference" else ours(case)["fastnn"]
        self.call()

    def time_call(self, activation, part, by, numbers):
        self.call()
