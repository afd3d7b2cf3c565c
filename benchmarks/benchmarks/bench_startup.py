"""The first second of a process: the import, and the first training."""

import os
import subprocess
import sys

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
    """Beyond numba, which every user of compiled code has imported; and alone."""

    number = 1

    def timeraw_fastnn_after_numba(self):
        return "import fastnn", "import numba"

    def timeraw_fastnn(self):
        return "import fastnn"


class FirstFit:
    """The first step of a new process, with an empty and with a full kernel cache."""

    params = ("float32", "float64")
    param_names = ("dtype",)
    unit = "s"
    timeout = 240

    def setup_cache(self):
        """Seconds with an empty cache, which is full then."""
        return {dtype: self.seconds(dtype) for dtype in self.params}

    def track_cold(self, cold, dtype):
        return cold[dtype]

    def track_warm(self, cold, dtype):
        return self.seconds(dtype)

    def seconds(self, dtype):
        command = [sys.executable, "-c", FIRST_FIT.format(dtype)]
        folder = os.path.abspath("kernels")  # asv's own folder for what setup_cache leaves
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        return float(subprocess.check_output(command, env=environment))
