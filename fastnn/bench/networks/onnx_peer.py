"""ONNX Runtime: predictions, with arrays given at every call and with arrays bound once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..._core.threads import usable_cores
from ..timing import Calls, Competitor
from . import data
from .tasks import Inference, Task

__all__ = ["MORE", "competitors"]

_THREADS = sorted({1, usable_cores()})
MORE = {f"ONNX Runtime, {n} thread{'s' * (n > 1)}" for n in _THREADS}
"""Forms that a quick look leaves out: bound arrays are faster."""


def competitors(task: Task) -> list[Competitor]:
    """Predictions, on one thread and on all."""
    if not isinstance(task, Inference) or task.inside_njit:
        return []
    serialised = _model(task)
    return [one for threads in _THREADS for one in _with_threads(task, serialised, threads)]


def _model(task: Inference) -> bytes:
    nodes, constants, value = [], [], "x"
    weights = data.weights(task)
    for k, (w, b) in enumerate(weights):
        last = k == len(weights) - 1
        constants += [numpy_helper.from_array(w, f"w{k}"), numpy_helper.from_array(b, f"b{k}")]
        activity = "y" if last else f"a{k}"
        nodes.append(helper.make_node("Gemm", [value, f"w{k}", f"b{k}"], [activity]))
        if not last:
            value = f"h{k}"
            nodes.append(helper.make_node("Tanh", [activity], [value]))
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [task.batch, width])]
        for name, width in (("x", task.sizes[0]), ("y", task.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, task.name, *ends, constants)
    # Old enough for any ONNX Runtime of the last years.
    opset = helper.make_opsetid("", 13)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def _with_threads(task: Inference, serialised: bytes, threads: int) -> Iterator[Competitor]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(serialised, options, providers=["CPUExecutionProvider"])
    x = data.samples(task)
    y = np.full((task.batch, task.sizes[-1]), np.nan, task.dtype)
    binding = session.io_binding()
    for name, array, bind in (("x", x, binding.bind_input), ("y", y, binding.bind_output)):
        bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    suffix = f"{threads} thread{'s' * (threads > 1)}"
    wanted, given = ["y"], {"x": x}
    yield Calls(f"ONNX Runtime, {suffix}", lambda: session.run(wanted, given)[0])

    kept = x, y  # the binding has only their addresses

    def bound():
        session.run_with_iobinding(binding)
        return kept[1]

    yield Calls(f"ONNX Runtime bound, {suffix}", bound)
