"""Compiled kernels: arrays and scalars in, arrays out; no validation, no classes, no allocation.

Nothing here knows the API above. Start reading at `jit` (how everything is compiled), `engine` (a
whole training), `blocks` (products in registers) and `vecmath` (the functions that activations are
made of). For your own compiled functions: `predict`, `train_step`, `jacobian`, `vjp`, and
`workspace_size`, of a model that ``net.compiled()`` gives.
"""

from .api import jacobian, predict, train_step, vjp, workspace_size

__all__ = ["jacobian", "predict", "train_step", "vjp", "workspace_size"]
