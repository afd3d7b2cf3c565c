"""The table of costs.

A cost works on the activity of the last layer (of a cross entropy: on logits) and brings the
activation of the output with it, so the last layer of a network is linear. Costs are summed over
all samples, as in the articles, averaged, or given one by one.

To add a cost of each output alone: its formula and derivative in
``kernels/losses/elementwise.py``, its twin in ``fastnn/reference/losses.py``, and an entry here.
Class, engine, documentation, tests and benchmarks take it from the entry. Of one of several outputs
together: kernels in ``kernels/losses/tile_kernels.py`` instead.
"""

from __future__ import annotations

from .._core.table import Table
from .spec import Loss

__all__ = ["LOSSES"]

_BISHOP = "Bishop, *Pattern Recognition and Machine Learning* (2006)"
_SMOOTHED = {"label_smoothing": "from 0 to 1"}
_OVER_SAMPLES = "PyTorch and Keras average over all elements by default."

_SPECS = (
    Loss(
        "SumSquaresError", "squares", "Σ (a - t)² / 2",
        peers="The sum of optax's ``l2_loss``, (a - t)² / 2 of each output. PyTorch's "
        "``mse_loss``, Keras' ``MeanSquaredError`` and scikit-learn's ``mean_squared_error`` are "
        "the mean of (a - t)²: that is `MeanSquaredError`.",
        example=">>> cost = SumSquaresError()\n"
        ">>> cost([[1.0, 2.0]], [[0.0, 4.0]])\n"
        "2.5\n"
        ">>> cost.delta([[1.0, 2.0]], [[0.0, 4.0]])\n"
        "array([[ 1., -2.]])",
        reference=f"{_BISHOP}, eq. 5.11.",
    ),
    Loss(
        "SigmoidCrossEntropy", "sigmoid_entropy", "-Σ (t log y + (1 - t) log(1 - y))",
        "probabilities", "sigmoid", _SMOOTHED,
        notes="Of independent yes-or-no outputs, from their logits a, y = 1 / (1 + exp(-a)); it "
        "is exact however far in the tails they are; the gradient is y - t. With label "
        "smoothing s, t stands for t (1 - s) + s/2.",
        peers="Keras' ``BinaryCrossentropy(from_logits=True)`` and PyTorch's "
        "``binary_cross_entropy_with_logits`` average over all elements by default; label "
        "smoothing is Keras', PyTorch has none. optax's ``sigmoid_binary_cross_entropy`` gives one "
        "of each output.",
        example=">>> cost = SigmoidCrossEntropy()\n"
        ">>> cost([[1000.0]], [[0.0]])\n"
        "1000.0\n"
        ">>> cost.activate([[0.0]])\n"
        "array([[0.5]])",
        reference=f"{_BISHOP}, eq. 5.21.",
    ),
    Loss(
        "SoftmaxCrossEntropy", "softmax_entropy", "-Σ t log y",
        "classes", "softmax", _SMOOTHED,
        notes="Of one class among K, y the softmax of the logits. Targets are one-hot, or "
        "probabilities, or in Python labels from 0 to K - 1, one axis less than the logits; in "
        "compiled functions of yours they are one-hot. With label smoothing s, t stands for "
        "t (1 - s) + s/K, and class weights v multiply that. The gradient is y Σ t - t.",
        peers="PyTorch's ``cross_entropy`` with ``label_smoothing`` and ``weight`` has the same "
        "sum, but its mean divides by the sum of the labels' weights, this one by the number of "
        "samples. Keras' class weights are sample weights: `NeuralNetwork.fit` has those. "
        "optax's ``softmax_cross_entropy`` gives one of each sample, smoothed by "
        "``smooth_labels``. scikit-learn's ``log_loss`` takes probabilities.",
        example=">>> cost = SoftmaxCrossEntropy()\n"
        ">>> cost.activate([[0.0, 0.0]])\n"
        "array([[0.5, 0.5]])\n"
        ">>> cost([[0.0, 5000.0]], [[1.0, 0.0]])\n"
        "5000.0\n"
        ">>> cost([[0.0, 5000.0]], [0])\n"
        "5000.0",
        reference=f"{_BISHOP}, eq. 5.24. Label smoothing: Szegedy et al., 2016, arXiv:1512.00567",
    ),
    Loss(
        "MeanSquaredError", "squared", "mean of (a - t)²", reduction="mean", averaged=True,
        notes="The cost of a sample is the mean over its outputs, so that by default it is the "
        "mean over all elements.",
        peers="As PyTorch's ``mse_loss``, Keras' ``MeanSquaredError``, scikit-learn's "
        "``mean_squared_error`` and the mean of optax's ``squared_error``.",
        example=">>> MeanSquaredError()([[1.0, 2.0]], [[0.0, 4.0]])\n2.5",
        reference=f"{_BISHOP}, section 1.5.5: least at the mean of the targets.",
    ),
    Loss(
        "MeanAbsoluteError", "absolute", "mean of |a - t|", reduction="mean", averaged=True,
        notes="The cost of a sample is the mean over its outputs, so that by default it is the "
        "mean over all elements. The gradient is 0 where a = t.",
        peers="As PyTorch's ``l1_loss``, Keras' ``MeanAbsoluteError`` and scikit-learn's "
        "``mean_absolute_error``. optax has none.",
        example=">>> MeanAbsoluteError()([[1.0, 2.0]], [[0.0, 4.0]])\n1.5",
        reference=f"{_BISHOP}, section 1.5.5: least at the median of the targets.",
    ),
    Loss(
        "Huber", "huber", "Σ d²/2 for |d| <= delta, else delta (|d| - delta/2), d = a - t",
        limits={"delta": "above 0"},
        peers=f"As PyTorch's ``huber_loss`` and Keras' ``Huber``, but summed. {_OVER_SAMPLES} "
        "optax's ``huber_loss`` gives one of each output. PyTorch's ``smooth_l1_loss`` is this "
        "divided by delta.",
        example=">>> Huber(delta=2.0).delta([[1.0, 9.0]], [[0.0, 0.0]])\narray([[1., 2.]])",
        reference="Huber, Robust estimation of a location parameter, 1964",
    ),
    Loss(
        "LogCosh", "log_cosh_error", "Σ log(cosh(a - t))",
        notes="About (a - t)² / 2 of small errors, and |a - t| - log 2 of large ones; the gradient "
        "is tanh(a - t).",
        peers="As Keras' ``LogCosh``, but summed, not averaged over all elements; optax's "
        "``log_cosh`` gives one of each output. PyTorch and scikit-learn have none.",
        example=">>> LogCosh().delta([[1000.0]], [[0.0]])\narray([[1.]])",
        reference="Green, Bayesian reconstructions from emission tomography data using a modified "
        "EM algorithm, 1990",
    ),
    Loss(
        "Quantile", "pinball", "Σ q (t - a) for t >= a, else (1 - q) (a - t)",
        limits={"q": "between 0 and 1"},
        notes="Least at the quantile q of the targets; half the absolute error for q = 1/2. The "
        "gradient is 0 where a = t.",
        peers="As scikit-learn's ``mean_pinball_loss``, but summed. PyTorch, Keras and optax have "
        "none.",
        example=">>> Quantile(q=0.75)([[0.0, 0.0]], [[4.0, -4.0]])\n4.0",
        reference="Koenker and Bassett, Regression quantiles, 1978",
    ),
    Loss(
        "Poisson", "poisson", "Σ (exp(a) - t a)", "counts", "exponential",
        notes="Negative log likelihood of counts t with the rates y = exp(a), without log t!, "
        "which does not depend on a.",
        peers="As PyTorch's ``poisson_nll_loss``, exp(a) - t a with ``log_input=True``, its "
        "default, but summed, not averaged; ``full=True`` adds Stirling's formula for log t!. "
        "Keras' ``Poisson``, y - t log y, takes the rate y itself, as scikit-learn's "
        "``mean_poisson_deviance``, which is 2 (t log(t / y) - t + y). optax has none.",
        example=">>> cost = Poisson()\n"
        ">>> cost.activate([[0.0]]), cost.delta([[0.0]], [[3.0]])\n"
        "(array([[1.]]), array([[-2.]]))",
        reference="Nelder and Wedderburn, Generalized linear models, 1972",
    ),
    Loss(
        "GaussianNLL", "gaussian", "Σ (s + (m - t)² exp(-s) + log 2π) / 2, a = (m, s)",
        activation="mean, variance", per_target=2,
        notes="Negative log likelihood of normal targets whose mean and variance a network gives. "
        "Of L targets it has 2 L outputs: the means m, then the logarithms s of the variances. "
        "`activate` makes means and variances of them. However small or large the variance, "
        "cost and gradient are exact where they are in range, and infinite where they are not, "
        "never NaN.",
        peers="PyTorch's ``gaussian_nll_loss`` takes the variance itself and bounds it from below, "
        "and leaves out log 2π unless ``full=True``. Keras and optax have "
        "none.",
        example=">>> cost = GaussianNLL()\n"
        ">>> cost.activate([[5.0, 0.0]]), cost.delta([[5.0, 0.0]], [[3.0]])\n"
        "(array([[5., 1.]]), array([[ 2. , -1.5]]))",
        reference="Nix and Weigend, Estimating the mean and variance of the target probability "
        "distribution, 1994",
    ),
    Loss(
        "KLDivergence", "divergence", "Σ t log(t / y)", "probabilities", "softmax",
        notes="Of the softmax y of the logits from probabilities t, 0 log 0 = 0; the cross entropy "
        "less that of the targets themselves, with the same gradient. Never below 0, and with "
        "most of its digits where t is close to y: Σ t log(t / y) + y - t, whose terms are not "
        "negative; targets that do not sum to 1, beyond rounding, add Σ t - 1.",
        peers="PyTorch's ``kl_div`` and optax's ``kl_divergence`` take log y, Keras' "
        "``KLDivergence`` y, bounded from below.",
        example=">>> KLDivergence()([[0.0, 0.0]], [[0.5, 0.5]])\n0.0",
        reference="Kullback and Leibler, On information and sufficiency, 1951",
    ),
    Loss(
        "Hinge", "hinge", "Σ max(0, 1 - t a)", "signs",
        notes="Targets are -1 and 1; 0 counts as -1, output by output. The gradient is 0 where "
        "t a = 1.",
        peers=f"As Keras' ``Hinge`` and scikit-learn's ``hinge_loss`` of two classes, but summed. "
        f"{_OVER_SAMPLES} Keras takes 0 for -1 only if no target is -1. optax's ``hinge_loss`` "
        "gives one of each output, of targets -1 and 1.",
        example=">>> Hinge()([[0.5, -2.0]], [[1, -1]])\n0.5",
        reference="Cortes and Vapnik, Support-vector networks, 1995",
    ),
    Loss(
        "SquaredHinge", "squared_hinge", "Σ max(0, 1 - t a)²", "signs",
        notes="Targets are -1 and 1; 0 counts as -1, output by output.",
        peers="As Keras' ``SquaredHinge``, but summed, not averaged over all elements. PyTorch "
        "and optax have none; scikit-learn's ``LinearSVC`` minimises it.",
        example=">>> SquaredHinge()([[0.5, -2.0]], [[1, -1]])\n0.25",
        reference="Tang, Deep learning using linear support vector machines, 2013, "
        "arXiv:1306.0239",
    ),
    Loss(
        "CosineSimilarity", "cosine", "1 - a·t / (|a| |t|)",
        notes="Computed as half the squared distance of the unit vectors, which does not cancel. "
        "1, with a gradient of 0, where a vector is zero.",
        peers="PyTorch's ``cosine_embedding_loss`` with targets 1 averages over the samples; "
        "Keras' ``CosineSimilarity`` is less by 1; optax's ``cosine_distance`` gives one of each "
        "sample, NaN where a vector is zero unless ``epsilon`` is above 0.",
        example=">>> CosineSimilarity()([[2.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]])\n2.0",
        reference="Salton, Wong and Yang, A vector space model for automatic indexing, 1975",
    ),
    Loss(
        "MixtureDensityError", "mixture", "-log Σ π N(t | μ, σ² I), a = (logits of π, μ, log σ)",
        activation="mixture", reference=f"{_BISHOP}, section 5.6.",
    ),
)  # fmt: skip

LOSSES: Table[Loss] = Table("cost", _SPECS)
"""All entries, by name."""
