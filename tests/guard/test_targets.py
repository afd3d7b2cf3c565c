"""Kernels are made of full vectors on other processors too, whichever is at hand."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from guard import targets
from guard.table import DTYPES


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """What is wrong with each of the chosen kernels, for a target and a dtype."""
    known = {}

    def of(target, dtype):
        if (target, dtype) not in known:
            command = [sys.executable, "-m", "guard.targets", target, dtype, *targets.CHOSEN]
            environment = {
                **os.environ,
                "NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            }
            known[target, dtype] = json.loads(subprocess.check_output(command, env=environment))
        return known[target, dtype]

    return of


@pytest.mark.sweep  # a minute of the compiler
@pytest.mark.parametrize("kernel", targets.CHOSEN)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", targets.TARGETS)
def test_full_vectors_and_no_calls(wrong, target, dtype, kernel):
    assert not wrong(target, dtype)[kernel]


@pytest.mark.parametrize(
    ("target", "vectors"),
    [
        ("SSE2", "\tmulps\t%xmm0, %xmm1\n"),
        ("AVX2", "\tvfmadd213ps\t%ymm0, %ymm1, %ymm2\n"),
        ("AVX-512", "\tvfmadd213ps\t%zmm0, %zmm1, %zmm2\n"),
        ("ARM", "\tfmla\tv0.4s, v1.4s, v2.4s\n"),
    ],
)
def test_what_is_found(target, vectors):
    code = "%d = call <4 x float> @llvm.fma.v4f32(<4 x float> %a)"

    def complaints(assembly):
        found = targets.facts(assembly, code, targets.TARGETS[target], np.dtype("float32"))
        return targets.not_full(found)

    assert complaints(vectors) == []
    call = "\tbl\texpf\n" if target == "ARM" else "\tcallq\texpf@PLT\n"
    assert complaints(vectors + call) == ["calls expf"]
    assert "has no instruction for full vectors" in complaints("\tret\n")
