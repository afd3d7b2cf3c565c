"""Writes the tables of the pages from those of the library: ``python docs/tables.py``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from fastnn.activations import ACTIVATIONS, Activation
from fastnn.losses import LOSSES, Loss
from fastnn.optimizers import RULES

HERE = Path(__file__).parent

# torch.nn.functional of PyTorch 2.13 and jax.nn of JAX 0.10: everything of theirs that acts on each
# number alone or along an axis, and is not random.
TORCH = {
    "celu": "CELU",
    "elu": "ELU",
    "gelu": "GELU",
    "glu": "GLU",
    "hardshrink": "hard-shrink",
    "hardsigmoid": "hard-sigmoid",
    "hardswish": "hard-Swish",
    "hardtanh": "hard-tanh",
    "leaky_relu": "leaky-ReLU",
    "log_softmax": "log-softmax",
    "logsigmoid": "log-sigmoid",
    "mish": "Mish",
    "prelu": "PReLU",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "selu": "SELU",
    "sigmoid": "sigmoid",
    "silu": "Swish",
    "softmax": "softmax",
    "softmin": "softmin",
    "softplus": "softplus",
    "softshrink": "soft-shrink",
    "softsign": "softsign",
    "tanh": "tanh",
    "tanhshrink": "tanh-shrink",
    "threshold": "threshold",
}
JAX = {
    "celu": "CELU",
    "elu": "ELU",
    "gelu": "GELU",
    "glu": "GLU",
    "hard_sigmoid": "hard-sigmoid",
    "hard_silu": "hard-Swish",
    "hard_swish": "hard-Swish",
    "hard_tanh": "hard-tanh",
    "identity": "identity",
    "leaky_relu": "leaky-ReLU",
    "log_sigmoid": "log-sigmoid",
    "log_softmax": "log-softmax",
    "mish": "Mish",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "selu": "SELU",
    "sigmoid": "sigmoid",
    "silu": "Swish",
    "soft_sign": "softsign",
    "softmax": "softmax",
    "softplus": "softplus",
    "sparse_plus": "sparse-plus",
    "sparse_sigmoid": "sparse-sigmoid",
    "squareplus": "squareplus",
    "swish": "Swish",
    "tanh": "tanh",
}


def functions() -> list[str]:
    """A line for each activation."""
    lines = [
        "| `get_act` | class | ufunc | formula | parameters | bounds f, f', f'', f''' (ULP) |",
        "|---|---|---|---|---|---|",
    ]
    for spec in ACTIVATIONS.values():
        names = ", ".join(f"`{name}`" for name in (spec.name, *spec.aliases))
        ufunc = f"`{spec.kernel}`" if spec.kernel != "maxout" else ""
        cells = [
            names,
            f"`{spec.class_name}`",
            ufunc,
            spec.formula,
            _parameters(spec),
            _bounds(spec),
        ]
        lines.append(_line(*cells))
    return lines


def sources() -> list[str]:
    """Where each activation comes from."""
    lines = ["| `get_act` | source |", "|---|---|"]
    return lines + [_line(f"`{spec.name}`", spec.reference) for spec in ACTIVATIONS.values()]


def _parameters(spec: Activation) -> str:
    if spec.kernel == "maxout":
        return "`n_prev`, `n`, `k`; of a layer `k=2`"
    found = [f"`{name}={value!r}`" for name, value in spec.parameters.items()]
    found += [f"`{name}={next(iter(specs))!r}`" for name, specs in spec.variants.items()]
    if spec.kind and not found:
        found = ["`axis=-1`"]
    return ", ".join(found)


def _bounds(spec: Activation) -> str:
    if spec.kind:
        return {"softmax": "4 + log2 n", "softmin": "4 + log2 n", "log_softmax": "4 + log2 n"}.get(
            spec.kernel, ""
        )
    return ", ".join(f"{bound:g}" for bound in spec.bounds)


def peers() -> list[str]:
    """Their names beside ours."""
    lines = ["| fastnn | torch.nn.functional | jax.nn |", "|---|---|---|"]
    for name in ACTIVATIONS:
        theirs = [
            ", ".join(f"`{their}`" for their, ours in table.items() if ours == name)
            for table in (TORCH, JAX)
        ]
        lines.append(f"| `{name}` | {theirs[0]} | {theirs[1]} |")
    return lines


TARGETS = {
    "numbers": "numbers",
    "probabilities": "0 … 1",
    "classes": "0 … 1, or labels",
    "counts": "at least 0",
    "signs": "-1, 1 or 0, 1",
}


def losses() -> list[str]:
    """A line for each cost."""
    lines = [
        "| class | cost of a sample | targets | output y of the network | parameters |",
        "|---|---|---|---|---|",
    ]
    for spec in LOSSES.values():
        output = {"identity": "a", "exponential": "exp"}.get(spec.activation, spec.activation)
        cells = [f"`{spec.name}`", spec.formula, TARGETS[spec.targets], output, _numbers(spec)]
        lines.append(_line(*cells))
    return lines


def _numbers(spec: Loss) -> str:
    found = [f"`{name}={value!r}`" for name, value in spec.parameters.items()]
    if spec.reduction != "sum":
        found.append(f'`reduction="{spec.reduction}"`')
    return ", ".join(found)


def differences() -> list[str]:
    """What peers do otherwise."""
    lines = ["| class | beside other libraries |", "|---|---|"]
    told = [spec for spec in LOSSES.values() if spec.peers]
    return lines + [f"| `{spec.name}` | {spec.peers.replace('``', '`')} |" for spec in told]


def rules() -> list[str]:
    """A section for each update rule."""
    found = []
    for spec in RULES.values():
        numbers = {name: spec.defaults[name] for name in spec.places}
        if spec.weight_decay:
            numbers["weight_decay"] = spec.weight_decay
        shown = ", ".join(f"`{name}={value!r}`" for name, value in numbers.items())
        found += [f"### {spec.name}", "", *_displayed(spec.latex), ""]
        found += [spec.where, ""] if spec.where else []
        found += [f"- Parameters: {shown}"]
        found += [f"- From: {spec.reference}"]
        found += [f"- Other libraries: {spec.peers}", ""]
    return found


def _displayed(equations: tuple[str, ...]) -> list[str]:
    """A block of mathematics."""
    lines = " \\\\\n".join(equations).split("\n")
    return ["```math", r"\begin{aligned}", *lines, r"\end{aligned}", "```"]


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


PAGES = {
    "activations.md": {"functions": functions, "sources": sources, "peers": peers},
    "losses.md": {"losses": losses, "differences": differences},
    "optimizers.md": {"rules": rules},
}


def written(page: str, text: str) -> str:
    """The page with its tables as they should be."""
    return filled(text, PAGES[page])


def filled(text: str, tables: Mapping[str, Callable[[], list[str]]]) -> str:
    """The text with these tables between their marks."""
    for name, lines in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + "\n".join(lines()) + "\n" + end + rest.split(end)[1]
    return text


if __name__ == "__main__":
    for page in PAGES:
        path = HERE / page
        path.write_text(written(page, path.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{len(ACTIVATIONS)} activations, {len(LOSSES)} costs, {len(RULES)} rules\n")
