"""What a trained model is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

RECOMMENDED = "recommended"
"""Name of the recommended predictor of a scale among its models and baselines."""


def predicted_quantities(target: str, classes: Sequence[str] = ()) -> list[str]:
    """What is predicted of a target: one quantity, or of three classes and more the probability of each.

    A quantity is a number with a mean and a standard deviation, under the name that tables of predictions
    have in their column ``target``. So all that reads numbers, or probabilities of two classes, reads each of
    several classes against the rest as well.

    Args:
        target: Name of the target.
        classes: Names of its classes; of two, the quantity is the probability of the second.

    Example:
        >>> predicted_quantities("gap"), predicted_quantities("stable", ["no", "yes"])
        (['gap'], ['stable'])
        >>> predicted_quantities("grade", ["low", "mid", "high"])
        ['grade: low', 'grade: mid', 'grade: high']
    """
    return [f"{target}: {name}" for name in classes] if len(classes) > 2 else [target]


def several_classes(classes: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Quantities of each target of three classes and more.

    Args:
        classes: Names of the classes of each target that has some.
    """
    return {
        target: predicted_quantities(target, names) for target, names in classes.items() if len(names) > 2
    }


class ModelKey(NamedTuple):
    """One model of a scale in one protocol; as text the stem of its files, ``<scale>/<protocol>/<model>``.

    Attributes:
        scale: Name of the scale.
        protocol: Protocol of its folds.
        model: Name of the model.

    Example:
        >>> key = ModelKey("gap", "strict", "nested")
        >>> f"models/{key}.json"
        'models/gap/strict/nested.json'
        >>> ModelKey.parse("gap/strict/nested") == key
        True
    """

    scale: str
    protocol: str
    model: str

    @classmethod
    def parse(cls, stem: str) -> ModelKey:
        """The key of a stem.

        Raises:
            ValueError: The stem does not have three parts.
        """
        return cls(*stem.split("/"))

    @property
    def provenance(self) -> dict[str, str]:
        """Scale, protocol and model by name, as tables state them in their metadata."""
        return self._asdict()

    def __str__(self) -> str:
        return "/".join(self)

    def __format__(self, specification: str) -> str:
        return format(str(self), specification)
