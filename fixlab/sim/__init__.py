"""Simulation: two sessions in one process, on links that can fail, in virtual time."""
