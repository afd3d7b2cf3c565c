"""Rows of every epoch in a file, and values handed to a function."""

import csv
import os
import re

import numpy as np
import pytest

from fastnn import LinearLayer, NeuralNetwork, SumSquaresError
from fastnn.callbacks import CSVLog, Log, TerminateOnNaN

X = np.linspace(-1, 1, 12).reshape(-1, 1)
T = 2 * X
HEADER = ["epoch", "cost", "validation_cost", "learning_rate", "seconds"]


def fit(callbacks, epochs=3, validation=None, rate=0.01, **options):
    nn = NeuralNetwork([LinearLayer(1, 1, rng=0)], SumSquaresError())
    return nn.fit(
        X, T, rate, epochs=epochs, validation_data=validation, callbacks=callbacks, **options
    )


def rows(path):
    with open(path, newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == HEADER
    return found[1:]


def numbers(path):
    return [int(row[0]) for row in rows(path)]


@pytest.mark.parametrize("every", [1, 2, 10])
@pytest.mark.parametrize("validation", [None, (X, T)])
def test_a_row_for_each_epoch(every, validation, tmp_path):
    path = tmp_path / "new" / "log.csv"
    history = fit(CSVLog(path, every=every), 5, validation)
    assert numbers(path) == [1, 2, 3, 4, 5]
    for column, name in enumerate(HEADER[1:], 1):
        found, known = [row[column] for row in rows(path)], getattr(history, name)
        assert ([float(cell) for cell in found] if known.size else found) == (
            known.tolist() or [""] * 5
        )


def test_rows_are_there_while_it_trains(tmp_path):
    path, seen = tmp_path / "log.csv", []
    fit([CSVLog(path), lambda run: seen.append(numbers(path))])
    assert seen == [[1], [1, 2], [1, 2, 3]]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_an_interruption_leaves(error, tmp_path):
    """Also of epochs that no callback was told of, since `every` was not over."""
    path = tmp_path / "log.csv"

    def interrupt(run):
        if run.epoch == 3:
            raise error

    with pytest.raises(error):
        fit([CSVLog(path, every=100), interrupt], 10)
    assert numbers(path) == [1, 2, 3]


def test_a_training_that_goes_on_adds_its_rows(tmp_path):
    path = tmp_path / "log.csv"
    log = CSVLog(path)
    for _ in range(2):
        fit(log)
    fit(CSVLog(path, every=2))
    assert numbers(path) == list(range(1, 10))
    assert path.read_text().count("epoch") == 1


@pytest.mark.parametrize("start", [0, 2, 3, 7])
def test_rows_after_the_start_are_replaced(start, tmp_path):
    path = tmp_path / "log.csv"
    fit(CSVLog(path))
    before = rows(path)
    fit(CSVLog(path, start=start), 2)
    assert numbers(path) == [*[1, 2, 3][:start], start + 1, start + 2]
    assert rows(path)[: min(start, 3)] == before[:start]


@pytest.mark.parametrize("torn", [1, 20])
def test_a_torn_row_is_cut_off(torn, tmp_path):
    path = tmp_path / "log.csv"
    fit(CSVLog(path))
    path.write_bytes(path.read_bytes()[:-torn])
    fit(CSVLog(path))
    assert numbers(path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [0, 5])
def test_an_empty_file_and_a_torn_header(size, tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(",".join(HEADER).encode()[:size])
    fit(CSVLog(path))
    assert numbers(path) == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n", "log.csv' is no file of CSVLog: its first line is 'a,b'"),
        (b"\x89PNG", "is no file of CSVLog: its first line is"),
        (b"\n\n", "is no file of CSVLog: its first line is ''"),
        (",".join(HEADER).encode() + b"\n1,2,,0.1,1\n2,0.5\n", "its line 3 is '2,0.5"),
        (",".join(HEADER).encode() + b"\n1,2,,0.1,1,9\n", "its line 2 is '1,2,,0.1,1,9"),
        (",".join(HEADER).encode() + b"\nx,1\n", "is no file of CSVLog: its line 2 is 'x,1"),
    ],
)
def test_other_files_are_left_alone(data, message, tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(CSVLog(path))
    assert path.read_bytes() == data


def test_costs_that_are_not_finite(tmp_path):
    path = tmp_path / "log.csv"
    history = fit([CSVLog(path), TerminateOnNaN()], 2000, rate=1.0)
    assert history.stopped
    assert len(numbers(path)) == len(history)


@pytest.mark.parametrize("validation", [None, (X, T)])
def test_values_go_to_a_function(validation):
    seen = []
    log = Log(lambda values, epoch: seen.append((epoch, values)), every=2, start=10)
    history = fit(log, 5, validation)
    assert [epoch for epoch, _ in seen] == [12, 14, 15]
    names = {"cost", "learning_rate", "seconds"} | ({"validation_cost"} if validation else set())
    for epoch, values in seen:
        assert values == {name: getattr(history, name)[epoch - 11] for name in names}
        assert all(type(value) is float for value in values.values())


def test_logs_of_lbfgs(tmp_path):
    path = tmp_path / "log.csv"
    history = fit(CSVLog(path), 20, rate=None, optimizer="L-BFGS")
    assert numbers(path) == list(range(1, 1 + len(history)))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CSVLog(3), TypeError, "path must be a str or a path, not 3"),
        (lambda: CSVLog(""), ValueError, "path is '', expected the name of a file"),
        (lambda: CSVLog("x", every=0), ValueError, "every must be at least 1"),
        (lambda: CSVLog("x", start=-1), ValueError, "start must be at least 0"),
        (lambda: Log(3), TypeError, "write is 3, expected a function of the values and the epoch"),
        (lambda: Log(dict), TypeError, "write is <class 'dict'>, expected a function"),
        (lambda: Log(print, every=1.5), TypeError, "every must be an int"),
        (lambda: Log(print, start=None), TypeError, "start must be an int"),
    ],
)
def test_refused_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_folder_in_the_place_of_the_file(tmp_path):
    with pytest.raises(OSError, match=r"directory|denied"):
        fit(CSVLog(tmp_path))
    assert os.listdir(tmp_path) == []
