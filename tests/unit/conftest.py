"""Fixtures that several packages share."""

from support.class_scale import class_scale, trained_class
from support.trained_alloys import interpreted, trained

__all__ = ["class_scale", "interpreted", "trained", "trained_class"]
