"""Exercises for officers: the real service and the real console, simulated travellers, and a scored review of what the officer did."""
