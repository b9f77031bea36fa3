"""Generative models of a study: pydantic models of what they draw, how they are made and trained."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from nestmat.config.base import Name, Part
from nestmat.config.kinds import Choice
from nestmat.config.spaces import DesignSpace


class PseudoLabels(Part):
    """Further rows for the training, labelled by a trained model of the scale."""

    model: Name = Field(description="Model of the scale that labels them.")
    rows: int = Field(200_000, ge=1000, description="Rows to draw.")
    uniform: float = Field(0.5, ge=0, le=1, description="Share of them that is drawn uniformly.")
    jitter: float = Field(
        0.1,
        gt=0,
        description=(
            "The others are training rows that are moved: largest standard deviation, as a share of each "
            "interval."
        ),
    )
    spread: float = Field(
        gt=0, description="Largest standard deviation of the model, in the unit of the quantity."
    )


class GeneratorSpec(Choice):
    """Materials of a space, drawn so that they have a value of one target of a scale.

    The other keys are the options of its kind.
    """

    registry: ClassVar[str] = "nestmat.search.generators.registry:GENERATORS"

    kind: str = Field(description="Kind of the generator.")
    title: str = Field("", description="Name in tables and figures; the key by default.")
    scale: Name = Field(description="Scale whose rows it is trained on.")
    condition: str = Field(description="Target of the scale that samples are conditioned on.")
    space: DesignSpace = Field(description="The materials: its columns are columns of the scale.")
    seeds: int = Field(1, ge=1, description="Networks to train; searches take them in turn.")
    pseudo_labels: PseudoLabels | None = Field(
        None, description="Rows in addition to those of the data set; by default there are none."
    )
