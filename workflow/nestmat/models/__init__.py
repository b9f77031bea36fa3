"""Batched networks: every tensor has the members of a model as its leading axis."""
