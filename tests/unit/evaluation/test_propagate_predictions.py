from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.errors import InputError
from nestmat.evaluation.baseline_inputs import ScaleTables
from nestmat.evaluation.baselines import compare_baselines
from nestmat.evaluation.parent_predictions import ParentPredictions
from nestmat.evaluation.propagate_predictions import propagate_predictions
from nestmat.evaluation.stack import recommend_predictor
from support.feature_tables import write_features
from support.small_scale import QUICK, stack_files, stacked_scale
from support.stacked_study import configuration

STACK = ["ridge", "forest"]


PROTOCOLS = {"strict": 3, "plain": 4}
"""Folds of the protocols: three have inner folds, four make pairs."""


@pytest.fixture(params=PROTOCOLS)
def parent(request, scale, tmp_path):
    """Predictions of a stack of two baselines for its own rows as if they were those of a child."""
    protocol = request.param
    features, folds = scale(lambda frame: frame.drop(columns="v", inplace=True) or frame.insert(0, "v", 0.5))
    chosen = {name: QUICK[name] for name in STACK}
    baselines = compare_baselines(
        ScaleTables(features, folds, children={"coarse": features}),
        protocol,
        {**chosen, "alone": QUICK["ridge"]},
        tmp_path / "p.parquet",
        STACK,
        of_children=tmp_path / "children.parquet",
    )
    stacked = stacked_scale(features, folds, a=["a0", "a1"], b=["b0", "b1"])
    recommend_predictor([tmp_path / "p.parquet"], STACK, stacked, stack_files(tmp_path))
    propagate_predictions(
        tmp_path / "r.json",
        features,
        tmp_path / "passed.parquet",
        child="coarse",
        networks={},
        baselines=tmp_path / "children.parquet",
    )
    return features, folds, baselines[baselines["repeat"] == 0], protocol


def test_every_member_passes_on_what_the_stack_says(parent, tmp_path):
    features, _, baselines, protocol = parent
    folds = PROTOCOLS[protocol]
    row_id = tables.read(features)["row_id"].to_numpy()
    passed = ParentPredictions.read(tmp_path / "passed.parquet", row_id)
    column = passed.targets.index("y")
    stack = tables.read(tmp_path / "r.parquet", target="y", repeat=0).set_index("row_id")
    for fold in range(-1, folds):
        of_fold = stack[(stack["fold"] == fold) & (stack["inner"] < 0)]["mean"]
        values = pd.Series(passed.of(0, fold, -1)[:, column], index=row_id)
        np.testing.assert_allclose(values[of_fold.index], of_fold, rtol=1e-9)
    # Members inside the training rows of a fold are weighed as those of the fold.
    combinations = json.loads((tmp_path / "r.json").read_text())["combinations"]
    of_target = [c for c in combinations if c["target"] == "y" and c["repeat"] == 0]
    weights = {c["fold"]: pd.Series(c["weights"]) for c in of_target}
    inner = baselines[(baselines["split"] == "inner") & (baselines["target"] == "y")]
    assert len(inner.groupby(["fold", "inner"])) == 12
    for (fold, number), part in inner.groupby(["fold", "inner"]):
        by_model = part.pivot(index="row_id", columns="model", values="mean")[STACK]
        values = pd.Series(passed.of(0, fold, number)[:, column], index=row_id)
        np.testing.assert_allclose(values[by_model.index], by_model @ weights[fold], rtol=1e-9)
    assert set(tables.read(tmp_path / "children.parquet")["model"]) == set(STACK)
    with pytest.raises(InputError, match="no member for repeat 0, fold 9 and -1"):
        passed.of(0, 9, -1)
    with pytest.raises(InputError, match="lacks the predictions of row_id 999"):
        ParentPredictions.read(tmp_path / "passed.parquet", np.append(row_id, 999))


def test_baselines_read_the_member_that_left_out_their_fold(parent, tmp_path):
    features, folds, _, protocol = parent
    frame = tables.read(tmp_path / "passed.parquet")
    # The parent's member of each fold tells the target, times a factor that no other member has.
    true = tables.read(features).set_index("row_id")["y"]
    factor = 1.0 + frame["fold"] + 10.0 * frame["inner"]
    frame["y.mean"] = factor * true.loc[frame["row_id"]].to_numpy()
    tables.write(tmp_path / "passed.parquet", frame, tables.schema(tmp_path / "passed.parquet"), {})
    rows = tables.read(features, columns=["row_id", "material", "a0", "y"])
    coarse = write_features(tmp_path / "coarse.parquet", rows, {"a": ["a0"]}, ["y"])
    scale = ScaleTables(coarse, folds, parents={"fine": tmp_path / "passed.parquet"})
    reader = {"ridge": {"kind": "ridge", "inputs": ["fine"]}}
    predicted = compare_baselines(scale, protocol, reader, tmp_path / "q.parquet", ["ridge"])
    assert set(predicted["split"]) == {"train", "validation", "inner", "extrapolated"}
    np.testing.assert_allclose(predicted["mean"], predicted["true"], atol=0.05)


def reading(**changes) -> dict:
    """A study whose coarse baseline reads the recommended predictor of the fine scale."""
    content = configuration()
    fine, coarse = content["scales"]["fine"], content["scales"]["coarse"]
    fine["baselines"] = {"ridge": {"kind": "ridge", "inputs": ["inputs"], "protocols": ["strict"]}}
    fine["recommended"] = {"stack": ["nested", "ridge"]}
    coarse["baselines"]["ridge"]["inputs"] = ["fine", "inputs"]
    fine |= changes
    return content


def test_predictions_are_read_where_a_learned_stack_states_them():
    study = study_from(reading())
    assert study.scales["coarse"].parents_read("ridge") == ["fine"]
    for changes in ({"recommended": None}, {"recommended": {"stack": ["nested"], "weights": "equal"}}):
        with pytest.raises(
            (InputError, ValidationError), match="no recommended predictor with learned weights"
        ):
            study_from(reading(**changes))
    content = reading()
    content["scales"]["coarse"]["baselines"]["ridge"]["protocols"] = None
    with pytest.raises((InputError, ValidationError), match="in protocol by_kind"):
        study_from(content)
