"""Networks whose files of version 1 are kept in ``tests/data/files``, and what those must give.

``python -m support.golden FOLDER`` has written them. The files stay as they are: a new version of
the format gets new ones beside them.
"""

import json
import sys
from pathlib import Path

import numpy as np

import fastnn
from fastnn import schedules

FILES = Path(__file__).parents[1] / "data" / "files"
SUFFIXES = "npz", "safetensors"
ROWS = 12


def networks():
    """By name: a network, and how it was trained before it was saved."""
    dense, batches = fastnn.DenseLayer, {"batch_size": 5, "rng": 3}
    mixture = fastnn.MixtureDensityError(components=2)
    classes = fastnn.SoftmaxCrossEntropy("mean", label_smoothing=0.1, class_weight=[1, 2.5, 1])
    falling = schedules.WarmUp(2, schedules.Cosine(0.02, 9, restarts=None, multiplier=2))
    return {
        "curve": (
            [fastnn.TanhLayer(3, 4, rng=0), fastnn.LinearLayer(4, 2, rng=1)],
            fastnn.SumSquaresError(),
            {"optimizer": fastnn.get_opt("Adam", alpha=falling, clip_norm=2), **batches},
        ),
        "mixture": (
            [
                dense(3, 4, activation="maxout", k=3, dropout=0.25, dtype="f4", rng=0),
                dense(4, 4, activation="PReLU", alpha=0.125, l2=0.001, dtype="f4", rng=1),
                dense(4, 3, activation="GLU", trainable=False, dtype="f4", rng=2),
                fastnn.LinearLayer(3, 6, dtype="f4", rng=3),
            ],
            mixture,
            {"optimizer": fastnn.get_opt("Eve", alpha=0.01), **batches},
        ),
        "classes": (
            [
                dense(3, 4, activation="leaky-ReLU", alpha=0.125, dtype="f4", rng=0),
                fastnn.SigmoidLayer(4, 4, dtype="f4", rng=1),
                dense(4, 3, activation="softmax", dtype="f4", rng=2),
                fastnn.LinearLayer(3, 3, dtype="f4", rng=3),
            ],
            classes,
            {"optimizer": fastnn.get_opt("SantaSSS", eta=1e-4, burnin=3, rng=4), **batches},
        ),
        "plain": (
            [dense(3, 2, activation="GELU-tanh", l1=0.5, rng=0), fastnn.ReLULayer(2, 1, rng=1)],
            fastnn.Huber(delta=0.5),
            {"learning_rate": 0.01},
        ),
    }  # fmt: skip


def data(network):
    """Samples and targets for any of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 3))
    outputs = network.layers[-1].dim_output
    if type(network.cost_function) is fastnn.SoftmaxCrossEntropy:
        return X, np.arange(ROWS) % outputs
    return X, rng.normal(size=(ROWS, network.cost_function.targets_for(outputs)))


def seen(network):
    """What a network is, as JSON keeps it."""
    X, t = data(network)
    return {
        "network": repr(network),
        "optimizer": repr(network.optimizer),
        "steps": network.optimizer.steps if network.optimizer else 0,
        "draws": repr(network.draws),
        "parameters": network.parameters.tolist(),
        "cost": network.cost(X, t),
        "outputs": network.predict(X).tolist(),
    }


def main(folder):
    """Write the files, and what they must give."""
    expected = {}
    for name, (layers, cost, training) in networks().items():
        network = fastnn.NeuralNetwork(layers, cost)
        network.fit(*data(network), epochs=2, **training)
        for suffix in SUFFIXES:
            network.save(folder / f"{name}-1.{suffix}")
        expected[name] = seen(network)
    (folder / "expected-1.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
