"""What a training tells: callbacks, and the run that they see."""

from .base import Callback, Callbacks, Run, as_callbacks
from .checkpoint import Checkpoint
from .early_stopping import EarlyStopping, TerminateOnNaN
from .learning_rate import LearningRate
from .log import CSVLog, Log
from .progress import Progress

__all__ = [
    "CSVLog",
    "Callback",
    "Callbacks",
    "Checkpoint",
    "EarlyStopping",
    "LearningRate",
    "Log",
    "Progress",
    "Run",
    "TerminateOnNaN",
    "as_callbacks",
]
