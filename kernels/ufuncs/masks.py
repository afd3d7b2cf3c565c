"""Masked arrays: what NumPy's ufuncs cannot see when they work on several numbers at once."""

import sys

__all__ = ["refuse_masked"]


def refuse_masked(name, value):
    """Refuse an array with masked values, alone or in a list: all numbers would count alike.

    Without ``numpy.ma``, which NumPy itself loads when it is asked for, there are none.
    """
    kinds = sys.modules.get("numpy.ma")
    found = None if kinds is None else _masked(value, kinds.MaskedArray)
    if found is None:
        return
    count = int(kinds.getmaskarray(found).sum())
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
            found = (_masked(each, kind) for each in value)
            return next((each for each in found if each is not None), None)
    return None
