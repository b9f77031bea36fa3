"""What may not pass between the rows of a semi-supervised model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.models.keys import ModelKey
from nestmat.models.losses import dependence
from nestmat.models.specification import Specification, Training
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.training.chunks import train_members
from nestmat.training.members import Members
from nestmat.training.scale_data import PseudoLabels, ScaleData
from nestmat.training.trainer import penalty_share
from support.alloy_tables import scale, write_alloys, write_folds
from support.semi_supervised_networks import BOTH, CLASS, HALF, LATENTS, batch, model, network_of


def test_penalties_grow_between_two_shares_of_the_epochs():
    training = Training(penalty_warmup=(0.25, 0.75))
    shares = [penalty_share(training, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert shares == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert penalty_share(Training(), 0.0) == 1.0
    assert penalty_share(Training(penalty_warmup=(0.5, 0.5)), 0.49) == 0.0


def holdout(data: ScaleData, seeds: int = 2) -> Members:
    """Members of one fold: a fifth tests, a half of the others is seen without label."""
    n, rng = len(data), np.random.default_rng(7)
    dealt = rng.permutation(n)
    test, hidden = dealt[: n // 5], dealt[n // 5 : 3 * n // 5]
    seen = {
        "train": np.ones(n, bool),
        "validation": np.zeros(n, bool),
        "unlabelled": np.zeros(n, bool),
    }
    seen["validation"][test], seen["unlabelled"][hidden] = True, True
    seen["train"] = ~seen["validation"] & ~seen["unlabelled"]
    zeros = np.zeros(seeds, dtype=np.int64)
    rows = {name: np.tile(value, (seeds, 1)) for name, value in seen.items()}
    return Members(zeros, zeros, zeros - 1, np.arange(seeds), **rows)


TRAINING = Training(epochs=8, batch_size=16, learning_rate=0.01, penalty_warmup=(0.0, 0.5))


def learned(data: ScaleData, members: Members, specification: Specification) -> torch.Tensor:
    return train_members(specification, data, members)[0]


@pytest.mark.parametrize("stop", ["last", "early"])
def test_a_member_trained_alone_is_that_trained_beside_others(stop):
    data, members = scale(), holdout(scale(), seeds=3)
    training = replace(TRAINING, stop=stop, patience=3, epochs=4)
    specification = model(targets=BOTH, training=training, penalties={"independence": 5.0})
    together = learned(data, members, specification)
    assert not torch.equal(together[0], together[1])
    for k in range(3):
        alone = learned(data, members[np.array([k])], specification)[0]
        torch.testing.assert_close(alone, together[k], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("stop", ["last", "early"])
def test_hidden_and_test_labels_change_no_bit(stop):
    data, members = scale(), holdout(scale())
    specification = model(
        targets=BOTH, training=replace(TRAINING, stop=stop), penalties={"independence": 5.0}
    )
    hidden = ~members.train[0]
    changed = {"phase": data.y["phase"].copy(), "hardness": data.y["hardness"].copy()}
    changed["phase"][hidden] = 1 - changed["phase"][hidden]
    changed["hardness"][hidden] += 100
    one, other = (learned(given, members, specification) for given in (data, replace(data, y=changed)))
    assert torch.equal(one, other)
    # Labels that train do matter.
    changed["phase"] = np.where(members.train[0], 1 - data.y["phase"], data.y["phase"])
    assert not torch.equal(learned(replace(data, y=changed), members, specification), one)


def test_unlabelled_rows_of_no_weight_are_not_there():
    data, members = scale(), holdout(scale())
    none = replace(members, unlabelled=np.zeros_like(members.unlabelled))
    deaf = model(training=TRAINING, options={"unlabelled": 0.0})
    listening = model(training=TRAINING, options={"unlabelled": 1.0})
    assert torch.equal(learned(data, members, deaf), learned(data, none, listening))
    assert not torch.equal(learned(data, members, listening), learned(data, none, listening))


def test_independence_shapes_z_and_leaves_the_classifier_alone():
    classes = {"phase": CLASS, "magnetic": CLASS}
    specification = model(targets=classes, penalties={"independence": 1.0})
    net = network_of(specification)
    net.flat.requires_grad_()
    term = net.loss(batch(specification, HALF))["independence"].sum()
    slopes = net.layout.views(torch.autograd.grad(term, net.flat)[0])
    assert (slopes["encoder.0.weight"] != 0).any()
    assert not any(slope.any() for name, slope in slopes.items() if name.startswith("heads"))


def test_independence_makes_z_depend_less_on_the_target_at_no_cost_of_accuracy():
    data, members = scale(), holdout(scale(), seeds=1)
    label = torch.from_numpy(data.y["phase"]).float()[None, None]
    weight = torch.full((1, len(data)), 1 / len(data))
    found, right = [], []
    for weight_of_penalty in (0.0, 300.0):
        specification = model(
            training=Training(epochs=150, learning_rate=0.01), penalties={"independence": weight_of_penalty}
        )
        flat, scalers, _ = train_members(specification, data, members)
        net = specification.network(data.shapes, [0])
        net.flat = flat
        inputs = np.concatenate([scalers[name].transform(data.x[name]) for name in data.x], axis=2)
        z = net.encode(torch.from_numpy(inputs).float())[0].transpose(1, 2)
        found.append(dependence(z[:, :LATENTS], label, weight).item())
        right.append(((z[:, LATENTS:] >= 0.5) == (label > 0)).float().mean().item())
    assert found[1] < 0.2 * found[0]
    assert min(right) > 0.9


def test_a_scale_is_trained_on_rows_with_and_without_labels(tmp_path):
    data = scale()
    outputs = {
        name: tmp_path / f"{name}.{'safetensors' if name == 'weights' else 'parquet'}"
        for name in ("weights", "history", "predictions", "latents")
    }
    specification = model(
        targets={"phase": replace(CLASS, dropout=0.1)},
        training=replace(TRAINING, epochs=80, schedule="cosine"),
        penalties={"independence": 0.1},
    )
    trained = train_scale(
        TrainingJob(
            key=ModelKey("alloys", "half", "m2"),
            specification=specification,
            features=write_alloys(tmp_path, data),
            folds=write_folds(tmp_path, data),
            card=tmp_path / "weights.json",
            **outputs,
        )
    )
    predictions, latents = tables.read(outputs["predictions"]), tables.read(outputs["latents"])
    assert latents.groupby("repeat")["split"].value_counts().loc[1].to_dict() == {
        "train": 40,
        "unlabelled": 25,
        "validation": 15,
        "unused": 10,
    }
    assert [name for name in latents if name[0] == "z"] == ["z0", "z1", "z2"]
    held = predictions[(predictions["split"] == "validation") & (predictions["fold"] == 0)]
    held = held[held["seed"] == -1]
    assert len(held) == 2 * 15
    assert held["mean"].between(0, 1).all()
    assert ((held["mean"] >= 0.5) == (held["true"] == 1)).mean() > 0.8
    # The last latent is the prediction.
    last = latents.set_index(["repeat", "fold", "row_id"])["z2"]
    both = held.set_index(["repeat", "fold", "row_id"])["mean"]
    np.testing.assert_allclose(last.loc[both.index], both, atol=1e-6)
    history = tables.read(outputs["history"])
    assert set(history["term"]) == {
        *("phase", "shares", "latent_divergence", "label_divergence", "independence", "total")
    }
    again = type(trained).load(outputs["weights"])
    assert again.specification == trained.specification
    assert torch.equal(again.flat, trained.flat)
    assert [value for value in again.facts["reconstruction"]["shares"] if value is not None]


def test_what_a_teacher_says_reaches_the_rows_it_was_asked_of(tmp_path):
    data = scale(90)
    members = holdout(data)
    asked = np.flatnonzero(members.unlabelled.any(axis=0))
    rows = pd.DataFrame({"row_id": data.row_id[asked], "mean": np.linspace(0.1, 0.9, len(asked))})
    about = {"protocol": "half", "model": "forest", "target": "phase", "fold": 0, "inner": -1, "seed": -1}
    parts = [rows.assign(repeat=repeat, split="unlabelled", **about) for repeat in (0, 1)]
    other = rows.assign(repeat=0, split="validation", **{**about, "model": "another"})
    table = pd.concat([*parts, other]).assign(true=1.0, std=np.nan)[list(tables.PREDICTIONS)]
    tables.write(tmp_path / "baselines.parquet", table, tables.PREDICTIONS)
    taught = PseudoLabels.read(tmp_path / "baselines.parquet", "forest", data.row_id)
    found = taught.of("phase", members.repeat, members.fold)
    for member in range(len(members)):
        if members.fold[member] < 0:
            assert np.isnan(found[member]).all()
        else:
            np.testing.assert_array_equal(np.flatnonzero(np.isfinite(found[member])), asked)
            np.testing.assert_array_equal(found[member][asked], rows["mean"])
    free = model(training=Training(epochs=3, batch_size=16))
    specification = replace(free, teacher="forest")
    first = learned(replace(data, pseudo_labels=taught), members, specification)
    opposite = replace(taught, values={"phase": 1 - taught.values["phase"]})
    second = learned(replace(data, pseudo_labels=opposite), members, specification)
    changed = [not torch.equal(one, other) for one, other in zip(first, second, strict=True)]
    assert changed == [bool(rows.any()) for rows in members.unlabelled]
