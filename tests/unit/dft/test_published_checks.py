"""The reference set beside published values: matching, differences, and what is left out."""

from __future__ import annotations

import pandas as pd
import pytest

from nestmat.data import registry
from nestmat.data.reading import read
from nestmat.dft import published_checks
from nestmat.dft.structures import PROTOTYPES
from nestmat.errors import InputError
from nestmat.materials.formulas import parse


@pytest.fixture
def compounds() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "formula": ["CsPbI3", "KMgF3", "CsPb0.5Sn0.5I3"],
            "lattice": [6.4, 4.08, 6.3],
            "gap": [1.45, 6.7, 0.9],
            "formation_energy": [0.1, -0.3, 0.0],
        }
    )


def test_published_values_have_units_of_ours_and_a_source():
    frame = published_checks.load()
    assert not frame.duplicated(["formula", "prototype", "quantity", "citation"]).any()
    assert frame["citation"].str.contains("doi:").all()
    assert set(frame["prototype"]) <= set(PROTOTYPES)
    assert frame.loc[frame["quantity"] == "lattice", "value"].between(4, 7.1).all()
    perovskites = frame[frame["prototype"] == "perovskite"]
    assert perovskites.groupby("quantity")["formula"].nunique().to_dict() == {"lattice": 7}
    for formula in perovskites["formula"]:
        assert all(len(ions) == 1 for ions in parse(formula).sites().values())


def test_a_faulty_file_names_its_key(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(published_checks.PUBLISHED.read_text().replace("quantity: lattice", "quantity: latice"))
    with pytest.raises(InputError) as caught:
        published_checks.load(path)
    assert caught.value.file == path
    assert "quantity" in caught.value.key
    path.write_text(published_checks.PUBLISHED.read_text().replace("citation: gbrv", "citation: nobody"))
    with pytest.raises(InputError, match="nobody"):
        published_checks.load(path)


def test_against_published(compounds):
    frame = published_checks.against_published(compounds, published_checks.load())
    assert list(frame) == ["formula", "quantity", "ours", "published", "difference", "source"]
    assert frame.groupby(["formula", "quantity"]).size().to_dict() == {
        ("CsPbI3", "lattice"): 1,
        ("KMgF3", "lattice"): 1,
    }
    pd.testing.assert_series_equal(frame["difference"], frame["ours"] - frame["published"], check_names=False)
    row = frame.set_index("formula").loc["KMgF3"]
    assert row["difference"] == pytest.approx(0.021)
    assert "Garrity" in row["source"]


def test_formulas_are_matched_as_compositions_of_one_structure(compounds):
    published = published_checks.load()
    written = compounds.assign(formula=["I3PbCs", "MgKF3", "CsPb0.5Sn0.5I3"])
    assert published_checks.against_published(written, published).equals(
        published_checks.against_published(compounds, published)
    )
    salts = pd.DataFrame({"formula": ["KCl", "CsCl"], "prototype": ["rocksalt", "caesium_chloride"]})
    found = published_checks.against_published(salts.assign(lattice=[6.4, 4.2]), published)
    assert found["formula"].tolist() == ["KCl"]
    missing = compounds.assign(lattice=float("nan"))
    assert published_checks.against_published(missing, published).empty


def test_against_cubic_rows(compounds):
    formulas = ["CsPbI_3", "CsPbI_3", "CsPb_0.5Sn_0.5I_3", "CsPbBr_3"]
    table = pd.DataFrame(
        {
            "row": [2, 3, 4, 5],
            "formula": formulas,
            "material": [parse(formula).key for formula in formulas],
            "flag": ["", "", "", ""],
            "Gap": [1.48, 2.5, 1.0, 1.77],
            "Decomp": [0.07, 0.0, 0.0, -0.17],
            "Cubic": [1.0, 0.0, 1.0, 1.0],
        }
    )
    frame = published_checks.against_cubic_rows(compounds, table)
    assert frame[["formula", "row"]].to_numpy().tolist() == [["CsPbI3", 2]]
    assert frame["gap_difference"].tolist() == pytest.approx([-0.03])
    assert frame["formation_energy_difference"].tolist() == pytest.approx([0.03])


@pytest.mark.mirror
def test_the_published_table_holds_54_pure_cubic_halides(mirror):
    spec = registry.resolve("perovskites_pbe")
    table = read(spec, mirror / spec.mirror, name="perovskites_pbe", targets=["Gap"]).frame
    every = pd.DataFrame({"formula": [f"{a}{b}{x}3" for a in _A for b in _B for x in _X]})
    frame = published_checks.against_cubic_rows(every.assign(gap=0.0, formation_energy=0.0), table)
    assert len(frame) == frame["formula"].nunique() == 54
    # The flagged rows have one of four binary halides as a product, and an energy out of line.
    flagged = frame["flag"].str.startswith("Decomp")
    assert flagged.sum() == 24
    assert frame.loc[flagged, "formation_energy_published"].min() > 1.2
    assert frame.loc[~flagged, "formation_energy_published"].max() < 0.8


_A, _B, _X = ("K", "Rb", "Cs"), ("Ge", "Sn", "Pb", "Ca", "Sr", "Ba"), ("Cl", "Br", "I")
