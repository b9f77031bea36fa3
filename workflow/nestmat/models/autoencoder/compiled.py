"""The autoencoder of a scale as it predicts many rows; see `nestmat.models.compiled`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.compiled import ROWS, CompiledPerceptron, InputMap, Workspace
from nestmat.models.layers import AffineLayer


class CompiledAutoencoder:
    """Encoders and heads of the targets, member by member; a `nestmat.models.compiled.CompiledNetwork`.

    Args:
        network: Autoencoders of some members.
        inputs: What their encoders read.
    """

    def __init__(self, network: Autoencoder, inputs: InputMap):
        self._network, self._parents, weights = network, inputs.parents, network.weights
        self._latents = network.specification.encoder.latents
        scaling = AffineLayer(inputs.matrix, "identity")
        layers = network.encoder.affine_layers("latents", weights)
        self._encoder = CompiledPerceptron([scaling, *layers], inputs.widths)
        self._heads = {
            name: CompiledPerceptron(bundle.affine_layers(name, weights))
            for bundle in network.heads
            for name in bundle.outputs
            if name in network.targets
        }
        self._widest = max(part.widest for part in (self._encoder, *self._heads.values()))

    def __call__(
        self, shared: Tensor, latents: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """Latents and scaled predictions, as of `nestmat.models.compiled.CompiledNetwork`."""
        n, members = shared.shape[1], len(self._network.flat)
        z = torch.empty(members, self._latents, n)
        outputs = {name: torch.empty(members, self._network.output_width(name), n) for name in self._heads}
        workspace = Workspace.of(self._widest, self._latents, min(n, ROWS))
        for start in range(0, n, ROWS):
            rows = slice(start, start + ROWS)
            read = [values[..., rows] for values in (shared, *latents)]
            written = {name: output[:, :, rows] for name, output in outputs.items()}
            self._run(read, z[:, :, rows], written, workspace.narrow(read[0].shape[1]))
        return z, self._network.predictions(outputs)

    def _run(
        self, read: Sequence[Tensor], z: Tensor, outputs: Mapping[str, Tensor], workspace: Workspace
    ) -> None:
        """Write the latents and the outputs of the heads of some rows."""
        (shared, *latents), own = read, workspace.latents
        hidden = self._encoder.hidden(workspace)
        heads = [(head, head.hidden(workspace), outputs[name]) for name, head in self._heads.items()]
        for member in range(z.shape[0]):
            added = [part[numbers[member]] for part, numbers in zip(latents, self._parents, strict=True)]
            if not heads:
                self._encoder(member, shared, added, hidden, z[member])
                continue
            self._encoder(member, shared, added, hidden, own[1:])
            z[member] = own[1:]
            for head, of_head, output in heads:
                head(member, own, (), of_head, output[member])
