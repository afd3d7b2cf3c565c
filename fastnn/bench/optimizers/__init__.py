"""A step of the optimizers of fastnn beside NumPy, PyTorch and JAX.

``cases`` says what is compared and how ours does it, the ``*_peer`` do the same, ``contest``
checks.

What is measured: ``step`` with gradients that are there, in float32, on parameters and states that
it changes in place. PyTorch runs its fused form, where it has one for the CPU, and that which takes
all tensors at once (foreach); JAX a compiled update of all arrays that is given its parameters and
states to overwrite, until it is ready. Nothing is timed before it agrees with the reference.

The copy beside them reads and writes as many numbers as there are parameters.
"""
