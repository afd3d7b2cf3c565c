"""The products of layers by themselves, and the same by NumPy's BLAS, both on one thread."""

from threadpoolctl import threadpool_limits

from fastnn.bench.products import numpy_peer, ours
from fastnn.bench.products.cases import KINDS, LAYERS, Case


class _Products:
    """As many products as make 100 million operations, at least one."""

    dtype = "float32"
    params = (list(LAYERS), list(KINDS), ["fastnn", "NumPy"])
    param_names = ("layer", "kind", "by")

    def setup(self, layer, kind, by):
        self.limits = threadpool_limits(1)
        case = Case(layer, kind, self.dtype)
        if by == "fastnn":
            self.products = ours.Products(case, 1)
        else:
            self.products = numpy_peer.competitors(case)[0]
        self.products.steps = max(1, 10**8 // case.operations)
        self.products.run()

    def teardown(self, layer, kind, by):
        self.limits.restore_original_limits()

    def time_run(self, layer, kind, by):
        self.products.run()


class ProductsSingle(_Products):
    """In float32."""


class ProductsDouble(_Products):
    """In float64."""

    dtype = "float64"
