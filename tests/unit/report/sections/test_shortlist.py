"""The candidates to go on with."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nestmat import tables
from nestmat.report.sections.shortlist import leading_candidate
from support.absorber_problem import labels_of
from support.device_results import write_device_results
from support.report_text import section_text


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results") / "toy_devices"
    write_device_results(root)
    return root


def leading_sentence(shortlist: pd.DataFrame) -> str:
    return section_text("shortlist", {"leading": leading_candidate(shortlist, labels_of())}, "sentence")


def test_the_first_candidate_without_a_warning_is_named(results):
    shortlist = tables.read(results / "search/absorbers/shortlist.parquet")
    text = leading_sentence(shortlist)
    assert f"without a warning: {shortlist['formula'][1]}, rank 2" in text
    assert text.endswith("1 of 8 bear a warning.")
    shortlist["flags"] = "in the training data"
    assert f"First on the shortlist: {shortlist['formula'][0]}, rank 1" in leading_sentence(shortlist)
