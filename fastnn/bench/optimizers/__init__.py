"""A step of the optimizers of fastnn beside PyTorch and JAX, on one thread and on more.

::

    pip install -e '.[peers]'                                   # PyTorch and JAX
    python -m fastnn.bench.optimizers --out optimizers.md            # everything, 1 and 2 threads
    python -m fastnn.bench.optimizers --quick                        # a first look
    python -m fastnn.bench.optimizers Adam SGD --sizes 7.5k,10M --threads 1

One file a concept: ``cases`` says what is compared and how ours does it, ``torch_peer`` and
``jax_peer`` do the same, ``contest`` checks and measures, ``report`` writes.

What is measured: ``step`` with gradients that are there, in float32, on parameters and states that
it changes in place. PyTorch runs its fused form, where it has one for the CPU, and that which takes
all tensors at once (foreach); JAX a compiled update of all arrays that is given its parameters and
states to overwrite, until it is ready. Nothing is timed before all agree with the reference. In a
round each of them is measured once, in a changing order; figures are medians over the rounds,
ratios the medians of each round's ratio.

Every number of threads has a process of its own, which is held to as many cores. The copy beside
them reads and writes as many numbers as there are parameters; its bandwidth, times the time of a
step, is what the memory could have moved in that time, and the share is what had to be moved. A
copy may fetch what it overwrites as well, which a step in place need not: shares above 100 % are no
mistake.
"""
