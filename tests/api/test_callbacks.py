"""Callbacks and the history of a training, driven by a stand-in for `NeuralNetwork.fit`."""

import copy
import io
import json
import math
import os
import pickle
import re
import stat
import sys

import numpy as np
import pytest

from fastnn import DenseLayer, LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer, get_opt
from fastnn import callbacks as module
from fastnn._core.units import duration
from fastnn.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    LearningRate,
    Progress,
    Run,
    TerminateOnNaN,
    as_callbacks,
)
from fastnn.callbacks.progress import bar
from fastnn.history import History
from fastnn.schedules import Cosine

NAN, INF = float("nan"), float("inf")


class Network:
    """What callbacks use of a network. After epoch k all of its parameters are k."""

    def __init__(self, size=3, dtype=np.float64):
        self.parameters = np.zeros(size, dtype)
        self.layers, self.optimizer = [], None


def fit(costs, callbacks=None, *, validation=None, network=None, epochs=None, error_at=None):
    """As `fit` drives its callbacks, with the costs given and the error after so many epochs."""
    network = Network() if network is None else network
    hooks = as_callbacks(callbacks)
    run = Run(
        network,
        History(),
        epochs=len(costs) if epochs is None else epochs,
        steps_per_epoch=4,
        optimizer="SGD",
        learning_rate=0.5,
        training_cost=lambda: costs[run.epoch - 1],
    )
    try:
        for hook in hooks:
            hook.on_begin(run)
        while run.epoch < run.epochs and not run.stopping:
            following = min(
                [run.epochs, *(hook.every * (run.epoch // hook.every + 1) for hook in hooks)]
            )
            try:
                if error_at is not None and error_at[0] < following:
                    raise error_at[1]
            except ValueError as error:
                quiet = [hook.on_divergence(run, error) for hook in hooks]  # all are told
                if any(quiet):
                    break
                raise
            part = slice(run.epoch, following)
            network.parameters[...] = following
            more = None if validation is None else validation[part]
            run.history.extend(costs[part], run.learning_rate, 0.001, more)
            run._epoch = following
            for hook in hooks:
                if run.epoch % hook.every == 0 or run.epoch == run.epochs:
                    hook.on_epoch(run)
    finally:
        for hook in hooks:
            hook.on_end(run)
    return run


# --- History ---------------------------------------------------------------------------------


def test_history_holds_what_it_was_given():
    history = History()
    history.extend([3.0, 2.0], 0.1, [0.5, 0.25], [30, 20], 0.0625)
    history.extend(1, 0.05, 0.125, np.float32(10), reduction_seconds=0)
    history.extend([], 1.0, 1.0)
    assert len(history) == 3
    assert history.cost.tolist() == [3, 2, 1]
    assert history.validation_cost.tolist() == [30, 20, 10]
    assert history.learning_rate.tolist() == [0.1, 0.1, 0.05]
    assert history.seconds.tolist() == [0.5, 0.25, 0.125]
    assert history.reduction_seconds.tolist() == [0.0625, 0.0625, 0]
    assert history.stopped is None
    columns = (history.cost, history.validation_cost, history.learning_rate, history.seconds)
    columns = (*columns, history.reduction_seconds)
    assert all(column.dtype == np.float64 for column in columns)


def test_history_one_by_one_is_history_at_once(monkeypatch):
    at_once, one_by_one = History(), History()
    costs = np.arange(1000.0)
    at_once.extend(costs, costs + 0.25, costs + 0.5, costs + 0.75)
    copies = []
    make_room = History._make_room

    def counted(self, epochs):
        before = self._table
        make_room(self, epochs)
        copies.append(self._table is not before)

    monkeypatch.setattr(History, "_make_room", counted)
    early = None
    for c in costs.tolist():
        one_by_one.extend(c, c + 0.25, c + 0.5, c + 0.75)
        early = one_by_one.cost if early is None else early
    assert one_by_one.to_dict() == at_once.to_dict()
    assert early.tolist() == [0.0]
    assert sum(copies) <= math.log2(len(costs))  # amortised: the room doubles


def test_history_arrays_are_read_only():
    history = History()
    history.extend([3.0], 0.1, 0.5, [1.0], 0.25)
    for name in ("cost", "validation_cost", "learning_rate", "seconds", "reduction_seconds"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(history, name)[0] = 1
        with pytest.raises(AttributeError):
            setattr(history, name, np.zeros(1))
    history.extend(2.0, 0.1, 0.5, 1.0, 0.25)  # still takes more
    assert history.cost.tolist() == [3, 2]


def test_empty_history():
    history = History()
    assert len(history) == 0
    assert repr(history) == "History(0 epochs)"
    names = "cost", "validation_cost", "learning_rate", "seconds", "reduction_seconds"
    empty = {name: [] for name in names}
    assert history.to_dict() == {**empty, "stopped": None}
    assert history.cost.sum() == 0
    assert history.cost.dtype == np.float64
    assert pickle.loads(pickle.dumps(history)).to_dict() == history.to_dict()
    assert history.plot().get_ylabel() == "cost"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[1.0]], 0.1, 1.0), ValueError, r"cost has shape \(1, 1\)"),
        (([1.0, 2.0], [0.1], 1.0), ValueError, r"learning_rate has shape \(1,\), .*\(2,\)"),
        (([1.0, 2.0], 0.1, [1, 2, 3]), ValueError, r"seconds has shape \(3,\)"),
        (([1.0, 2.0], 0.1, 1.0, [1.0]), ValueError, r"validation_cost has shape \(1,\)"),
        ((1.0, 0.1, 1.0, 1.0, [1, 2]), ValueError, r"reduction_seconds has shape \(2,\)"),
        ((1.0, 0.1, 1.0, 1.0, 0.5), ValueError, "reduction_seconds is given, but was not so"),
        (("good", 0.1, 1.0), TypeError, "cost must hold real numbers"),
        ((1.0, None, 1.0), TypeError, "learning_rate must hold real numbers"),
        ((1.0, 0.1, 1.0), ValueError, "validation_cost is missing, but .* the 1 epochs before"),
    ],
)
def test_history_refuses_what_does_not_fit(arguments, error, message):
    history = History()
    history.extend(1.0, 0.1, 1.0, 2.0)
    before = history.to_dict()
    with pytest.raises(error, match=message):
        history.extend(*arguments)
    assert history.to_dict() == before


def test_history_without_validation_refuses_validation():
    history = History()
    history.extend(1.0, 0.1, 1.0)
    with pytest.raises(ValueError, match="validation_cost is given"):
        history.extend(1.0, 0.1, 1.0, 1.0)


def test_history_through_json():
    history = History()
    history.extend([1.5, INF], 0.1, 0.001)
    history.stopped = "enough"
    assert json.loads(json.dumps(history.to_dict())) == {
        "cost": [1.5, INF],
        "validation_cost": [],
        "learning_rate": [0.1, 0.1],
        "seconds": [0.001, 0.001],
        "reduction_seconds": [],
        "stopped": "enough",
    }


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))]
)
def test_copies_of_a_history_grow_apart(duplicate):
    history = History()
    history.extend([1.0, 2.0], 0.1, 0.001, [3.0, 4.0], 0.0005)
    history.stopped = "enough"
    twin = duplicate(history)
    assert twin.to_dict() == history.to_dict()
    twin.extend(5.0, 0.1, 0.001, 6.0, 0.0)
    history.extend(7.0, 0.1, 0.001, 8.0, 0.0)
    assert twin.cost.tolist() == [1, 2, 5]
    assert history.validation_cost.tolist() == [3, 4, 8]


@pytest.mark.parametrize("validated", [False, True])
def test_history_of_an_earlier_version(validated):
    """Whose pickles have four columns, and a flag."""
    history = history_of([1.0, 2.0], validation=[3.0, 4.0] if validated else None)
    state = {**history.__getstate__(), "_validated": validated}
    del state["_present"]
    state["_table"] = state["_table"][:4]
    earlier = History.__new__(History)
    earlier.__setstate__(state)
    assert earlier.to_dict() == history.to_dict()


def test_history_pickles_without_its_spare_room():
    history = History()
    history.extend(np.zeros(1000), 0.1, 0.001)
    history.extend(0.0, 0.1, 0.001)  # room for twice as many
    assert len(pickle.dumps(history)) < 1.5 * 4 * 8 * len(history)


def test_repr_of_a_history():
    history = History()
    history.extend(0.125, 0.1, 0.5)
    assert repr(history) == "History(1 epoch, cost 0.125, 500 ms)"
    history.extend(NAN, 0.1, 1.5)
    assert repr(history) == "History(2 epochs, cost nan, 2 s)"
    history = History()
    history.extend([0.25, 0.125], 0.1, 0.5, reduction_seconds=0.125)
    assert repr(history) == "History(2 epochs, cost 0.125, 1 s with 250 ms of reduction)"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ns"),
        (1.5e-9, "1.5 ns"),
        (9.994e-4, "999 µs"),
        (9.996e-4, "1 ms"),
        (0.9996, "1 s"),
        (59.94, "59.9 s"),
        (12345.6, "12346 s"),
    ],
)
def test_duration(seconds, shown):
    assert duration(seconds) == shown


# --- plot ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    """Also where pytest itself has one and does not capture."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())


@pytest.fixture(autouse=True)
def no_window():
    import matplotlib
    from matplotlib import pyplot

    before = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    pyplot.close("all")
    matplotlib.use(before)


def history_of(cost, learning_rate=0.1, validation=None):
    history = History()
    history.extend(cost, learning_rate, 0.001, validation)
    return history


def drawn(ax):
    return {line.get_label(): np.array(line.get_data()).tolist() for line in ax.get_lines()}


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_plot_shows_both_costs():
    ax = history_of([4.0, 2.0], validation=[5.0, 3.0]).plot()
    assert drawn(ax) == {"cost": [[1, 2], [4, 2]], "validation cost": [[1, 2], [5, 3]]}
    assert labels(ax) == ["cost", "validation cost"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "cost", "log")
    assert ax.figure.axes == [ax]  # a learning rate that stays has no axis
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("cost", "validation", "scale"),
    [
        ([4.0, 0.0], None, "linear"),
        ([4.0, 1.0], [3.0, -1.0], "linear"),
        ([4.0, 1.0, NAN, INF], [3.0, 2.0, 1.0, NAN], "log"),
        ([NAN, NAN], None, "linear"),
        ([4.0], None, "log"),
    ],
)
def test_scale_of_the_plot(cost, validation, scale):
    ax = history_of(cost, validation=validation).plot()
    assert ax.get_yscale() == scale
    assert np.isfinite(np.concatenate([v for _, v in drawn(ax).values()])).all()
    ax.figure.canvas.draw()


def test_plot_leaves_out_what_is_not_finite():
    ax = history_of([4.0, NAN, 1.0]).plot()
    assert drawn(ax) == {"cost": [[1, 3], [4, 1]]}


def test_plot_of_one_epoch_is_seen():
    (line,) = history_of(4.0).plot().get_lines()
    assert line.get_marker() == "."
    (line,) = history_of([4.0, 3.0]).plot().get_lines()
    assert line.get_marker() == ""


def test_plot_of_a_learning_rate_that_varies():
    ax = history_of([4.0, 2.0], learning_rate=[0.1, 0.05]).plot()
    left, right = ax.figure.axes
    assert left is ax
    assert drawn(right) == {"learning rate": [[1, 2], [0.1, 0.05]]}
    assert right.get_ylabel() == "learning rate"
    assert labels(ax) == ["cost", "learning rate"]
    ax.figure.canvas.draw()


def test_plot_into_given_axes_leaves_pyplot_alone():
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    figure = Figure()
    ax = figure.add_subplot()
    assert history_of([4.0, 2.0]).plot(ax) is ax
    assert len(ax.get_lines()) == 1
    assert pyplot.get_fignums() == []
    history_of([4.0, 2.0]).plot()
    assert len(pyplot.get_fignums()) == 1


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'fastnn-numba[demo]'")):
        history_of([4.0, 2.0]).plot()


@pytest.mark.parametrize(
    ("package", "use"),
    [("matplotlib", lambda: history_of([4.0, 2.0]).plot()), ("tqdm", lambda: bar(3))],
)
def test_a_broken_package_is_not_a_missing_one(package, use, monkeypatch, tmp_path):
    (tmp_path / f"{package}.py").write_text("import no_such_part")
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(ModuleNotFoundError, match="no_such_part"):
        use()


# --- Run and Callback ------------------------------------------------------------------------


class Diary(Callback):
    """Notes what it is called with."""

    def __init__(self, every=1, quiet=False):
        self.every, self.quiet, self.notes = every, quiet, []

    def on_begin(self, run):
        self.notes.append(("begin", run.epoch, run.cost, run.validation_cost))

    def on_epoch(self, run):
        self.notes.append(("epoch", run.epoch, run.cost, run.validation_cost))

    def on_end(self, run):
        self.notes.append(("end", run.epoch, run.cost, run.validation_cost))

    def on_divergence(self, run, error):
        self.notes.append(("divergence", run.epoch, str(error)))
        return self.quiet


def test_run_shows_the_last_costs():
    diary = Diary(every=2)
    fit([3.0, 2.0, 1.0], diary, validation=[30.0, 20.0, 10.0])
    assert diary.notes == [
        ("begin", 0, None, None),
        ("epoch", 2, 2.0, 20.0),
        ("epoch", 3, 1.0, 10.0),
        ("end", 3, 1.0, 10.0),
    ]
    diary = Diary()
    fit([3.0], diary)
    assert diary.notes[-1] == ("end", 1, 3.0, None)


def test_learning_rate_of_a_run():
    def halve(run):
        run.learning_rate /= 2

    run = fit([3.0, 2.0, 1.0], halve)
    assert run.history.learning_rate.tolist() == [0.5, 0.25, 0.125]
    assert run._learning_rate_set
    assert not fit([3.0])._learning_rate_set


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("0.1", TypeError, "learning_rate must be a number"),
        (-0.1, ValueError, "learning_rate must be at least 0"),
        (NAN, ValueError, "learning_rate must be a finite number"),
    ],
)
def test_run_refuses_a_learning_rate(value, error, message):
    run = fit([3.0])
    with pytest.raises(error, match=message):
        run.learning_rate = value
    assert run.learning_rate == 0.5
    assert not run._learning_rate_set


def test_stop_ends_the_training_after_this_epoch_for_the_first_reason():
    diary = Diary()

    def stop(run):
        assert not run.stopping
        run.stop("first")
        run.stop("second")
        assert run.stopping

    run = fit([3.0, 2.0, 1.0], [stop, diary])
    assert len(run.history) == 1
    assert run.history.stopped == "first"
    assert [note[0] for note in diary.notes] == ["begin", "epoch", "end"]
    with pytest.raises(TypeError, match="reason must be a str"):
        run.stop(None)


def test_base_class_does_nothing():
    run = fit([3.0, 2.0], Callback())
    assert len(run.history) == 2
    with pytest.raises(ValueError, match="diverge"):
        fit([3.0, 2.0], Callback(), error_at=(1, ValueError("diverge")))


def test_repr_of_a_run():
    assert repr(fit([3.0])) == "Run(epoch 1/1, History(1 epoch, cost 3, 1 ms))"


# --- as_callbacks ----------------------------------------------------------------------------


def test_as_callbacks_takes_one_many_or_none():
    seen = []

    def note(run):
        seen.append(run.epoch)

    stopper = EarlyStopping()
    assert as_callbacks(None) == []
    assert as_callbacks(()) == []
    assert as_callbacks(stopper) == [stopper]
    first, second = as_callbacks(made for made in (stopper, note))
    assert first is stopper
    assert (second.every, repr(second)) == (1, repr(note))
    fit([3.0, 2.0], [note, seen.append])
    assert [seen[0], seen[2]] == [1, 2]
    assert isinstance(seen[1], Run)


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (3, "callbacks is 3, expected a Callback or a function"),
        ("early", "callbacks is 'early'"),
        (EarlyStopping, r"callbacks is the class EarlyStopping, .*: EarlyStopping\(\.\.\.\)"),
        ([Callback(), 3], r"callbacks\[1\] is 3, expected a Callback or a function"),
        ([None], r"callbacks\[0\] is None"),
        ([print, Progress], r"callbacks\[1\] is the class Progress, .*: Progress\(\.\.\.\)"),
        ([dict], r"callbacks\[0\] is the class dict"),
        ([Diary(every=2.5)], r"callbacks\[0\]\.every must be an int"),
    ],
)
def test_as_callbacks_refuses(callbacks, message):
    with pytest.raises(TypeError, match=message):
        as_callbacks(callbacks)


def test_as_callbacks_refuses_to_call_never():
    with pytest.raises(ValueError, match=r"callbacks\.every must be at least 1, but is 0"):
        as_callbacks(Diary(every=0))


# --- EarlyStopping ---------------------------------------------------------------------------


def test_early_stopping_goes_back_to_the_best_epoch():
    stopper, network = EarlyStopping(patience=2), Network()
    run = fit([5.0, 3.0, 3.0, 4.0, 1.0], stopper, network=network)
    assert len(run.history) == 4
    assert (stopper.best, stopper.best_epoch) == (3.0, 2)
    assert network.parameters.tolist() == [2, 2, 2]
    reason = "cost has not improved for 2 epochs, the best is 3 after epoch 2"
    assert run.history.stopped == reason


def test_early_stopping_waits_for_patience_from_the_last_best():
    run = fit([5.0, 6.0, 4.0, 6.0, 3.0, 6.0], EarlyStopping(patience=2))
    assert len(run.history) == 6
    assert run.history.stopped is None


def test_early_stopping_may_leave_the_last_epoch():
    network = Network()
    run = fit([1.0, 2.0, 0.5], EarlyStopping(patience=1, restore_best=False), network=network)
    assert len(run.history) == 2
    assert network.parameters.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("monitor", "validation", "best_epoch"),
    [
        (None, [1.0, 2.0, 3.0], 1),
        (None, None, 3),
        ("cost", [1.0, 2.0, 3.0], 3),
        ("validation_cost", [2.0, 1.0, 3.0], 2),
    ],
)
def test_what_early_stopping_monitors(monitor, validation, best_epoch):
    stopper, network = EarlyStopping(monitor), Network()
    fit([3.0, 2.0, 1.0], stopper, validation=validation, network=network)
    assert stopper.best_epoch == best_epoch
    assert network.parameters.tolist() == [best_epoch] * 3


def test_early_stopping_needs_the_cost_it_monitors():
    with pytest.raises(ValueError, match=r"EarlyStopping.*needs validation data"):
        fit([3.0], EarlyStopping("validation_cost"))


def test_min_delta_is_what_counts_as_improvement():
    costs = [4.0, 3.5, 3.0, 2.5]  # exact in binary, so that "not more than" is exact too
    for min_delta, best in ((0.5, 3.0), (0.49, 2.5)):
        stopper = EarlyStopping(min_delta=min_delta)
        fit(costs, stopper)
        assert stopper.best == best


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("diverges")])
def test_early_stopping_restores_after_errors(error):
    network = Network()
    with pytest.raises(type(error)):
        fit([1.0, 2.0, 3.0], EarlyStopping(), network=network, error_at=(2, error))
    assert network.parameters.tolist() == [1, 1, 1]


def test_early_stopping_counts_nan_as_no_improvement():
    stopper, network = EarlyStopping(patience=2), Network()
    run = fit([NAN, NAN, NAN], stopper, network=network)
    assert len(run.history) == 2
    assert (stopper.best, stopper.best_epoch) == (INF, 0)
    assert network.parameters.tolist() == [2, 2, 2]  # there is no best to go back to


def test_early_stopping_can_be_used_again():
    stopper, network = EarlyStopping(), Network()
    fit([1.0, 2.0], stopper)
    fit([7.0, 6.0, 8.0], stopper, network=network)
    assert (stopper.best, stopper.best_epoch) == (6.0, 2)
    assert network.parameters.tolist() == [2, 2, 2]


def test_early_stopping_of_no_epochs_changes_nothing():
    stopper, network = EarlyStopping(), Network()
    fit([1.0], stopper)
    network.parameters[...] = 9
    fit([], stopper, network=network)
    assert network.parameters.tolist() == [9, 9, 9]


def test_early_stopping_restores_once():
    class Fails(Callback):
        def on_begin(self, run):
            raise OSError("no")

    stopper, network = EarlyStopping(), Network()
    fit([1.0, 2.0], stopper, network=network)
    network.parameters[...] = 9
    with pytest.raises(OSError, match="no"):
        fit([1.0], [Fails(), stopper], network=network)
    assert network.parameters.tolist() == [9, 9, 9]


def test_early_stopping_counts_epochs_whatever_every_is():
    stopper = EarlyStopping(patience=4)
    stopper.every = 2
    run = fit([1.0] + [2.0] * 9, stopper)
    assert len(run.history) == 6
    assert stopper.best_epoch == 2  # the first it has seen


def trained(optimizer, callback, own=False, **options):
    """A network and its data, after a training that goes up and down."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    t = np.sin(x.sum(axis=1, keepdims=True))
    layers = [TanhLayer(3, 5, rng=1, l2=0.0 if own else 0.01), LinearLayer(5, 1, rng=2)]
    if own:
        layers[1].__class__ = OwnLinear
    nn = NeuralNetwork(layers, SumSquaresError(reduction="mean"))
    weights = None if own else rng.uniform(0.5, 1.5, 40)
    history = nn.fit(
        x, t, optimizer=optimizer, callbacks=callback, rng=3, sample_weight=weights, **options
    )
    return nn, history, (x, t, weights)


class OwnLinear(LinearLayer):
    """Goes a way of its own, so its network trains layer by layer."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


def cost_of(nn, data):
    x, t, weights = data
    factors = 1.0 if weights is None else weights[:, np.newaxis]
    each = 0.5 * factors * (nn.predict(x) - t) ** 2
    return each.sum() / len(x) + nn.layers[0].penalty()


TRAININGS = pytest.mark.parametrize(
    "options",
    [
        {"optimizer": get_opt("SGD", eta=1.5), "epochs": 30},
        {"optimizer": get_opt("SGD", eta=1.5), "epochs": 30, "own": True},
        {"optimizer": get_opt("Adam", alpha=0.3), "epochs": 30, "batch_size": 7},
        {"optimizer": "L-BFGS", "epochs": 30},
    ],
    ids=["full batch", "own layer", "mini-batches", "L-BFGS"],
)


@TRAININGS
def test_best_cost_is_that_of_the_parameters_restored(options):
    costs, stopper = [], EarlyStopping(patience=30)
    options = {**options, "optimizer": copy.copy(options["optimizer"])}

    def note(run):
        costs.append(run.training_cost())

    nn, history, data = trained(callback=[note, stopper], **options)
    assert cost_of(nn, data) == pytest.approx(stopper.best, rel=1e-12)
    assert stopper.best == min(costs)
    assert stopper.best_epoch == 1 + int(np.argmin(costs))
    if options["optimizer"] != "L-BFGS" and "batch_size" not in options:
        assert history.cost[1:] == pytest.approx(costs[:-1], rel=1e-12)  # one step behind


@TRAININGS
def test_best_checkpoint_holds_the_parameters_of_its_cost(options, tmp_path):
    options = {**options, "optimizer": copy.copy(options["optimizer"])}
    checkpoint = Checkpoint(tmp_path / "best", best_only=True)
    nn, _, data = trained(callback=checkpoint, **options)
    last = cost_of(nn, data)
    found = Checkpoint.restore(tmp_path / "best", nn)
    assert cost_of(nn, data) == pytest.approx(found["cost"], rel=1e-12)
    assert found["cost"] <= last * (1 + 1e-12)


@pytest.mark.parametrize(("verbose", "lines"), [(True, 3), (np.True_, 3), (False, 0), (2, 2)])
def test_verbose_may_be_true_or_false(verbose, lines, capsys):
    nn, optimizer = resumable()
    nn.fit(*samples(), optimizer=optimizer, epochs=3, verbose=verbose)
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_a_run_of_its_own_knows_no_training_data():
    run = Run(Network(), History(), epochs=1, steps_per_epoch=1, optimizer=None, learning_rate=1.0)
    with pytest.raises(ValueError, match="knows no training data"):
        run.training_cost()


# --- Checkpoint ------------------------------------------------------------------------------


def test_checkpoint_holds_the_training(tmp_path):
    path = tmp_path / "new" / "last.npz"
    network = Network(dtype=np.float32)
    fit([3.0, 2.0], Checkpoint(path), validation=[5.0, 4.0], network=network)
    found = Checkpoint.load(path)
    parameters = found.pop("parameters")
    assert found == {
        "epoch": 2,
        "cost": 2.0,
        "validation_cost": 4.0,
        "optimizer": None,
        "layers": [],
        "draws": None,
    }
    assert type(found["epoch"]) is int
    assert parameters.dtype == np.float32
    assert parameters.tolist() == [2, 2, 2]
    assert os.listdir(path.parent) == ["last.npz"]


def test_checkpoint_without_validation(tmp_path):
    fit([3.0], Checkpoint(str(tmp_path / "last")))
    assert os.listdir(tmp_path) == ["last"]  # the very name that was given
    assert Checkpoint.load(tmp_path / "last")["validation_cost"] is None


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("{epoch}.npz", ["2.npz", "4.npz", "5.npz"]),
        ("{epoch:03d}.npz", ["002.npz", "004.npz", "005.npz"]),
        ("{run}{}{epoch}", ["{run}{}2", "{run}{}4", "{run}{}5"]),
    ],
)
def test_checkpoint_names_its_files_by_epoch(tmp_path, name, files):
    fit([5.0, 4.0, 3.0, 2.0, 1.0], Checkpoint(tmp_path / name, every=2))
    assert sorted(os.listdir(tmp_path)) == files
    assert [Checkpoint.load(tmp_path / file)["epoch"] for file in files] == [2, 4, 5]


def test_checkpoint_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit([5.0], Checkpoint("{epoch}.npz"))
    assert os.listdir(tmp_path) == ["1.npz"]


@pytest.mark.parametrize(("monitor", "epochs"), [(None, [1, 3]), ("cost", [1, 2])])
def test_checkpoint_of_the_best_only(tmp_path, monitor, epochs):
    checkpoint = Checkpoint(tmp_path / "{epoch}", best_only=True, monitor=monitor)
    for _ in range(2):  # the second training starts anew
        fit([5.0, 4.0, 4.0], checkpoint, validation=[5.0, NAN, 4.0])
        assert sorted(os.listdir(tmp_path)) == [str(epoch) for epoch in epochs]
        for file in tmp_path.iterdir():
            file.unlink()


def test_checkpoint_needs_the_cost_it_monitors(tmp_path):
    with pytest.raises(ValueError, match=r"Checkpoint.*needs validation data"):
        fit([3.0], Checkpoint(tmp_path / "x", best_only=True, monitor="validation_cost"))


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_checkpoint_that_fails_keeps_the_file_before(tmp_path, monkeypatch, error):
    path = tmp_path / "last.npz"
    fit([3.0], Checkpoint(path))
    before = path.read_bytes()

    def half(file, **arrays):
        file.write(b"half")
        raise error

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(type(error)):
        fit([2.0], Checkpoint(path))
    assert os.listdir(tmp_path) == ["last.npz"]
    assert path.read_bytes() == before


def test_checkpoint_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    fit([3.0], Checkpoint(tmp_path / "last"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_restore(tmp_path):
    fit([3.0, 2.0], Checkpoint(tmp_path / "last"))
    network = Network(dtype=np.float32)
    parameters = network.parameters
    found = Checkpoint.restore(tmp_path / "last", network)
    assert found["epoch"] == 2
    assert network.parameters is parameters
    assert parameters.tolist() == [2, 2, 2]
    other = Network(size=4)
    with pytest.raises(ValueError, match=r"parameters in .*last' have shape \(3,\), .*\(4,\)"):
        Checkpoint.restore(tmp_path / "last", other)
    assert other.parameters.tolist() == [0] * 4


def test_load_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        Checkpoint.load(tmp_path / "none")
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"array\.npy' is not a checkpoint"):
        Checkpoint.load(tmp_path / "array.npy")
    np.savez(tmp_path / "other.npz", parameters=np.zeros(3), epoch=1)
    with pytest.raises(ValueError, match=r"no \['cost', 'validation_cost'\]"):
        Checkpoint.load(tmp_path / "other.npz")
    fit([3.0], Checkpoint(tmp_path / "torn"))
    (tmp_path / "torn").write_bytes((tmp_path / "torn").read_bytes()[:-30])
    with pytest.raises(ValueError, match="torn' is not a checkpoint"):
        Checkpoint.load(tmp_path / "torn")


def resumable(rule="Adam", sizes=(4, 4, 5), dtype=np.float64, **more):
    """A network, and an optimizer with a schedule, as every process would make them."""
    layers = [
        DenseLayer(a, b, activation=name, dtype=dtype, rng=k, **more)
        for k, (a, b, name) in enumerate(zip(sizes, sizes[1:], ["tanh", "identity"], strict=False))
    ]
    calm = {"rng": 5} if rule == "SantaSSS" else {}
    return NeuralNetwork(layers, SumSquaresError(reduction="mean")), get_opt(
        rule, learning_rate=Cosine(0.01, 20), **calm
    )


def samples(sizes=(4, 4, 5)):
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, sizes[0])), rng.normal(size=(20, sizes[-1]))


@pytest.mark.parametrize("rule", ["SGD", "Adam", "Eve", "SantaSSS"])
def test_resumed_from_a_checkpoint_is_never_interrupted(rule, tmp_path):
    x, t = samples()
    nn, optimizer = resumable(rule)
    whole = nn.fit(x, t, optimizer=optimizer, epochs=20)
    first, before = resumable(rule)
    first.fit(x, t, optimizer=before, epochs=10, callbacks=Checkpoint(tmp_path / "x"))
    again, after = resumable(rule)
    found = Checkpoint.restore(tmp_path / "x", again, after)
    history = again.fit(x, t, optimizer=after, epochs=20 - found["epoch"])
    assert np.array_equal(history.learning_rate, whole.learning_rate[10:])
    assert np.array_equal(again.parameters, nn.parameters)
    assert after.steps == 20


def test_resumed_with_batches_of_the_caller_s_random_numbers(tmp_path):
    x, t = samples()
    ends = []
    for interrupted in (False, True):
        nn, optimizer = resumable()
        for epoch in range(4):
            if interrupted and epoch == 2:
                nn, optimizer = resumable()
                Checkpoint.restore(tmp_path / "x", nn, optimizer)
            nn.fit(
                x, t, optimizer=optimizer, batch_size=7, rng=epoch,
                callbacks=Checkpoint(tmp_path / "x"),
            )  # fmt: skip
        ends.append(nn.parameters.copy())
    assert np.array_equal(*ends)


def test_restore_gives_the_state_to_the_network_s_optimizer(tmp_path):
    x, t = samples()
    nn, optimizer = resumable()
    nn.fit(x, t, optimizer=optimizer, epochs=4, callbacks=Checkpoint(tmp_path / "{epoch}", every=2))
    parameters = nn.parameters.copy()
    Checkpoint.restore(tmp_path / "2", nn)
    assert optimizer.steps == 2
    nn.fit(x, t, epochs=2)
    assert np.array_equal(nn.parameters, parameters)


def test_a_descent_by_a_schedule_alone_resumes_as_sgd(tmp_path):
    x, t = samples()
    schedule, (nn, _), (again, _) = Cosine(0.01, 8), resumable(), resumable()
    nn.fit(x, t, schedule, epochs=4, callbacks=Checkpoint(tmp_path / "x"))
    nn.fit(x, t, schedule, epochs=4)
    optimizer = get_opt("SGD", eta=schedule)
    Checkpoint.restore(tmp_path / "x", again, optimizer)
    again.fit(x, t, optimizer=optimizer, epochs=4)
    assert np.array_equal(again.parameters, nn.parameters)


def test_restore_into_another_dtype_takes_the_state_along(tmp_path):
    x, t = samples()
    nn, optimizer = resumable()
    nn.fit(x, t, optimizer=optimizer, epochs=2, callbacks=Checkpoint(tmp_path / "x"))
    again, after = resumable(dtype=np.float32)
    Checkpoint.restore(tmp_path / "x", again, after)
    again.fit(x, t, optimizer=after)
    assert after.steps == 3
    assert np.allclose(again.parameters, nn.parameters, atol=0.05)


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (resumable(sizes=(9, 4, 1)), "4-4-5 (tanh, identity), but this one is 9-4-1 (tanh, id"),
        (resumable(sizes=(4, 9)), "4-4-5 (tanh, identity), but this one is 4-9 (tanh)"),
        (NeuralNetwork([LinearLayer(4, 4), LinearLayer(4, 5)], SumSquaresError()), "(identity, id"),
    ],
)  # fmt: skip
def test_restore_refuses_other_layers_of_the_same_size(other, shown, tmp_path):
    x, t = samples()
    network, optimizer = other if isinstance(other, tuple) else (other, get_opt("Adam"))
    resumable()[0].fit(x, t, optimizer="Adam", callbacks=Checkpoint(tmp_path / "x"))
    before = network.parameters.copy()
    assert before.size == 45
    with pytest.raises(ValueError, match=r"x' is of a network .*" + re.escape(shown)):
        Checkpoint.restore(tmp_path / "x", network, optimizer)
    assert np.array_equal(network.parameters, before)
    assert optimizer.steps == 0


def test_restore_refuses_a_state_of_another_rule_and_none(tmp_path):
    x, t = samples()
    nn, _ = resumable()
    nn.fit(x, t, optimizer="Adam", callbacks=Checkpoint(tmp_path / "x"))
    nn.fit(x, t, optimizer="L-BFGS", callbacks=Checkpoint(tmp_path / "none"))
    again, before = resumable()[0], resumable()[0].parameters
    with pytest.raises(ValueError, match="state is that of 'Adam', expected 'Lion'"):
        Checkpoint.restore(tmp_path / "x", again, get_opt("Lion"))
    with pytest.raises(ValueError, match="none' holds no state of an optimizer"):
        Checkpoint.restore(tmp_path / "none", again, get_opt("Adam"))
    assert np.array_equal(again.parameters, before)


def test_files_of_parameters_alone_still_load(tmp_path):
    """As they were written before they had more."""
    nn, _ = resumable()
    with open(tmp_path / "x", "xb") as file:
        old = {"epoch": np.int64(3), "cost": np.ones(1), "validation_cost": np.empty(0)}
        np.savez(file, parameters=np.arange(45.0), **old)
    found = Checkpoint.restore(tmp_path / "x", nn)
    assert np.array_equal(nn.parameters, np.arange(45.0))
    assert (found["epoch"], found["optimizer"], found["layers"]) == (3, None, None)


# --- LearningRate ----------------------------------------------------------------------------


def test_learning_rate_of_each_epoch():
    asked = []

    def schedule(epoch):
        asked.append(epoch)
        return 1 / (1 + epoch)

    run = fit([3.0, 2.0, 1.0], LearningRate(schedule))
    assert run.history.learning_rate.tolist() == [1, 1 / 2, 1 / 3]
    assert asked == [0, 1, 2]  # none for an epoch that does not come


def test_learning_rates_from_a_table():
    rates = [0.5, 0.25]
    assert fit([3.0, 2.0], LearningRate(rates.__getitem__)).history.learning_rate.tolist() == rates
    assert len(fit([], LearningRate([].__getitem__)).history) == 0


@pytest.mark.parametrize(
    ("rate", "error", "message"),
    [
        (None, TypeError, r"schedule\(1\) must be a number"),
        (-1, ValueError, r"schedule\(1\) must be at least 0"),
        (INF, ValueError, r"schedule\(1\) must be a finite number"),
    ],
)
def test_learning_rate_refuses_what_is_none(rate, error, message):
    with pytest.raises(error, match=message):
        fit([3.0, 2.0], LearningRate(lambda epoch: rate if epoch else 0.1))


# --- TerminateOnNaN --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("costs", "validation", "reason"),
    [
        ([3.0, NAN, 1.0], None, "cost is nan after epoch 2"),
        ([3.0, INF, 1.0], [1.0, NAN, 1.0], "cost is inf after epoch 2"),
        ([3.0, 2.0, 1.0], [1.0, -INF, 1.0], "validation cost is -inf after epoch 2"),
        ([3.0, 2.0, 1.0], [1.0, 1.0, 1.0], None),
    ],
)
def test_terminate_on_nan(costs, validation, reason):
    run = fit(costs, TerminateOnNaN(), validation=validation)
    assert run.history.stopped == reason
    assert len(run.history) == (3 if reason is None else 2)


def test_terminate_on_divergence():
    quiet, diary = TerminateOnNaN(), Diary()
    run = fit([3.0, 2.0], [quiet, diary], error_at=(1, ValueError("too fast")))
    assert run.history.stopped == "too fast"
    assert run.stopping
    assert len(run.history) == 1
    assert ("divergence", 1, "too fast") in diary.notes


# --- Progress --------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_in_lines(capsys):
    fit([0.25, 1.23456789e-5, 2.0], Progress(every=2), validation=[3.0, 2.0, 1e9])
    assert capsys.readouterr().out.splitlines() == [
        "epoch 2/3  cost 1.23457e-05  validation 2  250 µs/step",
        "epoch 3/3  cost 2  validation 1e+09  250 µs/step",
    ]


@pytest.mark.parametrize(
    "name", ["network", "history", "epochs", "steps_per_epoch", "optimizer", "epoch"]
)
def test_what_fit_counts_on_cannot_be_set_in_a_callback(name):
    def callback(run):
        setattr(run, name, 0)

    with pytest.raises(AttributeError, match=name):
        fit([1.0], callback)


def test_progress_without_validation_and_again(capsys):
    progress = Progress(every=2)
    for _ in range(2):
        fit([0.25], progress)
        assert capsys.readouterr().out == "epoch 1/1  cost 0.25  250 µs/step\n"
    fit([0.25, 0.5], [lambda run: run.stop("enough"), progress])
    assert capsys.readouterr().out.startswith("epoch 1/2")


def test_progress_times_the_epochs_since_its_last_line(capsys):
    progress, run = Progress(), fit([])
    run._epochs = 3
    progress.on_begin(run)
    for costs, seconds in (([1.0], 4.0), ([1.0, 1.0], [0.004, 0.012])):
        run.history.extend(costs, 0.1, seconds)
        run._epoch = len(run.history)
        progress.on_epoch(run)
    assert [line.split("  ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "1 s/step",
        "2 ms/step",
    ]


@pytest.mark.parametrize(
    ("epochs", "every"), [(0, 1), (1, 1), (100, 1), (101, 2), (1000, 10), (100_001, 1001)]
)
def test_progress_makes_at_most_100_updates(epochs, every):
    progress = Progress()
    fit([], progress, epochs=0)
    run = fit([])
    run._epochs = epochs
    progress.on_begin(run)
    assert progress.every == every
    assert -(-epochs // every) <= 100
    given = Progress(every=7)
    given.on_begin(run)
    assert given.every == 7


def test_progress_shows_the_epochs_before_an_end(capsys):
    def stop(run):
        if run.epoch == 3:
            run.stop("enough")

    fit([4.0, 3.0, 2.0, 1.0], [Progress(every=2), stop])
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "epoch 2/4",
        "epoch 3/4",
        "stopped: enough",
    ]
    with pytest.raises(KeyboardInterrupt):
        fit([4.0, 3.0], [Progress(every=2), print], error_at=(0, KeyboardInterrupt()))
    assert capsys.readouterr().out == ""


def test_progress_on_an_ascii_output(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    fit([0.25], [lambda run: run.stop("wéll"), Progress()])
    out.seek(0)
    assert out.read() == "epoch 1/1  cost 0.25  250 us/step\nstopped: w?ll\n"


def test_progress_bar_on_a_terminal(capsys, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress(every=2)
    fit([4.0, 3.0, 2.0], progress, validation=[1.0, 2.0, 0.125])
    last = terminal.getvalue().split("\r")[-1]
    assert "3/3" in last
    assert "cost 2  validation 0.125" in last
    assert last.endswith("\n")  # closed
    assert capsys.readouterr().out == ""
    copy.deepcopy(progress)  # holds no bar any more


def test_progress_bar_is_closed_by_an_error(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(KeyboardInterrupt):
        fit([4.0, 3.0, 2.0], Progress(), error_at=(2, KeyboardInterrupt()))
    last = terminal.getvalue().split("\r")[-1]
    assert "2/3" in last
    assert last.endswith("\n")


@pytest.mark.parametrize("stream", [Terminal(), None])
def test_progress_without_tqdm_or_terminal(capsys, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    fit([0.25], Progress())
    assert capsys.readouterr().out == "epoch 1/1  cost 0.25  250 µs/step\n"
    assert stream is None or stream.getvalue() == ""


# --- what is given to them -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: EarlyStopping("loss"), ValueError, "monitor is 'loss', expected 'cost'"),
        (lambda: EarlyStopping(np.zeros(2)), ValueError, "monitor is array"),
        (lambda: EarlyStopping(patience=0), ValueError, "patience must be at least 1"),
        (lambda: EarlyStopping(patience=1.5), TypeError, "patience must be an int"),
        (lambda: EarlyStopping(min_delta=-1), ValueError, "min_delta must be at least 0"),
        (lambda: EarlyStopping(min_delta="1"), TypeError, "min_delta must be a number"),
        (lambda: EarlyStopping(restore_best=1), TypeError, "restore_best must be True or False"),
        (lambda: Checkpoint(3), TypeError, "path must be a str or a path, not 3"),
        (lambda: Checkpoint(""), ValueError, "path is '', expected the name of a file"),
        (lambda: Checkpoint("folder/"), ValueError, "path is 'folder/', expected the name"),
        (lambda: Checkpoint("{epoch:x.y}"), ValueError, "path is '{epoch:x.y}', which has no"),
        (lambda: Checkpoint("x", every=0), ValueError, "every must be at least 1"),
        (lambda: Checkpoint("x", best_only="yes"), TypeError, "best_only must be True or False"),
        (lambda: Checkpoint("x", monitor=3), ValueError, "monitor is 3"),
        (lambda: LearningRate(0.1), TypeError, r"schedule is 0\.1, expected a function"),
        (lambda: LearningRate(Callback), TypeError, "schedule is <class"),
        (lambda: Progress(every=0), ValueError, "every must be at least 1"),
        (lambda: Progress(every=True), TypeError, "every must be an int"),
    ],
)
def test_refused_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("callback", "shown"),
    [
        (
            EarlyStopping("cost", 5, 0.1, np.False_),
            "EarlyStopping(monitor='cost', patience=5, min_delta=0.1, restore_best=False)",
        ),
        (
            Checkpoint("a.npz", 2, True, "cost"),
            "Checkpoint(path='a.npz', every=2, best_only=True, monitor='cost')",
        ),
        (LearningRate(abs), "LearningRate(schedule=<built-in function abs>)"),
        (TerminateOnNaN(), "TerminateOnNaN()"),
        (Progress(), "Progress(every=None)"),
    ],
)
def test_repr_and_copies(callback, shown):
    assert repr(callback) == shown
    assert repr(copy.deepcopy(callback)) == shown
    assert repr(pickle.loads(pickle.dumps(callback))) == shown


def test_public_names():
    assert all(hasattr(module, name) for name in module.__all__)
