"""What the docstrings of both estimators share."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TypeVar

__all__ = ["documented"]

_PARAMETERS = """
hidden_layer_sizes : int or sequence of int
    Widths of the hidden layers.
activation : str, Activator or sequence of these
    Of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', or any other name of
    ``fastnn.activations``, or what `fastnn.get_act` returns; one for all, or one for each.
solver : str or Optimizer
    'adam', 'sgd' and 'lbfgs' as in scikit-learn; any other name of ``fastnn.optimizers``, which
    gets `learning_rate_init`; or what `fastnn.get_opt` returns, which has its own learning rate.
alpha : float
    Of the penalty alpha Σ w² / 2, which is divided by the samples of a batch.
batch_size : int or 'auto'
    Samples of a step; 'auto' is 200, or all if they are fewer. Not of 'lbfgs'.
learning_rate : 'constant', 'invscaling', 'adaptive', schedule or function of the step
    The words are for 'sgd'. A schedule of ``fastnn.schedules`` is for every solver that goes by
    steps, and goes on through `partial_fit`.
learning_rate_init : float
    The first learning rate.
power_t : float
    'invscaling' divides it by (t + 1) ** power_t, t the samples seen so far.
max_iter : int
    Epochs at most; of 'lbfgs' iterations.
shuffle : bool
    Whether the order of the samples is drawn anew for each epoch.
random_state : None, int or RandomState
    Source of initial weights, order, held-out samples and dropout.
tol : float
    What counts as an improvement of the loss, or of the score with early stopping.
verbose : bool or int
    Whether the loss of each epoch is printed.
warm_start : bool
    Whether `fit` goes on from the coefficients of the last one.
momentum, nesterovs_momentum : float, bool
    Of 'sgd'.
early_stopping : bool
    Whether the score of held-out samples decides when to stop, and which coefficients remain.
validation_fraction : float
    Part of the samples that early stopping holds out.
beta_1, beta_2, epsilon : float
    Of 'adam'.
n_iter_no_change : int or inf
    Epochs without an improvement that end the training, or make 'adaptive' lower the rate.
max_fun : int
    Evaluations of 'lbfgs' at most.
cost : str or cost, optional
    Any of ``fastnn.losses``, by its name or as an object, in place of scikit-learn's. Always the
    mean over the samples.
""".strip()

_MORE_PARAMETERS = """
dropout : float or sequence of float
    Probability of a hidden layer's output to be left out while training.
dtype : float32, float64 or their names, optional
    Of the coefficients; default: that of X, or float64.
callbacks : callback, function or sequence of these, optional
    See `fastnn.callbacks`. Their epochs are those of one call of `fit`; of 'lbfgs' iterations.
n_threads : int, optional
    Threads that share a training; default: as many as pay. Of an ensemble, networks that are
    trained at the same time; default: `fastnn.get_num_threads`.
n_networks : int
    Networks, each from other initial weights, whose mean is the prediction: an ensemble. Each is
    what it would be alone on one thread, to the last bit, and all are trained by one
    `fastnn.fit_many`. One after the other, in the calling thread, are trained those of 'lbfgs', and
    those that somebody sees: with `verbose`, or with callbacks other than `EarlyStopping` and
    `TerminateOnNaN`, or with callbacks that they share, as where a training goes on.
""".strip()

_ATTRIBUTES = """
coefs_, intercepts_ : list of arrays
    Weights (n, m) and biases (m,) of each layer; they may be assigned.
loss_ : float
    Of the last epoch, as its batches were before their steps, with the penalty.
loss_curve_, best_loss_ : list of float, float
    Of all epochs, and the least; not of 'lbfgs'.
validation_scores_, best_validation_score_ : list of float, float
    Of early stopping: accuracies, or R²; else None.
validation_loss_curve_ : list of float
    Of ``validation_data``, if `fit` was given any; beside `loss_curve_`, with NaN for epochs
    without.
n_iter_, t_ : int
    Epochs of the last training, and samples seen in all.
n_layers_, n_outputs_, out_activation_ : int, int, str
n_features_in_, feature_names_in_ : int, array
cost_ : cost
    What was minimized.
estimators_ : list
    Of an ensemble: one estimator for each network. The other attributes are those of the first.
""".strip()

Kind = TypeVar("Kind", bound=type)


def documented(**more: str) -> Callable[[Kind], Kind]:
    """Put what both estimators share into the docstring of one; more: of its own, by section."""

    def decorate(kind: Kind) -> Kind:
        text = kind.__doc__ or ""
        parameters = "\n".join(
            [more.get("first", ""), _PARAMETERS, more.get("between", ""), _MORE_PARAMETERS]
        )
        attributes = "\n".join([_ATTRIBUTES, more.get("attributes", "")])
        for name, part in (("{parameters}", parameters), ("{attributes}", attributes)):
            lines = [line for line in part.splitlines() if line.strip()]
            text = text.replace(name, textwrap.indent("\n".join(lines), "    ").strip())
        kind.__doc__ = text
        return kind

    return decorate
