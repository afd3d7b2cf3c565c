"""Trainings and predictions of fastnn beside its peers, each in its best compiled form, in one run on one machine.

::

    pip install -e '.[peers]'                                  # the other libraries
    python -m fastnn.bench.networks                                    # everything
    python -m fastnn.bench.networks --quick --task xor --task digits   # a first look at two tasks
    python -m fastnn.bench.networks --json times.json                  # and every single measurement

One file a concept: ``tasks`` says what is compared, ``data`` makes the samples and the weights all
start from, ``timing`` and ``agreement`` measure and check, ``report`` prints; ``ours`` and every
``*_peer`` turn a task into competitors.

What is measured: a training competitor does the same run of some hundred steps again and again,
from the same weights, over the same batches in their natural order; a measurement is the mean time
a step over enough runs to fill the given time. Setting the weights back is not timed, whatever the
run itself needs (allocating the state of the optimizer, say) is. In a round every competitor is
measured once, in an order that changes from round to round. Nothing is timed before all have
arrived at the result of plain NumPy in float64.
"""
