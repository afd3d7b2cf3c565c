"""Every kernel is made of full vectors throughout, and calls no function of the C library."""

import numpy as np
import pytest

from guard import assembly
from guard.table import DTYPES, KERNELS

VECTORS = """
\tvmulps\t%ymm0, %ymm1, %ymm2
\tvfmadd213ps\t%ymm0, %ymm1, %ymm2
"""
CODE = """
define i64 @f() #0 {
  %a = fmul <8 x float> %b, %c
  %d = call <8 x float> @llvm.fma.v8f32(<8 x float> %a)
}
attributes #0 = { "prefer-vector-width"="512" }
"""
TANH = KERNELS["tanh forward"]


@pytest.mark.sweep  # minutes of the compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KERNELS)
def test_full_vectors_and_no_calls(looked, name, dtype):
    assert not looked[f"{name} {dtype}"]


def complaints(assembly_code, code=CODE, kernel=TANH):
    return assembly.complaints(kernel, assembly.facts(assembly_code, code, np.dtype("float32")))


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("\tmovabsq\t$exp, %rax\n\tcallq\t*%rax\n", "calls exp"),
        ("\tjmp\texpf\n", "calls expf"),
        ("\tvmulss\t%xmm0, %xmm1, %xmm2\n", "works on single numbers (1 instructions)"),
        ("\tvcvtps2pd\t%xmm0, %ymm1\n", "works in the other dtype (1 instructions)"),
        ("\tvaddpd\t%ymm0, %ymm1, %ymm2\n", "works in the other dtype (1 instructions)"),
    ],
)
def test_what_is_found(more, complaint):
    assert complaints(VECTORS) == []
    assert complaints(VECTORS + more) == [complaint]


def test_what_is_missed():
    assert complaints("\tvmulps\t%xmm0, %xmm1, %xmm2\n") == [
        "has no instruction for full vectors",
        "multiplies and adds, but not fused and on full vectors",
    ]
    assert complaints(VECTORS, CODE.replace("512", "256")) == [
        "does not ask for the widest vectors"
    ]
