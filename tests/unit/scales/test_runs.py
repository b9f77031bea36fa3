"""Runs of rows that are alike."""

from __future__ import annotations

import torch

from nestmat.scales.runs import Runs, differs


def runs(*numbers):
    rows = torch.tensor(numbers)[:, None]
    return Runs.of(differs(rows), len(rows))


def test_one_row_stands_for_each_run():
    found = runs(4.0, 4.0, 4.0, 7.0, 7.0, 4.0)
    values = torch.arange(6)
    assert found.count == 3
    assert found.select(values).tolist() == [0, 3, 5]
    assert found.expand(found.select(values)).tolist() == [0, 0, 0, 3, 3, 5]


def test_rows_that_all_differ_are_left_as_they_are():
    values = torch.arange(4)
    for found in (runs(1.0, 2.0, 3.0, 4.0), runs(*[torch.nan] * 4)):
        assert found.first is None
        assert found.select(values) is found.expand(values) is values


def test_values_of_runs_go_to_their_parts():
    coarse, fine = runs(1.0, 1.0, 1.0, 2.0, 2.0, 2.0), runs(1.0, 2.0, 2.0, 3.0, 3.0, 3.0)
    assert coarse.expand(torch.tensor([5, 6]), fine).tolist() == [5, 5, 6]
    all_rows = runs(*map(float, range(6)))
    assert coarse.expand(torch.tensor([5, 6]), all_rows).tolist() == [5, 5, 5, 6, 6, 6]


def test_there_may_be_no_rows_or_one():
    for n in (0, 1):
        rows = torch.zeros(n, 2)
        found = Runs.of(differs(rows), n)
        assert found.select(rows).shape == (n, 2)
        assert found.expand(rows.T).shape == (2, n)
