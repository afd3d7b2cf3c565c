"""Kernels of costs."""
