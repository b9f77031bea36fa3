"""The autoencoder of a scale: inputs to latents, latents to targets and back to blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from nestmat.models.base import Batch, at_detection_limit, certainty_of
from nestmat.models.layers import Layout, Output, Perceptrons
from nestmat.models.losses import LOSSES, as_shares, censored, latent_correlations, split_gaussian
from nestmat.models.noise import Noise
from nestmat.models.specification import Shapes, Specification

CORRELATIONS = ("latent_target_correlation", "latent_decorrelation")


class Autoencoder:
    """One autoencoder a member, all of them in one flat buffer of parameters.

    Args:
        specification: Inputs, encoder, heads and penalties.
        shapes: Widths of blocks, and targets.
        seeds: Seed of the first weights of each member, (members,).

    Attributes:
        flat: Parameters, (members, parameters), float32.
        layout: Names and places of the parameters.
    """

    def __init__(self, specification: Specification, shapes: Shapes, seeds: Sequence[int]):
        specification.check(shapes)
        self.specification, self.shapes = specification, shapes
        self.layout = Layout(specification.initialisation)
        encoder = specification.encoder
        features = sum(shapes.blocks[name] for name in specification.inputs)
        pieces = [
            encoder.pieces if shapes.kinds[name] == "continuous" else 1
            for name in specification.inputs
            for _ in range(shapes.blocks[name])
        ]
        self.encoder = Perceptrons(
            self.layout,
            "encoder",
            features,
            encoder.hidden,
            {"latents": Output(encoder.latents, encoder.latent_activation, encoder.gain)},
            encoder.activation,
            encoder.dropout,
            encoder.bias_range,
            pieces if encoder.pieces else (),
        )
        self.heads = self._bundle_heads()
        self.targets = [name for name in specification.heads if name in shapes.targets]
        self.term_weights: dict[str, float] = {
            **{name: head.weight for name, head in specification.heads.items()},
            **{str(name): weight for name, weight in specification.penalties.items()},
        }
        self.selection_terms = tuple(self.targets or specification.heads)
        self.flat = self.layout.initial(seeds)

    def _bundle_heads(self) -> list[Perceptrons]:
        """Heads with equal hidden layers side by side: one product for the first layer of all of them."""
        bundles: dict[tuple, dict[str, Output]] = {}
        for name, head in self.specification.heads.items():
            output = Output(self.output_width(name), head.output_activation, head.gain, head.output_gain)
            bundles.setdefault((head.hidden, head.activation, head.dropout), {})[name] = output
        return [
            Perceptrons(
                self.layout,
                f"heads{number}",
                self.specification.encoder.latents,
                hidden,
                outputs,
                activation,
                dropout,
            )
            for number, ((hidden, activation, dropout), outputs) in enumerate(bundles.items())
        ]

    def output_width(self, name: str) -> int:
        """Number of outputs of a head."""
        return self.shapes.width(name) * self.specification.heads[name].fit.outputs

    @property
    def weights(self) -> dict[str, Tensor]:
        """The parameters by name, members first."""
        return self.layout.views(self.flat)

    def _outputs(
        self, z: Tensor, heads: Iterable[str], weights: Mapping[str, Tensor], noise: Noise | None
    ) -> dict[str, Tensor]:
        """Outputs of some heads, and of those that are computed with them."""
        head_names = set(heads)
        bundles = [bundle for bundle in self.heads if head_names & set(bundle.outputs)]
        return {name: output for bundle in bundles for name, output in bundle(z, weights, noise).items()}

    def encode(self, x: Tensor) -> tuple[Tensor, None]:
        """Latents (members, n, latents) of scaled inputs (members, n, features); they are exact."""
        return self.encoder(x.transpose(1, 2), self.weights, None)["latents"].transpose(1, 2), None

    def decode(self, z: Tensor) -> dict[str, Tensor]:
        """Scaled blocks (members, n, width) of latents; probabilities for categorical and simplex blocks."""
        heads = self.specification.heads
        blocks = [name for name in heads if name in self.shapes.blocks and name not in self.targets]
        outputs, scaled_blocks = self._outputs(z.transpose(1, 2), blocks, self.weights, None), {}
        for name in blocks:
            value = outputs[name]
            if heads[name].fit.outputs == 2:
                value = split_gaussian(value)[0]
            value = torch.softmax(value, dim=1) if heads[name].fit.normalised else value
            scaled_blocks[name] = value.transpose(1, 2)
        return scaled_blocks

    def predict(self, z: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Mean, of a class its probability, and standard deviation by quantity, (members, n) each."""
        return self.predictions(self._outputs(z.transpose(1, 2), self.targets, self.weights, None))

    def predictions(self, outputs: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
        """What `predict` returns, of the outputs of the heads of targets, (members, outputs, n) each."""
        predictions = {}
        for name in self.targets:
            value = outputs[name]
            if self.specification.heads[name].fit.outputs == 2:
                mean, log_variance = split_gaussian(value)
                predictions[name] = (mean[:, 0], torch.exp(0.5 * log_variance)[:, 0])
            elif len(self.shapes.quantities(name)) > 1:
                probabilities = torch.softmax(value, dim=1).unbind(dim=1)
                for quantity, mean in zip(self.shapes.quantities(name), probabilities, strict=True):
                    predictions[quantity] = (mean, torch.full_like(mean, torch.nan))
            else:
                mean = torch.sigmoid(value[:, 0]) if name in self.shapes.classes else value[:, 0]
                predictions[name] = (mean, torch.full_like(mean, torch.nan))
        return predictions

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Unweighted terms, (members,) each: one a head, one a penalty."""
        weights = self.weights
        z = self.encoder(batch.inputs, weights, batch.noise)["latents"]
        outputs = self._outputs(z, self.specification.heads, weights, batch.noise)
        terms = {}
        for name, head in self.specification.heads.items():
            weight = batch.weight
            if (certainty := batch.targets.get(certainty_of(name))) is not None:
                weight = as_shares(weight * certainty[:, 0])
            arguments = outputs[name], batch.targets[name], weight
            terms[name] = (
                LOSSES[head.loss](*arguments)
                if head.floor is None
                else censored(head.loss, *arguments, batch.targets[at_detection_limit(name)])
            )
        return terms | self.penalties(z, batch, weights)

    def penalties(self, z: Tensor, batch: Batch, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The penalties of the specification on latents (members, latents, n) and parameters."""
        penalty_weights = self.specification.penalties
        terms = {}
        if "l1" in penalty_weights:
            terms["l1"] = self.flat.abs().sum(dim=1)
        if "l2" in penalty_weights:
            terms["l2"] = self.flat.square().sum(dim=1)
        if "l1_encoder" in penalty_weights:
            matrices = [
                value for name, value in weights.items() if name.startswith("encoder") and "weight" in name
            ]
            terms["l1_encoder"] = torch.stack([value.abs().sum(dim=(1, 2)) for value in matrices]).sum(dim=0)
        if "input_relevance" in penalty_weights:
            # Group lasso on what leaves each input (Yuan & Lin 2006): an input that does not help loses all.
            terms["input_relevance"] = self._relevance(weights["encoder.0.weight"])
        if any(name in penalty_weights for name in CORRELATIONS):
            targets = [batch.targets[name] for name in self.targets]
            pair = latent_correlations(z, torch.cat(targets, dim=1) if targets else None, batch.weight)
            terms |= {
                name: term for name, term in zip(CORRELATIONS, pair, strict=True) if name in penalty_weights
            }
        return terms

    def _relevance(self, weight: Tensor) -> Tensor:
        """Sum over inputs of the norm of all that leaves one, (members,), of the first layer's weights."""
        norms = weight.norm(dim=1)
        if self.encoder.pieces:
            places = self.encoder.pieces.source.to(norms.device)
            squares = norms.new_zeros(len(norms), self.encoder.pieces.inputs)
            # A root has no slope at 0, where inputs that vary nowhere may end.
            norms = squares.index_add(1, places, norms.square()).clamp_min(1e-12).sqrt()
        return norms.sum(dim=1)
