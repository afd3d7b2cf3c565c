"""Trainings and predictions of fastnn beside its peers, each in its best compiled form.

One file a concept: ``tasks`` says what is compared, ``data`` makes the samples and the weights all
start from, ``agreement`` checks; ``ours`` and every ``*_peer`` turn a task into competitors.

What is measured: a training competitor does the same run of some hundred steps again and again,
from the same weights, over the same batches in their natural order; a measurement is the mean time
a step over enough runs to fill the given time. Setting the weights back is not timed, whatever the
run itself needs (allocating the state of the optimizer, say) is. Nothing is timed before it has
arrived at the result of plain NumPy in float64, or as near to it as another seed of dropout does.
"""
