"""What a minimization writes down of its iterations: float64 (RECORDS, iterations + 1)."""

COSTS, STEPS, SECONDS, RECORDS = range(4)
"""Rows: the cost before the first iteration and after each; how far each went, in multiples of its
direction; and the seconds that it took."""
