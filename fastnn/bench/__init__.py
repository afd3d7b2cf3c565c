"""``fastnn bench``: fastnn beside NumPy and other libraries, all in one run on one machine.

``activations``, ``optimizers`` and ``networks`` (trainings and predictions) say what is compared
and do it in each library. ``plan`` chooses among it, ``run`` gives each part and number of threads
a process (``child``), ``results`` judges, ``tables``, ``pictures`` and ``page`` show. ``roofs`` and
``work`` are for the roofline. Needs the extra ``bench``; the other libraries come with ``peers``.
"""

from __future__ import annotations

__all__: list[str] = []
