"""The first second of a process: the import, and the first training."""

import os
import subprocess
import sys
import tempfile

FIRST_FIT = """
import time
import numpy as np
import fastnn
X = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
t = (X[:, :1] * X[:, 1:] > 0).astype(float)
layers = [fastnn.TanhLayer(2, 4, dtype="{0}"), fastnn.LinearLayer(4, 1, dtype="{0}")]
nn = fastnn.NeuralNetwork(layers, fastnn.SigmoidCrossEntropy())
start = time.perf_counter()
nn.fit(X, t, 0.001)
print(time.perf_counter() - start)
"""


class Import:
    """Beyond numba, which every user of compiled code has imported."""

    number = 1

    def timeraw_fastnn(self):
        return "import fastnn", "import numba"


class FirstFit:
    """The first step of a new process, with an empty and with a full kernel cache."""

    params = (["cold", "warm"], ["float32", "float64"])
    param_names = ("cache", "dtype")
    unit = "s"
    timeout = 120

    def setup(self, cache, dtype):
        self.folder = tempfile.TemporaryDirectory()
        if cache == "warm":
            self.seconds(dtype)

    def teardown(self, cache, dtype):
        self.folder.cleanup()

    def track_first_fit(self, cache, dtype):
        return self.seconds(dtype)

    def seconds(self, dtype):
        command = [sys.executable, "-c", FIRST_FIT.format(dtype)]
        environment = {**os.environ, "NUMBA_CACHE_DIR": self.folder.name}
        return float(subprocess.check_output(command, env=environment))
