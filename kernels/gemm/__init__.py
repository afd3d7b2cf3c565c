"""Products of matrices in vector registers."""
