"""Fixtures that several packages share."""

from support.trained_alloys import interpreted, trained

__all__ = ["interpreted", "trained"]
