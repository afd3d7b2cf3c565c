r"""The steps of the update rules as LaTeX, for the page of optimizers.

$\theta$ are the parameters, $g_t$ the gradient of step t. Names of numbers are spelled as symbols.
The site's builder writes them as MathML, a code host by a renderer of its own, so commands are
those that both know; an accent stands over its letter alone, and an index follows `{}`.
"""

from __future__ import annotations

__all__ = ["STEPS", "WORDS", "lines"]

_M = r"\hat{m}{}_t"
_V = r"\hat{v}{}_t"


def _mean(name: str, weight: str, of: str) -> str:
    return rf"{name}_t &= {weight} {name}_{{t-1}} + (1 - {weight}) \, {of}"


def _step(change: str) -> str:
    return rf"\theta_t &= \theta_{{t-1}} - {change}"


def _corrected(name: str, weight: str) -> str:
    return rf"\hat{{{name}}}{{}}_t &= \frac{{{name}_t}}{{1 - {weight}^t}}"


_MEAN_G, _MEAN_G2 = _mean("m", r"\beta_1", "g_t"), _mean("v", r"\beta_2", "g_t^2")
_CORRECTED_M, _CORRECTED_V = _corrected("m", r"\beta_1"), _corrected("v", r"\beta_2")
_MEANS = (_MEAN_G, _MEAN_G2)
_CORRECTED = (*_MEANS, _CORRECTED_M, _CORRECTED_V)
_LARGEST = r"w_t &= \max(w_{t-1}, v_t)"


def _ahead(weight: str) -> str:
    first = rf"\frac{{{weight} \, m_t}}{{1 - {weight}^{{t+1}}}}"
    return rf"\left( {first} + \frac{{(1 - {weight}) \, g_t}}{{1 - {weight}^t}} \right)"


def _bounded(root: str) -> tuple[str, ...]:
    return (
        r"l_t &= \eta \left( 1 - \frac{1}{(1 - \beta_2) \, t + 1} \right)",
        r"u_t &= \eta \left( 1 + \frac{1}{(1 - \beta_2) \, t + \varepsilon} \right)",
        _step(
            rf"\frac{{1}}{{\sqrt{{t}}}} \, \operatorname{{clip}} \left( \frac{{\alpha}}"
            rf"{{\sqrt{{{root}}}}}, \, l_t, \, u_t \right) m_t"
        ),
    )


def _until_burnin(value: str, then: str) -> str:
    return (
        rf"\begin{{cases}} {value} & \text{{while }} t < \text{{burnin}} \\ "
        rf"{then} & \text{{from then on}} \end{{cases}}"
    )


_SANTA = (
    r"v_t &= \sigma v_{t-1} + (1 - \sigma) \, \frac{g_t^2}{N^2}",
    r"G_t &= \frac{1}{\sqrt{\lambda + \sqrt{v_t}}}",
    r"E_t &= \frac{\eta}{t^r}",
    r"h_t &= "
    + _until_burnin(
        r"\frac{E_t}{u_{t-1}} \left( 1 - \frac{G_{t-1}}{G_t} \right) "
        r"+ \sqrt{2 E_t G_{t-1}} \, n_t",
        "0",
    ),
)
_SANTA_WORDS = (
    "n is standard normal noise, r is `anne_rate` and λ is `lambda_`. They begin with "
    "u = √η n and a = C √η."
)
_HALF = r"a_{t-1/2}"

STEPS: dict[str, tuple[str, ...]] = {
    "SGD": (_step(r"\eta \, g_t"),),
    "MSGD": (
        r"v_t &= \mu v_{t-1} - (1 - \mu) \, \eta \, g_t",
        r"\theta_t &= \theta_{t-1} + v_t",
    ),
    "NAG": (
        r"v_t &= \mu v_{t-1} - (1 - \mu) \, \eta \, g_t",
        r"\theta_t &= \theta_{t-1} + (1 + \mu) \, v_t - \mu v_{t-1}",
    ),
    "AdaGrad": (r"s_t &= s_{t-1} + g_t^2", _step(r"\eta \, \frac{g_t}{\sqrt{s_t}}")),
    "RMSprop": (
        _mean("v", r"\rho", "g_t^2"),
        _step(r"\eta \, \frac{g_t}{\sqrt{v_t + \varepsilon}}"),
    ),
    "AdaDelta": (
        _mean("v", r"\rho", "g_t^2"),
        r"d_t &= \frac{\sqrt{u_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}} \, g_t",
        _mean("u", r"\rho", "d_t^2"),
        _step(r"\eta \, d_t"),
    ),
    "Adam": (
        *_MEANS,
        _CORRECTED_M,
        _step(rf"\alpha \, \sqrt{{1 - \beta_2^t}} \, \frac{{{_M}}}{{\sqrt{{v_t + \varepsilon}}}}"),
    ),
    "RMSpropGraves": (
        _mean("m", r"\rho", "g_t"),
        _mean("v", r"\rho", "g_t^2"),
        r"d_t &= \mu d_{t-1} - \eta \, \frac{g_t}{\sqrt{v_t - m_t^2 + \varepsilon}}",
        r"\theta_t &= \theta_{t-1} + d_t",
    ),
    "SMORMS3": (
        r"r_t &= \frac{1}{1 + s_{t-1}}",
        r"m_t &= (1 - r_t) \, m_{t-1} + r_t g_t",
        r"v_t &= (1 - r_t) \, v_{t-1} + r_t g_t^2",
        r"z_t &= \frac{m_t^2}{v_t + \varepsilon}",
        _step(r"\min(\eta, z_t) \, \frac{g_t}{\sqrt{v_t + \varepsilon}}"),
        r"s_t &= 1 + (1 - z_t) \, s_{t-1}",
    ),
    "AdaMax": (
        _MEAN_G,
        r"u_t &= \max(\beta_2 u_{t-1}, \, |g_t|)",
        _step(r"\frac{\alpha}{1 - \beta_1^t} \, \frac{m_t}{u_t}"),
    ),
    "Nadam": (
        _mean("m", r"\mu", "g_t"),
        _mean("v", r"\nu", "g_t^2"),
        _corrected("v", r"\nu"),
        _step(rf"\frac{{\alpha}}{{\sqrt{{\nu {_V} + \varepsilon}}}} " + _ahead(r"\mu")),
    ),
    "Eve": (
        *_CORRECTED,
        r"c_t &= \operatorname{clip} \left( \frac{|f_t - f_{t-1}|}{\min(f_t, f_{t-1}) - f^*}, "
        r"\, \frac{1}{c}, \, c \right)",
        r"d_t &= \beta_3 d_{t-1} + (1 - \beta_3) \, c_t",
        _step(rf"\frac{{\alpha}}{{d_t}} \, \frac{{{_M}}}{{\sqrt{{{_V}}} + \varepsilon}}"),
    ),
    "SantaE": (
        *_SANTA,
        r"a_t &= " + _until_burnin("a_{t-1} + u_{t-1}^2 - E_t", "a_{t-1}"),
        r"u_t &= (1 - a_t) \, u_{t-1} - \eta \, G_t g_t + h_t",
        r"\theta_t &= \theta_{t-1} + G_t u_t",
    ),
    "SantaSSS": (
        *_SANTA,
        rf"{_HALF} &= " + _until_burnin(r"a_{t-1} + \frac{1}{2} (u_{t-1}^2 - E_t)", "a_{t-1}"),
        rf"u_t &= e^{{-{_HALF}/2}} \left( e^{{-{_HALF}/2}} \, u_{{t-1}} "
        r"- \eta \, G_t g_t + h_t \right)",
        r"a_t &= " + _until_burnin(rf"{_HALF} + \frac{{1}}{{2}} (u_t^2 - E_t)", _HALF),
        r"\theta_t &= \theta_{t-1} + \frac{1}{2} G_t (u_{t-1} + u_t)",
    ),
    "AMSGrad": (
        *_MEANS,
        _LARGEST,
        _step(r"\frac{\alpha}{\sqrt{t}} \, \frac{m_t}{\sqrt{w_t + \varepsilon}}"),
    ),
    "AdaBound": (*_MEANS, *_bounded("v_t")),
    "AMSBound": (*_MEANS, _LARGEST, *_bounded("w_t")),
    "AdamW": (
        *_CORRECTED,
        _step(
            rf"\alpha \left( \lambda \, \theta_{{t-1}} "
            rf"+ \frac{{{_M}}}{{\sqrt{{{_V}}} + \varepsilon}} \right)"
        ),
    ),
    "NadamW": (
        *_MEANS,
        _CORRECTED_V,
        r"d_t &= " + _ahead(r"\beta_1"),
        _step(
            r"\alpha \left( \lambda \, \theta_{t-1} "
            rf"+ \frac{{d_t}}{{\sqrt{{{_V}}} + \varepsilon}} \right)"
        ),
    ),
    "RAdam": (
        *_MEANS,
        _CORRECTED_M,
        r"q_t &= Q - \frac{2 \, t \, \beta_2^t}{1 - \beta_2^t}, \quad "
        r"Q = \frac{2}{1 - \beta_2} - 1",
        r"r_t &= \sqrt{\frac{(q_t - 4) (q_t - 2) \, Q}{(Q - 4) (Q - 2) \, q_t}}",
        _step(
            rf"\begin{{cases}} \alpha \, r_t \sqrt{{1 - \beta_2^t}} \, \frac{{{_M}}}"
            rf"{{\sqrt{{v_t}} + \varepsilon}} & \text{{where }} q_t > 5 \\ "
            rf"\alpha \, {_M} & \text{{before}} \end{{cases}}"
        ),
    ),
    "Lion": (
        _step(r"\alpha \, \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) \, g_t)"),
        _mean("m", r"\beta_2", "g_t"),
    ),
    "AdaBelief": (
        _MEAN_G,
        r"s_t &= \beta_2 s_{t-1} + (1 - \beta_2) \, (g_t - m_t)^2 + \varepsilon",
        _CORRECTED_M,
        _corrected("s", r"\beta_2"),
        _step(rf"\alpha \, \frac{{{_M}}}{{\sqrt{{\hat{{s}}{{}}_t}} + \varepsilon}}"),
    ),
    "Rprop": (
        r"k_t &= \begin{cases} \eta_+ & \text{where } g_t g_{t-1} > 0 \\ "
        r"\eta_- & \text{where } g_t g_{t-1} < 0 \\ 1 & \text{else} \end{cases}",
        r"d_t &= \operatorname{clip}(k_t d_{t-1}, \, d_{\min}, \, d_{\max})",
        _step(r"\operatorname{sign}(g_t) \, d_t"),
    ),
}

WORDS: dict[str, str] = {
    "NAG": "θ is the point that v looks ahead to, where the gradient is taken.",
    "AdaGrad": "The step is 0 where s is 0.",
    "AdaDelta": "η is `learning_rate`.",
    "RMSpropGraves": "μ is `momentum`.",
    "SMORMS3": "s begins as 1.",
    "Eve": "f is the loss and f* is `fstar`; d is 1 in the first step.",
    "SantaE": _SANTA_WORDS,
    "SantaSSS": _SANTA_WORDS,
    "AdamW": "λ is `weight_decay`.",
    "NadamW": "λ is `weight_decay`.",
    "Rprop": "Where the sign has changed, g counts as 0, for this step and as the gradient before "
    "the next. d begins as η and stays between `step_min` and `step_max`; the factors are "
    "`eta_plus` and `eta_minus`.",
}
"""What the formula leaves open."""


def lines(name: str) -> list[str]:
    """A block of mathematics with the step of a rule."""
    rows = [f"{row} \\\\" for row in STEPS[name]]
    rows[-1] = rows[-1].removesuffix(" \\\\")
    return ["```math", r"\begin{aligned}", *rows, r"\end{aligned}", "```"]
