"""Options of an autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nestmat.errors import InputError
from nestmat.models.registry import NETWORKS
from nestmat.models.specification import Head, Shapes, Specification, option

if TYPE_CHECKING:
    from nestmat.models.autoencoder.network import Autoencoder


@NETWORKS.register("autoencoder")
@dataclass(frozen=True, kw_only=True)
class AutoencoderSpecification(Specification):
    """An autoencoder: inputs to latents, latents to targets and back to blocks of inputs."""

    joint: bool = option(
        False, "Train the parent's model together with this one, end to end through the latents."
    )

    def network(self, shapes: Shapes, seeds: Sequence[int]) -> Autoencoder:
        """The autoencoders of some members; see `Specification.network`."""
        from nestmat.models.autoencoder.network import Autoencoder

        return Autoencoder(self, shapes, seeds)

    def check(self, shapes: Shapes) -> None:
        """Check inputs, heads and losses; see `Specification.check`."""
        super().check(shapes)
        for name, head in self.heads.items():
            _check_head(name, head, shapes)


def _check_head(name: str, head: Head, shapes: Shapes) -> None:
    """Check that the loss and the floor of a head fit what it predicts."""

    def fail(message: str, key: str, value: object, remedy: str) -> None:
        raise InputError(message, key=f"heads.{name}.{key}", value=value, remedy=remedy)

    width, is_class = shapes.width(name), name in shapes.classes
    kind = "target" if name in shapes.targets else shapes.kinds[name]
    if head.loss in ("multinomial", "presence"):
        fail(
            f"The loss {head.loss!r} is the likelihood of a semi-supervised model.",
            "loss",
            head.loss,
            "set kind: semi_supervised, or use another loss.",
        )
    if head.loss == "cross_entropy" and (kind not in ("categorical", "simplex") or width < 2):
        fail(
            f"The loss cross_entropy needs classes or fractions, and {name!r} is {kind} of width {width}.",
            "loss",
            head.loss,
            "use mae, mse, huber or gaussian_nll, or a one_hot or site block.",
        )
    if is_class and head.loss != "binary_cross_entropy":
        fail(
            f"The target {name!r} has classes, which only the loss binary_cross_entropy fits.",
            "loss",
            head.loss,
            "use binary_cross_entropy.",
        )
    if not is_class and head.loss == "binary_cross_entropy":
        fail(
            f"The loss binary_cross_entropy needs a target with classes, and {name!r} has none.",
            "loss",
            head.loss,
            "use another loss, or give the column `classes` in its data set.",
        )
    if head.floor is not None and is_class:
        fail(f"The target {name!r} has classes, and so no floor.", "floor", head.floor, "leave it out.")
    if head.floor is not None and kind != "target":
        fail(f"Only a target has a floor, and {name!r} is a block.", "floor", head.floor, "leave it out.")
