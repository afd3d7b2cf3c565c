"""The table of update rules, which turn gradients into new parameters, and `get_opt`.

To add a rule: its functions in ``kernels/optimizers.py``, its twin in
``fastnn/reference/optimizers``, and a row here. Engine, compiled models, `get_opt`, documentation
and tests take it from there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import Array
from ._names import lookup
from ._optimizer import Optimizer
from ._rule import Rule
from .kernels import optimizers as kernels

__all__ = ["RULES", "Optimizer", "Rule", "get_opt"]

_BETAS = {"beta1": 0.9, "beta2": 0.999}
_ADAM = {"alpha": 1e-3, **_BETAS, "eps": 1e-8}
_INSIDE, _OUTSIDE = {"eps_placement": "inside"}, {"eps_placement": "outside"}
_SANTA = {
    "eta": 1e-2, "sigma": 0.95, "lambda_": 1e-8, "anne_func": None, "anne_rate": 0.5,
    "burnin": 100, "C": 5, "N": 16,
}  # fmt: skip
_BOUNDED = {"alpha": 1e-3, "eta": 1e-1, **_BETAS, "eps": 1e-8, "variant": "paper"}


def _first_rate(optimizer: Optimizer) -> float:
    return float(optimizer.schedule(0))


def _santa_u(optimizer: Optimizer, size: int) -> Array:
    rng = np.random.default_rng(optimizer._seed)
    return np.asarray(np.sqrt(_first_rate(optimizer)) * rng.standard_normal(size))


def _santa_alpha(optimizer: Optimizer, size: int) -> float:
    return float(np.sqrt(_first_rate(optimizer)) * optimizer.hyper["C"])


_SANTA_STATES = {"u": _santa_u, "v": 0.0, "g": 0.0, "alpha": _santa_alpha}
_SANTA_PEERS = "no peer has it"
_CHEN = (
    "Chen, Carlson, Gan, Li and Carin, Bridging the gap between stochastic gradient MCMC and "
    "stochastic optimization, 2016, arXiv:1512.07962"
)
_KINGMA = "Kingma and Ba, Adam: a method for stochastic optimization, 2015, arXiv:1412.6980"
_DOZAT = "Dozat, Incorporating Nesterov momentum into Adam, 2016"
_REDDI = "Reddi, Kale and Kumar, On the convergence of Adam and beyond, 2018, arXiv:1904.09237"
_LUO = (
    "Luo, Xiong, Liu and Sun, Adaptive gradient methods with dynamic bound of learning rate, "
    "2019, arXiv:1902.09843"
)
_EPS = "the same with eps_placement='outside'"

_ROWS = (
    Rule(
        "SGD", "p -= eta g", kernels.sgd, kernels.sgd_constants, "eta", {"eta": 1e-2},
        peers="PyTorch, Keras and optax: the same",
    ),
    Rule(
        "MSGD", "v = mu v - (1 - mu) eta g, p += v",
        kernels.momentum, kernels.momentum_constants, "eta", {"eta": 1e-2, "mu": 0.9},
        {"velocity": 0.0},
        peers="PyTorch (dampening=0), Keras and optax: the same with (1 - mu) eta as their rate",
        reference="Polyak, Some methods of speeding up the convergence of iteration methods, 1964",
    ),
    Rule(
        "NAG", "v' = mu v - (1 - mu) eta g, p += (1 + mu) v' - mu v; p stands where v looks ahead",
        kernels.nesterov, kernels.momentum_constants, "eta", {"eta": 1e-2, "mu": 0.9},
        {"velocity": 0.0}, ahead=kernels.momentum,
        peers="PyTorch, Keras and optax with nesterov=True: the same with (1 - mu) eta as rate",
        reference="Nesterov, 1983; in this form Sutskever, Martens, Dahl and Hinton, 2013",
    ),
    Rule(
        "AdaGrad", "s += g², p -= eta g / sqrt(s); 0 where s is 0",
        kernels.adagrad, kernels.sgd_constants, "eta", {"eta": 1e-3}, {"s": 0.0},
        peers="PyTorch adds eps=1e-10 to the root; Keras and optax begin s with 0.1",
        reference="Duchi, Hazan and Singer, Adaptive subgradient methods, 2011",
    ),
    Rule(
        "RMSprop", "v = rho v + (1 - rho) g², p -= eta g / sqrt(v + eps)",
        kernels.rmsprop, kernels.rmsprop_constants, "eta",
        {"eta": 1e-2, "rho": 0.99, "eps": 1e-8, **_INSIDE}, {"v": 0.0},
        peers=f"PyTorch: {_EPS}; optax: as here; Keras: inside, rho=0.9",
        reference="Tieleman and Hinton, Neural networks for machine learning, lecture 6.5, 2012",
    ),
    Rule(
        "AdaDelta", "d = g sqrt(u + eps) / sqrt(v + eps), p -= d; v and u the means of g² and d²",
        kernels.adadelta, kernels.adadelta_constants, "learning_rate",
        {"learning_rate": 1.0, "rho": 0.95, "eps": 1e-6}, {"v": 0.0, "u": 0.0},
        peers="PyTorch, Keras and optax: the same, with other defaults",
        reference="Zeiler, ADADELTA: an adaptive learning rate method, 2012, arXiv:1212.5701",
    ),
    Rule(
        "Adam", "p -= alpha m' / sqrt(v' + eps), m' and v' the corrected means of g and g²",
        kernels.adam, kernels.adam_constants, "alpha", {**_ADAM, **_INSIDE}, {"m": 0.0, "v": 0.0},
        peers=f"PyTorch and optax: {_EPS}; Keras: outside too, before the correction",
        reference=_KINGMA,
    ),
    Rule(
        "RMSpropGraves",
        "d = momentum d - eta g / sqrt(v - m² + eps), p += d; m and v the means of g and g²",
        kernels.graves, kernels.graves_constants, "eta",
        {"eta": 1e-4, "rho": 0.95, "eps": 1e-4, "momentum": 0.0}, {"m": 0.0, "v": 0.0, "d": 0.0},
        peers="optax's rmsprop with centered=True: the same; PyTorch's adds eps to the root",
        reference="Graves, Generating sequences, 2013, arXiv:1308.0850, eqs. 38-45 (momentum 0.9)",
    ),
    Rule(
        "SMORMS3",
        "r = 1 / (1 + s); m, v means of g, g² with r; z = m² / (v + eps); "
        "p -= g min(eta, z) / sqrt(v + eps); s = 1 + (1 - z) s",
        kernels.smorms3, kernels.smorms3_constants, "eta", {"eta": 1e-3, "eps": 1e-8},
        {"m": 0.0, "v": 0.0, "memory": 1.0}, peers="no peer has it",
        reference="Funk, RMSprop loses to SMORMS3 - beware the epsilon!, 2015",
    ),
    Rule(
        "AdaMax", "u = max(beta2 u, |g|), p -= alpha m' / u, m' the corrected mean of g",
        kernels.adamax, kernels.adamax_constants, "alpha", {"alpha": 2e-3, **_BETAS},
        {"m": 0.0, "u": 0.0},
        peers="PyTorch and optax add eps to |g|, Keras to u",
        reference=f"{_KINGMA}, algorithm 2",
    ),
    Rule(
        "Nadam",
        "p -= alpha (mu m / (1 - mu^(t+1)) + (1 - mu) g / (1 - mu^t)) / sqrt(nu v' + eps)",
        kernels.nadam, kernels.nadam_constants, "alpha",
        {"alpha": 2e-3, "mu": 0.975, "nu": 0.999, "eps": 1e-8, **_INSIDE}, {"m": 0.0, "v": 0.0},
        peers="optax's nadam: with eps_placement='outside', which leaves out nu before v'; PyTorch "
        "and Keras let mu grow by 0.96^(t/250)",
        reference=_DOZAT,
    ),
    Rule(
        "Eve", "Adam with the rate divided by d, the mean of the relative change of the loss",
        kernels.adam, kernels.eve_constants, "alpha",
        {"alpha": 1e-3, **_BETAS, "beta3": 0.999, "c": 10, "eps": 1e-8, "fstar": 0},
        {"m": 0.0, "v": 0.0}, advance=kernels.eve_advance, memory={"d": 1.0, "f": 0.0},
        limits={"c": "at least 1", "fstar": "any number"}, needs_loss=True, peers="no peer has it",
        reference="Hayashi, Koushik and Neubig, Eve, 2016, arXiv:1611.01505 v3",
    ),
    Rule(
        "SantaE", "u = (1 - a) u - eta G g + heat and noise until burnin, p += G u",
        kernels.santa_e, kernels.santa_constants, "eta", _SANTA, _SANTA_STATES,
        limits={"N": "above 0"}, noisy=True, tries=True, peers=_SANTA_PEERS,
        reference=f"{_CHEN}, the Euler scheme",
    ),
    Rule(
        "SantaSSS", "the same by symmetric splitting, p += G (u + u') / 2",
        kernels.santa_sss, kernels.santa_constants, "eta", _SANTA, _SANTA_STATES,
        limits={"N": "above 0"}, noisy=True, tries=True, peers=_SANTA_PEERS,
        reference=f"{_CHEN}, algorithm 1",
    ),
    Rule(
        "AMSGrad", "p -= alpha / sqrt(t) m / sqrt(w + eps), w the largest mean of g² so far",
        kernels.amsgrad, kernels.amsgrad_constants, "alpha", {**_ADAM, **_INSIDE},
        {"m": 0.0, "v": 0.0, "vhat": 0.0},
        peers="PyTorch and Keras: with eps_placement='outside', which corrects the means and "
        "leaves out sqrt(t)",
        reference=_REDDI,
    ),
    Rule(
        "AdaBound", "p -= clip(alpha / sqrt(v), l_t, u_t) / sqrt(t) m, bounds that close on eta",
        kernels.adabound, kernels.adabound_constants, "alpha", _BOUNDED, {"m": 0.0, "v": 0.0},
        peers="the authors' package: variant='authors', which corrects the means and leaves out "
        "sqrt(t); with a schedule it scales eta too",
        reference=_LUO,
    ),
    Rule(
        "AMSBound", "AdaBound with the largest v so far",
        kernels.amsbound, kernels.adabound_constants, "alpha", _BOUNDED,
        {"m": 0.0, "v": 0.0, "vhat": 0.0}, peers="as AdaBound", reference=_LUO,
    ),
    Rule(
        "AdamW", "p -= alpha weight_decay p, then Adam with eps outside the root",
        kernels.adam, kernels.adam_constants, "alpha", {**_ADAM, **_OUTSIDE},
        {"m": 0.0, "v": 0.0}, weight_decay=0.01,
        peers="PyTorch: the same; Keras and optax: weight_decay 0.004 and 1e-4",
        reference="Loshchilov and Hutter, Decoupled weight decay, 2019, arXiv:1711.05101",
    ),
    Rule(
        "NadamW", "p -= alpha weight_decay p, then Nadam with eps outside the root",
        kernels.nadam, kernels.nadam_constants, "alpha", {**_ADAM, **_OUTSIDE},
        {"m": 0.0, "v": 0.0}, weight_decay=0.01,
        peers="optax: the same, weight_decay 1e-4; PyTorch: as its NAdam",
        reference=_DOZAT,
    ),
    Rule(
        "RAdam",
        "p -= alpha r sqrt(1 - beta2^t) m' / (sqrt(v) + eps), r the rectification; alpha m' before",
        kernels.radam, kernels.radam_constants, "alpha", _ADAM, {"m": 0.0, "v": 0.0},
        peers="PyTorch: the same; optax adds eps after the correction of v",
        reference="Liu et al., On the variance of the adaptive learning rate and beyond, 2020, "
        "arXiv:1908.03265",
    ),
    Rule(
        "Lion", "p -= alpha sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g",
        kernels.lion, kernels.lion_constants, "alpha", {"alpha": 1e-4, "beta1": 0.9, "beta2": 0.99},
        {"m": 0.0}, peers="optax: the same, with a weight decay; Keras: the same",
        reference="Chen et al., Symbolic discovery of optimization algorithms, 2023, "
        "arXiv:2302.06675",
    ),
    Rule(
        "AdaBelief", "Adam with s, the mean of (g - m)² plus eps at each step, in the place of v",
        kernels.belief, kernels.belief_constants, "alpha", {**_ADAM, "eps": 1e-16},
        {"m": 0.0, "s": 0.0},
        peers="optax: the same, with eps and eps_root; the authors' package: the same",
        reference="Zhuang et al., AdaBelief optimizer, 2020, arXiv:2010.07468",
    ),
    Rule(
        "Rprop",
        "p -= sign(g) d; d times eta_plus while the sign stays, eta_minus where it changes",
        kernels.rprop, kernels.rprop_constants, "eta",
        {"eta": 1e-2, "eta_minus": 0.5, "eta_plus": 1.2, "step_min": 1e-6, "step_max": 50.0},
        {"previous": 0.0, "step": lambda optimizer, size: _first_rate(optimizer)},
        limits={"eta_minus": "at least 0 and below 1", "eta_plus": "at least 1"},
        peers="PyTorch: the same",
        reference="Riedmiller and Braun, 1993; without weight backtracking, Igel and Hüsken, 2000",
    ),
)  # fmt: skip

RULES: dict[str, Rule] = {row.name: row for row in _ROWS}
"""All rows, by name."""
_ALIASES = {**RULES, "SDG": RULES["SGD"], "momentum": RULES["MSGD"], "Nesterov": RULES["NAG"]}


def find(name: str) -> Rule:
    """The row of that name; upper and lower case and hyphens do not matter."""
    return lookup("optimizer", name, _ALIASES)


def get_opt(name: str, *numbers: Any, **hyper: Any) -> Optimizer:
    """An optimizer by its name.

    Parameters
    ----------
    name : str
        Of a row of ``fastnn.optimizers.RULES``, see ``docs/optimizers.md``: SGD (also "SDG"),
        MSGD, NAG, AdaGrad, RMSprop, AdaDelta, Adam, RMSpropGraves, SMORMS3, AdaMax, Nadam, Eve,
        SantaE, SantaSSS, AMSGrad, AdaBound, AMSBound, AdamW, NadamW, RAdam, Lion, AdaBelief, Rprop.
    *numbers, **hyper
        The rule's own numbers under the articles' names and in their order (``eta`` or ``alpha``
        for the learning rate, also ``learning_rate``; ``beta1``, ``beta2``, ``eps``,
        ``eps_placement`` …), and for every rule those of `Optimizer`.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        For an unknown name (the message names the nearest) or a number out of its range.
    TypeError
        For a number that the rule does not have.

    Examples
    --------
    >>> get_opt("Adam", alpha=0.01)
    Adam(alpha=0.01, beta1=0.9, beta2=0.999, eps=1e-08, eps_placement='inside')

    """
    rule = find(name)
    return Optimizer(rule, **placed(rule, numbers, hyper))


def placed(rule: Rule, numbers: tuple[Any, ...], hyper: dict[str, Any]) -> dict[str, Any]:
    """Numbers given by place and by name, all by name."""
    if len(numbers) > len(rule.defaults):
        raise TypeError(
            f"{rule.name} takes {len(rule.defaults)} numbers ({', '.join(rule.defaults)}), "
            f"not {len(numbers)}"
        )
    found = dict(zip(rule.defaults, numbers, strict=False))
    twice = ", ".join(key for key in hyper if key in found)
    if twice:
        raise TypeError(f"{twice}: given twice to {rule.name}")
    return {**found, **hyper}


def resolve(given: Optimizer | str, last: Optimizer | None) -> Optimizer:
    """The optimizer that a caller means; the name of the last one goes on with its state."""
    if isinstance(given, str):
        found = get_opt(given)
        return last if last is not None and repr(last) == repr(found) else found
    if not isinstance(given, Optimizer):
        raise TypeError(f"optimizer must be a name or what fastnn.get_opt returns, not {given!r}")
    return given
