"""The domain of a scale: what its training rows cover, and how new materials stand to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat import tables
from nestmat.domains.composition import FEW, CompositionCoverage, count_materials
from nestmat.domains.constituents import Constituents, are_perovskites
from nestmat.domains.distance import TrainingDistance
from nestmat.domains.verdicts import EDGE, OUTSIDE, Finding, Verdicts
from nestmat.errors import InputError

SLACK, MARGIN = 0.01, 0.1
"""How far beyond its range a number is still inside and still at the edge, as shares of the range."""


@dataclass(frozen=True)
class Materials:
    """Materials that a domain is asked about.

    Attributes:
        count: Their number n.
        columns: Feature columns by name, (n,) each. What cannot be computed may be missing.
        constituents: Species; None where the materials have no composition.
    """

    count: int
    columns: Mapping[str, Any]
    constituents: Constituents | None = None


@dataclass(frozen=True)
class Domain:
    """What the training rows of a scale cover.

    A material is **outside** where it has a species, a category or a kind of mixture that no training
    material has, a number far beyond its range, or inputs far from those of every training material;
    it is at the **edge** where a number is a little beyond its range, the distance is in the tail of the
    training materials themselves, or what it is made of is rare; else it is **inside**. Counts and thresholds
    are of materials, not of rows, and nothing is fitted to errors.

    That species and kinds of mixture count by themselves, whatever the distance, follows Meredig et al., Mol.
    Syst. Des. Eng. 3, 819 (2018): errors on whole groups that were left out exceed those on random rows by
    far, and descriptors of a mixture, as means over its species, lie between those of its ends, where a
    distance is short. For the distance and its sources see `TrainingDistance`.

    Attributes:
        scale: Name of the scale.
        materials: Number of its training materials.
        composition: Species, mixtures and pairs; None where the materials have no composition.
        levels: Training materials by level of a category, ``<category>=<level>``.
        ranges: Smallest and largest value of each number of the data set.
        blocks: Feature columns by block of the scale.
        distance: Distance to the training rows.
    """

    scale: str
    materials: int
    composition: CompositionCoverage | None
    levels: Mapping[str, int]
    ranges: Mapping[str, tuple[float, float]]
    blocks: Mapping[str, list[str]]
    distance: TrainingDistance

    @classmethod
    def of_rows(cls, scale: str, rows: pd.DataFrame, inputs: DomainInputs) -> Domain:
        """The domain of training rows.

        Args:
            scale: Name of the scale.
            rows: Features of the rows, with ``formula`` and ``material``.
            inputs: Which columns describe it.
        """
        distinct = rows.drop_duplicates("material")
        composition = None
        if (distinct["formula"] != "").any():
            by_site = are_perovskites(distinct["formula"])
            constituents = Constituents.of_keys(distinct["material"].tolist(), by_site)
            composition = CompositionCoverage.of(constituents, by_site)
        levels = {name: int(rows.loc[rows[name] > 0, "material"].nunique()) for name in inputs.levels}
        return cls(
            scale,
            len(distinct),
            composition,
            {name: count for name, count in levels.items() if count},
            {name: (float(rows[name].min()), float(rows[name].max())) for name in inputs.numbers},
            inputs.blocks,
            TrainingDistance.of(rows[inputs.distance], rows["material"]),
        )

    def write(self, path: str | Path, schema: tables.Schema, facts: Mapping[str, Any]) -> None:
        """Write the domain as a table of the rows that distances are measured to, all else in its metadata.

        Args:
            path: File to write.
            schema: Units of the features.
            facts: Further provenance.
        """
        domain = {
            "scale": self.scale,
            "materials": self.materials,
            "composition": self.composition.facts() if self.composition else None,
            "levels": dict(self.levels),
            "ranges": {name: list(limits) for name, limits in self.ranges.items()},
            "blocks": dict(self.blocks),
            "distance": self.distance.facts(),
        }
        reference = self.distance.reference
        # A table has a column at least; a scale of constant inputs has no distance.
        table = reference.assign(row=np.arange(len(reference)))
        columns = {
            "row": tables.Column("int64", role="key"),
            **{str(name): schema[str(name)] for name in reference},
        }
        tables.write(path, table, columns, {**facts, "domain": domain})

    @classmethod
    def read(cls, path: str | Path) -> Domain:
        """A domain that `write` wrote.

        Raises:
            InputError: The file is missing or holds no domain.
        """
        remedy = "run the study again: snakemake makes the files that are missing."
        if not Path(path).is_file():
            raise InputError(
                "The file with the domain of the training data is missing: the study was run before nestmat "
                "wrote it, or not to its end.",
                file=path,
                remedy=remedy,
            )
        facts = tables.provenance(path).get("domain")
        if facts is None:
            raise InputError(
                "The file holds no domain of training data.", file=path, remedy=f"delete it, and {remedy}"
            )
        composition = facts["composition"]
        return cls(
            facts["scale"],
            facts["materials"],
            CompositionCoverage.of_facts(composition) if composition else None,
            facts["levels"],
            {name: (low, high) for name, (low, high) in facts["ranges"].items()},
            facts["blocks"],
            TrainingDistance.of_facts(tables.read(path), facts["distance"]),
        )

    @property
    def by_site(self) -> bool:
        """Whether the training materials are ABX3, and species are named with their site."""
        return self.composition is not None and self.composition.by_site

    def of_features(self, frame: pd.DataFrame, apart: NDArray[np.float64] | None = None) -> Verdicts:
        """Verdicts on the rows of a table of features of the scale, with ``material``; see `verdicts`."""
        constituents = None
        if self.composition is not None:
            constituents = Constituents.of_keys(frame["material"].tolist(), self.by_site)
        columns = {str(name): frame[name].to_numpy() for name in frame}
        return self.verdicts(Materials(len(frame), columns, constituents), apart)

    def has_unseen(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether rows of a table of features, with ``material``, have a species that no training row has."""
        if self.composition is None:
            return np.zeros(len(frame), dtype=bool)
        constituents = Constituents.of_keys(frame["material"].tolist(), self.by_site)
        return np.asarray(self.composition.unseen(constituents).any(axis=1))

    def verdicts(self, materials: Materials, apart: NDArray[np.float64] | None = None) -> Verdicts:
        """Verdicts on materials, the first and strongest cause as their reason.

        Args:
            materials: The materials.
            apart: Their distances to the training rows, (n,), where they are measured already.
        """
        findings = []
        if self.composition is not None and materials.constituents is not None:
            findings += self.composition.findings(materials.constituents)
        findings += self._levels(materials)
        findings += [
            _range_finding(name, np.asarray(materials.columns[name], dtype=np.float64), limits)
            for name, limits in self.ranges.items()
            if name in materials.columns
        ]
        outside = np.zeros(materials.count, dtype=bool)
        for finding in findings:
            outside |= finding.codes == OUTSIDE
        # A distance changes nothing about materials that are outside for a stronger reason.
        if apart is None:
            apart = self.distance.measure(materials.columns, ~outside)
        findings.append(self.distance.finding(np.where(outside, 0.0, apart)))
        return Verdicts.of(findings)

    def _levels(self, materials: Materials) -> list[Finding]:
        """New and rare levels of each category."""
        findings = []
        categories = dict.fromkeys(name.partition("=")[0] for name in self.levels)
        for category in categories:
            names = [name for name in materials.columns if name.startswith(f"{category}=")]
            if not names:
                continue
            holds = np.stack([np.asarray(materials.columns[name]) > 0 for name in names], axis=1)
            counts = np.array([self.levels.get(name, 0) for name in names])
            new, rare = (np.where(few, holds, False) for few in (counts == 0, (counts > 0) & (counts < FEW)))
            findings.append(_level_finding(names, new, OUTSIDE, counts))
            findings.append(_level_finding(names, rare, EDGE, counts))
        return findings


@dataclass(frozen=True)
class DomainInputs:
    """Feature columns that describe the domain of a scale.

    Attributes:
        numbers: Numbers of the data set, which have a range.
        levels: Columns that stand for the levels of categories.
        distance: Columns that distances are measured over.
        blocks: Columns of every block, by name.
    """

    numbers: list[str]
    levels: list[str]
    distance: list[str]
    blocks: Mapping[str, list[str]] = field(default_factory=dict)


def _level_finding(
    names: list[str], holds: NDArray[np.bool_], code: int, counts: NDArray[np.int64]
) -> Finding:
    def reason(row: int) -> str:
        place = int(holds[row].argmax())
        category, _, level = names[place].partition("=")
        if not counts[place]:
            return f"{category} {level} was not seen"
        return f"{category} {level} was seen in {count_materials(int(counts[place]))} only"

    return Finding.where(code, np.any(holds, axis=1), reason)


def _range_finding(name: str, values: NDArray[np.float64], limits: tuple[float, float]) -> Finding:
    low, high = limits
    rounding = 1e-6 * max(abs(low), abs(high))
    excess = np.maximum(low - values, values - high)
    codes = EDGE * (excess > SLACK * (high - low) + rounding)
    codes += (OUTSIDE - EDGE) * (excess > MARGIN * (high - low) + rounding)

    def reason(row: int) -> str:
        if low == high:
            return f"{name} {values[row]:.4g} is not {low:.4g}, the only value that was seen"
        if values[row] > high:
            return f"{name} {values[row]:.4g} is beyond {high:.4g}"
        return f"{name} {values[row]:.4g} is below {low:.4g}"

    return Finding(codes.astype(np.int8), reason)
