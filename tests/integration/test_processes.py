"""Threads, forks, signals and copies: a training gives the same numbers wherever it runs."""

import copy
import pickle
import signal
import time

import numpy as np
import pytest
from support.children import SHAPES, network_and_data


def test_two_threads_train_as_one_after_the_other(child):
    answer = child("train_in_threads")
    assert answer["together"] == answer["alone"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", ["Process", "Pool", "ProcessPoolExecutor"])
@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
def test_child_trains_as_its_parent_did(child, start_method, kind):
    answer = child("train_in_children", start_method, kind)
    assert answer["children"] == answer["parent"]
    assert answer["again"] == answer["parent"]


@pytest.mark.parametrize("name", SHAPES)
def test_child_forked_in_the_middle_of_a_training_trains(child, name):
    assert child("train_in_a_child_forked_meanwhile", name) == 0


@pytest.mark.parametrize("work", ["compile", "ask"])
def test_child_forked_while_another_thread_compiles_can_compile(child, work):
    codes = child("fork_while_another_thread_compiles", work, NUMBA_CACHE_DIR="/dev/null/none")
    assert codes == [0, 0, 0]


def test_child_forked_while_another_thread_imports_can_import(child):
    assert child("fork_while_another_thread_imports") == 0


def test_the_thread_that_compiles_may_fork(child):
    answer = child("fork_within_the_compiler", NUMBA_CACHE_DIR="/dev/null/none")
    assert answer[0] == 42.0
    assert set(answer[1:]) == {0}


def test_trainings_leave_the_threads_of_blas_alone(child):
    answer = child("blas_threads", OPENBLAS_NUM_THREADS="2")
    assert set(answer["before"]) == {2}
    assert answer["meanwhile"] == answer["after"] == answer["before"]


@pytest.mark.parametrize("name", SHAPES)
def test_interrupt_ends_a_training(child, name):
    process = child.start("train_until_interrupted", name)
    assert process.stdout.readline() == "training\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    answer = child.finish(process, timeout=300)
    assert all(answer.values()), answer


COPIES = {
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda nn, protocol=protocol: pickle.loads(
            pickle.dumps(nn, protocol=protocol)
        )
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("trained_before", [False, True])
@pytest.mark.parametrize("way", COPIES)
def test_copies_are_equal_and_independent(way, trained_before, dtype):
    nn, X, t = network_and_data((3, 5, 2), dtype=dtype)
    if trained_before:
        nn.fit(X, t, 1e-5)
    twin = COPIES[way](nn)
    np.testing.assert_array_equal(twin(X), nn(X), strict=True)

    before = nn.parameters.copy()
    twin.fit(X, t, 1e-5, epochs=3)
    np.testing.assert_array_equal(nn.parameters, before, strict=True)
    nn.fit(X, t, 1e-5, epochs=3)
    np.testing.assert_array_equal(twin.parameters, nn.parameters, strict=True)

    twin.parameters[...] = 0  # its layers look at its own vector
    assert not twin(X).any()
    assert nn(X).any()
