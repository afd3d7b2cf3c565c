"""Benchmarks of fastnn, for airspeed velocity (asv). Run them in the folder of ``asv.conf.json``::

    pip install -e '.[bench]'
    cd benchmarks
    asv machine --yes                 # once a machine
    asv run --python=same --quick     # all of them once, with the installed fastnn
    asv run --python=same -b Vecmath  # one class, measured properly
    asv run main^! && asv publish     # the last commit in an environment of its own, as a website

Times are those of one process on an idle machine. ``bench_startup`` is about the first second of a
process, ``bench_vecmath`` about elementary functions, ``bench_training`` about whole steps.
"""
