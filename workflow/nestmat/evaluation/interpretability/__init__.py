"""What latents and predictions are made of: associations, attributions and maps."""
