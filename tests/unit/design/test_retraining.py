"""Errors of members before and after retraining on calculated candidates."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from nestmat.design.retraining import RETRAINED, _compare
from nestmat.scales.predictions import Predictions


def test_predictions_before_and_after_stand_in_the_rows_they_belong_to():
    rows = pd.DataFrame({"row_id": [7, 5], "formula": ["CsSnI3", "CsGeI3"], "gap": [1.3, 1.6]})
    first = SimpleNamespace(
        targets={"gap": (np.array([1.0, 1.1]), np.array([0.1, 0.2]))}, units={"gap": "eV"}
    )
    second = pd.DataFrame({"row_id": [5, 7, 5], "target": ["gap", "gap", "lattice"], "mean": [1.5, 1.2, 6.0]})
    compared = _compare(first, Predictions(second.assign(std=0.3)), rows, ["gap"])
    assert list(compared) == list(RETRAINED)
    assert compared["first"].tolist() == [1.0, 1.1]
    assert compared["second"].tolist() == [1.2, 1.5]
    assert compared["calculated"].tolist() == [1.3, 1.6]
    assert set(compared["unit"]) == {"eV"}
