"""Benchmarks of fastnn, for airspeed velocity (asv). Run them in the folder of ``asv.conf.json``::

    pip install -e '.[bench]'
    cd benchmarks
    asv machine --yes                  # once a machine
    asv run --python=same --quick      # all of them once, with the installed fastnn
    asv run --python=same -b Training  # one class, measured properly
    asv run main^! && asv publish      # the last commit in an environment of its own, as a website

With ``--launch-method forkserver`` it takes half the time: each benchmark is then a fork of one
process that has imported everything, not a new interpreter.

Times are those of one process on an idle machine. ``bench_startup`` is about the first second of a
process, ``bench_training`` about whole trainings and their memory, ``bench_inference`` about
predictions, ``bench_vecmath`` about elementary functions, ``bench_activations`` and
``bench_losses`` about those of the tables. What they measure is that of ``fastnn.bench``, where it
is compared with other libraries.
"""
