"""JAX: the whole run is one compiled call.

Backpropagation starts from the closed form y - t of the costs' gradient, and the parameters are
updated by hand: both are a little faster than ``jax.grad`` of the cost and a library of optimizers.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..timing import Calls, Competitor
from . import data
from .tasks import Inference, Task, Training

__all__ = ["MORE", "competitors"]

MORE = "JAX fori, rows", "JAX scan, flat"
"""Forms that a quick look leaves out: others are as fast or faster."""

# For the float64 tasks; arrays bring their dtypes, and Python numbers follow them.
jax.config.update("jax_enable_x64", True)

_ACTIVATIONS = {"tanh": jnp.tanh, "ReLU": lambda a: jnp.maximum(a, 0), "Swish": jax.nn.silu}


class _Rows:
    """One sample a row, a pytree of weights: the usual way."""

    name, feature_axis = "rows", 1

    def __init__(self, task: Task) -> None:
        self._task = task
        self._keep = 1 - task.dropout if isinstance(task, Training) else 1

    def parameters(self, number=0):
        return data.weights(self._task, number)

    def batches(self, array):
        return array.reshape(-1, self._task.batch, array.shape[1])

    def weights(self, parameters):
        return parameters

    def logits(self, parameters, x, key=None):
        *hidden, (w, b) = self.weights(parameters)
        for k, (v, c) in enumerate(hidden):
            x = self.hidden(x @ v + c, k, key)
        return x @ w + b

    def hidden(self, a, k, key):
        """The output of hidden layer k; key: of the step's dropout, if there is any."""
        y = _ACTIVATIONS[self._task.activation](a)
        if key is None:
            return y
        kept = jax.random.bernoulli(jax.random.fold_in(key, k), self._keep, y.shape)
        return jnp.where(kept, y / self._keep, 0)


class _Flat(_Rows):
    """All parameters in one vector: fewer, larger updates, but gradients are copied together."""

    name = "flat"

    def parameters(self, number=0):
        return data.flat(data.weights(self._task, number))

    def weights(self, parameters):
        return data.from_flat(parameters, self._task.sizes)


class _Columns(_Rows):
    """One sample a column: XLA then vectorises along the batch where layers are narrow."""

    name, feature_axis = "columns", 0

    def parameters(self, number=0):
        return [(w.T, b[:, np.newaxis]) for w, b in data.weights(self._task, number)]

    def batches(self, array):
        return super().batches(array).transpose(0, 2, 1)

    def weights(self, parameters):
        return [(w.T, b[:, 0]) for w, b in parameters]

    def logits(self, parameters, x, key=None):
        *hidden, (w, b) = parameters
        for k, (v, c) in enumerate(hidden):
            x = self.hidden(v @ x + c, k, key)
        return w @ x + b


def competitors(task: Task) -> list[Competitor]:
    """Four forms of a training, two of many, one of a prediction."""
    if isinstance(task, Training) and task.networks > 1:
        return [_Many(task, form(task)) for form in (_Rows, _Columns)]
    if isinstance(task, Training):
        return [
            _Trainer(task, _Rows(task), "fori"),
            _Trainer(task, _Rows(task), "scan"),
            _Trainer(task, _Flat(task), "scan"),
            _Trainer(task, _Columns(task), "scan"),
        ]
    return [] if task.inside_njit else [_prediction(task)]


class _Trainer:
    def __init__(self, task: Training, form: _Rows, loop: str) -> None:
        self.name, self.steps = f"JAX {loop}, {form.name}", task.steps
        self._form = form
        whole_run = _by_index if loop == "fori" else _by_scan
        self._train = jax.jit(lambda *arguments: whole_run(task, form, *arguments))
        self._given = jax.tree.map(
            jnp.asarray,
            (
                form.parameters(),
                form.batches(data.samples(task)),
                form.batches(data.targets(task)),
            ),
        )

    def start(self) -> None:
        """Every run starts from the arrays given."""

    def run(self) -> None:
        self._trained = jax.block_until_ready(self._train(*self._given))

    def result(self) -> np.ndarray:
        return data.flat(jax.tree.map(np.asarray, self._form.weights(self._trained)))


class _Many:
    """A scan over the batches, mapped over the networks."""

    def __init__(self, task: Training, form: _Rows) -> None:
        self.name, self.steps = f"JAX vmap, {form.name}", task.steps * task.networks
        self._form, self._networks = form, range(task.networks)
        x, t = (jnp.asarray(form.batches(part(task))) for part in (data.samples, data.targets))
        self._train = jax.jit(jax.vmap(lambda parameters: _by_scan(task, form, parameters, x, t)))
        each = [form.parameters(number) for number in self._networks]
        self._given = jax.tree.map(lambda *parts: jnp.stack(parts), *each)

    def start(self) -> None:
        """Every run starts from the arrays given."""

    def run(self) -> None:
        self._trained = jax.block_until_ready(self._train(self._given))

    def result(self) -> np.ndarray:
        trained = jax.tree.map(np.asarray, self._trained)
        each = [jax.tree.map(lambda part, k=k: part[k], trained) for k in self._networks]
        return np.stack([data.flat(self._form.weights(one)) for one in each])


def _by_index(task: Training, form: _Rows, parameters, x, t):
    def body(step, state):
        k = step % task.batches
        return _step(task, form, state, x[k], t[k])

    return lax.fori_loop(0, task.steps, body, _initial(task, parameters))[0]


def _by_scan(task: Training, form: _Rows, parameters, x, t):
    """A scan over the batches for every epoch; where there is one batch only, over all steps."""
    state = _initial(task, parameters)
    if task.batches == 1:
        one = x[0], t[0]
        state, _ = lax.scan(
            lambda state, _: (_step(task, form, state, *one), None),
            state, length=task.steps, unroll=2,
        )  # fmt: skip
        return state[0]

    def epoch(_, state):
        # Two steps a turn gain some per cent on the small tasks, four lose.
        return lax.scan(
            lambda state, batch: (_step(task, form, state, *batch), None), state, (x, t), unroll=2
        )[0]

    return lax.fori_loop(0, task.epochs, epoch, state)[0]


def _initial(task: Training, parameters):
    """Parameters, moments and the number of steps."""
    if task.optimizer == "SGD":
        return (parameters,)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return parameters, zeros, zeros, jnp.zeros((), task.dtype)


def _gradient(task: Training, form: _Rows, parameters, x, t, key=None):
    a, pull_back = jax.vjp(lambda p: form.logits(p, x, key), parameters)
    if task.cost == "sigmoid":
        return pull_back(jax.nn.sigmoid(a) - t)[0]
    y = jax.nn.softmax(a, axis=form.feature_axis) if task.cost == "softmax" else a
    return pull_back((y - t) / task.batch)[0]


def _step(task: Training, form: _Rows, state, x, t):
    rate = task.learning_rate
    if task.optimizer == "SGD":
        (p,) = state
        g = _gradient(task, form, p, x, t)
        return (jax.tree.map(lambda p, g: p - rate * g, p, g),)
    p, m, v, count = state
    g = _gradient(task, form, p, x, t, _key(count) if task.dropout else None)
    count = count + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    first = rate / (1 - 0.9**count)
    second = 1 / (1 - 0.999**count)
    keep = 1 - rate * task.weight_decay
    p = jax.tree.map(lambda p, m, v: keep * p - first * m / (jnp.sqrt(second * v) + 1e-8), p, m, v)
    return p, m, v, count


def _key(step):
    """Of a step's dropout, by the fastest of JAX's generators."""
    return jax.random.fold_in(jax.random.key(0, impl="unsafe_rbg"), step.astype(int))


def _prediction(task: Inference) -> Competitor:
    form = _Rows(task)
    weights = jax.tree.map(jnp.asarray, form.parameters())
    x = jnp.asarray(data.samples(task))
    compiled = jax.jit(lambda x: form.logits(weights, x)).lower(x).compile()
    return Calls("JAX", lambda: compiled(x).block_until_ready())
