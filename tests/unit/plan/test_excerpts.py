"""What of a study is a parameter of a job."""

from __future__ import annotations

from nestmat.config.loading import study_from
from nestmat.plan.excerpts import problem_excerpt
from support.phase_problem import (
    phase_configuration,
)


def test_ways_do_not_repeat_a_search():
    class Wildcards:
        problem, method = "alloys", "decode"

    other = phase_configuration()
    other["search"]["alloys"]["interpolate"]["steps"] = 5
    studies = [study_from(given) for given in (phase_configuration(), other)]
    for rule in ("search_candidates", "judge_candidates", "select_candidates", "screen_chunk"):
        first, second = (problem_excerpt(study, rule)(Wildcards) for study in studies)
        assert first == second, rule
    first, second = (problem_excerpt(study, "interpolate_materials")(Wildcards) for study in studies)
    assert first["search"]["alloys"]["interpolate"]["steps"] == 3
    assert second["search"]["alloys"]["interpolate"]["steps"] == 5
    assert first["search"]["alloys"]["methods"] == {}
