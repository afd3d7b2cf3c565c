"""The article's first script for Python 3; only its import line names fastnn."""

import numpy as np
import pylab as plt

from fastnn.dropin import LinearLayer, NeuralNetwork, SigmoidCrossEntropy, TanhLayer


def points():
    x = np.random.uniform(-1.0, 1.0, size=(1000, 2))
    inside = np.prod(x, axis=1) > 0
    return x, inside.astype(float).reshape(-1, 1)


def main():
    x, labels = points()
    plt.scatter(x[:, 0], x[:, 1], c=["red" if label else "blue" for label in labels])

    nn = NeuralNetwork([TanhLayer(2, 4), LinearLayer(4, 1)], SigmoidCrossEntropy())
    nn._gradient_check()
    for step in range(100000):
        if step % 10000 == 0:
            print("step %6d, cost %f" % (step, nn.cost(x, labels)))
        nn.fit(x, labels, learning_rate=0.001)

    axis = np.linspace(-1, 1, 100)
    first, second = np.meshgrid(axis, axis)
    probability = nn(np.column_stack([first.ravel(), second.ravel()])).reshape(100, 100)
    plt.contourf(first, second, probability, np.linspace(0, 1, 11), alpha=0.5)
    plt.colorbar()
    plt.savefig("binary_classification.png")
    print("accuracy", np.mean((nn(x) > 0.5) == (labels > 0.5)))


if __name__ == "__main__":
    np.random.seed(0)
    main()
