"""Interpretation of a scale: which model is explained, and with how much effort."""

from __future__ import annotations

from pydantic import Field, model_validator

from nestmat.config.base import Part


class AlloyFamilies(Part):
    """Families of equimolar alloys: of the elements of each family, every choice of so many."""

    elements: dict[str, list[str]] = Field(min_length=1, description="Elements by the title of their family.")
    of: int = Field(4, gt=0, description="Elements of an alloy.")

    @model_validator(mode="after")
    def _enough(self) -> AlloyFamilies:
        for title, elements in self.elements.items():
            if len(set(elements)) < len(elements) or len(elements) < self.of:
                raise ValueError(f"{title}: The family needs {self.of} different elements or more")
        return self


class Interpretation(Part):
    """Which model of a scale is explained, and with how much effort."""

    model: str = Field(description="Model whose latents and predictions are explained.")
    protocol: str = Field("strict", description="Protocol whose members are used.")
    permutations: int = Field(999, ge=99, description="Permutations for each p-value.")
    groups: dict[str, list[str]] = Field(
        {},
        description="Groups of input columns for exact Shapley values where there are more than 12 inputs.",
    )
    background: int = Field(
        64, gt=0, description="Training rows that stand for a missing input in Shapley values."
    )
    families: AlloyFamilies | None = Field(
        None, description="Alloys whose latents are shown, for a semi-supervised model."
    )
