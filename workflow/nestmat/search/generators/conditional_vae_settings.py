"""Options of a conditional variational autoencoder, apart from the network, which needs torch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ConditionalVAESettings:
    """Sizes and training of a `nestmat.search.generators.conditional_vae.ConditionalVAE`.

    Attributes:
        latents: Latents of a material.
        width: Width of the hidden layers of encoder and decoder.
        layers: Their number.
        beta: Weight of the divergence from the prior.
        free_bits: Divergence of each latent, in nats, up to which it has no weight.
        warmup: Share of the first training in which the weight of the divergence rises from 0.
        null: Share of the materials whose conditions are hidden while training.
        steps: Steps of Adam of the first training.
        batch: Materials a step.
        rate: Step size, which falls to 0 along a cosine.
    """

    latents: int = field(default=8, metadata={"ge": 1})
    width: int = field(default=64, metadata={"ge": 1})
    layers: int = field(default=2, metadata={"ge": 0})
    beta: float = field(default=1.0, metadata={"ge": 0})
    free_bits: float = field(default=0.05, metadata={"ge": 0})
    warmup: float = field(default=0.3, metadata={"ge": 0, "le": 1})
    null: float = field(default=0.2, metadata={"ge": 0, "le": 1})
    steps: int = field(default=1500, metadata={"ge": 0})
    batch: int = field(default=256, metadata={"ge": 1})
    rate: float = field(default=3e-3, metadata={"gt": 0})
