"""Modules as they were called up to version 0.1.0, for pickles that name them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PACKAGE = __name__.partition(".")[0]
_MOVED = {  # where what pickles name in it is now
    "_activation": {"_row_of": "activations.table.find"},
    "_activators": {"_rebuilt": "activations.base.rebuilt"},
    "_loss": {"Loss": "losses.spec.Loss"},
    "_mixture": {"MixtureDensityError": "losses.mixture.MixtureDensityError"},
    "_rule": {"_row_of": "optimizers.table.find"},
    "activations.vector": {"Maxout": "activations.maxout.Maxout"},
    "_several": {"_rebuilt": "_core.moved.named"},
    # numba's index of what users' own functions were compiled for
    "kernels.api": {"ModelType": "kernels.inference.overloads.ModelType"},
    "kernels.program": {"Model": "kernels.engine.model.Model"},
}


def named(name: str, parameters: Mapping[str, Any]) -> Any:
    """An activation of a whole layer, as pickles told its name."""
    return import_module(f"{_PACKAGE}.activations").get_act(name, **parameters)


class _Finder(MetaPathFinder, Loader):
    """Finds a module under its old name, with what pickles want of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        package, _, name = fullname.partition(".")
        return ModuleSpec(fullname, self) if package == _PACKAGE and name in _MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        name = module.__name__.partition(".")[2]
        for old, target in _MOVED[name].items():
            home, _, today = target.rpartition(".")
            setattr(module, old, getattr(import_module(f"{_PACKAGE}.{home}"), today))


def install() -> None:
    """Let old names be found."""
    sys.meta_path.append(_Finder())
