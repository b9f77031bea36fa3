"""Fixtures that several packages share."""

from trained_alloys import interpreted, trained

__all__ = ["interpreted", "trained"]
