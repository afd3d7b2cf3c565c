"""Programs that the tests run in processes of their own: ``children.py NAME [ARGUMENT ...]``.

Each prints what its function returns as one line of JSON. Nothing is imported up here, so that the
programs decide what is imported when.
"""

import itertools
import json
import os
import signal
import sys
import warnings

SHAPES = {
    "own loops": (2, 4, 1),
    "BLAS": (32, 32, 32, 10),  # with the rows below, enough work that BLAS starts its threads
}


def compilations():
    """A list that grows with every pass of numba's compiler from now on."""
    from numba.core import event

    recorder = event.RecordingListener()
    event.register("numba:run_pass", recorder)
    return recorder.buffer


def network_and_data(shape, seed=0, dtype="float64"):
    import numpy as np

    import fastnn

    rng = np.random.default_rng(seed)
    tanh = [
        fastnn.TanhLayer(m, n, std=m**-0.5, rng=rng, dtype=dtype)
        for m, n in itertools.pairwise(shape[:-1])
    ]
    linear = fastnn.LinearLayer(*shape[-2:], std=shape[-2] ** -0.5, rng=rng, dtype=dtype)
    X = rng.normal(size=(2000, shape[0]))
    t = rng.normal(size=(2000, shape[-1]))
    return fastnn.NeuralNetwork([*tanh, linear], fastnn.SumSquaresError()), X, t


def trained(shape, seed=0, epochs=200):
    """Parameters after a training, as a list: JSON keeps every bit of a float64."""
    nn, X, t = network_and_data(shape, seed)
    nn.fit(X, t, 1e-5, epochs=epochs)
    return nn.parameters.tolist()


def go_on(file, data, epochs, batch_size):
    """Parameters after more epochs of a network that was saved."""
    import numpy as np

    import fastnn

    with np.load(data) as archive:
        X, T = archive["X"], archive["T"]
    nn = fastnn.load(file)
    nn.fit(X, T, epochs=int(epochs), batch_size=int(batch_size), rng=nn.draws)
    return nn.parameters.tolist()


def look_at(file):
    """How the values of a pickled dict are written."""
    import pickle

    sys.path.append(os.path.join(os.path.dirname(__file__), "..", "api"))  # functions of a test
    with open(file, "rb") as stream:
        return {name: repr(value) for name, value in pickle.load(stream).items()}


def report(result, passes):
    """A result, how much was compiled for it, and where the kernels are kept."""
    import fastnn
    from fastnn.kernels.codegen import cache

    folder = cache.folder()
    return {
        "result": result,
        "compiled": len(passes),
        "folder": None if folder is None else str(folder),
        "file": fastnn.__file__,
    }


def train():
    """A training of a small network."""
    passes = compilations()
    return report(trained(SHAPES["own loops"]), passes)


def evaluate():
    """tanh(1), which needs a single kernel."""
    passes = compilations()
    from fastnn.kernels.codegen.declare import kernel
    from fastnn.kernels.vecmath import tanh

    @kernel
    def called(x):
        return tanh(x)

    return report(called(1.0), passes)


def compile_where_numba_is_switched_off():
    """A function of one's own is Python's, a kernel of instructions and functions is compiled."""
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    import numba
    import numpy as np

    from fastnn.kernels.codegen import declare
    from fastnn.kernels.codegen.intrinsics import cast_like, pointer
    from fastnn.kernels.codegen.signature import call_tile_kernel

    @declare.scalar
    def more(x):
        return x + cast_like(x, 1.0)

    def row(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        return more(a[0])

    @declare.kernel
    def called(target, x):
        place = pointer(x, 0)
        numbers = pointer(x, 0)
        return call_tile_kernel(target, place, place, place, numbers, 0, 0, 0, 0)

    @numba.njit
    def own(x):
        return x

    own_is_plain = not hasattr(own, "py_func")
    x = np.array([2.0])
    outcome = called(declare.address(row, np.float64), x), declare.kernel(lambda x: more(x))(2.0)
    return [own_is_plain, *outcome, numba.config.DISABLE_JIT]


def use_every_row(dtype):
    """Networks of every activation, cost and rule: train them in several ways and ask them."""
    # Some costs bring the activation that the last layer has.
    warnings.filterwarnings("ignore", r"layers\[-1\] has the activation", UserWarning)
    passes = compilations()
    import numpy as np

    import fastnn
    from fastnn.activations import ACTIVATIONS
    from fastnn.losses import COSTS
    from fastnn.optimizers import RULES

    class OwnLayer(fastnn.TanhLayer):
        def forward_propagation(self, X):
            return 2 * super().forward_propagation(X)

    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(600, 3)).astype(dtype), np.eye(2, dtype=dtype)[[0, 1] * 300]
    X.flags.writeable = False
    few = ("tanh", "identity", "softmax")  # with everything; the others with one of each, in turn
    # the article's costs with everything; a row beyond these meets one of each, in turn
    combinations = list(itertools.product(few, [*COSTS][:3], ("SGD", "Adam")))
    turns = itertools.cycle(itertools.product(few, [*COSTS][:3]))
    combinations += [(a, cost, rule) for rule, (a, cost) in zip(RULES, turns, strict=False)]
    turns = itertools.cycle(itertools.product([*COSTS][:3], ("SGD", "Adam")))
    combinations += [(name, *turn) for name, turn in zip(ACTIVATIONS, turns, strict=False)]
    turns = itertools.cycle(itertools.product(few, ("SGD", "Adam")))
    combinations += [(a, cost, rule) for cost, (a, rule) in zip(COSTS, turns, strict=False)]
    for activation, cost, rule in combinations:
        made = COSTS[cost](reduction="mean")
        columns = getattr(made, "targets", 2)
        outputs, T = made.outputs_for(columns), t[:, :columns]
        layers = [
            fastnn.DenseLayer(3, 5, activation=activation, std=0.1, dtype=dtype, rng=rng, l2=0.1),
            fastnn.DenseLayer(
                5, outputs, activation=activation, std=0.1, dtype=dtype, rng=rng, dropout=0.1
            ),
        ]
        nn = fastnn.NeuralNetwork(layers, made)
        calm = {"burnin": 1} if RULES[rule].noisy else {}
        optimizer = fastnn.get_opt(
            rule, **calm, learning_rate=1e-3, clip_norm=1.0, weight_decay=0.1, on_nonfinite="skip"
        )
        for threads, more in ((1, {"sample_weight": X[:, 0] ** 2}), (2, {"verbose": 0})):
            nn.fit(
                X, T, optimizer=optimizer, epochs=2, batch_size=256, rng=0, n_threads=threads,
                validation_data=(X, T), **more,
            )  # fmt: skip
        nn.fit(X.astype("float16"), T, 1e-3, epochs=3)
        nn.gradient(X, T)
        nn.cost_function.delta(nn(X), T)
        nn.cost(X, T)
        nn.vjp(X, nn.predict(X))
        nn.jacobian(X[0])
        nn.predict(X[0], out=nn.predict(X[1]))
        nn.predict(X[:7])
        fastnn.kernels.workspace_size(nn.compiled(rule), 8)
        one = fastnn.DenseLayer(outputs, 1, activation=activation, std=0.1, dtype=dtype, rng=rng)
        if COSTS[cost]().outputs_for(1) == 1:
            fastnn.NeuralNetwork([*layers, one], COSTS[cost]()).low_level_callable()
        own = fastnn.NeuralNetwork(
            [OwnLayer(3, outputs, std=0.1, dtype=dtype, rng=rng)], COSTS[cost]()
        )
        own.fit(X, T, optimizer=fastnn.get_opt(rule, on_nonfinite="skip"), batch_size=300, rng=0)
    return report(len(combinations), passes)


def warm_up_some_and_use_it():
    """Names of kernels that public calls still load or compile after the warm-up."""
    import numpy as np

    import fastnn
    from fastnn import kernels
    from fastnn.activations import ACTIVATIONS
    from fastnn.kernels.codegen import cache
    from fastnn.kernels.ufuncs import elementwise as ufuncs
    from fastnn.losses import COSTS
    from fastnn.optimizers import RULES

    chosen = (ACTIVATIONS, ["GELU"]), (COSTS, ["SoftmaxCrossEntropy"]), (RULES, ["NAG"])
    for table, kept in chosen:
        for name in [*table]:
            if name not in kept:
                del table[name]
    from fastnn import warmup

    warmup.known = lambda: [name for name in ufuncs.known() if name.startswith("gelu")]
    warmup.warm_up(["float64"], quiet=True)
    asked, load = [], cache.KernelCache.load_overload

    def watch(self, *args):
        asked.append(self._function.__qualname__)
        return load(self, *args)

    cache.KernelCache.load_overload = watch
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(600, 3)), np.eye(2)[[0, 1] * 300]
    act = fastnn.get_act("GELU")
    for x in (X, X.astype("f4"), X.astype("f2")):
        act.forward(x), act.backward(x), act.vjp(x, x), act.forward_and_vjp(x, x), act.d2y(x)
        kernels.gelu(x), kernels.gelu_derivative(x), kernels.gelu_second_derivative(x)
    for name in ("Square", "Binary", "Cross"):
        error = fastnn.get_err(name)
        error.forward(t, t), error.backward(), error.total_error()
    optimizer = fastnn.get_opt("NAG", clip_norm=1.0, weight_decay=0.1)
    optimizer.step([X, t], [X.copy(), t.copy()])
    fastnn.get_opt("NAG").step(rng.normal(size=200_000), rng.normal(size=200_000))
    fastnn.get_opt("NAG").update(X, t)
    fastnn.get_opt("NAG").update(
        X, t[0], w=X, b=t[0], dfw=lambda w, b: w, dfb=lambda w, b: b, nargs=2
    )

    class OwnLayer(fastnn.DenseLayer):
        def forward_propagation(self, X):
            return 2 * super().forward_propagation(X)

    for reduction in ("sum", "mean", "none"):
        cost = fastnn.SoftmaxCrossEntropy(reduction)
        cost(X[:, :2], t), cost(X[:, :2], t, sample_weight=t[:, 0]), cost.activate(X[:, :2])
        if reduction != "none":
            cost.delta(X[:, :2], t)
    for kind, dropout in ((fastnn.DenseLayer, 0.0), (fastnn.DenseLayer, 0.5), (OwnLayer, 0.0)):
        layers = [
            kind(3, 4, activation="GELU", rng=0, dropout=dropout),
            fastnn.DenseLayer(4, 2, activation="GELU", rng=0),
        ]
        nn = fastnn.NeuralNetwork(layers, fastnn.SoftmaxCrossEntropy("mean"))
        options = {"batch_size": 32, "rng": 0, "sample_weight": t[:, 0] + 1.0}
        for threads in (1, 2):
            nn.fit(X, t, optimizer="NAG", validation_data=(X, t), n_threads=threads, **options)
        nn.predict(X), nn.predict(X[0]), nn.cost(X, t), nn.gradient(X, t), nn(X)
        if kind is fastnn.DenseLayer:
            if not dropout:
                nn.fit(X, t, optimizer="L-BFGS", epochs=2)
            nn.vjp(X, nn.predict(X)), nn.jacobian(X[0])
            kernels.workspace_size(nn.compiled("NAG"), 8)
    return sorted(set(asked))


def call_pickled(*kernels):
    """Ufuncs that came from another process, of equal arguments."""
    import pickle

    answers = []
    for kernel in kernels:
        made = pickle.loads(bytes.fromhex(kernel))
        pulls = made.__name__.endswith("vjp")
        found = made(*[[0.5, -1.0, 2.0]] * (2 if pulls else 1))
        answers.append([y.tolist() for y in (found if isinstance(found, tuple) else (found,))])
    return answers


def call_cached(folder):
    """A user's function with ``cache=True`` over ufuncs, and how often its cache was hit."""
    import numpy as np

    sys.path.insert(0, folder)
    from users import squash

    x = np.linspace(-3, 3, 50)
    out = np.empty_like(x)
    squash(x, out)
    return {"result": out.tolist(), "hits": sum(squash.stats.cache_hits.values())}


def import_and_watch():
    """What ``import fastnn`` imports, compiles and touches in the cache; then what a layer does."""
    touched = []
    folder = os.environ["NUMBA_CACHE_DIR"]

    def watch(_event, arguments):
        if arguments and isinstance(arguments[0], (str, os.PathLike)):
            path = os.fspath(arguments[0])
            if isinstance(path, str) and path.startswith(folder):
                touched.append(path)

    passes = compilations()
    sys.addaudithook(watch)
    import fastnn  # noqa: F401

    imported = {"compiled": len(passes), "touched": len(touched), "modules": sorted(sys.modules)}
    evaluate()
    return {"imported": imported, "used": {"compiled": len(passes), "touched": len(touched)}}


def train_in_threads():
    """Both networks in two threads at once, the first use of the library; then one by one."""
    import threading

    import fastnn  # noqa: F401  Python's import lock is not what is tested

    tasks = [(shape, seed) for shape in SHAPES.values() for seed in range(4)]
    together = [None] * len(tasks)
    start = threading.Barrier(2)

    def work(first):
        for k in range(first, len(tasks), 2):
            start.wait()
            together[k] = trained(*tasks[k])

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"together": together, "alone": [trained(*task) for task in tasks]}


def _answer(queue, shape):
    queue.put(trained(shape))


def train_in_children(start_method, kind):
    """Train here, then in children; parameters of both."""
    import multiprocessing
    import warnings
    from concurrent.futures import ProcessPoolExecutor

    parent = [trained(shape) for shape in SHAPES.values()]
    if start_method == "fork":
        # BLAS keeps threads, which is why this is tested at all; Python 3.12 and later warn.
        warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    context = multiprocessing.get_context(start_method)
    if kind == "Process":
        queue = context.SimpleQueue()
        children = []
        for shape in SHAPES.values():
            process = context.Process(target=_answer, args=(queue, shape))
            process.start()
            children.append(queue.get())
            process.join()
    elif kind == "Pool":
        with context.Pool(2) as pool:
            children = pool.map(trained, SHAPES.values(), chunksize=1)
    else:
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            children = list(executor.map(trained, SHAPES.values()))
    again = [trained(shape) for shape in SHAPES.values()]
    return {"parent": parent, "children": children, "again": again}


def train_in_a_child_forked_meanwhile(name):
    """Fork while a thread trains; exit code of a child that trains the same network."""
    import os
    import threading
    import time
    import warnings

    nn, X, t = network_and_data(SHAPES[name])
    nn.fit(X, t, 1e-5)  # load the kernels
    stop_after = time.perf_counter() + 1.0

    def work():
        while time.perf_counter() < stop_after:
            nn.fit(X, t, 1e-7, epochs=100)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    child = os.fork()
    if not child:
        code = 1
        try:
            nn.fit(X, t, 1e-5, epochs=10)
            code = 0
        finally:
            os._exit(code)
    thread.join()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def blas_threads():
    """Threads of the BLAS libraries before, in the middle of, and after trainings."""
    import threading
    import time

    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    def count():
        return [library["num_threads"] for library in threadpool_info()]

    nn, X, t = network_and_data(SHAPES["BLAS"])
    nn.fit(X, t, 1e-5)
    before = count()
    thread = threading.Thread(target=nn.fit, args=(X, t, 1e-7), kwargs={"epochs": 1000})
    thread.start()
    time.sleep(0.2)
    network_and_data(SHAPES["BLAS"])[0].fit(X, t, 1e-5)  # ends first: must not put it back
    meanwhile = count()
    thread.join()
    return {"before": before, "meanwhile": meanwhile, "after": count()}


def train_until_interrupted(name):
    """Train for minutes unless somebody stops it; prints a line when it is under way."""
    import time

    import numpy as np

    import fastnn

    nn, X, t = network_and_data(SHAPES[name])
    nn.fit(X, t, 1e-5)  # load the kernels
    before = nn.parameters.copy()
    print("training", flush=True)
    optimizer = fastnn.get_opt("SGD", learning_rate=1e-7)
    try:
        nn.fit(X, t, optimizer=optimizer, epochs=10_000_000)
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    found = nn.parameters.copy()
    time.sleep(0.1)  # a training that went on behind our back would show
    left_alone = np.array_equal(found, nn.parameters)
    cost = nn.cost(X, t)
    nn.fit(X, t, 1e-5, epochs=200)
    return {
        "interrupted": interrupted,
        "before its end": optimizer.steps < 10_000_000,
        "moved": not np.array_equal(found, before),
        "finite": bool(np.isfinite(found).all()),
        "left alone": left_alone,
        "improves": nn.cost(X, t) < cost,
    }


def run_users_function(folder):
    """Call the function ``use`` of a user's module ``own``; what of it was in the cache."""
    import numpy as np

    passes = compilations()
    sys.path.insert(0, folder)
    import own

    from fastnn import kernels

    nn, X, t = network_and_data((3, 8, 2))
    model, x, targets = nn.compiled("Adam"), X[:50].copy(), t[:50].copy()
    out, matrix = np.empty((50, 2)), np.empty((2, 3))
    cost = own.use(model, x, targets, out, matrix, np.empty(kernels.workspace_size(model, 50)))
    stats = own.use.stats
    return {
        **report([cost, out.tolist(), matrix.tolist(), x.tolist()], passes),
        "hits": sum(stats.cache_hits.values()),
        "misses": sum(stats.cache_misses.values()),
    }


def follow_a_pendulum():
    """The loop of the demo ``ode`` with a network that nobody has trained."""
    passes = compilations()
    from fastnn.demos import ode
    from fastnn.demos.tasks import TASKS

    path = ode.follow(TASKS["ode"](0, "float64").network, ode.PATHS[0])
    return {**report(path[-1].tolist(), passes), "cached": ode.CACHE}


def interrupt_a_team():
    """Ctrl-C in a training by two threads; then a training of as many steps.

    Steps of milliseconds: short ones may take a thousand times as long where others use the cores.
    """
    import signal
    import threading
    import time

    import numpy as np

    import fastnn

    def make():
        return network_and_data(SHAPES["BLAS"])[0], fastnn.get_opt("Adam")

    (nn, optimizer), (_, X, t) = make(), network_and_data(SHAPES["BLAS"])
    make()[0].fit(X, t, optimizer="Adam", n_threads=2)  # load the kernels

    def interrupt():
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)  # as a terminal does: to the process, not a thread

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        nn.fit(X, t, optimizer=optimizer, epochs=1_000_000_000, n_threads=2)
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    thread.join()
    found, steps = nn.parameters.copy(), optimizer.steps
    twin, other = make()
    twin.fit(X, t, optimizer=other, epochs=steps, n_threads=2)
    complete = np.array_equal(found, twin.parameters)
    nn.fit(X, t, epochs=10, n_threads=2)  # goes on
    twin.fit(X, t, epochs=10, n_threads=2)
    return {
        "interrupted": interrupted,
        "steps": steps,
        "complete": complete,
        "left alone": np.array_equal(nn.parameters, twin.parameters),
        "no threads left": threading.active_count() == 1,
    }


def _wait_for(child, seconds=250.0):
    """Exit code of a child; None if it hangs."""
    import signal
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _forked(work):
    """Exit code of a forked child that does this; None if it hangs."""
    import warnings

    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return _wait_for(child)


def _slowly(seconds):
    """An instruction for kernels, whose compiler takes so long: x as it is."""
    import time

    from numba.extending import intrinsic

    @intrinsic
    def slow(typingctx, x):
        time.sleep(seconds)

        def codegen(context, builder, sig, args):
            return args[0]

        return x(x), codegen

    return slow


def _compile(seconds=0.0):
    """Call a small kernel that no process has; its compiler takes so long."""
    from fastnn.kernels.codegen import declare

    slow = _slowly(seconds)
    kernel = declare.kernel(lambda x: slow(x) + x)
    kernel._cache.disable()
    assert kernel(21.0) == 42.0


def _ask(seconds=0.0):
    """Ask for the address of such a kernel."""
    import numpy as np

    from fastnn.kernels.codegen import declare

    slow = _slowly(seconds)

    def row(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        return slow(1.0)

    assert declare.address(row, np.float64)


def fork_while_another_thread_compiles(name):
    """Exit codes of children, which compile too."""
    import threading
    import time

    work = {"compile": _compile, "ask": _ask}[name]
    work()
    codes = []
    for _ in range(3):
        thread = threading.Thread(target=work, args=(0.5,))
        thread.start()
        time.sleep(0.2)
        codes.append(_forked(work))
        thread.join()
    return codes


def fork_while_another_thread_imports():
    """Exit code of a child that draws weights, for which SciPy is imported by both."""
    import threading
    import time

    from fastnn.initializers import truncated_normal

    def draw():
        truncated_normal((2, 2), 1.0, 0)

    class Waits:
        """Makes sure that the import is under way when the fork comes."""

        def find_spec(self, name, path, target=None):
            if name == "scipy.special._orthogonal":
                under_way.set()
                time.sleep(0.5)

    under_way = threading.Event()
    sys.meta_path.insert(0, Waits())
    assert "scipy.special" not in sys.modules
    thread = threading.Thread(target=draw)
    thread.start()
    assert under_way.wait(250)
    code = _forked(draw)
    thread.join()
    return code


def fork_within_the_compiler():
    """Exit code of a child, forked by what compiles, that goes on; and the parent's result."""
    from numba import types
    from numba.extending import intrinsic

    from fastnn.kernels.codegen import declare

    codes = []

    @intrinsic
    def forking(typingctx, x):
        codes.append(os.fork())

        def codegen(context, builder, sig, args):
            return args[0]

        return types.float64(x), codegen

    found = declare.kernel(lambda x: forking(x) + x)(21.0)
    if not codes[0]:
        _compile()
        os._exit(0 if found == 42.0 else 1)
    return [found, *map(_wait_for, codes)]


def fork_after_shared_calls():
    """Whether threads of shared calls end with them, and what a forked child finds."""
    import _thread
    import time
    import warnings

    import numpy as np

    import fastnn

    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    nn, X, t = network_and_data(SHAPES["BLAS"])
    X, t = (np.tile(array, (1 + 20_000 // len(array), 1)) for array in (X, t))
    fastnn.set_num_threads(3)

    def shared():
        by_parameters, by_samples = nn.gradient(X, t)
        return nn.predict(X), nn.cost(X, t), by_parameters, by_samples, nn.vjp(X, nn.predict(X))

    before, expected = _thread._count(), shared()
    give_up = time.monotonic() + 60.0  # one that came too late has yet to see that
    while _thread._count() > before and time.monotonic() < give_up:
        time.sleep(0.01)
    left = _thread._count()
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if all(map(np.array_equal, expected, shared())) else 2
        finally:
            os._exit(code)
    code = _wait_for(child)
    again = all(map(np.array_equal, expected, shared()))
    return {"threads": left == before, "child": code, "again": again}


def fork_a_team(n_threads):
    """Exit codes of children forked while a team trains their network, and after it."""
    import threading
    import time
    import warnings

    import numpy as np

    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
    n_threads = int(n_threads)
    nn, X, t = network_and_data(SHAPES["BLAS"])
    nn.fit(X, t, 1e-5, n_threads=n_threads)  # load the kernels
    finish = threading.Event()

    def work():
        while not finish.is_set():
            nn.fit(X, t, 1e-7, epochs=20, n_threads=n_threads)

    def forked():
        child = os.fork()
        if not child:
            code = 1
            try:
                nn.fit(X, t, 1e-5, epochs=10, n_threads=n_threads)
                code = 0 if np.isfinite(nn.parameters).all() else 2
            finally:
                os._exit(code)
        return _wait_for(child)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    meanwhile = forked()
    finish.set()
    thread.join()
    after = forked()
    twins = [network_and_data(SHAPES["BLAS"])[0] for _ in range(2)]
    for twin in twins:
        twin.fit(X, t, 1e-5, epochs=10, n_threads=n_threads)
    return {
        "meanwhile": meanwhile,
        "after": after,
        "equal": np.array_equal(twins[0].parameters, twins[1].parameters),
    }


def train_within_a_training(n_threads):
    """A callback trains the network that is being trained, by one step between others."""
    import faulthandler

    import numpy as np

    n_threads = int(n_threads)
    (nn, X, t), (twin, _, _) = (network_and_data(SHAPES["own loops"]) for _ in range(2))
    faulthandler.dump_traceback_later(20, exit=True)

    def again(run):
        if run.epoch == 1:
            nn.fit(X, t, 1e-6, n_threads=n_threads)

    history = nn.fit(X, t, 1e-6, epochs=3, callbacks=again, n_threads=n_threads)
    faulthandler.cancel_dump_traceback_later()
    costs = twin.fit(X, t, 1e-6, epochs=4, n_threads=n_threads).cost
    return {
        "costs": np.array_equal(history.cost, np.delete(costs, 1)),
        "parameters": np.array_equal(nn.parameters, twin.parameters),
    }


def train_on_a_memory_map(path):
    """One epoch over ten million samples on disk; the most bytes that Python's arrays took."""
    import tracemalloc

    import numpy as np

    import fastnn

    rows = 10_000_000
    X = np.memmap(path, np.float32, "r", shape=(rows, 4))
    t = np.memmap(path, np.float32, "r", shape=(rows, 1))  # the same file, which is all zeros
    layers = [
        fastnn.TanhLayer(4, 3, bias=0.5, rng=1, dtype="float32"),
        fastnn.LinearLayer(3, 1, rng=2, dtype="float32"),
    ]
    nn = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError("mean"))
    nn.fit(X[:10], t[:10], 1e-3)
    found = {}
    for shuffle in (False, True):
        tracemalloc.start()
        history = nn.fit(X, t, 1e-2, batch_size=100_000, shuffle=shuffle, rng=0)
        found[f"shuffle={shuffle}"] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return {
        **found,
        "data": X.nbytes,
        "cost": float(history.cost[0]),
        "after": nn.cost(X[:1], t[:1]),
    }


def memory_of_epochs(n_threads, many):
    """Memory and numba's allocations during ten epochs, and during many."""
    import gc

    from numba.core.runtime import rtsys

    import fastnn

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    found = {}
    nn, X, t = network_and_data(SHAPES["own loops"])
    X, t, optimizer = X[:100], t[:100], fastnn.get_opt("Adam")
    options = {"optimizer": optimizer, "batch_size": 60, "n_threads": int(n_threads), "rng": 0}
    nn.fit(X, t, epochs=int(many), **options)  # the history's room too
    for epochs in (10, int(many)):
        gc.collect()
        before, allocated = resident(), rtsys.get_allocation_stats()
        nn.fit(X, t, epochs=epochs, **options)
        now = rtsys.get_allocation_stats()
        found[epochs] = {
            "resident": resident() - before,
            "numba": [now.alloc - allocated.alloc, now.mi_alloc - allocated.mi_alloc],
            "kept": now.alloc - now.free - allocated.alloc + allocated.free,
        }
    return found


def use_fenced_memory(dtype):
    """Everything that a network does, with all arrays fenced; how many networks have done it."""
    import faulthandler

    faulthandler.enable()
    import fastnn  # noqa: F401
    from support import fenced

    fenced.fence("fastnn")
    from support import fenced_networks

    fenced_networks.multiply(dtype)
    for name in fenced_networks.NETWORKS:
        fenced_networks.use(name, dtype)
        fenced.check()
    return len(fenced_networks.NETWORKS)


def refuse_wrong_sizes():
    """Call the engine with one array of another size at a time; what was said each time."""
    import faulthandler

    faulthandler.enable()
    import numpy as np

    import fastnn
    from fastnn.kernels.engine import train as engine
    from fastnn.kernels.inference import overloads as api
    from fastnn.model.compile import Use, model
    from fastnn.model.evaluation import Gradient

    nn, X, t = network_and_data((2, 4, 1))
    theta, uses = nn.parameters, Use(training=True, evaluating=True)
    made = model(nn.layers, nn.cost_function, theta, uses, fastnn.get_opt("SGD"))
    x, few, room = X[:64].copy(), X[:9].copy(), np.empty(64)
    whole = Gradient(made, x, t[:64].copy(), room)
    _, batches, team = whole.arguments
    work, tiles = np.empty(whole._elements), np.empty(1)
    wrong = [
        {"X": few}, {"X": np.ones((64, 3))}, {"T": np.ones((64, 2))}, {"T": np.ones((9, 1))},
        {"weights": room[:9]}, {"order": np.zeros(9, int)}, {"cached_tiles": 9},
        {"grads": team.grads[:, 1:].copy()}, {"sums": team.sums[:0]}, {"hyper": team.hyper[:0]},
        {"parts": 2, "own": False},
    ]  # fmt: skip
    said = []

    def refused(function, *args):
        try:
            function(*args)
            said.append(None)
        except ValueError as error:
            said.append(str(error))

    for changed in wrong:
        b = batches._replace(**{k: v for k, v in changed.items() if k in batches._fields})
        g = team._replace(**{k: v for k, v in changed.items() if k in team._fields})
        refused(engine.evaluate, made, b, g, work, tiles, 0)
        refused(engine.gradient, made, b, g, work, np.empty_like(x), 0, 1, True)
        refused(engine.train, made, b, g, room, room, np.zeros(1, int), work, 0, 1, 0, 1)
    refused(engine.gradient, made, batches, team, work, few, 0, 1, True)
    refused(engine.gradient, made, batches, team, work[1:].copy(), x, 0, 1, True)
    refused(
        engine.gradient,
        made._replace(theta=theta[1:].copy()),
        *whole.arguments[1:],
        work,
        x,
        0,
        1,
        True,
    )
    for first, last in ((-1, 1), (0, 2), (1, 0)):
        refused(engine.gradient, made, batches, team, work, x, first, last, True)
    refused(engine.gradient, made, batches, team._replace(own=False), work, x, 0, 1, True)
    for part, costs in ((-1, tiles), (1, tiles), (0, np.empty(2))):
        refused(engine.evaluate, made, batches, team, work, costs, part)
    steps, flat = np.zeros(9, int), (x.reshape(-1), room)
    refused(engine.train, made, batches, team, room, room, steps, work, 0, 65, 0, 1)
    refused(engine.train, made, batches, team, room, room[:1], steps, work, 0, 2, 0, 1)
    refused(engine.train, made, batches, team, room[:0], room, steps, work, 0, 1, 0, 1)
    refused(engine.train, made, batches, team, room, room, steps, work, 1, 0, 0, 1)
    inside = nn.compiled()
    enough = np.empty(api.workspace_size(inside, 64))
    for rows, size in ((65, enough.size), (63, enough.size), (64, enough.size - 1)):
        refused(api.predict_rows, inside.descriptor, *flat, rows, enough[:size].copy(), 0, 1)
        given = *flat, flat[0].copy(), rows, enough[:size].copy()
        refused(api.vjp_rows, inside.descriptor, *given, 0, 1)
    refused(api.vjp_rows, inside.descriptor, *flat, flat[0][1:].copy(), 64, enough, 0, 1)
    for part, parts in ((0, 0), (-1, 1), (2, 2)):
        refused(api.predict_rows, inside.descriptor, *flat, 64, enough, part, parts)
    refused(api.jacobian_one, inside.descriptor, room[:3], room[:2], enough)
    refused(api.jacobian_one, inside.descriptor, room[:2], room[:3], enough)
    refused(api.jacobian_one, inside.descriptor, room[:2], room[:2], enough[:9])
    return said


def change_widths_meanwhile():
    """Give a layer other widths while another thread computes; calls that went through."""
    import faulthandler
    import threading
    import time

    import numpy as np

    import fastnn

    faulthandler.enable()
    layers = [
        fastnn.TanhLayer(3, 4, rng=0),
        fastnn.DenseLayer(4, 4, activation="GLU", rng=0),
        fastnn.LinearLayer(4, 2, rng=0),
    ]
    nn = fastnn.NeuralNetwork(layers, fastnn.SumSquaresError())
    X, t = np.ones((30, 3)), np.ones((30, 2))
    calls = [
        lambda: nn.gradient(X, t),
        lambda: nn.predict(X[0]),
        lambda: nn.predict(X),
        lambda: nn.cost(X, t),
        lambda: nn(X),
        lambda: nn.vjp(X, t),
        lambda: nn.fit(X, t, 1e-3),
        lambda: nn.fit(X, t, 1e-3, validation_data=(X, t), epochs=2, n_threads=2),
        lambda: nn.parameters,
    ]
    for call in calls:
        call()
    sys.setswitchinterval(1e-6)
    end, stop = time.monotonic() + 3.0, threading.Event()

    def change():
        for k in range(10**9):
            if stop.is_set():
                return
            width = (4, 40, 400)[k % 3]
            first, second, last = nn.layers
            first.w, first.b = np.full((3, width), 0.01), np.full(width, 0.01)
            second.w, second.b = np.full((width, 8), 0.01), np.full(8, 0.01)
            second.activation = ("GLU", "ReLU")[k % 2]
            outputs = 4 if k % 2 == 0 else 8
            last.w = np.full((outputs, 2), 0.01)

    thread = threading.Thread(target=change)
    thread.start()
    done = k = 0
    try:
        while time.monotonic() < end or not done:
            k += 1
            try:
                calls[k % len(calls)]()
                done += 1
            except ValueError:
                pass
    finally:
        stop.set()
        thread.join()
    return done


def in_threads(work, threads=2):
    """What `work` returns to each of some threads that call it at the same time."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    begin = threading.Barrier(threads)

    def one(k):
        begin.wait()
        return work(k)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(threads)))


def make_a_ufunc_in_threads():
    """How many different ufuncs the threads got, and tables that their loops read."""
    import numpy as np

    from fastnn import kernels
    from fastnn.kernels.ufuncs import softmax_loop

    made = in_threads(lambda k: kernels.softmax, 4)
    plans = in_threads(lambda k: softmax_loop.plan("softmin", np.dtype(np.float64)), 4)
    return [len({id(one) for one in found}) for found in (made, plans)]


def call_layers_between_their_lines():
    """Whether a call of a layer is right if others go through it at any place where it is written.

    Which is what another thread does, at places that nobody can choose.
    """
    import faulthandler

    import numpy as np

    import fastnn

    faulthandler.enable()
    inside = []

    class Layer(fastnn.DenseLayer):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name in ("input", "output", "_slope") and not inside:
                inside.append(name)
                self(np.ones((1, 3)))
                inside.clear()

    right = []
    for activation in ("tanh", "identity", "softmax", "GLU"):
        layer = Layer(3, 50, activation=activation, rng=0)
        X, before = np.linspace(-1, 1, 3000).reshape(-1, 3), inside.copy()
        inside.append("nothing")
        expected = layer(X)
        inside[:] = before
        right.append(np.array_equal(layer(X), expected))
    return right


def share_a_layer_of_ones_own():
    """How often a layer in two networks went back from samples of another thread, and at all.

    The threads train, and one of them calls its network in between.
    """
    import threading
    import time

    import numpy as np

    import fastnn

    own, counts = threading.local(), [0, 0]

    class Own(fastnn.TanhLayer):
        def forward_propagation(self, X):
            own.samples = X
            time.sleep(1e-4)  # here the other thread comes
            return super().forward_propagation(X)

        def back_propagation(self, delta, learning_rate):
            time.sleep(1e-4)
            counts[0] += self.input is not own.samples
            counts[1] += 1
            return super().back_propagation(delta, learning_rate)

    shared = Own(2, 3, rng=0)
    networks = [
        fastnn.NeuralNetwork([shared, fastnn.LinearLayer(3, 1, rng=0)], fastnn.SumSquaresError())
        for _ in range(2)
    ]

    def work(k):
        X = np.full((30, 2), 0.1 + k)
        for _ in range(100):
            networks[k].fit(X, X[:, :1], 1e-6)
            if k:
                networks[k](X)

    in_threads(work)
    return counts


def leave_trainings_to_daemons():
    """Trainings of hours in daemon threads, of one thread and of two; then the program is over."""
    import threading
    import time

    for n_threads in (1, 2):
        nn, X, t = network_and_data(SHAPES["BLAS"])
        nn.fit(X, t, 1e-5, n_threads=n_threads)
        begun = threading.Event()

        def train(nn=nn, X=X, t=t, n_threads=n_threads, begun=begun):
            nn.fit(X, t, 1e-9, epochs=2, callbacks=lambda run: begun.set(), n_threads=n_threads)
            nn.fit(X, t, 1e-9, epochs=1_000_000_000, n_threads=n_threads)

        threading.Thread(target=train, daemon=True).start()
        begun.wait()
    time.sleep(0.3)
    return True


def use_each_others_network(threads, call):
    """Trainings in threads, in each of which a callback uses the next one's network."""
    import threading

    count = int(threads)
    networks = [network_and_data(SHAPES["own loops"], seed) for seed in range(count)]
    for nn, X, t in networks:
        nn.fit(X, t, 1e-5)
    begun = threading.Barrier(count)
    trained, errors = [], []

    def train(k):
        nn, X, t = networks[k]
        other = networks[(k + 1) % count]

        def use(run):
            begun.wait()  # all networks are being trained now
            other[0].fit(*other[1:], 1e-5) if call == "fit" else other[0].gradient(*other[1:])

        try:
            nn.fit(X, t, 1e-5, callbacks=use)
            trained.append(k)
        except RuntimeError as error:
            errors.append(str(error))

    workers = [threading.Thread(target=train, args=(k,)) for k in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    afterwards = sum(len(nn.fit(X, t, 1e-5)) for nn, X, t in networks)
    return {"errors": errors, "trained": len(trained), "afterwards": afterwards}


def use_the_network_in_training():
    """What becomes of code of the caller's that uses the network which `fit` trains meanwhile.

    The names say where that code runs and what it calls; None: it went well.
    """
    import os
    import tempfile

    import numpy as np

    import fastnn

    X, T = np.random.default_rng(0).normal(size=(40, 2)), np.ones((40, 1))
    path = os.path.join(tempfile.mkdtemp(), "network.npz")
    calls = {
        "fit": lambda nn: nn.fit(X, T, 0.001, epochs=2),
        "fit of a step": lambda nn: nn.fit(X, T, 0.001),
        "fit of blocks": lambda nn: nn.fit([(X, T)], learning_rate=0.001),
        "fit_many": lambda nn: fastnn.fit_many([nn], X, T, 0.001),
        "gradient": lambda nn: nn.gradient(X, T),
        "save": lambda nn: nn.save(path),
        "predict": lambda nn: nn.predict(X),
        "cost": lambda nn: nn.cost(X, T),
    }

    def in_blocks(nn, use):
        def blocks():
            yield X, T
            use(nn)
            yield X, T

        nn.fit(blocks, learning_rate=0.001)

    def in_a_callback(nn, use):
        nn.fit(X, T, 0.001, epochs=2, callbacks=lambda run: run.epoch > 1 or use(run.network))

    def in_blocks_of_a_callback(nn, use):
        """Of a training of another network, whose blocks use this one."""
        other = network_and_data((2, 4, 1))[0]

        def blocks():
            use(nn)
            yield X, T

        in_a_callback(nn, lambda _: other.fit(blocks, learning_rate=0.001))

    def in_a_cost(nn, use):
        class Cost:
            calls = 0

            def activate(self, activity):
                return activity

            def __call__(self, activity, t):
                self.calls += 1
                if self.calls == 1:
                    use(nn)
                return float(((activity - t) ** 2).sum()) / 2

            def delta(self, activity, t):
                return activity - t

        nn.cost_function = Cost()
        nn.fit(X, T, 0.001)

    found = {}
    for where in (in_blocks, in_a_callback, in_blocks_of_a_callback, in_a_cost):
        for name, use in calls.items():
            if where is in_a_cost and name == "save":  # which files do not hold
                continue
            nn = network_and_data((2, 4, 1))[0]
            try:
                where(nn, use)
                error = None
            except RuntimeError as raised:
                error = str(raised)
            found[f"{where.__name__}: {name}"] = error
            nn.cost_function = fastnn.SumSquaresError()
            nn.fit(X, T, 0.001)  # nothing is held any more
    return found


def storm_of_signals():
    """Bursts of Ctrl-C around trainings by two threads; what they raise, and what is left."""
    import gc
    import threading
    import time

    import numpy as np

    nn, X, t = network_and_data(SHAPES["own loops"])
    nn.fit(X, t, 1e-7, n_threads=2, validation_data=(X[:5], t[:5]))  # load the kernels
    armed, interrupts, others = [False], [0], []

    def handler(number, frame):
        if armed[0]:
            interrupts[0] += 1
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
    random = np.random.default_rng(0)

    def attempt(epochs):
        armed[0] = True
        try:
            nn.fit(X, t, 1e-9, epochs=epochs, n_threads=2, validation_data=(X[:5], t[:5]))
        except KeyboardInterrupt:
            pass
        except BaseException as error:
            others.append(repr(error))
        finally:
            armed[0] = False

    def burst(wait, every):
        time.sleep(wait)
        for _ in range(5):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(every)

    for wait, every in zip(random.uniform(0, 3e-3, 60), random.uniform(0, 1e-3, 60), strict=True):
        thread = threading.Thread(target=burst, args=(wait, every))
        thread.start()
        while thread.is_alive():
            try:
                attempt(20)
            except KeyboardInterrupt:  # between two lines of `attempt`
                armed[0] = False
        thread.join()
    before = nn.parameters.copy()
    nn._trainer = None
    gc.collect()
    end = time.monotonic() + 60
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.01)
    return {
        "interrupts": interrupts[0],
        "others": others,
        "threads": threading.active_count(),
        "as it was": bool(
            signal.getsignal(signal.SIGINT) is handler and np.array_equal(before, nn.parameters)
        ),
    }


if __name__ == "__main__":
    # a shell that starts the tests in the background has them ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
