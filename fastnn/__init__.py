"""Dense neural networks on the CPU, as compiled kernels behind a NumPy API.

>>> import numpy as np, fastnn
>>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
>>> t = np.array([[0], [1], [1], [0]])
>>> layers = [fastnn.TanhLayer(2, 4, rng=1), fastnn.LinearLayer(4, 1, rng=2)]
>>> nn = fastnn.NeuralNetwork(layers, fastnn.SigmoidCrossEntropy())
>>> history = nn.fit(x, t, learning_rate=0.5, epochs=2000)
>>> nn(x).round().ravel()
array([0., 1., 1., 0.])
"""

from pathlib import Path as _Path

# In a checkout the kernels stand beside this folder, not in it as in an installation; so Python
# started there finds them too, whatever is installed.
_HERE = _Path(__file__).parent
if not (_HERE / "kernels").exists() and (_HERE.parent / "kernels" / "codegen").exists():
    __path__.append(str(_HERE.parent))

from ._core import collector as _collector

with _collector.paused():
    from ._core import moved as _moved
    from ._core.threads import get_num_threads, set_num_threads
    from .activations import Activator, get_act
    from .errors import get_err
    from .history import History
    from .initializers import get_init
    from .interchange import from_onnx
    from .layers import DenseLayer, Layer, LinearLayer, ReLULayer, SigmoidLayer, TanhLayer
    from .losses import COSTS as _COSTS
    from .losses import (
        CosineSimilarity,
        CostFunction,
        GaussianNLL,
        Hinge,
        Huber,
        KLDivergence,
        LogCosh,
        MeanAbsoluteError,
        MeanSquaredError,
        MixtureDensityError,
        Poisson,
        Quantile,
        SigmoidCrossEntropy,
        SoftmaxCrossEntropy,
        SquaredHinge,
        SumSquaresError,
    )
    from .network import NeuralNetwork, load
    from .optimizers import Optimizer, get_opt
    from .training.many import fit_many, predict_many
    from .training.rate_search import find_learning_rate

_moved.install()

__version__ = "0.1.0"

__all__ = [
    "Activator",
    "CosineSimilarity",
    "CostFunction",
    "DenseLayer",
    "GaussianNLL",
    "Hinge",
    "History",
    "Huber",
    "KLDivergence",
    "Layer",
    "LinearLayer",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "MixtureDensityError",
    "NeuralNetwork",
    "Optimizer",
    "Poisson",
    "Quantile",
    "ReLULayer",
    "SigmoidCrossEntropy",
    "SigmoidLayer",
    "SoftmaxCrossEntropy",
    "SquaredHinge",
    "SumSquaresError",
    "TanhLayer",
    "find_learning_rate",
    "fit_many",
    "from_onnx",
    "get_act",
    "get_err",
    "get_init",
    "get_num_threads",
    "get_opt",
    "load",
    "predict_many",
    "set_num_threads",
]

# Named above for type checkers; a new entry of the table is here too.
globals().update(_COSTS)
__all__ += [name for name in _COSTS if name not in __all__]
