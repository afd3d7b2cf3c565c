"""`fit_many` and `predict_many`: many networks, each on one thread, as many at once as are free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from .._core.arrays import Array, convert, count
from .._core.random import RNG
from .._core.threads import get_num_threads
from ..history import History
from ..model.compile import is_compiled
from ..model.draws import Draws
from . import many_tasks, per_network, race

__all__ = ["fit_many", "predict_many"]


def fit_many(
    networks: Sequence[Any],
    X: Any,
    t: Any,
    learning_rate: Any = None,
    *,
    optimizer: Any = None,
    epochs: int | Sequence[int] = 1,
    batch_size: int | Sequence[int | None] | None = None,
    shuffle: bool | Sequence[bool] = True,
    subsets: Any = None,
    validation_data: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    callbacks: Any = None,
    rng: RNG | Sequence[RNG | Draws] = None,
    n_threads: int | None = None,
    on_divergence: Literal["raise", "stop"] = "raise",
) -> list[History]:
    """Train many networks, each as its own `NeuralNetwork.fit` on one thread would.

    Parameters, optimizers, histories and draws are those of the separate calls with
    ``n_threads=1``, to the last bit, however many threads there are: each of them takes the next
    network that is left, and trains it to its end. The networks may differ in shapes, dtypes,
    activations and costs. Every argument but `n_threads` and `on_divergence` is one value for all
    networks, or **a list or tuple with an entry for each**. So what is shared is an array, never a
    list of rows.

    Parameters
    ----------
    networks : sequence of NeuralNetwork
        Distinct ones, without layers in common. Those with layers or costs of your own are trained
        first, one after the other.
    X, t : array, or list of arrays
        Samples (rows, dim_input) and targets (rows, dim_output). An array that fits is read where
        it is by all networks; another is converted once.
    learning_rate : float, schedule or callable, or list or array (networks,), optional
        As of `fit`.
    optimizer : str or list of str and Optimizer, optional
        As of `fit`; each network has its own. Weight decay and other numbers of one network are
        those of its optimizer and its layers: ``[get_opt("AdamW", weight_decay=d) for d in …]``.
    epochs, batch_size, shuffle
        As of `fit`.
    subsets : array (networks, rows) or list of arrays, optional
        Indices of the samples that each network is trained on, or masks of them; a sample may come
        several times. An array (rows,) is that for all. Equal to ``fit(X[subset], t[subset])``.
    validation_data : tuple or list of tuples, optional
        (X, t) or (X, t, sample_weight), for all; a list has one such tuple for each network.
    sample_weight : array (rows,) or list of arrays, optional
        Of the samples in X; a subset chooses from them.
    class_weight : mapping, array, or list of these, optional
        As of `fit`.
    callbacks : function, or list, optional
        A list has for each network what `fit` takes. A function is called for all. Callbacks of one
        network are called by the thread that trains it, while others train others.
    rng : None, int, Generator, RandomState, or list of these and Draws
        A seed or a Generator gives each network its own: ``np.random.default_rng(seed).spawn(n)``
        in the order of the networks. None, the global ``np.random``, and a RandomState are that for
        all, in turn.
    n_threads : int, optional
        Threads; left out, `fastnn.get_num_threads`.
    on_divergence : "raise" or "stop"
        What becomes of a network that would leave the finite numbers, after all others are done: a
        ValueError that names all such networks, or nothing but the reason, in its
        ``history.stopped``.

    Returns
    -------
    list of History
        In the order of the networks.

    Raises
    ------
    TypeError, ValueError
        For arguments that do not fit, before any training begins, and see `on_divergence`.
    KeyboardInterrupt
        Ctrl-C ends all trainings; parameters are those of each one's last complete step.

    Examples
    --------
    A sweep of learning rates:

    >>> import numpy as np
    >>> from fastnn import LinearLayer, MeanSquaredError, NeuralNetwork, TanhLayer
    >>> x = np.linspace(-1.0, 1.0, 64).reshape(-1, 1)
    >>> def network():
    ...     layers = [TanhLayer(1, 8, rng=1), LinearLayer(8, 1, rng=2)]
    ...     return NeuralNetwork(layers, MeanSquaredError())
    >>> rates = [1e-4, 1e-3, 1e-2]
    >>> histories = fit_many(
    ...     [network() for _ in rates], x, np.sin(3.0 * x), rates, optimizer="Adam", epochs=200
    ... )
    >>> int(np.argmin([history.cost[-1] for history in histories]))
    2

    """
    found = per_network.checked_networks(networks)
    if on_divergence not in ("raise", "stop"):
        raise ValueError(f'on_divergence must be "raise" or "stop", not {on_divergence!r}')
    threads = get_num_threads() if n_threads is None else count("n_threads", n_threads, least=1)
    n = len(found)
    given = per_network.given(
        n, epochs=epochs, batch_size=batch_size, shuffle=shuffle, X=X, t=t,
        sample_weight=sample_weight, class_weight=class_weight, subsets=subsets,
        validation_data=validation_data, callbacks=callbacks,
    )  # fmt: skip
    tasks = many_tasks.tasks(found, given)
    how = per_network.given(n, learning_rate=learning_rate, optimizer=optimizer)
    how["optimizer"] = many_tasks.optimizers(found, how)
    how |= per_network.given(n, rng=rng)
    histories, errors = race.train(many_tasks.asked(tasks, how), threads)
    if errors and on_divergence == "raise":
        raise _of_all(errors, n) from next(iter(errors.values()))
    for k, error in errors.items():
        histories[k].stopped = str(error)
    return histories


_SHOWN = 3  # errors of networks in one message


def _of_all(errors: dict[int, ValueError], n: int) -> ValueError:
    """One error for all networks that diverged."""
    names = ", ".join(f"networks[{k}]" for k in errors)
    first = "; ".join(f"networks[{k}]: {errors[k]}" for k in [*errors][:_SHOWN])
    more = "; …" if len(errors) > _SHOWN else ""
    return ValueError(
        f"{len(errors)} of {n} networks diverge ({names}), the training of the others is complete; "
        f'on_divergence="stop" returns all histories: {first}{more}'
    )


def predict_many(networks: Sequence[Any], X: Any) -> Array:
    """Outputs of many networks, each as its `NeuralNetwork.predict` gives them.

    Parameters
    ----------
    networks : sequence of NeuralNetwork
        Of as many outputs each.
    X : array (rows, dim_input) or (dim_input,), or list of arrays
        For all networks; a list or tuple has one for each, all with as many rows.

    Returns
    -------
    array (networks, rows, dim_output) or (networks, dim_output)
        Of the networks' dtype; float64, if they differ.

    Raises
    ------
    TypeError, ValueError
        For what is no network, and for samples and outputs that do not fit.

    Examples
    --------
    The mean of an ensemble, and how far its networks are apart:

    >>> from fastnn import LinearLayer, NeuralNetwork, SumSquaresError
    >>> networks = [
    ...     NeuralNetwork([LinearLayer(1, 1, init=[[w]])], SumSquaresError()) for w in (1.0, 3.0)
    ... ]
    >>> outputs = predict_many(networks, np.array([[1.0], [2.0]]))
    >>> outputs.mean(axis=0).ravel(), outputs.std(axis=0).ravel()
    (array([2., 4.]), array([1., 2.]))

    """
    found = per_network.network_list(networks)
    outputs: list[Array] = []
    known: dict[Any, Array] = {}
    for k, (network, x) in enumerate(zip(found, per_network.each("X", X, len(found)), strict=True)):
        outputs.append(np.asarray(network.predict(_converted(network, x, known))))
        if outputs[k].shape != outputs[0].shape:
            raise ValueError(
                f"networks[{k}] gives outputs of shape {outputs[k].shape}, expected "
                f"{outputs[0].shape} as networks[0]"
            )
    return np.stack(outputs)


_BYTES = 1 << 24  # of samples that are converted whole; of more `predict` converts pieces


def _converted(network: Any, x: Any, known: dict[Any, Array]) -> Any:
    """Plain samples in the dtype of the network, once for all of that dtype; others as they are."""
    if type(x) is not np.ndarray or x.dtype.kind not in "fiu" or x.nbytes > _BYTES:
        return x
    dtype = getattr(network.layers[0], "dtype", x.dtype)
    if x.dtype == dtype or not is_compiled(network.layers, network.cost_function):
        return x
    if (id(x), dtype) not in known:
        known[id(x), dtype] = convert("X", x, dtype)
    return known[id(x), dtype]
