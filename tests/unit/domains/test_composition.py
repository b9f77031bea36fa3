"""Species, mixtures and pairs: what a composition covers and what it does not."""

from __future__ import annotations

import pytest

from nestmat.domains.composition import CompositionCoverage
from nestmat.domains.constituents import Constituents, are_perovskites
from nestmat.domains.verdicts import Verdicts
from nestmat.materials.formulas import parse

PURE = [f"{a}{b}{x}3" for a in ("K", "Cs", "Rb") for b in ("Ge", "Sn", "Zn") for x in ("Cl", "Br", "I")]
MIXED = [f"{a}Ge0.5Sn0.5{x}3" for a in ("K", "Cs", "Rb") for x in ("Cl", "Br", "I")]
MIXED += [f"{a}{b}Cl1.5Br1.5" for a in ("K", "Cs", "Rb") for b in ("Ge", "Sn", "Zn")]
ALLOYS = ["AlCo", "AlNi", "CoNi", "AlFe", "CoFe", "FeNi", "AlCoNi", "AlFeNi", "CoFeNi", "AlCoFe"] * 3


def keys(formulas):
    return [parse(formula).key for formula in formulas]


def coverage(formulas):
    by_site = are_perovskites(formulas)
    return CompositionCoverage.of(Constituents.of_keys(keys(formulas), by_site), by_site)


def verdicts(covered, *formulas):
    constituents = Constituents.of_keys(keys(formulas), covered.by_site)
    found = Verdicts.of(covered.findings(constituents))
    return list(zip(found.words, found.reasons, strict=True))


@pytest.mark.parametrize(
    ("formula", "verdict", "reason"),
    [
        ("CsSnCl3", "inside", ""),
        ("CsGe0.25Sn0.75Br3", "inside", ""),
        ("CsMgCl3", "outside", "Mg was not seen on site B"),
        ("CsSn0.5Ge0.5Cl1.5Br1.5", "outside", "no compound with mixtures on two sites was seen (B and X)"),
        (
            "K0.5Cs0.5Sn0.5Ge0.5ClBr2",
            "outside",
            "no compound with mixtures on three sites was seen (A, B and X)",
        ),
        ("K0.5Cs0.5SnCl3", "outside", "no compound with a mixture on site A was seen"),
        ("CsSnClBrI", "outside", "no compound with 3 species on site X was seen, 2 at most"),
        ("CsGe0.5Zn0.5Br3", "edge", "Ge and Zn on site B were not seen together"),
    ],
)
def test_a_halide_is_outside_where_its_kind_of_mixture_is_new(formula, verdict, reason):
    assert verdicts(coverage(PURE + MIXED), formula) == [(verdict, reason)]


def test_mixtures_on_two_sites_do_not_cover_others_but_each_alone():
    both = coverage([*PURE, *(f"{a}Ge0.5Sn0.5Cl1.5Br1.5" for a in ("K", "Cs", "Rb"))])
    assert verdicts(both, "CsGe0.25Sn0.75ClBr2") == [("inside", "")]
    assert verdicts(both, "CsGe0.25Sn0.75Br3") == [
        ("edge", "no compound with a mixture on site B alone was seen")
    ]
    single = coverage([*PURE, *MIXED, *(f"K0.5Cs0.5{b}Cl1.5Br1.5" for b in ("Ge", "Sn", "Zn"))])
    assert verdicts(single, "CsGe0.5Sn0.5ClBr2") == [
        ("outside", "no compound with mixtures on B and X at once was seen")
    ]


@pytest.mark.parametrize(
    ("formula", "verdict", "reason"),
    [
        ("Al3Ni", "inside", ""),
        ("AlCoFeNi", "outside", "no material of 4 elements was seen, 3 at most"),
        ("Al", "outside", "no material of 1 element was seen, 2 at least"),
        ("AlTi", "outside", "Ti was not seen"),
    ],
)
def test_an_alloy_is_outside_where_its_number_of_elements_is_new(formula, verdict, reason):
    assert verdicts(coverage(ALLOYS), formula) == [(verdict, reason)]


def test_what_few_materials_have_is_the_edge():
    rare = coverage([*ALLOYS, "TiNi", "TiCo", "AlCoFeNi"])
    assert verdicts(rare, "Ti3Ni", "AlCo2FeNi") == [
        ("edge", "Ti was seen in 2 materials only"),
        ("edge", "only 1 material of 4 elements was seen"),
    ]
    assert rare.pairs is None  # two of 33 materials have a pair of their own: one more is no news


def test_facts_are_plain_values_and_make_the_same_coverage():
    covered = coverage(PURE + MIXED)
    assert CompositionCoverage.of_facts(covered.facts()) == covered
