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
