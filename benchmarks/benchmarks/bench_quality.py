"""What is promised beside speed: accuracy, and the share of the memory's bandwidth that is used."""

import sys
import time
from pathlib import Path

import numpy as np

import fastnn

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
from accuracy.exhaustive import PATTERNS, check
from accuracy.table import FUNCTIONS, suffixed


class Accuracy:
    """The largest error over a sample of all float32 numbers, in units in the last place.

    Near zeros of derivatives in eps, as in ``tests/accuracy/float32.md``, which has all numbers.
    """

    params = ([suffixed(row.name, order) for row, order in FUNCTIONS],)
    param_names = ("function",)
    unit = "ulp"
    step = 2**15 + 1  # so that all mantissas are met

    def track_max_ulp(self, function):
        index = self.params[0].index(function)
        halves = [(0, PATTERNS // 2), (PATTERNS // 2, PATTERNS)]  # of both signs
        found = [check(index, *half, self.step)[0] for half in halves]
        return max(max(worst[0], worst[2]) for worst in found)


MOVED = {"ReLU": 2, "SGD": 3, "Adam": 7}  # numbers read and written for each of the arrays'
SIZE = 4_000_000


class Bandwidth:
    """Bytes a second beside those of NumPy's copy, on one thread, in arrays no cache can hold.

    Both in turn, the best of some rounds, which nothing else can have sped up; 100 % is a copy's.
    More is possible in place: a copy has the memory fetch what it overwrites, too.
    """

    params = (list(MOVED),)
    param_names = ("kernel",)
    unit = "%"
    rounds = 30

    def setup(self, kernel):
        self.before = fastnn.get_num_threads()
        fastnn.set_num_threads(1)
        self.x, self.out = np.full(SIZE, 0.5, "float32"), np.zeros(SIZE, "float32")
        if kernel == "ReLU":
            act = fastnn.get_act("ReLU")
            self.call = lambda: act.forward(self.x, out=self.out)
        else:
            optimizer = fastnn.get_opt(kernel, learning_rate=1e-9)
            self.call = lambda: optimizer.step(self.out, self.x)

    def teardown(self, kernel):
        fastnn.set_num_threads(self.before)

    def track_share_of_copy(self, kernel):
        turns = [
            [self.seconds(call) for call in (self.copy, self.call)] for _ in range(self.rounds)
        ]
        copy, ours = map(min, zip(*turns, strict=True))
        return 100 * (MOVED[kernel] * copy) / (2 * ours)

    def copy(self):
        np.copyto(self.out, self.x)

    def seconds(self, call):
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
