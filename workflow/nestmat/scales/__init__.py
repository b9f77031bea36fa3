"""Train a scale, propagate its latents, predict along the chain."""
