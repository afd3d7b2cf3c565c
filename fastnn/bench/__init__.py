"""Comparisons of fastnn with NumPy and with other libraries, all in one run on one machine.

``activations``, ``optimizers`` and ``networks`` (trainings and predictions) say what is compared
and do it in each library; the modules beside them measure, judge and show.
"""
