"""Figures of a study: a figure is a file that registers a `FigureKind`, and a line in the registry."""
