"""Metrics of a scale besides the errors of all rows: strata, latent sizes, device physics."""

from __future__ import annotations

from pydantic import Field, model_validator

from nestmat.config.base import Part
from nestmat.config.features import NUMBER_OF_ELEMENTS


class LatentSweep(Part):
    """Latent sizes to try for one model."""

    model: str = Field(description="Model of the scale whose latent size is varied.")
    latents: list[int] = Field(min_length=2, description="Latent sizes.")
    protocol: str = Field("strict", description="Protocol of the sweep; its first repeat is used.")
    epochs: int | None = Field(None, gt=0, description="Epochs, where they differ from the model's.")
    known_dimensions: int | None = Field(
        None, gt=0, description="Dimensions that the inputs are known to fill, for synthetic data."
    )


class Stratum(Part):
    """Rows that are measured by themselves too: those with a column between two values."""

    title: str = Field("", description="Name in tables and figures; the key by default.")
    column: str = Field(
        NUMBER_OF_ELEMENTS,
        description="A number column of the scale's features, or `number_of_elements`, which formulas have.",
    )
    low: float | None = Field(None, description="Smallest value; no limit by default.")
    high: float | None = Field(None, description="Largest value; no limit by default.")

    @model_validator(mode="after")
    def _limits(self) -> Stratum:
        if self.low is None and self.high is None:
            raise ValueError("At least one of low and high is needed")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("The number low is above high")
        return self


class DevicePhysics(Part):
    """Hold a model of simulated devices against the simulator, for compounds that no scale trained on.

    For a scale whose data set has the generator `perovskite_devices`.
    """

    model: str = Field(description="Model of the scale, which runs in the strict protocol.")
    points: int = Field(25, gt=1, description="Devices along each variable.")
    compounds: int = Field(
        5, gt=0, description="Compounds followed along the variables, spread over the gap."
    )
