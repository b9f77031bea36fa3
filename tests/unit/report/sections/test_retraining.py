"""What training on calculated candidates changes."""

from __future__ import annotations

import pandas as pd

from nestmat.report.sections.retraining import retraining_errors
from support.absorber_problem import labels_of
from support.report_text import section_text


def test_errors_before_and_after_retraining():
    rounds = pd.DataFrame(
        {"target": "Gap", "calculated": [1.0, 2.0], "first": [1.2, 1.8], "second": [1.1, 2.1], "unit": "eV"}
    )
    text = section_text("retraining", {"targets": retraining_errors(rounds, labels_of())}, "sentence")
    assert text.endswith("error of the other half in band gap (PBE) from 0.200 to 0.100 eV.")
