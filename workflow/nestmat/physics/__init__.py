"""Simulated physics: structures to calculate, efficiency limits, absorbers and devices."""
