"""Predictions from Python, models for users' kernels, C callbacks."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from .._core.arrays import Array, aligned, check_out, convert
from .._core.live_models import holders, watch
from .._core.random import RNG, uniform_source
from .._core.threads import side_by_side
from ..callbacks.base import flag
from ..kernels.codegen import headers
from ..kernels.codegen.compiler import imported
from ..kernels.codegen.declare import address
from ..kernels.engine import layout
from ..kernels.engine.model import Model
from ..kernels.inference import functions as inference
from ..kernels.inference import overloads as api
from ..layers.base import check_trainable
from ..model.compile import Use, is_compiled, keep, model
from ..model.evaluation import BOTH_WAYS, FORWARD, shares
from ..model.flat_parameters import Known
from ..model.snapshot import Snapshot, logits, snapshot
from ..model.stack import Stack
from ..optimizers import Optimizer
from ..optimizers.classes import resolve

__all__ = ["compiled", "jacobian", "low_level_callable", "predict", "vjp"]


def look(network: Stack) -> tuple[Snapshot, Known]:
    """The network as it is now, which must be one for compiled code."""
    now = snapshot(network)
    if not now.compiled or now.known is None:
        raise TypeError("a layer or the cost is your own, expected DenseLayers and costs of fastnn")
    return now, now.known


def _with_scratch(made: Model, rows: int = 1, more: int = 0, least: int = 0) -> tuple[Model, Array]:
    """The model with scratch memory for up to `rows` samples and `more` elements, at least."""
    made.descriptor[layout.SINGLE] = api.workspace_size(made, 1)
    size = max(api.workspace_size(made, rows) + more, least)
    scratch = aligned(size, made.theta.dtype)
    keep(made, layout.SCRATCH, scratch)
    return made, scratch


def samples(made: Model, index: int, name: str, value: npt.ArrayLike) -> Array:
    """One sample (features,) or a batch (rows, features) of the inputs or the outputs."""
    found, width = convert(name, value, made.theta.dtype), int(made.descriptor[index])
    if found.ndim not in (1, 2) or found.shape[-1] != width:
        raise ValueError(f"{name} has shape {found.shape}, expected ({width},) or (rows, {width})")
    return found


def predict(network: Stack, X: npt.ArrayLike, out: Array | None) -> Array:
    """See `NeuralNetwork.predict`."""
    if not is_compiled(network.layers, network.cost_function):
        found = np.asarray(network.cost_function.activate(logits(network.layers, X)))
        if out is None:
            return found
        check_out(out, found.shape, found.dtype)
        out[...] = found
        return out
    made = _model(network)
    x = samples(made, layout.INPUTS, "X", X)
    shape = (*x.shape[:-1], int(made.descriptor[layout.OUTPUTS]))
    if out is None:
        out = np.empty(shape, x.dtype)
    else:
        check_out(out, shape, x.dtype)
    plain = out.flags.carray and not np.may_share_memory(out, x)
    target = out if plain else np.empty(shape, x.dtype)
    rows = 1 if x.ndim == 1 else x.shape[0]
    if rows:
        flat = x.reshape(-1), target.reshape(-1)
        _in_parts(
            made, rows, FORWARD, lambda *part: api.predict_rows(made.descriptor, *flat, *part)
        )
    if target is not out:
        out[...] = target
    return out


def _model(network: Stack) -> Model:
    """The network for predictions: that of the prepared call, where it is still right."""
    ready = network._prepared.get("predict")
    if (
        ready is not None
        and ready.model is not None
        and ready.fits(network)
        and headers.unchanged(ready.known.headers)
    ):
        made: Model = ready.model
        return made
    now, _ = look(network)
    return model(now.layers, now.cost_function, now.theta, Use(predicting=True))


def compiled(
    network: Stack,
    optimizer: Optimizer | str | None = None,
    rng: RNG = None,
    derivatives: bool = False,
) -> Model:
    """See `NeuralNetwork.compiled`."""
    derivatives = flag("derivatives", derivatives)
    _check_apart(network)  # before a look, which takes shared layers away from others
    now, known = look(network)
    if optimizer is not None:
        check_trainable(now.layers)
    opt = None if optimizer is None else resolve(optimizer, network.optimizer)
    if opt is not None:
        opt.serve(network.layers)
    grad = None if opt is None else np.zeros_like(now.theta)
    names: tuple[str, ...] = ()
    if derivatives:
        names = imported("..model.derivatives", __package__).possible(now.layers, now.cost_function)
    use = Use(in_njit=True, derivatives=names)
    made = model(now.layers, now.cost_function, now.theta, use, opt, grad)
    if opt is not None:
        opt.bind(made.descriptor.base)
        network.optimizer = opt
        if any(layer.dropout for layer in now.layers):
            made.descriptor[layout.SEED] = int(uniform_source(rng).uniform() * 2**31)
    watch(made.descriptor.base, known.layers)
    least = kernels.derivatives_workspace_size(made, 1) if derivatives else 0
    return _with_scratch(made, least=least)[0]


def _check_apart(network: Stack) -> None:
    """Refuse a layer whose parameters belong to a model of another network."""
    own = network._flat.theta
    for k, layer in enumerate(list(network.layers)):
        if any(owner.theta is not own for owner in holders(layer)):
            raise ValueError(
                f"layers[{k}] is also in another network of which a compiled model exists, "
                "expected a layer in one model at a time: delete that model first (its last "
                "reference), or train both networks by fit, which shares the layer"
            )


def _derivatives(network: Stack) -> Model:
    """A model for one call."""
    now, _ = look(network)
    made = model(now.layers, now.cost_function, now.theta, Use(in_njit=True))
    return _with_scratch(made)[0]


def jacobian(network: Stack, x: npt.ArrayLike) -> Array:
    """See `NeuralNetwork.jacobian`."""
    made = _derivatives(network)
    inputs, outputs = int(made.descriptor[layout.INPUTS]), int(made.descriptor[layout.OUTPUTS])
    found = convert("x", x, made.theta.dtype)
    if found.shape != (inputs,):
        raise ValueError(f"x has shape {found.shape}, expected one sample, ({inputs},)")
    out = np.empty((outputs, inputs), made.theta.dtype)
    work = np.empty(api.workspace_size(made, 1), made.theta.dtype)
    api.jacobian_one(made.descriptor, found, out.reshape(-1), work)
    return out


def vjp(network: Stack, X: npt.ArrayLike, g: npt.ArrayLike) -> Array:
    """See `NeuralNetwork.vjp`."""
    made = _derivatives(network)
    x = samples(made, layout.INPUTS, "X", X)
    cotangent = samples(made, layout.OUTPUTS, "g", g)
    if cotangent.shape[:-1] != x.shape[:-1]:
        raise ValueError(f"g has shape {cotangent.shape}, expected as many rows as X, {x.shape}")
    out = np.empty_like(x)
    rows = 1 if x.ndim == 1 else x.shape[0]
    if rows:
        flat = x.reshape(-1), cotangent.reshape(-1), out.reshape(-1)
        _in_parts(made, rows, BOTH_WAYS, lambda *part: api.vjp_rows(made.descriptor, *flat, *part))
    return out


def _in_parts(made: Model, rows: int, ways: float, call: Callable[..., None]) -> None:
    """``call(rows, workspace, part, parts)`` for all parts, by as many threads as pay."""
    size, dtype = api.workspace_size(made, rows), made.theta.dtype
    parts, threads = shares(made.descriptor[layout.WORK], rows, ways)

    def start() -> Callable[[int], object]:
        work = np.empty(size, dtype)
        return lambda part: call(rows, work, part, parts)

    side_by_side(parts, threads, start)


def low_level_callable(network: Stack) -> Any:
    """See `NeuralNetwork.low_level_callable`."""
    now, known = look(network)
    theta = now.theta
    inputs, outputs = now.layers[0].dim_input, now.layers[-1].dim_output
    if outputs != 1:
        raise ValueError(f"the network has {outputs} outputs, expected 1")
    made = model(now.layers, now.cost_function, theta, Use(predicting=True))
    _with_scratch(made, 1, inputs + outputs)
    watch(made.descriptor.base, known.layers)
    single = theta.dtype == np.float32
    kernel = inference.integrand32 if single else inference.integrand64
    kind = ctypes.CFUNCTYPE(
        ctypes.c_double, ctypes.c_int, ctypes.POINTER(ctypes.c_double), ctypes.c_void_p
    )
    function = kind(address(kernel, theta.dtype, inference.INTEGRAND))
    data = ctypes.c_void_p(made.descriptor.ctypes.data)
    data.model = made  # type: ignore[attr-defined]  # kept alive as long as the callable
    return imported("scipy").LowLevelCallable(function, data)
