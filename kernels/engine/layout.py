"""Where things stand in a model's arrays of numbers. Each list of names numbers itself."""

# Columns of the table of layers, int64. An activation of each number alone works in place: the
# product goes to y, and d stands beside it. A vector activation has memory of its own, where the
# product goes and y is beside it, and a vector-Jacobian product. Where something stands in a tile
# is told by a row, counted from the first of the layers'.
(
    N_IN,
    N_OUT,
    WIDTH,  # rows of z = Wᵀ x + bias: columns of the weights
    WEIGHTS,  # offset into theta
    BIAS,  # offset into theta
    TRAINED,  # numbers behind the biases, whose gradients LAYER_VJP leaves sample by sample
    FORWARD,  # address
    TRAIN,  # address; writes what the way back wants too
    LAYER_VJP,  # address, of a vector activation; or 0
    Z,  # row: where z goes
    AUX,  # row: what the activation has beside it
    Y,  # row: its output
    FACTORS,  # row: where the gradient by y arrives, from the next layer: over its factors, if any
    SCALED,  # whether there are: a derivative, or the choice of dropout
    GRAD_Y,  # row: where the gradient by y stands then: of the last layer over y, from the cost
    DELTA,  # row: where the gradient by z stands in the end
    DELTA_T,  # row: the same again, by samples
    STRIDE,  # elements from one sample to the next there: whole cache lines
    MEMORY,  # rows of a vector activation's memory
    HYPER_OFFSET,  # into the hyperparameters
    DROPOUT,  # whether the layer has it
    PENALTY,  # whether the layer has one
    TRAINABLE,  # 1; 0: the layer is frozen
    SECOND,  # address; value and two derivatives of each number, see ``kernels/derivatives``
    THIRD,  # address; value and three
    COLUMNS,  # how many
) = range(26)

# Hyperparameters of a layer, float64. Those of the cost come before the first layer's.
(
    P,  # the activation's first
    Q,  # and its second
    L1,
    L2,
    DROP_RATE,
    HYPER_PER_LAYER,  # how many
) = range(6)

# Places of a model's descriptor, int64.
(
    # addresses of the products, and of what is done with a tile
    GEMM,
    PACKED_GEMM,  # 0, and no room for it, in a network without large layers
    GEMM_NT,
    TRANSPOSE,
    PASS,
    GRADIENT,
    # addresses of the cost: its gradient, its value; of the output's activation and its vjp, or 0
    COST,
    VALUE,
    OUTPUT_ACTIVATION,
    OUTPUT_VJP,
    RULE,  # address of the update rule
    # addresses of what users call in their own kernels
    PREDICT,
    STEP,
    JACOBIAN,
    VJP,
    JVP,
    HVP,
    PARAMETER_JACOBIAN,
    LAPLACIAN,
    LAPLACIAN_VJP,
    # addresses of the cost's Hessian by the logits times a vector, or 0; of the output's activation
    # with two and three derivatives, where it is one of each number
    CURVATURE,
    OUTPUT_SECOND,
    OUTPUT_THIRD,
    # addresses of arrays
    LAYERS,
    LAYER_HYPER,
    THETA,
    GRAD,
    STATE,
    RULE_HYPER,
    STEPS,
    SCRATCH,
    SUMS,  # of a step taken alone
    # sizes
    DEPTH,  # layers
    SIZE,  # parameters
    FEATURES,  # rows of a tile for all layers
    SINGLE,  # elements of a workspace for one sample
    INPUTS,  # features of a sample
    OUTPUTS,  # features of the output
    TARGETS,  # columns of the targets
    PACKING,  # elements of a room for operands of products
    WORK,  # of a sample, forward and back, in multiplications and additions
    LOWEST,  # the first layer that is not frozen; DEPTH, if all are
    # whether
    MEAN,  # the cost is divided by the number of samples
    FROZEN,  # a layer is
    PENALISED,  # a layer has a penalty
    STALE,  # the network has gone on without this model, since it was changed
    SEED,  # of dropout
    PLACES,  # how many
) = range(48)

TILE = 512  # samples at most: the tiles of a small network stay in the first-level cache
SHARED = 42_000_000  # WORK of all samples from which on two threads share their way forward
LEAST = 128  # samples of a thread at least
SMALL = 2048  # parameters that one thread of a team updates sooner than all together
