"""Tables of devices: a fair design, the stated noise, and what is left out."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from nestmat.errors import InputError
from nestmat.physics.absorber import efficiency
from nestmat.physics.detailed_balance import limit
from nestmat.physics.devices import PROCESS_RANGES, device_table, left_out

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


def test_efficiency_is_that_of_the_absorber(table):
    expected = efficiency(table["gap"], *(10 ** table[LOGS].to_numpy()).T)
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


@pytest.mark.parametrize(
    ("compounds", "options", "hint"),
    [
        (COMPOUNDS.drop(columns="gap"), {}, "numbers 'gap'"),
        (COMPOUNDS.assign(gap="1.5"), {}, "numbers 'gap'"),
        (COMPOUNDS.drop(columns="formula"), {}, "column 'formula'"),
        (COMPOUNDS.assign(gap=1300.0), {}, "no compound has a gap within"),
        (COMPOUNDS.iloc[:0], {}, "no compound has a gap within"),
        (COMPOUNDS, {"rows": 0}, "at least one row"),
        (COMPOUNDS, {"noise": -0.1}, "noise from 0"),
        (COMPOUNDS, {"seed": -1}, "a seed of 0"),
        (COMPOUNDS, {"gap_range": (2.0, 1.0)}, "not a range"),
    ],
)
def test_bad_input(compounds, options, hint):
    with pytest.raises(InputError, match=hint):
        device_table(compounds, **options)
