"""The articles' calls, one by one, and the same in the articles' NumPy."""

from fastnn.bench.dropin.cases import CALLS, cases_of, pair_of


def _cases(dtype):
    found = [case for door in CALLS for case in cases_of(door, dtype)]
    return {", ".join(filter(None, (c.door, c.name, c.size))): c for c in found}


class _Calls:
    """A call as a program makes it."""

    dtype = "float64"
    param_names = ("call", "by")

    def setup(self, call, by):
        pair = pair_of(_cases(self.dtype)[call])
        self.call = pair.ours if by == "fastnn" else pair.theirs
        self.call()
        self.call()

    def time_call(self, call, by):
        self.call()


class CallsDouble(_Calls):
    """In float64."""

    params = (list(_cases("float64")), ["fastnn", "NumPy"])


class CallsSingle(_Calls):
    """In float32."""

    dtype = "float32"
    params = (list(_cases("float32")), ["fastnn", "NumPy"])
