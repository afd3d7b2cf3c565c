"""Activations of fastnn beside NumPy, PyTorch and JAX: one thread, one core, one run.

::

    pip install -e '.[peers]'                                # PyTorch and JAX; each may be missing
    python -m fastnn.bench.activations --out speed.md             # everything
    python -m fastnn.bench.activations --quick                    # a first look
    python -m fastnn.bench.activations tanh GELU --sizes 1k,1M --parts forward

One file a concept: ``cases`` says what is compared and on which numbers, ``numpy_peer``,
``torch_peer`` and ``jax_peer`` do what ours do, ``contest`` checks and measures, ``report`` writes.

What is measured: calls with data that are there, into an array that is there where the library
allows it (JAX does not). PyTorch runs in inference mode, and its derivatives are the kernels
that its autograd calls; JAX runs compiled functions, one for each shape, until they are ready. All
work on the same numbers, normally distributed with a standard deviation of 2, and nothing is timed
before all agree with the reference. In a round each of them is measured once, in a changing order;
figures are medians over the rounds, ratios the medians of each round's ratio.

The process is held to one core, so that libraries that count cores start one thread; to choose
which, start it under ``taskset``. Where the quartiles are more than 10 % of the median apart, they
are written beside it.
"""
