"""Activations of fastnn beside NumPy, PyTorch and JAX.

``cases`` says what is compared and on which numbers, ``numpy_peer``, ``torch_peer`` and
``jax_peer`` do what ours do, ``contest`` checks.

What is measured: calls with data that are there, into an array that is there where the library
allows it (JAX does not). PyTorch runs in inference mode, and its derivatives are the kernels
that its autograd calls; JAX runs compiled functions, one for each shape, until they are ready. All
work on the same numbers, normally distributed with a standard deviation of 2, and nothing is timed
before it agrees with the reference.
"""
