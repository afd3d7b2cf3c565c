"""A stack of layers as compiled code reads it."""
