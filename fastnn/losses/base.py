"""Costs as objects: checks of arguments, then tile kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, as_samples, convert, read, weights
from .._core.prepared import DTYPES, never
from ..kernels.calls import cost as calls
from ..kernels.codegen import run
from ..kernels.codegen.declare import address
from ..kernels.losses import tile_kernels
from .spec import Loss
from .targets import as_column, one_hot

__all__ = [
    "REDUCTIONS",
    "CostFunction",
    "CostKernels",
    "Reduction",
    "check_total",
    "cost_of",
    "delta_of",
]

Reduction: TypeAlias = Literal["sum", "mean", "none"]
REDUCTIONS = "sum", "mean", "none"


_ONE = {dtype: np.ones(1, dtype) for dtype in DTYPES}  # a weight for all samples
_NOTHING = {dtype: np.empty(0, dtype) for dtype in DTYPES}  # targets of an activation


_MOST = 1 << 20  # numbers in the logits of a prepared call


class CostKernels(NamedTuple):
    """The tile kernels of a cost, see ``kernels/losses/tile_kernels.py``."""

    value: Callable[..., Any]
    value_and_grad: Callable[..., Any]
    activate: Callable[..., Any] | None
    vjp: Callable[..., Any] | None


def check_total(cost: Any) -> None:
    """Refuse a cost that gives no single number."""
    if getattr(cost, "reduction", "sum") == "none":
        raise ValueError(
            "cost_function has reduction='none', which gives a cost for each sample; a network "
            "needs 'sum' or 'mean'"
        )


def cost_of(cost: Any, logits: Any, t: npt.ArrayLike, name: str = "t") -> float:
    """The cost of all samples, where a caller's own is given arrays that fit, as by `fit`."""
    value = cost(logits, _fitting(cost, logits, t, name))
    if np.ndim(value):
        raise TypeError(
            f"{type(cost).__name__} gave an array of shape {np.shape(value)} as the cost, expected "
            "one number"
        )
    return float(value)


def delta_of(cost: Any, logits: Any, t: npt.ArrayLike, name: str = "t") -> Array:
    """The gradient of the cost by the logits, in their shape."""
    delta = np.asarray(cost.delta(logits, _fitting(cost, logits, t, name)))
    if delta.shape != np.shape(logits):
        raise ValueError(
            f"{type(cost).__name__}.delta gave an array of shape {delta.shape}, expected that of "
            f"the outputs, {np.shape(logits)}"
        )
    return delta


def _fitting(cost: Any, logits: Any, t: npt.ArrayLike, name: str) -> npt.ArrayLike:
    """Targets of these logits, never to be broadcast; costs of the library look themselves."""
    own = CostFunction
    known = isinstance(cost, own)
    if known and type(cost).__call__ is own.__call__ and type(cost).delta is own.delta:
        return t
    y = np.asarray(logits)
    dtype = y.dtype if y.dtype in DTYPES else np.dtype(np.float64)
    if known and y.ndim == 2:
        targets: Array = cost.samples_of_targets(name, t, y.shape[1], dtype)
    else:
        targets = convert(name, t, dtype)
    columns = cost.targets_for(_features(y)) if known else _features(y)
    expected = (*y.shape[:-1], columns) if y.ndim else ()
    if targets.shape != expected:
        hint = ""
        if targets.size == math.prod(expected):
            hint = f"; numpy.reshape({name}, {expected}) has it"
        raise ValueError(
            f"{name} has shape {targets.shape}, expected {expected} for outputs of shape {y.shape}"
            f"{hint}"
        )
    return targets


class CostFunction:
    """A cost, made from its entry of the table.

    In all methods the last axis runs over the outputs, the others over samples. float32 stays
    float32, everything else is worked on in float64; inputs are never changed. Targets out of
    their range are refused; NaN gives NaN.

    Parameters
    ----------
    reduction : "sum", "mean" or "none"
        Whether costs of the samples are summed, or divided by their number, or given one by one.
        With the mean, the learning rate does not depend on the size of the batch. A network needs
        one number: "sum" or "mean".
    **parameters
        The entry's parameters. They are attributes then, if no method has that name.

    """

    spec: ClassVar[Loss]
    reduction: Reduction = "sum"

    def __init__(self, reduction: Reduction | None = None, **parameters: Any) -> None:
        if reduction is None:
            reduction = self.spec.reduction  # type: ignore[assignment]
        if not isinstance(reduction, str) or reduction not in REDUCTIONS:
            known, names = "'sum', 'mean' or 'none'", [f"{name}=" for name in self.spec.parameters]
            hint = f"; parameters are given by name: {', '.join(names)}"
            hint = "" if isinstance(reduction, str) or not names else hint
            raise ValueError(f"reduction must be {known}, not {reduction!r}{hint}")
        self._parameters: dict[str, Any] = self.spec.checked(parameters)
        self.reduction = reduction

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return dict(self._parameters)

    def kernels(self) -> CostKernels:
        """What compiled networks run."""
        cost, output = self.spec.cost, tile_kernels.ACTIVATIONS[self.spec.activation]
        return CostKernels(cost.value, cost.step, output.activate, output.vjp)

    def numbers(self, outputs: int) -> Array:
        """Its parameters as the kernels read them."""
        hyper: list[float] = []
        for name, value in self._parameters.items():
            if value is None or isinstance(value, tuple):
                if value and len(value) != outputs:
                    raise ValueError(f"{name} has {len(value)} numbers, expected {outputs}")
                hyper += [1.0, *value] if value else [0.0]
            else:
                hyper.append(float(value))
        return np.array([*hyper, 0.0, 0.0])

    def targets_for(self, outputs: int) -> int:
        """Columns of the targets of a network with so many outputs."""
        each = self.spec.per_target
        if outputs % each:
            raise ValueError(
                f"{type(self).__name__} needs {each} outputs for each target, not {outputs} in all"
            )
        return outputs // each

    def outputs_for(self, targets: int) -> int:
        """Outputs that a network needs for targets of so many columns."""
        return targets * self.spec.per_target

    def samples_of_targets(
        self, name: str, value: npt.ArrayLike, outputs: int, dtype: np.dtype[Any]
    ) -> Array:
        """Targets of a network's samples as its kernels read them, (rows, columns), checked."""
        given, labels = read(name, value), self.spec.form.labels
        if labels and given.ndim == 1:
            return one_hot(name, given, outputs, dtype)
        columns = self.targets_for(outputs)
        targets = as_samples(name, as_column(given, columns), columns, dtype, labels)
        self.spec.form.check(name, targets)
        return targets

    def activate(self, logits: npt.ArrayLike) -> Array:
        """Output of a network whose last layer has the activity `logits`."""
        result = self._ask("activate", logits)
        if result is not None:
            return result  # type: ignore[no-any-return]
        x = convert("logits", logits)
        self.targets_for(_features(x))
        kernel = tile_kernels.ACTIVATIONS[self.spec.activation].activate
        if kernel is None or not x.size:
            return x.copy() if x is logits or not x.size else x
        out = np.empty_like(x)
        self._run(kernel, x, _NOTHING[x.dtype], _ONE[x.dtype], out)
        return out

    def __call__(
        self,
        logits: npt.ArrayLike,
        targets: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Any:
        """Cost of all samples, a float; with ``reduction="none"`` an array of one for each.

        Parameters
        ----------
        logits : array (…, outputs)
            Activity of the last layer.
        targets : array (…, columns)
        sample_weight : array (…), optional
            Factor of each sample's cost, at least 0. The mean divides by the number of samples.

        """
        if sample_weight is None:
            total = self._ask("value", logits, targets)
            if total is not None:
                return total
        x, t, w = self._arguments(logits, targets, sample_weight)
        if self.reduction == "none":
            return self._each(x, t, w)
        if not x.size:
            return 0.0
        cost = self._run(self.spec.cost.value, x, t, self._shares(w, x))
        return cost / _samples(x) if self.reduction == "mean" else cost

    def delta(
        self,
        logits: npt.ArrayLike,
        targets: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Gradient of the cost with respect to `logits`; of each sample's, if not reduced."""
        if sample_weight is None:
            gradient = self._ask("delta", logits, targets)
            if gradient is not None:
                return gradient  # type: ignore[no-any-return]
        x, t, w = self._arguments(logits, targets, sample_weight)
        if not x.size:
            return x.copy()
        if self.reduction == "mean":
            w = w / np.array(_samples(x), x.dtype)
        out, w = np.empty_like(x), self._shares(w, x)
        if self.spec.cost.grad is None or w.size > 1:
            self._run(self.spec.cost.step, x, t, w, out)
        else:
            flat, hyper = out.reshape(-1), self.numbers(_features(x))
            flat[0] = w[0]
            target = address(self.spec.cost.grad, x.dtype)
            run.run(target, x.reshape(-1), t.reshape(-1), flat, hyper, 1, x.size, 1)
        return out

    _calls: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles work out their own calls."""
        return {name: value for name, value in vars(self).items() if name != "_calls"}

    def _ask(self, what: str, *given: Any) -> Any:
        """The answer of a call that is worked out once; None: the careful way."""
        known = self._calls
        if known is None or known["reduction"] is not self.reduction:
            known = self.__dict__["_calls"] = {"reduction": self.reduction}
        call = known.get(what)
        if call is not None:
            result = call(*given)
            if result is not None:
                return result
        logits = given[0]
        if type(logits) is not np.ndarray or not logits.ndim or logits.dtype not in DTYPES:
            return None
        key = what, logits.dtype, logits.shape[-1]
        if known.get(f"{what} for") == key or self.reduction == "none":
            return None
        known[f"{what} for"], known[what] = key, self._prepared(*key)
        return known[what](*given)

    def _prepared(self, what: str, dtype: np.dtype[Any], features: int) -> Callable[..., Any]:
        """The call for logits of this dtype, with so many outputs."""
        kernels, form = self.kernels(), self.spec.form
        kernel = {
            "value": kernels.value,
            "delta": self.spec.cost.grad or kernels.value_and_grad,
            "activate": kernels.activate,
        }[what]
        if kernel is None or form.whole or not features or features % self.spec.per_target:
            return never
        limits = None if form.least == -math.inf else (form.least, form.most)
        call: Callable[..., Any] = calls.cost(
            what, address(kernel, dtype), dtype, self.numbers(features), features,
            self.targets_for(features), self.spec.is_elementwise and what != "activate",
            self.spec.averaged, self.reduction == "mean", limits, _MOST,
        )  # fmt: skip
        return call

    def _shares(self, w: Array, x: Array) -> Array:
        """Weights of samples as weights of their outputs, which are averaged or summed."""
        return w / np.array(_features(x), w.dtype) if self.spec.averaged else w

    def _arguments(
        self, logits: npt.ArrayLike, targets: npt.ArrayLike, sample_weight: npt.ArrayLike | None
    ) -> tuple[Array, Array, Array]:
        x = convert("logits", logits)
        outputs, form = _features(x), self.spec.form
        columns = self.targets_for(outputs)
        expected = (*x.shape[:-1], columns) if x.ndim else ()
        given = read("targets", targets)
        if x.ndim and form.labels and given.ndim == x.ndim - 1:
            t = one_hot("targets", given, outputs, x.dtype)
        else:
            t = convert("targets", given, x.dtype)
        if t.shape != expected:
            of = "that of logits, " if expected == x.shape else ""
            hint = ""
            if form.labels and t.shape == (*expected[:-1], 1):
                hint = f"; labels go as {expected[:-1]}: targets[..., 0]"
            raise ValueError(f"targets have shape {t.shape}, expected {of}{expected}{hint}")
        form.check("targets", t)
        w: Array = _ONE[x.dtype]
        if sample_weight is not None:
            w = weights("sample_weight", sample_weight, x.dtype)
            if w.shape != x.shape[:-1]:
                raise ValueError(
                    f"sample_weight has shape {w.shape}, expected that of the samples, "
                    f"{x.shape[:-1]}"
                )
        return x, t, w

    def _each(self, x: Array, t: Array, w: Array) -> Array:
        """The cost of each sample."""
        out = np.zeros(_samples(x))
        features, columns = _features(x), _features(t)
        if x.size:
            target, numbers = address(self.spec.cost.value, x.dtype), self.numbers(features)
            given = (values.reshape(-1) for values in (x, t, w))
            run.run_each(target, *given, numbers, out, features, columns)
        return out.astype(x.dtype).reshape(x.shape[:-1])

    def _run(
        self, kernel: Callable[..., Any], x: Array, t: Array, w: Array, out: Array | None = None
    ) -> float:
        """The kernel's sum over all samples; `out` gets what it makes of x."""
        target, features = address(kernel, x.dtype), _features(x)
        columns, repeated, numbers = _features(t), 1, self.numbers(features)
        if self.spec.is_elementwise:  # as one output of more samples: nothing to be turned around
            features, columns, repeated = 1, min(columns, 1), features
        x, t, w = x.reshape(-1), t.reshape(-1), w.reshape(-1)
        written, writes = (x, False) if out is None else (out.reshape(-1), True)
        return float(
            run.run_samples(
                target, x, t, w, numbers, written, writes, x.size // features, features, columns,
                repeated,
            )
        )  # fmt: skip

    def __repr__(self) -> str:
        known = self.spec.parameters
        given = [f"{k}={v!r}" for k, v in self._parameters.items() if v != known[k]]
        if self.reduction != self.spec.reduction:
            given.append(f"reduction={self.reduction!r}")
        return f"{type(self).__name__}({', '.join(given)})"


def _features(x: Array) -> int:
    return int(x.shape[-1]) if x.ndim else 1


def _samples(x: Array) -> int:
    return math.prod(x.shape[:-1])
