"""Networks as files: what is in them, and how they are written and read."""

from .archive import load, save

__all__ = ["load", "save"]
