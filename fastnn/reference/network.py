"""A dense network in plain NumPy: forward, backpropagation, gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import find
from .losses import COSTS, Cost
from .vector_activations import KINDS

Array = npt.NDArray[np.float64]


class ReferenceNetwork:
    """The textbook's network (Bishop 2006, section 5.3), all in float64.

    Parameters
    ----------
    weights : tuples of arrays
        (w, b) of each layer, and what else its activation trains; copied.
    activations : names
        One a layer, with its parameters if it has any: ``"tanh"`` or ``("swish", 1.5)``.
    cost : str or Cost
        Name of a cost, or one with parameters.

    """

    def __init__(
        self,
        weights: Iterable[Iterable[npt.ArrayLike]],
        activations: Sequence[Any],
        cost: str | Cost,
    ) -> None:
        self.weights = [
            tuple(np.array(array, dtype=np.float64) for array in arrays) for arrays in weights
        ]
        self.activations = [a if isinstance(a, tuple) else (a,) for a in activations]
        self.cost_function = COSTS[cost] if isinstance(cost, str) else cost

    @classmethod
    def like(cls, network: Any) -> ReferenceNetwork:
        """The twin of a `fastnn.NeuralNetwork`."""
        return cls(
            [[getattr(layer, name) for name in layer.trained] for layer in network.layers],
            [
                (layer.activation.kernel, *layer.activation_parameters.values())
                for layer in network.layers
            ],
            COSTS[type(network.cost_function).__name__].bound(**network.cost_function.parameters),
        )

    def forward(self, X: npt.ArrayLike) -> tuple[list[Array], list[Array]]:
        """Inputs and activities of all layers; the last input is the logits."""
        x = np.asarray(X, dtype=np.float64)
        inputs, activities = [x], []
        for (w, b, *more), (name, *numbers) in zip(self.weights, self.activations, strict=True):
            activities.append(inputs[-1] @ w + b)
            function = KINDS[name].forward if name in KINDS else find(name)
            inputs.append(function(activities[-1], *more, *numbers))
        return inputs, activities

    def __call__(self, X: npt.ArrayLike) -> Array:
        """Output of the network."""
        return self.cost_function.activate(self.forward(X)[0][-1])

    def cost(self, X: npt.ArrayLike, t: npt.ArrayLike) -> float:
        """Cost, summed over the samples."""
        return self.cost_function.value(self.forward(X)[0][-1], np.asarray(t, dtype=np.float64))

    def gradient(self, X: npt.ArrayLike, t: npt.ArrayLike) -> tuple[list[tuple[Array, ...]], Array]:
        """Gradients of w, b and what else is trained of each layer, and of the input."""
        inputs, activities = self.forward(X)
        delta = self.cost_function.delta(inputs[-1], np.asarray(t, dtype=np.float64))
        gradients: list[tuple[Array, ...]] = []
        for k in reversed(range(len(self.weights))):
            name, *numbers = self.activations[k]
            more = self.weights[k][2:]
            if name in KINDS:
                result = KINDS[name].vjp(delta, activities[k], *more, *numbers)
                delta, *rest = result if more else (result,)
            else:
                delta = delta * find(f"{name}_derivative")(activities[k], *numbers)
                rest = []
            gradients.append((inputs[k].T @ delta, delta.sum(axis=0), *rest))
            delta = delta @ self.weights[k][0].T
        return gradients[::-1], delta

    def fit(self, X: npt.ArrayLike, t: npt.ArrayLike, learning_rate: float) -> None:
        """One step of gradient descent on all samples."""
        for arrays, gradients in zip(self.weights, self.gradient(X, t)[0], strict=True):
            for array, gradient in zip(arrays, gradients, strict=True):
                array -= learning_rate * gradient

    @property
    def parameters(self) -> Array:
        """All weights and biases in one vector, as `fastnn.NeuralNetwork.parameters` has them."""
        return np.concatenate([array.ravel() for arrays in self.weights for array in arrays])
