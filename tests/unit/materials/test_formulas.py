from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from nestmat.errors import InputError
from nestmat.materials import ions
from nestmat.materials.formulas import fill_template, from_species, parse, parse_many

SAME_MATERIAL = [
    "Cs0.05(FA0.83MA0.17)0.95Pb(I0.83Br0.17)3",
    "Cs0.05FA0.7885MA0.1615PbI2.49Br0.51",
    "Br_0.51I_2.49Pb_1Cs_0.05MA_0.1615FA_0.7885",
    "PbBr0.51 I2.49 Cs0.05 MA0.1615 FA0.7885",
    "Pb20Br10.2I49.8Cs1MA3.23FA15.77",
    "Cs₀.₀₅[HC(NH2)2]0.7885(CH3NH3)0.1615PbI_{2.49}Br<sub>0.51</sub>",
]


def _species(text: str) -> Mapping[str, float]:
    return dict(parse(text).species)


@pytest.mark.parametrize(
    ("text", "species"),
    [
        ("FAPbI3", {"FA": 1, "Pb": 1, "I": 3}),
        ("MAPbI3", {"MA": 1, "Pb": 1, "I": 3}),
        ("FeF3", {"Fe": 1, "F": 3}),
        ("FrF", {"Fr": 1, "F": 1}),
        ("CsMgF3", {"Cs": 1, "Mg": 1, "F": 3}),
        ("MnMoO4", {"Mn": 1, "Mo": 1, "O": 4}),
        ("GaAs", {"Ga": 1, "As": 1}),
        ("GAPbI3", {"GA": 1, "Pb": 1, "I": 3}),
        ("BaTiO3", {"Ba": 1, "Ti": 1, "O": 3}),
        ("CoO", {"Co": 1, "O": 1}),
        ("CO", {"C": 1, "O": 1}),
        ("FA0.85MA0.15PbI2.55Br0.45", {"FA": 0.85, "MA": 0.15, "Pb": 1, "I": 2.55, "Br": 0.45}),
        ("(FAPbI3)0.9(MAPbBr3)0.1", {"FA": 0.9, "MA": 0.1, "Pb": 1, "I": 2.7, "Br": 0.3}),
        ("MAGeCl_3", {"MA": 1, "Ge": 1, "Cl": 3}),
        ("CsSn_0.5Pb_0.5I_3", {"Cs": 1, "Sn": 0.5, "Pb": 0.5, "I": 3}),
        ("CsBaI_0.375_Cl_2.625", {"Cs": 1, "Ba": 1, "I": 0.375, "Cl": 2.625}),
        ("MAPbCl_1.125_I_1.875", {"MA": 1, "Pb": 1, "Cl": 1.125, "I": 1.875}),
        ("CH3NH3PbI3", {"MA": 1, "Pb": 1, "I": 3}),
        ("HC(NH2)2PbI3", {"FA": 1, "Pb": 1, "I": 3}),
        ("(CH3)2NH2PbI3", {"DMA": 1, "Pb": 1, "I": 3}),
        ("CH3CH2NH3PbI3", {"EA": 1, "Pb": 1, "I": 3}),
        ("NH4PbI3", {"NH4": 1, "Pb": 1, "I": 3}),
        ("(NH4)0.5Cs0.5PbI3", {"NH4": 0.5, "Cs": 0.5, "Pb": 1, "I": 3}),
        ("PbIIMA", {"Pb": 1, "I": 2, "MA": 1}),
        ("CsPbI₃", {"Cs": 1, "Pb": 1, "I": 3}),
        ("  Cs Pb I 3 ", {"Cs": 1, "Pb": 1, "I": 3}),
        ("Mg(Al{Si[O2]2}.5)2", {"Mg": 1, "Al": 2, "Si": 1, "O": 4}),
        # A sum formula names no ion: dimethylammonium and ethylammonium share C2H8N.
        ("CH6I3NPb", {"C": 1, "H": 6, "I": 3, "N": 1, "Pb": 1}),
        # The ammonium head of a longer chain is not ammonium.
        ("C4H8CH2NH4", {"C": 5, "H": 14, "N": 1}),
    ],
)
def test_species(text: str, species: Mapping[str, float]) -> None:
    assert _species(text) == species


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        (None, "empty"),
        (math.nan, "empty"),
        (3.0, "empty"),
        ("PbI3-x", "the unknown amount '-x'"),
        ("CsPbI3-DAP", "unexpected '-'"),
        ("Pb2+", r"a charge, '2\+'"),
        ("CsPbJj3", "'Jj'"),
        ("CsQPbI3", "'Q'"),
        ("DPbI3", "'D'"),
        ("cspbi3", "neither an element nor a known ion"),
        ("nan", "neither an element nor a known ion"),
        ("Cs_PbI3", "unexpected '_'"),
        ("CsPb(I3", "lacks a closing"),
        ("CsPbI3)", r"unexpected '\)'"),
        ("Cs(PbI3]", "unexpected ']'"),
        ("()", "empty brackets"),
        ("Cs0", "sum to 0"),
        ("CsPbI1.2.3", "not a number"),
        ("CsPbI.", "not a number"),
        ("3CsPbI3", "without a species"),
        ("Cs 2 3", "without a species"),
        ("Cs0.000000001PbI3", "less than 1e-6 of Cs"),
        ("Cs0.001", "sum to"),
        ("Cs" + "9" * 20, "sum to"),
        ("Cs" * 400, "longer"),
    ],
)
def test_bad_formulas_say_why(text: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        parse(text)  # type: ignore[arg-type]
    assert caught.value.remedy
    if isinstance(text, str) and len(text) < 300:
        assert caught.value.value == text


@settings(deadline=None)
@given(st.text(alphabet="ACFGHIMNOPQabcs()[]{}0123456789._- ₃²", max_size=40))
def test_any_text_parses_or_raises_input_error(text: str) -> None:
    try:
        formula = parse(text)
    except InputError:
        return
    assert all(amount > 0 for amount in formula.species.values())


def test_deep_nesting_is_no_recursion_error() -> None:
    assert _species("(" * 149 + "Cs" + ")" * 149) == {"Cs": 1}


@pytest.mark.parametrize("text", SAME_MATERIAL)
def test_key_does_not_depend_on_the_spelling(text: str) -> None:
    assert parse(text).key == "Br=0.102 Cs=0.01 FA=0.1577 I=0.498 MA=0.0323 Pb=0.2"


def test_key_is_finer_than_reduced_formula() -> None:
    assert parse("Cs0.1PbI3").key == parse("CsPb10I30").key
    assert Composition("Cs0.1PbI3").reduced_formula != Composition("CsPb10I30").reduced_formula


def test_composition_expands_organic_ions() -> None:
    assert parse("FA0.5MA0.5PbI3").composition.as_dict() == {"C": 1, "H": 5.5, "N": 1.5, "Pb": 1, "I": 3}


@pytest.mark.parametrize("symbol", sorted(ions.molecular()))
def test_every_spelling_of_an_ion_has_its_atoms(symbol: str) -> None:
    ion = ions.molecular()[symbol]
    for spelling in (symbol, *ion.aliases):
        assert _species(f"{spelling}PbI3") == {symbol: 1, "Pb": 1, "I": 3}
        assert _species(f"({spelling})0.5Cs0.5PbI3") == {symbol: 0.5, "Cs": 0.5, "Pb": 1, "I": 3}
        if spelling[-1] not in "sp" and any(c.isdigit() for c in spelling):
            assert Composition(spelling.replace("=", "")).as_dict() == dict(ion.composition)


def test_ions_have_sources_and_charges() -> None:
    for ion in ions.table().values():
        assert abs(ion.charge) in (1, 2, 3)
        assert (ion.charge < 0) == (ion.site == "X")
        assert (ion.radius is None) == (ion.radius_source == "")
        if ion.molecular:
            assert (ion.dipole is None) == (ion.dipole_source == "")


RADII = {"Cs": 1.88, "K": 1.64, "Rb": 1.72, "MA": 2.17, "FA": 2.53, "GA": 2.78, "DMA": 2.72}
RADII |= {"Pb": 1.19, "Sn": 1.15, "Ge": 0.73, "Ca": 1.00, "Sr": 1.18, "Ba": 1.35}
RADII |= {"F": 1.33, "Cl": 1.81, "Br": 1.96, "I": 2.20, "HCOO": 1.36}


@pytest.mark.parametrize(("symbol", "radius"), RADII.items())
def test_radii(symbol: str, radius: float) -> None:
    assert ions.ion(symbol).radius == radius


def test_mass_of_a_molecular_ion() -> None:
    assert ions.ion("MA").mass == pytest.approx(12.011 + 6 * 1.008 + 14.007, abs=2e-3)


def test_sites() -> None:
    sites = parse("Cs0.05(FA0.83MA0.17)0.95Pb0.5Sn0.5(I0.83Br0.17)3").sites()
    assert sites == {
        "A": {"Cs": 0.05, "FA": 0.7885, "MA": 0.1615},
        "B": {"Pb": 0.5, "Sn": 0.5},
        "X": {"Br": 0.17, "I": 0.83},
    }


def test_sites_of_a_double_perovskite() -> None:
    assert parse("Cs2AgBiBr6").sites()["B"] == {"Ag": 0.5, "Bi": 0.5}


def test_rounded_amounts_within_the_tolerance() -> None:
    assert parse("MA0.66FA0.33PbI3").sites()["A"] == pytest.approx({"FA": 1 / 3, "MA": 2 / 3})
    with pytest.raises(InputError, match=r"A = 0\.99"):
        parse("MA0.66FA0.33PbI3").sites(tolerance=0.001)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("PbI2", r"A = 0 \(none\)"),
        ("CsI", r"B = 0 \(none\)"),
        ("CsPb", r"X = 0 \(none\)"),
        ("CsPbI2.8", "X = 2.8"),
        ("Cs2PbI4", "A = 2"),
        ("SrTiO3", "holds O, which has no known site"),
        ("CH6I3NPb", "holds C, which has no known site"),
    ],
)
def test_what_is_no_abx3_says_why(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse(text).sites()


def test_sum_formula_is_told_to_name_the_cation() -> None:
    with pytest.raises(InputError, match=r"MA \(methylammonium\)"):
        parse("CH6I3NPb").sites()


SITE_IONS = {
    site: sorted(symbol for symbol, ion in ions.table().items() if ion.site == site) for site in "ABX"
}


@st.composite
def perovskites(draw: st.DrawFn) -> dict[str, int]:
    """Integer amounts of an ABX3 formula in units of a 64th."""
    amounts: dict[str, int] = {}
    for site, total in (("A", 64), ("B", 64), ("X", 192)):
        chosen = draw(st.lists(st.sampled_from(SITE_IONS[site]), min_size=1, max_size=4, unique=True))
        cuts = draw(
            st.lists(
                st.integers(1, total - 1), min_size=len(chosen) - 1, max_size=len(chosen) - 1, unique=True
            )
        )
        edges = [0, *sorted(cuts), total]
        amounts |= {s: high - low for s, low, high in zip(chosen, edges, edges[1:], strict=False)}
    return amounts


def _write(amounts: Mapping[str, Fraction], underscores: bool = False) -> str:
    mark = "_" if underscores else ""
    return "".join(f"({symbol}){mark}{float(amount):.12g}" for symbol, amount in amounts.items())


@settings(deadline=None)
@given(perovskites(), st.sampled_from([1, 2, 5, 10, 64]), st.randoms(use_true_random=False), st.booleans())
def test_scale_order_and_spelling_leave_key_and_sites(
    amounts: dict[str, int], scale: int, random: object, underscores: bool
) -> None:
    exact = {symbol: Fraction(amount, 64) for symbol, amount in amounts.items()}
    first = parse(_write(exact))
    order = list(exact)
    random.shuffle(order)  # type: ignore[attr-defined]
    second = parse(_write({symbol: exact[symbol] * scale for symbol in order}, underscores))
    assert first.key == second.key
    assert first.sites() == second.sites()
    assert from_species(first.species).key == first.key
    for site, fractions in first.sites().items():
        assert math.fsum(fractions.values()) == 1.0
        assert abs(sum(fractions.values()) - 1) < 1e-12
        assert all(fraction > 0 for fraction in fractions.values())
        assert set(fractions) == set(amounts) & set(SITE_IONS[site])
    total = {
        s: sum(ions.table()[i].composition.get(s, 0) * a for i, a in first.species.items()) for s in "CHN"
    }
    for element, amount in total.items():
        assert first.composition[element] == pytest.approx(amount, abs=1e-9)


@settings(deadline=None)
@given(perovskites())
def test_text_made_from_species_reads_back(amounts: dict[str, int]) -> None:
    formula = from_species({symbol: amount / 64 for symbol, amount in amounts.items()})
    assert parse(formula.text).key == formula.key


@pytest.mark.parametrize("species", [{}, {"Cs": -1.0}, {"Cs": math.nan}, {"Zz": 1.0}, {"Cs": 0.0}])
def test_from_species_refuses(species: dict[str, float]) -> None:
    with pytest.raises(InputError):
        from_species(species)


def test_parse_many_keeps_positions_and_reasons() -> None:
    parsed = parse_many(["CsPbI3", "PbI3-x", "FAPbI3", "PbI3-x", None, math.nan])
    assert [formula.text if formula else None for formula in parsed.formulas] == [
        "CsPbI3",
        None,
        "FAPbI3",
        None,
        None,
        None,
    ]
    assert sorted(parsed.errors) == [1, 3, 4, 5]
    assert parsed.errors[1].value == "PbI3-x"


def test_fill_template() -> None:
    row = {"Cation": "FA", "Halide1": "Br", "Halide2": " Cl ", "Halide3": "Cl", "x": 2.5, "Empty": None}
    assert fill_template("{Cation}Pb{Halide1}{Halide2}{Halide3}", row) == "FAPbBrClCl"
    assert parse(fill_template("{Cation}Pb{Halide1}{Halide2}{Halide3}", row)).key == parse("FAPbBrCl2").key
    assert fill_template("CsPbI{x}", row) == "CsPbI2.5"
    for template, reason in [
        ("{Metal}I3", "'Metal', which the table lacks"),
        ("{Empty}PbI3", "is empty"),
        ("{CationPbI3", "do not match"),
        ("{Cation}PbI{x*2}", "lacks"),
    ]:
        with pytest.raises(InputError, match=reason):
            fill_template(template, row)


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("file", "column", "sites"),
    [
        ("nestedae/perov_bandgaps_PBE.csv", "Formula", True),
        ("nestedae/PSC_bandgaps_dataset.csv", "Formula", True),
        ("nestedae/PSC_efficiencies_dataset.csv", "Perovskite_composition_long_form", False),
        ("mannodi/PBE_data.csv", "Formula", True),
    ],
)
def test_every_published_formula_parses(mirror: Path, file: str, column: str, sites: bool) -> None:
    with (mirror / file).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        found = parse(row[column]).sites()
        if not sites:
            continue
        fractions = found["A"] | found["B"] | found["X"]
        named = {
            name: float(row[name])
            for name in ("K", "Rb", "Cs", "MA", "FA", "Ca", "Sr", "Ba", "Ge", "Sn", "Pb")
        }
        named |= {name: float(row[name]) for name in ("Cl", "Br", "I")}
        # Some tables give halides as fractions of the site, some as amounts.
        halides = sum(named[name] for name in ("Cl", "Br", "I"))
        for name, value in named.items():
            expected = value / halides if name in ("Cl", "Br", "I") else value
            assert fractions.get(name, 0.0) == pytest.approx(expected, abs=2e-3), row[column]


def test_numpy_strings_parse() -> None:
    assert parse(np.array(["CsPbI3"])[0]).key == parse("CsPbI3").key


@pytest.mark.parametrize(
    ("text", "same"),
    [("Al0CoCrFeNi", "CoCrFeNi"), ("AlCoMo_{0}Ni", "AlCoNi"), ("Cs(PbI3)(SnBr)0.0", "CsPbI3")],
)
def test_an_amount_of_zero_leaves_its_species_out(text: str, same: str) -> None:
    assert parse(text).key == parse(same).key
    assert parse(text).composition == parse(same).composition
    assert parse(text).species == parse(same).species


@pytest.mark.parametrize(
    ("species", "text"),
    [
        ({"N": 1, "H": 4, "Cl": 1}, "(N)(H)4Cl"),
        ({"P": 1, "EA": 1}, "(P)(EA)"),
        ({"H": 1, "HCOO": 1}, "(H)(HCOO)"),
        ({"Ba": 2, "O": 1, "Y": 1}, "Ba2O(Y)"),
        ({"Cl": 2.6, "H": 1, "F": 1}, "(Cl)2.6(H)(F)"),
        ({"O": 2.5, "Na": 1, "Cl": 1}, "(O)2.5(Na)(Cl)"),
        ({"NH4": 0.5, "Cs": 0.5, "I": 1}, "(NH4)0.5Cs0.5I"),
    ],
)
def test_species_that_would_run_together_are_separated(species: dict[str, float], text: str) -> None:
    written = from_species(species)
    assert written.text == text
    assert parse(text).species == species
