"""Scales that are trained together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.specification import Encoder, Head, Specification, Training
from nestmat.scales.chain import predict_chain
from nestmat.scales.joint import JointParent, _parent_members, joint_parents
from nestmat.training.inner_folds import read_row_splits
from nestmat.training.members import Members
from support.holdouts import assign_holdout
from support.trained_scales import train, write_scale


@pytest.fixture(scope="module")
def joint(tmp_path_factory) -> tuple[Path, Specification, dict[str, JointParent]]:
    """A child that sees nothing but its parent's latents, which need a feature the parent does not."""
    folder = tmp_path_factory.mktemp("joint")
    write_scale(folder, "fine", 60, lambda d, k: d[:, 0])
    write_scale(folder, "coarse", 60, lambda d, k: np.tanh(d[:, 1]) + 0.5 * d[:, 2], seed=3)
    encoder = Encoder(latents=3, hidden=(12,))
    child = AutoencoderSpecification(
        inputs=("fine",),
        encoder=encoder,
        heads={"coarse_y": Head(hidden=(8,)), "fine": Head(weight=0.1)},
        training=Training(epochs=200, learning_rate=0.02, seeds=2),
        joint=True,
    )
    parent = AutoencoderSpecification(inputs=("descriptors",), encoder=encoder, heads={"fine_y": Head()})
    files = (folder / "fine.parquet", folder / "fine.folds.parquet", folder / "coarse.parquet")
    return folder, child, {"fine": JointParent(*files, parent)}


def test_joint_training_teaches_the_parent_what_the_child_needs(joint):
    folder, child, parents = joint
    train(folder, "coarse", child, joint=parents)
    found = tables.read(folder / "coarse.predictions.parquet", split="validation", seed=-1)
    error = (found["mean"] - found["true"]).abs().mean()
    assert error < 0.35 * found["true"].std()
    history = tables.read(folder / "coarse.history.parquet", split="train")
    last = history[history["epoch"] == 200].groupby("term")["loss"].mean()
    assert set(last.index) == {"coarse_y", "fine", "fine.fine_y", "total"}
    assert last["fine.fine_y"] < 0.2
    rows = tables.read(folder / "coarse.parquet")
    chain = predict_chain({"coarse": folder / "coarse.safetensors"}, {"coarse": rows, "fine": rows})
    whole = tables.read(folder / "coarse.predictions.parquet", fold=-1, seed=-1).set_index("row_id")
    np.testing.assert_allclose(
        chain["coarse"].targets["coarse_y"][0], whole.loc[rows["row_id"], "mean"], atol=1e-5
    )


@pytest.mark.parametrize("training", [{"batch_size": 16}, {"stop": "early", "patience": 5}])
def test_joint_training_in_batches_and_with_early_stopping(joint, tmp_path, training):
    folder, child, parents = joint
    options = Training(epochs=15, learning_rate=0.01, **training)
    child = AutoencoderSpecification(**{**child.__dict__, "training": options})
    train(folder, "coarse", child, joint=parents, into=str(tmp_path / "coarse"))
    history = tables.read(tmp_path / "coarse.history.parquet", split="train", term="coarse_y")
    losses = history.groupby("epoch")["loss"].mean()
    assert losses.iloc[-1] < losses.iloc[0]


def test_joint_parents_come_in_threes():
    files = ["a.parquet", "a.folds", "a__c", "b.parquet", "b.folds", "b__c"]
    found = joint_parents({"a": {"x": 1}, "b": {}}, files)
    assert found["a"] == JointParent("a.parquet", "a.folds", "a__c", {"x": 1})
    assert found["b"].child_features == "b__c"


def test_joint_needs_its_parents(joint):
    folder, child, _ = joint
    with pytest.raises(InputError, match="A joint training needs"):
        train(folder, "coarse", child)


def test_a_joint_training_serves_no_stack(joint):
    folder, child, parents = joint
    with pytest.raises(InputError, match="would see rows that the child holds out"):
        train(folder, "coarse", child, joint=parents, stacked=True)


def test_the_parent_of_a_joint_training_hides_its_labels_too(tmp_path):
    features, folds = assign_holdout(tmp_path)
    row_id = tables.read(features)["row_id"].to_numpy()
    table = tables.read(folds, protocol="half")
    child = Members.build(read_row_splits(folds, "half", row_id), seeds=1)
    theirs = _parent_members(table, row_id, child)
    for name in ("train", "validation", "unlabelled"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(child, name))
    unknown = _parent_members(table.iloc[:0], row_id, child)
    assert unknown.train.all()
    assert not (unknown.validation | unknown.unlabelled).any()
