"""The command ``fastnn``: arguments, commands, and what they do."""

from .main import main

__all__ = ["main"]
