"""Levenberg-Marquardt's numbers: a method of `fit`, and no update rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from .._core.arrays import count, number, positive
from .._core.names import same_name

__all__ = ["NAME", "LevenbergMarquardt", "is_meant"]

NAME = "LM"
_NAMES = NAME, "Levenberg-Marquardt"


def is_meant(name: object) -> bool:
    """Whether that is a name of this method, in any spelling."""
    return isinstance(name, str) and any(same_name(name, known) for known in _NAMES)


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Least squares by Levenberg-Marquardt, for `NeuralNetwork.fit`: MATLAB's ``trainlm``.

    Every epoch is an iteration on all samples, θ ← θ + d with

        (JᵀJ + diag(l2) + μ) d = −∇cost

    where J are the derivatives of the residuals, scaled so that half the sum of their squares is
    the cost. A step that lowers the cost is taken, and μ gets smaller; else it is tried again with
    a larger μ. Everything is computed in float64; a float32 network gets the result, rounded.

    Parameters
    ----------
    mu : float
        The damping μ at first.
    mu_increase : float
        Its factor after a step that lowers nothing, or is not finite; above 1.
    mu_decrease : float
        Its factor after a step that is taken; above 0, below 1.
    mu_max : float
        The training ends with a larger μ.
    gradient_tolerance : float
        It ends where the gradient is no longer than that, in the Euclidean norm.
    goal : float
        It ends with the first cost that is at most this.
    max_fail : int or None
        With validation data it ends when their cost has not been lower than the best for so many
        epochs, and the parameters are those of the best then, however it ends. None, or where
        noise and decay are estimated: it does not.
    bayesian : bool
        Whether noise and decay are estimated, as ``trainbr`` does: the cost that is minimized is
        β/2 Σ (y − t)² + α/2 Σ θ², and once it falls slowly, by less than a hundredth, every
        iteration begins with new α and β from the evidence.
        ``network.posterior`` is the result, and ``network.predict(X, return_std=True)`` has error
        bars then.

    Raises
    ------
    TypeError, ValueError
        For numbers out of their range.

    References
    ----------
    D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM
    Journal on Applied Mathematics 11, 1963; M. T. Hagan and M. B. Menhaj, "Training feedforward
    networks with the Marquardt algorithm", IEEE Transactions on Neural Networks 5, 1994. The
    evidence: D. J. C. MacKay, "Bayesian interpolation", Neural Computation 4, 1992; F. D. Foresee
    and M. T. Hagan, "Gauss-Newton approximation to Bayesian learning", ICNN 1997.

    Examples
    --------
    >>> import fastnn, numpy as np
    >>> x = np.linspace(-1, 1, 41)[:, np.newaxis]
    >>> layers = [fastnn.TanhLayer(1, 5, rng=1), fastnn.LinearLayer(5, 1, rng=2)]
    >>> nn = fastnn.NeuralNetwork(layers, fastnn.MeanSquaredError())
    >>> method = fastnn.get_opt("LM", goal=0.002)
    >>> history = nn.fit(x, np.sin(np.pi * x), optimizer=method, epochs=1000)
    >>> len(history) < 100, history.stopped
    (True, 'LM has converged: the cost is at most 0.002, the goal')

    """

    mu: float = 1e-3
    mu_increase: float = 10.0
    mu_decrease: float = 0.1
    mu_max: float = 1e10
    gradient_tolerance: float = 1e-7
    goal: float = 0.0
    max_fail: int | None = 6
    bayesian: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        checked: dict[str, Any] = {
            "mu": positive("mu", self.mu),
            "mu_increase": _above_one("mu_increase", self.mu_increase),
            "mu_decrease": positive("mu_decrease", self.mu_decrease),
            "mu_max": number("mu_max", self.mu_max, least=0.0),
            "gradient_tolerance": number("gradient_tolerance", self.gradient_tolerance, least=0.0),
            "goal": number("goal", self.goal, least=0.0),
        }
        if checked["mu_decrease"] >= 1.0:
            raise ValueError(f"mu_decrease is {self.mu_decrease}, expected less than 1")
        if checked["mu_max"] < checked["mu"]:
            raise ValueError(f"mu_max is {self.mu_max}, expected at least mu, {self.mu}")
        if self.max_fail is not None:
            checked["max_fail"] = count("max_fail", self.max_fail, least=1)
        if not isinstance(self.bayesian, bool):
            raise TypeError(f"bayesian is {self.bayesian!r}, expected True or False")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def step(self, *arguments: Any, **named: Any) -> NoReturn:
        """Refuse: there is no step from a gradient alone."""
        refuse()

    def update(self, *arguments: Any, **named: Any) -> NoReturn:
        """Refuse, as `step`."""
        refuse()


def _above_one(name: str, value: Any) -> float:
    found = number(name, value)
    if found <= 1.0:
        raise ValueError(f"{name} is {value}, expected more than 1")
    return found


def refuse() -> NoReturn:
    """Say that the method goes by no steps of a rule."""
    raise ValueError(
        f"{NAME} is no update rule, it needs all samples and their derivatives at every step: "
        f'network.fit(X, t, optimizer="{NAME}")'
    )
