"""Networks in other hands: predictions from Python, models for users' kernels, C callbacks."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._arrays import Array, aligned, check_out, convert
from ._models import holders, watch
from ._program import CURVE, Use, is_compiled, keep, model
from ._random import RNG, uniform_source
from .kernels import api, inference
from .kernels import program as at
from .kernels.compiler import imported
from .kernels.jit import address
from .kernels.program import Model
from .layers import changes, check_trainable
from .optimizers import Optimizer, resolve

if TYPE_CHECKING:
    from .network import NeuralNetwork

__all__ = ["Predictor", "compiled", "jacobian", "low_level_callable", "predict", "vjp"]


# Samples that are predicted with the GIL held, in memory that all callers share: up to so many
# multiplications and additions, some 20 µs, counting an activation as CURVE of them.
_HELD = 2e6
_HELD_ROWS = 512


class Predictor:
    """The compiled form of a network as it stands, for calls from Python."""

    def __init__(self, network: NeuralNetwork) -> None:
        _check(network)
        theta = network.parameters
        made = model(network.layers, network.cost_function, theta, Use(predicting=True))
        work = sum(layer.w.shape[1] * (layer.dim_input + CURVE) for layer in network.layers)
        self.rows = max(1, min(_HELD_ROWS, int(_HELD / work)))
        self.model, self.scratch = _with_scratch(made, self.rows)
        self.core = self.model.core
        self.dtype, self.layers = network.dtype, list(network.layers)
        self.cost_function = network.cost_function
        self.ends = network.layers[0].dim_input, network.layers[-1].dim_output
        self.changes = changes()

    def fits(self, network: NeuralNetwork) -> bool:
        """Whether the network is still the one that this was made of."""
        return (
            self.changes == changes()
            and self.layers == network.layers
            and self.cost_function is network.cost_function
        )

    def takes(self, given: tuple[int, ...], out: tuple[int, ...]) -> bool:
        """Whether arrays of these shapes fit, and are few samples."""
        return (given[-1:] + out[-1:]) == self.ends and (
            len(given) == len(out) == 1
            or (len(given) == len(out) == 2 and given[0] == out[0] and 0 < given[0] <= self.rows)
        )


def _check(network: NeuralNetwork) -> None:
    if not is_compiled(network.layers, network.cost_function):
        raise TypeError("a layer or the cost is your own, expected DenseLayers and costs of fastnn")


def _with_scratch(made: Model, rows: int = 1, more: int = 0) -> tuple[Model, Array]:
    """The model with scratch memory for up to `rows` samples, and `more` elements."""
    made.core[at.SINGLE] = api.workspace_size(made, 1)
    scratch = aligned(api.workspace_size(made, rows) + more, made.theta.dtype)
    keep(made, at.SCRATCH, scratch)
    return made, scratch


def samples(network: NeuralNetwork, name: str, value: npt.ArrayLike, width: int) -> Array:
    """One sample (features,) or a batch (rows, features)."""
    found = convert(name, value, network.dtype)
    if found.ndim not in (1, 2) or found.shape[-1] != width:
        raise ValueError(f"{name} has shape {found.shape}, expected ({width},) or (rows, {width})")
    return found


def predict(network: NeuralNetwork, X: npt.ArrayLike, out: Array | None) -> Array:
    """See `NeuralNetwork.predict`."""
    if not is_compiled(network.layers, network.cost_function):
        found = np.asarray(network.cost_function.activate(network._logits(X)))
        if out is None:
            return found
        check_out(out, found.shape, found.dtype)
        out[...] = found
        return out
    if network._predictor is None or not network._predictor.fits(network):
        network._predictor = Predictor(network)
    ready = network._predictor
    x = samples(network, "X", X, ready.ends[0])
    shape = (*x.shape[:-1], ready.ends[1])
    if out is None:
        out = np.empty(shape, ready.dtype)
    else:
        check_out(out, shape, ready.dtype)
    plain = out.flags.carray and not np.may_share_memory(out, x)
    target = out if plain else np.empty(shape, ready.dtype)
    held = ready.takes(x.shape, target.shape)
    held = held and api.predict_held(ready.core, x, target, ready.scratch)
    rows = 1 if x.ndim == 1 else x.shape[0]
    if rows and not held:
        work = np.empty(api.workspace_size(ready.model, rows), ready.dtype)
        api.predict_rows(ready.core, x.reshape(-1), target.reshape(-1), rows, work)
    if target is not out:
        out[...] = target
    return out


def compiled(
    network: NeuralNetwork, optimizer: Optimizer | str | None = None, rng: RNG = None
) -> Model:
    """See `NeuralNetwork.compiled`."""
    _check(network)
    _check_apart(network)
    if optimizer is not None:
        check_trainable(network.layers)
    theta = network.parameters
    opt = None if optimizer is None else resolve(optimizer, network.optimizer)
    if opt is not None:
        opt.serve(network.layers)
    grad = None if opt is None else np.zeros_like(theta)
    made = model(network.layers, network.cost_function, theta, Use(embedded=True), opt, grad)
    if opt is not None:
        opt.bind(made.core.base)
        network.optimizer = opt
        if any(layer.dropout for layer in network.layers):
            made.core[at.SEED] = int(uniform_source(rng).uniform() * 2**31)
    watch(made.core.base)
    return _with_scratch(made)[0]


def _check_apart(network: NeuralNetwork) -> None:
    """Refuse a layer whose parameters belong to a model of another network."""
    own = network._flat.theta
    for k, layer in enumerate(network.layers):
        if any(owner.theta is not own for owner in holders(layer)):
            raise ValueError(
                f"layers[{k}] is also in another network of which a compiled model exists, "
                "expected a layer in one model at a time: delete that model first (its last "
                "reference), or train both networks by fit, which shares the layer"
            )


def _derivatives(network: NeuralNetwork) -> Model:
    """A model for one call."""
    _check(network)
    made = model(network.layers, network.cost_function, network.parameters, Use(embedded=True))
    return _with_scratch(made)[0]


def jacobian(network: NeuralNetwork, x: npt.ArrayLike) -> Array:
    """See `NeuralNetwork.jacobian`."""
    made = _derivatives(network)
    inputs, outputs = network.layers[0].dim_input, network.layers[-1].dim_output
    found = convert("x", x, network.dtype)
    if found.shape != (inputs,):
        raise ValueError(f"x has shape {found.shape}, expected one sample, ({inputs},)")
    out = np.empty((outputs, inputs), network.dtype)
    work = np.empty(api.workspace_size(made, 1), network.dtype)
    api.jacobian_one(made.core, found, out.reshape(-1), work)
    return out


def vjp(network: NeuralNetwork, X: npt.ArrayLike, g: npt.ArrayLike) -> Array:
    """See `NeuralNetwork.vjp`."""
    made = _derivatives(network)
    x = samples(network, "X", X, network.layers[0].dim_input)
    cotangent = samples(network, "g", g, network.layers[-1].dim_output)
    if cotangent.shape[:-1] != x.shape[:-1]:
        raise ValueError(f"g has shape {cotangent.shape}, expected as many rows as X, {x.shape}")
    out = np.empty_like(x)
    rows = 1 if x.ndim == 1 else x.shape[0]
    if rows:
        work = np.empty(api.workspace_size(made, rows), x.dtype)
        flat = x.reshape(-1), cotangent.reshape(-1), out.reshape(-1)
        api.vjp_rows(made.core, *flat, rows, work)
    return out


def low_level_callable(network: NeuralNetwork) -> Any:
    """See `NeuralNetwork.low_level_callable`."""
    _check(network)
    inputs, outputs = network.layers[0].dim_input, network.layers[-1].dim_output
    if outputs != 1:
        raise ValueError(f"the network has {outputs} outputs, expected 1")
    theta = network.parameters
    made = model(network.layers, network.cost_function, theta, Use(predicting=True))
    _with_scratch(made, 1, inputs + outputs)
    watch(made.core.base)
    single = theta.dtype == np.float32
    kernel = inference.integrand32 if single else inference.integrand64
    kind = ctypes.CFUNCTYPE(
        ctypes.c_double, ctypes.c_int, ctypes.POINTER(ctypes.c_double), ctypes.c_void_p
    )
    function = kind(address(kernel, theta.dtype, inference.INTEGRAND_ARGUMENTS))
    data = ctypes.c_void_p(made.core.ctypes.data)
    data.model = made  # type: ignore[attr-defined]  # kept alive as long as the callable
    return imported("scipy").LowLevelCallable(function, data)
