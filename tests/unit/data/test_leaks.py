"""Inputs that tell a target or identify the rows, and those that only look so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat.data.leaks import identifier_reason, suspicious_inputs

_RNG = np.random.default_rng(0)
_N = 60
_Y = pd.Series(np.exp(_RNG.normal(-10.0, 3.0, _N)))
_PHASE = pd.Series(np.where(_Y.median() < _Y, "ordered", "disordered"))


def _reason(values, target, is_class=False):
    frame = pd.DataFrame({"x": values, "y": target})
    suspicions = suspicious_inputs(frame, ["x"], ["y"], ["y"] if is_class else [])
    return suspicions[0].reason if suspicions else ""


@pytest.mark.parametrize(
    ("values", "target", "is_class", "relation"),
    [
        (np.log10(_Y), _Y, False, "computed"),
        (-3.0 * _Y + 2.0, _Y, False, "computed"),
        (np.log10(_Y).where(np.arange(_N) % 2 == 0), _Y, False, "computed"),
        (_Y, _PHASE, True, "separates"),
        (_PHASE.map({"ordered": "P", "disordered": "Fm"}), _PHASE, True, "one value"),
        (pd.Series(np.arange(_N) % 6), pd.Series((np.arange(_N) % 6 % 2).astype(str)), True, "one value"),
    ],
)
def test_an_input_that_tells_the_target_is_named(values, target, is_class, relation):
    assert relation in _reason(values, target, is_class)


@pytest.mark.parametrize(
    ("values", "target", "is_class"),
    [
        (np.log10(_Y) + _RNG.normal(0.0, 0.3, _N), _Y, False),
        (np.log10(_Y)[:10], _Y[:10], False),
        (pd.Series(_RNG.integers(0, 4, _N).astype(float)), _PHASE, True),
        (pd.Series(_RNG.integers(0, 4, _N).astype(str)), _Y, False),
        (pd.Series([1.0] * _N), _Y, False),
    ],
)
def test_an_input_that_does_not_tell_the_target_is_left_alone(values, target, is_class):
    assert _reason(values, target, is_class) == ""


def test_rows_of_one_material_count_once():
    material = [f"m{k % 6}" for k in range(_N)]
    frame = pd.DataFrame({"material": material, "x": [float(k % 6) for k in range(_N)]})
    assert not suspicious_inputs(frame.assign(y=frame["x"] ** 2), ["x"], ["y"])


@pytest.mark.parametrize(
    "header", ["ID", "materialId", "index", "Unnamed: 0", "Ref.", "DOI", "Year", "ref_no"]
)
def test_a_header_says_that_rows_are_identified(header):
    assert "name" in identifier_reason(header, pd.Series([0.5, 0.25]))


@pytest.mark.parametrize(
    "header",
    ["T_ref", "refractive_index", "width", "gap", "year_round_mean", "valid", "NO", "index_of_refraction_n"],
)
def test_a_quantity_is_no_identifier_by_its_name(header):
    assert identifier_reason(header, pd.Series([0.5, 0.25])) == ""


def test_whole_numbers_identify_rows_where_they_count_or_go_with_nothing():
    shuffled = _RNG.permutation(np.arange(1000.0, 1000.0 + _N))
    assert identifier_reason("a", pd.Series(shuffled)) == "numbers the rows"
    codes = pd.Series(_RNG.choice(10**6, _N, replace=False).astype(float))
    assert "no target" in identifier_reason("a", codes, [(pd.Series(_RNG.normal(size=_N)), False)])
    # Melting points in whole kelvin, which the target goes with.
    target = codes / 1e5 + _RNG.normal(0.0, 1.0, _N)
    assert identifier_reason("a", codes, [(target, False)]) == ""
    assert identifier_reason("a", pd.Series(np.arange(_N) % 7.0), [(target, False)]) == ""


def test_a_cause_that_orders_rows_as_the_target_does_is_not_certain():
    x = np.linspace(0.0, 4.1, 40)
    frame = pd.DataFrame({"T": x, "gap": 0.01 * x**2, "gap_order": x})
    suspicions = suspicious_inputs(frame, ["T", "gap_order"], ["gap"])
    assert [(s.column, s.is_certain) for s in suspicions] == [("T", False), ("gap_order", True)]
