"""Predictions of a trained network, from Python and in a user's compiled function."""

from fastnn.bench.networks import numpy_peer, ours
from fastnn.bench.networks.tasks import TASKS, Inference

PREDICTIONS = [name for name, task in TASKS.items() if isinstance(task, Inference)]


class Predictions:
    """1000 calls from Python, or 100 000 predictions in one compiled call.

    So a millisecond reads as a microsecond a call, or as 10 ns a prediction.
    """

    params = (PREDICTIONS, ["kernel", "reference"])
    param_names = ("task", "by")

    def setup(self, task, by):
        field = [ours.competitor(TASKS[task])] if by == "kernel" else []
        field = field or numpy_peer.competitors(TASKS[task])
        if not field:
            raise NotImplementedError  # NumPy is not called in compiled code
        self.predictions = field[0]
        self.predictions.start()
        self.predictions.run()

    def time_run(self, task, by):
        self.predictions.run()
