"""The table of activations.

To add an activation: its formulas in ``kernels/activations/``, its twin in
``fastnn/reference/activations/``, and an entry here. Classes, ufuncs, layers, engine,
documentation, tests and benchmarks take it from the entry. Of one that acts on all features
together: kernels in ``kernels/activations/vector.py``, the twin in
``fastnn/reference/vector_activations.py``, an entry here and a class.
"""

from __future__ import annotations

from .._core.table import Table
from .spec import EXACT, Activation

__all__ = ["ACTIVATIONS", "find"]

_COMPOSITE = (4.0, 4.0, 8.0, 16.0)
_PARABOLA = (2.0, 4.0, 0.5, 0.5)  # pieces of second degree
_AT_LEAST_0 = {"lambda_": "at least 0"}

_GELU_TANH = Activation(
    "GELU-tanh", "gelu_tanh", "x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³)))", "GELUTanh",
    bounds=_COMPOSITE, reference="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
)  # fmt: skip

_SPECS = (
    Activation(
        "step", "step", "1 for x > 0, else 0", "Step", "step", bounds=EXACT,
        reference="McCulloch and Pitts, A logical calculus of the ideas immanent in nervous "
        "activity, 1943",
    ),
    Activation(
        "identity", "identity", "x", "Identity", "identity", aliases=("linear",), bounds=EXACT,
        reference="Widrow and Hoff, Adaptive switching circuits, 1960: the linear unit of the "
        "Adaline",
    ),
    Activation(
        "bent-identity", "bent_identity", "(sqrt(x² + 1) - 1) / 2 + x", "BentIdentity",
        "bentIdentity",
        reference="No paper is known; Wikipedia, Activation function, 2018",
    ),
    Activation(
        "hard-shrink", "hard_shrink", "0 for |x| <= lambda_, else x", "HardShrink", "hardShrink",
        limits=_AT_LEAST_0, bounds=EXACT,
        reference="Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, 1994: hard "
        "thresholding",
    ),
    Activation(
        "soft-shrink", "soft_shrink", "0 for |x| <= lambda_, else x - lambda_ sign(x)",
        "SoftShrink", "softShrink", limits=_AT_LEAST_0, bounds=EXACT,
        reference="Donoho, De-noising by soft-thresholding, 1995",
    ),
    Activation(
        "threshold", "threshold", "x for x > threshold, else value", "Threshold", "threshold",
        bounds=EXACT,
        reference="Konda, Memisevic and Krueger, Zero-bias autoencoders and the benefits of "
        "co-adapting features, 2015, arXiv:1402.3337, with value 0",
    ),
    Activation(
        "sigmoid", "sigmoid", "1 / (1 + exp(-x))", "Sigmoid", "sigmoid", aliases=("logistic",),
        reference="Rumelhart, Hinton and Williams, Learning representations by back-propagating "
        "errors, 1986",
    ),
    Activation(
        "hard-sigmoid", "hard_sigmoid", "slope x + offset, within 0 and 1", "HardSigmoid",
        "hardSigmoid", bounds=EXACT,
        reference="Gulcehre et al., Noisy activation functions, 2016, arXiv:1603.00391, with a "
        "slope of 1/4; that of 1/5 is Theano's",
    ),
    Activation(
        "log-sigmoid", "log_sigmoid", "-log(1 + exp(-x))", "LogSigmoid", "logSigmoid",
        reference="Goodfellow, Bengio and Courville, Deep Learning, 2016, section 3.10",
    ),
    Activation(
        "tanh", "tanh", "tanh(x)", "Tanh", "act_tanh",
        reference="LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998, section 4.4",
    ),
    Activation(
        "tanh-shrink", "tanh_shrink", "x - tanh(x)", "TanhShrink", "tanhShrink", bounds=_COMPOSITE,
        reference="No paper is known; PyTorch's Tanhshrink",
    ),
    Activation(
        "hard-tanh", "hard_tanh", "x, within min_val and max_val", "HardTanh", "hardtanh",
        limits={"max_val": "above min_val"}, bounds=EXACT,
        reference="Collobert, Large scale machine learning, 2004",
    ),
    Activation(
        "ReLU", "relu", "max(x, 0)", "ReLU", "ReLU", bounds=EXACT,
        reference="Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, "
        "2010",
    ),
    Activation(
        "ReLU6", "relu6", "min(max(x, 0), 6)", "ReLU6", "ReLU6", bounds=EXACT,
        reference="Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010",
    ),
    Activation(
        "leaky-ReLU", "leaky_relu", "x for x >= 0, else alpha x", "LeakyReLU", "leakyReLU",
        bounds=EXACT,
        reference="Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic "
        "models, 2013",
    ),
    Activation(
        "ELU", "elu", "x for x >= 0, else alpha (exp(x) - 1)", "ELU", "ELU",
        reference="Clevert, Unterthiner and Hochreiter, 2016, arXiv:1511.07289",
    ),
    Activation(
        "SELU", "selu", "lambda_ x for x >= 0, else lambda_ alpha (exp(x) - 1)", "SELU", "SELU",
        reference="Klambauer et al., Self-normalizing neural networks, 2017, arXiv:1706.02515",
    ),
    Activation(
        "CELU", "celu", "x for x >= 0, else alpha (exp(x / alpha) - 1)", "CELU", "CELU",
        limits={"alpha": "other than 0"},
        reference="Barron, Continuously differentiable exponential linear units, 2017, "
        "arXiv:1704.07483",
    ),
    Activation(
        "softmax", "softmax", "exp(x) / Σ exp(x)", "Softmax", "softmax",
        reference="Bridle, Probabilistic interpretation of feedforward classification network "
        "outputs, with relationships to statistical pattern recognition, 1990",
    ),
    Activation(
        "softmin", "softmin", "exp(-x) / Σ exp(-x)", "Softmin", "softmin",
        reference="Bridle, 1990, as the softmax, of -x",
    ),
    Activation(
        "log-softmax", "log_softmax", "x - log Σ exp(x)", "LogSoftmax", "logSoftmax",
        reference="Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.3",
    ),
    Activation(
        "softplus", "softplus", "log(1 + exp(x))", "Softplus", "softplus",
        reference="Dugas et al., Incorporating second-order functional knowledge for better option "
        "pricing, 2001",
    ),
    Activation(
        "softsign", "softsign", "x / (1 + |x|)", "Softsign", "softsign",
        reference="Bergstra, Desjardins, Lamblin and Bengio, Quadratic polynomials learn better "
        "image features, 2009",
    ),
    Activation(
        "Swish", "swish", "x / (1 + exp(-beta x))", "Swish", "Swish", aliases=("silu",),
        reference="Ramachandran, Zoph and Le, Searching for activation functions, 2017, "
        "arXiv:1710.05941",
    ),
    Activation(
        "Mish", "mish", "x tanh(log(1 + exp(x)))", "Mish", "Mish",
        # f'' is a product of seven factors, each rounded; f''' makes much of an exponential's error
        bounds=(4.0, 4.0, 10.0, 32.0),
        reference="Misra, 2019, arXiv:1908.08681",
    ),
    Activation(
        "tanhExp", "tanh_exp", "x tanh(exp(x))", "TanhExp", "tanhExp",
        # f'' and f''' fall as exp(-2 exp(x)), whose error is that of its exponent, up to 750
        bounds=(4.0, 4.0, 80.0, 128.0),
        reference="Liu and Di, 2020, arXiv:2003.09855",
    ),
    Activation(
        "maxout", "maxout", "the largest of k", "Maxout", "maxout",
        reference="Goodfellow et al., Maxout networks, 2013, arXiv:1302.4389",
    ),
    Activation(
        "GELU", "gelu", "x Φ(x), Φ the normal distribution's", "GELU", bounds=_COMPOSITE,
        variants={"approximate": {"none": None, "tanh": _GELU_TANH}},
        reference="Hendrycks and Gimpel, 2016, arXiv:1606.08415",
    ),
    _GELU_TANH,
    Activation(
        "hard-Swish", "hard_swish", "x min(max(x + 3, 0), 6) / 6", "HardSwish",
        aliases=("hard-silu",), bounds=_PARABOLA,
        reference="Howard et al., Searching for MobileNetV3, 2019, arXiv:1905.02244",
    ),
    Activation(
        "squareplus", "squareplus", "(x + sqrt(x² + b)) / 2", "Squareplus",
        limits={"b": "at least 0"}, reference="Barron, Squareplus, 2021, arXiv:2112.11687",
    ),
    Activation(
        "log-cosh", "log_cosh", "log(cosh(x))", "LogCosh", bounds=_COMPOSITE,
        reference="Hyvärinen, Fast and robust fixed-point algorithms for independent component "
        "analysis, 1999",
    ),
    Activation(
        "exponential", "exponential", "exp(x)", "Exponential",
        reference="Nelder and Wedderburn, Generalized linear models, 1972: the inverse of the "
        "logarithmic link",
    ),
    Activation(
        "sin", "sin", "sin(omega x)", "Sin", aliases=("sine",), bounds=(1.0, 2.0, 4.0, 4.0),
        largest=(2.0**18, 2.0**47),
        reference="Sitzmann, Martel, Bergman, Lindell and Wetzstein, Implicit neural "
        "representations with periodic activation functions, 2020, arXiv:2006.09661, with omega 30",
    ),
    Activation(
        "sparse-plus", "sparse_plus", "0 for x <= -1, x for x >= 1, else (x + 1)²/4", "SparsePlus",
        bounds=_PARABOLA,
        reference="Blondel, Martins and Niculae, Learning with Fenchel-Young losses, 2020, "
        "arXiv:1901.02324",
    ),
    Activation(
        "sparse-sigmoid", "sparse_sigmoid", "(x + 1)/2, within 0 and 1", "SparseSigmoid",
        bounds=EXACT,
        reference="Blondel, Martins and Niculae, Learning with Fenchel-Young losses, 2020, "
        "arXiv:1901.02324",
    ),
    Activation(
        "PReLU", "prelu", "x for x >= 0, else alpha x, alpha trained", "PReLU", bounds=EXACT,
        reference="He et al., Delving deep into rectifiers, 2015, arXiv:1502.01852",
    ),
    Activation(
        "GLU", "glu", "a / (1 + exp(-b)), x = (a, b)", "GLU",
        reference="Dauphin et al., Language modeling with gated convolutional networks, 2017, "
        "arXiv:1612.08083",
    ),
)  # fmt: skip

ACTIVATIONS: Table[Activation] = Table("activation", _SPECS)
"""All entries, by name."""


def find(name: str | Activation) -> Activation:
    """The entry of that name; upper and lower case, hyphens and underscores do not matter.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest known names.

    Examples
    --------
    >>> find("relu").formula
    'max(x, 0)'

    """
    return name if isinstance(name, Activation) else ACTIVATIONS.find(name)
