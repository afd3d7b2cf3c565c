"""Benchmarks of fastnn, for airspeed velocity (asv). Run them in the folder of ``asv.conf.json``::

    pip install -e '.[bench]'
    cd benchmarks
    asv machine --yes                                # once a machine
    asv run --python=same --quick --launch-method forkserver  # all of them once, as installed
    asv run --python=same --set-commit-hash HEAD -b Steps  # some, measured and kept
    asv run HEAD^!                                   # the last commit, in an environment of its own
    asv run main..HEAD                               # each commit of a branch
    asv compare main HEAD                            # what is kept of two commits, side by side
    asv continuous main HEAD -b Optimizers           # run both in turn; fails if one is slower
    asv publish && asv preview                       # all results as a website
    python offline.py                                # the website without the internet

With ``--launch-method forkserver`` each benchmark is a fork of one process that has imported
everything, not a new interpreter: minutes instead of an hour. Results are kept in ``results``,
environments in ``env``, the website in ``html``; git ignores them.

Times are those of one process on an idle machine. ``bench_startup`` is about the first second of a
process, ``bench_training`` about whole trainings and their memory, ``bench_inference`` about
predictions, ``bench_layers`` about layers called by hand, ``bench_vecmath`` about elementary
functions, ``bench_quality`` about accuracy and bandwidth; ``bench_activations``,
``bench_optimizers``, ``bench_losses`` and ``bench_dropin`` take what they measure from the tables,
so that nothing in a table can lack a benchmark. What they measure is that of ``fastnn.bench``,
where it is compared with other libraries.
"""

import numpy as np

import fastnn

# What numba does before its first compiled function takes longer than most benchmarks; processes
# that are forked from here have it behind them.
fastnn.get_act("tanh").forward(np.zeros(1))
