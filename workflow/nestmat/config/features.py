"""Feature blocks of a study: named groups of input columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from nestmat.config.base import Part
from nestmat.features.registry import build_block
from nestmat.materials.geometry import CELL

if TYPE_CHECKING:
    from nestmat.features.block import BlockKind

Site = Literal["A", "B", "X"]


class Monolayer(Part):
    """Bonds of a 2H monolayer MX2 whose atoms sit at fixed fractions of its cell, whichever cell that is.

    They follow from the columns `a`, `b`, `c`, in angstrom, c across the layer, and `alpha`, `beta`,
    `gamma`, in degrees.
    """

    height: float = Field(0.129, gt=0, lt=0.5, description="X above the plane of M, as a fraction of c.")


class FeatureBlock(Part):
    """A named group of input columns; exactly one of the keys."""

    columns: list[str] | None = Field(None, description="Columns of the data set, taken as they are.")
    one_hot: str | None = Field(None, description="A category column, as one column a level.")
    site: Site | None = Field(None, description="Site fractions of the parsed ABX3 formula.")
    site_descriptors: list[Site] | None = Field(
        None, description="Fraction-weighted ionic and elemental properties of the sites."
    )
    perovskite: Literal[True] | None = Field(None, description="Tolerance factor, octahedral factor and tau.")
    monolayer: Monolayer | None = Field(
        None, description="Bonds of a monolayer MX2, of the columns `a`, `b`, `c`, `alpha`, `beta`, `gamma`."
    )
    elements: list[str] | None = Field(
        None, min_length=1, description="Atomic fractions of these elements; a row with another is rejected."
    )
    alloy: Literal[True] | Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description=(
            "Descriptors of solid solutions, such as mixing enthalpy, mismatch of size and VEC: of alloys of "
            "these elements alone, or, with true, of all."
        ),
    )
    composition: str | None = Field(None, description="ElementProperty preset, vectorised: magpie, deml, ...")
    matminer: dict[str, dict[str, Any]] | None = Field(
        None,
        description=(
            "Composition featurizers of matminer by class name, with their arguments; results are kept in "
            "`downloads/matminer`."
        ),
    )

    @model_validator(mode="after")
    def _one_kind(self) -> FeatureBlock:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("a feature block has exactly one of " + ", ".join(type(self).model_fields))
        return self

    def build(self) -> BlockKind:
        """The block, which computes its columns."""
        return build_block(self.model_dump(exclude_none=True))

    @property
    def numbers(self) -> list[str]:
        """Number columns of the data set that the block is made of."""
        return list(CELL) if self.monolayer else self.columns or []

    @property
    def kind(self) -> Literal["continuous", "categorical", "simplex"]:
        """How the block enters a model: standardised, as classes, or as fractions that sum to 1."""
        if self.one_hot:
            return "categorical"
        return "simplex" if self.site or self.elements else "continuous"


NUMBER_OF_ELEMENTS = "number_of_elements"
"""Built-in column of every scale with formulas: how many elements the material has."""
