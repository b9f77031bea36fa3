"""The absorber against a boundary-value solver, the reciprocity of collection, and physical limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_bvp

from nestmat.physics import absorber, detailed_balance

CASES = [
    (2.0, 1.5, 50.0, 1.0),
    (3.0, 3.0, 10.0, 0.5),
    (1.0, 1.0 + 1e-9, 1.0, 1.0),
    (0.3, 0.0, 1000.0, 0.1),
    (20.0, 5.0, 2.0, 10.0),
    (5.0, 12.0, 1.0, 0.0),
]


@pytest.mark.parametrize(("a", "b", "s0", "s1"), CASES)
def test_profile_solves_the_boundary_value_problem(a, b, s0, s1):
    xi = np.linspace(0, 1, 201)
    solution = solve_bvp(
        lambda x, y: np.vstack((y[1], b**2 * y[0] - a * np.exp(-a * x))),
        lambda front, back: np.array([front[1] - s0 * front[0], back[1] + s1 * back[0]]),
        xi,
        np.zeros((2, xi.size)),
        tol=1e-11,
        max_nodes=100_000,
    )
    assert solution.success
    np.testing.assert_allclose(absorber.carrier_profile(xi, a, b, s0, s1), solution.sol(xi)[0], atol=1e-12)


@pytest.mark.parametrize(("a", "b", "s0", "s1"), CASES)
def test_collection_equals_its_reciprocal(a, b, s0, s1):
    # A carrier made at xi arrives at the front with the probability that an excess injected there has at xi.
    def excess(x):
        return np.cosh(b * (1 - x)) + s1 * (np.sinh(b * (1 - x)) / b if b else 1 - x)

    slope = -b * np.sinh(b) - s1 * np.cosh(b)
    probability = s0 / (s0 * excess(0) - slope)
    collected, _ = quad(lambda x: a * np.exp(-a * x) * excess(x) * probability, 0, 1, epsabs=0, epsrel=1e-12)
    expected = collected / -np.expm1(-a)
    assert absorber.collection_efficiency(a, b, s0, s1) == pytest.approx(expected, rel=1e-8)


def test_smooth_where_absorption_and_diffusion_lengths_meet():
    b = 2 + np.array([-1e-5, -1e-9, -1e-13, 0, 1e-13, 1e-9, 1e-5])
    eta = absorber.collection_efficiency(2.0, b, 5.0, 0.7)
    assert (np.diff(eta) <= 0).all()
    np.testing.assert_allclose(eta, eta[3], rtol=1e-5)


def test_thick_layers_do_not_overflow():
    eta = absorber.collection_efficiency([1e5, 1e5, 10.0, 1e4], [1e5, 0.0, 1e5, 1e4], 1e6, [0, 1e9, 1, 1e4])
    # Deep layers without a back: a / (a + b), times the share s0 / (s0 + b) that the front takes.
    np.testing.assert_allclose(eta[0], 0.5 * 1e6 / (1e6 + 1e5), rtol=1e-12)
    np.testing.assert_allclose(eta[3], 0.5 * 1e6 / (1e6 + 1e4), rtol=1e-12)
    assert ((eta > 0) & (eta <= 1)).all()


def test_nothing_lost_is_all_collected():
    eta = absorber.collection_efficiency(np.logspace(-3, 3, 20), 0.0, 3.0, 0.0)
    np.testing.assert_allclose(eta, 1.0, rtol=1e-12)


def test_absorption_of_methylammonium_lead_iodide():
    alpha = absorber.absorption_coefficient([1.5, 1.6, 2.25], 1.6)
    np.testing.assert_array_equal(alpha[:2], 0.0)
    assert alpha[2] == pytest.approx(1e5, rel=0.02)


def test_photocurrent_is_the_integral_over_the_spectrum():
    gap, thickness, length, front, back = 1.55, 400.0, 300.0, 500.0, 2000.0
    wavelength, irradiance = detailed_balance.spectrum()
    fine = np.arange(280.0, 1239.841984 / gap, 0.002)
    energy = 1239.841984 / fine
    per_diffusion = thickness * 1e-7 / absorber.DIFFUSIVITY
    a = absorber.absorption_coefficient(energy, gap) * thickness * 1e-7
    extraction = absorber.EXTRACTION_VELOCITY
    keep = a > 0
    eta = absorber.collection_efficiency(
        a[keep], thickness / length, (extraction + front) * per_diffusion, back * per_diffusion
    )
    quantum = -np.expm1(-a[keep]) * eta * extraction / (extraction + front)
    flux = np.interp(fine[keep], wavelength, irradiance) / energy[keep]  # A m-2 nm-1
    expected = np.trapezoid(quantum * flux, fine[keep]) / 10
    cell = absorber.simulate(gap, thickness, length, front, back, 1e-2)
    assert cell.jsc == pytest.approx(expected, rel=1e-4)


def test_an_ideal_absorber_reaches_the_limit():
    cell = absorber.simulate(1.34, 1e5, 1e9, 0, 0, 1.0, extraction_velocity=1e7, absorption=1e6)
    assert cell.pce == pytest.approx(detailed_balance.limit(1.34).pce, rel=0.01)


def test_worked_example():
    cell = absorber.simulate(1.6, 500, 1000, 100, 100, 1e-3)
    np.testing.assert_allclose(
        [cell.jsc, cell.voc, cell.fill_factor, cell.pce], [22.240, 1.14539, 0.89435, 22.774], rtol=1e-4
    )


def test_shapes_chunks_and_gaps_without_a_cell():
    gap = np.tile([1.2, 1.6, np.nan, 0.0, 5.0], 2000)
    pce = absorber.simulate(gap.reshape(5, 2000), 500, 1000, 100, 100, 1e-3).pce.ravel()
    single = [absorber.simulate(value, 500, 1000, 100, 100, 1e-3).pce for value in (1.2, 1.6)]
    np.testing.assert_allclose(pce[0::5], single[0], rtol=1e-14)
    np.testing.assert_allclose(pce[1::5], single[1], rtol=1e-14)
    assert np.isnan(pce[2::5]).all()
    np.testing.assert_array_equal(pce[3::5], 0.0)
    np.testing.assert_array_equal(pce[4::5], 0.0)


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda exponent: 10**exponent)


DEVICES = st.tuples(
    st.floats(0.3, 4.0), powers(0, 5), powers(0, 6), powers(-2, 7), powers(-2, 7), powers(-9, 0)
)


@given(device=DEVICES, extraction=powers(2, 8))
@settings(max_examples=200, deadline=None)
def test_never_above_the_detailed_balance_limit(device, extraction):
    pce = absorber.simulate(*device, extraction_velocity=extraction).pce
    assert 0 <= pce <= detailed_balance.limit(device[0], radiative_efficiency=device[5]).pce * (1 + 1e-12)


@given(device=DEVICES, factor=st.floats(1.01, 100.0))
@settings(max_examples=200, deadline=None)
def test_every_loss_lowers_the_efficiency(device, factor):
    worse = np.array(device) * np.ones((5, 1))
    worse[1, 2] /= factor
    worse[2, 3] *= factor
    worse[3, 4] *= factor
    worse[4, 5] /= factor
    pce = absorber.simulate(*worse.T).pce
    assert (pce[1:] <= pce[0] * (1 + 1e-10)).all()
    assert pce[4] < pce[0]


@pytest.mark.parametrize(
    "change",
    [
        {"thickness": 0.0},
        {"diffusion_length": np.nan},
        {"front_velocity": -1.0},
        {"back_velocity": -1.0},
        {"radiative_efficiency": 1.5},
        {"diffusivity": 0.0},
        {"temperature": 0.0},
    ],
)
def test_bad_arguments(change):
    good = {
        "gap": 1.5,
        "thickness": 500.0,
        "diffusion_length": 500.0,
        "front_velocity": 1.0,
        "back_velocity": 1.0,
        "radiative_efficiency": 0.1,
    }
    with pytest.raises(ValueError, match="must be"):
        absorber.simulate(**(good | change))


@pytest.mark.parametrize("arguments", [(0.5, 0, 1, 1, 1), (0.5, 1, -1, 1, 1), (2, 1, 1, 1, 1)])
def test_bad_profiles(arguments):
    with pytest.raises(ValueError, match="must be"):
        absorber.carrier_profile(*arguments)
