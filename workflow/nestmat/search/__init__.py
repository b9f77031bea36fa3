"""Inverse design: spaces of materials, problems, search methods, generators, searches in a pool."""
