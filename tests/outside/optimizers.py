"""Writes `optimizers.json`, the steps of other libraries' optimizers: ``python optimizers.py``.

Needs torch, optax and torch_optimizer (``pip install torch optax torch_optimizer``), on the CPU.
Each entry of the file is a trajectory of seven parameters in float64 under a fixed sequence of
gradients, with the settings of ours that mean the same.
"""

import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import optax
import torch
import torch_optimizer

FILE = Path(__file__).with_suffix(".json")
SHOWN = 1, 2, 3, 5, 8, 13, 21, 34, 50  # steps after which the parameters are kept
SCALES = 1e-4, 1e-2, 0.1, 1.0, 1.0, 10.0, 1e3  # of the gradients

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)


def gradients():
    """Random ones, of which the last parameters' keep their sign for a while."""
    rng = np.random.default_rng(20)
    drift = np.array([0, 0, 0.5, 0, 2, 0, 1])
    return (drift + rng.standard_normal((SHOWN[-1], len(SCALES)))) * SCALES


def start():
    return np.random.default_rng(21).standard_normal(len(SCALES))


def by_torch(optimizer, **settings):
    p = torch.tensor(start(), requires_grad=True)
    made = optimizer([p], **settings)
    for g in gradients():
        p.grad = torch.tensor(g)
        made.step()
        yield p.detach().numpy().copy()


def by_optax(made):
    p = jax.numpy.asarray(start())
    state = made.init(p)
    for g in gradients():
        updates, state = made.update(jax.numpy.asarray(g), state, p)
        p = optax.apply_updates(p, updates)
        yield np.asarray(p)


# ours, our settings, theirs (as one reads it), their trajectory
def cases():
    t, o, out = torch.optim, optax, {"eps_placement": "outside"}

    def pt(name, settings, optimizer, **theirs):
        shown = ", ".join(f"{key}={value!r}" for key, value in theirs.items())
        package = "torch_optimizer" if optimizer.__module__.startswith("torch_opt") else "torch"
        text = f"{'torch.optim' if package == 'torch' else package}.{optimizer.__name__}({shown})"
        plain = {"foreach": False} if package == "torch" else {}
        return name, settings, package, text, by_torch(optimizer, **theirs, **plain)

    def ox(name, settings, function, **theirs):
        shown = ", ".join(f"{key}={value!r}" for key, value in theirs.items())
        called = next(key for key, value in vars(o).items() if value is function)
        text = f"optax.{called}({shown})"
        return name, settings, "optax", text, by_optax(function(**theirs))

    adam = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3}
    betas = {"betas": (0.8, 0.95), "eps": 1e-3}
    b = {"b1": 0.8, "b2": 0.95, "eps": 1e-3}
    yield pt("SGD", {"eta": 0.02}, t.SGD, lr=0.02)
    # their momentum adds gradients up, ours takes their mean: lr = (1 - mu) eta
    yield pt("MSGD", {"eta": 0.5, "mu": 0.75}, t.SGD, lr=0.125, momentum=0.75)
    yield pt("NAG", {"eta": 0.5, "mu": 0.75}, t.SGD, lr=0.125, momentum=0.75, nesterov=True)
    yield ox(
        "NAG", {"eta": 0.5, "mu": 0.75}, o.sgd, learning_rate=0.125, momentum=0.75, nesterov=True
    )
    yield pt("AdaGrad", {"eta": 0.1}, t.Adagrad, lr=0.1, eps=0.0)
    yield pt(
        "RMSprop",
        {"eta": 0.1, "rho": 0.9, "eps": 1e-3, **out},
        t.RMSprop,
        lr=0.1,
        alpha=0.9,
        eps=1e-3,
    )
    yield ox(
        "RMSprop",
        {"eta": 0.1, "rho": 0.9, "eps": 1e-3},
        o.rmsprop,
        learning_rate=0.1,
        decay=0.9,
        eps=1e-3,
        eps_in_sqrt=True,
    )
    yield pt("AdaDelta", {}, t.Adadelta, lr=1.0, rho=0.95, eps=1e-6)
    yield pt(
        "AdaDelta",
        {"learning_rate": 3.0, "rho": 0.8, "eps": 1e-3},
        t.Adadelta,
        lr=3.0,
        rho=0.8,
        eps=1e-3,
    )
    yield ox(
        "AdaDelta",
        {"learning_rate": 3.0, "rho": 0.8, "eps": 1e-3},
        o.adadelta,
        learning_rate=3.0,
        rho=0.8,
        eps=1e-3,
    )
    yield pt("Adam", out, t.Adam, lr=1e-3)
    yield pt("Adam", {"alpha": 0.1, **adam, **out}, t.Adam, lr=0.1, **betas)
    yield ox("Adam", {"alpha": 0.1, **adam, **out}, o.adam, learning_rate=0.1, **b)
    yield pt(
        "Adam",
        {"alpha": 0.1, **adam, **out, "weight_decay": 0.05},
        t.AdamW,
        lr=0.1,
        **betas,
        weight_decay=0.05,
    )
    yield ox(
        "RMSpropGraves",
        {"eta": 0.1, "rho": 0.9, "eps": 1e-3, "momentum": 0.75},
        o.rmsprop,
        learning_rate=0.1,
        decay=0.9,
        eps=1e-3,
        eps_in_sqrt=True,
        centered=True,
        momentum=0.75,
    )
    yield pt(
        "RMSpropGraves",
        {"eta": 0.1, "rho": 0.9, "eps": 0.0},
        t.RMSprop,
        lr=0.1,
        alpha=0.9,
        eps=0.0,
        centered=True,
    )
    yield pt(
        "AdaMax",
        {"alpha": 0.1, "beta1": 0.8, "beta2": 0.95},
        t.Adamax,
        lr=0.1,
        betas=(0.8, 0.95),
        eps=0.0,
    )
    yield ox(
        "Nadam",
        {"alpha": 0.1, "mu": 0.8, "nu": 0.95, "eps": 1e-3, **out},
        o.nadam,
        learning_rate=0.1,
        **b,
    )
    # inside: nu out of the root
    yield ox(
        "Nadam",
        {"alpha": 0.1, "mu": 0.8, "nu": 0.25, "eps": 1e-3},
        o.nadam,
        learning_rate=0.2,
        b1=0.8,
        b2=0.25,
        eps=0.0,
        eps_root=4e-3,
    )
    yield pt("AMSGrad", {"alpha": 0.1, **adam, **out}, t.Adam, lr=0.1, **betas, amsgrad=True)
    bound = {"alpha": 0.1, "eta": 0.05, **adam, "variant": "authors"}
    # their gamma is a setting of its own, of which 1 - beta2 is the paper's
    theirs = {"lr": 0.1, **betas, "final_lr": 0.05, "gamma": 1 - 0.95}
    yield pt("AdaBound", bound, torch_optimizer.AdaBound, **theirs)
    yield pt("AMSBound", bound, torch_optimizer.AdaBound, **theirs, amsbound=True)
    yield pt("AdamW", {}, t.AdamW, lr=1e-3)
    yield pt(
        "AdamW",
        {"alpha": 0.1, **adam, "weight_decay": 0.1},
        t.AdamW,
        lr=0.1,
        **betas,
        weight_decay=0.1,
    )
    yield ox(
        "AdamW",
        {"alpha": 0.1, **adam, "weight_decay": 0.1},
        o.adamw,
        learning_rate=0.1,
        **b,
        weight_decay=0.1,
    )
    yield ox(
        "NadamW",
        {"alpha": 0.1, **adam, "weight_decay": 0.1},
        o.nadamw,
        learning_rate=0.1,
        **b,
        weight_decay=0.1,
    )
    yield pt("RAdam", {}, t.RAdam, lr=1e-3)
    yield pt("RAdam", {"alpha": 0.1, **adam}, t.RAdam, lr=0.1, **betas)
    yield ox(
        "Lion",
        {"alpha": 0.01, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1},
        o.lion,
        learning_rate=0.01,
        b1=0.8,
        b2=0.95,
        weight_decay=0.1,
    )
    yield ox("AdaBelief", {"alpha": 0.1}, o.adabelief, learning_rate=0.1)
    yield ox(
        "AdaBelief", {"alpha": 0.1, **adam}, o.adabelief, learning_rate=0.1, **b, eps_root=1e-3
    )
    yield pt(
        "AdaBelief",
        {"alpha": 0.1, **adam},
        torch_optimizer.AdaBelief,
        lr=0.1,
        **betas,
        rectify=False,
    )
    yield pt("Rprop", {}, t.Rprop, lr=1e-2)
    yield pt(
        "Rprop",
        {"eta": 0.1, "eta_minus": 0.4, "eta_plus": 1.5, "step_max": 0.3},
        t.Rprop,
        lr=0.1,
        etas=(0.4, 1.5),
        step_sizes=(1e-6, 0.3),
    )


def main():
    entries, names = [], ("torch", "optax", "torch_optimizer", "jax", "numpy")
    for name, settings, package, theirs, trajectory in cases():
        found = [p.tolist() for p in trajectory]
        steps = [found[k - 1] for k in SHOWN]
        entries.append({
            "ours": name, "settings": settings, "package": package, "theirs": theirs,
            "parameters": steps,
        })  # fmt: skip
    data = {
        "written": datetime.now(UTC).strftime("%Y-%m-%d"),
        "by": "tests/outside/optimizers.py",
        "versions": {name: version(name) for name in names} | {"python": platform.python_version()},
        "start": start().tolist(),
        "steps": SHOWN,
        "gradients": gradients().tolist(),
        "trajectories": entries,
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    text = text.replace('{"ours"', '\n{"ours"').replace('"parameters":', '\n"parameters":')
    for key in ("by", "versions", "start", "steps", "gradients", "trajectories"):
        text = text.replace(f',"{key}":', f',\n"{key}":')
    FILE.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {len(entries)} trajectories, {FILE.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
