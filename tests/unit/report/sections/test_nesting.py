"""What compared models show."""

from __future__ import annotations

import numpy as np
import pytest

from nestmat.report.sections.nesting import verdict
from support.report_text import section_text


@pytest.mark.parametrize(
    ("low", "high", "p", "p_folds", "expected"),
    [
        (-0.2, -0.1, 0.01, 0.01, "better"),
        (0.1, 0.2, 0.01, 0.01, "worse"),
        (0.1, 0.2, 0.01, np.nan, "worse"),
        (-0.1, 0.2, 0.5, 0.5, "none"),
        (-0.2, -0.1, 0.4, 0.01, "none"),
        (-0.2, -0.1, 0.01, 0.7, "none"),
        (np.nan, np.nan, np.nan, np.nan, "unknown"),
    ],
)
def test_verdict_on_nesting(low, high, p, p_folds, expected):
    row = {"metric": "mae", "low": low, "high": high, "p_value": p, "p_folds": p_folds}
    assert verdict(row) == expected


def summary_of(verdicts: dict[str, int], *, nests: bool) -> str:
    line = {"protocol": "Strict", "difference": -0.15, "low": -0.2, "high": -0.1}
    pair = {
        "first": "Nested",
        "second": "Single scale",
        "metric": "MAE",
        "unit": "eV",
        "lines": [line] * sum(verdicts.values()),
        "verdicts": verdicts,
    }
    variables = {"pairs": {"gap": [pair]}, "names": {}, "of_class": False, "nests": nests}
    return section_text("nesting", variables, "summary", "gap")


@pytest.mark.parametrize(
    ("verdicts", "nests", "expected"),
    [
        ({"better": 1}, True, "Nesting: nesting helps."),
        ({"worse": 2}, True, "Nesting: nesting hurts."),
        ({"better": 1}, False, "Comparison: the first is better."),
        ({"worse": 1}, False, "Comparison: the first is worse."),
        ({"none": 2}, True, "Nesting: no difference is shown in any protocol."),
        ({"unknown": 1}, True, "Nesting: one material is not enough."),
        ({"better": 2, "none": 1}, True, "helps in 2 of 3 protocols, no difference is shown in 1 of 3 prot"),
    ],
)
def test_the_verdict_over_protocols_in_words(verdicts, nests, expected):
    assert expected in summary_of(verdicts, nests=nests)


def test_the_interval_follows_the_difference():
    text = summary_of({"better": 1}, nests=True)
    assert "Nested less single scale, MAE: strict −0.150 eV (−0.200 to −0.100); 95 % intervals" in text
