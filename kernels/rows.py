"""Row kernels called from Python, and the checks that walk over whole arrays."""

from . import optimizers as rule
from .jit import call, kernel, pointer


@kernel
def run(target, a, b, c, parameters, m, n, k):
    """Call the row kernel at the address `target` on contiguous arrays."""
    p = pointer(parameters, 0)
    return call(target, pointer(a, 0), pointer(b, 0), pointer(c, 0), p, m, n, k, 0)


@kernel
def run_each(target, a, b, c, parameters, k, out):
    """Call it for the rows of a and b, one by one; sets what it returns for each."""
    m, columns, p = a.shape[1], b.shape[1], pointer(parameters, 0)
    for r in range(out.size):
        x, t = pointer(a, r * m), pointer(b, r * columns)
        out[r] = call(target, x, t, pointer(c, 0), p, m, 1, k, 0)


@kernel
def update(target, p, g, state, numbers, rate, step):
    """One step of an update rule on a vector; returns whether it was taken."""
    numbers[rule.RATE] = rate
    if numbers[rule.CLIP] > 0.0:
        total = 0.0
        for x in g:
            total += float(x) ** 2
        if total > numbers[rule.CLIP] ** 2:
            numbers[rule.SCALE] = numbers[rule.CLIP] / total**0.5
    a, b, c, h = pointer(p, 0), pointer(g, 0), pointer(state, 0), pointer(numbers, 0)
    if call(target, a, b, c, h, p.size, step, p.size, 1) != 0.0:
        return False
    call(target, a, b, c, h, p.size, step, p.size, 0)
    return True


@kernel(reassoc=True)
def all_finite(x):
    """Whether a one-dimensional array holds neither NaN nor infinity."""
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i] * x.dtype.type(0)  # 0 for every finite number, else NaN
    return total == 0
