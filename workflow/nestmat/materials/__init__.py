"""Formulas, ions and perovskite criteria."""
