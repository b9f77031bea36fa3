"""The calculated reference set against published values of the same functional."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from nestmat.data.published import read
from nestmat.materials.formulas import parse
from nestmat.paths import RESOURCES

PUBLISHED = RESOURCES / "published" / "perovskites_pbe.yaml"
_SIDE_BY_SIDE = [
    f"{quantity}{part}"
    for quantity in ("gap", "formation_energy")
    for part in ("", "_published", "_difference")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Strict):
    """One published number of one crystal."""

    formula: str = Field(description="Formula unit.")
    prototype: str = Field("perovskite", description="Crystal structure, a key of `structures.PROTOTYPES`.")
    quantity: Literal["lattice", "gap", "formation_energy"] = Field(
        description="Column of the compounds: lattice constant in angstrom, gap or formation energy in eV."
    )
    value: float = Field(description="The number, in the unit of the quantity.")
    method: str = Field(description="Functional and treatment of the core.")
    citation: str = Field(description="Key of `citations`.")
    source: str = Field(description="Where in the publication, and of which copy.")
    note: str = Field("", description="What a reader must know to compare.")


class Publication(_Strict):
    """A file of published values of crystals."""

    citations: dict[str, str] = Field(description="Citations by key.")
    values: list[Value] = Field(description="The numbers.")

    @model_validator(mode="after")
    def _cited(self) -> Publication:
        for value in self.values:
            if value.citation not in self.citations:
                raise ValueError(f"{value.citation!r} is not one of the citations")
        return self


def load(path: str | Path = PUBLISHED) -> pd.DataFrame:
    """Published values of crystals, one row a value, with the keys of `Value` and the citation as text.

    Args:
        path: YAML file with ``citations`` and ``values``.

    Raises:
        InputError: The file is missing or faulty; names file and key.
    """
    publication = read(path, Publication)
    frame = pd.DataFrame(
        [value.model_dump() for value in publication.values], columns=list(Value.model_fields)
    )
    return frame.assign(citation=frame["citation"].map(publication.citations))


def against_published(compounds: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Every published value with the calculated one.

    Args:
        compounds: ``formula`` and the columns that ``published`` names as ``quantity``: lattice constant in
            angstrom, energies in eV; ``prototype`` where the crystals are not all perovskites.
        published: What `load` returns.

    Returns:
        ``formula`` as published, ``quantity``, ``ours``, ``published``, ``difference`` (ours less published)
        and ``source`` (the citation), in the order of ``published``. Values of crystals and quantities that
        were not calculated are left out; formulas are matched as compositions, however they are written.
    """
    calculated = compounds.assign(material=_materials(compounds["formula"]))
    if "prototype" not in calculated:
        calculated["prototype"] = "perovskite"
    keys = ["material", "prototype", "quantity"]
    quantities = [name for name in published["quantity"].unique() if name in calculated]
    calculated_values = calculated.melt(keys[:2], quantities, "quantity", "ours").dropna(subset="ours")
    published_values = published.drop(columns="source").rename(
        columns={"value": "published", "citation": "source"}
    )
    pairs = published_values.assign(material=_materials(published_values["formula"])).merge(
        calculated_values, on=keys
    )
    pairs["difference"] = pairs["ours"] - pairs["published"]
    return pairs[["formula", "quantity", "ours", "published", "difference", "source"]]


def against_cubic_rows(compounds: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Calculated gaps and formation energies with the cubic rows of the data set ``perovskites_pbe``.

    Args:
        compounds: ``formula``, ``gap`` and ``formation_energy``, in eV and per formula unit.
        table: The data set as `nestmat.data.reading.read` gives it: ``row``, ``formula``, ``material``,
            ``flag``, ``Gap``, ``Decomp``, ``Cubic``.

    Returns:
        One line a row of ``table`` that is cubic, has one ion on each site and was calculated: ``formula``
        (ours), ``row``, ``gap``, ``gap_published``, ``gap_difference``, ``formation_energy``,
        ``formation_energy_published``, ``formation_energy_difference`` and ``flag``, what the registry
        suspects of the row. Differences are ours less published. Both energies are those of the perovskite
        less those of its binary halides, but ours leave out layered halides, so that they may lie below the
        published ones.
    """
    cubic = table[(table["Cubic"] == 1) & table["formula"].map(_unmixed)]
    published = cubic.rename(columns={"Gap": "gap_published", "Decomp": "formation_energy_published"})
    columns = ["material", "row", "gap_published", "formation_energy_published", "flag"]
    calculated = compounds[["formula", "gap", "formation_energy"]]
    pairs = calculated.assign(material=_materials(calculated["formula"])).merge(
        published[columns], on="material"
    )
    for quantity in ("gap", "formation_energy"):
        pairs[f"{quantity}_difference"] = pairs[quantity] - pairs[f"{quantity}_published"]
    return pairs[["formula", "row", *_SIDE_BY_SIDE, "flag"]]


def _materials(formulas: pd.Series) -> pd.Series:
    return formulas.map(lambda text: parse(text).key)


def _unmixed(formula: str) -> bool:
    return all(len(ions) == 1 for ions in parse(formula).sites().values())
