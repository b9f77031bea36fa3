"""Data of a scale, members, scalers, the batched trainer and checkpoints."""
