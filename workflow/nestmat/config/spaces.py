"""Spaces of a study: the materials that may be proposed."""

from __future__ import annotations

from pydantic import Field, model_validator

from nestmat.config.base import Pair, Part, one_of
from nestmat.config.features import Site
from nestmat.materials.geometry import CELL


class Simplex(Part):
    """Shares of species that add up to 1: a site, or a whole alloy."""

    species: list[str] = Field(min_length=1, description="Ions or elements that may be chosen.")
    grid: int = Field(8, ge=1, le=1000, description="Shares are multiples of 1/grid.")
    fewest: int = Field(1, ge=1, description="Least number of species at a time.")
    most: int | None = Field(None, ge=1, description="Largest number of species at a time; all by default.")
    least: float = Field(0.0, ge=0, le=1, description="Smallest share of a species that is present.")
    greatest: float = Field(1.0, gt=0, le=1, description="Largest share of any species.")
    bounds: dict[str, Pair[float]] = Field({}, description="Smallest and largest share by species.")


class Factor(Part):
    """A number or a class besides the composition: fixed, in an interval, or one of several levels."""

    value: float | None = Field(None, description="A number that stays as it is.")
    between: Pair[float] | None = Field(None, description="Smallest and largest value.")
    grid: int | None = Field(
        None, ge=2, description="between: number of values on the grid; none by default."
    )
    periodic: bool = Field(False, description="between: whether the number goes round.")
    levels: list[str] | None = Field(None, min_length=1, description="Levels of a category to choose from.")

    @model_validator(mode="after")
    def _one_kind(self) -> Factor:
        if one_of(self, ("value", "between", "levels")) != "between" and (self.grid or self.periodic):
            raise ValueError("Only a variable with `between` can have grid and periodic")
        return self


class DesignSpace(Part):
    """The materials that may be proposed. Every one of them keeps all of these rules, exactly."""

    sites: dict[Site, Simplex] | None = Field(
        None, description="ABX3: the ions of each site, which must have one charge a site and be neutral."
    )
    elements: Simplex | None = Field(None, description="An alloy: its elements.")
    variables: dict[str, Factor] = Field({}, description="Numbers and classes besides the composition.")
    symmetries: list[dict[str, str]] = Field(
        [],
        description=(
            "For a space of numbers in intervals alone: exchanges of variables that leave a material the "
            "same, each as new name by old name."
        ),
    )

    @model_validator(mode="after")
    def _one_kind(self) -> DesignSpace:
        if self.sites is not None and self.elements is not None:
            raise ValueError("Only one of sites and elements can be given")
        if self.sites is None and self.elements is None and not self.variables:
            raise ValueError("The space is empty; give sites, elements or variables")
        if self.sites is not None and set(self.sites) != {"A", "B", "X"}:
            raise ValueError("The sites are not A, B and X")
        if self.symmetries and not all(v.between for v in self.variables.values()):
            raise ValueError("Only a space of intervals alone can have symmetries")
        if self.symmetries and (self.sites is not None or self.elements is not None):
            raise ValueError("Only a space of intervals alone can have symmetries")
        return self

    @property
    def cells(self) -> bool:
        """Whether its materials are cells of one crystal."""
        return self.sites is None and self.elements is None and set(CELL) <= set(self.variables)
