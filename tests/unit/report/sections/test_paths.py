"""The section on paths between two materials."""

from __future__ import annotations

from nestmat.report.sections.paths import describe_paths, worst_values
from support.phase_problem import (
    PHASE_LABELS,
    phase_paths,
)
from support.report_text import section_html, section_text, table_cells


def test_paths_are_described_by_the_worst_on_them():
    points, measures = phase_paths()
    assert worst_values(points, PHASE_LABELS)["slerp", "trees"] == 0.6
    variables = describe_paths(points, measures, PHASE_LABELS)
    assert section_text("paths", variables, "sentence") == (
        "From MoNbTaW to HfNbTaTiZr the lowest probability of single phase by the trees is 0.700 (line in "
        "the latents), 0.600 (slerp of the latents), 0.400 (mixing)."
    )
    rows = table_cells(section_html("paths", variables))
    assert rows[3] == ["Mixing", "15", "5", "67", "0.800", "0.400"]
