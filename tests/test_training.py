from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from feature_tables import write_features

from nestmat import progress
from nestmat.errors import InputError
from nestmat.models.autoencoder.network import Autoencoder
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Encoder, Head, Specification, Training, specification_from
from nestmat.training.batches import Rows, pack
from nestmat.training.checkpoints import Trained
from nestmat.training.chunks import chunk_members, train_members
from nestmat.training.members import Members, hold_out
from nestmat.training.scale_data import ParentLatents, ScaleData
from nestmat.training.scaling import Scaler, fit_scalers
from nestmat.training.trainer import Adam, Trainer

ROWS, FOLDS = 61, 4


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def scale(rows: int = ROWS, seed: int = 0) -> ScaleData:
    rng = np.random.default_rng(seed)
    x = {"descriptors": rng.normal([5.0, -2.0, 0.0], [1.0, 30.0, 0.1], size=(rows, 3))}
    x["A"] = rng.dirichlet(np.ones(3), size=rows)
    groups = np.array([f"m{i // 2}" for i in range(rows)])
    return ScaleData(
        row_id=np.arange(100, 100 + rows),
        material=groups,
        group=groups,
        x=x,
        kinds={"descriptors": "continuous", "A": "simplex"},
        columns={"descriptors": ["a", "b", "c"], "A": ["A:Cs", "A:MA", "A:FA"]},
        y={"gap": 3 + x["descriptors"][:, 0] * x["A"][:, 0] + x["A"][:, 1]},
        units={"a": "u", "gap": "eV"},
    )


def folds(data: ScaleData, repeats: int = 1) -> pd.DataFrame:
    number = np.unique(data.group, return_inverse=True)[1]
    parts = [
        pd.DataFrame({"repeat": r, "row_id": data.row_id, "fold": (number + r * (number % 3)) % FOLDS})
        for r in range(repeats)
    ]
    return pd.concat(parts).assign(role="labelled", together=-1)


def members(data: ScaleData, seeds: int = 2, inner: int = 0, repeats: int = 1) -> Members:
    return Members.build(folds(data, repeats), data.row_id, seeds, inner, FOLDS)


def model(training: Training | None = None, **changes) -> Specification:
    options = {
        "inputs": ("descriptors", "A"),
        "encoder": Encoder(latents=2, hidden=(6,)),
        "heads": {"gap": Head(hidden=(8,)), "descriptors": Head(), "A": Head(loss="cross_entropy")},
        "training": training or Training(epochs=30, learning_rate=0.01),
    }
    return AutoencoderSpecification(**{**options, **changes})


# members


def test_members_hold_every_fold_once_and_all_rows():
    data = scale()
    found = members(data, seeds=2, inner=3, repeats=2)
    table = found.frame()
    assert not table.duplicated(["repeat", "fold", "inner", "seed"]).any()
    assert set(table.query("repeat == 0")["fold"]) == {-1, 0, 1, 2, 3}
    assert set(table.query("repeat == 1")["fold"]) == {0, 1, 2, 3}
    assert not (found.train & found.validation).any()
    whole = (found.fold == -1) & (found.inner == -1)
    assert found.train[whole].all()
    outer = found.validation[(found.inner == -1) & (found.repeat == 0) & (found.seed == 0)]
    assert (outer.sum(axis=0) == 1).all()
    inside = (found.inner >= 0) & (found.repeat == 0) & (found.seed == 0) & (found.fold == 1)
    left_out = found.validation[(found.inner == -1) & (found.fold == 1) & (found.repeat == 0)][0]
    assert (found.validation[inside].sum(axis=0) == ~left_out).all()
    assert not found.train[inside][:, left_out].any()


@pytest.mark.parametrize("lacking", ["parent", "child"])
def test_no_parent_member_trained_on_what_its_child_holds_out_where_a_scale_lacks_a_fold(lacking):
    fold = np.tile(np.arange(FOLDS + 1), 6)
    labels = {name: fold[fold != 2] if name == lacking else fold for name in ("parent", "child")}
    found = {
        name: Members.build(
            pd.DataFrame({"repeat": 0, "row_id": np.arange(len(label)), "fold": label}).assign(
                role="labelled", together=-1
            ),
            np.arange(len(label)),
            seeds=1,
            inner_folds=3,
            outer_folds=FOLDS + 1,
        )
        for name, label in labels.items()
    }
    parent, child = found["parent"], found["child"]
    keys = np.stack([parent.repeat, parent.fold, parent.inner, parent.seed])
    read = ParentLatents(*keys, np.empty((len(parent), 1, 1))).of(
        child.repeat, child.fold, child.inner, child.seed
    )
    for member, theirs in enumerate(read):
        held_out = set(labels["child"][child.validation[member]])
        assert not held_out & set(labels["parent"][parent.train[theirs]])
    assert (child.inner[child.validation.any(axis=1)] >= 0).any()


def test_keys_belong_to_the_member_alone():
    data = scale()
    few, many = members(data, seeds=1), members(data, seeds=3, inner=2)
    assert len(set(many.keys())) == len(many)
    shared = many.keys()[(many.seed == 0) & (many.inner == -1)]
    np.testing.assert_array_equal(few.keys(), shared)


def test_folds_that_lack_a_row_are_an_error():
    data = scale()
    with pytest.raises(InputError, match="lack row_id 100"):
        Members.build(folds(data).iloc[1:], data.row_id, 1)
    with pytest.raises(InputError, match="no folds"):
        Members.build(folds(data).iloc[:0], data.row_id, 1)


def test_holdout_keeps_groups_whole():
    data = scale()
    found = members(data)
    held = hold_out(found.train, data.group, 0.2, found.keys())
    for member in range(len(found)):
        assert not held[member][~found.train[member]].any()
        assert not set(data.group[held[member]]) & set(data.group[found.train[member] & ~held[member]])
        assert held[member].sum() / found.train[member].sum() == pytest.approx(0.2, abs=0.05)
    with pytest.raises(InputError, match="two groups"):
        hold_out(found.train, np.full(ROWS, "one"), 0.2, found.keys())


# scalers


def test_scalers_see_training_rows_alone():
    data = scale()
    found = members(data)
    scalers = fit_scalers(model(), data, found)
    for member in range(len(found)):
        seen = data.x["descriptors"][found.train[member]]
        np.testing.assert_allclose(scalers["descriptors"].mean[member], seen.mean(axis=0))
        np.testing.assert_allclose(scalers["descriptors"].std[member], seen.std(axis=0))
    assert (scalers["A"].mean == 0).all()
    assert (scalers["A"].std == 1).all()
    everything = fit_scalers(model(Training(scale_on="all")), data, found)
    np.testing.assert_allclose(everything["gap"].mean, data.y["gap"].mean())
    plain = fit_scalers(model(heads={"gap": Head(standardise=False)}), data, found)
    assert (plain["gap"].std == 1).all()


def test_scaler_of_constant_and_of_member_columns():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 30, 3)) * [1.0, 5.0, 0.0] + 0.1
    rows = rng.random((2, 30)) < 0.7
    scaler = Scaler.fit(values, rows)
    assert (scaler.std[:, 2] == 1).all()
    np.testing.assert_allclose(scaler.mean[1], values[1][rows[1]].mean(axis=0))
    np.testing.assert_allclose(scaler.restore(scaler.transform(values)), values)


def test_a_saturated_latent_does_not_make_outliers():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 30, 3)) * [1.0, 1e-6, 1e-6]
    values[:, -1, 1] = 0.5
    rows = np.tile(np.arange(30) < 29, (2, 1))
    latents = np.array([True, True, False])
    scaler = Scaler.fit(values, rows, latents)
    spread = values[:, :-1].std(axis=1)
    np.testing.assert_allclose(
        scaler.std, np.stack([spread[:, 0], 0.01 * spread[:, 0], spread[:, 2]], axis=1)
    )
    assert np.abs(scaler.transform(values)[:, -1, 1]).max() < 100


def test_a_block_made_of_columns_of_another_is_read(tmp_path):
    frame = pd.DataFrame({"material": list("abc"), "d0": [1.0, 2.0, 3.0], "d1": [0.0, 1.0, 0.0], "y": 1.0})
    path = write_features(tmp_path / "f.parquet", frame, {"all": ["d0", "d1"], "some": ["d1"]}, ["y"])
    data = ScaleData.read(path)
    assert data.columns == {"all": ["d0", "d1"], "some": ["d1"]}
    np.testing.assert_array_equal(data.x["some"][:, 0], frame["d1"])


# rows


def test_an_epoch_of_batches_holds_every_row_once():
    data = scale()
    found = members(data, seeds=1)
    rows = pack(model(), data, found, fit_scalers(model(), data, found), found.train, torch.device("cpu"))
    keys = torch.arange(len(found), dtype=torch.int32)
    seen = []
    for batch in rows.batches(7, keys, 1):
        valid = batch.weight > 0
        torch.testing.assert_close(
            batch.weight.sum(dim=1)[valid.any(dim=1)], torch.ones(valid.any(dim=1).sum())
        )
        seen.append(torch.where(valid, batch.targets["gap"][:, 0], torch.nan))
    together = torch.cat(seen, dim=1).numpy()
    for member in range(len(found)):
        expected = rows.targets["gap"][member, 0, : int(rows.count[member])].numpy()
        got = together[member][~np.isnan(together[member])]
        np.testing.assert_array_equal(np.sort(got), np.sort(expected))
        assert not np.array_equal(got, expected)
    again = [batch.inputs for batch in rows.batches(7, keys, 1)]
    other = [batch.inputs for batch in rows.batches(7, keys, 2)]
    assert not torch.equal(again[0], other[0])
    short = Rows(rows.inputs[:1], {}, rows.count[:1])
    first = next(iter(short.batches(7, keys[:1], 1))).inputs
    torch.testing.assert_close(first, again[0][:1])


# the optimiser


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_equals_torch(decay):
    torch.manual_seed(0)
    ours, theirs = torch.randn(3, 7), None
    theirs = torch.nn.Parameter(ours.clone())
    peer = torch.optim.AdamW([theirs], lr=0.05, weight_decay=decay)
    adam = Adam(ours, 0.05, decay)
    for step in range(40):
        gradient = torch.sin(theirs.detach() * (step + 1))
        theirs.grad = gradient
        peer.step()
        adam.step(ours, gradient)
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-6)


# training


def test_batched_members_equal_ordinary_training_of_each():
    data = scale()
    specification = model(penalties={"l1": 0.001})
    found = members(data, seeds=1)
    flat, scalers, _ = train_members(specification, data, found)
    for member in (0, 2):
        network = Autoencoder(specification, data.shapes, found.keys()[[member]].tolist())
        weight = {k: torch.nn.Parameter(v[0].clone()) for k, v in network.weights.items()}
        optimiser = torch.optim.Adam(weight.values(), lr=0.01)
        rows = found.train[member]
        scaled = {
            name: torch.tensor(scalers[name].transform(values)[member][rows], dtype=torch.float32)
            for name, values in {**data.x, "gap": data.y["gap"][:, None]}.items()
        }
        for _ in range(specification.training.epochs):
            x = torch.cat([scaled["descriptors"], scaled["A"]], dim=1)

            def linear(name, x, weight=weight):
                return x @ weight[f"{name}.weight"].T + weight[f"{name}.bias"][:, 0]

            z = torch.tanh(linear("encoder.1.latents", torch.nn.functional.silu(linear("encoder.0", x))))
            gap = linear("heads0.1.gap", torch.nn.functional.silu(linear("heads0.0", z)))
            blocks = linear("heads1.0", z)
            loss = torch.nn.functional.l1_loss(gap, scaled["gap"])
            loss = loss + torch.nn.functional.l1_loss(blocks[:, :3], scaled["descriptors"])
            loss = loss + torch.nn.functional.cross_entropy(blocks[:, 3:], scaled["A"])
            loss = loss + 0.001 * sum(value.abs().sum() for value in weight.values())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        alone = torch.cat([value.detach().flatten() for value in weight.values()])
        torch.testing.assert_close(flat[member], alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "training",
    [
        Training(epochs=20, learning_rate=0.01, seeds=2),
        Training(epochs=4, batch_size=8, learning_rate=0.01, weight_decay=0.1, schedule="cosine"),
        Training(epochs=60, learning_rate=0.02, stop="early", patience=5, holdout=0.2),
    ],
)
def test_chunks_change_nothing_but_rounding_and_runs_repeat_to_the_bit(training):
    data = scale()
    heads = {"gap": Head(hidden=(8,), dropout=0.2), "descriptors": Head()}
    specification, found = model(training, heads=heads), members(data, seeds=2)
    together, _, history = train_members(specification, data, found)
    again, _, history_again = train_members(specification, data, found)
    assert torch.equal(together, again)
    pd.testing.assert_frame_equal(history, history_again)
    assert len(chunk_members(specification, data, found, 1)) == len(found)
    alone, _, _ = train_members(specification, data, found, budget=1)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("stop", ["last", "early"])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_validation_rows_never_reach_the_weights(stop, batch_size):
    data = scale()
    found = members(data, seeds=1)
    one = found[np.flatnonzero(found.fold == 1)]
    out = one.validation[0]
    x = {name: np.where(out[:, None], 7.0 * value + 1, value) for name, value in data.x.items()}
    changed = replace(data, x=x, y={"gap": np.where(out, -99.0, data.y["gap"])})
    specification = model(Training(epochs=12, stop=stop, batch_size=batch_size, patience=3))
    first, _, curves = train_members(specification, data, one)
    second, _, others = train_members(specification, changed, one)
    assert torch.equal(first, second)
    train = curves["split"] == "train"
    np.testing.assert_array_equal(curves[train]["loss"], others[train]["loss"])
    assert not np.array_equal(curves[~train]["loss"], others[~train]["loss"])


def test_early_stopping_keeps_the_best_weights_and_frees_stopped_members():
    data = scale()
    rng = np.random.default_rng(0)
    data = replace(data, y={"gap": rng.normal(size=ROWS)})  # nothing to learn: members soon overfit
    training = Training(epochs=400, learning_rate=0.03, stop="early", patience=15, holdout=0.3)
    specification = model(training, encoder=Encoder(latents=4, hidden=(16,)))
    found = members(data, seeds=3)
    scalers = fit_scalers(specification, data, found)
    held = hold_out(found.train, data.group, 0.3, found.keys())

    def rows(chosen):
        return pack(specification, data, found, scalers, chosen, torch.device("cpu"))

    network = Autoencoder(specification, data.shapes, found.keys().tolist())
    keys = torch.zeros(len(found), dtype=torch.int32)
    trainer = Trainer(network, training, keys, rows(found.train & ~held), rows(held), None)
    scores = []
    judge = trainer._judge

    def spy(holdout, epoch):
        score = np.full(len(found), np.inf)
        with torch.no_grad():
            score[trainer.alive.numpy()] = trainer.model.loss(holdout.full_batch())["gap"].numpy()
        scores.append(score)
        judge(holdout, epoch)

    trainer._judge = spy
    curves = trainer.fit()
    scores = np.array(scores)
    assert (curves.stopped < 400).all()
    assert len(set(curves.stopped)) > 1
    final = network.loss(rows(held).full_batch())["gap"].numpy()
    for member in range(len(found)):
        until = scores[: curves.stopped[member], member]
        assert final[member] == pytest.approx(until.min(), rel=1e-5)
        assert curves.stopped[member] - 1 - until.argmin() == training.patience
    history = curves.frame(np.arange(len(found)))
    assert (history.groupby("member")["epoch"].max().to_numpy() <= curves.stopped).all()
    assert set(history["split"]) == {"train", "holdout"}


def test_learning_curves_fall_and_are_thinned():
    data = scale()
    _, _, history = train_members(model(Training(epochs=250, learning_rate=0.01)), data, members(data))
    total = history.query("term == 'total' and split == 'train'").groupby("epoch")["loss"].mean()
    assert len(total) == 100
    assert total.iloc[-1] < 0.7 * total.iloc[0]
    assert {"gap", "descriptors", "A", "total"} == set(history["term"])
    whole = history.query("split == 'validation'")["member"]
    assert set(whole) == set(np.flatnonzero(members(data).fold >= 0))


def test_divergence_is_a_clear_error():
    data = scale()
    specification = model(Training(epochs=40, learning_rate=1e12), heads={"gap": Head(loss="mse")})
    specification = replace(specification, encoder=Encoder(latents=2, latent_activation="identity"))
    with pytest.raises(InputError, match="lower the learning rate"):
        train_members(specification, data, members(data))


def test_progress_goes_to_the_log_without_a_terminal(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    clock = iter(np.arange(0.0, 100.0, 4.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.reporting("gap", 80, "member epochs") as report:
        for epoch in range(1, 11):
            report(8 * epoch, lambda: "loss 0.25")
    assert 3 <= len(caplog.records) <= 4
    assert caplog.messages[0] == "gap: 24 of 80 member epochs, 2/s, loss 0.25, about 28 s left"


# data and checkpoints


def test_parent_members_are_matched_by_repeat_fold_inner_fold_and_seed():
    keys = [(0, -1, -1, 1), (0, -1, -1, 0), (0, 0, -1, 1), (0, 0, -1, 0), (0, 1, -1, 0), (0, 1, -1, 1)]
    keys += [(0, 0, 2, 0), (0, -1, 2, 0)]
    parent = ParentLatents(*np.array(keys).T, np.empty((8, 1, 1)))
    child = [(0, 0, -1, 0), (0, 1, -1, 1), (0, 0, -1, 3), (0, -1, -1, 0), (0, 7, -1, 0), (1, 0, -1, 1)]
    assert parent.of(*np.array(child).T).tolist() == [3, 5, 2, 1, 1, 0]
    # Of an inner fold; a fold that the parent does not know it cannot have seen in part either.
    child = [(0, 0, 2, 1), (0, -1, 2, 0), (0, 7, 2, 1)]
    assert parent.of(*np.array(child).T).tolist() == [6, 7, 0]
    for repeat, fold, inner, seed in [(0, 1, 2, 1), (0, 0, 1, 0), (0, -1, 0, 0)]:
        with pytest.raises(InputError, match=f"fold {fold}, none for inner fold {inner}"):
            parent.of(*np.array([[repeat], [fold], [inner], [seed]]))
    with pytest.raises(InputError, match="no member for repeat 0, fold 5"):
        ParentLatents(*(np.array([2]),) * 4, np.empty((1, 1, 1))).of(*np.array([[0], [5], [-1], [0]]))


def test_a_parent_of_another_protocol_is_read_by_its_members_of_all_rows():
    keys = np.array([[0, -1, -1, 0], [0, -1, -1, 1]])
    parent = ParentLatents(*keys.T, np.empty((2, 1, 1)))
    children = np.array([[0, -1, -1, 0], [0, -1, 0, 1], [0, 3, -1, 1], [1, 2, 1, 0]])
    assert parent.of(*children.T).tolist() == [0, 1, 1, 0]


def trained(data: ScaleData, specification: Specification) -> Trained:
    found = members(data)
    flat, scalers, _ = train_members(specification, data, found)
    return Trained.of(data, found, flat, scalers, specification, ModelKey("fine", "strict", "nae"))


def test_checkpoint_round_trip(tmp_path):
    data = scale()
    heads = {"gap": Head(hidden=(4,), loss="gaussian_nll"), "A": Head(loss="cross_entropy")}
    before = trained(data, model(Training(epochs=5), heads=heads, penalties={"l1": 0.1}))
    before.save(tmp_path / "m.safetensors", tmp_path / "m.json")
    after = Trained.load(tmp_path / "m.safetensors")
    assert after.specification == before.specification
    assert after.units["gap"] == "eV"
    assert after.facts["threads"] == 1
    assert torch.equal(after.flat, before.flat)
    pd.testing.assert_frame_equal(after.members, before.members)
    index = np.array([3, 0])
    for first, second in zip(before.apply(data.x, index), after.apply(data.x, index), strict=True):
        np.testing.assert_equal(first, second)
    z, predicted = after.apply(data.x, index)
    assert z.shape == (2, ROWS, 2)
    assert predicted["gap"][1].min() > 0


def test_predictions_are_in_the_units_of_the_target():
    data = scale()
    shifted = replace(data, y={"gap": 1000 * data.y["gap"] + 5000})
    specification = model(Training(epochs=150, learning_rate=0.02))
    _, small = trained(data, specification).apply(data.x, np.array([0]))
    _, large = trained(shifted, specification).apply(data.x, np.array([0]))
    np.testing.assert_allclose(large["gap"][0], 1000 * small["gap"][0] + 5000, rtol=0.01)
    assert np.abs(small["gap"][0] - data.y["gap"]).mean() < 0.5 * data.y["gap"].std()


@pytest.mark.parametrize("damage", ["missing", "text", "card", "tensor"])
def test_damaged_checkpoints_are_named(tmp_path, damage):
    data, file, card = scale(), tmp_path / "m.safetensors", tmp_path / "m.json"
    whole = trained(data, model(Training(epochs=1)))
    whole.save(file, card)
    if damage == "missing":
        file.unlink()
    elif damage == "text":
        file.write_text("not weights")
    elif damage == "card":
        card.write_text(card.read_text()[:100])
    else:
        content = json.loads(card.read_text())
        content["specification"]["encoder"]["hidden"] = [6, 6]
        card.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"m\.safetensors"):
        Trained.load(file)


def test_specification_survives_json():

    specification = model(Training(batch_size=3), penalties={"l2": 0.5}, parent_model="other")
    assert specification_from(json.loads(json.dumps(specification.as_dict()))) == specification


@pytest.mark.parametrize("loss", ["mae", "mse", "huber", "gaussian_nll"])
def test_a_floor_is_kept_in_value_and_left_by_the_slope(loss):
    data = scale()
    floor = float(np.quantile(data.y["gap"], 0.6))
    latent, data = data.y["gap"], replace(data, y={"gap": data.y["gap"].clip(floor)})
    parts = members(data)
    specification = model(
        Training(epochs=150, learning_rate=0.02),
        heads={"gap": Head(hidden=(8,), loss=loss, floor=floor)},
    )
    flat, scalers, _ = train_members(specification, data, parts, device="cpu")
    done = Trained.of(data, parts, flat, scalers, specification, ModelKey("s", "p", "m"))
    blocks = {name: torch.from_numpy(data.x[name]).requires_grad_(True) for name in specification.inputs}
    predicted = done.forward(blocks, np.arange(len(parts)))[1]["gap"][0]
    assert predicted.min().item() == floor
    below = (predicted == floor).all(dim=0)
    assert below.float().mean() > 0.2
    [slope] = torch.autograd.grad(predicted[:, below].sum(), blocks["descriptors"])
    assert (slope[below].abs().sum(dim=1) > 0).all()
    error = np.abs(predicted.detach().numpy().mean(axis=0) - data.y["gap"])
    assert error.mean() < 0.5 * np.abs(data.y["gap"] - data.y["gap"].mean()).mean()
    assert (latent[below.numpy()] <= floor).mean() > 0.7


def test_targets_below_a_floor_are_an_error():
    data = scale()
    specification = model(heads={"gap": Head(floor=float(np.median(data.y["gap"])))})
    with pytest.raises(InputError, match="a floor that targets lie below"):
        train_members(specification, data, members(data), device="cpu")
