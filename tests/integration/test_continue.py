"""Trainings that go on: an optimizer keeps its state from one `fit` to the next."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from support.networks import DTYPES, FEW_RULES, data, network
from support.networks import optimizer as made
from support.tolerance import assert_close

import fastnn
from fastnn import get_opt
from fastnn.optimizers import RULES
from fastnn.reference import ReferenceNetwork
from fastnn.schedules import Cosine, InverseTime

SIZES, COST, ROWS = (3, 6, 2), "SumSquaresError", 24
X, T = data(SIZES, COST, ROWS)


class OwnDense(fastnn.DenseLayer):
    """Goes a way of its own, so its network trains layer by layer."""

    def forward_propagation(self, X):
        return super().forward_propagation(X)


def net(dtype=np.float64, compiled=True):
    nn = network(SIZES, ["tanh", "identity"], COST, dtype)
    for layer in nn.layers:
        layer.__class__ = fastnn.DenseLayer if compiled else OwnDense
    return nn


def expected(epochs, optimizer, dtype=np.float64, **options):
    """Parameters after a training in one call."""
    nn = net(dtype, **options)
    nn.fit(X, T, optimizer=optimizer, epochs=epochs)
    return nn.parameters


def by_object(nn, epochs, optimizer):
    nn.fit(X, T, optimizer=optimizer, epochs=epochs)


def by_neither(nn, epochs, optimizer):
    nn.fit(X, T, optimizer=None if nn.optimizer else optimizer, epochs=epochs)


def by_name(nn, epochs, optimizer):
    nn.fit(X, T, optimizer=optimizer.rule.name, epochs=epochs)


def by_name_in_other_letters(nn, epochs, optimizer):
    name = optimizer.rule.name
    nn.fit(X, T, optimizer=name.lower() if nn.optimizer else name, epochs=epochs)


def through_copies(nn, epochs, optimizer):
    twin, other = copy.deepcopy((nn, optimizer))
    twin.fit(X, T, optimizer=other, epochs=epochs)
    nn.parameters = twin.parameters
    optimizer.load_state_dict(other.state_dict())


def through_pickles(nn, epochs, optimizer):
    twin, other = pickle.loads(pickle.dumps((nn, optimizer)))
    twin.fit(X, T, optimizer=other, epochs=epochs)
    nn.parameters = twin.parameters
    optimizer.load_state_dict(other.state_dict())


def through_the_network_s_own_copy(nn, epochs, optimizer):
    if nn.optimizer is None:
        by_object(nn, epochs, optimizer)
        return
    twin = pickle.loads(pickle.dumps(nn))
    twin.fit(X, T, epochs=epochs)  # with the optimizer that it has a copy of
    assert nn.optimizer.steps < twin.optimizer.steps
    nn.parameters = twin.parameters


WAYS = [
    by_object,
    by_neither,
    by_name,
    by_name_in_other_letters,
    through_copies,
    through_pickles,
    through_the_network_s_own_copy,
]
NAMED = [by_name, by_name_in_other_letters]  # which cannot tell which random numbers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("way", "rule"),
    [
        *itertools.product(WAYS, FEW_RULES[:3]),
        *((way, FEW_RULES[3]) for way in WAYS if way not in NAMED),
        *((through_pickles, rule) for rule in RULES if rule not in FEW_RULES),
    ],
)  # fmt: skip
def test_five_epochs_and_five_are_ten(way, rule, dtype):
    nn, optimizer = net(dtype), made(rule)
    for _ in range(2):
        way(nn, 5, optimizer)
    assert np.array_equal(nn.parameters, expected(10, made(rule), dtype))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_a_schedule_goes_on_too(rule, compiled):
    schedule = InverseTime(0.01, 0.5)
    nn, optimizer = net(compiled=compiled), made(rule, learning_rate=schedule)
    rates = [nn.fit(X, T, optimizer=optimizer, epochs=epochs).learning_rate for epochs in (1, 2, 1)]
    assert np.array_equal(np.concatenate(rates), schedule(np.arange(4)))
    assert optimizer.steps == 4
    whole = expected(4, made(rule, learning_rate=schedule), compiled=compiled)
    assert np.array_equal(nn.parameters, whole)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("wrapped", [lambda schedule: schedule, lambda schedule: schedule.__call__])
def test_the_same_schedule_goes_on_from_call_to_call(wrapped, compiled):
    """As in the article, where every call of `fit` is one step."""
    nn, twin = net(compiled=compiled), net(compiled=compiled)
    schedule = InverseTime(0.01, 0.5)
    given, rates = wrapped(schedule), []
    for _ in range(6):
        rates += nn.fit(X, T, given).learning_rate.tolist()
    assert rates == schedule(np.arange(6)).tolist()
    twin.fit(X, T, given, epochs=6)  # of its own count
    assert np.array_equal(nn.parameters, twin.parameters)
    nn.layers[1] = net(compiled=compiled).layers[1]
    assert nn.fit(X, T, given).learning_rate == schedule(6)


def test_another_schedule_or_a_number_begins_anew():
    nn = net()
    first, second = InverseTime(0.01, 0.5), InverseTime(0.01, 0.5)
    for given, step in [(first, 0), (first, 1), (second, 0), (second, 1), (first, 0), (0.01, 0)]:
        assert nn.fit(X, T, given).learning_rate == first(step)
    assert nn.fit(X, T, first).learning_rate == first(0)
    with pytest.raises(TypeError, match="learning_rate must be a number, a schedule or a function"):
        nn.fit(X, T, "fast")
    assert nn.fit(X, T, first).learning_rate == first(1)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_fit_in_a_callback_leaves_the_schedule_alone(compiled):
    nn, schedule = net(compiled=compiled), InverseTime(0.01, 0.5)
    history = nn.fit(X, T, schedule, epochs=4, callbacks=lambda run: nn.fit(X, T, schedule))
    assert history.learning_rate.tolist() == schedule(np.arange(4)).tolist()


def test_a_learning_rate_alone_leaves_the_optimizer_alone():
    nn, twin = net(), net()
    nn.fit(X, T, 0.01)
    assert nn.optimizer is None
    with pytest.raises(TypeError, match="fit needs a learning_rate or an optimizer"):
        nn.fit(X, T)
    nn, adam = net(), get_opt("Adam")
    nn.fit(X, T, optimizer=adam)
    twin.fit(X, T, optimizer="Adam")
    for each in (nn, twin):
        each.fit(X, T, 0.01)  # in between, and no part of it
        each.fit(X, T)
    assert nn.optimizer is adam
    assert adam.steps == 2
    assert np.array_equal(nn.parameters, twin.parameters)


def test_another_optimizer_begins_anew():
    nn, twin = net(), net()
    for name in ("Adam", "SGD", "Adam"):
        nn.fit(X, T, optimizer=name, epochs=2)
        twin.fit(X, T, optimizer=get_opt(name), epochs=2)
    assert nn.optimizer.steps == 2
    assert np.array_equal(nn.parameters, twin.parameters)


@pytest.mark.parametrize("rule", RULES)
def test_reset_forgets_everything(rule):
    nn, optimizer = net(), made(rule)
    nn.fit(X, T, optimizer=optimizer, epochs=3)
    optimizer.reset()
    assert optimizer.steps == 0
    nn.parameters = net().parameters
    nn.fit(X, T, optimizer=optimizer, epochs=3)
    assert np.array_equal(nn.parameters, expected(3, made(rule)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [0, 5])
@pytest.mark.parametrize("rule", RULES)
def test_state_through_its_dictionary(rule, steps, dtype, tmp_path):
    nn, optimizer = net(dtype), made(rule)
    nn.fit(X, T, optimizer=optimizer, epochs=steps)
    state = optimizer.state_dict()
    nn.fit(X, T, optimizer=optimizer, epochs=1)  # which the dictionary does not follow
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz") as archive:
        state = {key: archive[key] for key in archive}
    other = made(rule)
    other.load_state_dict(state)
    assert other.steps == steps
    nn.parameters = expected(steps, made(rule), dtype)
    nn.fit(X, T, optimizer=other, epochs=5)
    assert np.array_equal(nn.parameters, expected(steps + 5, made(rule), dtype))
    with pytest.raises(ValueError, match=f"expected {'SGD' if rule != 'SGD' else 'Adam'!r}"):
        get_opt("SGD" if rule != "SGD" else "Adam").load_state_dict(state)


@pytest.mark.parametrize("change", ["size", "dtype"])
def test_an_optimizer_refuses_other_parameters(change):
    optimizer = get_opt("Adam")
    net().fit(X, T, optimizer=optimizer, epochs=2)
    other = net(np.float32)
    if change == "size":
        other = network((3, 5, 2), ["tanh", "identity"], COST)
    before = other.parameters.copy()
    with pytest.raises(ValueError, match="this Adam has taken 2 steps for the layers"):
        other.fit(X, T, optimizer=optimizer)
    assert np.array_equal(other.parameters, before)
    assert other.optimizer is None
    assert optimizer.steps == 2
    optimizer.reset()
    other.fit(X, T, optimizer=optimizer)
    assert optimizer.steps == 1


def test_hyperparameters_may_change_between_trainings():
    nn, twin = net(), net()
    optimizer = get_opt("SGD", eta=0.01)
    nn.fit(X, T, optimizer=optimizer, epochs=2)
    optimizer.learning_rate, optimizer.clip_norm, optimizer.weight_decay = 0.02, 0.1, 0.5
    nn.fit(X, T, optimizer=optimizer, epochs=2)
    twin.fit(X, T, 0.01, epochs=2)
    twin.fit(X, T, optimizer=get_opt("SGD", eta=0.02, clip_norm=0.1, weight_decay=0.5), epochs=2)
    assert np.array_equal(nn.parameters, twin.parameters)


def test_layers_and_cost_may_change_between_trainings():
    nn = net()
    for k in range(20):  # a new cost may stand where the last one stood in memory
        nn.cost_function = None
        nn.cost_function = (fastnn.SumSquaresError, fastnn.SigmoidCrossEntropy)[k % 2]()
        if k > 10:
            nn.layers[0].activation = ("tanh", "ReLU", "sigmoid")[k % 3]
        twin = ReferenceNetwork.like(nn)
        t = (T > 0).astype(float)  # which both costs take
        nn.fit(X, t, 0.01)
        twin.fit(X, t, 0.01)
        assert_close(nn.parameters, twin.parameters, operations=sum(SIZES) + ROWS + 24)


@pytest.mark.parametrize("changed", ["l1", "l2", "dropout"])
def test_penalties_and_dropout_may_change_between_trainings(changed):
    nn, twin, plain = net(), net(), net()
    for each in (nn, plain):
        each.fit(X, T, 0.01, rng=0)
    for each in (nn, twin):
        setattr(each.layers[0], changed, 0.5)
    twin.parameters = plain.parameters
    for each in (nn, twin, plain):
        each.fit(X, T, 0.01, rng=0)
    assert np.array_equal(nn.parameters, twin.parameters)
    assert not np.array_equal(nn.parameters, plain.parameters)


# --- One optimizer serves one set of parameters -----------------------------------------------


OTHERS = pytest.mark.parametrize("rule", ["SGD", "Adam", "Eve"])


@OTHERS
@pytest.mark.parametrize("compiled", [True, False])
def test_an_optimizer_that_has_served_a_network_refuses_another_of_its_size(rule, compiled):
    optimizer, first, second = made(rule), net(compiled=compiled), net(compiled=compiled)
    first.fit(X, T, optimizer=optimizer, epochs=2)
    before = second.parameters.copy()
    with pytest.raises(ValueError, match=rf"this {rule} has taken 2 steps .* get_opt .*reset\(\)"):
        second.fit(X, T, optimizer=optimizer)
    assert np.array_equal(second.parameters, before)
    assert second.optimizer is None
    first.fit(X, T, optimizer=optimizer)
    assert optimizer.steps == 3
    optimizer.reset()
    second.fit(X, T, optimizer=optimizer, epochs=2)
    assert np.array_equal(second.parameters, expected(2, made(rule), compiled=compiled))


def test_folds_with_one_optimizer_and_a_schedule_do_not_go_on_silently():
    optimizer = get_opt("Adam", alpha=Cosine(0.05, 20))
    net().fit(X, T, optimizer=optimizer, epochs=20)  # that network is gone now
    with pytest.raises(ValueError, match="has taken 20 steps"):
        net().fit(X, T, optimizer=optimizer, epochs=20)


def test_a_compiled_model_s_optimizer_refuses_another_network():
    nn, optimizer = net(), get_opt("Adam")
    model = nn.compiled(optimizer)
    for use in (lambda: net().compiled(optimizer), lambda: net().fit(X, T, optimizer=optimizer)):
        with pytest.raises(ValueError, match="this Adam is at work for the layers of another"):
            use()
    nn.fit(X, T, optimizer=optimizer)
    del model
    with pytest.raises(ValueError, match="this Adam has taken 1 step "):
        net().compiled(optimizer)


def test_parameters_stay_the_same_set_wherever_they_lie():
    nn, optimizer = net(), get_opt("Adam")
    nn.fit(X, T, optimizer=optimizer)
    nn.layers[0].w = nn.layers[0].w.copy()  # gathered anew
    nn.fit(X, T, optimizer=optimizer)
    twin = fastnn.NeuralNetwork(nn.layers, fastnn.SumSquaresError())  # another cost, say
    twin.fit(X, T, optimizer=optimizer)
    optimizer.step(nn.parameters, np.zeros(38))
    nn.fit(X, T, optimizer=optimizer)
    assert optimizer.steps == 5
    assert np.array_equal(nn.parameters, twin.parameters)


def test_a_replaced_layer_is_another_set_of_parameters():
    nn = net()
    nn.fit(X, T, optimizer="Adam")
    nn.layers[1] = net().layers[1]
    with pytest.raises(ValueError, match="this Adam has taken 1 step "):
        nn.fit(X, T)
    nn.fit(X, T, optimizer=get_opt("Adam"))
    assert nn.optimizer.steps == 1


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
)
def test_a_copy_of_an_optimizer_goes_on_with_whom_it_serves_next(duplicate):
    nn, optimizer = net(), get_opt("Adam")
    nn.fit(X, T, optimizer=optimizer, epochs=5)
    other, third = net(), net()
    other.parameters = nn.parameters
    twin = duplicate(optimizer)
    other.fit(X, T, optimizer=twin, epochs=5)
    assert np.array_equal(other.parameters, expected(10, get_opt("Adam")))
    with pytest.raises(ValueError, match="this Adam has taken 10 steps"):
        third.fit(X, T, optimizer=twin)


# --- Callbacks that change the optimizer ------------------------------------------------------


def other_state(size, steps=3):
    found = get_opt("Adam")
    for _ in range(steps):
        found.step(np.zeros(size), np.ones(size))
    return found.state_dict()


@pytest.mark.parametrize("compiled", [True, False])
def test_a_state_of_another_size_is_refused_in_the_callback(compiled):
    nn, twin, optimizer = net(compiled=compiled), net(compiled=compiled), get_opt("Adam")
    seen = []

    def change(run):
        for state in (other_state(7), {**other_state(38), "dtype": "float32"}):
            with pytest.raises(ValueError, match="is at work with 38 parameters of float64, but"):
                run.optimizer.load_state_dict(state)
        with pytest.raises(ValueError, match="38 parameters"):
            run.optimizer.step(np.zeros(7), np.ones(7))
        seen.append(run.optimizer.steps)

    nn.fit(X, T, optimizer=optimizer, epochs=4, callbacks=change)
    twin.fit(X, T, optimizer="Adam", epochs=4)
    assert seen == [1, 2, 3, 4]
    assert np.array_equal(nn.parameters, twin.parameters)
    optimizer.load_state_dict(other_state(7))  # it is at work no longer


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("way", ["state", "empty", "reset"])
def test_a_state_that_fits_and_reset_are_obeyed_in_the_callback(way, compiled):
    schedule = InverseTime(0.01, 0.5)
    nn, twin = net(compiled=compiled), net(compiled=compiled)
    optimizer = get_opt("Adam", alpha=schedule)

    def change(run):
        if run.epoch == 3:
            if way == "reset":
                run.optimizer.reset()
            else:
                run.optimizer.load_state_dict(other_state(38, 5 if way == "state" else 0))

    history = nn.fit(X, T, optimizer=optimizer, epochs=6, callbacks=change)
    twin.fit(X, T, optimizer=get_opt("Adam", alpha=schedule), epochs=3)
    after = get_opt("Adam", alpha=schedule)
    if way == "state":
        after.load_state_dict(other_state(38, 5))
    rates = twin.fit(X, T, optimizer=after, epochs=3).learning_rate
    assert np.array_equal(nn.parameters, twin.parameters)
    assert np.array_equal(history.learning_rate[3:], rates)
    assert optimizer.steps == after.steps


@pytest.mark.parametrize("compiled", [True, False])
def test_a_learning_rate_that_a_callback_gives_the_optimizer_counts(compiled):
    nn = net(compiled=compiled)

    def change(run):
        if run.epoch == 2:
            run.optimizer.learning_rate = 0.002

    history = nn.fit(X, T, optimizer=get_opt("Adam"), epochs=4, callbacks=change)
    assert history.learning_rate.tolist() == [0.001, 0.001, 0.002, 0.002]
    history = nn.fit(X, T, 0.01, optimizer=nn.optimizer, epochs=4, callbacks=change)
    assert history.learning_rate.tolist() == [0.01] * 4  # that of the call comes first
