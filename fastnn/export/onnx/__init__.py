"""Networks as ONNX files and back.

`write` makes a file of a stack of layers and `read` layers of a file. What ONNX has an operator for
is in `operators`; everything else is written down by `tracing` its reference in plain NumPy, so
that a new activation needs nothing here.
"""
