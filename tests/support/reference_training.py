"""A whole training in plain NumPy, float64: what `fit` does without shuffling and dropout."""

import numpy as np

from fastnn.reference import ReferenceNetwork, ReferenceOptimizer


class ReferenceTraining:
    """The twin of a network in the hands of an optimizer.

    With L the cost of a batch, summed or averaged over its samples, the cost of a step is
    L + c Σ over the layers of l1 Σ|w| + l2/2 Σ w². c is 1 for a mean, and for a sum the share that
    the batch has in the samples, or in their weights. The optimizer sees the parameters of layers
    that are not frozen, and no others.
    """

    def __init__(self, network, optimizer):
        self.network, self.optimizer = ReferenceNetwork.like(network), ReferenceOptimizer(optimizer)
        self.cost_function = self.network.cost_function
        self.mean = network.cost_function.reduction == "mean"
        self.penalties = [(layer.l1, layer.l2) for layer in network.layers]
        self.trained = np.concatenate([
            np.full(sum(getattr(layer, name).size for name in layer.trained), layer.trainable)
            for layer in network.layers
        ])  # fmt: skip

    @property
    def parameters(self):
        return self.network.parameters

    def cost_and_gradient(self, X, t, weights, share=1.0):
        """Cost of a batch, and its gradient as one vector; share: of the penalties."""
        plain, factors = self.cost_function, weights[:, np.newaxis]
        unit = 1 / len(X) if self.mean else 1.0
        logits = self.network.forward(X)[0][-1]
        costs = [plain.value(a, b) for a, b in zip(logits, t, strict=True)]
        self.network.cost_function = plain._replace(
            delta=lambda a, b: unit * factors * plain.delta(a, b)
        )
        pairs, _ = self.network.gradient(X, t)
        total = unit * np.dot(weights, costs)
        for (w, *_), (dw, *_), (l1, l2) in zip(
            self.network.weights, pairs, self.penalties, strict=True
        ):
            total += share * (l1 * np.abs(w).sum() + l2 / 2 * (w**2).sum())
            dw += share * (l1 * np.sign(w) + l2 * w)
        return total, np.concatenate([array.ravel() for pair in pairs for array in pair])

    def step(self, X, t, weights, rate=None, share=1.0):
        """One step; returns the cost before it."""
        cost, gradient = self.cost_and_gradient(X, t, weights, share)
        theta, trained = self.parameters, self.trained
        theta[trained] = self.optimizer.step(theta[trained], gradient[trained], rate, f=cost)
        for array in (array for pair in self.network.weights for array in pair):
            array[...], theta = theta[: array.size].reshape(array.shape), theta[array.size :]
        return cost

    def fit(self, X, t, epochs, batch=None, weights=None):
        """Epochs over the samples in their order; returns the cost of each."""
        weights = np.ones(len(X)) if weights is None else np.asarray(weights, np.float64)
        batch, costs = batch or len(X), []
        for _ in range(epochs):
            parts = [slice(start, start + batch) for start in range(0, len(X), batch)]
            found = [
                self.step(X[part], t[part], weights[part], share=self.share(weights, part))
                for part in parts
            ]
            # of a mean, each batch counts by its samples
            shares = [len(X[part]) / len(X) if self.mean else 1.0 for part in parts]
            costs.append(np.dot(shares, found))
        return np.array(costs)

    def share(self, weights, part):
        """What the penalties of a step are multiplied by."""
        return 1.0 if self.mean else weights[part].sum() / weights.sum()
