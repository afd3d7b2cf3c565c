"""Networks in users' own compiled functions, in SciPy's integrators, and in `predict`."""

import copy
import ctypes
import gc
import pickle
import threading

import numpy as np
import pytest
from numba import njit
from numba.core import event
from numba.core.runtime import _nrt_python, rtsys
from scipy.integrate import nquad, quad
from support.compiled import (
    Guarded,
    chain,
    hidden,
    pulled,
    run_jacobian,
    run_jacobian_with,
    run_predict,
    run_predict_with,
    run_step,
    run_step_with,
    run_vjp,
    run_vjp_with,
    samples,
    size_of_workspace,
    workspace,
)
from support.installations import seed_named
from support.networks import COSTS, DTYPES, WITH_COSTS, data, network
from support.tolerance import assert_close, assert_difference_close

import fastnn
from fastnn import kernels
from fastnn.kernels.codegen import declare
from fastnn.kernels.engine.layout import TILE
from fastnn.kernels.engine.model import Model
from fastnn.reference import ReferenceNetwork

pytestmark = pytest.mark.main_in_float32

SQUARES, SIGMOID, SOFTMAX = COSTS

# Samples one by one, a short tile, a full one, and several.
ROWS = [1, 2, 3, 4, 5, 17, 100, TILE, TILE + 1, 600]
SIZES = [(2, 4, 1), (1, 1), (3, 5, 7, 2), (6, 3, 6), (64, 64, 10), (20, 1)]


# predict


@pytest.mark.one_in(3)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_predict_equals_the_network(sizes, dtype):
    nn = network(sizes, hidden(sizes), SQUARES, dtype)
    model = nn.compiled()
    for rows in ROWS:
        X = samples(sizes, rows, dtype)
        out, work = Guarded((rows, sizes[-1]), dtype), workspace(model, rows)
        run_predict_with(model, X, out.array, work.array)
        assert out.untouched()
        assert work.untouched()
        for expected in (nn(X), ReferenceNetwork.like(nn)(X)):
            assert_close(out.array, expected, operations=chain(sizes))


@pytest.mark.one_in(4)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "cost"), WITH_COSTS)
def test_predict_one_sample_or_many_with_every_activation(name, cost, dtype):
    sizes = (3, 9, 4)
    nn = network(sizes, [name, name], cost, dtype)
    model, X = nn.compiled(), samples(sizes, 21, dtype)
    expected = ReferenceNetwork.like(nn)(X)
    out, work = np.empty((21, 4), dtype), workspace(model, 21)
    run_predict_with(model, X, out, work.array)
    assert_close(out, expected, operations=chain(sizes))
    for x, y in zip(X, expected, strict=True):
        one = Guarded(4, dtype)
        run_predict(model, x, one.array)
        assert one.untouched()
        assert_close(one.array, y, operations=chain(sizes))
        run_predict_with(model, x, one.array, work.array)
        assert_close(one.array, y, operations=chain(sizes))


def test_predict_takes_one_row_without_a_workspace_and_none_at_all():
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES)
    model, X = nn.compiled(), samples((2,), 1, np.float64)
    out = np.empty((1, 1))
    run_predict(model, X, out)
    assert_close(out, nn(X), operations=chain((2, 4, 1)))
    run_predict_with(model, X, out, None)
    assert_close(out, nn(X), operations=chain((2, 4, 1)))
    run_predict_with(model, X[:0], out[:0], np.empty(kernels.workspace_size(model, 0)))


def test_predict_reads_what_is_read_only():
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES)
    x, out = samples((2,), 1, np.float64)[0], np.empty(1)
    x.flags.writeable = False
    run_predict(nn.compiled(), x, out)
    assert_close(out, nn(x), operations=chain((2, 4, 1)))


# train_step


@pytest.mark.one_in(5)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("rows", [1, 4, 33, 600])
def test_train_step_is_a_step_of_fit(rows, optimizer, reduction, dtype):
    sizes, cost, rate = (3, 7, 4), SOFTMAX, 1e-3
    nets, opts = [], []
    for _ in range(2):
        nn = network(sizes, ["Swish", "identity"], cost, dtype)
        nn.cost_function = COSTS[cost](reduction)
        nn.layers[0].l1, nn.layers[1].l2 = 0.01, 0.1
        nets.append(nn)
        opts.append(fastnn.get_opt(optimizer, learning_rate=rate, clip_norm=0.5))
    (nn, twin), (opt, opt_of_twin) = nets, opts
    model = nn.compiled(opt)
    assert nn.optimizer is opt
    X, t = (a.astype(dtype) for a in data(sizes, cost, rows))
    for step in range(1, 4):
        work = workspace(model, rows)
        found = run_step_with(model, X, t, rate, work.array)
        expected = twin.fit(X, t, optimizer=opt_of_twin, n_threads=1).cost[-1]
        assert work.untouched()
        assert opt.steps == step
        assert_close(dtype(found), expected, operations=step * chain(sizes, rows))
        assert_close(nn.parameters, twin.parameters, operations=step * chain(sizes, rows))
        for key, state in opt.state_dict().items():
            if isinstance(state, np.ndarray):
                assert_close(
                    state, opt_of_twin.state_dict()[key], operations=step * chain(sizes, rows)
                )


@pytest.mark.parametrize("cost", COSTS)
def test_train_step_returns_the_cost_before_it(cost):
    sizes = (3, 7, 4)
    nn = network(sizes, hidden(sizes), cost)
    X, t = data(sizes, cost, 9)
    model = nn.compiled("SGD")
    before = nn.cost(X, t)
    work = np.empty(kernels.workspace_size(model, 9))
    found = run_step_with(model, X, t, 0.01, work)
    assert_close(np.float64(found), before, operations=chain(sizes, 9))
    assert nn.cost(X, t) < before
    before = nn.cost(X[:1], t[:1])
    assert_close(np.float64(run_step(model, X[0], t[0], 1)), before, operations=chain(sizes))
    assert nn.optimizer.steps == 2


def test_model_and_network_share_their_parameters():
    sizes = (2, 5, 1)
    nn = network(sizes, hidden(sizes), SQUARES)
    model, out = nn.compiled("SGD"), np.empty(1)
    X, t = data(sizes, SQUARES, 1)
    weights = nn.layers[0].w
    before = weights.copy()
    run_step(model, X[0], t[0], 0.1)
    assert not np.array_equal(weights, before)
    assert nn.layers[0].w is weights
    assert np.shares_memory(model.theta, nn.parameters)
    nn.fit(X, t, 0.1)
    run_predict(model, X[0], out)
    assert_close(out, nn(X)[0], operations=chain(sizes))
    nn.layers[1].w, nn.layers[1].b = np.zeros((5, 1)), [3.0]
    run_predict(model, X[0], out)
    assert out[0] == 3.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("bad", ["rate", "sample", "target"])
def test_a_step_that_is_not_finite_changes_nothing(bad, optimizer, dtype):
    sizes = (2, 5, 1)
    nn = network(sizes, hidden(sizes), SQUARES, dtype)
    opt = fastnn.get_opt(optimizer)
    model = nn.compiled(opt)
    X, t = (a.astype(dtype) for a in data(sizes, SQUARES, 3))
    work = np.empty(kernels.workspace_size(model, 3), dtype)
    assert np.isfinite(run_step_with(model, X, t, 0.01, work))
    parameters, state = nn.parameters.copy(), opt.state_dict()
    x, targets, rate = X.copy(), t.copy(), 0.01
    if bad == "rate":
        rate = np.inf
    else:
        (x if bad == "sample" else targets)[1, 0] = np.nan
    assert np.isnan(run_step_with(model, x, targets, rate, work))
    assert np.array_equal(nn.parameters, parameters)
    assert opt.steps == 1
    for key, value in opt.state_dict().items():
        assert np.array_equal(value, state[key])
    assert np.isfinite(run_step_with(model, X, t, 0.01, work))
    assert opt.steps == 2


def test_dropout_is_for_training_only():
    sizes = (2, 50, 1)
    nn = network(sizes, hidden(sizes), SQUARES)
    nn.layers[0].dropout = 0.5
    model = nn.compiled("SGD")
    x, t, out = np.array([0.3, -0.4]), np.array([1.0]), np.empty(1)
    costs = {run_step(model, x, t, 0.0) for _ in range(20)}
    assert len(costs) == 20, "the same were dropped again"
    run_predict(model, x, out)
    assert_close(out, nn(x), operations=chain(sizes))


def test_an_optimizer_that_forgets_is_forgotten_by_its_models():
    nn = network((2, 5, 1), hidden((2, 5, 1)), SQUARES)
    opt = fastnn.get_opt("Adam")
    model = nn.compiled(opt)
    for _ in range(3):
        run_step(model, np.ones(2), np.ones(1), 0.01)
    opt.reset()
    start = nn.parameters.copy()
    run_step(model, np.ones(2), np.ones(1), 0.01)
    assert opt.steps == 1
    twin = network((2, 5, 1), hidden((2, 5, 1)), SQUARES)
    twin.parameters = start
    twin.fit(np.ones((1, 2)), np.ones((1, 1)), 0.01, optimizer="Adam")
    assert_close(nn.parameters, twin.parameters, operations=chain((2, 5, 1)))


# jacobian and vjp


@pytest.mark.one_in(5)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "cost"), WITH_COSTS)
def test_jacobian_equals_vjp_and_reference(name, cost, dtype):
    for sizes in [(3, 9, 4), (2, 1), (1, 20, 17), (18, 5, 6, 1)]:
        nn = network(sizes, [name] * (len(sizes) - 1), cost, dtype)
        model = nn.compiled()
        x, unit = samples(sizes, 1, dtype)[0], np.eye(sizes[-1], dtype=dtype)
        expected = pulled(nn, np.tile(x, (sizes[-1], 1)), unit)
        found, work = Guarded(expected.shape, dtype), workspace(model, 1)
        run_jacobian_with(model, x, found.array, work.array)
        assert found.untouched()
        assert work.untouched()
        assert_close(found.array, expected, operations=chain(sizes))
        run_jacobian(model, x, found.array)
        assert_close(found.array, expected, operations=chain(sizes))
        assert_close(nn.jacobian(x), expected, operations=chain(sizes))
        rows = np.empty_like(found.array)
        for k in range(sizes[-1]):
            run_vjp(model, x, unit[k], rows[k])
        assert_close(rows, expected, operations=chain(sizes))


@pytest.mark.parametrize(("name", "cost"), WITH_COSTS)
def test_jacobian_equals_finite_differences(name, cost):
    sizes = (3, 9, 4)
    nn = network(sizes, [name, name], cost)
    model, x, found = nn.compiled(), samples(sizes, 1, np.float64)[0], np.empty((4, 3))
    run_jacobian(model, x, found)

    def output(x):
        out = np.empty(4)
        run_predict(model, x, out)
        return out

    assert_difference_close(found, output, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("sizes", [(3, 9, 4), (64, 64, 10)])
def test_vjp_of_batches(sizes, cost, dtype):
    nn = network(sizes, ["softplus", "tanh"], cost, dtype)
    model = nn.compiled()
    for rows in ROWS:
        X = samples(sizes, rows, dtype)
        g = np.random.default_rng(2).normal(size=(rows, sizes[-1])).astype(dtype)
        out, work = Guarded(X.shape, dtype), workspace(model, rows)
        run_vjp_with(model, X, g, out.array, work.array)
        assert out.untouched()
        assert work.untouched()
        expected = pulled(nn, X, g)
        assert_close(out.array, expected, operations=chain(sizes))
        assert_close(nn.vjp(X, g), expected, operations=chain(sizes))
    assert_close(nn.vjp(X[0], g[0]), expected[0], operations=chain(sizes))


def test_empty_batches(capfd):
    nn = network((3, 9, 4), hidden((3, 9, 4)), SQUARES)
    model = nn.compiled("SGD")
    X, y, work = np.empty((0, 3)), np.empty((0, 4)), np.empty(kernels.workspace_size(model, 0))
    run_predict_with(model, X, y, work)
    run_vjp_with(model, X, y, X, work)
    assert nn.vjp(X, y).shape == (0, 3)
    before = nn.parameters.copy()
    with pytest.raises(ValueError, match="x has no rows"):
        run_step_with(model, X, y, 0.1, work)
    assert np.array_equal(nn.parameters, before)
    assert nn.optimizer.steps == 0
    assert capfd.readouterr() == ("", "")  # where numba would report an error in a C function


def test_python_forms_refuse_what_does_not_fit():
    nn = network((3, 9, 4), hidden((3, 9, 4)), SQUARES)
    for wrong in (np.ones(2), np.ones((1, 3))):
        with pytest.raises(ValueError, match="x has shape"):
            nn.jacobian(wrong)
    with pytest.raises(ValueError, match=r"X has shape \(2,\)"):
        nn.vjp(np.ones(2), np.ones(4))
    with pytest.raises(ValueError, match=r"g has shape \(3,\)"):
        nn.vjp(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r"g has shape \(1, 4\)"):
        nn.vjp(np.ones((2, 3)), np.ones((1, 4)))
    with pytest.raises(TypeError, match="optimizer must be a name"):
        nn.compiled(0.1)
    with pytest.raises(ValueError, match="unknown optimizer 'Adan'"):
        nn.compiled("Adan")
    for function, numbers in ((kernels.predict, 3), (kernels.train_step, 4), (kernels.vjp, 4)):
        with pytest.raises(TypeError, match="from Python, use network"):
            function(*[None] * numbers)
    with pytest.raises(TypeError, match="from Python, use network"):
        kernels.jacobian(None, None, None)


# workspaces, wrong types, wrong sizes


@pytest.mark.parametrize("dtype", DTYPES)
def test_workspace_size_is_the_same_everywhere(dtype):
    for sizes in SIZES:
        model = network(sizes, hidden(sizes), SQUARES, dtype).compiled()
        needed = [kernels.workspace_size(model, rows) for rows in range(1, 700)]
        assert needed == [size_of_workspace(model, rows) for rows in range(1, 700)]
        assert all(type(size) is int for size in needed)


CALLS = {
    "predict": (run_predict_with, ("x", "out", "workspace")),
    "train_step": (run_step_with, ("x", "t", 0.1, "workspace")),
    "jacobian": (run_jacobian_with, ("x", "out", "workspace")),
    "vjp": (run_vjp_with, ("x", "g", "out", "workspace")),
}


def fitting(function, dtype):
    """Arguments that fit a network 3-9-4, by name."""
    out = {"jacobian": (4, 3), "vjp": 3}.get(function, 4)
    shapes = {"x": 3, "t": 4, "g": 4, "out": out, "workspace": 5000}
    return {name: np.ones(shape, dtype) for name, shape in shapes.items()}


def call_with(function, model, **changed):
    """Call a user's function with arguments that fit, but for those given."""
    given = {**fitting(function, model.theta.dtype), **changed}
    run, names = CALLS[function]
    return run(model, *[given.get(name, name) for name in names])


def each_array():
    return [(f, name) for f, (_, names) in CALLS.items() for name in names if name != 0.1]


@pytest.fixture(scope="module")
def models():
    return {
        dtype: network((3, 9, 4), hidden((3, 9, 4)), SQUARES, dtype).compiled("SGD")
        for dtype in DTYPES
    }


@pytest.mark.parametrize(("function", "name"), each_array())
def test_wrong_types_are_type_errors_that_name_the_argument(function, name, models):
    matrix = (function, name) == ("jacobian", "out")
    call_with(function, models[np.float64])
    for given, message in [
        (np.ones((4, 3) if matrix else 3, np.float32), "of the network's dtype, float64"),
        (1.5, "an array, not"),
        (np.ones((2, 2, 2)), "a C-contiguous"),
        (np.ones(8)[::2], "a C-contiguous"),
    ]:
        with pytest.raises(TypeError, match=f"^{name} must be {message}"):
            call_with(function, models[np.float64], **{name: given})


@pytest.mark.parametrize(("function", "name"), each_array())
def test_what_is_written_must_be_writable(function, name, models):
    given = fitting(function, np.float64)[name]
    given.flags.writeable = False
    if name in ("out", "workspace"):
        with pytest.raises(TypeError, match=f"{name} must be writable"):
            call_with(function, models[np.float64], **{name: given})
    else:
        call_with(function, models[np.float64], **{name: given})


@pytest.mark.parametrize("function", ["predict", "train_step", "vjp"])
def test_a_sample_and_a_batch_do_not_mix(function, models):
    with pytest.raises(TypeError, match=r"must be one sample or a batch alike, .* x 2"):
        call_with(function, models[np.float64], x=np.ones((1, 3)))


@pytest.mark.parametrize("order", ["C", "F"])
def test_matrices_must_be_c_contiguous(order, models):
    x = np.ones((5, 3), order=order)
    if order == "C":
        call_with("predict", models[np.float64], x=x, out=np.ones((5, 4)))
    else:
        with pytest.raises(TypeError, match="x must be a C-contiguous"):
            call_with("predict", models[np.float64], x=x, out=np.ones((5, 4)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "name", "shape"),
    [
        ("predict", "x", 2), ("predict", "x", 4), ("predict", "x", 0),
        ("predict", "out", 3), ("predict", "out", 5),
        ("train_step", "x", 4), ("train_step", "t", 3),
        ("jacobian", "x", 4), ("jacobian", "out", (4, 2)), ("jacobian", "out", (3, 3)),
        ("jacobian", "out", (3, 4)),
        ("vjp", "x", 4), ("vjp", "g", 3), ("vjp", "out", 4),
    ],
)  # fmt: skip
def test_wrong_sizes_are_value_errors(function, name, shape, dtype, models):
    before = models[dtype].theta.copy()
    message = rf"^{name} has \d+ (features|rows), expected \d+$"
    with pytest.raises(ValueError, match=message):
        call_with(function, models[dtype], **{name: np.ones(shape, dtype)})
    assert np.array_equal(models[dtype].theta, before)


@pytest.mark.parametrize("function", CALLS)
def test_too_short_a_workspace_is_a_value_error(function, models):
    model = models[np.float64]
    enough = kernels.workspace_size(model, 1)
    call_with(function, model, workspace=np.empty(enough))
    message = rf"too short: {enough - 1} elements, expected workspace_size.* = {enough}$"
    with pytest.raises(ValueError, match=message):
        call_with(function, model, workspace=np.empty(enough - 1))
    if function == "jacobian":
        return
    batch = {"x": np.ones((40, 3)), "t": np.ones((40, 4)), "g": np.ones((40, 4))}
    batch["out"] = np.ones((40, 3 if function == "vjp" else 4))
    call_with(function, model, **batch, workspace=np.empty(kernels.workspace_size(model, 40)))
    with pytest.raises(ValueError, match="workspace is too short"):
        call_with(function, model, **batch, workspace=np.empty(enough))
    with pytest.raises(ValueError, match="a batch needs a workspace"):
        call_with(function, model, **batch, workspace=None)
    for name in CALLS[function][1][1:-1]:
        if name in batch:
            with pytest.raises(ValueError, match=f"^{name} has 39 rows, expected 40$"):
                call_with(function, model, **{**batch, name: batch[name][1:]})


def test_a_model_without_an_optimizer_does_not_train():
    nn = network((3, 9, 4), hidden((3, 9, 4)), SQUARES)
    before = nn.parameters.copy()
    with pytest.raises(ValueError, match=r"lacks this function.*compiled\(\)"):
        run_step(nn.compiled(), np.ones(3), np.ones(4), 0.1)
    assert np.array_equal(nn.parameters, before)


# what it costs

mostly_float64 = pytest.mark.parametrize(  # seconds of the compiler each
    "dtype", [pytest.param(np.float32, marks=pytest.mark.sweep), np.float64]
)


@mostly_float64
def test_another_depth_or_width_compiles_nothing(dtype):
    def use(sizes, activations, cost):
        model = network(sizes, activations, cost, dtype).compiled("Adam")
        x, t, g = np.ones((20, sizes[0]), dtype), *np.ones((2, 20, sizes[-1]), dtype)
        out, below = np.empty_like(t), np.empty_like(x)
        work = np.empty(kernels.workspace_size(model, 20), dtype)
        work_of_one = np.empty(kernels.workspace_size(model, 1), dtype)
        everything(model, x, t, g, out, below, np.empty((sizes[-1], sizes[0]), dtype), work)
        run_jacobian_with(model, x[0], np.empty((sizes[-1], sizes[0]), dtype), work_of_one)

    @njit
    def everything(model, x, t, g, out, below, matrix, work):
        kernels.predict(model, x, out, work)
        kernels.vjp(model, x, g, below, work)
        kernels.jacobian(model, x[0], matrix)
        return kernels.train_step(model, x, t, 0.1, work)

    use((2, 4, 1), ["tanh", "identity"], SOFTMAX)
    use((2, 4, 1), ["ReLU", "identity"], SQUARES)
    known = set(declare._addresses)
    with event.install_recorder("numba:run_pass") as recorder:
        use((40, 30, 20, 10, 5), ["ReLU", "tanh", "tanh", "ReLU"], SOFTMAX)
        use((1, 1), ["tanh"], SQUARES)
    assert not recorder.buffer
    assert set(declare._addresses) == known
    assert len(everything.signatures) == 1


@njit(nogil=True)
def many(model, x, t, out, below, matrix, work, times):
    for _ in range(times):
        kernels.predict(model, x, out, work)
        kernels.predict(model, x[0], out[0])
        kernels.vjp(model, x, t, below, work)
        kernels.jacobian(model, x[0], matrix)
        kernels.train_step(model, x, t, 1e-6, work)


@njit(nogil=True)
def allocating(model, x, t, out, below, matrix, work, times):
    for k in range(times):
        out[0, 0] = np.ones(k + 1)[k]


@mostly_float64
def test_nothing_is_allocated(dtype):
    nn = network((3, 9, 4), hidden((3, 9, 4)), SOFTMAX, dtype)
    model = nn.compiled("Adam")
    x, t, out, below = (np.ones((30, n), dtype) for n in (3, 4, 4, 3))
    work = np.empty(kernels.workspace_size(model, 30), dtype)

    def count(function, times):
        function(model, x, t, out, below, np.empty((4, 3), dtype), work, times)  # compiled now
        before = rtsys.get_allocation_stats()
        function(model, x, t, out, below, np.empty((4, 3), dtype), work, times)
        after = rtsys.get_allocation_stats()
        return after.alloc - before.alloc, after.mi_alloc - before.mi_alloc

    enabled = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    try:
        assert count(many, 50) == count(many, 1)  # what numba makes of the arguments
        assert count(allocating, 50) > count(allocating, 1)  # it would be seen
    finally:
        if not enabled:
            _nrt_python.memsys_disable_stats()


@njit(nogil=True)
def predict_until(model, x, out, work, flag, limit):
    """Predict until somebody sets the flag; returns how often."""
    for k in range(limit):
        kernels.predict(model, x, out, work)
        if flag[0]:
            return k
    return limit


def test_no_gil_is_held():
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES)
    model, flag = nn.compiled(), np.zeros(1, np.int64)
    x, out = np.ones((2, 2)), np.empty((2, 1))
    work, limit, found = np.empty(kernels.workspace_size(model, 2)), 30_000_000, []
    assert predict_until(model, x, out, work, flag, 1) == 1
    started = threading.Event()

    def run():
        started.set()
        found.append(predict_until(model, x, out, work, flag, limit))

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    flag[0] = 1  # not before the other is through, if it held the GIL
    thread.join()
    assert found[0] < limit


@njit(nogil=True)
def orbit(model, x, out, work, steps):
    """Feed a network with its own outputs."""
    for _ in range(steps):
        kernels.predict(model, x, out, work)
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                x[i, j] = out[i, j]


@mostly_float64
def test_threads_with_workspaces_of_their_own_do_not_meet(dtype):
    sizes = (6, 20, 6)
    model = network(sizes, ["tanh", "tanh"], SQUARES, dtype).compiled()

    def run(k):
        x = samples(sizes, 40, dtype, seed=k)
        work = np.empty(kernels.workspace_size(model, 40), dtype)
        orbit(model, x, np.empty((40, 6), dtype), work, 500)
        return x

    alone = [run(k) for k in range(4)]
    assert orbit.nopython_signatures
    together = [None] * 4
    barrier = threading.Barrier(2)

    def work(first):
        barrier.wait()
        for k in range(first, 4, 2):
            together[k] = run(k)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(together, alone)
    assert len({x.tobytes() for x in alone}) == 4


SCRIPT = """
from numba import njit

from fastnn import kernels


@njit(nogil=True, cache=True)
def use(model, x, t, out, matrix, work):
    cost = kernels.train_step(model, x, t, 0.01, work)
    kernels.predict(model, x, out, work)
    kernels.jacobian(model, x[0], matrix)
    kernels.vjp(model, x, t, x, work)
    return cost
"""


def test_a_user_s_cached_function_is_found_again(child, tmp_path):
    (tmp_path / "own.py").write_text(SCRIPT)
    cache = tmp_path / "cache"
    seed_named(cache, "train*")  # the largest kernels
    first, second = (child("run_users_function", tmp_path, NUMBA_CACHE_DIR=cache) for _ in range(2))
    assert (first["hits"], first["misses"]) == (0, 1)
    assert first["compiled"] > 0
    assert (second["hits"], second["misses"]) == (1, 0)
    assert second["compiled"] == 0, "its kernels were not loaded"
    assert second["result"] == first["result"]


@pytest.mark.sweep
def test_cached_code_of_other_kernels_is_not_used(child, own_copy, tmp_path):
    (tmp_path / "own.py").write_text(SCRIPT)
    environment, folder = own_copy
    before = child("run_users_function", tmp_path, **environment)
    layout = folder / "engine" / "layout.py"
    places, others = "    PREDICT,\n    STEP,\n", "    STEP,\n    PREDICT,\n"
    source = layout.read_text()
    assert places in source
    layout.write_text(source.replace(places, others))
    after = child("run_users_function", tmp_path, **environment)
    assert (after["hits"], after["misses"]) == (0, 1)
    assert after["result"] == before["result"]


# models as values


@njit
def double(model):
    model.parameters[:] *= 2
    return model.parameters.size


def test_parameters_are_the_network_s_in_compiled_code_and_out():
    nn = network((2, 3, 1), hidden((2, 3, 1)), SQUARES)
    model, before = nn.compiled(), nn.parameters.copy()
    assert model.parameters.shape == nn.parameters.shape
    assert model.parameters.ctypes.data == nn.parameters.ctypes.data
    assert double(model) == before.size
    assert np.array_equal(nn.parameters, 2 * before)
    assert np.shares_memory(model.parameters, nn.layers[0].w)


@pytest.mark.parametrize("text", [repr, str])
def test_a_model_shows_widths_dtype_and_parameters(text):
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES, np.float32)
    assert text(nn.compiled("Adam")) == "<Model 2-4-1, float32, 17 parameters>"


def test_a_network_in_compiled_code_is_told_to_be_compiled():
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES)
    with pytest.raises(TypeError, match=r"^compiled functions take no NeuralNetwork.*compiled\(\)"):
        run_predict(nn, np.ones(2), np.ones(1))


def test_an_error_of_sizes_is_copied_and_pickled(models):
    with pytest.raises(ValueError, match="x has 2 features, expected 3") as caught:
        call_with("predict", models[np.float64], x=np.ones(2))
    for found in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert str(found) == str(caught.value)


def test_models_are_neither_copied_nor_pickled():
    model = network((2, 4, 1), hidden((2, 4, 1)), SQUARES).compiled()
    for refused in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"a model cannot be copied or pickled: call compiled"):
            refused(model)


def test_a_network_with_a_model_is_copied_and_pickled():
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES)
    x = np.ones(2)
    nn.compiled("Adam")
    nn.predict(x)
    for twin in (copy.deepcopy(nn), pickle.loads(pickle.dumps(nn))):
        assert np.array_equal(twin.predict(x), nn.predict(x))
        twin.parameters = np.zeros(17)
        assert twin.predict(x) == 0.0
        assert nn.predict(x) != 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_model_outlives_its_network(dtype):
    sizes = (2, 30, 1)
    nn = network(sizes, hidden(sizes), SQUARES, dtype)
    x, t, out = np.ones(2, dtype), np.ones(1, dtype), np.empty(1, dtype)
    expected = nn(x)
    model = nn.compiled("Adam")
    del nn
    gc.collect()
    rubbish = [np.full(n, 7, dtype) for n in range(1, 300)]  # where freed memory was
    run_predict(model, x, out)
    assert_close(out, expected, operations=chain(sizes))
    assert run_step(model, x, t, 0.001) > run_step(model, x, t, 0.001)
    assert len(rubbish) == 299
    assert isinstance(model, Model)


# SciPy's integrators


POINTS = 21  # of the Gauss-Kronrod rule that quad adds up


def limits(dtype):
    """Errors that quad allows: it warns of roundings where it is asked for too little."""
    allowed = float(np.finfo(dtype).eps) ** 0.5
    return {"epsabs": allowed, "epsrel": allowed}


def integral(function, dtype, args=()):
    return np.float64(quad(function, -1, 2, args=args, **limits(dtype))[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cost", COSTS)
def test_quad_integrates_a_network(cost, dtype):
    nn = network((1, 8, 1), hidden((1, 8, 1)), cost, dtype)
    function, twin = nn.low_level_callable(), copy.deepcopy(nn)

    def output(x):
        return float(twin.predict(np.array([x], dtype))[0])

    assert_close(integral(function, dtype), integral(output, dtype), operations=POINTS)
    for net in (nn, twin):
        net.layers[1].b = [3.0]  # shared, as models share theirs
    del nn
    gc.collect()
    rubbish = [np.full(n, 7.0, dtype) for n in range(1, 300)]  # where freed memory was
    assert_close(integral(function, dtype), integral(output, dtype), operations=POINTS)
    assert len(rubbish) == 299


@pytest.mark.parametrize("dtype", DTYPES)
def test_nquad_integrates_a_network_of_several_inputs(dtype):
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES, dtype)
    options, ranges = {"opts": limits(dtype)}, [(-1, 1), (0, 2)]

    def output(x, y):
        return float(nn.predict(np.array([x, y], dtype))[0])

    function = nn.low_level_callable()
    found, expected = (np.float64(nquad(f, ranges, **options)[0]) for f in (function, output))
    assert_close(found, expected, operations=POINTS**2)
    expected = integral(output, dtype, args=(0.5,))
    assert_close(integral(function, dtype, args=(0.5,)), expected, operations=POINTS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_another_number_of_variables_is_nan(dtype):
    integrand = network((2, 4, 1), hidden((2, 4, 1)), SQUARES, dtype).low_level_callable()
    for count in (0, 1, 2, 3, 40):
        variables = (ctypes.c_double * 40)(*np.ones(40))
        found = integrand.function(count, variables, integrand.user_data)
        assert np.isnan(found) == (count != 2)


def test_only_a_compiled_network_of_one_output_is_an_integrand():
    with pytest.raises(ValueError, match="has 2 outputs, expected 1"):
        network((2, 2), ["tanh"], SQUARES).low_level_callable()
    nn = fastnn.NeuralNetwork([Doubling(2, 1, rng=0)], fastnn.SumSquaresError())
    for refused in (nn.low_level_callable, nn.compiled, lambda: nn.jacobian(np.ones(2))):
        with pytest.raises(TypeError, match="a layer or the cost is your own"):
            refused()


# predict from Python


class Doubling(fastnn.Layer):
    """A user's own layer, in NumPy."""

    def forward_propagation(self, X):
        return 2 * (X @ self.w + self.b)

    def activation_derivative(self):
        return 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("sizes", [(2, 4, 1), (6, 3, 6), (64, 64, 10)])
def test_predict_from_python(sizes, cost, dtype):
    nn = network(sizes, hidden(sizes), cost, dtype)
    for rows in ROWS:
        X = samples(sizes, rows, dtype)
        kept = X.copy()
        expected = ReferenceNetwork.like(nn)(X)
        found = nn.predict(X)
        assert found.dtype == dtype
        assert_close(found, expected, operations=chain(sizes))
        out = Guarded(found.shape, dtype)
        assert nn.predict(X, out.array) is out.array
        assert np.array_equal(out.array, found)
        assert nn(X, out=out.array) is out.array
        assert out.untouched()
        assert np.array_equal(X, kept)
        assert_close(nn.predict(X[-1]), expected[-1], operations=chain(sizes))
    assert nn.predict(X[:0]).shape == nn.predict(X[:0], found[:0]).shape == (0, sizes[-1])


def test_predict_leaves_the_layers_alone():
    nn = network((2, 4, 1), hidden((2, 4, 1)), SQUARES)
    nn(np.ones((3, 2)))
    before = nn.layers[0].output
    nn.predict(np.zeros((5, 2)))
    assert nn.layers[0].output is before


def test_predict_takes_lists_and_any_layout():
    nn = network((3, 4, 2), hidden((3, 4, 2)), SQUARES)
    X = samples((3,), 6, np.float64)
    expected = nn.predict(X)
    wide = np.zeros((12, 9))
    wide[::2, ::3] = X
    for given in (X.tolist(), np.asfortranarray(X), wide[::2, ::3], X.astype(">f8")):
        assert np.array_equal(nn.predict(given), expected)
    assert np.array_equal(nn.predict(X.astype(np.float32)), nn.predict(np.float32(X).tolist()))
    for _ in range(2):
        X.flags.writeable = False
        assert np.array_equal(nn.predict(X), expected)


@pytest.mark.parametrize("rows", [2, 3, 4, 40, 3000])
@pytest.mark.parametrize("shift", [0, 2, 6, -2])
def test_out_may_overlap_x(rows, shift):
    sizes = (2, 4, 2)
    nn = network(sizes, hidden(sizes), SQUARES)
    X = samples(sizes, rows, np.float64)
    expected = nn.predict(X)
    for out in (None, np.empty_like(expected)):
        nn.predict(X, out)  # whatever that prepares
        memory = np.empty(X.size + 16)
        x = memory[8 : 8 + X.size].reshape(X.shape)
        out = memory[8 + shift : 8 + shift + X.size].reshape(X.shape)
        x[...] = X
        assert nn.predict(x, out) is out
        assert np.array_equal(out, expected)
    x = X.copy()
    assert nn.predict(x, x) is x
    assert np.array_equal(x, expected)
    wide = np.zeros((rows, 3))
    wide[:, :2] = X
    nn.predict(wide[:, :2], wide[:, 1:])
    assert np.array_equal(wide[:, 1:], expected)


@pytest.mark.parametrize("rows", [1, 7, 3000])
def test_out_may_have_any_layout(rows):
    nn = network((2, 4, 3), hidden((2, 4, 3)), SQUARES)
    X = samples((2,), rows, np.float64)
    expected = nn.predict(X)
    wide = np.zeros((2 * rows, 6))
    unaligned = np.zeros(8 * expected.size + 1, np.uint8)[1:].view(np.float64)
    for out in (
        wide[::2, ::2],
        wide[::-2, 3:],
        np.empty(expected.shape, order="F"),
        unaligned.reshape(expected.shape),
    ):
        assert nn.predict(X, out) is out
        assert np.array_equal(out, expected)
    assert not wide[1:-1:2, :3].any()


@pytest.mark.parametrize("first", [fastnn.TanhLayer, Doubling])
def test_wrong_out(first):
    rng = np.random.default_rng(0)
    nn = fastnn.NeuralNetwork([first(2, 3, rng=rng)], fastnn.SumSquaresError())
    frozen = np.zeros((5, 3))
    frozen.flags.writeable = False
    for _ in range(2):
        for out, kind, message in [
            (np.empty((5, 2)), ValueError, r"out has shape \(5, 2\), expected \(5, 3\)"),
            (np.empty((4, 3)), ValueError, r"out has shape \(4, 3\), expected \(5, 3\)"),
            (np.empty(15), ValueError, r"out has shape \(15,\)"),
            (np.empty((5, 3), np.float32), TypeError, "out has dtype float32, expected float64"),
            ([[0.0] * 3] * 5, TypeError, "out must be an array, not a list"),
            (frozen, ValueError, "out is read-only"),
        ]:
            with pytest.raises(kind, match=message):
                nn.predict(np.ones((5, 2)), out)
        assert not frozen.any()
        for wrong in (np.ones((5, 3)), np.ones(3), 1.0):
            with pytest.raises(ValueError, match="X has shape"):
                nn.predict(wrong)
        nn.predict(np.ones((5, 2)))


@pytest.mark.parametrize("rows", [1, 3000])
def test_predict_follows_every_change_of_the_network(rows):
    nn = network((2, 4, 2), ["tanh", "identity"], SQUARES)
    X = samples((2,), rows, np.float64)

    def check():
        sizes = (2, *[layer.dim_output for layer in nn.layers])
        assert_close(nn.predict(X), ReferenceNetwork.like(nn)(X), operations=chain(sizes))
        assert_close(nn.predict(X), nn(X), operations=chain(sizes))
        out = np.empty((rows, sizes[-1]))
        assert_close(nn.predict(X, out), nn(X), operations=chain(sizes))

    check()
    nn.layers[0].activation = "ReLU"
    check()
    nn.cost_function = fastnn.SoftmaxCrossEntropy()
    check()
    nn.layers[0].w[0, 0] += 1.0
    check()
    nn.parameters = nn.parameters + 0.5
    check()
    nn.layers[1].b = [5.0, 6.0]
    check()
    nn.layers.insert(1, fastnn.SigmoidLayer(4, 4, rng=0))
    check()
    nn.layers[0] = fastnn.TanhLayer(2, 4, rng=1)
    check()
    nn.layers[1].w, nn.layers[1].b = np.ones((4, 3)), np.zeros(3)
    nn.layers[2].w = np.eye(3, 2)
    check()
    nn.fit(X, np.ones((rows, 2)), 0.01)
    check()
    other = fastnn.NeuralNetwork(nn.layers[:1], fastnn.SumSquaresError())  # takes its parameters
    assert other.parameters.size == 12
    nn.layers[0].w += 1.0
    check()
    del nn.layers[1:]
    check()
    assert_close(other.predict(X), other(X), operations=chain((2, 4)))


@pytest.mark.parametrize("rows", [1, 3000])
def test_predict_follows_layers_and_costs_that_become_the_user_s_own(rows):
    class Halved(fastnn.SumSquaresError):
        def activate(self, logits):
            return 0.5 * super().activate(logits)

    def check(factor):
        assert_close(nn.predict(X), factor * expected, operations=chain((2, 4, 2)))
        assert_close(nn(X), factor * expected, operations=chain((2, 4, 2)))

    nn = network((2, 4, 2), ["tanh", "identity"], SQUARES)
    nn.layers[1].b = np.zeros(2)
    X = samples((2,), rows, np.float64)
    expected = nn.predict(X)
    nn.cost_function = Halved()
    check(0.5)
    nn.cost_function = fastnn.SumSquaresError()
    check(1)
    nn.layers[1].__class__ = Doubling
    check(2)
    nn.layers[1].__class__ = fastnn.LinearLayer
    check(1)
    nn.layers[1].forward_propagation = lambda X: 3 * (X @ nn.layers[1].w)
    check(3)
    del nn.layers[1].forward_propagation
    nn.cost_function.activate = lambda logits: 4 * logits
    check(4)


def test_own_layers_and_costs_predict():
    rng = np.random.default_rng(0)
    nn = fastnn.NeuralNetwork(
        [Doubling(2, 3, rng=rng), fastnn.LinearLayer(3, 1, rng=rng)], fastnn.SigmoidCrossEntropy()
    )
    X = samples((2,), 6, np.float64)
    out = np.empty((6, 1))
    assert np.array_equal(nn.predict(X), nn(X))
    assert nn.predict(X, out) is out
    assert np.array_equal(out, nn(X))
    assert nn.predict(X, out[::-1])[0] == nn(X)[0]


def test_threads_may_predict_with_one_network():
    sizes = (6, 200, 200, 6)  # long enough for calls to meet
    nn = network(sizes, hidden(sizes), SQUARES)
    X = samples(sizes, 2000, np.float64)
    few, all_rows = [nn.predict(X[k : k + 3]) for k in range(400)], nn.predict(X)
    wrong, barrier = [], threading.Barrier(2)

    def run(order):
        barrier.wait()
        wrong.extend(k for k in order if not np.array_equal(nn.predict(X[k : k + 3]), few[k]))
        if not np.array_equal(nn.predict(X), all_rows):
            wrong.append("all")

    orders = [[*range(400)[::way]] * 20 for way in (1, -1)]
    threads = [threading.Thread(target=run, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
