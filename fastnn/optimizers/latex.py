r"""Pieces of the update rules' steps as LaTeX, of which `Rule.latex` is put together.

$\theta$ are the parameters, $g_t$ the gradient of step t. Names of numbers are spelled as symbols.
The site's builder writes them as MathML, a code host by a renderer of its own, so commands are
those that both know; an accent stands over its letter alone, and an index follows `{}`.
"""

M = r"\hat{m}{}_t"
V = r"\hat{v}{}_t"


def mean(name: str, weight: str, of: str) -> str:
    """A running mean."""
    return rf"{name}_t &= {weight} {name}_{{t-1}} + (1 - {weight}) \, {of}"


def step(change: str) -> str:
    """The step of the parameters."""
    return rf"\theta_t &= \theta_{{t-1}} - {change}"


def corrected(name: str, weight: str) -> str:
    """A running mean, corrected for its beginning at 0."""
    return rf"\hat{{{name}}}{{}}_t &= \frac{{{name}_t}}{{1 - {weight}^t}}"


MEAN_G, MEAN_G2 = mean("m", r"\beta_1", "g_t"), mean("v", r"\beta_2", "g_t^2")
CORRECTED_M, CORRECTED_V = corrected("m", r"\beta_1"), corrected("v", r"\beta_2")
MEANS = (MEAN_G, MEAN_G2)
CORRECTED = (*MEANS, CORRECTED_M, CORRECTED_V)
LARGEST = r"w_t &= \max(w_{t-1}, v_t)"


def ahead(weight: str) -> str:
    """The mean of the gradients, one step ahead."""
    first = rf"\frac{{{weight} \, m_t}}{{1 - {weight}^{{t+1}}}}"
    return rf"\left( {first} + \frac{{(1 - {weight}) \, g_t}}{{1 - {weight}^t}} \right)"


def bounded(root: str) -> tuple[str, ...]:
    """A step whose rates are held between two bounds."""
    return (
        r"l_t &= \eta \left( 1 - \frac{1}{(1 - \beta_2) \, t + 1} \right)",
        r"u_t &= \eta \left( 1 + \frac{1}{(1 - \beta_2) \, t + \varepsilon} \right)",
        step(
            rf"\frac{{1}}{{\sqrt{{t}}}} \, \operatorname{{clip}} \left( \frac{{\alpha}}"
            rf"{{\sqrt{{{root}}}}}, \, l_t, \, u_t \right) m_t"
        ),
    )


def until_burnin(value: str, then: str) -> str:
    """One value while the rule explores, another afterwards."""
    return (
        rf"\begin{{cases}} {value} & \text{{while }} t < \text{{burnin}} \\ "
        rf"{then} & \text{{from then on}} \end{{cases}}"
    )


SANTA = (
    r"v_t &= \sigma v_{t-1} + (1 - \sigma) \, \frac{g_t^2}{N^2}",
    r"G_t &= \frac{1}{\sqrt{\lambda + \sqrt{v_t}}}",
    r"E_t &= \frac{\eta}{t^r}",
    r"h_t &= "
    + until_burnin(
        r"\frac{E_t}{u_{t-1}} \left( 1 - \frac{G_{t-1}}{G_t} \right) "
        r"+ \sqrt{2 E_t G_{t-1}} \, n_t",
        "0",
    ),
)
SANTA_WHERE = (
    "n is standard normal noise, r is `anne_rate` and λ is `lambda_`. They begin with "
    "u = √η n and a = C √η."
)
HALF = r"a_{t-1/2}"
