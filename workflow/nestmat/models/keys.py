"""What a trained model is called."""

from __future__ import annotations

from typing import NamedTuple

RECOMMENDED = "recommended"
"""Name of the recommended predictor of a scale among its models and baselines."""


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
