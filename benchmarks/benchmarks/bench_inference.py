"""Predictions of a trained network, from Python and in a user's compiled function."""

from fastnn.bench.networks import ours
from fastnn.bench.networks.tasks import TASKS


class Predictions:
    """1000 calls from Python, or 100 000 predictions in one compiled call.

    So a millisecond reads as a microsecond a call, or as 10 ns a prediction.
    """

    params = ("predict-one", "predict-batch", "predict-njit")
    param_names = ("task",)

    def setup(self, task):
        self.predictions = ours.competitor(TASKS[task])
        self.predictions.start()
        self.predictions.run()

    def time_run(self, task):
        self.predictions.run()
