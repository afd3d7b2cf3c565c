"""`NeuralNetwork`: a stack of layers with a cost function, trained by the compiled engine."""

from __future__ import annotations

import functools
import os
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from numba.extending import typeof_impl

from . import inference, prediction
from ._core.arrays import Array, as_samples
from ._core.random import RNG
from .callbacks import Callbacks
from .callbacks.base import flag
from .history import History
from .kernels.codegen.compiler import imported
from .kernels.engine.model import Model
from .layers import Layer
from .layers.changes import passing
from .losses.base import CostFunction, delta_of
from .model.draws import Draws
from .model.posterior import deviations
from .model.prepared import ask
from .model.stack import Stack
from .optimizers import LevenbergMarquardt, Optimizer
from .training.gradient_check import in_float64, largest_relative_error
from .training.one_step import one_step
from .training.route import train
from .training.settings import Settings

__all__ = ["NeuralNetwork", "load"]


class NeuralNetwork(Stack):
    """A stack of layers and the cost function of its output.

    Layers and costs of this library train in one compiled call. With a layer or a cost of your own,
    written in NumPy, the same methods run layer by layer.

    Parameters
    ----------
    layers : sequence of layers
        From input to output, all of one dtype. The cost brings the activation of the
        output with it, so the last layer is usually a `LinearLayer`; one with the same activation
        gets a UserWarning.
    cost_function : cost
        Of ``fastnn.losses``, or any object with ``activate``, ``__call__`` and ``delta``.

    Attributes
    ----------
    layers, cost_function
        As given; both may be changed at any time.
    parameters : array
        All weights and biases in one flat vector, layer by layer, w before b, which
        `alpha` follows. Layers hold views of it: writing to it changes the network.
    optimizer : Optimizer or None
        Of the last `fit` that was given one, which the next goes on with.
    draws : Draws or None
        Where the random numbers of the last `fit` stand that drew any: as the `rng` of the next
        one, shuffles and dropout go on as if both were one training.
    posterior : fastnn.model.posterior.Posterior or None
        Of the last `fit` with ``LevenbergMarquardt(bayesian=True)``: noise and decay that it has
        estimated, and what `predict` makes error bars of.

    Examples
    --------
    >>> from fastnn import LinearLayer, SumSquaresError, TanhLayer
    >>> x = np.linspace(0, 1, 50)[:, np.newaxis]
    >>> t = np.sin(2 * np.pi * x)
    >>> nn = NeuralNetwork([TanhLayer(1, 6, rng=1), LinearLayer(6, 1, rng=2)], SumSquaresError())
    >>> before = nn.cost(x, t)
    >>> history = nn.fit(x, t, 0.01, epochs=5000)
    >>> nn.cost(x, t) < 0.1 * before
    True

    """

    def __call__(self, X: npt.ArrayLike, out: Array | None = None) -> Array:
        """Output of the network for the samples X, one a row.

        The layers remember it for `back_propagation`, as in the article: what the way back wants
        is kept by the same call, and given to a layer when it is asked for. With `out` it is
        `predict`.
        """
        if out is not None:
            return self.predict(X, out)
        result = self._ask("forward", X)
        if result is not None:
            self._prepared["forward"].mark()
            return result  # type: ignore[no-any-return]
        with passing().held():
            activity = self._logits(X)
        return np.asarray(self.cost_function.activate(activity))

    @overload
    def predict(
        self, X: npt.ArrayLike, out: Array | None = None, *, return_std: Literal[False] = False
    ) -> Array: ...

    @overload
    def predict(
        self, X: npt.ArrayLike, out: Array | None = None, *, return_std: Literal[True]
    ) -> tuple[Array, Array]: ...

    def predict(
        self, X: npt.ArrayLike, out: Array | None = None, *, return_std: bool = False
    ) -> Array | tuple[Array, Array]:
        """Output of the network, in one compiled call that leaves the layers alone.

        Parameters
        ----------
        X : array (rows, dim_input) or (dim_input,)
            A batch or one sample. A memory map, an array of zarr, and a large one of another dtype
            or layout is read in pieces of 16 MB, of which no page stays in memory. An array of dask
            gives one of dask, with a task for each of its chunks of rows; blocks, which is an
            iterator or a function that returns one, give a generator of their predictions.
        out : array (rows, dim_output) or (dim_output,), optional
            Where to write it, of the network's dtype; a memory map, too. For an array of dask, too,
            which is then computed chunk by chunk.
        return_std : bool
            Whether the standard deviation of the targets about it is returned, too, as
            `posterior` has it: √(1/β + j A⁻¹ jᵀ), where j are the derivatives of an output by the
            parameters, and A the Gauss-Newton matrix.

        Returns
        -------
        array
            `out`, or a new one. With `return_std` a pair of these, in the same shape. Samples are
            computed in tiles, and how many there are at once makes a difference of rounding.

        Raises
        ------
        ValueError
            With `return_std`, if the network has no `posterior`, or has changed since.

        Examples
        --------
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
        >>> nn.predict([3.0, 4.0])
        array([43.])

        """
        if flag("return_std", return_std):
            std = deviations(self, X)
            return self.predict(X, out), std
        result = ask(self, "predict", X) if out is None else ask(self, "predict", X, out)
        if result is not None:
            return result  # type: ignore[no-any-return]
        found: Array = prediction.predict(self, X, out)
        return found

    def predictor(self) -> prediction.Predictor:
        """The network as it is now, for predictions in other processes and threads.

        Returns
        -------
        Predictor
            Called as `predict` is. A pickle of it is as large as the parameters, without the
            optimizer and its state, and a process makes a network of it once, however many tasks
            it is sent with: ``joblib.Parallel(2)(joblib.delayed(nn.predictor())(X) for X in ...)``.

        Raises
        ------
        TypeError
            If a layer or the cost cannot be copied.

        Examples
        --------
        >>> import pickle
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
        >>> pickle.loads(pickle.dumps(nn.predictor()))([3.0, 4.0])
        array([43.])

        """
        return prediction.Predictor(self)

    def compiled(
        self,
        optimizer: Optimizer | str | None = None,
        rng: RNG = None,
        *,
        derivatives: bool = False,
    ) -> Model:
        """The network as a value that your own ``njit`` functions take as an argument.

        There, ``fastnn.kernels`` has `predict`, `jacobian`, `vjp` and, if an optimizer is given,
        `train_step`; with `derivatives` also `jvp`, `hvp`, `parameter_jacobian`, `laplacian` and
        `laplacian_vjp`, as far as layers and cost have them. The model shares its parameters with
        the network: training either trains both.
        It holds as long as the network keeps its layers, their activations, shapes and other
        settings, and its cost; afterwards compiled functions refuse it with a ValueError: make it
        anew. A layer may be in several networks, which share its values, but in a model of one of
        them at a time: using another network takes the layer away from the model, which is refused
        then, and its `compiled` is refused while that model exists.

        Parameters
        ----------
        optimizer : Optimizer or str, optional
            From `fastnn.get_opt`, or the name of one; as in `fit`, the same name again goes on with
            the state of the last.
        rng : None, int, numpy.random.Generator or RandomState
            Source of dropout in `train_step`; None takes the global ``np.random``.
        derivatives : bool
            Whether functions for more derivatives are compiled too.

        Returns
        -------
        Model

        Examples
        --------
        >>> from numba import njit
        >>> from fastnn import LinearLayer, SumSquaresError, kernels
        >>> @njit
        ... def twice(model, x, out):
        ...     kernels.predict(model, x, out)
        ...     return 2 * out[0]
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
        >>> twice(nn.compiled(), np.array([3.0, 4.0]), np.empty(1))
        86.0

        """
        return inference.compiled(self, optimizer, rng, derivatives)

    def jacobian(self, x: npt.ArrayLike) -> Array:
        """Derivatives of the outputs by the inputs at one sample, (dim_output, dim_input)."""
        return inference.jacobian(self, x)

    def vjp(self, X: npt.ArrayLike, g: npt.ArrayLike) -> Array:
        """For each sample, the derivative of Σ g · output by the input.

        Parameters
        ----------
        X : array (rows, dim_input) or (dim_input,)
        g : array (rows, dim_output) or (dim_output,)

        Returns
        -------
        array of the shape of X

        """
        return inference.vjp(self, X, g)

    def jvp(self, X: npt.ArrayLike, V: npt.ArrayLike) -> tuple[Array, Array]:
        """Outputs, and for each sample their derivative along its direction: Σ_i V_i ∂output/∂X_i.

        Parameters
        ----------
        X, V : array (rows, dim_input) or (dim_input,)
            Samples, and a direction for each.

        Returns
        -------
        outputs, derivative : array (rows, dim_output) or (dim_output,)

        Raises
        ------
        TypeError
            For layers or a cost with code of their own.
        ValueError
            For another shape.

        Examples
        --------
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
        >>> nn.jvp([3.0, 4.0], [0.0, 1.0])
        (array([43.]), array([10.]))

        """
        return _derivatives().jvp(self, X, V)  # type: ignore[no-any-return]

    def hvp(self, X: npt.ArrayLike, t: npt.ArrayLike, v: npt.ArrayLike) -> Array:
        """Hessian of `cost` by the parameters, times a vector.

        By Pearlmutter's R-operator, which takes about as long as two gradients. Parameters of
        frozen layers count as constants: their entries are zero, and those of v not looked at. At
        a kink, as of ReLU or of l1, the second derivative counts as zero.

        Parameters
        ----------
        X : array (rows, dim_input)
        t : array (rows, …)
            Targets, as of `cost`.
        v : array (parameters,)
            In the order of `parameters`.

        Returns
        -------
        array (parameters,)

        Raises
        ------
        TypeError
            For layers or a cost with code of their own, activations of all features together, and
            costs whose second derivatives are not known; the message says which.
        ValueError
            For another shape, and targets that the cost does not take.

        References
        ----------
        Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6, 1994.

        Examples
        --------
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
        >>> nn.hvp([[3.0, 4.0]], [[0.0]], [1.0, 0.0, 0.0])
        array([ 9., 12.,  3.])

        """
        return _derivatives().hvp(self, X, t, v)  # type: ignore[no-any-return]

    def parameter_jacobian(self, X: npt.ArrayLike) -> Array:
        """Derivatives of every output of every sample by every parameter.

        Parameters
        ----------
        X : array (rows, dim_input) or (dim_input,)

        Returns
        -------
        array (rows, dim_output, parameters) or (dim_output, parameters)
            Zero for parameters of frozen layers.

        Raises
        ------
        TypeError
            For layers or a cost with code of their own.

        Examples
        --------
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
        >>> nn.parameter_jacobian([3.0, 4.0])
        array([[3., 4., 1.]])

        """
        return _derivatives().parameter_jacobian(self, X)  # type: ignore[no-any-return]

    def laplacian(self, X: npt.ArrayLike, *, pullback: bool = False) -> tuple[Any, ...]:
        """Outputs u, their gradients by the inputs, and their Laplacians Σ_i ∂²u/∂X_i².

        All in one pass forward (the forward Laplacian). With `pullback` a function comes with
        them, for trainings whose cost has derivatives of the network in it:
        ``pullback(g_u, g_grad, g_lap)`` is the gradient by the parameters, in their order, of
        Σ g_u u + Σ g_grad grad + Σ g_lap lap, so that the g are the derivatives of the cost by u,
        grad and lap; each may be left out. It belongs to samples and parameters as they are now.

        Parameters
        ----------
        X : array (rows, dim_input) or (dim_input,)
        pullback : bool

        Returns
        -------
        u : array (rows, dim_output)
        grad : array (rows, dim_output, dim_input)
        lap : array (rows, dim_output)
            Of one sample, without rows.
        pullback : callable
            If asked for.

        Raises
        ------
        TypeError
            For layers or a cost with code of their own, activations of all features together, also
            that of the cost's output, and with `pullback` for activations without third
            derivatives; the message says which.
        ValueError
            For another shape.

        References
        ----------
        Li et al., A computational framework for neural network-based variational Monte Carlo with
        Forward Laplacian, 2023, arXiv:2307.08214.

        Examples
        --------
        >>> from fastnn import DenseLayer, LinearLayer, SumSquaresError
        >>> layers = [DenseLayer(2, 8, activation="tanh", rng=0), LinearLayer(8, 1, rng=1)]
        >>> nn = NeuralNetwork(layers, SumSquaresError())
        >>> X = np.random.default_rng(2).uniform(-1.0, 1.0, (100, 2))
        >>> u, grad, lap, pullback = nn.laplacian(X, pullback=True)
        >>> residual = lap + 1.0  # of Δu = -1, whose mean square is to be small
        >>> gradient = pullback(g_lap=2.0 * residual / residual.size)
        >>> u.shape, grad.shape, lap.shape, gradient.shape
        ((100, 1), (100, 1, 2), (100, 1), (33,))

        """
        return _derivatives().laplacian(self, X, pullback)  # type: ignore[no-any-return]

    def low_level_callable(self) -> Any:
        """The network as a ``scipy.LowLevelCallable``: ``double f(int n, double *x, void *)``.

        For ``scipy.integrate.quad`` and ``nquad``, which then call machine code only. The network
        must have one output; another number of variables than it has inputs gives NaN. One call at
        a time, as SciPy makes them.

        Examples
        --------
        >>> from scipy.integrate import quad
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(1, 1, init=[[2.0]])], SumSquaresError())
        >>> round(quad(nn.low_level_callable(), 0.0, 3.0)[0], 6)
        9.0

        """
        return inference.low_level_callable(self)

    def summary(self) -> str:
        """The layers as a table, with the number of their parameters.

        Returns
        -------
        str
            That an interpreter shows as it is printed; a notebook shows a network as such a table.

        Examples
        --------
        >>> from fastnn import DenseLayer, LinearLayer, SumSquaresError
        >>> hidden = DenseLayer(4, 30, activation="leaky-ReLU", dropout=0.5)
        >>> NeuralNetwork([hidden, LinearLayer(30, 2)], SumSquaresError()).summary()
        layer        activation              shape   parameters  dtype    settings
        DenseLayer   leaky-ReLU(alpha=0.01)  4 → 30         150  float64  dropout=0.5
        LinearLayer  identity                30 → 2          62  float64
        cost: SumSquaresError()
        total: 212 parameters, 1.66 KiB

        """
        found: str = _summary().summary(self)
        return found

    def _repr_html_(self) -> str:
        found: str = _summary().as_html(self)
        return found

    def save(self, path: str | os.PathLike[str], training: bool = True) -> None:
        """Write the network to a file, for `fastnn.load`.

        It holds layers, cost and parameters, and what trainings go on from: the optimizer with its
        schedule and its state, and where the random numbers of shuffles and dropout stand. A
        training that goes on in another process, with ``rng=network.draws``, is the one that was
        never interrupted, to the last bit. The file is written beside its place and then moved
        there, so that an interrupted save leaves the one before.

        Parameters
        ----------
        path : str or path
            Ends in ``.safetensors``, for a file of that package (an extra:
            ``pip install 'fastnn-numba[files]'``), or in ``.npz``, for an archive of NumPy without
            pickles.
        training : bool
            False leaves out optimizer and random numbers, as for a network that only predicts.

        Raises
        ------
        TypeError
            If a layer, the cost, a schedule or a number of the optimizer is the caller's own class
            or function: a file names what is in fastnn's tables.
        ValueError
            If the path ends in something else, or the optimizer's state is that of other
            parameters.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import fastnn, os, tempfile
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [10.0]])], SumSquaresError())
        >>> path = os.path.join(tempfile.mkdtemp(), "nn.npz")
        >>> nn.save(path)
        >>> fastnn.load(path).predict([3.0, 4.0])
        array([43.])

        """
        _files().save(self, path, flag("training", training))

    def export_c(self, path: str | os.PathLike[str], name: str = "net") -> None:
        """Write the network as one C99 file with the function ``void name(const T *x, T *y)``.

        It makes of one sample x what `predict` does, by the same formulas: y gets the output, with
        the activation that the cost gives it. T is float or double, as the network's dtype. The
        function allocates nothing and calls nothing but the mathematical functions of C.

        Parameters
        ----------
        path : str or path
            The file, which is replaced; an export that is interrupted leaves it as it was.
        name : str
            Of the function: a C identifier, neither a keyword nor a name of the C library.

        Raises
        ------
        TypeError
            For a layer or a cost with code of your own.
        ValueError
            For weights that are not finite, and for other names and paths than these.
        NotImplementedError
            For an activation whose kernel has what is not translated, naming the line.

        Examples
        --------
        >>> import tempfile
        >>> from fastnn import LinearLayer, SumSquaresError
        >>> nn = NeuralNetwork([LinearLayer(2, 1, init=[[1.0], [0.1]])], SumSquaresError())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nn.export_c(f"{folder}/line.c", "line")
        ...     with open(f"{folder}/line.c") as file:
        ...         text = file.read()
        >>> [row for row in text.splitlines() if row.startswith("void")]
        ['void line(const double *x, double *y);', 'void line(const double *x, double *y)']

        """
        from .export.c.network import export_c  # only who exports loads the translator

        export_c(self, path, name)

    def fit(
        self,
        X: Any,
        t: npt.ArrayLike | None = None,
        learning_rate: Any = None,
        *,
        optimizer: Optimizer | LevenbergMarquardt | str | None = None,
        epochs: int = 1,
        batch_size: int | None = None,
        shuffle: bool = True,
        validation_data: tuple[Any, ...] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Any = None,
        callbacks: Callbacks = (),
        verbose: int = 0,
        rng: RNG | Draws = None,
        n_threads: int | None = None,
        comm: Any = None,
        shard: bool = False,
    ) -> History:
        """Train; as ``fit(X, t, learning_rate)`` one step of gradient descent on all samples.

        Parameters
        ----------
        X : array (rows, dim_input), or blocks
            Samples; any real dtype and layout. Of the network's dtype and C-contiguous they are
            read in place, a ``np.memmap`` too; otherwise converted once. Arrays of dask and zarr
            are read by their chunks of rows. Without `t`, data in blocks: a function, called once
            an epoch, that returns an iterable of ``(X, t)`` or ``(X, t, sample_weight)``; or a list
            of these; in the place of each array may stand the path of an ``.npy`` file.
        t : array (rows, dim_output), optional
            Targets; as many columns as the cost asks for; of one column also (rows,). Of
            `SoftmaxCrossEntropy` also labels, (rows,). Left out for blocks.
        learning_rate : float, schedule or callable of the step, optional
            Alone: plain gradient descent; the same schedule object, given again, goes on where it
            was, so that one call a step runs through it, while another begins at its step 0. With
            an optimizer: instead of its own.
        optimizer : Optimizer or str, optional
            From `fastnn.get_opt`, or the name of one. It keeps its state from one `fit` to the
            next, and is refused by other networks; without optimizer and learning rate the last
            one goes on. "L-BFGS" minimizes the
            cost of all samples by the method of that name, an epoch being an iteration, and
            ends sooner where that finds nothing lower; without dropout. "LM", or
            ``fastnn.get_opt("LM", …)`` with its numbers, minimizes a sum of squares by
            Levenberg-Marquardt: see `fastnn.optimizers.LevenbergMarquardt`.
        epochs : int
            Passes over the samples.
        batch_size : int, optional
            Samples a step; all of them, or of the block, if left out. The last batch of an epoch,
            or of a block, may be smaller.
        shuffle : bool
            Whether mini-batches are drawn anew every epoch; from blocks one after the other, which
            are shuffled themselves where they come from a list or are chunks.
        validation_data : (X, t) or (X, t, sample_weight), optional
            Judged after every epoch.
        sample_weight : array (rows,), optional
            Factor of each sample's cost, at least 0.
        class_weight : mapping or array, optional
            Factor of each class's samples: the class of a sample is its largest target, for one
            output 1 above one half, else 0. Times `sample_weight`.
        callbacks : callback, function or sequence of these
            See `fastnn.callbacks`.
        verbose : int
            Report every so many epochs; True is 1, and 0 or False is silent.
        rng : None, int, numpy.random.Generator or RandomState, or Draws
            Source of shuffling and dropout; None takes the global ``np.random``, and
            ``network.draws`` goes on with the numbers of the last training.
        n_threads : int, optional
            Threads that share the work; left out, as many as pay, at most
            `fastnn.get_num_threads`. The same seed and number give the same result to the last
            bit; another number adds the samples in another order, which differs by rounding only.
            With `comm` of each rank, one if left out.
        comm : mpi4py.MPI.Intracomm, optional
            Whose processes train together, such as ``MPI.COMM_WORLD``; an extra: ``pip install
            'fastnn-numba[mpi]'``. All of them make the same call, each with rows of its own, which
            may be none. A step, and so `batch_size`, is of all ranks together; each takes part in
            proportion to its rows. All begin with the parameters, the optimizer's state and the
            random numbers of rank 0, whose callbacks, validation data, `verbose` and learning rate
            are those that count, and end with the same parameters and history.
        shard : bool
            With `comm`: X, t and sample_weight are the same on all ranks, which share out each
            batch. The steps are then those of a training without ranks, but for rounding.

        Returns
        -------
        History
            Cost, validation cost, learning rate and seconds of each epoch, with `comm` also those
            of the reduction, the sums of gradients over all ranks. The cost is that of the
            epoch's batches, each as the parameters were before its step, with penalties.

        Raises
        ------
        TypeError, ValueError
            For arguments that do not fit, before anything is changed; and ValueError when a step
            would make a parameter infinite or NaN: the parameters are then those of the last
            complete step. As they are, too, when a block does not fit, which is named, or when
            reading it raises what it raises.
        RuntimeError
            If another thread trains this network and its callback waits for one that this thread
            trains: neither would ever go on. So it is if what returns blocks trains or saves this
            network; callbacks may do both, but neither by `fit_many` nor with `comm`. And, with its
            text, for an error of another rank.
        KeyboardInterrupt
            Ctrl-C ends the training after the step at hand.

        """
        if (
            t is not None
            and type(epochs) is int
            and epochs == 1
            and batch_size is None
            and validation_data is None
            and sample_weight is None
            and class_weight is None
            and rng is None
            and n_threads is None
            and comm is None
            and type(callbacks) is tuple
            and not callbacks
            and (verbose is False or (type(verbose) is int and verbose == 0))
            and shard is False
        ):
            history = one_step(self, X, t, learning_rate, optimizer)
            if history is not None:
                return history
        settings = Settings(
            learning_rate, optimizer, epochs, batch_size, shuffle, validation_data, sample_weight,
            class_weight, callbacks, verbose, rng, n_threads, comm, shard,
        )  # fmt: skip
        with self._lock.held():
            return train(self, X, t, settings)

    def export_onnx(
        self, path: str | os.PathLike[str], *, activate: bool = True, opset: int = 20
    ) -> None:
        """Write the network to a file that ONNX Runtime and others run.

        Its input ``X`` (rows, dim_input) and output ``y`` (rows, dim_output) have the network's
        dtype and any number of rows. Dropout and penalties are of trainings, and not in it.

        Parameters
        ----------
        path : str or path
            Where to; what is there stays if anything fails.
        activate : bool
            Whether the output is that of `predict`, with the activation of the cost, or that of
            the last layer.
        opset : int
            The highest version of ONNX's operators that may be used, 13 to 24. The file asks for
            the lowest that has its operators, at least 13; where an activation is an operator of
            a higher one, it is composed of others.

        Raises
        ------
        ImportError
            If onnx is not installed, the extra ``onnx``.
        ValueError
            For weights that are not finite, layers or a cost with code of their own, an
            activation whose reference does what ONNX has no form for, and more than 2 GB of
            parameters.

        """
        from .export.onnx.write import write

        write(self, path, activate, opset)

    def gradient_check(self, X: npt.ArrayLike, t: npt.ArrayLike) -> float:
        """Largest relative error of `gradient` against finite differences.

        Over all parameters and all inputs. The differences are taken in float64, by Richardson
        extrapolation of two central differences; an error is relative to the larger of the two
        values, but at least to a thousandth of the largest gradient.
        """
        return largest_relative_error(self, X, t)

    def _gradient_check(
        self, X: npt.ArrayLike | None = None, t: npt.ArrayLike | None = None, eps: float = 1e-6
    ) -> None:
        """Print one derivative, by a finite difference and by backpropagation, as the article does.

        It is that of the cost with respect to the first feature, of one sample.
        """
        last = self.layers[-1]
        width = self.layers[0].w.shape[0]
        outputs = last.dim_output if isinstance(last, Layer) else last.w.shape[1]
        double = np.dtype(np.float64)
        x = np.full((1, width), 0.5) if X is None else as_samples("X", X, width, double)
        cost = self.cost_function
        columns = cost.targets_for(outputs) if isinstance(cost, CostFunction) else outputs
        target = np.eye(1, columns) if t is None else as_samples("t", t, columns, double)
        # In float64 whatever the network's dtype: rounding to float32 would drown the step.
        twin = in_float64(self)
        step = np.zeros_like(x)
        step[:, 0] += eps
        difference = (twin.cost(x + step, target) - twin.cost(x - step, target)) / (2 * eps)
        delta = delta_of(twin.cost_function, twin._logits(x), target)
        for layer in reversed(twin.layers):
            delta = layer.back_propagation(delta, 0)
        print("===================================")
        print("checking gradient")
        print("finite difference", difference)
        print(" back propagation", delta[0, 0])
        print("===================================")


def load(path: str | os.PathLike[str]) -> NeuralNetwork:
    """The network of a file that `NeuralNetwork.save` or `Checkpoint` has written.

    Nothing of the file is run or imported: layers, activations, costs, optimizers and schedules are
    looked up by their names in fastnn's tables. Nor is more memory taken than the file's size asks
    for, whatever sizes it claims.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    NeuralNetwork
        With its optimizer, if the file has one, as `optimizer`, and the stand of the random numbers
        as `draws`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no such file, of a later version of the format, or damaged.
    ModuleNotFoundError
        If it is a .safetensors file, and that package is not installed.

    Examples
    --------
    In another process, a training goes on::

        nn = fastnn.load("digits.safetensors")
        nn.fit(X, t, epochs=100, batch_size=20, rng=nn.draws)

    """
    network: NeuralNetwork = _files().load(path, NeuralNetwork)
    return network


def _files() -> Any:
    """Imported when first needed, as the next: most programs begin without."""
    return imported(".files", __package__)


@functools.cache
def _derivatives() -> Any:
    return imported(".inference.derivatives", __package__)


def _summary() -> Any:
    return imported(".model.summary", __package__)


@typeof_impl.register(NeuralNetwork)
def _(network: NeuralNetwork, context: Any) -> None:
    """Of a network that a compiled function is given."""
    raise TypeError("compiled functions take no NeuralNetwork, but a model: use net.compiled()")
