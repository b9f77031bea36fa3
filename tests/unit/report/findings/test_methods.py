"""Tables of the search methods."""

from __future__ import annotations

from nestmat.report.findings.methods import rate_ratio
from support.report_text import section_text


def test_a_rate_is_compared_with_the_interval_of_one_without_hits():
    assert section_text("methods", {}, "ratio", rate_ratio((0.4, 0.3, 0.5), (0.1, 0.05, 0.2))) == "4"
    assert section_text("methods", {}, "ratio", rate_ratio((0.4, 0.3, 0.5), (0.0, 0.0, 0.04))) == "> 10"
    assert section_text("methods", {}, "ratio", rate_ratio((0.0, 0.0, 0.1), (0.0, 0.0, 0.04))) == "–"
