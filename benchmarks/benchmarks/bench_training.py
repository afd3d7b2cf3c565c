"""Trainings: whole runs of the tasks, what a call of `fit` costs, and the memory of a process."""

import numpy as np

import fastnn
from fastnn.bench.networks import numpy_peer, ours
from fastnn.bench.networks.tasks import TASKS, Training, quick

TRAININGS = [name for name, task in TASKS.items() if isinstance(task, Training)]


class Steps:
    """A run of some hundred steps of a task, always from the same weights."""

    params = (TRAININGS, ["1 thread", "2 threads", "reference"])
    param_names = ("task", "by")
    number = 1  # setup comes before every run: it sets the weights back
    warmup_time = 0.0

    def setup(self, task, by):
        if by == "reference":
            self.trainer = numpy_peer.trainer(quick(TASKS[task]), "float64")
        else:
            self.trainer = ours.competitor(quick(TASKS[task]), int(by[0]))
            self.trainer.start()
            self.trainer.run()
        self.trainer.start()

    def time_run(self, task, by):
        self.trainer.run()


class OneStep:
    """What a call costs beyond the training: one step on the four samples of xor."""

    params = ("SGD", "Adam")
    param_names = ("optimizer",)

    def setup(self, optimizer):
        layers = [fastnn.TanhLayer(2, 4, rng=0), fastnn.LinearLayer(4, 1, rng=0)]
        self.network = fastnn.NeuralNetwork(layers, fastnn.SigmoidCrossEntropy())
        self.X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        self.t = np.array([[0.0], [1.0], [1.0], [0.0]])
        self.optimizer = fastnn.get_opt(optimizer, learning_rate=1e-7)
        self.time_fit(optimizer)

    def time_fit(self, optimizer):
        self.network.fit(self.X, self.t, optimizer=self.optimizer)


class Memory:
    """The peak of a process that trains; the interpreter and the imports are most of it."""

    params = ("xor", "mnist", "mnist-wide")
    param_names = ("task",)

    def setup_cache(self):
        """In a process of its own: compiling takes more memory than any training."""
        for task in self.params:
            self.peakmem_training(task)

    def peakmem_training(self, task):
        trainer = ours.competitor(quick(TASKS[task]))
        trainer.start()
        trainer.run()
