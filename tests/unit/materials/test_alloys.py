"""Descriptors of alloys: closed forms, matminer, published values, slopes, in tables and in searches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from matminer.featurizers.composition import Miedema, WenAlloys, YangSolidSolution
from matminer.utils.data import MagpieData
from pymatgen.core import Composition, Element

from nestmat.config.features import FeatureBlock
from nestmat.errors import InputError
from nestmat.features.blocks.alloy import alloy_descriptors
from nestmat.features.blocks.elements import element_fractions
from nestmat.features.differentiable import feature_map
from nestmat.features.table import featurize
from nestmat.materials.alloys import DESCRIPTORS, GAS_CONSTANT, descriptors, elements
from nestmat.materials.formulas import parse, parse_many
from nestmat.search.spaces.alloys import Alloy
from nestmat.search.spaces.simplex import Simplex

TEXTS = [
    "AlCoCrFeNi",
    "Co20Cr20Fe20Mn20Ni20",
    "Ti0.3Nb0.3TaW2",
    "Cu3Au",
    "Os0.2Pt0.8",
    "CoCrCu0.2FeNi",
    "ZrHfSn",
]


def frame_of(texts) -> pd.DataFrame:
    formulas = parse_many(texts).formulas
    rows = np.arange(len(texts))
    return pd.DataFrame(
        {
            "row_id": rows,
            "row": rows + 2,
            "formula": texts,
            "material": [f.key if f else "" for f in formulas],
        }
    )


def described(texts) -> pd.DataFrame:
    block = alloy_descriptors([parse(text) for text in texts])
    assert not block.faults
    return pd.DataFrame(block.values, columns=block.columns, index=texts)


def test_closed_forms_of_binaries():
    found = described(["NiAl", "Ni"])
    pair = found.loc["NiAl"]
    assert pair["mixing_entropy"] == pytest.approx(GAS_CONSTANT * np.log(2))
    assert pair["effective_elements"] == pytest.approx(2)
    assert pair["mixing_enthalpy"] == -22.0, "of Takeuchi and Inoue, at half and half"
    assert pair["enthalpy_spread"] == pytest.approx(0, abs=1e-6)
    assert pair["attraction"] == pytest.approx(-10 * np.log(0.5 + 0.5 * np.exp(2.2)))
    assert pair["repulsion"] == pytest.approx(10 * np.log(0.5 + 0.5 * np.exp(-2.2)))
    assert pair["vec"] == 6.5
    assert pair["valence_electrons"] == 6.5
    assert pair["vec_spread"] == 3.5
    assert pair["structure_mixing"] == 0, "both are face-centred cubic"
    radii = np.array([Element("Ni").atomic_radius, Element("Al").atomic_radius])
    assert pair["radius_mismatch"] == pytest.approx(100 * np.std(radii) / np.mean(radii))
    thermal = pair["melting_temperature"] * pair["mixing_entropy"] / 1000
    assert pair["entropy_share"] == pytest.approx(thermal / (thermal + 22), rel=1e-4)
    assert pair["mixing_free_energy"] == pytest.approx(-22 - thermal)
    spread = [name for name in DESCRIPTORS if name.endswith(("mismatch", "spread", "mixing"))]
    none = [
        "mixing_entropy",
        "mixing_enthalpy",
        "entropy_share",
        "mixing_free_energy",
        "attraction",
        "repulsion",
    ]
    assert (found.loc["Ni", spread + none].abs() < 1e-12).all(), "a pure element mixes nothing"
    assert found.loc["Ni", "effective_elements"] == 1


def test_equals_matminer_where_the_definitions_coincide():
    found = described(TEXTS)
    wen, yang = WenAlloys(impute_nan=False), YangSolidSolution(impute_nan=False)
    rows = []
    for text in TEXTS:
        composition = parse(text).composition
        named = dict(zip(wen.feature_labels(), wen.featurize(composition), strict=True))
        rows.append({**named, "omega": yang.compute_omega(composition)})
    theirs = pd.DataFrame(rows, index=TEXTS)
    same = {
        "mixing_entropy": -1000 * theirs["Configuration entropy"] * GAS_CONSTANT / 8.314,
        "vec": theirs["VEC mean"],
        "cohesive_energy": theirs["Mean cohesive energy"],
        "shear_modulus": theirs["Shear modulus mean"],
        "shear_mismatch": 100 * theirs["Shear modulus delta"],
        "shear_local_mismatch": theirs["Shear modulus local mismatch"],
    }
    for name, values in same.items():
        np.testing.assert_allclose(found[name], values.astype(float), rtol=1e-12, err_msg=name)
    enthalpy = theirs["Mixing enthalpy"].astype(float)
    np.testing.assert_allclose(found["mixing_enthalpy"].abs(), enthalpy, rtol=1e-12, atol=1e-6)
    assert found.loc["Cu3Au", "mixing_enthalpy"] < 0 < described(["CuFe"]).loc["CuFe", "mixing_enthalpy"]
    share = theirs["omega"] / (1 + theirs["omega"])
    far = found["mixing_enthalpy"].abs() > 3
    np.testing.assert_allclose(found["entropy_share"][far], share[far].astype(float), rtol=2e-3)


def test_local_mismatches_of_radii_and_their_names():
    block = described(["Cr2NiMo"]).iloc[0]
    x = np.array([0.5, 0.25, 0.25])
    for name, values in {
        "radius_local_mismatch": [Element(s).atomic_radius for s in ("Cr", "Ni", "Mo")],
        "electronegativity_local_mismatch": [Element(s).X for s in ("Cr", "Ni", "Mo")],
    }.items():
        v = np.array(values, dtype=float)
        expected = 0.5 * (x[:, None] * x * np.abs(v[:, None] - v)).sum()
        assert block[name] == pytest.approx(expected, rel=1e-12)
        assert WenAlloys.compute_local_mismatch(v, x) == pytest.approx(expected, rel=1e-12)


@pytest.mark.mirror
def test_equals_the_published_features_where_the_tables_agree(mirror):
    path = mirror / "dvae_hea/HEA_top30_comps.csv"
    names = pd.read_csv(path, comment="#").columns[2:].tolist()
    raw = (
        pd.read_csv(mirror / "dvae_hea/HEA_feature_engineered.csv")
        .drop_duplicates("Alloys")
        .set_index("Alloys")
    )
    texts = [text for text in raw.index if not alloy_out(text, names)]
    assert len(texts) == 1373
    found, published = described(texts), raw.loc[texts]
    for ours, theirs, tolerance in (
        ("molar_volume", "vm", 0.04),
        ("valence_electrons", "vac", 1e-12),
        ("radius_mismatch", "delta", 1e-9),
        ("mixing_entropy", "delta_s_mix", 1e-4),
    ):
        np.testing.assert_allclose(found[ours], published[theirs], rtol=tolerance, atol=1e-6, err_msg=ours)
    # The source has other electronegativities of these.
    same = np.array([not {"W", "Pt", "Au"} & {e.symbol for e in parse(text).composition} for text in texts])
    assert same.sum() > 1200
    ours, theirs = found["electronegativity_mismatch"][same], published["delta_chi"][same]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-6)
    tin = np.array([parse(text).composition.get_atomic_fraction("Sn") for text in texts])
    assert (tin > 0).sum() > 10
    # Tin melts at 505 K, and at 396 K in the source.
    melting = found["melting_temperature"] - tin * (505.08 - 395.71)
    np.testing.assert_allclose(melting, published["tm"], rtol=0.01)
    # Other tables: of the bulk moduli of Rh, Au and Mn, and of compounds, not of liquids, for the enthalpies.
    assert np.corrcoef(found["bulk_modulus"], published["k"])[0, 1] > 0.93
    assert np.corrcoef(found["mixing_enthalpy"], published["delta_h_mix"])[0, 1] > 0.93
    slope = np.polyfit(found["mixing_enthalpy"], published["delta_h_mix"], 1)[0]
    assert 1.4 < slope < 2.2


def alloy_out(text, names):
    formula = parse_many([text]).formulas[0]
    return formula is None or bool({e.symbol for e in formula.composition} - set(names))


def test_the_tables_are_those_of_pymatgen_and_matminer():
    table = elements(("Si", "Sn", "Zr"))
    assert table.properties["melting_temperature"].tolist() == [1687.0, 505.08, 2128.0]
    magpie = MagpieData(impute_nan=False)
    assert table.properties["valence_electrons"][1] == magpie.get_elemental_property(
        Element("Sn"), "NValence"
    )
    assert table.properties["vec"].tolist() == [4, 4, 4]
    moduli = Miedema(impute_nan=False).df_dataset.loc[["Si", "Sn", "Zr"], "compressibility"]
    assert table.properties["bulk_modulus"].tolist() == moduli.tolist()
    torch.testing.assert_close(table.enthalpy, table.enthalpy.T)
    assert table.enthalpy.diagonal().eq(0).all()


FEW = ("Al", "Co", "Cr", "Fe", "Ni", "Sn")


def test_slopes_are_those_of_finite_differences():
    table = elements(FEW)
    random = torch.Generator().manual_seed(0)
    weights = torch.rand(6, 6, generator=random, dtype=torch.float64) + 0.05

    def of(w):
        return descriptors(w / w.sum(dim=1, keepdim=True), table)

    assert torch.autograd.gradcheck(of, (weights.requires_grad_(True),), rtol=1e-4)


def test_slopes_are_finite_where_elements_are_absent():
    table = elements(FEW)
    x = torch.eye(6, dtype=torch.float64)
    x = torch.cat([x, 0.5 * (x + x.roll(1, 0)), torch.full((1, 6), 1 / 6, dtype=torch.float64)])
    x.requires_grad_(True)
    found = descriptors(x, table)
    assert torch.isfinite(found).all()
    for k in range(found.shape[1]):
        (slope,) = torch.autograd.grad(found[:, k].sum(), x, retain_graph=True)
        assert torch.isfinite(slope).all(), list(DESCRIPTORS)[k]


def test_a_small_share_changes_little():
    """No descriptor jumps where an element comes in, as largest and smallest values would."""
    table = elements(("Ni", "Cr", "Hf"))
    x = torch.tensor([[0.6, 0.4, 0.0], [0.6, 0.4 - 1e-7, 1e-7]], dtype=torch.float64)
    found = descriptors(x, table)
    # Roots of sums of squares grow as the root of the share.
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=0.02)


def test_precision_follows_the_fractions():
    table = elements(FEW)
    x = torch.rand(5, 6, generator=torch.Generator().manual_seed(1))
    found = descriptors(x, table)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), descriptors(x.double(), table), rtol=1e-6, atol=1e-6)


BLOCKS = {
    "fractions": FeatureBlock(elements=list(FEW)),
    "alloy": FeatureBlock(alloy=True),
    "some": FeatureBlock(alloy=list(FEW)),
}


def test_blocks_of_a_table():
    texts = ["AlCoCrFeNi", "Co3Cr", "AlU", "O2Fe", "Al0CoNi", "CoSn"]
    made = featurize(frame_of(texts), {"fractions": BLOCKS["fractions"], "alloy": BLOCKS["alloy"]})
    assert made.blocks["fractions"] == {"kind": "simplex", "columns": list(FEW), "levels": list(FEW)}
    assert made.blocks["alloy"] == {"kind": "continuous", "columns": list(DESCRIPTORS)}
    assert made.frame["formula"].tolist() == ["AlCoCrFeNi", "Co3Cr", "Al0CoNi", "CoSn"]
    assert made.frame.loc[1, list(FEW)].tolist() == [0, 0.75, 0.25, 0, 0, 0]
    assert made.frame[list(FEW)].sum(axis=1).tolist() == [1.0] * 4
    assert made.rejects[["row", "value", "reason"]].to_numpy().tolist() == [
        [4, "AlU", "holds U, outside Al, Co, Cr, Fe, Ni, Sn."],
        [5, "O2Fe", "holds O, outside Al, Co, Cr, Fe, Ni, Sn."],
    ]
    assert made.schema["vec"].block == "alloy"
    assert made.schema["mixing_enthalpy"].unit == "kJ/mol"


def test_what_is_not_known_is_named():
    texts = ["Fe3C", "FeO", "ThU", "UAl", "FeUTh", "Cu"]
    block = alloy_descriptors([parse(text) for text in texts])
    assert {k: fault.reason for k, fault in block.faults.items()} == {
        1: "holds O, of which no bulk modulus is known.",
        2: "holds Th and U, of which no enthalpy of mixing is known. Leave it out.",
        4: "holds Th and U, of which no enthalpy of mixing is known. Leave it out.",
    }
    assert np.isfinite(block.values[[0, 3, 5]]).all()
    np.testing.assert_array_equal(block.values[3], alloy_descriptors([parse("UAl")]).values[0])
    with pytest.raises(InputError, match="no bulk modulus is known"):
        elements(("Fe", "O"))
    block = alloy_descriptors([parse("FeO"), None, parse("AlNi")], ["Fe", "Al"])
    assert block.faults[0].reason == "holds O, outside Fe, Al."
    assert block.faults[2].reason == "holds Ni, outside Fe, Al."
    assert np.isnan(block.values[1]).all()


@pytest.mark.parametrize("symbols", [["Fe", "Xx"], ["Fe", "Fe"]])
def test_blocks_of_what_are_no_elements(symbols):
    for block in (element_fractions, alloy_descriptors):
        with pytest.raises(InputError, match=r"is not an element|comes twice"):
            block([parse("Fe")], symbols)


def test_a_table_and_a_search_have_the_same_features():
    space = Alloy(Simplex(FEW, 20, fewest=3, most=4, least=0.05, bounds={name: (0, 0.6) for name in FEW}))
    x = space.sample(40, 0)
    made = featurize(frame_of(space.formulas(x)), BLOCKS)
    assert made.rejects.empty
    columns = {name: block["columns"] for name, block in made.blocks.items()}
    found = feature_map(BLOCKS, columns, space.columns)
    assert found.columns == [*FEW, *DESCRIPTORS]
    np.testing.assert_allclose(found(torch.from_numpy(x)), made.frame[found.columns], rtol=1e-9, atol=1e-9)
    free = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(
        lambda u: found(space.from_free(u)), (free.requires_grad_(True),), rtol=1e-4
    )


def test_spaces_that_do_not_fit():
    with pytest.raises(InputError, match="has no column for W of the design space"):
        feature_map({"f": BLOCKS["fractions"]}, {"f": list(FEW)}, ["Al", "W"])
    with pytest.raises(InputError, match="has no column for W of the design space"):
        feature_map({"f": BLOCKS["some"]}, {"f": list(DESCRIPTORS)}, ["Al", "W"])
    with pytest.raises(InputError, match="the design space has no elements"):
        feature_map({"f": BLOCKS["alloy"]}, {"f": list(DESCRIPTORS)}, ["A:Cs", "x"])
    with pytest.raises(InputError, match="enthalpy of mixing of the pair Th-U is not known"):
        feature_map({"f": BLOCKS["alloy"]}, {"f": list(DESCRIPTORS)}, ["Th", "U"])
    with pytest.raises(InputError, match="needs Al, Co"):
        feature_map({"f": BLOCKS["fractions"]}, {"f": list(FEW)}, ["x"])


def test_an_alloy_block_has_a_list_or_true():
    assert FeatureBlock(elements=["Fe"]).build().role == "simplex"
    assert FeatureBlock(alloy=["Fe"]).build().role == "continuous"
    for given in ({"alloy": False}, {"alloy": []}, {"elements": []}, {"alloy": True, "elements": ["Fe"]}):
        with pytest.raises(ValueError, match=r"alloy|elements|exactly one"):
            FeatureBlock.model_validate(given)


def test_composition_sums_stay_exact():
    formulas = [parse(text) for text in TEXTS]
    symbols = sorted({e.symbol for f in formulas for e in f.composition})
    block = element_fractions(formulas, symbols)
    for row, formula in zip(block.values, formulas, strict=True):
        composition = Composition(formula.composition).fractional_composition
        assert dict(zip(symbols, row, strict=True)) == pytest.approx(
            {s: composition[s] for s in symbols}, abs=1e-15
        )
