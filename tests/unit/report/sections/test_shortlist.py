"""The candidates to go on with."""

from __future__ import annotations

import pandas as pd

from nestmat import tables
from nestmat.report.sections.shortlist import leading_candidate
from support.absorber_problem import labels_of
from support.report_text import section_text


def leading_sentence(shortlist: pd.DataFrame) -> str:
    return section_text("shortlist", {"leading": leading_candidate(shortlist, labels_of())}, "sentence")


def test_the_first_candidate_without_a_warning_is_named(device_results):
    shortlist = tables.read(device_results / "search/absorbers/shortlist.parquet")
    text = leading_sentence(shortlist)
    assert f"without a warning: {shortlist['formula'][1]}, rank 2" in text
    assert text.endswith("1 of 8 bear a warning.")
    shortlist["flags"] = "in the training data"
    assert f"First on the shortlist: {shortlist['formula'][0]}, rank 1" in leading_sentence(shortlist)
