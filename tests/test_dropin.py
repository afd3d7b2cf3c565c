"""The article's module by its names, and its two scripts with only the import line changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import dropin

HERE = Path(__file__).parent

ERRORS = {"Error", "SquareError", "BinaryCrossEntropy", "CrossEntropy"}
NAMES = {
    "Layer",
    "LinearLayer",
    "SigmoidLayer",
    "TanhLayer",
    "ReLULayer",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SumSquaresError",
    "NeuralNetwork",
}


# of the other article, and its functions' names for `get_act`
ACTIVATORS = {
    "step": "step",
    "identity": "identity",
    "bentIdentity": "bent-identity",
    "hardShrink": "hard-shrink",
    "softShrink": "soft-shrink",
    "threshold": "threshold",
    "sigmoid": "sigmoid",
    "hardSigmoid": "hard-sigmoid",
    "logSigmoid": "log-sigmoid",
    "act_tanh": "tanh",
    "hardtanh": "hard-tanh",
    "tanhShrink": "tanh-shrink",
    "ReLU": "ReLU",
    "ReLU6": "ReLU6",
    "leakyReLU": "leaky-ReLU",
    "ELU": "ELU",
    "SELU": "SELU",
    "CELU": "CELU",
    "softmax": "softmax",
    "softmin": "softmin",
    "logSoftmax": "log-softmax",
    "softplus": "softplus",
    "softsign": "softsign",
    "Swish": "Swish",
    "Mish": "Mish",
    "tanhExp": "tanhExp",
    "maxout": "maxout",
}


def test_every_public_name_of_the_articles():
    namespace = {}
    exec("from fastnn.dropin import *", namespace)
    known = NAMES | set(ACTIVATORS) | ERRORS | {"Activator", "get_act", "get_err"}
    assert set(dropin.__all__) == known
    assert set(namespace) >= set(dropin.__all__)
    assert all(namespace[name] is getattr(fastnn, name) for name in NAMES)
    sizes = {"maxout": (2, 3, 2)}
    for spelling, name in ACTIVATORS.items():
        act = fastnn.get_act(name, *sizes.get(name, ()))
        assert type(act) is namespace[spelling]
        assert isinstance(act, namespace["Activator"])


@pytest.mark.parametrize(
    ("script", "word", "holds"),
    [
        ("binary_classification", "accuracy", lambda found: found >= 0.98),
        ("regression", "distance", lambda found: found <= 0.05),
    ],
)
def test_script_of_the_article(script, word, holds, tmp_path):
    result = subprocess.run(
        [sys.executable, "-W", "error", HERE / "article" / f"{script}.py"],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[1] == "checking gradient"
    assert [line.split(",")[0] for line in lines if line.startswith("step")] == [
        f"step {step:6d}" for step in range(0, 100000, 10000)
    ]
    assert holds(float(next(line for line in lines if line.startswith(word)).split()[1]))
    assert (tmp_path / f"{script}.png").stat().st_size > 10_000
