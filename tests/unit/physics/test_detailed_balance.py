"""The detailed-balance limit against published values and brute force."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from nestmat.physics import detailed_balance as db

THERMAL = constants.k * 298.15 / constants.e


def test_spectrum_is_astm_g173():
    wavelength, irradiance = db.spectrum()
    assert wavelength.shape == irradiance.shape == (2002,)
    assert (wavelength[0], wavelength[-1]) == (280.0, 4000.0)
    assert db.incident_power() == pytest.approx(100.037, abs=0.001)


@pytest.mark.parametrize(
    ("gap", "percent"), [(1.10, 33.0), (1.34, 33.7), (1.50, 32.1), (1.60, 30.5), (1.80, 27.1), (2.00, 22.8)]
)
def test_published_limits(gap, percent):
    assert db.limit(gap).pce == pytest.approx(percent, abs=0.2)


def test_largest_limit():
    gaps = np.linspace(0.5, 3.0, 5001)
    pce = db.limit(gaps).pce
    assert pce.max() == pytest.approx(33.7, abs=0.1)
    assert gaps[pce.argmax()] == pytest.approx(1.34, abs=0.01)


def test_continuous_in_the_gap():
    # Native points of the spectrum are 2.5 meV apart at 1.5 eV; without interpolation the limit has steps.
    gaps = np.linspace(0.4, 4.0, 360_001)
    assert abs(np.diff(db.limit(gaps).pce)).max() < 2e-3
    assert (np.diff(db.short_circuit_current(gaps)) <= 0).all()


def test_all_photons():
    wavelength, irradiance = db.spectrum()
    photons = np.trapezoid(irradiance * wavelength * 1e-9 / (constants.h * constants.c), wavelength)
    np.testing.assert_allclose(db.short_circuit_current(0.25), photons * constants.e / 10, rtol=1e-12)
    assert db.short_circuit_current(4.5) == 0.0


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.3, 1.3, 2.5])
def test_saturation_current_is_the_black_body_integral(gap):
    def emission(energy):
        return energy**2 / np.expm1(energy / THERMAL)

    integral, _ = quad(emission, max(gap, 1e-9), gap + 60 * THERMAL, epsabs=0, epsrel=1e-12)
    exact = 2 * np.pi * constants.e**4 / (constants.h**3 * constants.c**2) * integral / 10
    np.testing.assert_allclose(db.saturation_current(gap), exact, rtol=1e-3 if gap == 0 else 1e-9)


@pytest.mark.parametrize("gap", [0.35, 0.8, 1.34, 3.0])
@pytest.mark.parametrize("quality", [1.0, 1e-5])
def test_maximum_power_point(gap, quality):
    cell = db.limit(gap, radiative_efficiency=quality)
    jsc, dark = db.short_circuit_current(gap), db.saturation_current(gap) / quality

    def loss(voltage):
        return -voltage * (jsc - dark * np.expm1(voltage / THERMAL))

    best = minimize_scalar(loss, bounds=(0, float(cell.voc)), method="bounded", options={"xatol": 1e-12})
    assert loss(cell.voc) == pytest.approx(0, abs=1e-9 * jsc)
    assert cell.pce == pytest.approx(-100 * best.fun / db.incident_power(), rel=1e-9)


def test_fill_factor():
    def green(v):
        return (v - np.log(v + 0.72)) / (v + 1) / db.fill_factor(v) - 1

    high = np.linspace(13, 800, 2000)
    assert green(high).min() > 0
    assert green(high).max() == pytest.approx(1.1e-4, rel=0.02)
    assert -3e-4 < green(np.linspace(10, 12.9, 100)).min() < green(np.linspace(10, 12.9, 100)).max() < 0
    assert green(np.linspace(1, 10, 1000)).min() == pytest.approx(-0.274, abs=1e-3)
    small = db.fill_factor(np.array([0, 1e-9, 0.99999e-4, 1.00001e-4]))
    np.testing.assert_allclose(small[:2], 0.25, rtol=1e-9)
    np.testing.assert_allclose(small[2], small[3], rtol=1e-9)


def test_metals_and_missing_gaps():
    cell = db.limit([-0.1, 0.0, np.nan, 0.01, 1.3])
    np.testing.assert_array_equal(cell.pce[:2], 0.0)
    assert np.isnan(cell.pce[2])
    assert 0 < cell.pce[3] < 0.1
    assert np.isfinite(cell.pce[4])
    assert db.limit(1.3).pce.shape == ()


def test_a_cold_cell_does_not_overflow():
    assert 1.9 < db.limit(2.0, temperature=10.0).voc < 2.0


@given(
    gap=st.floats(0.2, 4.4),
    quality=st.floats(1e-12, 1.0),
    temperature=st.floats(100.0, 500.0),
)
@settings(max_examples=100, deadline=None)
def test_losses_and_heat_lower_the_limit(gap, quality, temperature):
    best = db.limit(gap, temperature)
    lossy = db.limit(gap, temperature, quality)
    assert 0 <= lossy.pce <= best.pce < 100
    assert lossy.voc <= best.voc < gap
    assert db.limit(gap, temperature + 1).pce <= best.pce


@pytest.mark.parametrize("arguments", [{"temperature": 0.0}, {"radiative_efficiency": 0.0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"temperature|radiative"):
        db.limit(1.3, **arguments)
    with pytest.raises(ValueError, match="photocurrent"):
        db.performance(-1.0, 1.3)


def test_reads_the_spectrum_without_plotting_libraries():
    code = "import sys; from nestmat.physics import absorber as a; a.simulate(1.5, 500, 500, 1, 1, .1).pce; "
    code += "assert not {'matplotlib', 'pymatgen.io.vasp'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
