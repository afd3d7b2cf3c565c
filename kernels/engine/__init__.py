"""Whole trainings in one compiled call."""
