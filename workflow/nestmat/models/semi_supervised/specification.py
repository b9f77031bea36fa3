"""Options of a semi-supervised variational autoencoder of compositions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from nestmat.errors import InputError
from nestmat.models.keys import several_classes
from nestmat.models.registry import NETWORKS
from nestmat.models.specification import LIKELIHOODS, Head, Shapes, Specification, option

if TYPE_CHECKING:
    from nestmat.models.semi_supervised.network import SemiSupervisedAutoencoder


@NETWORKS.register("semi_supervised")
@dataclass(frozen=True, kw_only=True)
class SemiSupervisedSpecification(Specification):
    """A semi-supervised variational autoencoder of compositions (docs/semi-supervised.md).

    The heads of the targets are q(y | e), with their weight that of the auxiliary loss, the encoder is
    q(z | x, y), and the head of the composition p(x | y, z).
    """

    hides_labels: ClassVar[bool] = True
    conditional: ClassVar[bool] = True

    composition: str = field(
        metadata={
            "description": (
                "Block of fractions x that is generated; its head has the loss multinomial or presence."
            )
        }
    )
    classifier: tuple[str, ...] = field(
        metadata={"description": "Blocks e that the heads of the targets read: what an expert would look at."}
    )
    atoms: float = option(100.0, "Atoms that a composition counts as in its likelihood.", gt=0)
    presence: float = option(
        10.0, "Loss presence: weight of the presence of an element relative to its share.", gt=0
    )
    roots: bool = option(
        True, "The encoder reads square roots of the fractions, in which a small fraction differs from none."
    )
    divergence: float = option(1.0, "Weight of the divergence of q(z | x, y) from the prior of z.", ge=0)
    latent_std: float = option(1.0, "Standard deviation of the normal prior of z.", gt=0)
    prior: dict[str, float] = field(
        default_factory=dict,
        metadata={"description": "Prior probability of class 1 by target; 0.5 where none is given."},
    )
    unlabelled: float = option(1.0, "Weight of rows without a label; 0 trains on labelled rows alone.", ge=0)
    teacher: str | None = option(
        None,
        "Baseline of the scale whose probabilities are q(y | x) of rows without a label, where the heads "
        "learn them; by default the heads alone are q(y | e).",
    )

    @property
    def takes_unlabelled_rows(self) -> bool:
        """Whether rows without a label train the model."""
        return self.unlabelled > 0

    @property
    def input_options(self) -> tuple[str, ...]:
        """Blocks that options name: the composition and what the classifier reads."""
        return (self.composition, *self.classifier)

    @property
    def latent_layer(self) -> str:
        """The last layer of the encoder states a normal distribution."""
        return "mean and spread"

    @property
    def summary(self) -> str:
        """What the model generates, and what its classifier reads."""
        return (
            f"generates {self.composition} from latents and targets; heads of targets read "
            f"{', '.join(self.classifier)}; rows without label count {self.unlabelled:g}"
        )

    def encoder_width(self, widths: Mapping[str, int]) -> int:
        """The encoder reads the composition and one number a target."""
        return widths[self.composition] + len(self.heads) - 1

    def network(self, shapes: Shapes, seeds: Sequence[int]) -> SemiSupervisedAutoencoder:
        """The networks of some members; see `Specification.network`."""
        from nestmat.models.semi_supervised.network import SemiSupervisedAutoencoder

        return SemiSupervisedAutoencoder(self, shapes, seeds)

    def check(self, shapes: Shapes) -> None:
        """Check inputs, heads, losses and penalties; see `Specification.check`."""
        targets = [name for name in self.heads if name in shapes.targets]
        self._check_inputs(shapes)
        self._check_targets(targets, shapes)
        for name, head in self.heads.items():
            self._check_head(name, head, targets, shapes)
        if self.encoder.dropout or self.heads[self.composition].dropout:
            _fail(
                "Only heads of targets have dropout in a semi-supervised model.",
                "encoder.dropout",
                self.encoder.dropout,
                "leave it out.",
            )
        if self.encoder.pieces:
            _fail(
                "A semi-supervised model reads fractions as they are.",
                "encoder.pieces",
                self.encoder.pieces,
                "leave it out.",
            )
        if unfit := sorted(set(self.penalties) - {"independence", "l2"}):
            _fail(
                f"The penalty {unfit[0]!r} does not fit a semi-supervised model.",
                "penalties",
                unfit[0],
                "choose independence or l2.",
            )
        for name, prior in self.prior.items():
            if name not in targets or name not in shapes.classes or not 0 < prior < 1:
                _fail(
                    f"The prior of {name!r} is not a probability of class 1 of a target.",
                    f"prior.{name}",
                    prior,
                    "give a number between 0 and 1 for a target that has classes and a head.",
                )

    def _check_inputs(self, shapes: Shapes) -> None:
        if shapes.kinds.get(self.composition) != "simplex":
            _fail(
                f"The composition {self.composition!r} is not a block of fractions.",
                "composition",
                self.composition,
                "name a block of elements or of a site.",
            )
        if not self.classifier:
            _fail("The classifier reads no block.", "classifier", [], "name what describes the targets.")
        if set(self.input_options) != set(self.inputs):
            _fail(
                "The inputs are not the composition and the blocks that the classifier reads.",
                "inputs",
                list(self.inputs),
                f"give {sorted(set(self.input_options))}.",
            )

    def _check_targets(self, targets: Sequence[str], shapes: Shapes) -> None:
        if several := sorted(several_classes(shapes.classes).keys() & set(targets)):
            _fail(
                f"The target {several[0]!r} has more than two classes.",
                f"heads.{several[0]}",
                len(shapes.classes[several[0]]),
                "use the kind autoencoder.",
            )
        if self.teacher and set(targets) - set(shapes.classes):
            _fail(
                "A teacher predicts classes alone.",
                "teacher",
                self.teacher,
                "leave it out, or predict classes alone.",
            )
        if not targets or set(self.heads) != {*targets, self.composition}:
            _fail(
                "The heads are not those of the composition and of one target or more.",
                "heads",
                list(self.heads),
                f"give one to {self.composition}, and to targets among {list(shapes.targets)}.",
            )

    def _check_head(self, name: str, head: Head, targets: Sequence[str], shapes: Shapes) -> None:
        allowed: tuple[str, ...] = LIKELIHOODS
        if name in targets:
            allowed = ("binary_cross_entropy",) if name in shapes.classes else ("gaussian_nll",)
        if head.loss not in allowed:
            _fail(
                f"The loss {head.loss!r} does not fit the head {name!r} of a semi-supervised model.",
                f"heads.{name}.loss",
                head.loss,
                f"choose {' or '.join(allowed)}.",
            )
        if head.floor is not None or head.output_activation != "identity" or head.transform != "none":
            _fail(
                f"The head {name!r} has a floor, a transform or an activation of its output, which a "
                "semi-supervised model does not allow.",
                f"heads.{name}",
                head.floor if head.floor is not None else head.output_activation,
                "leave it out.",
            )


def _fail(message: str, key: str, value: object, remedy: str) -> None:
    raise InputError(message, key=key, value=value, remedy=remedy)
