"""Every activation of the table: its values, derivatives and products, and NumPy's reference."""

from fastnn.activations import ACTIVATIONS
from fastnn.bench.activations.cases import case_of, oracle, ours

# Every combination runs in a process of its own, so there are few: short calls in one dtype, long
# ones in the other.
NUMBERS = {"1000 float32": (1_000, "float32"), "100000 float64": (100_000, "float64")}


class Activations:
    """A call with its result in an array that is there; ``fastnn.bench`` has the peers.

    Those along an axis work on rows of 10 numbers, maxout on rows of 32, always in float64.
    """

    params = (list(ACTIVATIONS), ["forward", "derivative", "vjp"], list(NUMBERS))
    param_names = ("activation", "part", "numbers")

    def setup(self, activation, part, numbers):
        size, dtype = NUMBERS[numbers]
        case = case_of(activation, part, "float64" if activation == "maxout" else dtype, size)
        self.kernel = ours(case)["fastnn"]
        self.kernel()

    def time_kernel(self, activation, part, numbers):
        self.kernel()


class References:
    """What the kernels are checked against, with 100 000 numbers in float64."""

    params = Activations.params[:2]
    param_names = Activations.param_names[:2]

    def setup(self, activation, part):
        self.reference = oracle(case_of(activation, part, "float64", 100_000))

    def time_numpy(self, activation, part):
        self.reference()
