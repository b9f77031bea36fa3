"""What the compositions of training materials cover: species, mixtures and pairs of species."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestmat.domains.constituents import Constituents, site_of, with_site
from nestmat.domains.verdicts import EDGE, OUTSIDE, Finding

FEW = 3
"""What fewer materials show is rare: of one or two, leaving one out leaves at most one."""
TAIL = 0.05
"""Share of the training materials that a warning may meet when each is left out."""
_NUMBERS = {1: "one site", 2: "two sites", 3: "three sites"}


@dataclass(frozen=True)
class CompositionCoverage:
    """Species, mixtures and pairs of species of training materials, counted in materials.

    A mixture is, of ABX3, the number of species on each site, and elsewhere the number of elements. Pairs are
    those on one site, or in one material without sites.

    Attributes:
        by_site: Whether the materials are ABX3.
        species: Materials that have a species, by its name with the site.
        mixtures: Number of species on each site and materials that have so many: ``{"A": 1, .., "materials":
            12}``. The site of materials without sites is "".
        pairs: Pairs of species that occur, as numbers of `species`; None where the data are too sparse for a
            new pair to tell something, that is where more than `TAIL` of the materials have a pair that no
            other has.
    """

    by_site: bool
    species: Mapping[str, int]
    mixtures: Sequence[Mapping[str, int]]
    pairs: Sequence[Sequence[int]] | None

    @classmethod
    def of(cls, constituents: Constituents, by_site: bool) -> CompositionCoverage:
        """Of the materials of a training set, each once.

        Args:
            constituents: Their species, (n,).
            by_site: Whether they are ABX3.
        """
        counts = constituents.present.sum(axis=0)
        species = {name: int(n) for name, n in zip(constituents.species, counts, strict=True)}
        sites = ["A", "B", "X"] if by_site else [""]
        mixtures, materials = np.unique(constituents.counts(sites), axis=0, return_counts=True)
        kinds = [
            {**dict(zip(sites, row, strict=True)), "materials": n}
            for row, n in zip(mixtures.tolist(), materials.tolist(), strict=True)
        ]
        return cls(by_site, species, kinds, _informative_pairs(constituents))

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> CompositionCoverage:
        """From `facts`."""
        return cls(**facts)

    def facts(self) -> dict[str, Any]:
        """All attributes as plain values."""
        return asdict(self)

    @cached_property
    def sites(self) -> list[str]:
        """Sites of the materials; the site "" where they have none."""
        return [name for name in self.mixtures[0] if name != "materials"]

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """Number of species on each site of the mixtures, (mixtures, sites)."""
        return np.array([[mixture[site] for site in self.sites] for mixture in self.mixtures])

    @cached_property
    def _unseen_pairs(self) -> NDArray[np.bool_]:
        """Whether two species could be a pair and do not occur together, (species, species)."""
        sites = np.array([site_of(name) for name in self.species])
        unseen = (sites[:, None] == sites) & ~np.eye(len(sites), dtype=bool)
        for first, second in self.pairs or ():
            unseen[first, second] = unseen[second, first] = False
        return unseen

    def findings(self, constituents: Constituents) -> list[Finding]:
        """How materials stand, the strongest first.

        Args:
            constituents: Their species, (n,).
        """
        counts = constituents.counts(self.sites)
        mixtures = self._mixed_sites(counts) if self.by_site else self._numbers_of_elements(counts)
        return [
            self._new_species(constituents),
            *mixtures,
            self._new_pairs(constituents),
            self._rare_species(constituents),
        ]

    def unseen(self, constituents: Constituents) -> NDArray[np.bool_]:
        """Which species of materials no training material has, (n, species)."""
        new = np.array([name not in self.species for name in constituents.species], dtype=bool)
        return constituents.present & new

    def _new_species(self, constituents: Constituents) -> Finding:
        new = self.unseen(constituents)

        def reason(row: int) -> str:
            name, _, site = with_site(constituents.species[int(new[row].argmax())]).partition(" on ")
            return f"{name} was not seen" + (f" on {site}" if site else "")

        return Finding.where(OUTSIDE, np.any(new, axis=1), reason)

    def _mixed_sites(self, counts: NDArray[np.int64]) -> list[Finding]:
        """Which sites are mixed at once, and the number of species on a site; counts (n, sites)."""
        mixed, trained = counts > 1, self._counts > 1
        weight = 2 ** np.arange(len(self.sites))
        codes, places = np.unique(mixed @ weight, return_inverse=True)
        sets = (codes[:, None] // weight) % 2 == 1
        equal = (sets[:, None] == trained).all(axis=2)
        covered = (trained | ~sets[:, None]).all(axis=2).any(axis=1)
        materials = equal @ np.array([mixture["materials"] for mixture in self.mixtures])
        most_at_once = int(trained.sum(axis=1).max())

        def unseen_reason(row: int) -> str:
            names = [site for site, is_mixed in zip(self.sites, mixed[row], strict=True) if is_mixed]
            if not names:
                return "no compound without a mixture on a site was seen"
            if len(names) > max(most_at_once, 1):
                return f"no compound with mixtures on {_NUMBERS[len(names)]} was seen ({_listed(names)})"
            if len(names) == 1:
                alone = "a mixture" if not trained.any() else f"a mixture on site {names[0]}"
                return f"no compound with {alone}{' alone' * bool(trained[:, mixed[row]].any())} was seen"
            return f"no compound with mixtures on {_listed(names)} at once was seen"

        most = self._counts.max(axis=0)
        more = counts > most

        def more_reason(row: int) -> str:
            place = int(more[row].argmax())
            site, count = self.sites[place], counts[row, place]
            return f"no compound with {count} species on site {site} was seen, {most[place]} at most"

        def rare_reason(row: int) -> str:
            names = [site for site, is_mixed in zip(self.sites, mixed[row], strict=True) if is_mixed]
            kind = f"mixtures on {_listed(names)}" if names else "no mixture"
            return _only(int(materials[places[row]]), f"with {kind}")

        absent = materials[places] == 0
        return [
            Finding.where(OUTSIDE, absent & ~covered[places], unseen_reason),
            Finding.where(OUTSIDE, more.any(axis=1), more_reason),
            Finding.where(EDGE, absent & covered[places], unseen_reason),
            Finding.where(EDGE, ~absent & (materials[places] < FEW), rare_reason),
        ]

    def _numbers_of_elements(self, counts: NDArray[np.int64]) -> list[Finding]:
        """The number of elements; counts (n, 1)."""
        by_number = {mixture[""]: mixture["materials"] for mixture in self.mixtures}
        fewest, most, number = min(by_number), max(by_number), counts[:, 0]
        table = np.zeros(max(most, int(number.max(initial=0))) + 1, dtype=np.int64)
        table[list(by_number)] = list(by_number.values())
        materials = table[number]
        outside = (number < fewest) | (number > most)

        def unseen_reason(row: int) -> str:
            limit = f", {most} at most" if number[row] > most else f", {fewest} at least"
            return f"no material of {_elements(number[row])} was seen{limit * bool(outside[row])}"

        def rare_reason(row: int) -> str:
            return _only(int(materials[row]), f"of {_elements(number[row])}")

        return [
            Finding.where(OUTSIDE, outside, unseen_reason),
            Finding.where(EDGE, ~outside & (materials == 0), unseen_reason),
            Finding.where(EDGE, (materials > 0) & (materials < FEW), rare_reason),
        ]

    def _new_pairs(self, constituents: Constituents) -> Finding:
        names = list(self.species)
        present = constituents.aligned(names)
        if self.pairs is None:
            return Finding.where(EDGE, np.zeros(len(present), dtype=bool), lambda row: "")
        together = present.astype(np.float64)
        rows = ((together @ self._unseen_pairs) * together).sum(axis=1) > 0

        def reason(row: int) -> str:
            pairs = itertools.combinations(np.flatnonzero(present[row]), 2)
            first, second = next(pair for pair in pairs if self._unseen_pairs[pair])
            other = with_site(names[second])
            return f"{names[first].rpartition(':')[2]} and {other} were not seen together"

        return Finding.where(EDGE, rows, reason)

    def _rare_species(self, constituents: Constituents) -> Finding:
        names = list(self.species)
        few = np.array(list(self.species.values())) < FEW
        rare = np.where(few, constituents.aligned(names), False)

        def reason(row: int) -> str:
            name = names[int(rare[row].argmax())]
            return f"{with_site(name)} was seen in {count_materials(self.species[name])} only"

        return Finding.where(EDGE, np.any(rare, axis=1), reason)


def _informative_pairs(constituents: Constituents) -> list[list[int]] | None:
    """Pairs of species that occur, as numbers; None where too many materials have one of their own."""
    present = constituents.present.astype(np.float64)
    same_site = constituents.sites[:, None] == constituents.sites
    materials = np.triu(np.where(same_site, present.T @ present, 0), k=1)
    own = (materials == 1).astype(np.float64)
    with_own = ((present @ own) * present).sum(axis=1) > 0
    if with_own.mean() > TAIL:
        return None
    return [[int(first), int(second)] for first, second in np.argwhere(materials > 0)]


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def count_materials(materials: int) -> str:
    """A number of materials in words.

    Example:
        >>> count_materials(1), count_materials(2)
        ('1 material', '2 materials')
    """
    return f"{materials} material" if materials == 1 else f"{materials} materials"


def _only(materials: int, kind: str) -> str:
    return f"only {count_materials(materials)} {kind} {'was' if materials == 1 else 'were'} seen"


def _elements(number: int) -> str:
    return f"{number} element" if number == 1 else f"{number} elements"
