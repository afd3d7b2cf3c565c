"""What surrounds the compiler: a word at a terminal about long waits, a clock that stands still."""

import io
import sys

import pytest
from support.children import _compile, network_and_data

import fastnn
from fastnn.kernels.codegen import compiler
from fastnn.training import compiled


class Stream(io.StringIO):
    """A standard error that is a terminal or not."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def said(monkeypatch):
    """What is said about compilations that take long, of which each does."""

    def use(terminal=True, quiet=None):
        stream = Stream(terminal)
        with monkeypatch.context() as patch:
            patch.setattr(compiler, "_silent", False)
            patch.setattr(compiler, "_PATIENCE", -1.0)
            patch.setattr(sys, "stderr", stream)
            patch.delenv("FASTNN_QUIET", raising=False)
            if quiet is not None:
                patch.setenv("FASTNN_QUIET", quiet)
            _compile()
            _compile()
        return stream.getvalue()

    return use


@pytest.mark.parametrize("quiet", [None, "", "0"])
def test_one_line_at_a_terminal(said, quiet):
    text = said(quiet=quiet)
    assert text.count("\n") == 1
    assert text.startswith("fastnn: compiling <lambda> and other kernels")
    assert "`fastnn warmup`" in text
    assert "FASTNN_QUIET=1" in text


def test_silent_where_nobody_looks_or_it_is_asked_for(said):
    assert said(terminal=False) == ""
    assert said(quiet="1") == ""


def test_silent_while_it_is_short(monkeypatch):
    stream = Stream(True)
    monkeypatch.setattr(compiler._own, "seconds", 0.0)
    monkeypatch.setattr(compiler.time, "perf_counter", lambda: 0.0)
    monkeypatch.setattr(compiler, "_silent", False)
    monkeypatch.setattr(sys, "stderr", stream)
    _compile()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("method", ["SGD", "L-BFGS"])
def test_seconds_of_epochs_contain_no_compilation(monkeypatch, method):
    now = [0.0]
    monkeypatch.setattr(compiler.time, "perf_counter", lambda: now[0])

    def compile_for_long():
        with compiler.compiling("a kernel"):
            now[0] += 1000.0

    class Slow(fastnn.TanhLayer):
        def forward_propagation(self, X):
            compile_for_long()
            now[0] += 1.0
            return super().forward_propagation(X)

    nn, X, t = network_and_data((2, 4, 1))
    if method == "SGD":
        nn.layers[0] = Slow(2, 4)
    else:
        compute = fastnn.training.lbfgs.Objective._compute

        def slow(self):
            compile_for_long()
            now[0] += 1.0
            return compute(self)

        monkeypatch.setattr(fastnn.training.lbfgs.Objective, "_compute", slow)
        monkeypatch.setattr(fastnn.training.lbfgs.Objective, "is_compiled", False)
    keywords = {"learning_rate": 1e-6} if method == "SGD" else {"optimizer": method}
    seconds = nn.fit(X, t, epochs=3, **keywords).seconds
    assert (seconds > 0.5).all()
    assert (seconds < 1000.0).all()


def test_the_engine_is_compiled_before_its_clock_is_read(monkeypatch):
    calls = []
    real = compiled.engine.train, compiled.engine.clock

    def train(*args):
        calls.append("train")
        return real[0](*args)

    def clock(*args):
        calls.append("clock")
        return real[1](*args)

    monkeypatch.setattr(compiled.engine, "train", train)
    monkeypatch.setattr(compiled.engine, "clock", clock)
    nn, X, t = network_and_data((2, 4, 1))
    signatures = len(real[0].signatures)
    history = nn.fit(X, t, 1e-6, epochs=2, n_threads=1)
    assert calls[:3] == ["train", "clock", "train"]
    assert len(history.seconds) == 2
    calls.clear()
    nn.fit(X, t, 1e-6, epochs=2, n_threads=1)
    assert calls == ["clock", "train"]  # the trainer is kept
    assert len(real[0].signatures) <= signatures + 1
