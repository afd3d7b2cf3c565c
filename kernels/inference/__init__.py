"""A network inside other compiled code."""
