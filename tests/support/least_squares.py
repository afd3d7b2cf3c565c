"""Levenberg-Marquardt and the evidence in plain NumPy: what compiled minimizations must find."""

import numpy as np

from fastnn.reference.losses import COSTS
from fastnn.reference.network import ReferenceNetwork


class LeastSquares:
    """Residuals √w (y − t) of a network, and their derivatives, one sample and output at a time."""

    def __init__(self, network, x, t, weights=None):
        self.network, self.x, self.t = network, np.asarray(x, float), np.asarray(t, float)
        self.roots = np.sqrt(np.ones(len(x)) if weights is None else weights)[:, np.newaxis]
        sizes = [sum(getattr(k, name).size for name in k.trained) for k in network.layers]
        self.trained = np.repeat([layer.trainable for layer in network.layers], sizes)

    def at(self, theta):
        """Residuals (rows · outputs,) and J (rows · outputs, trained parameters)."""
        twin = ReferenceNetwork.like(self.network)
        twin.cost_function, place = COSTS["SumSquaresError"], 0
        for arrays in twin.weights:
            for array in arrays:
                array[...] = theta[place : place + array.size].reshape(array.shape)
                place += array.size
        y = twin.forward(self.x)[0][-1]
        rows = []
        for x, output, root in zip(
            self.x[:, np.newaxis], y[:, np.newaxis], self.roots, strict=True
        ):
            for unit in np.eye(y.shape[1]):  # the error of output k alone is the k-th unit vector
                parts = twin.gradient(x, output - unit)[0]
                flat = np.concatenate([part.ravel() for layer in parts for part in layer])
                rows.append(root * flat[self.trained])
        return (self.roots * (y - self.t)).ravel(), np.array(rows)

    def minimize(self, iterations, scale=1.0, decay=0.0, mu=1e-3, up=10.0, down=0.1):
        """The parameters after each of some iterations; decay: of all trained parameters."""
        theta, path = self.network.parameters.astype(float), []
        size = self.trained.sum()

        def cost(point):
            r = self.at(point)[0]
            return 0.5 * (scale * r @ r + np.sum(decay * point[self.trained] ** 2))

        for _ in range(iterations):
            r, J = self.at(theta)
            ridge = np.broadcast_to(decay, size)
            matrix, before = scale * J.T @ J + np.diag(ridge), cost(theta)
            gradient = scale * J.T @ r + ridge * theta[self.trained]
            while True:
                trial = theta.copy()
                trial[self.trained] -= np.linalg.solve(matrix + mu * np.eye(size), gradient)
                if cost(trial) < before:
                    break
                mu *= up
            mu *= down
            theta = trial
            path.append(theta)
        return path

    def evidence(self, theta, alpha, beta):
        """What Bishop's equations 3.86, 3.91 and 3.92 make of α and β: log evidence, γ, α, β."""
        r, J = self.at(theta)
        p, n = theta[self.trained], len(r)
        A = beta * J.T @ J + alpha * np.eye(p.size)
        energy = 0.5 * (beta * r @ r + alpha * p @ p)
        log_evidence = -energy - 0.5 * np.linalg.slogdet(A)[1] + 0.5 * p.size * np.log(alpha)
        log_evidence += 0.5 * n * np.log(beta / (2 * np.pi))
        gamma = p.size - alpha * np.trace(np.linalg.inv(A))
        return log_evidence, gamma, gamma / (p @ p), (n - gamma) / (r @ r)

    def deviations(self, theta, alpha, beta, x):
        """√(1/β + j A⁻¹ jᵀ) of each output at the samples x."""
        J = self.at(theta)[1]
        A = beta * J.T @ J + alpha * np.eye(J.shape[1])
        width = self.t.shape[1]
        there = LeastSquares(self.network, x, np.zeros((len(x), width))).at(theta)[1]
        spread = np.einsum("ip,pq,iq->i", there, np.linalg.inv(A), there)
        return np.sqrt(1 / beta + spread).reshape(-1, width)
