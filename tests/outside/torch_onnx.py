"""Writes ``tests/data/onnx/torch-*.onnx`` by PyTorch's two exporters: ``python torch_onnx.py``.

Needs torch, onnx and onnxscript (``pip install torch onnx onnxscript``). Notes that name places in
sources are taken out; nothing else is changed.
"""

from pathlib import Path

import onnx
import torch
from torch import nn

FOLDER = Path(__file__).parents[1] / "data" / "onnx"


def between(*activations, last):
    """Layers of six features with these activations between them."""
    layers = [layer for f in activations for layer in (nn.Linear(6, 6), f)]
    return nn.Sequential(nn.Linear(12, 6), *layers, *last)


NETWORKS = {
    "classifier": nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 8),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(8, 5),
        nn.Softmax(1),
    ),
    "smooth": between(
        nn.GELU(),
        nn.SiLU(),
        nn.Mish(),
        nn.Tanhshrink(),
        nn.LogSigmoid(),
        nn.GELU(approximate="tanh"),
        last=[nn.Linear(6, 3, bias=False)],
    ),
    "pieces": between(
        nn.PReLU(6),
        nn.LeakyReLU(0.2),
        nn.Hardtanh(-2, 1.5),
        nn.ReLU6(),
        nn.Hardswish(),
        nn.Hardsigmoid(),
        nn.Softshrink(0.2),
        nn.Hardshrink(0.2),
        nn.Threshold(0.1, 0.0),
        last=[nn.Linear(6, 2)],
    ),
    "exponentials": between(
        nn.ELU(0.7),
        nn.SELU(),
        nn.CELU(1.3),
        nn.Softplus(),
        nn.Softsign(),
        nn.Softmin(1),
        last=[
            nn.Linear(6, 6),
            nn.GLU(1),
            nn.Linear(3, 6),
            nn.Sigmoid(),
            nn.Linear(6, 4),
            nn.LogSoftmax(1),
        ],
    ),
}
FILES = [
    ("classifier", "script", "float32"),
    ("classifier", "dynamo", "float64"),
    ("smooth", "script", "float32"),
    ("smooth", "dynamo", "float32"),
    ("pieces", "dynamo", "float32"),
    ("exponentials", "script", "float32"),
    ("exponentials", "dynamo", "float32"),
]


def export(name, exporter, dtype):
    network = NETWORKS[name].eval().to(getattr(torch, dtype))
    x = torch.randn(2, *((3, 4) if name == "classifier" else (12,)), dtype=getattr(torch, dtype))
    path = FOLDER / f"torch-{name}-{exporter}-{dtype}.onnx"
    if exporter == "dynamo":
        rows = ({0: torch.export.Dim("rows")},)
        torch.onnx.export(
            network, (x,), path, dynamo=True, external_data=False, dynamic_shapes=rows
        )
    else:
        rows = {"x": {0: "rows"}}
        torch.onnx.export(
            network,
            (x,),
            path,
            dynamo=False,
            input_names=["x"],
            dynamic_axes=rows,
            opset_version=17,
        )
    path.write_bytes(without_notes(onnx.load(path)).SerializeToString())


def without_notes(model):
    graph = model.graph
    parts = [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info]
    for part in [*parts, *graph.initializer]:
        part.doc_string = ""
        del part.metadata_props[:]
    return model


if __name__ == "__main__":
    torch.manual_seed(0)
    for file in FILES:
        export(*file)
