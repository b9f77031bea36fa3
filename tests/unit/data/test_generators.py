"""The nested functions have the truth that their documentation states; spaces hold each composition once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat.config.datasets import DatasetGenerator, DatasetSpec
from nestmat.data.generator_registry import GENERATORS
from nestmat.data.generators import nested_functions
from nestmat.errors import InputError
from nestmat.materials.formulas import parse
from support.generated import read_generated


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_equals_the_draw_of_the_published_notebook(noise):
    # The calls of the notebook, in its order, on numpy's global generator.
    np.random.seed(42)  # noqa: NPY002
    zetas = np.round(np.random.normal(loc=0, scale=noise, size=(1000, 18)), 3)  # noqa: NPY002
    z1, z2, z3 = zetas[:, :9], zetas[:, 9:15], zetas[:, 15:]
    np.random.seed(100)  # noqa: NPY002
    x1 = np.round(np.random.uniform(low=-1, high=1, size=(1000, 8)), 3)  # noqa: NPY002
    y1 = (x1[:, 0] + z1[:, 0]) ** 2 + (x1[:, 7] + z1[:, 7]) ** 2
    x0_2 = 2 * (x1[:, 0] + z1[:, 0]) + 3 * (x1[:, 1] + z1[:, 1])
    x1_2 = (x1[:, 0] + z1[:, 0]) + (x1[:, 2] + z1[:, 2])
    x4_2 = (x1[:, 1] + z1[:, 1]) * (x1[:, 2] + z1[:, 2])
    y2 = (y1 + z1[:, -1]) ** 2 + (x4_2 + z2[:, 4]) ** 4
    x0_3 = (x0_2 + z2[:, 0]) - (x4_2 + z2[:, 4])
    x1_3 = (x0_2 + z2[:, 0]) * (x4_2 + z2[:, 4])
    y3 = (y2 + z2[:, -1]) ** 2 + (x0_3 + z3[:, 0]) ** 4
    first, second, third = (nested_functions(scale, noise) for scale in (1, 2, 3))
    assert list(first) == [f"x{i}_1" for i in range(8)] + ["y0_1"]
    np.testing.assert_array_equal(first.iloc[:, :8], x1)
    np.testing.assert_array_equal(first["y0_1"], y1)
    assert list(second) == [f"x{i}_2" for i in range(5)] + ["y0_2"]
    np.testing.assert_array_equal(
        second[["x0_2", "x1_2", "x4_2", "y0_2"]], np.column_stack((x0_2, x1_2, x4_2, y2))
    )
    np.testing.assert_array_equal(
        second[["x2_2", "x3_2"]], np.column_stack(((x1[:, 0] + z1[:, 0]) ** 2, (x1[:, 1] + z1[:, 1]) ** 2))
    )
    np.testing.assert_array_equal(
        third, np.column_stack((x0_3, x1_3, y3)), err_msg="columns x0_3, x1_3, y0_3"
    )


def test_the_five_inputs_of_scale_2_have_three_dimensions():
    x0, x1, x2, x3, x4 = nested_functions(2, noise=1.0).iloc[:, :5].to_numpy().T
    residuals = []
    for a in (np.sqrt(x2), -np.sqrt(x2)):
        b, c = (x0 - 2 * a) / 3, x1 - a
        residuals.append(np.maximum(abs(b**2 - x3), abs(b * c - x4)))
    # Two of the five follow from the other three, up to the sign of a.
    assert np.minimum(*residuals).max() < 1e-9


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_least_error_of_scale_1(noise):
    frame = nested_functions(1, noise, rows=100_000)
    best = frame["x0_1"] ** 2 + frame["x7_1"] ** 2 + 2 * noise**2
    mse = ((frame["y0_1"] - best) ** 2).mean()
    assert mse == pytest.approx(8 / 3 * noise**2 + 4 * noise**4, rel=0.03)


def test_without_noise_the_scales_are_exact_functions_of_each_other():
    first, second, third = (nested_functions(scale, 0.0, rows=50) for scale in (1, 2, 3))
    np.testing.assert_allclose(second["y0_2"], first["y0_1"] ** 2 + second["x4_2"] ** 4)
    np.testing.assert_allclose(third["x0_3"], second["x0_2"] - second["x4_2"])
    np.testing.assert_allclose(third["y0_3"], second["y0_2"] ** 2 + third["x0_3"] ** 4)


def test_a_small_set_is_the_beginning_of_a_large_one():
    np.testing.assert_array_equal(nested_functions(3, rows=10), nested_functions(3, rows=1000)[:10])


def test_rows_are_the_same_object_in_all_scales():
    readings = [
        read_generated(
            DatasetSpec(
                title="functions",
                generator={"kind": "nested_functions", "scale": scale, "rows": 30},
                columns={f"y0_{scale}": {}},
            ),
            name="functions",
            targets=[f"y0_{scale}"],
        )
        for scale in (1, 2, 3)
    ]
    for reading in readings:
        assert reading.frame["material"].tolist() == [f"row {i}" for i in range(30)]
        assert (reading.frame["formula"] == "").all()
        assert reading.facts["rows_read"] == reading.facts["rows_kept"] == 30
        assert reading.facts["generator"]["name"] == "nested_functions"
        assert reading.rejects.empty


def generate(kind, options):
    """The table that a data set with this generator is made of."""
    return DatasetGenerator.model_validate({"kind": kind, **options}).build()


@pytest.mark.parametrize(
    ("name", "options", "hint"),
    [
        ("nested_function", {"scale": 1}, "kind: There is no generator of data sets 'nested_function'"),
        ("nested_functions", {"scale": 4}, "scale 1, 2 or 3"),
        ("nested_functions", {"scale": 1, "rows": 0}, "at least one row"),
        ("nested_functions", {"scale": 1, "noise": -1}, "noise of 0 or more"),
        ("nested_functions", {"scales": 1}, "scales: Extra inputs"),
        ("nested_functions", {"scale": 1, "noise": float("nan")}, "noise of 0 or more"),
        ("nested_functions", {}, "scale: Field required"),
        ("nested_functions", {"scale": "1"}, "scale: .*integer"),
        ("perovskite_devices", {"rows": "4000"}, "rows: .*integer"),
        ("perovskite_devices", {"rows": 10.5}, "rows: .*integer"),
        ("perovskite_devices", {"rows": True}, "rows: .*integer"),
        ("perovskite_devices", {"gap_range": [1]}, "gap_range"),
        ("perovskite_devices", {"gap_range": [1, 2, 3]}, "gap_range"),
        ("perovskite_devices", {"gap_range": ["0.3", 4]}, "gap_range.*number"),
        ("perovskite_devices", {"noise": None}, "noise: .*number"),
        ("perovskite_space", {"a": 5, "b": ["Pb"], "x": ["I"]}, "a: "),
        ("perovskite_space", {"a": ["Cs"], "b": ["Pb"], "x": ["I"], "mixed": None}, "mixed: "),
    ],
)
def test_bad_options(name, options, hint):
    with pytest.raises(ValueError, match=hint):
        generate(name, options)


SPACE = {
    "a": ["K", "Rb", "Cs"],
    "b": ["Ge", "Sn", "Pb", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd"],
    "x": ["F", "Cl", "Br", "I"],
}


def space_spec(**options):
    generator = {"kind": "perovskite_space", **SPACE, **options}
    return DatasetSpec(title="space", generator=generator, formula="formula", columns={})


def test_space_holds_each_composition_once():
    reading = read_generated(space_spec(), name="space")
    frame = reading.frame
    # 3 * 9 * 4 pure; pairs * rest * 3 fractions on each site.
    assert len(frame) == 108 + 3 * (3 * 9 * 4 + 36 * 3 * 4 + 6 * 3 * 9) == 2214
    assert frame["material"].is_unique
    assert reading.rejects.empty
    assert (frame["flag"] == "").all()
    assert frame["formula"].iloc[0] == "KGeF3"
    for formula in frame["formula"]:
        sites = parse(formula).sites(tolerance=1e-9)
        assert [set(sites[site]) <= set(SPACE[site.lower()]) for site in "ABX"] == [True] * 3
        assert sum(len(part) - 1 for part in sites.values()) <= 1


@pytest.mark.parametrize(
    "formula", ["CsPb0.5Sn0.5I3", "CsSn0.5Pb0.5I3", "CsPbBr1.5I1.5", "Cs2Sn2I3Br3", "CsGeF3"]
)
def test_alloys_of_any_spelling_are_in_the_space(formula):
    assert parse(formula).key in set(read_generated(space_spec(), name="space").frame["material"])


def test_space_of_molecular_ions_in_thirds_on_two_sites():
    options = {"a": ["MA", "FA", "DMA"], "b": ["Pb"], "x": ["I", "Br"], "steps": 3, "mixed": ["A", "X"]}
    frame = generate("perovskite_space", options)
    assert len(frame) == 6 + 2 * (3 * 2 + 3)
    keys = [parse(text).key for text in frame["formula"]]
    assert parse("MA2FAPb3I9").key in keys
    assert parse("FAPbI2Br").key in keys
    assert len(generate("perovskite_space", {**options, "mixed": []})) == 6
    assert len(generate("perovskite_space", {**options, "steps": 1})) == 6


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"a": []}, "not empty"),
        ({"a": "Cs"}, "a: .*not allowed as a Sequence"),
        ({"b": ["Pb", "Pb"]}, "without repetitions"),
        ({"b": ["Cs"]}, "is none of site B"),
        ({"x": ["Xx"]}, "is none of site X"),
        ({"steps": 0}, "from 1 to 1000"),
        ({"steps": 2.5}, "steps: .*integer"),
        ({"mixed": ["C"]}, "other than A, B and X"),
    ],
)
def test_bad_options_of_a_space(options, hint):
    with pytest.raises(ValueError, match=hint):
        generate("perovskite_space", {**SPACE, **options})


def test_formulas_that_a_generator_makes_are_parsed_or_rejected(monkeypatch):
    made = pd.DataFrame({"formula": ["CsPbI3", "PbI3-x", "CsPbI3"], "gap": [1.5, 2.0, np.nan]})
    monkeypatch.setitem(GENERATORS._entries, "mine", lambda: made)
    spec = {
        "title": "mine",
        "generator": {"kind": "mine"},
        "formula": "formula",
        "columns": {"gap": {"unit": "eV"}},
    }
    reading = read_generated(DatasetSpec.model_validate(spec), name="mine")
    assert reading.frame["material"].tolist() == ["Cs=0.2 I=0.6 Pb=0.2"]
    assert reading.rejects[["row", "column"]].to_numpy().tolist() == [[2, "formula"], [3, "gap"]]
    with pytest.raises(InputError, match=r"has no column 'Formula' \(did you mean 'formula'\?\)"):
        read_generated(DatasetSpec.model_validate(spec | {"formula": "Formula"}), name="mine")


def test_devices_have_the_gaps_of_the_calculations(monkeypatch, tmp_path):
    strains = np.array([-0.06, -0.02, 0.0, 0.03])
    calculated = pd.concat(
        pd.DataFrame(
            {
                "structure": f"{formula} {prototype}",
                "formula": formula,
                "prototype": prototype,
                "kind": "strain",
                "status": "converged",
                "strain": strains,
                "volume": 200 * (1 + strains) ** 3,
                "gap": gap + 10 * strains,
            }
        )
        for formula, prototype, gap in [
            ("CsPbI3", "perovskite", 1.6),
            ("CsPbBr1.5I1.5", "ordered_perovskite", 1.9),
            ("CsI", "rocksalt", 3.5),
        ]
    )
    other_settings = calculated.assign(structure=calculated["structure"] + " 500 eV", gap=0.0)
    failed = calculated.iloc[:1].assign(strain=-0.01, gap=np.nan, status="failed")
    path = tmp_path / "reference" / "calculations.parquet"
    path.parent.mkdir()
    pd.concat([calculated, other_settings, failed]).to_parquet(path)
    monkeypatch.setattr("nestmat.physics.perovskite_devices.RESOURCES", tmp_path)
    spec = DatasetSpec(
        title="devices",
        generator={"kind": "perovskite_devices", "rows": 50, "gap_range": [0.5, 3.0]},
        formula="formula",
        columns={"strain": {}, "gap": {"unit": "eV"}, "PCE": {"header": "pce", "unit": "%"}},
    )
    frame = read_generated(spec, name="devices", targets=["PCE"]).frame
    assert set(frame["formula"]) == {"CsPbI3", "CsPbBr1.5I1.5"}
    assert frame["strain"].abs().max() <= 0.02
    gaps = {"CsPbI3": 1.6, "CsPbBr1.5I1.5": 1.9}
    at_rest = frame["formula"].map(gaps)
    np.testing.assert_allclose(frame["gap"], at_rest + 10 * frame["strain"], atol=1e-12)
    resting = generate("perovskite_devices", {"rows": 40, "strain": None})
    assert "strain" not in resting
    assert resting["formula"].value_counts().to_dict() == dict.fromkeys(gaps, 20)
    np.testing.assert_allclose(resting["gap"], resting["formula"].map(gaps), atol=1e-12)
    path.unlink()
    with pytest.raises(InputError, match="are missing"):
        generate("perovskite_devices", {})


def test_a_table_is_read_with_the_values_that_were_made():
    columns = {**{f"x{k}_2": {} for k in range(5)}, "y0_2": {}}
    generator = {"kind": "nested_functions", "scale": 2, "rows": 40}
    functions = DatasetSpec(title="functions", generator=generator, columns=columns)
    for spec in (functions, space_spec(steps=2)):
        made, found = spec.generator.build(), read_generated(spec, name="t")
        pd.testing.assert_frame_equal(found.frame[made.columns], made, check_exact=True)
        assert found.facts["generator"] == {"name": spec.generator.kind, **spec.generator.options}
        assert found.facts["sha256"] is None
    wrong = functions.model_copy(update={"columns": {"y": functions.columns["y0_2"]}})
    with pytest.raises(InputError, match="has no column"):
        read_generated(wrong)
