"""What NumPy does not refuse, and what ufuncs of several numbers at once cannot take."""

import sys

__all__ = ["overlaps_itself", "refuse_masked", "refuse_self_overlap"]


def refuse_masked(name, value):
    """Refuse an array with masked values, alone or in a list: all numbers would count alike.

    Without ``numpy.ma``, which NumPy itself loads when it is asked for, there are none.
    """
    kinds = sys.modules.get("numpy.ma")
    masked = None if kinds is None else _masked(value, kinds.MaskedArray)
    if masked is None:
        return
    count = int(kinds.getmaskarray(masked).sum())
    raise ValueError(
        f"{name} has {count} masked {'value' if count == 1 else 'values'}, expected none: fill "
        f"them, as with numpy.ma.filled({name}, 0.0), or leave their samples out"
    )


def _masked(value, kind):
    """The first array with a masked value, or None."""
    if isinstance(value, kind):
        return value if value.mask.any() else None
    if isinstance(value, (list, tuple)):
        kinds = (list, tuple, kind)
        if any(issubclass(each, kinds) for each in set(map(type, value))):
            masked = (_masked(each, kind) for each in value)
            return next((each for each in masked if each is not None), None)
    return None


def overlaps_itself(array):
    """Whether two numbers of an array may share memory.

    True too of what no slices and transpositions of an array give, where one axis steps between the
    numbers of another.

    >>> import numpy as np
    >>> overlaps_itself(np.broadcast_to(0.0, 3)), overlaps_itself(np.zeros((3, 4))[::-1, ::2].T)
    (True, False)
    """
    if array.flags.c_contiguous or array.size < 2:
        return False
    end = array.itemsize
    for stride, length in sorted(
        (abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1
    ):
        if stride < end:
            return True
        end += stride * (length - 1)
    return False


def refuse_self_overlap(name, out):
    """Refuse an output whose numbers share memory: what is written last would stand for others."""
    if overlaps_itself(out):
        raise ValueError(
            f"{name} has strides {out.strides}, so that its numbers share memory; expected each in "
            "a place of its own"
        )
