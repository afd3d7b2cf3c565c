"""A storm of random public operations from two threads, bounded by their number.

``python -m support.storm SEED OPERATIONS`` runs it.

Two networks share a trunk for a part of the time, and both threads work on both of them: they
predict, train, change layers, assign weights, run callbacks that do the same, and so on. Each does
so many operations. Operation k of thread i draws from random numbers of its own, those of
(SEED, i, k): with the same seed it is the same operation, whatever else happens.

- Some operations are *quiet*: nobody else works meanwhile. What they read must then be what the
  plain NumPy reference says, and of a network that is legal, reading must not raise.
- All others must end well, with finite numbers of a legal shape, or with an error that the library
  raised itself.

It prints the numbers of operations, results and errors as one line of JSON, or the seed and the
operation that failed. A process that hangs says where, and ends.
"""

import collections
import copy
import dis
import faulthandler
import itertools
import json
import os
import pickle
import sys
import tempfile
import threading
import traceback
import warnings

import numpy as np
from numba import njit

import fastnn
from fastnn import DenseLayer, LinearLayer, NeuralNetwork, kernels
from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.reference import ReferenceNetwork
from support.tolerance import assert_close

HANG = 300  # seconds without any operation done
INPUTS, OUTPUTS = 3, 2
LARGE = 100.0  # weights beyond which outputs may well overflow
WIDTHS = 2, 5, 17, 40, 130
ACTIVATIONS = "tanh", "sigmoid", "ReLU", "softplus", "identity", "GLU", "softmax", "maxout", "PReLU"
COSTS = fastnn.SumSquaresError, fastnn.SigmoidCrossEntropy, fastnn.SoftmaxCrossEntropy
RULES = "SGD", "Adam", "NAG", "AMSGrad", "Eve", "SantaSSS"


class OwnLayer(fastnn.TanhLayer):
    """A layer of the user's: its network runs in NumPy."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


@njit
def ask(model, x, out, workspace):
    kernels.predict(model, x, out, workspace)


@njit
def ask_one(model, x, out):
    kernels.predict(model, x, out)


@njit
def learn(model, x, t, workspace):
    return kernels.train_step(model, x, t, 1e-3, workspace)


@njit
def shrink(model):
    model.parameters[:] *= 0.99


class World:
    """What the threads work on."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.dtype = np.dtype((np.float64, np.float32)[seed % 2])
        self.folder = tempfile.TemporaryDirectory()  # of checkpoints
        # Each thread has a lock. Who holds all of them is alone.
        self.locks = threading.RLock(), threading.RLock()
        trunk = self.layer(rng, INPUTS, 5)
        heads = [LinearLayer(5, OUTPUTS, std=0.3, dtype=self.dtype, rng=rng) for _ in self.locks]
        self.networks = [NeuralNetwork([trunk, head], fastnn.SumSquaresError()) for head in heads]
        self.models = [None, None]
        self.optimizers = [fastnn.get_opt(RULES[0]), fastnn.get_opt(RULES[1])]

    def layer(self, rng, inputs, outputs):
        kind = OwnLayer if rng.random() < 0.1 else DenseLayer
        more = {} if kind is OwnLayer else {"activation": str(rng.choice(ACTIVATIONS))}
        return kind(inputs, outputs, std=inputs**-0.5, bias=0.1, dtype=self.dtype, rng=rng, **more)

    def data(self, rng, rows=None):
        rows = int(rng.choice([1, 2, 7, 33, 150])) if rows is None else rows
        X = rng.uniform(-1, 1, (rows, INPUTS)).astype(self.dtype)
        return X, np.eye(OUTPUTS, dtype=self.dtype)[rng.integers(0, OUTPUTS, rows)]


def width(rng):
    return int(rng.choice(WIDTHS))


# What reads: each returns the result, what the reference says as a function of the reference, and
# the samples (with targets, for derivatives).


def predict(world, nn, rng):
    X, _ = world.data(rng)
    return nn.predict(X), lambda twin: twin(X), X


def predict_one(world, nn, rng):
    X, _ = world.data(rng)
    return nn.predict(X[0]), lambda twin: twin(X[:1])[0], X[:1]


def predict_into(world, nn, rng):
    X, out = world.data(rng)
    out = out[:, ::-1] if rng.random() < 0.3 else out
    return nn.predict(X, out=out), lambda twin: twin(X), X


def call(world, nn, rng):
    X, _ = world.data(rng)
    return nn(X), lambda twin: twin(X), X


def cost(world, nn, rng):
    X, t = world.data(rng)
    found = world.dtype.type(nn.cost(X, t))  # a number of Python's, computed in this dtype
    return found, lambda twin: cost_of(nn, twin, X, t), X


def gradient(world, nn, rng):
    X, t = world.data(rng)
    both, which = nn.gradient(X, t), int(rng.integers(2))
    return both[which], lambda twin: gradient_of(nn, twin, X, t)[which], X, t


def vjp(world, nn, rng):
    X, g = world.data(rng)
    return nn.vjp(X, g), lambda twin: vjp_of(nn, twin, X, g), X, g


def jacobian(world, nn, rng):
    x, rows = world.data(rng, 1)[0], np.eye(OUTPUTS, dtype=world.dtype)
    found = nn.jacobian(x[0])
    return found, lambda twin: np.concatenate([vjp_of(nn, twin, x, [g]) for g in rows]), x, rows[:1]


def parameters(world, nn, rng):
    return nn.parameters.copy(), lambda twin: twin.parameters


def copied(world, nn, rng):
    X, _ = world.data(rng)
    twin = copy.deepcopy(nn) if rng.random() < 0.5 else pickle.loads(pickle.dumps(nn))
    return twin.predict(X), lambda twin: twin(X), X


def model_asked(world, nn, rng):
    X, out = world.data(rng)
    model = nn.compiled()
    ask(model, X, out, np.empty(kernels.workspace_size(model, len(X)), world.dtype))
    ask_one(model, X[0], out[0])
    return out, lambda twin: twin(X), X


def unit(nn, X):
    return 1 / len(X) if nn.cost_function.reduction == "mean" else 1.0


def cost_of(nn, twin, X, t):
    return unit(nn, X) * twin.cost(X, t) + sum(layer.penalty() for layer in nn.layers)


def gradient_of(nn, twin, X, t):
    pairs, below = twin.gradient(X, t)
    parts = []
    for layer, pair in zip(nn.layers, pairs, strict=True):
        w = np.asarray(layer.w, np.float64)
        found = [unit(nn, X) * part for part in pair]
        found[0] += getattr(layer, "l1", 0.0) * np.sign(w) + getattr(layer, "l2", 0.0) * w
        parts += [part.ravel() * layer.trainable for part in found]
    return np.concatenate(parts), unit(nn, X) * below


def vjp_of(nn, twin, X, g):
    kind = type(nn.cost_function)

    def pulled(a, g):
        y = twin.cost_function.activate(a)
        if kind is fastnn.SumSquaresError:
            return g
        if kind is fastnn.SigmoidCrossEntropy:
            return g * y * (1 - y)
        return y * (g - (g * y).sum(axis=-1, keepdims=True))

    asked = copy.copy(twin)
    asked.cost_function = twin.cost_function._replace(delta=pulled)
    return asked.gradient(X, np.asarray(g, np.float64))[1]


# What changes something


def fit(world, nn, rng, depth=0):
    X, t = world.data(rng)
    more = {"epochs": int(rng.integers(4)), "n_threads": int(rng.choice([1, 1, 2])), "rng": rng}
    if rng.random() < 0.4:
        more["batch_size"] = int(rng.choice([1, 7, 50]))
    if rng.random() < 0.3:
        more["validation_data"] = world.data(rng)
    if rng.random() < 0.2:
        more["sample_weight"] = rng.uniform(0, 1, len(X))
    chosen = rng.random()
    if chosen < 0.4:
        more["learning_rate"] = 1e-4
    elif chosen < 0.6:
        more["optimizer"] = str(rng.choice(RULES))
    elif chosen < 0.75:
        more["optimizer"] = world.optimizers[int(rng.integers(2))]
    elif chosen < 0.9:
        more["optimizer"] = "L-BFGS"
        more.pop("batch_size", None)
    if depth < 2 and rng.random() < 0.5:
        more["callbacks"] = [_Callback(world, rng, depth), *_callbacks(world, rng)]
    costs = nn.fit(X, t, **more).cost
    return None if "optimizer" in more else costs


class _Callback(fastnn.callbacks.Callback):
    """Does other operations in the middle of a training."""

    def __init__(self, world, rng, depth):
        self.world, self.rng, self.depth = world, rng, depth
        self.every = int(rng.integers(1, 3))

    def on_begin(self, run):
        self.on_epoch(run)

    def on_epoch(self, run):
        rng, optimizer = self.rng, run.optimizer
        chosen = rng.random()
        if chosen < 0.1 and not isinstance(optimizer, str):
            optimizer.load_state_dict(optimizer.state_dict())
        elif chosen < 0.2 and not isinstance(optimizer, str):
            optimizer.reset()
        elif chosen < 0.3:
            run.learning_rate = 1e-4
        elif chosen < 0.4:
            run.training_cost()
        elif chosen < 0.45:
            run.stop("enough")
        elif chosen < 0.6:
            # not the other network: each thread would wait for the one that the other trains
            fit(self.world, run.network, rng, self.depth + 1)
        else:
            operate(self.world, rng, run.network)


def _callbacks(world, rng):
    path = os.path.join(world.folder.name, f"{rng.integers(4)}.npz")
    every = [Checkpoint(path), Checkpoint(path, best_only=True), EarlyStopping(patience=2)]
    return [every[k] for k in np.flatnonzero(rng.random(3) < 0.2)]


def restore(world, nn, rng):
    path = os.path.join(world.folder.name, f"{rng.integers(4)}.npz")
    if os.path.exists(path):
        Checkpoint.restore(path, nn)


def train_model(world, nn, rng):
    k = int(rng.integers(2))
    if world.models[k] is None or rng.random() < 0.3:
        world.models[k] = nn.compiled(str(rng.choice(RULES)) if rng.random() < 0.8 else None)
    model = world.models[k]
    X, t = world.data(rng)
    work = np.empty(kernels.workspace_size(model, len(X)), world.dtype)
    for _ in range(3):
        learn(model, X, t, work)
        ask(model, X, t.copy(), work)
    shrink(model)


def drop_model(world, nn, rng):
    world.models[int(rng.integers(2))] = None


def assign_values(world, nn, rng):
    layer = nn.layers[int(rng.integers(len(nn.layers)))]
    layer.w = rng.normal(0, len(layer.w) ** -0.5, layer.w.shape)
    layer.b = rng.normal(0, 0.1, layer.b.shape)


def assign_vector(world, nn, rng):
    nn.parameters = rng.normal(0, 0.3, nn.parameters.shape)


def write_into(world, nn, rng):
    nn.parameters[...] *= 0.9
    nn.layers[0].w -= 1e-3


def widen(world, nn, rng):
    """Another hidden width; for some time the shapes fit nothing."""
    n, (first, *_, last) = width(rng), nn.layers
    columns = n * first._columns
    first.w, first.b = rng.normal(0, 0.5, (INPUTS, columns)), np.zeros(columns)
    if "alpha" in first.trained:
        first.alpha = np.full(n, 0.2)
    if len(nn.layers) == 2:
        last.w = rng.normal(0, n**-0.5, (n, OUTPUTS))


def misfit(world, nn, rng):
    """Shapes that fit nothing."""
    layer = nn.layers[int(rng.integers(len(nn.layers)))]
    name, n = rng.choice(["w", "b"]), width(rng)
    setattr(layer, str(name), rng.normal(size=(n, width(rng)) if name == "w" else n))


def reshape(world, nn, rng):
    layer = nn.layers[int(rng.integers(len(nn.layers)))]
    array = layer.w if rng.random() < 0.5 else nn.parameters
    shape = array.shape
    array.shape = (-1, 1) if rng.random() < 0.5 else (1, -1)
    if rng.random() < 0.5:
        array.shape = shape


def activate(world, nn, rng):
    nn.layers[0].activation = str(rng.choice(ACTIVATIONS))


def set_penalties(world, nn, rng):
    layer = nn.layers[int(rng.integers(len(nn.layers)))]
    setattr(layer, str(rng.choice(["l1", "l2"])), float(rng.choice([0.0, 0.01])))


def set_dropout(world, nn, rng):
    nn.layers[0].dropout = float(rng.choice([0.0, 0.0, 0.2]))


def freeze(world, nn, rng):
    nn.layers[0].trainable = bool(rng.random() < 0.7)


def set_cost(world, nn, rng):
    nn.cost_function = COSTS[int(rng.integers(3))](str(rng.choice(["sum", "mean"])))


def rebuild(world, nn, rng):
    """A network that is legal: layers of its own, or the other one's trunk."""
    other = world.networks[world.networks[0] is nn]
    n = width(rng)
    trunk = other.layers[:1] if rng.random() < 0.5 else [world.layer(rng, INPUTS, n)]
    if rng.random() < 0.3:
        trunk.append(world.layer(rng, max(1, trunk[0].dim_output), width(rng)))
    last = LinearLayer(max(1, trunk[-1].dim_output), OUTPUTS, std=0.3, dtype=world.dtype, rng=rng)
    if rng.random() < 0.5:
        nn.layers = [*trunk, last]
    else:
        nn.layers[:] = [*trunk, last]


def step(world, nn, rng):
    """An optimizer that both threads use, on arrays of one's own or of the network."""
    opt = world.optimizers[int(rng.integers(2))]
    p = rng.normal(size=13).astype(world.dtype) if rng.random() < 0.7 else nn.parameters
    g = np.full_like(p, 0.1)
    if rng.random() < 0.5:
        opt.step(p, g, f=1.0)
    elif rng.random() < 0.5:
        opt.step([p, np.ones(3, world.dtype)], [g, np.ones(3, world.dtype)], f=1.0)
    else:
        for part in opt.update(g, 0.5, f=1.0):
            check_finite(part)
    if rng.random() < 0.3:
        opt.load_state_dict(opt.state_dict())


def renew_optimizer(world, nn, rng):
    k = int(rng.integers(2))
    if rng.random() < 0.5:
        world.optimizers[k].reset()
    else:
        world.optimizers[k] = fastnn.get_opt(str(rng.choice(RULES)), on_nonfinite="skip")


def own_functions(world, nn, rng):
    act, err = fastnn.get_act("GELU"), fastnn.get_err("Square")
    X, _ = world.data(rng)
    check_finite(act.forward(X))
    check_finite(act.backward(X))
    check_finite(kernels.softmax(X))
    check_finite(err.forward(X, X[::-1]))


def walk_by_hand(world, nn, rng):
    """Forward and back through the layers, as in the article."""
    X, t = world.data(rng)
    delta = nn.cost_function.delta(nn._logits(X), t)
    for layer in reversed(nn.layers):
        delta = layer.back_propagation(delta, 1e-4)
    check_finite(delta)


def set_threads(world, nn, rng):
    fastnn.set_num_threads([None, 1, 2][int(rng.integers(3))])


def wrong(world, nn, rng):
    """Calls that must be refused."""
    bad = np.ones((4, INPUTS + 1), world.dtype)
    calls = [
        lambda: nn.predict(bad),
        lambda: nn(bad),
        lambda: nn.fit(bad, np.ones((4, OUTPUTS)), 0.1),
        lambda: nn.gradient(bad[:, :INPUTS], np.ones((3, OUTPUTS))),
        lambda: nn.predict(bad[:, :INPUTS], out=np.empty((4, OUTPUTS + 1), world.dtype)),
        lambda: nn.fit(bad[:, :INPUTS], np.full((4, OUTPUTS), np.nan), 0.1),
    ]
    calls[int(rng.integers(len(calls)))]()
    raise AssertionError("a call with wrong arguments was not refused")


READS = (
    predict, predict_one, predict_into, call, cost, gradient, vjp, jacobian, parameters, copied,
    model_asked,
)  # fmt: skip
WRITES = (
    fit, fit, fit, restore, train_model, train_model, drop_model, assign_values, assign_vector,
    write_into, widen, misfit, reshape, activate, set_penalties, set_dropout, freeze, set_cost,
    rebuild, rebuild, rebuild, step, renew_optimizer, own_functions, walk_by_hand, set_threads,
    wrong,
)  # fmt: skip


# Judgement


class WrongError(Exception):
    """A result that is not right, or an error that is none of the library's."""


def check_finite(found):
    if found is not None and not np.isfinite(found).all():
        raise WrongError(f"not finite: {found}")


def is_legal(nn):
    """Whether the network is one, by its layers alone."""
    given = INPUTS
    for layer in nn.layers:
        w, b, *more = (getattr(layer, name) for name in layer.trained)
        if w.ndim != 2 or w.shape[0] != given or w.shape[1] % layer._columns:
            return False
        given = w.shape[1] // layer._columns
        if b.shape != (w.shape[1],) or any(array.shape != (given,) for array in more):
            return False
    return given == OUTPUTS and len({id(layer) for layer in nn.layers}) == len(nn.layers)


# What compiled code of a user raises in the name of the library: there is no frame of it.
COMPILED = (
    "the network was changed, or shares a layer with one that was used, since this model was made",
    "the model lacks this function",
    "workspace is too short",
    "x has ", "t has ", "out has ",
)  # fmt: skip


def is_clear(error):
    """Whether the library has raised this itself, for whoever called it."""
    own = type(error).__module__.startswith("fastnn")
    if not own and type(error) not in (TypeError, ValueError, AttributeError):
        return False
    if str(error).startswith(COMPILED):
        return True
    last = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    code = last.tb_frame.f_code
    here = os.path.dirname(fastnn.__file__) + os.sep
    return code.co_filename.startswith((here, os.path.dirname(kernels.__file__))) and any(
        found.offset == last.tb_lasti and found.opname == "RAISE_VARARGS"
        for found in dis.get_instructions(code)
    )


def operate(world, rng, nn=None):
    """One operation as it comes: a result, or a clear error. Returns what happened."""
    nn = nn or world.networks[int(rng.integers(2))]
    every = READS if rng.random() < 0.5 else WRITES
    operation = every[int(rng.integers(len(every)))]
    try:
        found = operation(world, nn, rng)
    except Exception as error:
        if is_clear(error):
            return operation.__name__, "refused"
        raise
    try:
        check_finite(found[0] if operation in READS else found)
    except WrongError as error:
        if largest_weight(world) < LARGE:
            raise WrongError(f"{operation.__name__}: {error}") from error
    return operation.__name__, "done"


def largest_weight(world):
    """Of all layers: trainings and steps of some thousand operations may come far."""
    layers = [layer for nn in world.networks for layer in nn.layers]
    return max(np.abs(getattr(layer, name)).max() for layer in layers for name in layer.trained)


def tame(world):
    """Bring weights that have become large back."""
    if not largest_weight(world) < LARGE:
        for layer in (layer for nn in world.networks for layer in nn.layers):
            for name in layer.trained:
                setattr(layer, name, np.clip(np.nan_to_num(getattr(layer, name)), -1, 1))


def operate_alone(world, rng):
    """One look while nobody else works: it must be right."""
    nn = world.networks[int(rng.integers(2))]
    operation = READS[int(rng.integers(len(READS)))]
    tame(world)
    legal, own = is_legal(nn), any(isinstance(layer, OwnLayer) for layer in nn.layers)
    held = any(model is not None for model in world.models)
    try:
        found, expected, *samples = operation(world, nn, rng)
    except Exception as error:
        if not is_clear(error):
            raise
        excused = own and operation in (vjp, jacobian, model_asked)  # which need compiled layers
        excused |= held and operation is model_asked  # a layer in one model at a time
        if legal and not excused:
            raise WrongError(f"{operation.__name__} of a legal network was refused") from error
        return operation.__name__, "refused"
    if not legal and operation is not parameters:
        raise WrongError(f"{operation.__name__} of an illegal network: {nn}")
    twin = ReferenceNetwork.like(nn)
    compare(found, expected, twin, *samples)
    return operation.__name__, "right"


def compare(found, expected, twin, *samples):
    """Equal up to roundings.

    They are relative to the largest of the terms that were added. To these comes what the weights
    make if each is rounded once more, as the reference says.
    """
    right, found = np.asarray(expected(twin)), np.asarray(found)
    eps = np.finfo(found.dtype).eps
    moved = [np.abs(expected(nearby(twin, eps, k)) - right).max() for k in range(3)]
    terms = largest_term(twin, *samples) if samples else 0.0
    largest = found.dtype.type(terms + np.max(moved) / eps)
    operations = sum(map(len, samples)) + sum(sum(w.shape) for w, *_ in twin.weights)
    if found.shape != right.shape:
        raise WrongError(f"shape {found.shape}, expected {right.shape}")
    try:
        assert_close(np.append(found, largest), np.append(right, largest), operations=operations)
    except AssertionError as error:
        raise WrongError(f"{error}: {found} instead of {right}") from error


def nearby(twin, eps, k):
    """The network with weights that differ by some eps."""
    rng, found = np.random.default_rng(k), copy.copy(twin)
    found.weights = [
        tuple(array * (1 + eps * rng.normal(size=array.shape)) for array in arrays)
        for arrays in twin.weights
    ]
    return found


def largest_term(twin, X, t=None):
    """The largest sum of sizes on the way of the samples through a network, and of the gradient."""
    inputs, _ = twin.forward(X)
    found = [
        (np.abs(x) @ np.abs(w) + np.abs(b)).max()
        for x, (w, b, *_) in zip(inputs, twin.weights, strict=False)
    ]
    if t is not None:
        by_row = [twin.gradient(X[r : r + 1], t[r : r + 1])[0] for r in range(len(X))]
        by_part = zip(*(itertools.chain(*pairs) for pairs in by_row), strict=True)
        found += [sum(map(np.abs, parts)).max() for parts in by_part]
    return np.max(found)


class Storm:
    def __init__(self, seed, operations):
        self.seed, self.operations, self.world = seed, operations, World(seed)
        self.counts, self.failures = collections.Counter(), []

    def one(self, thread, k):
        rng = np.random.default_rng([self.seed, thread, k])
        world, alone = self.world, rng.random() < 0.3
        try:
            with world.locks[0 if alone else thread], world.locks[1 if alone else thread]:
                found = operate_alone(world, rng) if alone else operate(world, rng)
            self.counts[found] += 1
        except BaseException:
            where = f"seed {self.seed}, thread {thread}, operation {k}"
            self.failures.append(f"{where}\n{traceback.format_exc()}")

    def thread(self, thread):
        for k in range(self.operations):
            if self.failures:
                return
            faulthandler.dump_traceback_later(HANG, exit=True)
            self.one(thread, k)

    def run(self):
        threads = [threading.Thread(target=self.thread, args=(k,)) for k in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        faulthandler.cancel_dump_traceback_later()


def main(seed, operations):
    faulthandler.enable()
    sys.setswitchinterval(1e-5)
    warnings.simplefilter("ignore")  # of shapes assigned, and of activations that repeat
    storm = Storm(int(seed), int(operations))
    storm.run()
    if storm.failures:
        print("\n".join(storm.failures), file=sys.stderr)
        raise SystemExit(1)
    totals = collections.Counter()
    for (_, ending), n in storm.counts.items():
        totals[ending] += n
    print(json.dumps(totals))


if __name__ == "__main__":
    main(*sys.argv[1:])
