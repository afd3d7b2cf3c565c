"""The table of initial weights: one entry says all there is to know about an initializer.

A matrix of weights has the shape (fan_in, fan_out): a row for each input of the layer, a column
for each of its outputs. U(a, b) is the uniform distribution, N(m, s) the normal one of mean m and
standard deviation s, and N₂ the normal one cut off at two standard deviations.

>>> for spec in INITIALIZERS.values():
...     print(f"{spec.name:17}{spec.formula}")
zeros            0
constant         value
uniform          U(low, high)
normal           N(mean, std)
truncated_normal N₂(0, std)
glorot_uniform   U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))
glorot_normal    N₂ of standard deviation gain sqrt(2 / (fan_in + fan_out))
he_uniform       U(-a, a), a = gain sqrt(6 / fan_in)
he_normal        N₂ of standard deviation gain sqrt(2 / fan_in)
lecun_uniform    U(-a, a), a = gain sqrt(3 / fan_in)
lecun_normal     N₂ of standard deviation gain sqrt(1 / fan_in)
orthogonal       gain Q, Q of orthonormal rows or columns, whichever are fewer
siren            U(-a, a), a = sqrt(6 / fan_in) / omega
siren_first      U(-1 / fan_in, 1 / fan_in)

To add an initializer: a function of ``(shape, rng, **parameters)`` and an entry here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._core.arrays import Array, convert, count, number
from ._core.random import RNG, uniform_source
from ._core.table import Spec, Table
from .kernels.codegen.compiler import imported

__all__ = ["INITIALIZERS", "Init", "Initializer", "Row", "find", "get_init", "truncated_normal"]

Shape: TypeAlias = tuple[int, ...]

# Standard deviation of the standard normal distribution once it is cut off at ±2: its variance is
# 1 - 4 φ(2) / (Φ(2) - Φ(-2)), with φ(2) = exp(-2) / sqrt(2π) and Φ(2) - Φ(-2) = erf(sqrt(2)).
_CUT_OFF_STD = math.sqrt(1.0 - 4.0 * math.exp(-2.0) / math.sqrt(2.0 * math.pi) / math.erf(2.0**0.5))


def truncated_normal(shape: Shape, std: float, rng: RNG) -> Array:
    """Normal numbers of mean 0 and scale `std`, cut off at two standard deviations.

    Drawn by inversion: one uniform number u gives Φ⁻¹(Φ(-2) + u (Φ(2) - Φ(-2))). Without `rng`
    the uniform numbers are those of ``np.random``, so ``np.random.seed`` fixes them. The cut makes
    the standard deviation of the result 0.88 `std`.
    """
    special = imported("scipy.special")
    low, high = special.ndtr(-2.0), special.ndtr(2.0)
    u = uniform_source(rng).uniform(size=shape)
    return np.asarray(std * special.ndtri(low + u * (high - low)))


def _zeros(shape: Shape, rng: RNG) -> Array:
    return np.zeros(shape)


def _constant(shape: Shape, rng: RNG, value: float) -> Array:
    return np.full(shape, value)


def _uniform(shape: Shape, rng: RNG, low: float, high: float) -> Array:
    return np.asarray(uniform_source(rng).uniform(low, high, size=shape))


def _normal(shape: Shape, rng: RNG, mean: float, std: float) -> Array:
    return np.asarray(uniform_source(rng).normal(mean, std, size=shape))


def _truncated_normal(shape: Shape, rng: RNG, std: float) -> Array:
    return truncated_normal(shape, std, rng)


def _uniform_of_deviation(shape: Shape, rng: RNG, deviation: float) -> Array:
    limit = math.sqrt(3.0) * deviation
    return _uniform(shape, rng, -limit, limit)


def _normal_of_deviation(shape: Shape, rng: RNG, deviation: float) -> Array:
    return truncated_normal(shape, deviation / _CUT_OFF_STD, rng)


def _glorot(fan_in: int, fan_out: int) -> float:
    return 2.0 / (fan_in + fan_out)


def _he(fan_in: int, fan_out: int) -> float:
    return 2.0 / fan_in


def _lecun(fan_in: int, fan_out: int) -> float:
    return 1.0 / fan_in


def _scaled(
    distribution: Callable[[Shape, RNG, float], Array], variance: Callable[[int, int], float]
) -> Callable[..., Array]:
    """The function of an entry that fits the variance of the weights to the size of the layer."""

    def draw(shape: Shape, rng: RNG, gain: float) -> Array:
        return distribution(shape, rng, gain * math.sqrt(variance(*shape)))

    return draw


def _orthogonal(shape: Shape, rng: RNG, gain: float) -> Array:
    """Haar distributed: the Q of a normal matrix, by the one QR whose R has a positive diagonal.

    Without the signs LAPACK's own choice shows in Q. Mezzadri, *How to generate random matrices
    from the classical compact groups*, Notices of the AMS 54 (2007).
    """
    tall = max(shape), min(shape)
    q, r = np.linalg.qr(uniform_source(rng).normal(size=tall))
    q *= np.copysign(gain, np.diagonal(r))
    return np.asarray(q if shape[0] >= shape[1] else q.T)


def _siren(shape: Shape, rng: RNG, omega: float) -> Array:
    limit = math.sqrt(6.0 / shape[0]) / omega
    return _uniform(shape, rng, -limit, limit)


def _siren_first(shape: Shape, rng: RNG) -> Array:
    return _uniform(shape, rng, -1.0 / shape[0], 1.0 / shape[0])


def _ordered(low: float, high: float) -> None:
    if not 0.0 <= high - low < math.inf:
        raise ValueError(f"low must not be above high nor endlessly below: U({low}, {high})")


@dataclass(frozen=True, eq=False)
class Row(Spec):
    """One entry of the table.

    Attributes
    ----------
    name : str
        The name under which layers know it.
    formula : str
        Distribution of the weights, as text.
    function : callable
        Draws the weights, from the shape, the rng and the parameters.
    parameters : mapping
        Names and defaults of the parameters.
    aliases : tuple of str
        Other names it goes by.
    check : callable or None
        Takes the parameters and raises ValueError if they do not go together.

    """

    name: str
    formula: str
    function: Callable[..., Array]
    parameters: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    check: Callable[..., None] | None = None

    def __call__(self, shape: Shape, rng: RNG, **parameters: float) -> Array:
        """Weights of that shape."""
        return self.function(shape, rng, **parameters)

    def limit(self, name: str) -> str:
        """What a parameter must be, whatever the entry."""
        if name == "omega":
            return "above 0"
        return "at least 0" if name in ("std", "gain") else "any number"

    def converted(self, name: str, default: Any, value: Any) -> float:
        """A number."""
        return number(name, value)

    def unknown(self, names: str, known: str) -> str:
        """What is said of parameters that the entry does not have."""
        return f"{self.name} has no parameter {names}; known: {known}"

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters: those given, and the defaults of the others."""
        values = super().checked(given)
        if self.check is not None:
            self.check(**values)
        return values


_GAIN = {"gain": 1.0}

_SPECS = (
    Row("zeros", "0", _zeros),
    Row("constant", "value", _constant, {"value": 0.0}),
    Row("uniform", "U(low, high)", _uniform, {"low": -0.05, "high": 0.05}, check=_ordered),
    Row("normal", "N(mean, std)", _normal, {"mean": 0.0, "std": 1.0}),
    Row("truncated_normal", "N₂(0, std)", _truncated_normal, {"std": 1.0}),
    Row(
        "glorot_uniform",
        "U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))",
        _scaled(_uniform_of_deviation, _glorot),
        _GAIN,
        ("glorot", "xavier", "xavier_uniform"),
    ),
    Row(
        "glorot_normal",
        "N₂ of standard deviation gain sqrt(2 / (fan_in + fan_out))",
        _scaled(_normal_of_deviation, _glorot),
        _GAIN,
        ("xavier_normal",),
    ),
    Row(
        "he_uniform",
        "U(-a, a), a = gain sqrt(6 / fan_in)",
        _scaled(_uniform_of_deviation, _he),
        _GAIN,
        ("he", "kaiming", "kaiming_uniform"),
    ),
    Row(
        "he_normal",
        "N₂ of standard deviation gain sqrt(2 / fan_in)",
        _scaled(_normal_of_deviation, _he),
        _GAIN,
        ("kaiming_normal",),
    ),
    Row(
        "lecun_uniform",
        "U(-a, a), a = gain sqrt(3 / fan_in)",
        _scaled(_uniform_of_deviation, _lecun),
        _GAIN,
        ("lecun",),
    ),
    Row(
        "lecun_normal",
        "N₂ of standard deviation gain sqrt(1 / fan_in)",
        _scaled(_normal_of_deviation, _lecun),
        _GAIN,
    ),
    Row(
        "orthogonal",
        "gain Q, Q of orthonormal rows or columns, whichever are fewer",
        _orthogonal,
        _GAIN,
    ),
    Row("siren", "U(-a, a), a = sqrt(6 / fan_in) / omega", _siren, {"omega": 30.0}),
    Row("siren_first", "U(-1 / fan_in, 1 / fan_in)", _siren_first),
)

INITIALIZERS: Table[Row] = Table("initializer", _SPECS)
"""All entries, by name."""


def find(name: str) -> Row:
    """The entry of that name or alias; case, hyphens and underscores do not matter.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest known names.

    Examples
    --------
    >>> find("Xavier").formula
    'U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))'

    """
    return INITIALIZERS.find(name)


@dataclass(frozen=True, eq=False, repr=False)
class Initializer:
    """Initial weights, to be drawn once the shape is known; made by `get_init`.

    Attributes
    ----------
    name : str
        Of the entry in the table; for other sources ``"matrix"`` or the name of the callable.
    parameters : mapping
        All of them, with their values.
    draw : callable
        Gives weights, from the shape, the rng and the parameters.

    """

    name: str
    parameters: Mapping[str, float]
    draw: Callable[..., npt.ArrayLike]

    def __call__(self, shape: Sequence[int], rng: RNG = None) -> Array:
        """Weights of that shape, drawn anew.

        Parameters
        ----------
        shape : (fan_in, fan_out)
            Numbers of inputs and of outputs, at least one each.
        rng : None, int, numpy.random.Generator or RandomState
            Source of the random numbers; None takes the global ``np.random``.

        Returns
        -------
        array (fan_in, fan_out)
            Of float64, C-contiguous, and the caller's own.

        Raises
        ------
        ValueError
            If the weights turn out to have another shape, or are not finite.

        """
        fans = _fans(shape)
        uniform_source(rng)  # refuses a wrong one, even where no numbers are drawn
        given = self.draw(fans, rng, **self.parameters)
        weights = np.array(convert("initial weights", given), dtype=np.float64, order="C")
        if weights.shape != fans:
            raise ValueError(
                f"initial weights from {self} have shape {weights.shape}, expected {fans}"
            )
        if not np.isfinite(weights).all():
            raise ValueError(f"initial weights from {self} are not finite")
        return weights

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.parameters.items())})"


class _Matrix:
    """Draws the same weights each time."""

    def __init__(self, values: Array) -> None:
        self.values = values

    def __call__(self, shape: Shape, rng: RNG) -> Array:
        return self.values


Init: TypeAlias = str | Initializer | npt.ArrayLike | Callable[[Shape, RNG], npt.ArrayLike]
"""A name, an initializer, the weights themselves, or a function that makes them."""


def get_init(init: Init, **parameters: Any) -> Initializer:
    """The initializer of that name, or one made of what the caller has.

    Parameters
    ----------
    init : str, Initializer, array (fan_in, fan_out) or callable
        Name of an entry of ``fastnn.initializers.INITIALIZERS``; or the weights themselves, which
        are copied; or a function of ``(shape, rng)`` that returns them, where rng is what the
        caller of the initializer gave: None, an int or a Generator.
    **parameters : float
        Of the named entry; those not given take their defaults.

    Returns
    -------
    Initializer
        To be called with ``((fan_in, fan_out), rng)``.

    Raises
    ------
    ValueError
        If the name is unknown, or a parameter or the weights are out of range.
    TypeError
        If a parameter is unknown or no number, or `init` is nothing of the above.

    Notes
    -----
    Weights of the glorot entries keep the variance of signals and gradients through layers that
    are linear near 0, like tanh [1]_; those of the he entries through ReLU layers [2]_; those of
    the lecun entries that of the signals alone [3]_. `gain` multiplies the standard deviation, 5/3
    being usual for tanh. Orthogonal weights keep lengths, so that the time it takes to train a deep
    linear network does not grow with its depth [4]_.

    The siren entries are for layers of the activation ``sin`` [5]_: ``siren_first`` for the first
    one, ``siren`` for those that follow. With the same omega as the layer's, the arguments of all
    sines but the first then have a standard deviation of 1, however many layers there are.

    The bare names ``glorot`` or ``xavier``, ``he`` or ``kaiming``, and ``lecun`` all mean the
    uniform entry. That is the distribution of [1]_, while [2]_ draws from a normal one.

    In the entries ``*_normal`` the distribution is widened before it is cut off, so that the
    standard deviation after the cut is the one of the formula, as in Keras; no weight exceeds 2.27
    times that. In the entry ``truncated_normal`` it is not: `std` is that of the whole normal
    distribution, and after the cut 0.88 of it is left.

    References
    ----------
    .. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010, eq. 12 and 16.
    .. [2] K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015, eq. 10.
    .. [3] Y. LeCun, L. Bottou, G. B. Orr and K.-R. Müller, "Efficient BackProp", in *Neural
       Networks: Tricks of the Trade*, 1998, section 4.6.
    .. [4] A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks", ICLR 2014.
    .. [5] V. Sitzmann, J. N. P. Martel, A. W. Bergman, D. B. Lindell and G. Wetzstein, "Implicit
       neural representations with periodic activation functions", NeurIPS 2020, section 3.2.

    Examples
    --------
    >>> init = get_init("xavier", gain=5 / 3)
    >>> init
    glorot_uniform(gain=1.6666666666666667)
    >>> init((4, 3), rng=0).shape
    (4, 3)
    >>> get_init([[1, 2], [3, 4]])((2, 2))
    array([[1., 2.],
           [3., 4.]])
    >>> get_init(lambda shape, rng: np.eye(*shape))((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]])

    """
    if isinstance(init, str):
        spec = find(init)
        return Initializer(spec.name, spec.checked(parameters), spec)
    if parameters:
        raise TypeError(
            f"parameters go with a name only, but init is no str: {', '.join(parameters)}"
        )
    if isinstance(init, Initializer):
        return init
    if callable(init):
        return Initializer(getattr(init, "__name__", type(init).__name__), {}, init)
    return Initializer("matrix", {}, _Matrix(_matrix(init)))


def _matrix(value: npt.ArrayLike) -> Array:
    """A copy of the caller's weights."""
    try:
        matrix = convert("init", value, np.dtype(np.float64)).copy()
    except TypeError as error:
        raise TypeError(
            f"init must be a name, a matrix, a callable or an Initializer: {error}"
        ) from error
    if matrix.ndim != 2 or not matrix.size:
        hint = '; get_init("constant", value=…) repeats a number' if matrix.ndim == 0 else ""
        raise ValueError(f"init has shape {matrix.shape}, expected (fan_in, fan_out){hint}")
    if not np.isfinite(matrix).all():
        raise ValueError("init must hold finite numbers only")
    return matrix


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    try:
        fan_in, fan_out = shape
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"shape must be (fan_in, fan_out), not {shape!r}") from error
    return count("fan_in", fan_in, least=1), count("fan_out", fan_out, least=1)
