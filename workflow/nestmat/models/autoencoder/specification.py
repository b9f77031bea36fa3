"""Options of an autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nestmat.errors import InputError
from nestmat.models.registry import NETWORKS
from nestmat.models.specification import LIKELIHOODS, Head, Shapes, Specification, fitting_losses, option

if TYPE_CHECKING:
    from torch import Tensor

    from nestmat.models.autoencoder.network import Autoencoder
    from nestmat.models.compiled import CompiledNetwork, InputMap


@NETWORKS.register("autoencoder")
@dataclass(frozen=True, kw_only=True)
class AutoencoderSpecification(Specification):
    """An autoencoder: inputs to latents, latents to targets and back to blocks of inputs."""

    trains_jointly: ClassVar[bool] = True
    predicts_more_classes: ClassVar[bool] = True
    weighs_labels: ClassVar[bool] = True

    joint: bool = option(
        False, "Train the parent's model together with this one, end to end through the latents."
    )

    def network(self, shapes: Shapes, seeds: Sequence[int]) -> Autoencoder:
        """The autoencoders of some members; see `Specification.network`."""
        from nestmat.models.autoencoder.network import Autoencoder

        return Autoencoder(self, shapes, seeds)

    def compile(self, shapes: Shapes, flat: Tensor, inputs: InputMap) -> CompiledNetwork:
        """The autoencoders without gradients, layer by layer; see `Specification.compile`."""
        from nestmat.models.autoencoder.compiled import CompiledAutoencoder

        network = self.network(shapes, [])
        network.flat = flat
        return CompiledAutoencoder(network, inputs)

    def check(self, shapes: Shapes) -> None:
        """Check inputs, heads and losses; see `Specification.check`."""
        super().check(shapes)
        for name, head in self.heads.items():
            _check_head(name, head, shapes)


def _check_head(name: str, head: Head, shapes: Shapes) -> None:
    """Check that the loss and the floor of a head fit what it predicts."""

    def fail(message: str, key: str, value: object, remedy: str) -> None:
        raise InputError(message, key=f"heads.{name}.{key}", value=value, remedy=remedy)

    if head.loss in LIKELIHOODS:
        fail(
            f"The loss {head.loss!r} is the likelihood of a semi-supervised model.",
            "loss",
            head.loss,
            "set kind: semi_supervised, or use another loss.",
        )
    is_target, is_class = name in shapes.targets, name in shapes.classes
    classes = len(shapes.classes.get(name, ()))
    if is_target and not head.fit.fits_target(classes):
        fail(
            f"The loss {head.loss!r} does not fit the target {name!r}, which has "
            f"{f'{classes} classes' if is_class else 'no classes'}.",
            "loss",
            head.loss,
            f"use {' or '.join(fitting_losses(classes))}."
            if is_class
            else "use mae, mse, huber or gaussian_nll, or give the column `classes` in its data set.",
        )
    if not is_target:
        kind, width = shapes.kinds[name], shapes.width(name)
        if kind not in head.fit.blocks or (head.fit.normalised and width < 2):
            fail(
                f"The loss {head.loss!r} does not fit the block {name!r}, which is {kind} of width {width}.",
                "loss",
                head.loss,
                "use mae, mse, huber or gaussian_nll, or a one_hot or site block.",
            )
    if head.transform == "log" and (is_class or not is_target or head.fit.counts):
        fail(
            f"The head {name!r} does not predict numbers whose logarithm it could learn.",
            "transform",
            head.transform,
            "leave it out; the loss poisson takes a logarithm by itself.",
        )
    if head.fit.counts and (head.floor is not None or head.output_activation != "identity"):
        fail(
            f"The head {name!r} of counts has a floor or an activation of its output.",
            "loss",
            head.loss,
            "leave them out.",
        )
    if head.floor is not None and is_class:
        fail(f"The target {name!r} has classes, and so no floor.", "floor", head.floor, "leave it out.")
    if head.floor is not None and not is_target:
        fail(f"Only a target has a floor, and {name!r} is a block.", "floor", head.floor, "leave it out.")
