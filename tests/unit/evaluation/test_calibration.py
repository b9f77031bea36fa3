from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from nestmat.evaluation import calibration


def test_calibration_of_an_honest_and_of_a_wrong_spread():
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=20000), rng.uniform(0.5, 2.0, size=20000)
    true = mean + std * rng.normal(size=20000)
    found = calibration.calibration_metrics(true, mean, std)
    assert found["coverage_68"] == pytest.approx(0.6827, abs=0.01)
    assert found["coverage_95"] == pytest.approx(0.95, abs=0.01)
    assert found["miscalibration_area"] < 0.01
    assert found["nll"] == pytest.approx(-norm.logpdf(true, mean, std).mean())
    assert found["sharpness"] == pytest.approx(np.sqrt((std**2).mean()))
    assert calibration.coverage(true, mean, 0.5 * std, 0.95) == pytest.approx(
        2 * norm.cdf(0.98) - 1, abs=0.01
    )
    assert calibration.calibration_metrics(true, mean, np.full(20000, np.nan)) == {}
    curve = calibration.calibration_curve(true, mean, std)
    np.testing.assert_allclose(curve["quantile"], curve["level"], atol=0.01)
    np.testing.assert_allclose(curve["interval"], curve["level"], atol=0.01)


def test_miscalibration_area_in_closed_form():
    # All rows at the median: a step at 1/2. All rows far below: the curve is 1 everywhere.
    zeros, ones = np.zeros(7), np.ones(7)
    assert calibration.miscalibration_area(zeros, zeros, ones) == pytest.approx(0.25)
    assert calibration.miscalibration_area(zeros - 99, zeros, ones) == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    true = rng.normal(size=40)
    p = np.linspace(0, 1, 200001)
    share = np.searchsorted(np.sort(norm.cdf(true)), p, side="right") / 40
    area = calibration.miscalibration_area(true, np.zeros(40), np.ones(40))
    assert area == pytest.approx(np.trapezoid(np.abs(share - p), p), abs=1e-5)


def test_scores_of_spreads_that_are_right_and_of_others():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.1, 2.0, 20_000)
    true = std * rng.normal(size=20_000)
    right, twice, equal = (
        calibration.calibration_metrics(true, np.zeros(20_000), spread)
        for spread in (std, 2 * std, np.full(20_000, std.mean()))
    )
    assert right["ence"] < 0.03
    assert twice["ence"] == pytest.approx(0.5, abs=0.02)
    # The mean score of a normal law that is right is its standard deviation over the square root of pi.
    assert right["crps"] == pytest.approx(std.mean() / np.sqrt(np.pi), rel=0.02)
    assert right["crps"] < min(twice["crps"], equal["crps"])
    # Absolute errors have a rank of their own besides the spread.
    assert right["error_spread_correlation"] == pytest.approx(twice["error_spread_correlation"])
    assert 0.3 < right["error_spread_correlation"] < 0.6
    assert np.isnan(equal["error_spread_correlation"])
