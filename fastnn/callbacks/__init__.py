"""What a training tells: callbacks, and the run that they see."""

from .base import (
    Callback,
    Callbacks,
    Checkpoint,
    EarlyStopping,
    LearningRate,
    Progress,
    Run,
    TerminateOnNaN,
    as_callbacks,
)

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
