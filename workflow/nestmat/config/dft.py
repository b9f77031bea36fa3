"""Calculations of a study with GPAW."""

from __future__ import annotations

from typing import Any, ClassVar, get_args, get_type_hints

from pydantic import Field, ValidationInfo, model_validator

from nestmat.config.base import Name, Part
from nestmat.config.kinds import Choice, options_are_checked

Number = int | float
"""A number as it is written: 500 stays an integer."""
DFT_TABLES = ("records", "calculations", "compounds", "electronic")
"""Tables of all compounds: calculations as made and as read, perovskites, strained perovskites."""


class Layer(Part):
    """One MX2 layer in each cell of a table: columns a, b, c (Å) and alpha, beta, gamma (degrees)."""

    metal: str = Field("Mo", description="Element M.")
    chalcogen: str = Field("S", description="Element X.")
    heights: list[float] = Field(
        min_length=1,
        description=(
            "Height of X above and below M, in units of c; of several, each cell is calculated at each."
        ),
    )
    relax: bool = Field(False, description="Whether the positions are relaxed in the cell.")
    columns: list[str] = Field(
        [], description="Further numbers of the table to keep, such as variables that it was designed with."
    )

    @model_validator(mode="after")
    def _heights(self) -> Layer:
        if not all(0 < height < 0.5 for height in self.heights):
            raise ValueError("The heights do not all lie between 0 and 0.5")
        if len(set(self.heights)) < len(self.heights):
            raise ValueError("The heights are not all different")
        return self


class CalculationSettings(Part):
    """Settings of calculations that differ from those of the reference set."""

    cutoff: Number | None = Field(None, description="Cutoff of the plane waves in eV.")
    kpoints: list[int] | None = Field(
        None, description="k points along each reciprocal vector, centred on Gamma."
    )
    probes: list[Number] | None = Field(
        None,
        description="Linear scales at which the minimum of the energy is looked for; none: it is at 1.",
    )
    strains: list[Number] | None = Field(None, description="Linear strains about that minimum.")
    functional: str | None = Field(None, description="Exchange and correlation, by GPAW's name.")
    smearing: Number | None = Field(None, description="Width of the Fermi distribution in eV.")
    density: Number | None = Field(
        None, description="Change of the density at convergence, in electrons per valence electron."
    )
    eigenstates: Number | None = Field(
        None, description="Change of the eigenstates at convergence, in eV² per valence electron."
    )
    empty: int | None = Field(None, description="Number of empty bands, of which the lowest is converged.")
    force: Number | None = Field(None, description="Largest force that a relaxation leaves, in eV/Å.")
    steps: int | None = Field(None, description="Steps that a relaxation may take.")
    edges: list[list[Number]] | None = Field(
        None,
        description="Further k points at which band edges are looked for, in reciprocal cell vectors.",
    )

    @property
    def stated(self) -> dict[str, Any]:
        """The settings that differ."""
        return self.model_dump(exclude_none=True)


class BuiltInSet(Choice):
    """Structures as the reference set of cubic halide perovskites is made of; its keys are their options."""

    registry: ClassVar[str] = "nestmat.dft.registry:STRUCTURE_SETS"
    leading_arguments: ClassVar[int] = 1

    kind: str = Field(description="Kind of the set.")

    @property
    def needs_calculations(self) -> bool:
        """Whether the set is made from calculations of other sets."""
        calculations = next(iter(get_type_hints(self.registered).values()))
        return type(None) not in get_args(calculations)


class StructureSet(Part):
    """Structures to calculate; exactly one of `set`, `file`, `candidates` and `dataset`."""

    set: BuiltInSet | None = Field(None, description="A built-in set.")
    file: str | None = Field(
        None,
        description=(
            "Your own CSV file, relative to the working directory: a column `formula` and, where known, "
            "`lattice`, the lattice constant in angstrom that the search starts from. With `layer` the six "
            "numbers of a cell."
        ),
    )
    candidates: Name | None = Field(
        None, description="The best materials of this problem of `search`, for the target `verify`."
    )
    dataset: Name | None = Field(None, description="layer: cells of this data set of the study.")
    rows: list[int] = Field(
        [], description="layer: rows of `file` or `dataset`, counted from 0; all by default."
    )
    layer: Layer | None = Field(None, description="Calculate a layer in given cells, not compounds.")
    after: list[Name] = Field(
        [], description="Sets listed before this one, whose calculations the built-in set is made from."
    )
    settings: CalculationSettings = Field(
        CalculationSettings(), description="Settings that differ, for all but built-in sets."
    )

    @model_validator(mode="after")
    def _one_source(self, info: ValidationInfo) -> StructureSet:
        sources = (self.set, self.file, self.candidates, self.dataset)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("Exactly one of set, file, candidates, dataset is needed")
        if self.dataset is not None and self.layer is None:
            raise ValueError("A set from a dataset needs a layer")
        if self.layer is not None and self.set is not None:
            raise ValueError("A built-in set can have no layer")
        if self.rows and (self.layer is None or self.candidates is not None):
            raise ValueError("Only a set of layers from a file or dataset can have rows")
        if self.set is None and self.after:
            raise ValueError("Only a built-in set can have `after`")
        if self.set is not None and self.settings.stated:
            raise ValueError("A built-in set has settings of its own and cannot be given others")
        if self.layer is not None and (self.settings.stated.keys() & {"probes", "strains"}):
            raise ValueError("The settings probes and strains are those of compounds, not of layers")
        if (
            self.set is not None
            and options_are_checked(info)
            and self.set.needs_calculations
            and not self.after
        ):
            raise ValueError(
                f"The set {self.set.kind!r} needs calculations; name the set of the ternaries in `after`"
            )
        return self


class Dft(Part):
    """Calculations with GPAW, which the target `dft` runs."""

    python: str = Field(
        "python3",
        description=(
            "Interpreter that has GPAW, best an absolute path such as `/usr/bin/python3`; a bare name is not "
            "looked for in the virtual environment of nestmat."
        ),
    )
    parts: int = Field(16, ge=1, description="Jobs that a set is divided into.")
    sets: dict[Name, StructureSet] = Field(min_length=1, description="Sets of structures by name.")

    @model_validator(mode="after")
    def _references(self) -> Dft:
        listed: list[str] = []
        for name, entry in self.sets.items():
            if name in DFT_TABLES:
                raise ValueError(f"sets.{name}: The set has the name of a table of results; choose another")
            for predecessor in entry.after:
                if predecessor not in listed:
                    raise ValueError(
                        f"sets.{name}.after: {predecessor!r} is not a set listed before this one"
                    )
            listed.append(name)
        return self
