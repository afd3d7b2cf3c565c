"""A network as a table, in text and in HTML."""

import html.parser

import numpy as np
import pytest
from support.networks import twice_activated

from fastnn import DenseLayer, Layer, LinearLayer, NeuralNetwork, SumSquaresError, get_init
from fastnn.activations import ACTIVATIONS


class OwnLayer(Layer):
    """Of the caller's own, <without> an activation of the table."""

    def forward_propagation(self, X):
        return X @ self.w + self.b


class Plain:
    """No layer of the library at all."""

    def __init__(self):
        self.w, self.b = np.zeros((3, 2)), np.zeros(2)

    def __call__(self, X):
        return X @ self.w + self.b


class OddError(SumSquaresError):
    """A cost whose name is markup."""

    def __repr__(self):
        return "<b>&"


def network():
    return NeuralNetwork(
        [
            DenseLayer(4, 3, activation="maxout", k=2, dropout=0.25, l2=1e-4, dtype="f4"),
            DenseLayer(3, 1000, activation="PReLU", trainable=False, dtype="f4"),
            LinearLayer(1000, 1, dtype="f4"),
        ],
        SumSquaresError(),
    )


def test_what_it_says():
    nn = network()
    lines = nn.summary().splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["DenseLayer", "maxout(k=2)", "4", "→", "3", "30", "float32", "dropout=0.25,", "l2=0.0001"],
        ["DenseLayer", "PReLU(alpha=0.25)", "3", "→", "1000", "5,000", "float32", "frozen"],
        ["LinearLayer", "identity", "1000", "→", "1", "1,001", "float32"],
    ]
    total = f"{nn.parameters.size:,} parameters, 5,000 of them frozen, 23.6 KiB"
    assert lines[4:] == ["cost: SumSquaresError()", f"total: {total}"]
    assert not any(line != line.rstrip() for line in lines)
    assert repr(nn.summary()) == str(nn.summary()) == "\n".join(lines)


def test_columns_that_say_nothing_are_left_out():
    lines = NeuralNetwork([LinearLayer(2, 1)], SumSquaresError()).summary().splitlines()
    assert lines[0].split() == ["layer", "activation", "shape", "parameters", "dtype"]
    assert len({line.index("float64") for line in lines[1:2]} | {lines[0].index("dtype")}) == 1


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_of_all_layers(name):
    layer = DenseLayer(3, 2, activation=name, init=get_init("constant", value=1.0))
    nn = twice_activated([layer], SumSquaresError())
    assert f"total: {nn.parameters.size} parameters" in nn.summary()


@pytest.mark.parametrize("layer", [OwnLayer(3, 2), Plain()])
def test_layers_of_the_callers_own(layer):
    nn = NeuralNetwork([layer], SumSquaresError())
    row = nn.summary().splitlines()[1].split()
    assert row == [type(layer).__name__, "3", "→", "2", "8", "float64"]


class Cells(html.parser.HTMLParser):
    """Texts of the cells of a table, and tags that are open."""

    def __init__(self):
        super().__init__()
        self.open, self.cells = [], []

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells.append(data)


def test_html():
    nn = network()
    nn.cost_function = OddError()
    parser = Cells()
    parser.feed(nn._repr_html_())
    assert parser.open == []
    words = " ".join(parser.cells).split()
    assert words == str(nn.summary()).split()
    assert "<b>" not in nn._repr_html_()
