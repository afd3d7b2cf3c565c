"""Trainings by ranks of MPI: the steps of one process, errors on all, none that hangs."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import LinearLayer, NeuralNetwork, SumSquaresError
from fastnn.kernels.engine import ranks as engine_ranks
from fastnn.training.ranks import Plan

PROGRAMS = Path(__file__).parents[1] / "support" / "mpi_programs.py"
OPTIONS = "--allow-run-as-root", "--oversubscribe", "--mca", "mpi_yield_when_idle", "1"
SECONDS = 300  # that nothing takes, on whatever machine


def mpiexec():
    """The command of MPI where mpi4py is installed, beside it or on the path; or None."""
    found = importlib.util.find_spec("mpi4py")
    if found is None:
        return None
    places = [Path(sys.executable).parent, Path(found.origin).parents[4] / "bin"]
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", "")])
    return shutil.which("mpiexec", path=path)


def starts_ranks():
    """Whether MPI is here, and this machine lets it start two processes."""
    if mpiexec() is None:
        return False
    probe = [mpiexec(), *OPTIONS, "-n", "2", sys.executable, "-c", "import mpi4py.MPI"]
    try:
        return subprocess.run(probe, capture_output=True, timeout=60, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


needs_mpi = pytest.mark.skipif(not starts_ranks(), reason="MPI starts no two processes here")


def start(ranks, program, *arguments, folder=None):
    """Begin a program of Python on so many ranks."""
    command = [mpiexec(), *OPTIONS, "-n", str(ranks), sys.executable, str(program), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, **pipes)


def finished(process):
    """What it has printed."""
    try:
        out, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return out


def ranks(number, name, *arguments):
    """What each rank answers, in rank order."""
    out = finished(start(number, PROGRAMS, name, *arguments))
    answers = dict(json.loads(line) for line in out.splitlines() if line.startswith("["))
    return [answers[rank] for rank in range(number)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Of two ranks, to most of the tests here: a start of MPI takes seconds."""
    path = tmp_path_factory.mktemp("mpi") / "checkpoint.npz"
    return [{**answer, "path": path} for answer in ranks(2, "several", str(path))]


def check_pairs(found):
    for name, (parameters, costs, same_bits, results) in found.items():
        assert parameters <= 1e-12, name
        assert costs <= 1e-12, name
        assert same_bits, name
        assert results == 1, name  # the same on all ranks


@needs_mpi
def test_two_ranks_take_the_steps_of_one_process(answers):
    for name in ("everything", "rules"):
        assert answers[0][name] == answers[1][name]
        check_pairs(answers[0][name])


@needs_mpi
@pytest.mark.sweep
@pytest.mark.parametrize("number", [1, 2, 4])
def test_every_rule_takes_the_steps_of_one_process(number):
    check_pairs(ranks(number, "rules")[0])
    check_pairs(ranks(number, "everything")[0])


@needs_mpi
def test_rows_of_their_own_and_none(answers):
    for answer in answers:
        distance, epochs, cost, steps = answer["own_rows"]
        assert distance <= 1e-12
        assert epochs == 30
        assert np.isfinite(cost)
        assert steps == 30 * 16  # 61 rows, 4 of both ranks a step


@needs_mpi
def test_callbacks_of_rank_0_hold_for_all(answers):
    first, second = (answer["callbacks"] for answer in answers)
    assert first["seen"] == [1, 2, 3, 4, 5]
    assert second["seen"] == []
    assert first["costs"] == pytest.approx(first["their costs"], rel=1e-12)
    for answer in (first, second):
        assert answer["stopped"] == "enough"
        assert answer["rates"]
        assert answer["validated"] <= 1e-12
        assert answer["draws"]
        assert answer["epochs after"] == 2
        assert answer["distance"] <= 1e-12
    found = fastnn.callbacks.Checkpoint.load(answers[0]["path"])
    assert found["epoch"] == 4
    assert found["optimizer"]["steps"] == 4 * 5


@needs_mpi
def test_time_of_the_reduction_is_in_the_history(answers):
    """Of rank 0: what it spends in sums is part of what it takes for the epoch."""
    first, second = (answer["callbacks"] for answer in answers)
    assert len(first["reduction"]) == 5
    for reduction, seconds in zip(first["reduction"], first["seconds"], strict=True):
        assert 0.0 < reduction < seconds
    assert second["reduction"] == first["reduction"]


@needs_mpi
def test_steps_of_milliseconds_stay_on_the_thread_that_sums(answers):
    """From thread to thread, and core to core, each way would cost a part of the step."""
    assert [answer["more_threads"] for answer in answers] == [[0, 0], []]


@needs_mpi
def test_step_that_is_left_out_is_so_on_all_ranks(answers):
    for answer in answers:
        steps, finite, cost = answer["skipped"]
        assert steps == 2 * 4
        assert finite
        assert np.isfinite(cost)


DIFFERENCES = {
    "network": "network: it is 2 layers on rank 0, but 3 layers on rank 1",
    "layer": "network: it is DenseLayer(",
    "cost": "cost: it is SumSquaresError()",
    "dtype": "dtype: it is float64 on rank 0, but float32 on rank 1",
    "rule": "optimizer: it is Adam(",
    "epochs": "epochs: it is 4 on rank 0, but 5 on rank 1",
    "batch": "batch_size: it is 4 on rank 0, but 5 on rank 1",
    "data": "data: it is X (61, 5), t (61, 2), weights (0,), checksum",
}


@needs_mpi
@pytest.mark.parametrize("name", DIFFERENCES)
def test_ranks_that_differ_are_refused_on_every_rank(answers, name):
    for answer in answers:
        error = answer["refused"][name]
        assert error.startswith(f"ValueError: the ranks differ in {DIFFERENCES[name]}")


ERRORS = {
    "nan": (1, "ValueError: X[3, 1] is nan, expected a finite number"),
    "type": (1, "TypeError: epochs must be an int, not 'many'"),
    "callback": (0, "KeyError: 'of the callback'"),
    "training in a callback": (
        0,
        "RuntimeError: a callback of a training by ranks calls fit with comm, but runs on rank 0",
    ),
    "divergence": (0, "ValueError: learning_rate=1e+200 makes the training diverge: in step 1 "),
    "schedule": (0, "ArithmeticError: of the schedule"),
    "in a step": (1, "MemoryError: in a step"),
}


@needs_mpi
@pytest.mark.parametrize("name", ERRORS)
def test_error_of_one_rank_ends_the_others(answers, name):
    rank, text = ERRORS[name]
    own, other = (answers[k]["refused"][name] for k in (rank, 1 - rank))
    assert own.startswith(text)
    assert other.startswith(f"RuntimeError: rank {rank} has ended the training: {text}")


ON_ALL = {
    "LBFGS": "TypeError: comm needs an optimizer that goes by single steps, not L-BFGS",
    "own layer": "TypeError: comm needs a network of DenseLayers and a cost of fastnn",
    "comm": "TypeError: comm is 'world', expected a communicator of mpi4py",
    "few": "ValueError: batch_size=1 of all ranks is less than the 2 ranks",
    "empty": "ValueError: X is empty on every rank",
    "good": "none",  # after all of that
}


@needs_mpi
@pytest.mark.parametrize("name", ON_ALL)
def test_what_ranks_cannot_do_is_refused_on_all(answers, name):
    for answer in answers:
        assert answer["refused"][name].startswith(ON_ALL[name])


@needs_mpi
def test_rank_that_is_killed_ends_the_others(tmp_path):
    path = tmp_path / "checkpoint.npz"
    process = start(2, PROGRAMS, "until_killed", str(path))
    try:
        pids, running = {}, False
        while not running or len(pids) < 2:
            rank, what = json.loads(process.stdout.readline())
            running |= what == "training"
            if what != "training":
                pids[rank] = what
        os.kill(pids[1], signal.SIGKILL)
        begin = time.monotonic()
        _, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert time.monotonic() - begin < 10
    assert process.returncode != 0
    assert "signal 9" in errors or "Killed" in errors
    assert fastnn.load(path).optimizer is not None
    assert fastnn.callbacks.Checkpoint.load(path)["epoch"] >= 2


@needs_mpi
def test_program_of_the_documents(answers):
    first, second = (answer["document"] for answer in answers)
    assert first.startswith("History(20 epochs")
    assert second == ""  # only rank 0 prints
    assert (answers[0]["path"].parent / "waves.npz").exists()


@needs_mpi
@pytest.mark.sweep
def test_demo_of_ranks(tmp_path):
    command = tmp_path / "demo.py"
    command.write_text("from fastnn import cli\ncli.main(['demo', 'mpi', '--steps', '2'])\n")
    out = finished(start(2, command, folder=tmp_path))
    assert out.count("2 ranks") == 1
    (apart,) = re.findall(r"costs differ by (\S+) at most", out)
    assert float(apart) < 1e-5
    assert (tmp_path / "fastnn-demo" / "mpi.png").stat().st_size > 10_000


def test_kernels_refuse_samples_that_are_not_there():
    nn = NeuralNetwork([LinearLayer(3, 2, rng=0)], SumSquaresError())
    nn.fit(np.zeros((10, 3)), np.zeros((10, 2)), 0.1, batch_size=4, epochs=2, n_threads=1)
    trainer = nn._trainer[1]
    given = trainer.model, trainer.batches._replace(X=np.zeros((10, 3)), T=np.zeros((10, 2)))
    given = *given, trainer.team, trainer.work
    for start, rows in ((0, 5), (8, 3), (-1, 2), (0, -1)):
        with pytest.raises(ValueError, match="samples of the data, at most a batch of them"):
            engine_ranks.shared_gradient(*given, start, rows, 0, 1.0, True, 0, 1)
    shared = *given[:2], trainer.team._replace(own=False), trainer.work
    for team, epoch in ((given, 0), (shared, 1), (shared, -1)):
        with pytest.raises(ValueError, match="one gradient, and room for the cost of the epoch"):
            engine_ranks.shared_update(*team, np.zeros(1), epoch, 0, 4, 0.1, 1.0, False, 0, 1)


def test_without_mpi_comm_and_shard_say_what_they_need():
    nn = NeuralNetwork([LinearLayer(1, 1)], SumSquaresError())
    x = np.zeros((2, 1))
    with pytest.raises(ValueError, match="shard=True shares rows out among ranks"):
        nn.fit(x, x, 0.1, shard=True)
    with pytest.raises(TypeError, match="shard must be True or False, not 1"):
        nn.fit(x, x, 0.1, shard=1)
    if "mpi4py.MPI" not in sys.modules:
        with pytest.raises(TypeError, match="comm is 3, expected a communicator of mpi4py"):
            nn.fit(x, x, 0.1, comm=3)


@pytest.mark.parametrize("shard", [False, True])
def test_plan_takes_each_row_once(shard):
    rng = np.random.default_rng(0)
    for _ in range(200):
        number = int(rng.integers(1, 7))
        rows = rng.integers(0, 30, number) * rng.integers(0, 2, number)
        rows[0] += not rows.any()
        if shard:
            rows[1:] = 0
            rows[0] = max(rows[0], 1)
        total = int(rows.sum())
        batch = int(rng.integers(min(number, total), total + 3))
        plans = [Plan(rows.tolist(), rank, batch, shard, 1.0) for rank in range(number)]
        taken = np.zeros(number, int)
        for k in range(plans[0].steps):
            steps = [plan.step(k) for plan in plans]
            place, counts = 0, [n for _, n, _, _ in steps]
            for rank, (first, n, position, whole) in enumerate(steps):
                expected = k * plans[0].batch + place if shard else taken[rank]
                assert (first, position, whole) == (expected, place, sum(counts))
                assert 0 <= n <= plans[rank].most
                place += n
                taken[rank] += n
            assert sum(counts) > 0
        assert taken.sum() == total
        assert shard or np.array_equal(taken, rows)
