"""The reference set: equations of state, formation energies, and which structures are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import spglib
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Element

from nestmat import tables
from nestmat.config.dft import DFT_TABLES
from nestmat.dft import reference_set, structures, summaries
from nestmat.dft.equation_of_state import equation_of_state
from nestmat.dft.summary import summary
from nestmat.materials.formulas import parse
from nestmat.paths import RESOURCES, ROOT
from nestmat.physics.calculations import with_reference_settings

GPA = 160.21766208
SHIPPED = RESOURCES / "reference"


def birch_murnaghan(v: np.ndarray, e0: float, v0: float, b0: float, b1: float) -> np.ndarray:
    """The energy as the textbook writes it; b0 in eV per cubic angstrom."""
    x = (v0 / v) ** (2 / 3)
    return e0 + 9 / 16 * v0 * b0 * ((x - 1) ** 3 * b1 + (x - 1) ** 2 * (6 - 4 * x))


def records(
    structure: dict[str, Any],
    gap: Callable[[float], float] = lambda scale: 1.0,
    energy: Callable[[float], float] | None = None,
    best: float = 1.0,
    **more: Any,
) -> list[dict[str, Any]]:
    """Records of a structure whose energy is a Birch-Murnaghan curve with its minimum at a scale."""
    cell = np.array(structure["cell"])
    volume = abs(np.linalg.det(cell))
    curve = energy or (
        lambda scale: birch_murnaghan(
            np.array(volume * scale**3), -3.0 * len(structure["symbols"]), volume * best**3, 0.15, 4.5
        ).item()
    )
    return [
        {
            **{
                key: structure[key]
                for key in ("structure", "formula", "prototype", "symbols", "kpoints", "settings")
            },
            "kind": "strain",
            "scale": scale,
            "cell": (cell * scale).tolist(),
            "status": "converged",
            "message": "",
            "seconds": 1.0,
            "energy": curve(scale),
            "gap": gap(scale),
            "direct_gap": gap(scale) + 0.1,
            "direct": False,
            "k_valence": [0.5, 0.5, 0.5],
            "k_conduction": [0.0, 0.0, 0.0],
            **more,
        }
        for scale in (0.94, 0.97, 0.99, 1.01, 1.04, 1.07)
    ]


@given(e0=st.floats(-50, 0), v0=st.floats(50, 400), b0=st.floats(0.05, 0.6), b1=st.floats(3, 6))
def test_equation_of_state_recovers_a_birch_murnaghan_curve(e0, v0, b0, b1):
    v = v0 * np.linspace(0.96, 1.05, 7) ** 3
    fit = equation_of_state(v, birch_murnaghan(v, e0, v0, b0, b1))
    assert fit.volume == pytest.approx(v0, rel=1e-6)
    assert fit.energy == pytest.approx(e0, abs=1e-6)
    assert fit.bulk_modulus == pytest.approx(b0, rel=1e-4)
    assert fit.inside
    assert fit.residual < 1e-6


def test_three_volumes_give_a_curve_of_second_order():
    v = 200 * np.array([0.97, 1.0, 1.03]) ** 3
    fit = equation_of_state(v, birch_murnaghan(v, -1.0, 201.0, 0.1, 4.0))
    assert fit.volume == pytest.approx(201.0, rel=1e-9)  # b1 = 4 is the second order, exactly
    assert np.isnan(fit.residual)  # a curve of three coefficients goes through three points
    four = 200 * np.array([0.97, 1.0, 1.03, 1.06]) ** 3
    assert equation_of_state(four, birch_murnaghan(four, -1.0, 201.0, 0.1, 6.0)).residual > 1e-4
    with pytest.raises(ValueError, match="2 volumes"):
        equation_of_state(v[:2], v[:2])
    with pytest.raises(ValueError, match="no minimum"):
        equation_of_state(v, [0.0, 1.0, 0.0])


def test_calculations_hold_strain_about_the_minimum_and_failures():
    wanted = structures.structure_record(
        "ordered_perovskite", "CsPb0.5Sn0.5I3", ("Cs", ("Pb", "Sn"), ("I", "I")), 6.3
    )
    failed = {**records(wanted)[0], "status": "failed", "message": "attempt 1: it diverged"}
    for key in ("energy", "gap", "direct_gap", "direct", "k_valence", "k_conduction"):
        del failed[key]
    frame = reference_set.calculations([*records(wanted, best=1.01), failed])
    good = frame[frame["status"] == "converged"]
    assert good["lattice"].to_numpy() == pytest.approx(6.3 * good["scale"].to_numpy())
    assert good["strain"].to_numpy() == pytest.approx(good["scale"].to_numpy() / 1.01 - 1, abs=1e-6)
    assert good["energy"].to_numpy() == pytest.approx([r["energy"] / 2 for r in records(wanted, best=1.01)])
    assert frame["k_valence"].iloc[0] == "0.5 0.5 0.5"
    assert frame["message"].iloc[-1] == "attempt 1: it diverged"
    assert np.isnan(frame["energy"].iloc[-1])


def test_probes_of_unrelaxed_positions_are_no_points_of_the_curve():
    wanted = structures.structure_record(
        "ordered_perovskite", "CsPb0.5Sn0.5I3", ("Cs", ("Pb", "Sn"), ("I", "I")), 6.3
    )
    relaxed = records(wanted, best=1.0)
    relaxed[0]["kind"] = "relaxation"
    probes = [{**r, "kind": "probe", "energy": r["energy"] + 5 * r["scale"]} for r in records(wanted)]
    frame = reference_set.calculations(probes + relaxed)
    assert reference_set.compounds(frame)["lattice"].tolist() == pytest.approx([6.3], rel=1e-6)


FAILED = {"status": "failed", "message": "attempt 1: it diverged", "energy": np.nan, "gap": np.nan}


def binary(prototype: str, formula: str, species: tuple[str, str], energy: float) -> list[dict[str, Any]]:
    """Records of a binary with its minimum, at an energy a formula unit, between its volumes."""
    wanted = structures.structure_record(prototype, formula, species, 6.0)
    cells = len(wanted["symbols"]) / structures.PROTOTYPES[prototype].atoms
    found = records(wanted, energy=lambda scale: cells * (energy + 40 * (scale**-2 - 1) ** 2))
    if prototype == "rutile":
        relaxation = {**found[0], "kind": "relaxation", "energy": cells * energy, "scale": 1.0}
        # The probes were made before the atoms could move.
        found = [*({**r, "kind": "probe", "energy": r["energy"] + 0.3} for r in found), relaxation]
    return found


BINARIES = {
    "rocksalt": ("rocksalt", "CsI", ("Cs", "I"), -6.0),
    "caesium_chloride": ("caesium_chloride", "CsI", ("Cs", "I"), -6.3),
    "fluorite": ("fluorite", "PbI2", ("Pb", "I"), -8.4),
    "rutile": ("rutile", "PbI2", ("Pb", "I"), -8.2),
}


def reference_records(**binaries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """CsPbI3 and the binaries it decomposes to, in two prototypes each; other records of some prototypes."""
    perovskite = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4)
    found = records(perovskite, gap=lambda scale: 1.5 + 5 * (scale - 1), best=1.0)
    for prototype, described in BINARIES.items():
        found += binaries.get(prototype, binary(*described))
    return found


def formation_energy(**binaries: list[dict[str, Any]]) -> float:
    frame = reference_set.calculations(reference_records(**binaries))
    return reference_set.compounds(frame)["formation_energy"].item()


def test_compounds_have_gap_and_formation_energy_at_the_minimum():
    frame = reference_set.calculations(reference_records())
    [row] = reference_set.compounds(frame).to_dict("records")
    assert row["formula"] == "CsPbI3"
    assert row["lattice"] == pytest.approx(6.4, rel=1e-6)
    assert row["gap"] == pytest.approx(1.5, abs=1e-6)
    assert row["bulk_modulus"] == pytest.approx(0.15 * GPA, rel=1e-3)
    # the lower of each pair of binaries: CsCl and fluorite
    assert row["formation_energy"] == pytest.approx(-15.0 + 6.3 + 8.4, abs=1e-6)
    assert row["products"] == "1 CsI + 1 PbI2"
    assert row["volumes"] == 6
    assert not row["direct"]
    points = reference_set.electronic(frame, reference_set.compounds(frame))
    assert list(points) == ["formula", "prototype", "strain", "gap", "lattice", "formation_energy"]
    assert points["gap"].to_numpy() == pytest.approx(1.5 + 5 * points["strain"].to_numpy(), abs=1e-5)
    assert len(reference_set.electronic(frame, reference_set.compounds(frame), strain=0.02)) == 2


def test_the_energy_of_a_binary_is_that_of_the_minimum_between_its_volumes():
    lowest = min(r["energy"] for r in binary(*BINARIES["caesium_chloride"]))
    assert lowest > -6.3 + 0.01
    assert formation_energy() == pytest.approx(-15.0 + 6.3 + 8.4, abs=1e-6)


@pytest.mark.parametrize("prototype", BINARIES)
def test_a_binary_needs_both_prototypes(prototype):
    failed = [{**r, **FAILED} for r in binary(*BINARIES[prototype])]
    assert np.isnan(formation_energy(**{prototype: failed}))
    # Of a rutile whose relaxation failed the probes say nothing; of the others two volumes do not.
    known = binary(*BINARIES[prototype])
    part = [*known[:-1], failed[-1]] if prototype == "rutile" else [*known[:2], *failed[2:]]
    assert np.isnan(formation_energy(**{prototype: part}))


def test_a_binary_whose_minimum_was_not_met_has_no_energy():
    volumes = [r for r in binary(*BINARIES["fluorite"]) if r["scale"] > 1]
    # 1 % outside of the volumes; so near as a strain is not calculated again, it counts.
    assert np.isnan(formation_energy(fluorite=volumes))
    wanted = structures.structure_record("fluorite", "PbI2", ("Pb", "I"), 6.0)
    near = records(wanted, energy=lambda scale: -8.4 + 40 * (scale**-2 - 1.004**-2) ** 2)
    assert formation_energy(fluorite=[r for r in near if r["scale"] > 1]) == pytest.approx(-0.3, abs=1e-6)


@pytest.mark.parametrize("change", [{"cutoff": 350}, {"functional": "PBEsol"}])
@pytest.mark.parametrize("prototype", ["perovskite", "fluorite"])
def test_energies_of_other_settings_do_not_compare(prototype, change):
    other = [
        {**r, "settings": {**r["settings"], **change}} if r["prototype"] == prototype else r
        for r in reference_records()
    ]
    [row] = reference_set.compounds(reference_set.calculations(other)).to_dict("records")
    assert np.isnan(row["formation_energy"])
    assert row["products"] == ""


def test_a_gap_is_direct_where_it_is_the_direct_gap():
    wanted = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4)

    def compound(gap, direct_gap):
        made = records(wanted, gap=gap, direct=True)
        frame = reference_set.calculations([{**r, "direct_gap": direct_gap(r["scale"])} for r in made])
        return reference_set.compounds(frame).iloc[0]

    assert compound(lambda _: 1.0, lambda _: 1.0)["direct"]
    # The volume next to the minimum is said to be direct, the gaps of the row are not.
    assert not compound(lambda scale: 1.0, lambda scale: 1.0 if scale < 1 else 1.2)["direct"]
    metal = compound(lambda _: 0.0, lambda _: 0.0)
    assert (metal["gap"], metal["direct"]) == (0.0, False)


@pytest.mark.parametrize(
    ("best", "kept", "reason"),
    [(1.1, 6, "the minimum is outside of its volumes"), (1.0, 2, "2 volumes do not determine")],
)
def test_a_structure_that_is_no_compound_is_logged_with_the_reason(caplog, best, kept, reason):
    wanted = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4)
    frame = reference_set.calculations(records(wanted, best=best)[:kept])
    assert reference_set.compounds(frame).empty
    assert f"CsPbI3 perovskite is no compound: {reason}" in caplog.text


def test_an_alloy_decomposes_to_the_mixture_of_lowest_energy():
    energies = {"CsI": -6.0, "CsBr": -6.8, "PbI2": -8.0, "PbBr2": -9.0, "KI": -100.0}
    products, energy = reference_set.decomposition("CsPbI1.5Br1.5", energies)
    # bromine gains 0.8 eV in CsBr, and 0.5 eV an atom in PbBr2
    assert products == pytest.approx({"CsBr": 1.0, "PbI2": 0.75, "PbBr2": 0.25})
    assert energy == pytest.approx(-6.8 - 6.0 - 2.25)
    assert reference_set.decomposition("CsPbF3", energies)[0] == {}


def test_convergence_compares_the_same_volumes():
    lattice = {f: 6.0 for f in reference_set.CONVERGENCE}
    base = []
    for formula, a in lattice.items():
        species = [s for s in parse(formula).sites()["A"]] + [s for s in parse(formula).sites()["B"]]
        x = next(iter(parse(formula).sites()["X"]))
        base += records(structures.structure_record("perovskite", formula, (*species, x), a), best=1.003)
    frame = reference_set.calculations(base)
    asked = list(reference_set.convergence(frame))
    assert len(asked) == 20
    by_name = {entry["structure"]: entry for entry in asked}
    assert by_name["RbMgF3 perovskite cutoff"]["settings"]["cutoff"] == 700
    assert by_name["CsPbI3 perovskite cutoff"]["settings"]["cutoff"] == 500
    assert by_name["CsPbI3 perovskite mesh"]["kpoints"] == [6, 6, 6]
    scales = [round(1 + strain, 8) for strain in by_name["CsPbI3 perovskite mesh"]["strains"]]
    assert scales == [0.97, 0.99, 1.01, 1.04]
    finer = [
        {**r, "gap": r["gap"] + 0.01}
        for r in records(by_name["CsPbI3 perovskite mesh"], best=1.006)
        if r["scale"] in scales
    ]
    [row] = reference_set.convergence_errors(reference_set.calculations([*base, *finer])).to_dict("records")
    assert row["gap"] == pytest.approx(0.01)
    assert row["kpoints"] == "6x6x6"
    assert row["lattice"] == pytest.approx(1.006 / 1.003 - 1, rel=0.1)
    # 0.01 at every volume, and the larger lattice has another gap.
    slope = [{**r, "gap": r["gap"] + 5 * r["scale"]} for r in [*base, *finer]]
    [row] = reference_set.convergence_errors(reference_set.calculations(slope)).to_dict("records")
    assert row["gap"] == pytest.approx(0.01)
    assert row["gap_at_minimum"] == pytest.approx(0.01 + 5 * 0.003, rel=0.1)
    assert len(with_reference_settings(reference_set.calculations([*base, *finer]))) == len(base)


def test_volumes_of_one_setting_alone_are_not_compared(caplog):
    base = structures.structure_record("perovskite", "CsPbI3", ("Cs", "Pb", "I"), 6.4)
    finer = [
        {**r, "structure": "CsPbI3 perovskite mesh", "gap": r["gap"] + 5 * r["scale"]}
        for r in records({**base, "cell": (np.array(base["cell"]) * 1.004).tolist()})
    ]
    same = [{**r, "structure": "CsPbI3 perovskite mesh"} for r in records(base)]
    known = records(base)
    assert reference_set.convergence_errors(reference_set.calculations([*known, *finer])).empty
    assert "CsPbI3 perovskite mesh: 6 volumes have no counterpart" in caplog.text
    [row] = reference_set.convergence_errors(
        reference_set.calculations([*known, *same[:4], *finer[4:]])
    ).to_dict("records")
    assert row["gap"] == 0
    assert "2 volumes have no counterpart" in caplog.text


def test_alloys_may_be_cut_anywhere():
    base = [r for w in structures.ternaries() for r in records(w)]
    frame = reference_set.calculations(base)
    many = list(reference_set.alloys(frame, count=60))
    assert [w["structure"] for w in reference_set.alloys(frame, count=20)] == [
        w["structure"] for w in many[:20]
    ]
    assert len({w["formula"] for w in many}) == 60
    assert sum(len(parse(w["formula"]).sites()["B"]) == 2 for w in many) == 53
    assert not any("F" in w["symbols"] for w in many)
    assert not any("Cd" in w["symbols"] and w["symbols"][2] != w["symbols"][3] for w in many)
    assert all(w["relax"] and not w["probes"] for w in many)
    # A mesh of three leaves out where two B species have their band edges.
    assert all(("edges" in w["settings"]) == (w["symbols"][2] != w["symbols"][3]) for w in many)
    by_formula = {w["formula"]: w for w in structures.ternaries()}
    for alloy in many[:10]:
        a, b, x = (list(parse(alloy["formula"]).sites()[site]) for site in "ABX")
        ends = [by_formula[f"{a[0]}{i}{j}3"]["cell"][0][0] for i in b for j in x]
        assert np.linalg.det(alloy["cell"]) == pytest.approx(2 * np.mean(ends) ** 3, rel=1e-6)


@pytest.mark.parametrize(
    ("prototype", "species", "group"),
    [
        ("perovskite", ("Cs", "Pb", "I"), 221),
        ("ordered_perovskite", ("Cs", ("Pb", "Sn"), ("I", "I")), 225),
        ("ordered_perovskite", ("Cs", ("Pb", "Pb"), ("I", "Br")), 166),
        ("rocksalt", ("K", "Cl"), 225),
        ("caesium_chloride", ("Cs", "Cl"), 221),
        ("fluorite", ("Ba", "F"), 225),
        ("rutile", ("Mg", "F"), 136),
    ],
)
def test_prototypes_have_their_space_group(prototype, species, group):
    made = structures.structure_record(prototype, "", species, 5.0)
    numbers = [Element(symbol).Z for symbol in made["symbols"]]
    found = spglib.get_spacegroup((made["cell"], made["positions"], numbers))
    assert found.endswith(f"({group})")


def test_the_set_of_ternaries():
    made = list(structures.ternaries())
    assert len({w["formula"] for w in made}) == 108
    by_formula = pd.DataFrame(made).set_index("formula")
    assert by_formula.loc["CsPbI3", "cell"][0][0] == pytest.approx(6.78, abs=0.01)
    assert {s["cutoff"] for f, s in by_formula["settings"].items() if f.endswith("F3")} == {600}
    assert by_formula.loc["CsCdCl3", "settings"]["cutoff"] == 420
    binaries = list(structures.binaries())
    assert len({w["structure"] for w in binaries}) == len(binaries) == 2 * (12 + 9) + 2 * 36
    for ternary in by_formula.reset_index().to_dict("records"):
        a, b, x = (next(iter(ions)) for ions in parse(ternary["formula"]).sites().values())
        cutoff = ternary["settings"]["cutoff"]
        found = {w["formula"] for w in binaries if w["settings"]["cutoff"] == cutoff}
        assert {f"{a}{x}", f"{b}{x}2"} <= found


def markdown_table(text: str) -> pd.DataFrame:
    """The first table of a Markdown text, as text."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return pd.DataFrame(lines[2:], columns=lines[0])


def test_the_readme_shows_the_summary_of_the_set():
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- nestmat dft summary -->\n\n")[1]
    without, gaps = shown.split("### Gaps beside published ones")
    assert without.strip() == summary(SHIPPED).strip()
    # The published column needs the published data; ours is that of the set.
    compounds = tables.read(SHIPPED / "compounds.parquet").set_index("formula")
    ours = markdown_table(gaps).set_index("compound")["ours, eV"]
    assert len(ours) == 54
    assert ours.to_dict() == {formula: f"{compounds.loc[formula, 'gap']:.2f}" for formula in ours.index}


def test_the_set_is_large_and_converged():
    calculations = tables.read(SHIPPED / "calculations.parquet")
    compounds = tables.read(SHIPPED / "compounds.parquet")
    assert (compounds["prototype"] == "perovskite").sum() >= 100
    assert (calculations["status"] == "converged").mean() >= 0.95
    assert compounds["formation_energy"].notna().all()
    errors = reference_set.convergence_errors(calculations)
    assert len(errors) == 2 * len(reference_set.CONVERGENCE)
    assert errors["gap"].max() <= 0.02
    assert errors["lattice"].abs().max() <= 0.005


def test_the_page_on_physics_counts_the_indirect_gaps():
    compounds = tables.read(SHIPPED / "compounds.parquet")
    ternaries = compounds[(compounds["prototype"] == "perovskite") & compounds["gap"].between(0.3, 4)]
    above = ternaries["direct_gap"] - ternaries["gap"]
    above = above[above >= 1e-3]
    text = " ".join((ROOT / "docs/physics.md").read_text(encoding="utf-8").split())
    assert f"Of the {len(ternaries)} ternaries of the reference set" in text
    assert f"{len(above)} have a direct gap that is larger, by {above.median():.2f} eV in the median" in text


def test_convergence_is_tested_at_four_volumes_each():
    calculations = tables.read(SHIPPED / "calculations.parquet")
    for formula in reference_set.CONVERGENCE:
        for change in ("cutoff", "mesh"):
            rows = calculations[calculations["structure"] == f"{formula} perovskite {change}"]
            assert len(rows) == 4, f"{formula} {change}"


def shipped_gaps(compounds: pd.DataFrame) -> pd.DataFrame:
    """A published table with the gaps of the set."""
    pure = compounds[compounds["prototype"] == "perovskite"]
    return pd.DataFrame(
        {
            "row": range(len(pure)),
            "formula": pure["formula"].to_numpy(),
            "material": [parse(formula).key for formula in pure["formula"]],
            "flag": "",
            "Gap": pure["gap"].to_numpy() + 0.01,
            "Decomp": 0.0,
            "Cubic": 1.0,
        }
    )


def test_the_summary_names_its_sources_and_counts_by_structure(tmp_path):
    calculations = tables.read(SHIPPED / "calculations.parquet")
    compounds = tables.read(SHIPPED / "compounds.parquet")
    twin = compounds[compounds["formula"] == "CsPbI3"].assign(prototype="other")
    for name, frame in (("calculations", calculations), ("compounds", pd.concat([compounds, twin]))):
        schema = tables.schema(SHIPPED / f"{name}.parquet")
        tables.write(tmp_path / f"{name}.parquet", frame, schema)
    text = summary(tmp_path, shipped_gaps(compounds))
    contents = markdown_table(text).set_index("set")["equations of state"]
    assert contents["ternaries"] == "108"
    assert contents[["binary halides", "tests of convergence"]].str.strip().eq("").all()
    lattices = markdown_table(text.split("### Lattice constants")[1].split("###")[0])
    assert lattices["compound"].is_unique
    gaps = text.split("### Gaps beside published ones")[1]
    assert "mean -0.010 eV" in gaps
    for part in ("Mannodi-Kanakkithodi", "doi:10.1039/D3DD00015J", "lattice constant of its own calculation"):
        assert part in gaps


def test_the_tables_of_the_set_come_from_its_records(tmp_path):
    outputs = {name: tmp_path / f"{name}.parquet" for name in DFT_TABLES}
    summaries.summarise_sets([SHIPPED / "records.parquet"], outputs)
    for name in DFT_TABLES:
        pd.testing.assert_frame_equal(tables.read(outputs[name]), tables.read(SHIPPED / f"{name}.parquet"))
