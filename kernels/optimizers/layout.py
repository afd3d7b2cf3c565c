"""Where the hyperparameters of a rule stand, and what an update kernel is asked for."""

from ..codegen.signature import DATA, FLOATS, INT, Signature

# Indices of a rule's hyperparameters. LOOK: whether even a small gradient may end in infinity or
# NaN, so that every step must be tried before it is taken. SKIP: 1 if a step that would is left
# out, and not an error, UNSEEN if nobody looks. LOSS: of this step, before it.
RATE, SCALE, LIMIT, DECAY, CLIP, LOOK, SKIP, LOSS, OWN = range(9)

UNSEEN = 2

# What a tile kernel does, by its flag; from FIRST on it tells the index of its first parameter.
APPLY, DRY_RUN, BEGIN, FIRST = 0, 1, 2, 4

UPDATE_KERNEL = Signature(
    "update kernel", parameters=DATA, gradients=DATA, states=DATA, hyper=FLOATS, count=INT,
    step=INT, stride=INT, flag=INT,
)  # fmt: skip
call_update_kernel = UPDATE_KERNEL.call
