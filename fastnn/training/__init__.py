"""Trainings: the loop over epochs, compiled or layer by layer, and its data."""
