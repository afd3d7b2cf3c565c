"""Kernels of update rules."""
