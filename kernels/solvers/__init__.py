"""Methods that minimize a cost of all samples, on the engine's cost and gradient."""
