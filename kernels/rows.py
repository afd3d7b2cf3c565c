"""Row kernels called from Python, and the checks that walk over whole arrays."""

from .jit import call, kernel, pointer


@kernel
def run(target, a, b, c, parameters, m, n):
    """Call the row kernel at the address `target` on contiguous arrays."""
    p = pointer(parameters, 0)
    return call(target, pointer(a, 0), pointer(b, 0), pointer(c, 0), p, m, n, 0, 0)


@kernel(reassoc=True)
def all_finite(x):
    """Whether a one-dimensional array holds neither NaN nor infinity."""
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] * x.dtype.type(0)  # 0 for every finite number, else NaN
    return total == 0
