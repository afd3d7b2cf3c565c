"""How kernels are declared, compiled, cached and run; instructions that numba lacks."""
