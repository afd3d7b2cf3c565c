"""The article's second script for Python 3; only its import line names fastnn."""

import numpy as np
import pylab as plt

from fastnn.dropin import LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer


def curve(x):
    return x + 0.3 * np.sin(2 * np.pi * x)


def main():
    x = np.random.uniform(size=(100, 1))
    t = curve(x) + np.random.uniform(-0.1, 0.1, size=(100, 1))

    layers = [TanhLayer(1, 6, std=1.0, bias=-0.5), LinearLayer(6, 1, std=1.0, bias=0.5)]
    nn = NeuralNetwork(layers, SumSquaresError())
    nn._gradient_check()
    for step in range(100000):
        if step % 10000 == 0:
            print("step %6d, cost %f" % (step, nn.cost(x, t)))
        nn.fit(x, t, learning_rate=0.001)

    x_test = np.linspace(0, 1, 1000)[:, np.newaxis]
    y = nn(x_test)
    plt.scatter(x, t, alpha=0.5, label="observation")
    plt.plot(x_test, curve(x_test), color="blue", label=r"$x+0.3\sin(2\pi x)$")
    plt.plot(x_test, y, color="red", label="regression")
    plt.legend(loc="upper left")
    plt.savefig("regression.png")
    print("distance", np.sqrt(np.mean((y - curve(x_test)) ** 2)))


if __name__ == "__main__":
    np.random.seed(0)
    main()
