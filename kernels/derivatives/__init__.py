"""Derivatives of networks: along a direction, of second order, and by the parameters.

`jets` carries a value and its derivatives through the layers together, and the gradient of a cost
of them back; `functions` and `first_order` are the C functions, which `entries` calls from Python
and `overloads` in users' kernels.
"""
