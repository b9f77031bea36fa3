"""Descriptors of solid solutions: the same numbers, from atomic fractions, in tables and in searches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import torch
from torch import Tensor

from nestmat.errors import InputError

GAS_CONSTANT = 8.314462618
"""In J/(mol K)."""
_SOFTNESS = 10.0
"""Width in kJ/mol of the soft extremes of pair enthalpies: RT at 1200 K."""
_SMALL_ENTHALPY = 0.1
"""Enthalpy in kJ/mol below which the share of the entropy is smoothed."""

PROPERTIES: Mapping[str, tuple[str, str]] = {
    "bulk_modulus": ("GPa", "Miedema"),
    "shear_modulus": ("GPa", "Miedema"),
    "molar_volume": ("cm³/mol", "pymatgen"),
    "melting_temperature": ("K", "pymatgen"),
    "radius": ("Å", "pymatgen"),
    "metallic_volume": ("cm³/mol", "Miedema"),
    "electronegativity": ("", "pymatgen"),
    "work_function": ("V", "Miedema"),
    "electron_density": ("", "Miedema"),
    "valence_electrons": ("", "Magpie"),
    "vec": ("", "Miedema"),
    "cohesive_energy": ("eV/atom", "Kittel"),
    "space_group": ("", "Magpie"),
}
"""Properties of elements that the descriptors are made of, with their units and sources.

pymatgen: of `pymatgen.core.Element`; the radius is Slater's (J. Chem. Phys. 41, 3199 (1964)), in steps of
0.05 angstrom, and the electronegativity Pauling's. Miedema: parameters of that model as matminer has them
(R. F. Zhang et al., Comput. Phys. Commun. (2016)), with a metallic volume of silicon; its number of valence
electrons counts s, d and, beyond the d metals, p electrons. Magpie: its table in matminer (npj Comput. Mater.
2, 16028 (2016)), whose valence electrons include filled d and f shells. Kittel: his textbook, as in matminer.
"""

DESCRIPTORS: Mapping[str, tuple[str, str]] = {
    "bulk_modulus": ("GPa", "mean bulk modulus"),
    "molar_volume": ("cm³/mol", "mean molar volume"),
    "melting_temperature": ("K", "mean melting temperature"),
    "valence_electrons": ("", "mean number of valence electrons, filled d and f shells among them"),
    "radius_mismatch": ("%", "relative mismatch of Slater's atomic radii, delta"),
    "electronegativity_mismatch": ("", "standard deviation of Pauling's electronegativity"),
    "mixing_entropy": ("J/(mol K)", "ideal entropy of mixing"),
    "mixing_enthalpy": ("kJ/mol", "enthalpy of mixing of the liquid, with its sign"),
    "vec": ("", "mean valence electron concentration, VEC, of s, d and p electrons"),
    "vec_spread": ("", "standard deviation of the VEC"),
    "volume_mismatch": ("%", "relative mismatch of radii by metallic volume"),
    "entropy_share": (
        "",
        "T dS / (T dS + |dH|) at the mean melting temperature, of Yang's omega / (1 + omega)",
    ),
    "mixing_free_energy": ("kJ/mol", "dH - T dS at the mean melting temperature"),
    "enthalpy_spread": ("kJ/mol", "root-mean-square deviation of the pair enthalpies, by number of pairs"),
    "attraction": ("kJ/mol", "soft minimum of the pair enthalpies"),
    "repulsion": ("kJ/mol", "soft maximum of the pair enthalpies"),
    "effective_elements": ("", "exponential of the ideal entropy of mixing over R"),
    "shear_modulus": ("GPa", "mean shear modulus"),
    "shear_mismatch": ("%", "relative mismatch of the shear moduli"),
    "radius_local_mismatch": ("Å", "mean difference of radii over pairs"),
    "electronegativity_local_mismatch": ("", "mean difference of Pauling's electronegativity over pairs"),
    "shear_local_mismatch": ("GPa", "mean difference of shear moduli over pairs"),
    "work_function_mismatch": ("V", "standard deviation of Miedema's electronegativity"),
    "electron_density_mismatch": ("", "standard deviation of the cube root of Miedema's electron density"),
    "cohesive_energy": ("eV/atom", "mean cohesive energy of the elements"),
    "melting_spread": ("K", "standard deviation of the melting temperature"),
    "structure_mixing": ("", "probability that two atoms are of elements with other crystal structures"),
}
"""What `descriptors` gives, with units and descriptions."""


@dataclass(frozen=True)
class Elements:
    """Properties of some elements and of their pairs.

    Attributes:
        symbols: The elements.
        properties: Of `PROPERTIES` by name, each (elements,), float64.
        enthalpy: Enthalpy of mixing of the liquid at half and half by pair in kJ/mol, (elements, elements).
        unknown: Pairs whose enthalpy is not known, and 0 here: no alloy may hold both.
    """

    symbols: tuple[str, ...]
    properties: Mapping[str, Tensor]
    enthalpy: Tensor
    unknown: tuple[tuple[str, str], ...]


@cache
def _sources() -> Mapping[str, Callable[[str], float]]:
    """Property of a symbol by name; NaN where the source has none."""
    # matminer takes seconds to import, which studies without alloys should not pay.
    from matminer.featurizers.composition import Miedema
    from matminer.utils.data import CohesiveEnergyData, MagpieData
    from pymatgen.core import Element

    parameters = Miedema(impute_nan=False).df_dataset
    magpie, cohesive = MagpieData(impute_nan=False), CohesiveEnergyData(impute_nan=False)

    def elemental(name: str) -> Callable[[str], float]:
        return lambda symbol: float(getattr(Element(symbol), name) or "nan")

    def miedema(name: str) -> Callable[[str], float]:
        # Zero stands for no value there, except for hydrogen and nitrogen, which are no metals.
        return lambda symbol: float(parameters[name].get(symbol) or "nan")

    def table(name: str) -> Callable[[str], float]:
        return lambda symbol: float(magpie.get_elemental_property(Element(symbol), name))

    return {
        "bulk_modulus": miedema("compressibility"),
        "shear_modulus": miedema("shear_modulus"),
        "molar_volume": elemental("molar_volume"),
        "melting_temperature": elemental("melting_point"),
        "radius": elemental("atomic_radius"),
        "metallic_volume": miedema("molar_volume"),
        "electronegativity": elemental("X"),
        "work_function": miedema("electronegativity"),
        "electron_density": miedema("electron_density"),
        "valence_electrons": table("NValence"),
        "vec": miedema("valence_electrons"),
        "cohesive_energy": lambda symbol: float(cohesive.cohesive_energy_data.get(symbol, "nan")),
        "space_group": table("SpaceGroupNumber"),
    }


@cache
def _properties(symbol: str) -> dict[str, float]:
    with warnings.catch_warnings():
        # pymatgen warns of every property that an element lacks; here it becomes NaN.
        warnings.simplefilter("ignore")
        return {name: of(symbol) for name, of in _sources().items()}


@cache
def _pairs() -> Mapping[tuple[str, str], float]:
    from matminer.utils.data import MixingEnthalpy

    return MixingEnthalpy(impute_nan=False).mixing_data


def missing_properties(symbol: str) -> list[str]:
    """Names of the properties of an element that are not known."""
    return [name for name, value in _properties(symbol).items() if math.isnan(value)]


@cache
def elements(symbols: tuple[str, ...]) -> Elements:
    """Properties of elements, of pymatgen and matminer.

    Enthalpies of mixing are those of A. Takeuchi, A. Inoue, Mater. Trans. 46, 2817 (2005), after Miedema.

    Args:
        symbols: The elements, each once.

    Raises:
        InputError: A property of an element is not known.
    """
    for symbol in symbols:
        if names := missing_properties(symbol):
            raise InputError(
                f"Of the element {symbol} no {names[0].replace('_', ' ')} is known.",
                key="alloy",
                value=symbol,
                remedy="leave it out.",
            )
    enthalpy = torch.zeros(len(symbols), len(symbols), dtype=torch.float64)
    unknown = []
    for (i, first), (j, second) in combinations(enumerate(symbols), 2):
        value = _pairs().get((min(first, second), max(first, second)), math.nan)
        if math.isnan(value):
            unknown.append((first, second))
        else:
            enthalpy[i, j] = enthalpy[j, i] = value
    values = [_properties(symbol) for symbol in symbols]
    properties = {
        name: torch.tensor([element_properties[name] for element_properties in values], dtype=torch.float64)
        for name in PROPERTIES
    }
    return Elements(symbols, properties, enthalpy, tuple(unknown))


def _root(square: Tensor) -> Tensor:
    """Square root that is 0 with slope 0 where its argument is rounding."""
    small = square < 1e-20
    return torch.where(small, 0.0, torch.where(small, 1.0, square).sqrt())


def _spread(x: Tensor, value: Tensor) -> Tensor:
    """Standard deviation of a property (elements,) over the atoms of alloys (n, elements), (n,)."""
    mean = x @ value
    return _root((x * (value - mean[:, None]) ** 2).sum(dim=1))


def _mismatch(x: Tensor, value: Tensor) -> Tensor:
    """Standard deviation of a property over its mean in percent, (n,)."""
    return 100 * _spread(x, value) / (x @ value)


def _over_pairs(x: Tensor, pair: Tensor) -> Tensor:
    """Sum over i and j of x_i x_j p_ij, (n,)."""
    return ((x @ pair) * x).sum(dim=1)


def _local(x: Tensor, value: Tensor) -> Tensor:
    """Sum over pairs i < j of x_i x_j |v_i - v_j|, (n,)."""
    return 0.5 * _over_pairs(x, (value[:, None] - value).abs())


def descriptors(fractions: Tensor, table: Elements) -> Tensor:
    """Descriptors of solid solutions, differentiable.

    Means are over atoms. delta is sqrt(sum_i x_i (1 - r_i / r)^2), and omega T dS / |dH| with
    dH = 4 sum_{i<j} x_i x_j H_ij (X. Yang, Y. Zhang, Mater. Chem. Phys. 132, 233 (2012)); a local mismatch is
    sum_{i<j} x_i x_j |v_i - v_j| (C. Wen et al., Acta Mater. 170, 109 (2019)). The smallest and largest
    value among the elements present would jump where an element comes in: the soft minimum of the pair
    enthalpies is -w ln sum_ij x_i x_j exp(-H_ij / w), 0 for two atoms of one element. omega is unbounded,
    and enters as omega / (1 + omega), 0 for a pure element, its |dH| smoothed below 0.1 kJ/mol.

    Args:
        fractions: Atomic fractions, (n, elements), of sum 1.
        table: Properties of these elements.

    Returns:
        (n, columns of `DESCRIPTORS`), in the precision of ``fractions``, computed in float64.
    """
    x = fractions.double()
    of = {name: value.to(x.device) for name, value in table.properties.items()}
    enthalpy = table.enthalpy.to(x.device)
    mixing = 2 * _over_pairs(x, enthalpy)
    entropy = -(x * torch.log(x.clamp_min(1e-12))).sum(dim=1)
    melting = x @ of["melting_temperature"]
    thermal = 1e-3 * GAS_CONSTANT * melting * entropy
    unlike = 1 - (x**2).sum(dim=1)
    # In the pairs, their mean taken off: 0 where there is no pair.
    deviation = _over_pairs(x, enthalpy**2) - (mixing / 2) ** 2 / unlike.clamp_min(1e-12)
    group = of["space_group"]
    columns = {
        "bulk_modulus": x @ of["bulk_modulus"],
        "molar_volume": x @ of["molar_volume"],
        "melting_temperature": melting,
        "valence_electrons": x @ of["valence_electrons"],
        "radius_mismatch": _mismatch(x, of["radius"]),
        "electronegativity_mismatch": _spread(x, of["electronegativity"]),
        "mixing_entropy": GAS_CONSTANT * entropy,
        "mixing_enthalpy": mixing,
        "vec": x @ of["vec"],
        "vec_spread": _spread(x, of["vec"]),
        "volume_mismatch": _mismatch(x, of["metallic_volume"] ** (1 / 3)),
        "entropy_share": thermal / (thermal + torch.sqrt(mixing**2 + _SMALL_ENTHALPY**2)),
        "mixing_free_energy": mixing - thermal,
        "enthalpy_spread": _root(deviation.clamp_min(0.0)),
        "attraction": -_SOFTNESS * torch.log(_over_pairs(x, torch.exp(-enthalpy / _SOFTNESS))),
        "repulsion": _SOFTNESS * torch.log(_over_pairs(x, torch.exp(enthalpy / _SOFTNESS))),
        "effective_elements": torch.exp(entropy),
        "shear_modulus": x @ of["shear_modulus"],
        "shear_mismatch": _mismatch(x, of["shear_modulus"]),
        "radius_local_mismatch": _local(x, of["radius"]),
        "electronegativity_local_mismatch": _local(x, of["electronegativity"]),
        "shear_local_mismatch": _local(x, of["shear_modulus"]),
        "work_function_mismatch": _spread(x, of["work_function"]),
        "electron_density_mismatch": _spread(x, of["electron_density"] ** (1 / 3)),
        "cohesive_energy": x @ of["cohesive_energy"],
        "melting_spread": _spread(x, of["melting_temperature"]),
        "structure_mixing": _over_pairs(x, (group[:, None] != group).to(x)),
    }
    return torch.stack([columns[name] for name in DESCRIPTORS], dim=1).to(fractions)
