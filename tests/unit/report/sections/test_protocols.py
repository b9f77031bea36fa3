"""What is written of protocols."""

from __future__ import annotations

import pytest

from nestmat.config.splits import Split
from nestmat.report.sections.protocols import describe_protocol
from support.device_study import device_study
from support.report_text import plain, section_html


def sentence(**protocol) -> str:
    entry = {"title": "", "protocols": [{"label": "", **protocol}]}
    markup = section_html("protocols", {"entries": [entry]})
    return plain(markup[markup.index("<dd>") :])


def of_study(scale: str, protocol: str) -> str:
    return sentence(**describe_protocol(device_study(), scale, protocol))


def test_protocols_state_what_can_leak():
    assert "trains no scale in fold k" in of_study("efficiency", "strict")
    assert "may have trained them" in of_study("efficiency", "published")
    assert "trained on all rows of that scale" in of_study("efficiency", "leave_one_etl_out")
    assert "split of the publication" in of_study("gap", "published")
    assert "latents" not in of_study("gap", "published").lower()


def of_split(split: Split) -> str:
    return sentence(split=split.build(), target="y", of_publication=False, parents=[])


def test_a_holdout_states_who_trains_with_label():
    published = Split(kind="holdout", test=0.1, hidden=0.3, unused=0.2, seed=42)
    text = of_split(published)
    assert "10 % of the rows are left out" in text
    assert "24 % of the others are seen without their label" in text
    assert "6 % of the others are not used" in text


@pytest.mark.parametrize(
    ("split", "text"),
    [
        (
            {"kind": "stratified"},
            "Rows are divided into 5 folds, stratified on 10 quantile bins of y (seed 1).",
        ),
        ({"kind": "grouped"}, "Whole groups of like rows are divided into 5 folds (seed 1)."),
        (
            {"kind": "kfold", "repeats": [2, 3]},
            "Rows are divided at random into 5 folds (seed 1, and 2 further seeds). Rows of one material may "
            "fall into several folds.",
        ),
    ],
)
def test_every_kind_of_split_has_its_sentence(split, text):
    assert of_split(Split(folds=5, seed=1, **split)) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("column", "The column part states the fold of each row."),
        ("shared_column", "states the fold of each material, the same at every scale"),
    ],
)
def test_a_column_of_folds_has_its_sentence(kind, text):
    assert text in of_split(Split(kind=kind, column="part"))
