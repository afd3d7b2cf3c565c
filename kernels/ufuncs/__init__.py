"""NumPy ufuncs of activations."""
