"""Compiled kernels: arrays and scalars in, arrays out; no validation, no classes, no allocation.

Nothing here knows the API above. Start reading at `jit` (how everything is compiled), `engine` (a
whole training) and `vecmath` (the functions that everything else is made of).
"""
