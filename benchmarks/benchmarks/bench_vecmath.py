"""The elementary functions, in a bare loop over an array, against NumPy's and SciPy's ufuncs."""

import numpy as np
from scipy import special

from fastnn.kernels import vecmath
from fastnn.kernels.codegen.declare import kernel
from fastnn.kernels.codegen.intrinsics import wide

# name: the counterpart, and the range of the inputs
FUNCTIONS = {
    "exp": (np.exp, (-10, 10)),
    "expm1": (np.expm1, (-10, 10)),
    "log": (np.log, (0, 100)),
    "log1p": (np.log1p, (-1, 100)),
    "sin": (np.sin, (-10, 10)),
    "cos": (np.cos, (-10, 10)),
    "tanh": (np.tanh, (-10, 10)),
    "sigmoid": (special.expit, (-10, 10)),
    "softplus": (lambda x, out: np.logaddexp(x.dtype.type(0), x, out=out), (-10, 10)),
}

MISSING = set(vecmath.ELEMENTARY) - FUNCTIONS.keys()
if MISSING:
    raise NotImplementedError(f"no benchmark of {sorted(MISSING)}: add them to FUNCTIONS")


def loop(function):
    """The kernel out = function(x)."""

    def vecmath_loop(x, out):
        wide()
        for i in range(x.size):
            out[i] = function(x[i])

    return kernel(vecmath_loop)


class Vecmath:
    params = (list(FUNCTIONS), ["float32", "float64"], [1_000, 100_000])
    param_names = ("function", "dtype", "size")

    def setup(self, function, dtype, size):
        self.theirs, (low, high) = FUNCTIONS[function]
        self.x = np.random.default_rng(0).uniform(low, high, size).astype(dtype)
        self.out = np.empty_like(self.x)
        self.ours = loop(getattr(vecmath, function))
        self.ours(self.x, self.out)
        self.theirs(self.x, out=self.out)

    def time_fastnn(self, function, dtype, size):
        self.ours(self.x, self.out)

    def time_numpy(self, function, dtype, size):
        self.theirs(self.x, out=self.out)
