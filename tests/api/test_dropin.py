"""The article's module by its names, and its two scripts with only the import line changed."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import dropin

HERE = Path(__file__).parents[1]

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


ERRORS = {"Square": "SquareError", "Binary": "BinaryCrossEntropy", "Cross": "CrossEntropy"}

# the names of classes, and of `get_opt`; SGD's is also spelled SDG
OPTIMIZERS = {
    "SGD", "MSGD", "NAG", "AdaGrad", "RMSprop", "AdaDelta", "Adam", "RMSpropGraves", "SMORMS3",
    "AdaMax", "Nadam", "Eve", "SantaE", "SantaSSS", "AMSGrad", "AdaBound", "AMSBound",
}  # fmt: skip


def test_every_public_name_of_the_articles():
    namespace = {}
    exec("from fastnn.dropin import *", namespace)
    assert set(dropin.__all__) == (
        NAMES | set(ACTIVATORS) | {"Activator", "get_act"} | {"Error", "get_err"}
        | set(ERRORS.values()) | OPTIMIZERS | {"Optimizer", "get_opt"}
    )  # fmt: skip
    assert set(namespace) >= set(dropin.__all__)
    assert all(namespace[name] is getattr(fastnn, name) for name in NAMES)
    sizes = {"maxout": (2, 3, 2)}
    for spelling, name in ACTIVATORS.items():
        act = fastnn.get_act(name, *sizes.get(name, ()))
        assert type(act) is namespace[spelling]
        assert isinstance(act, namespace["Activator"])


def test_optimizers_of_the_article():
    namespace = {}
    exec("from fastnn.dropin import *", namespace)
    for name in OPTIMIZERS:
        first = fastnn.optimizers.RULES[name].places[0]
        noisy = {"rng": 0} if name.startswith("Santa") else {}
        made = [namespace[name](0.003, **noisy), fastnn.get_opt(name, **{first: 0.003}, **noisy)]
        assert isinstance(made[0], namespace["Optimizer"])
        assert repr(made[0]) == repr(made[1])
        moves = [opt.update(np.ones((2, 3)), np.ones(3), t=1, f=1.0) for opt in made]
        for dw, expected in zip(*moves, strict=True):
            np.testing.assert_array_equal(dw, expected)
        assert type(pickle.loads(pickle.dumps(made[0]))) is namespace[name]
    assert namespace["get_opt"]("SDG").rule is fastnn.optimizers.RULES["SGD"]


@pytest.mark.parametrize("steps", [10_000, pytest.param(100_000, marks=pytest.mark.sweep)])
@pytest.mark.parametrize(
    ("script", "word", "holds"),
    [
        ("binary_classification", "accuracy", lambda found: found >= 0.98),
        ("regression", "distance", lambda found: found <= 0.05),
    ],
)
def test_script_of_the_article(script, word, holds, steps, tmp_path):
    """With all its steps, which take half a minute, it has learnt."""
    source, copy = (HERE / "article" / f"{script}.py").read_text(), tmp_path / f"{script}.py"
    assert "100000" in source
    copy.write_text(source.replace("100000", str(steps)))
    result = subprocess.run(
        [sys.executable, "-W", "error", copy],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[1] == "checking gradient"
    assert [line.split(",")[0] for line in lines if line.startswith("step")] == [
        f"step {step:6d}" for step in range(0, steps, 10000)
    ]
    found = float(next(line for line in lines if line.startswith(word)).split()[1])
    assert np.isfinite(found)
    assert steps < 100_000 or holds(found)
    assert (tmp_path / f"{script}.png").stat().st_size > 10_000
