"""The table of update rules, which turn gradients into new parameters.

Each entry is a class of its name, whose docstring tells formula, numbers and sources:
``help(fastnn.optimizers.Lion)``.

To add a rule: its functions in ``kernels/optimizers``, its twin in
``fastnn/reference/optimizers``, and an entry here. Engine, compiled models, `get_opt`, classes,
documentation and tests take it from there.
"""

from __future__ import annotations

import numpy as np

from .._core.arrays import Array
from .._core.names import same_name
from .._core.table import Table
from ..kernels.optimizers import adam, adaptive, momentum, santa
from . import latex
from .optimizer import Optimizer
from .spec import Rule

__all__ = ["LBFGS", "RULES", "find"]

LBFGS = "L-BFGS"  # no rule, but a method of `fit`

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
_SANTA_FORMULA = (
    "v = sigma v + (1 - sigma) g² / N², G = 1 / sqrt(lambda_ + sqrt(v)); until burnin "
    "h = E (1 - G' / G) / u + sqrt(2 E G') n and afterwards 0, G' the G before, n normal noise, "
    "E = eta / t^anne_rate; {}; u and a begin as sqrt(eta) n and C sqrt(eta)"
)
_BOUNDS = (
    "l = eta (1 - 1 / ((1 - beta2) t + 1)), u = eta (1 + 1 / ((1 - beta2) t + eps)), "
    "m and v the means of g and g²"
)
_AHEAD = "(beta1 m / (1 - beta1^(t+1)) + (1 - beta1) g / (1 - beta1^t))"

_SPECS = (
    Rule(
        "SGD", "p -= eta g", momentum.sgd, momentum.sgd_constants, "eta", {"eta": 1e-2},
        aliases=("SDG",),
        peers="PyTorch, Keras and optax: the same",
        reference="Robbins and Monro, A stochastic approximation method, 1951",
        latex=(latex.step(r"\eta \, g_t"),),
    ),
    Rule(
        "MSGD", "v = mu v - (1 - mu) eta g, p += v",
        momentum.momentum, momentum.momentum_constants, "eta", {"eta": 1e-2, "mu": 0.9},
        {"velocity": 0.0},
        aliases=("momentum",),
        peers="PyTorch (dampening=0), Keras and optax: the same with (1 - mu) eta as their rate",
        reference="Polyak, Some methods of speeding up the convergence of iteration methods, 1964",
        latex=(
            r"v_t &= \mu v_{t-1} - (1 - \mu) \, \eta \, g_t",
            r"\theta_t &= \theta_{t-1} + v_t",
        ),
    ),
    Rule(
        "NAG", "v' = mu v - (1 - mu) eta g, p += (1 + mu) v' - mu v; p stands where v looks ahead",
        momentum.nesterov, momentum.momentum_constants, "eta", {"eta": 1e-2, "mu": 0.9},
        {"velocity": 0.0}, ahead=momentum.momentum,
        aliases=("Nesterov",),
        peers="PyTorch, Keras and optax with nesterov=True: the same with (1 - mu) eta as rate",
        reference="Nesterov, 1983; in this form Sutskever, Martens, Dahl and Hinton, 2013",
        latex=(
            r"v_t &= \mu v_{t-1} - (1 - \mu) \, \eta \, g_t",
            r"\theta_t &= \theta_{t-1} + (1 + \mu) \, v_t - \mu v_{t-1}",
        ),
        where="θ is the point that v looks ahead to, where the gradient is taken.",
    ),
    Rule(
        "AdaGrad", "s += g², p -= eta g / sqrt(s); 0 where s is 0",
        adaptive.adagrad, momentum.sgd_constants, "eta", {"eta": 1e-3}, {"s": 0.0},
        peers="PyTorch adds eps=1e-10 to the root; Keras and optax begin s with 0.1",
        reference="Duchi, Hazan and Singer, Adaptive subgradient methods, 2011",
        latex=(r"s_t &= s_{t-1} + g_t^2", latex.step(r"\eta \, \frac{g_t}{\sqrt{s_t}}")),
        where="The step is 0 where s is 0.",
    ),
    Rule(
        "RMSprop", "v = rho v + (1 - rho) g², p -= eta g / sqrt(v + eps)",
        adaptive.rmsprop, adaptive.rmsprop_constants, "eta",
        {"eta": 1e-2, "rho": 0.99, "eps": 1e-8, **_INSIDE}, {"v": 0.0},
        peers=f"PyTorch: {_EPS}; optax: as here; Keras: inside, rho=0.9",
        reference="Tieleman and Hinton, Neural networks for machine learning, lecture 6.5, 2012",
        latex=(
            latex.mean("v", r"\rho", "g_t^2"),
            latex.step(r"\eta \, \frac{g_t}{\sqrt{v_t + \varepsilon}}"),
        ),
    ),
    Rule(
        "AdaDelta",
        "d = g sqrt(u + eps) / sqrt(v + eps), p -= learning_rate d; v the mean of g², u that of d² "
        "before this step",
        adaptive.adadelta, adaptive.adadelta_constants, "learning_rate",
        {"learning_rate": 1.0, "rho": 0.95, "eps": 1e-6}, {"v": 0.0, "u": 0.0},
        peers="PyTorch, Keras and optax: the same, with other defaults",
        meanings={"learning_rate": "A factor of all steps; the article has none."},
        reference="Zeiler, ADADELTA: an adaptive learning rate method, 2012, arXiv:1212.5701",
        latex=(
            latex.mean("v", r"\rho", "g_t^2"),
            r"d_t &= \frac{\sqrt{u_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}} \, g_t",
            latex.mean("u", r"\rho", "d_t^2"),
            latex.step(r"\eta \, d_t"),
        ),
        where="η is `learning_rate`.",
    ),
    Rule(
        "Adam",
        "p -= alpha sqrt(1 - beta2^t) m' / sqrt(v + eps), m' = m / (1 - beta1^t), m and v the "
        "means of g and g²",
        adam.adam, adam.adam_constants, "alpha", {**_ADAM, **_INSIDE}, {"m": 0.0, "v": 0.0},
        peers=f"PyTorch and optax: {_EPS}; Keras and scikit-learn: 'uncorrected'",
        reference=_KINGMA,
        latex=(
            *latex.MEANS,
            latex.CORRECTED_M,
            latex.step(
                rf"\alpha \, \sqrt{{1 - \beta_2^t}} "
                rf"\, \frac{{{latex.M}}}{{\sqrt{{v_t + \varepsilon}}}}"
            ),
        ),
    ),
    Rule(
        "RMSpropGraves",
        "d = momentum d - eta g / sqrt(v - m² + eps), p += d; m and v the means of g and g²",
        adaptive.graves, adaptive.graves_constants, "eta",
        {"eta": 1e-4, "rho": 0.95, "eps": 1e-4, "momentum": 0.0}, {"m": 0.0, "v": 0.0, "d": 0.0},
        peers="optax's rmsprop with centered=True: the same; PyTorch's adds eps to the root",
        reference="Graves, Generating sequences, 2013, arXiv:1308.0850, eqs. 38-45 (momentum 0.9)",
        latex=(
            latex.mean("m", r"\rho", "g_t"),
            latex.mean("v", r"\rho", "g_t^2"),
            r"d_t &= \mu d_{t-1} - \eta \, \frac{g_t}{\sqrt{v_t - m_t^2 + \varepsilon}}",
            r"\theta_t &= \theta_{t-1} + d_t",
        ),
        where="μ is `momentum`.",
    ),
    Rule(
        "SMORMS3",
        "r = 1 / (1 + s); m, v means of g, g² with r; z = m² / (v + eps); "
        "p -= g min(eta, z) / sqrt(v + eps); s = 1 + (1 - z) s",
        adaptive.smorms3, adaptive.smorms3_constants, "eta", {"eta": 1e-3, "eps": 1e-8},
        {"m": 0.0, "v": 0.0, "memory": 1.0}, peers="no peer has it",
        reference="Funk, RMSprop loses to SMORMS3 - beware the epsilon!, 2015",
        latex=(
            r"r_t &= \frac{1}{1 + s_{t-1}}",
            r"m_t &= (1 - r_t) \, m_{t-1} + r_t g_t",
            r"v_t &= (1 - r_t) \, v_{t-1} + r_t g_t^2",
            r"z_t &= \frac{m_t^2}{v_t + \varepsilon}",
            latex.step(r"\min(\eta, z_t) \, \frac{g_t}{\sqrt{v_t + \varepsilon}}"),
            r"s_t &= 1 + (1 - z_t) \, s_{t-1}",
        ),
        where="s begins as 1.",
    ),
    Rule(
        "AdaMax",
        "u = max(beta2 u, |g|), p -= alpha m' / u, m' = m / (1 - beta1^t), m the mean of g",
        adam.adamax, adam.adamax_constants, "alpha", {"alpha": 2e-3, **_BETAS},
        {"m": 0.0, "u": 0.0},
        peers="PyTorch and optax add eps to |g|, Keras to u",
        meanings={"beta2": "What is left of the largest gradient after a step."},
        reference=f"{_KINGMA}, algorithm 2",
        latex=(
            latex.MEAN_G,
            r"u_t &= \max(\beta_2 u_{t-1}, \, |g_t|)",
            latex.step(r"\frac{\alpha}{1 - \beta_1^t} \, \frac{m_t}{u_t}"),
        ),
    ),
    Rule(
        "Nadam",
        "p -= alpha (mu m / (1 - mu^(t+1)) + (1 - mu) g / (1 - mu^t)) / sqrt(nu v' + eps), "
        "v' = v / (1 - nu^t), m and v the means of g and g²",
        adam.nadam, adam.nadam_constants, "alpha",
        {"alpha": 2e-3, "mu": 0.975, "nu": 0.999, "eps": 1e-8, **_INSIDE}, {"m": 0.0, "v": 0.0},
        peers="optax's nadam: with eps_placement='outside', which leaves out nu before v'; PyTorch "
        "and Keras let mu grow by 0.96^(t/250)",
        meanings={"mu": "Weight of the past in the mean of g."},
        reference=_DOZAT,
        latex=(
            latex.mean("m", r"\mu", "g_t"),
            latex.mean("v", r"\nu", "g_t^2"),
            latex.corrected("v", r"\nu"),
            latex.step(
                rf"\frac{{\alpha}}{{\sqrt{{\nu {latex.V} + \varepsilon}}}} " + latex.ahead(r"\mu")
            ),
        ),
    ),
    Rule(
        "Eve",
        "p -= alpha m' / (d (sqrt(v') + eps)), m' and v' the corrected means of g and g² as in "
        "Adam; d = beta3 d + (1 - beta3) clip(|f - f'| / (min(f, f') - fstar), 1 / c, c) from the "
        "second step on, f the loss and f' that before; d begins as 1",
        adam.adam, adam.eve_constants, "alpha",
        {"alpha": 1e-3, **_BETAS, "beta3": 0.999, "c": 10, "eps": 1e-8, "fstar": 0},
        {"m": 0.0, "v": 0.0}, advance=adam.eve_advance, memory={"d": 1.0, "f": np.nan},
        limits={"c": "at least 1", "fstar": "any number"}, needs_loss=True, peers="no peer has it",
        reference="Hayashi, Koushik and Neubig, Eve, 2016, arXiv:1611.01505 v3",
        latex=(
            *latex.CORRECTED,
            r"c_t &= \operatorname{clip} \left( \frac{|f_t - f_{t-1}|}{\min(f_t, f_{t-1}) - f^*}, "
            r"\, \frac{1}{c}, \, c \right)",
            r"d_t &= \beta_3 d_{t-1} + (1 - \beta_3) \, c_t",
            latex.step(
                rf"\frac{{\alpha}}{{d_t}} \, \frac{{{latex.M}}}{{\sqrt{{{latex.V}}} + \varepsilon}}"
            ),
        ),
        where="f is the loss and f* is `fstar`; d is 1 in the first step.",
    ),
    Rule(
        "SantaE",
        _SANTA_FORMULA.format("until burnin a += u² - E; u = (1 - a) u - eta G g + h, p += G u"),
        santa.santa_e, santa.santa_constants, "eta", _SANTA, _SANTA_STATES,
        limits={"N": "above 0"}, noisy=True, tries=True, peers=_SANTA_PEERS,
        reference=f"{_CHEN}, the Euler scheme",
        latex=(
            *latex.SANTA,
            r"a_t &= " + latex.until_burnin("a_{t-1} + u_{t-1}^2 - E_t", "a_{t-1}"),
            r"u_t &= (1 - a_t) \, u_{t-1} - \eta \, G_t g_t + h_t",
            r"\theta_t &= \theta_{t-1} + G_t u_t",
        ),
        where=latex.SANTA_WHERE,
    ),
    Rule(
        "SantaSSS",
        _SANTA_FORMULA.format(
            "until burnin a += (u² - E) / 2; u' = e^(-a/2) (e^(-a/2) u - eta G g + h); until "
            "burnin a += (u'² - E) / 2; p += G (u + u') / 2, u = u'"
        ),
        santa.santa_sss, santa.santa_constants, "eta", _SANTA, _SANTA_STATES,
        limits={"N": "above 0"}, noisy=True, tries=True, peers=_SANTA_PEERS,
        reference=f"{_CHEN}, algorithm 1",
        latex=(
            *latex.SANTA,
            rf"{latex.HALF} &= "
            + latex.until_burnin(r"a_{t-1} + \frac{1}{2} (u_{t-1}^2 - E_t)", "a_{t-1}"),
            rf"u_t &= e^{{-{latex.HALF}/2}} \left( e^{{-{latex.HALF}/2}} \, u_{{t-1}} "
            r"- \eta \, G_t g_t + h_t \right)",
            r"a_t &= "
            + latex.until_burnin(rf"{latex.HALF} + \frac{{1}}{{2}} (u_t^2 - E_t)", latex.HALF),
            r"\theta_t &= \theta_{t-1} + \frac{1}{2} G_t (u_{t-1} + u_t)",
        ),
        where=latex.SANTA_WHERE,
    ),
    Rule(
        "AMSGrad",
        "p -= alpha / sqrt(t) m / sqrt(w + eps), m the mean of g, w the largest mean of g² so far",
        adam.amsgrad, adam.amsgrad_constants, "alpha", {**_ADAM, **_INSIDE},
        {"m": 0.0, "v": 0.0, "vhat": 0.0},
        peers="PyTorch: with eps_placement='outside', which corrects the means and leaves out "
        "sqrt(t); Keras: so too, but 'uncorrected'; optax takes the largest of the "
        "corrected means",
        reference=_REDDI,
        latex=(
            *latex.MEANS,
            latex.LARGEST,
            latex.step(r"\frac{\alpha}{\sqrt{t}} \, \frac{m_t}{\sqrt{w_t + \varepsilon}}"),
        ),
    ),
    Rule(
        "AdaBound", f"p -= clip(alpha / sqrt(v), l, u) / sqrt(t) m, {_BOUNDS}",
        adam.adabound, adam.adabound_constants, "alpha", _BOUNDED, {"m": 0.0, "v": 0.0},
        peers="the authors' package: variant='authors', which corrects the means and leaves out "
        "sqrt(t); with a schedule it scales eta too",
        reference=_LUO,
        latex=(*latex.MEANS, *latex.bounded("v_t")),
    ),
    Rule(
        "AMSBound",
        f"w = max(w, v), p -= clip(alpha / sqrt(w), l, u) / sqrt(t) m, {_BOUNDS}",
        adam.amsbound, adam.adabound_constants, "alpha", _BOUNDED,
        {"m": 0.0, "v": 0.0, "vhat": 0.0}, peers="as AdaBound", reference=_LUO,
        latex=(*latex.MEANS, latex.LARGEST, *latex.bounded("w_t")),
    ),
    Rule(
        "AdamW",
        "p -= alpha (weight_decay p + m' / (sqrt(v') + eps)), m' and v' the corrected means of g "
        "and g², m / (1 - beta1^t) and v / (1 - beta2^t)",
        adam.adam, adam.adam_constants, "alpha", {**_ADAM, **_OUTSIDE},
        {"m": 0.0, "v": 0.0}, weight_decay=0.01,
        peers="PyTorch: the same; Keras and optax: weight_decay 0.004 and 1e-4",
        reference="Loshchilov and Hutter, Decoupled weight decay, 2019, arXiv:1711.05101",
        latex=(
            *latex.CORRECTED,
            latex.step(
                rf"\alpha \left( \lambda \, \theta_{{t-1}} "
                rf"+ \frac{{{latex.M}}}{{\sqrt{{{latex.V}}} + \varepsilon}} \right)"
            ),
        ),
        where="λ is `weight_decay`.",
    ),
    Rule(
        "NadamW",
        f"p -= alpha (weight_decay p + {_AHEAD} / (sqrt(v') + eps)), v' = v / (1 - beta2^t), "
        "m and v the means of g and g²",
        adam.nadam, adam.nadam_constants, "alpha", {**_ADAM, **_OUTSIDE},
        {"m": 0.0, "v": 0.0}, weight_decay=0.01,
        peers="optax: the same, weight_decay 1e-4; PyTorch: as its NAdam",
        reference=_DOZAT,
        latex=(
            *latex.MEANS,
            latex.CORRECTED_V,
            r"d_t &= " + latex.ahead(r"\beta_1"),
            latex.step(
                r"\alpha \left( \lambda \, \theta_{t-1} "
                rf"+ \frac{{d_t}}{{\sqrt{{{latex.V}}} + \varepsilon}} \right)"
            ),
        ),
        where="λ is `weight_decay`.",
    ),
    Rule(
        "RAdam",
        "p -= alpha r sqrt(1 - beta2^t) m' / (sqrt(v) + eps), r = sqrt((q - 4) (q - 2) Q / "
        "((Q - 4) (Q - 2) q)), where q = Q - 2 t beta2^t / (1 - beta2^t) is above 5, "
        "Q = 2 / (1 - beta2) - 1; before p -= alpha m'; m' = m / (1 - beta1^t), m and v the "
        "means of g and g²",
        adam.radam, adam.radam_constants, "alpha", _ADAM, {"m": 0.0, "v": 0.0},
        peers="PyTorch: the same; optax adds eps after the correction of v",
        reference="Liu et al., On the variance of the adaptive learning rate and beyond, 2020, "
        "arXiv:1908.03265",
        latex=(
            *latex.MEANS,
            latex.CORRECTED_M,
            r"q_t &= Q - \frac{2 \, t \, \beta_2^t}{1 - \beta_2^t}, \quad "
            r"Q = \frac{2}{1 - \beta_2} - 1",
            r"r_t &= \sqrt{\frac{(q_t - 4) (q_t - 2) \, Q}{(Q - 4) (Q - 2) \, q_t}}",
            latex.step(
                rf"\begin{{cases}} \alpha \, r_t \sqrt{{1 - \beta_2^t}} \, \frac{{{latex.M}}}"
                rf"{{\sqrt{{v_t}} + \varepsilon}} & \text{{where }} q_t > 5 \\ "
                rf"\alpha \, {latex.M} & \text{{before}} \end{{cases}}"
            ),
        ),
    ),
    Rule(
        "Lion", "p -= alpha sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g",
        momentum.lion, momentum.lion_constants, "alpha",
        {"alpha": 1e-4, "beta1": 0.9, "beta2": 0.99}, {"m": 0.0},
        meanings={"beta1": "Weight of the past in the direction of the step.",
                  "beta2": "Weight of the past in the mean that is kept."},
        peers="optax: the same, with a weight decay; Keras: the same",
        reference="Chen et al., Symbolic discovery of optimization algorithms, 2023, "
        "arXiv:2302.06675",
        latex=(
            latex.step(r"\alpha \, \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) \, g_t)"),
            latex.mean("m", r"\beta_2", "g_t"),
        ),
    ),
    Rule(
        "AdaBelief", "p -= alpha m' / (sqrt(s') + eps), s = beta2 s + (1 - beta2) (g - m)² + eps, "
        "m' = m / (1 - beta1^t), s' = s / (1 - beta2^t), m the mean of g",
        adam.belief, adam.belief_constants, "alpha", {**_ADAM, "eps": 1e-16},
        {"m": 0.0, "s": 0.0},
        peers="optax: the same, with eps and eps_root; the authors' package: the same",
        meanings={"beta2": "Weight of the past in the mean of (g - m)²."},
        reference="Zhuang et al., AdaBelief optimizer, 2020, arXiv:2010.07468",
        latex=(
            latex.MEAN_G,
            r"s_t &= \beta_2 s_{t-1} + (1 - \beta_2) \, (g_t - m_t)^2 + \varepsilon",
            latex.CORRECTED_M,
            latex.corrected("s", r"\beta_2"),
            latex.step(rf"\alpha \, \frac{{{latex.M}}}{{\sqrt{{\hat{{s}}{{}}_t}} + \varepsilon}}"),
        ),
    ),
    Rule(
        "Rprop",
        "p -= sign(g) d; d *= eta_plus where g has the sign that it had before, d *= eta_minus "
        "where it changed, and g counts as 0 then; step_min <= d <= step_max, d begins as eta",
        momentum.rprop, momentum.rprop_constants, "eta",
        {"eta": 1e-2, "eta_minus": 0.5, "eta_plus": 1.2, "step_min": 1e-6, "step_max": 50.0},
        {"previous": 0.0, "step": lambda optimizer, size: _first_rate(optimizer)},
        limits={"eta_minus": "at least 0 and below 1", "eta_plus": "at least 1"},
        meanings={"eta": "The first step size of all parameters. Later ones are the rule's own: a "
                  "schedule acts on the first step only."},
        peers="PyTorch: the same",
        reference="Riedmiller and Braun, 1993; without weight backtracking, Igel and Hüsken, 2000",
        latex=(
            r"k_t &= \begin{cases} \eta_+ & \text{where } g_t g_{t-1} > 0 \\ "
            r"\eta_- & \text{where } g_t g_{t-1} < 0 \\ 1 & \text{else} \end{cases}",
            r"d_t &= \operatorname{clip}(k_t d_{t-1}, \, d_{\min}, \, d_{\max})",
            latex.step(r"\operatorname{sign}(g_t) \, d_t"),
        ),
        where="Where the sign has changed, g counts as 0, for this step and as the gradient before "
    "the next. d begins as η and stays between `step_min` and `step_max`; the factors are "
    "`eta_plus` and `eta_minus`.",
    ),
)  # fmt: skip

RULES: Table[Rule] = Table("optimizer", _SPECS)
"""All entries, by name."""


def find(name: str) -> Rule:
    """The entry of that name; upper and lower case and hyphens do not matter."""
    if isinstance(name, str) and same_name(name, LBFGS):
        raise ValueError(
            f"{LBFGS} is no update rule, it needs all samples at every step: "
            f'network.fit(X, t, optimizer="{LBFGS}")'
        )
    return RULES.find(name)
