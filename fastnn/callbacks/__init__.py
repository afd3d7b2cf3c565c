"""What a training tells: callbacks, and the run that they see."""

from .base import Callback, Callbacks, Run, as_callbacks
from .checkpoint import Checkpoint
from .early_stopping import EarlyStopping, TerminateOnNaN
from .learning_rate import LearningRate
from .progress import Progress

__all__ = [
    "Callback",
    "Callbacks",
    "Checkpoint",
    "EarlyStopping",
    "LearningRate",
    "Progress",
    "Run",
    "TerminateOnNaN",
    "as_callbacks",
]
