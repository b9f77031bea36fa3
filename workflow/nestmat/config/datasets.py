"""Data sets of a study: where a table of materials comes from, and what its columns are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from nestmat.config.base import Part
from nestmat.config.data_files import DataFile
from nestmat.config.kinds import Choice

DEVICES = "perovskite_devices"
"""The generator whose tables are simulated devices."""


EFFICIENCY = "pce"
"""Column of those tables that the simulator gives."""


class ColumnSpec(Part):
    """A column that is read from a data file."""

    kind: Literal["number", "category", "text"] = Field("number", description="What the cells hold.")
    unit: str = Field(
        "", description="Unit as printed on an axis, for example `eV`; empty for a pure number."
    )
    description: str = Field("", description="One line for the reader of tables and reports.")
    header: str | None = Field(
        None, description="Header in the file where it differs from the column's name."
    )
    sentinels: list[float] = Field(
        [], description="Numbers that stand for a missing value, for example -999."
    )
    missing: Literal["reject", "keep", "level"] = Field(
        "reject",
        description=(
            "A row without this value is rejected with a reason, or kept with NaN; level makes `not stated` "
            "a level of a category."
        ),
    )
    label: bool = Field(
        False,
        description=(
            "A measured or computed result. Rows that agree in everything but their labels are duplicates; "
            "the targets of a study are labels in any case."
        ),
    )
    uncertainty: Annotated[float, Field(gt=0)] | str | None = Field(
        None,
        description=(
            "Known standard uncertainty of the values, in their unit: a number, which is shown with the "
            "errors of the models, or a column that holds that of each row: of a target the less certain "
            "rows count less in training."
        ),
    )
    classes: list[str] | None = Field(
        None,
        min_length=2,
        description=(
            "Names of the classes of the column: its cells hold these names or, in a column of kind number, "
            "the numbers 0, 1, .. of the classes. As a target it is classified: predicted is the "
            "probability of the second of two classes, or that of each of more."
        ),
    )

    @model_validator(mode="after")
    def _fits_kind(self) -> ColumnSpec:
        if self.missing == "level" and self.kind != "category":
            raise ValueError("Only a column of kind category can have `missing: level`")
        if self.uncertainty is not None and self.kind != "number":
            raise ValueError("Only a column of kind number can have an uncertainty")
        if self.classes is not None:
            if self.kind == "text" or self.unit or self.uncertainty is not None:
                raise ValueError("Only numbers or categories without unit and uncertainty can have classes")
            if self.missing == "level":
                raise ValueError("A column with classes cannot have `missing: level`; name it as a class")
            if len(set(self.classes)) < len(self.classes):
                raise ValueError("The names of the classes are not all different")
        return self

    @property
    def is_numeric(self) -> bool:
        """Whether the column is read into numbers, as those with classes are."""
        return self.kind == "number" or self.classes is not None


class SuspectLabel(Part):
    """A label that is flagged in the report and kept."""

    row: int = Field(gt=0, description="Line of a CSV file, row of any other table, counted from 1.")
    column: str = Field(description="Column of the label.")
    reason: str = Field(description="Why it is suspected.")


class DatasetGenerator(Choice):
    """A table that is made instead of read; its keys are the options of its kind."""

    registry: ClassVar[str] = "nestmat.data.generator_registry:GENERATORS"

    kind: str = Field(description="Kind of the generator.")


class DatasetSpec(DataFile):
    """A table of materials: where it comes from, what its columns are."""

    title: str = Field(description="Name of the data set for people.")
    description: str = Field("", description="What the rows are.")
    doi: str | None = Field(None, description="DOI of the publication.")
    citation: str | None = Field(None, description="Citation as text.")
    licence: str | None = Field(None, description="Licence of the data; null when none is stated.")
    further_files: list[DataFile] = Field(
        [], description="Further files with other columns of the same rows, in the same order."
    )
    generator: DatasetGenerator | None = Field(None, description="Generator of the rows.")
    formula: str | None = Field(None, description="Column that holds the chemical formula.")
    formula_template: str | None = Field(
        None,
        description="Formula made of other columns, for example `{Cation}Pb{X}3`, where none is written.",
    )
    fractions: Literal["weight", "atomic"] | None = Field(
        None,
        description=(
            "What the numbers of the formulas are: weight or atomic fractions, in percent or as shares of 1, "
            "unless a cell says `wt%` or `at%` itself. Then names of alloys are read, Ti-6Al-4V as 6 Al, 4 V "
            "and the rest Ti. Amounts of atoms by default, and no names."
        ),
    )
    elements: list[str] | None = Field(
        None,
        min_length=1,
        description="Elements that a material may hold; a row with another is rejected. All by default.",
    )
    columns: dict[str, ColumnSpec] = Field(description="The columns to read; all others are left out.")
    missing_values: list[str] = Field(
        [],
        description=(
            "Spellings of cells without a value, as `-` or `n.d.`, besides an empty cell, and in columns of "
            "numbers NA, N/A, #N/A, NaN, null and None; capitals do not count."
        ),
    )
    duplicates: Literal["keep", "flag", "reject_conflicting", "reject", "first"] = Field(
        "flag",
        description=(
            "Rows of the same inputs: keep, keep and flag, or reject those with different labels; reject "
            "leaves out repetitions with the same labels too, all but the first; first leaves out all but "
            "the first of those with formulas written alike, whatever their labels, and flags others."
        ),
    )
    weights: str | None = Field(
        None,
        description=(
            "Column of the weights of rows, 0 or more: how much each counts in training, and nothing where "
            "errors are measured."
        ),
    )
    suspicious: list[SuspectLabel] = Field([], description="Labels to flag; they are kept.")

    @model_validator(mode="after")
    def _one_source(self) -> DatasetSpec:
        if sum(source is not None for source in (self.url, self.file, self.generator)) != 1:
            raise ValueError("Exactly one of url, file, generator is needed")
        if self.generator and (self.reading_keys or self.further_files):
            raise ValueError("A data set of a generator has no further_files and no key that reads a file")
        if any((part.url is None) == (part.file is None) for part in self.further_files):
            raise ValueError("Each of further_files needs exactly one of url, file")
        return self

    @model_validator(mode="after")
    def _names(self) -> DatasetSpec:
        if self.formula and self.formula_template:
            raise ValueError("Only one of formula and formula_template can be given")
        if self.elements and not (self.formula or self.formula_template):
            raise ValueError("The key elements needs formula or formula_template")
        if self.fractions and not (self.formula or self.formula_template):
            raise ValueError("The key fractions needs formula or formula_template")
        if reserved := sorted({"row_id", "row", "formula", "material", "flag"} & set(self.columns)):
            raise ValueError(
                f"Columns {reserved} have names that nestmat uses itself; choose another name and give the "
                "file's as header"
            )
        return self

    @model_validator(mode="after")
    def _columns_of_weights(self) -> DatasetSpec:
        for key, column in self.weight_columns.items():
            declared = self.columns.get(column)
            if declared is None:
                raise ValueError(f"{key}: The column {column!r} is not one of {sorted(self.columns)}")
            if declared.kind != "number" or declared.classes or isinstance(declared.uncertainty, str):
                raise ValueError(f"{key}: The column {column!r} does not hold plain numbers")
        return self

    @property
    def uncertainty_columns(self) -> dict[str, str]:
        """Column that holds the standard uncertainty of each value, by the column of the values."""
        return {
            name: column.uncertainty
            for name, column in self.columns.items()
            if isinstance(column.uncertainty, str)
        }

    @property
    def weight_columns(self) -> dict[str, str]:
        """Columns by which rows count more or less, by the key that names each."""
        uncertainties = {f"columns.{name}.uncertainty": c for name, c in self.uncertainty_columns.items()}
        return ({"weights": self.weights} if self.weights else {}) | uncertainties

    @property
    def files(self) -> list[DataFile]:
        """The file, then the further files."""
        return [self, *self.further_files]

    def file_to_download(self, checksum: str) -> dict[str, Any]:
        """The file whose SHA256 begins with a checksum, as plain values."""
        file = next(file for file in self.files if (file.sha256 or "").startswith(checksum))
        return file.model_dump(include={*DataFile.model_fields})

    def named(self, header: str) -> str | None:
        """Name of the column that has a header in the file, or that a generator makes under this name."""
        names = (name for name, column in self.columns.items() if (column.header or name) == header)
        return next(names, None)

    @property
    def simulates_devices(self) -> bool:
        """Whether the rows are simulated devices."""
        return self.generator is not None and self.generator.kind == DEVICES

    @property
    def efficiency_column(self) -> str | None:
        """Column that is the simulated efficiency; None where the table is not one of simulated devices."""
        return self.named(EFFICIENCY) if self.simulates_devices else None
