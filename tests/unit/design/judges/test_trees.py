"""Trees as a judge."""

import numpy as np
from sklearn.metrics import r2_score

from nestmat.design.judges.trees import Trees


def test_errors_do_not_depend_on_the_unit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    y = 3.0 + np.sin(x[:, 0]) + 0.5 * x[:, 1]
    judge = Trees(features={}, trees=30)
    (mean, std), (small, small_std) = (
        judge.fit_target(x[:60], y[:60] * unit, None)(x[60:]) for unit in (1.0, 1e-9)
    )
    assert r2_score(y[60:], mean) > 0.5
    np.testing.assert_allclose(r2_score(y[60:], small * 1e9), r2_score(y[60:], mean), atol=1e-3)
    np.testing.assert_allclose(small_std.mean() * 1e9, std.mean(), rtol=0.01)
