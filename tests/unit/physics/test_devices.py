"""Tables of devices: a fair design, the stated noise, and what is left out."""

from __future__ import annotations

import logging
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import qmc

from nestmat.errors import InputError
from nestmat.paths import ROOT
from nestmat.physics.absorber import simulate
from nestmat.physics.detailed_balance import limit
from nestmat.physics.devices import PROCESS_RANGES, device_table, gap_curves, latin_hypercube, left_out

COMPOUNDS = pd.DataFrame(
    {
        "formula": ["CsPbI3", "CsSnI3", "MAPbI3", "metal", "CsPbCl3", "unknown", "LiF"],
        "gap": [1.73, 1.3, 1.6, 0.0, 2.9, np.nan, 9.0],
    },
)
LOGS = [f"log_{name}" for name in PROCESS_RANGES]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return device_table(COMPOUNDS, rows=2001)


def test_columns(table):
    assert list(table) == ["formula", "gap", *LOGS, "pce"]
    assert table.shape == (2001, 8)
    assert table.notna().all(axis=None)
    np.testing.assert_array_equal(table["gap"], table["formula"].map(COMPOUNDS.set_index("formula")["gap"]))


def test_compounds_share_the_rows_evenly(table):
    counts = table["formula"].value_counts()
    assert set(counts.index) == {"CsPbI3", "CsSnI3", "MAPbI3", "CsPbCl3"}
    assert sorted(counts) == [500, 500, 500, 501]
    assert device_table(COMPOUNDS, rows=3)["formula"].is_unique


def test_processes_fill_their_ranges_evenly(table):
    for name, (low, high) in PROCESS_RANGES.items():
        share = (table[f"log_{name}"] - np.log10(low)) / np.log10(high / low)
        # A Latin hypercube has one device in each of as many intervals as there are devices.
        np.testing.assert_array_equal(np.sort(np.floor(share * 2001)), np.arange(2001))
    correlation = table[["gap", *LOGS]].corr().to_numpy()
    assert abs(correlation - np.eye(6)).max() < 0.1


def test_a_latin_hypercube_is_that_of_scipy():
    expected = qmc.LatinHypercube(3, seed=np.random.default_rng(7)).random(11)
    np.testing.assert_array_equal(latin_hypercube(11, 3, np.random.default_rng(7)), expected)


def test_efficiency_is_that_of_the_absorber(table):
    expected = simulate(table["gap"], *(10 ** table[LOGS].to_numpy()).T).pce
    np.testing.assert_allclose(table["pce"], expected, rtol=1e-12)
    assert (table["pce"] < limit(table["gap"]).pce).all()


def test_same_seed_same_table(table):
    pd.testing.assert_frame_equal(table, device_table(COMPOUNDS, rows=2001, seed=0))
    assert not table.equals(device_table(COMPOUNDS, rows=2001, seed=1))


def test_noise_is_relative_and_changes_nothing_else(table):
    noisy = device_table(COMPOUNDS, rows=2001, noise=0.02)
    pd.testing.assert_frame_equal(noisy.drop(columns="pce"), table.drop(columns="pce"))
    ratio = noisy["pce"] / table["pce"]
    assert ratio.std() == pytest.approx(0.02, rel=0.1)
    assert ratio.mean() == pytest.approx(1, abs=0.002)


def test_the_page_on_physics_tells_how_efficiencies_spread():
    text = (ROOT / "docs/physics.md").read_text(encoding="utf-8")
    [code] = [part for part in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "device_table" in part]
    names: dict[str, pd.DataFrame] = {}
    exec(code, names)
    pce = names["table"]["pce"]
    told = re.search(r"efficiencies of ([\d.]+) % in the mean and ([\d.]+) % at most", text)
    assert told.groups() == (f"{pce.mean():.1f}", f"{pce.max():.1f}")
    share = np.histogram(pce, [0, 5, 10, 15, 20, 25, 100])[0] / len(pce)
    assert "| share of devices (%) | " + " | ".join(f"{100 * x:.0f}" for x in share) + " |" in text


def test_left_out(caplog):
    reasons = left_out(COMPOUNDS)
    assert reasons.to_dict() == {3: "gap below the range", 5: "no gap", 6: "gap above the range"}
    assert left_out(COMPOUNDS, (1.5, 2.0)).index.tolist() == [1, 3, 4, 5, 6]
    with caplog.at_level(logging.INFO):
        device_table(COMPOUNDS, rows=10)
    assert "3 of 7 compounds make no device" in caplog.text


def test_compounds_of_any_index():
    # Two compounds of one label are two compounds: one is left out, the other is not.
    compounds = COMPOUNDS.set_index(pd.Index([0] * len(COMPOUNDS)))
    assert device_table(compounds, rows=40)["formula"].nunique() == 4


STRAINS = np.array([-0.06, -0.03, -0.01, 0.01, 0.03, 0.06])


def strained(formula: str, gaps: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"formula": formula, "strain": STRAINS, "gap": gaps})


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    metal = strained("metal", np.maximum(0, 20 * STRAINS))
    short = strained("short", 1 + STRAINS).iloc[2:4]
    lost = strained("lost", 1 + STRAINS).assign(gap=np.nan)
    narrow = strained("narrow", 0.5 + 15 * STRAINS)
    wide = strained("wide", 3.9 - 15 * STRAINS)
    kept = [strained("s2", 1.5 + 12 * STRAINS), strained("other", 3 - 20 * STRAINS - 50 * STRAINS**2)]
    return pd.concat([metal, *kept, short, lost, narrow, wide]).sample(frac=1, random_state=0)


def test_strained_devices_have_the_gap_of_their_strain(points):
    table = device_table(points, rows=500, strain=0.02)
    assert list(table) == ["formula", "strain", "gap", *LOGS, "pce"]
    assert set(table["formula"]) == {"s2", "other"}
    np.testing.assert_array_equal(np.sort(np.floor((table["strain"] / 0.02 + 1) * 250)), np.arange(500))
    s2, other = (table[table["formula"] == name] for name in ("s2", "other"))
    np.testing.assert_allclose(s2["gap"], 1.5 + 12 * s2["strain"], atol=1e-12)
    expected = 3 - 20 * other["strain"] - 50 * other["strain"] ** 2
    np.testing.assert_allclose(other["gap"], expected, atol=2e-3)
    np.testing.assert_allclose(table["pce"], simulate(table["gap"], *(10 ** table[LOGS].to_numpy()).T).pce)
    pd.testing.assert_frame_equal(table, device_table(points, rows=500, strain=0.02))


def test_compounds_whose_gap_leaves_the_range_within_the_strain_are_left_out(points, caplog):
    with caplog.at_level(logging.INFO):
        device_table(points, rows=10, strain=0.02)
    assert "5 of 7 compounds make no device" in caplog.text
    assert all(text in caplog.text for text in ("2 gap below", "2 no gap", "1 gap above"))
    assert set(device_table(points, rows=10, strain=0.005)["formula"]) == {
        "s2",
        "other",
        "short",
        "narrow",
        "wide",
    }


def test_gap_curves_never_leave_the_gaps_of_their_points(points):
    grid = np.linspace(-0.06, 0.06, 401)
    for name, curve in gap_curves(points, 0.06).items():
        gaps = points.loc[points["formula"] == name, "gap"]
        assert curve(grid).min() >= gaps.min() - 1e-12
        assert curve(grid).max() <= gaps.max() + 1e-12


@pytest.mark.parametrize(
    ("compounds", "options", "hint"),
    [
        (COMPOUNDS.drop(columns="gap"), {}, "numbers 'gap'"),
        (COMPOUNDS.assign(gap="1.5"), {}, "numbers 'gap'"),
        (COMPOUNDS.drop(columns="formula"), {}, "column 'formula'"),
        (COMPOUNDS.assign(gap=1300.0), {}, "No compound has a gap within"),
        (COMPOUNDS.iloc[:0], {}, "No compound has a gap within"),
        (COMPOUNDS, {"rows": 0}, "at least one row"),
        (COMPOUNDS, {"noise": -0.1}, "noise from 0"),
        (COMPOUNDS, {"seed": -1}, "a seed of 0"),
        (COMPOUNDS, {"gap_range": (2.0, 1.0)}, "not a range"),
        (COMPOUNDS, {"strain": 0.02}, "column 'strain'"),
        (COMPOUNDS, {"strain": 0.0}, "between 0 and 1"),
        (COMPOUNDS.assign(strain=0.0), {"strain": 0.02}, "No compound has a gap within"),
    ],
)
def test_bad_input(compounds, options, hint):
    with pytest.raises(InputError, match=hint):
        device_table(compounds, **options)
