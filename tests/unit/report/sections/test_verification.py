"""Predictions of candidates beside calculations."""

from __future__ import annotations

import pandas as pd
import pytest

from nestmat.labels import comparisons
from nestmat.report.sections.verification import verified_quantities
from support.absorber_problem import labels_of
from support.report_text import section_text


def test_calculations_of_training_materials_do_not_count():
    rows = pd.DataFrame(
        {
            "quantity": "gap.Gap",
            "mean": [1.0, 1.0, 1.0],
            "std": 0.1,
            "calculated": [1.1, 1.5, 1.0],
            "unit": "eV",
            "trained_on": [False, False, True],
        }
    )
    assert comparisons.verification_errors(rows) == (pytest.approx(0.3), 1, 2)
    assert comparisons.verification_errors(rows[2:]) == (0.0, 1, 1)
    variables = {"quantities": verified_quantities(rows, labels_of())}
    assert section_text("verification", variables, "sentence") == (
        "Against DFT: band gap (PBE) is off by 0.300 eV on average, 1 of 2 are within two predicted standard "
        "deviations."
    )
