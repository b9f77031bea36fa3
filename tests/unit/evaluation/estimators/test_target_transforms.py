"""Skewed targets: when their logarithm is learned, and that no unit and no label of another row matters."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.errors import InputError
from nestmat.evaluation.estimators.extra_trees import ExtraTrees
from nestmat.evaluation.estimators.gaussian_process import GaussianProcess
from nestmat.evaluation.estimators.target_transforms import log_is_better


@pytest.fixture
def skewed():
    """Inputs and a target over some decades with an error of a factor."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(160, 5))
    return x, np.exp(2.0 * x[:, 0] + 2.0 * x[:, 1] + 0.7 * rng.normal(size=160))


@pytest.mark.parametrize("unit", [1.0, 1e-9])
def test_the_logarithm_of_a_skewed_target_is_chosen(skewed, unit):
    x, y = skewed
    kind = ExtraTrees(n_estimators=50)
    errors = {}
    for transform in ("none", "log", "chosen"):
        mean, std = kind.predict(kind.fit(x[:120], y[:120] * unit, 0, transform=transform), x[120:])
        errors[transform] = np.abs(mean / unit - y[120:]).mean()
        assert (std > 0).all()
    assert errors["chosen"] == errors["log"] < 0.9 * errors["none"]


def test_a_skewed_target_with_even_errors_is_learned_as_it_is():
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.exponential(size=200), rng.normal(size=200)])
    y = 5.0 * x[:, 0] + 1.0 + rng.uniform(-1, 1, size=200)
    assert (y > 0).all()
    assert not log_is_better(x, y, seed=0)
    assert not log_is_better(x, y - 3.0, seed=0)


def test_the_spread_of_a_logarithm_is_that_of_its_bounds(skewed):
    x, y = skewed
    kind = GaussianProcess(max_iter=20)
    model = kind.fit(x, y, 0, transform="log")
    logs = kind.fit(x, np.log(y), 0)
    mean, std = kind.predict(model, x[:5])
    log_mean, log_std = kind.predict(logs, x[:5])
    np.testing.assert_allclose(mean, np.exp(log_mean), rtol=1e-6)
    bounds = np.exp(log_mean + log_std), np.exp(log_mean - log_std)
    np.testing.assert_allclose(std, (bounds[0] - bounds[1]) / 2, rtol=1e-6)


def test_a_fit_from_another_keeps_its_transform(skewed):
    x, y = skewed
    kind = ExtraTrees(n_estimators=20)
    start = kind.fit(x, y, 0, transform="chosen")
    again, logs = kind.fit(x[:80], y[:80], 0, start=start), kind.fit(x[:80], y[:80], 0, transform="log")
    np.testing.assert_array_equal(kind.predict(again, x)[0], kind.predict(logs, x)[0])


def test_a_target_that_is_not_positive_has_no_logarithm(skewed):
    x, y = skewed
    with pytest.raises(InputError, match="not positive has no logarithm"):
        ExtraTrees().fit(x, y - 1.0, 0, transform="log")
