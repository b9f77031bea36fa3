"""Fixtures that several packages share."""

from support.class_scale import class_scale, trained_class
from support.phase_problem import phase_metrics, phase_results
from support.trained_alloys import interpreted, trained

__all__ = ["class_scale", "interpreted", "phase_metrics", "phase_results", "trained", "trained_class"]
