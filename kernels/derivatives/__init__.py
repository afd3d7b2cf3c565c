"""Derivatives of networks: along a direction, of second order, and by the parameters.

`jets` carries a value and its derivatives through the layers together, and the gradient of a cost of
them back; `functions` are the C functions, which `overloads` has for users' kernels.
"""
