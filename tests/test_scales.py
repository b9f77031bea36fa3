from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.errors import InputError
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Encoder, Head, Specification, Training
from nestmat.plan.jobs import Jobs
from nestmat.scales.chain import Chain, predict_chain
from nestmat.scales.joint import JointParent, joint_parents
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.sweep import SWEEP, SweepJob, sweep_latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.tables import Column
from nestmat.training.checkpoints import Trained
from nestmat.training.inner_folds import merged_inner_folds
from nestmat.training.scale_data import ScaleData

FOLDS = 3


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def write_scale(
    folder: Path, name: str, rows: int, target, seed: int = 0, levels: int = 3, count: int = FOLDS
) -> None:
    """Features and folds of a scale whose target is a function of its descriptors."""
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(rows, 3))
    level = rng.integers(levels, size=rows)
    groups = [f"m{i // 2}" for i in range(rows)]
    frame = pd.DataFrame({"row_id": np.arange(rows) + 10, "formula": "", "material": groups, "group": groups})
    schema = {key: Column("int64" if key == "row_id" else "string", role="key") for key in frame}
    for i in range(3):
        frame[f"d{i}"] = descriptors[:, i]
        schema[f"d{i}"] = Column("float64", role="feature", block="descriptors", unit="u")
    for k in range(levels):
        frame[f"layer={k}"] = (level == k).astype(float)
        schema[f"layer={k}"] = Column("float64", role="feature", block="layer")
    frame[f"{name}_y"] = target(descriptors, level)
    schema[f"{name}_y"] = Column("float64", role="target", unit="eV")
    blocks = {
        "descriptors": {"kind": "continuous", "columns": ["d0", "d1", "d2"]},
        "layer": {"kind": "categorical", "columns": [f"layer={k}" for k in range(levels)]},
    }
    tables.write(folder / f"{name}.parquet", frame, schema, {"blocks": blocks})
    fold = np.arange(rows) // 2 % count
    folds = pd.DataFrame(
        {"protocol": "strict", "repeat": 0, "row_id": frame["row_id"], "material": groups, "fold": fold}
    )
    folds = folds.assign(role="labelled", together=-1)
    tables.write(folder / f"{name}.folds.parquet", folds, tables.FOLDS, {"folds": {"strict": count}})


def outputs(folder: Path, name: str) -> dict[str, Path]:
    keys = ("history", "predictions", "latents")
    paths = {key: folder / f"{name}.{key}.parquet" for key in keys}
    return {"weights": folder / f"{name}.safetensors", "card": folder / f"{name}.json", **paths}


def train(folder: Path, name: str, specification: Specification, **options) -> Trained:
    return train_scale(
        TrainingJob(
            key=ModelKey(name, "strict", "nae"),
            specification=specification,
            features=folder / f"{name}.parquet",
            folds=folder / f"{name}.folds.parquet",
            **outputs(folder, options.pop("into", name)),
            **options,
        )
    )


def model(target: str, *inputs: str, heads: dict | None = None, **training) -> Specification:
    options = {"epochs": 20, "learning_rate": 0.02, "seeds": 2, **training}
    return AutoencoderSpecification(
        inputs=("descriptors", *inputs),
        encoder=Encoder(latents=2, hidden=(6,)),
        heads={target: Head(hidden=(8,)), **(heads or {})},
        training=Training(**options),
    )


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Path:
    """Three scales: fine -> middle -> coarse, trained and propagated; the middle passes its prediction on."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("chain")
    write_scale(folder, "fine", 40, lambda d, k: 3 + d[:, 0] * d[:, 1])
    write_scale(folder, "middle", 30, lambda d, k: 5 + d[:, 0] + k, seed=1)
    write_scale(folder, "coarse", 24, lambda d, k: d[:, 2] - k, seed=2)
    train(folder, "fine", model("fine_y", "layer"), inner_folds=2)
    propagate_latents(folder / "fine.safetensors", folder / "middle.parquet", folder / "fine__middle.parquet")
    propagate_latents(folder / "fine.safetensors", folder / "coarse.parquet", folder / "fine__coarse.parquet")
    nested = model("middle_y", "fine", heads={"fine": Head()}, seeds=3)
    train(folder, "middle", nested, parents={"fine": folder / "fine__middle.parquet"}, inner_folds=2)
    propagate_latents(
        folder / "middle.safetensors",
        folder / "coarse.parquet",
        folder / "middle__coarse.parquet",
        parents={"fine": folder / "fine__coarse.parquet"},
        pass_prediction=True,
    )
    nested = model("coarse_y", "middle", batch_size=5, epochs=5)
    train(folder, "coarse", nested, parents={"middle": folder / "middle__coarse.parquet"})
    return folder


def test_predictions_cover_every_member_once(chain):
    found = tables.read(chain / "fine.predictions.parquet")
    key = ["target", "row_id", "fold", "inner", "seed", "split"]
    assert not found.duplicated(key).any()
    truth = tables.read(chain / "fine.parquet").set_index("row_id")["fine_y"]
    np.testing.assert_array_equal(found["true"], truth.loc[found["row_id"]])
    validation = found[found["split"] == "validation"]
    assert (validation.groupby("seed")["row_id"].nunique() == 40).all()
    assert set(validation["seed"]) == {-1, 0, 1}
    inner = found[found["split"] == "inner"]
    assert set(inner["seed"]) == {-1}
    assert set(inner["fold"]) == {-1, 0, 1, 2}
    assert set(found[found["fold"] == -1]["split"]) == {"train", "inner"}
    whole = inner[inner["fold"] == -1]
    assert sorted(whole["row_id"]) == sorted(truth.index)


def test_a_scale_without_targets_predicts_nothing_and_has_latents(tmp_path):
    write_scale(tmp_path, "fine", 12, lambda d, k: d[:, 0])
    train(tmp_path, "fine", replace(model("fine_y"), heads={"descriptors": Head()}))
    found = tables.read(tmp_path / "fine.predictions.parquet")
    assert found.empty
    assert list(found) == list(tables.PREDICTIONS)
    assert len(tables.read(tmp_path / "fine.latents.parquet")) == 2 * (FOLDS + 1) * 12


def test_reconstruction_is_that_of_rows_left_out(tmp_path):
    write_scale(tmp_path, "fine", 60, lambda d, k: d[:, 0])
    heads = {"descriptors": Head(), "layer": Head(loss="cross_entropy")}
    specification = model("fine_y", "layer", heads=heads, epochs=200)
    trained = train(tmp_path, "fine", specification, inner_folds=2)
    found = json.loads((tmp_path / "fine.json").read_text())["facts"]["reconstruction"]
    assert set(found) == set(heads)
    known = ((trained.members["fold"] >= 0) & (trained.members["inner"] == -1)).to_numpy()
    for block, values in found.items():
        assert [value is not None for value in values] == known.tolist(), block
        assert all(value <= 1 for value in values if value is not None)
    first = int(np.flatnonzero(known)[0])
    data = ScaleData.read(tmp_path / "fine.parquet")
    folds = tables.read(tmp_path / "fine.folds.parquet")
    rows = (folds["fold"] == trained.members["fold"][first]).to_numpy()
    z, _ = trained.apply({name: data.x[name][rows] for name in ("descriptors", "layer")}, np.array([first]))
    decoded = trained.network(np.array([first])).decode(torch.from_numpy(z))["layer"][0].numpy()
    true = data.x["layer"][rows]
    expected = 1 - ((true - decoded) ** 2).sum() / ((true - true.mean(axis=0)) ** 2).sum()
    assert found["layer"][first] == pytest.approx(expected, abs=1e-5)


def test_ensemble_is_the_mixture_of_its_seeds(chain):
    found = tables.read(chain / "fine.predictions.parquet", split="validation")
    wide = found.pivot(index="row_id", columns="seed", values=["mean", "std"])
    seeds = wide["mean"][[0, 1]]
    np.testing.assert_allclose(wide["mean"][-1], seeds.mean(axis=1))
    np.testing.assert_allclose(wide["std"][-1], seeds.std(axis=1, ddof=0))
    assert wide["std"][[0, 1]].isna().all().all()


def test_latents_of_its_own_rows_propagate_unchanged(chain, tmp_path):
    propagate_latents(chain / "fine.safetensors", chain / "fine.parquet", tmp_path / "again.parquet")
    key = ["member", "repeat", "fold", "inner", "seed", "row_id"]
    own = tables.read(chain / "fine.latents.parquet")
    again = tables.read(tmp_path / "again.parquet")
    assert set(own["inner"]) == {-1}
    assert set(again["inner"]) == {-1, 0, 1}
    whole = again[again["inner"] == -1].reset_index(drop=True)
    pd.testing.assert_frame_equal(own[[*key, "z0", "z1"]], whole[[*key, "z0", "z1"]])
    split = own[own["fold"] == 1].set_index("row_id")["split"]
    folds = tables.read(chain / "fine.folds.parquet").set_index("row_id")["fold"]
    assert ((split == "validation") == (folds.loc[split.index] == 1)).all()


def test_a_child_reads_the_parent_member_of_its_fold_and_inner_fold(chain):
    trained = Trained.load(chain / "middle.safetensors")
    propagated = tables.read(chain / "fine__middle.parquet")
    features = tables.read(chain / "middle.parquet")
    latents = tables.read(chain / "middle.latents.parquet")
    assert set(trained.members["inner"]) == {-1, 0, 1}
    for member in trained.members[trained.members["inner"] == -1].itertuples():
        keys = {"fold": member.fold, "inner": -1, "seed": member.seed % 2}
        theirs = propagated[(propagated[list(keys)] == keys).all(axis=1)].set_index("row_id")
        z = theirs.loc[features["row_id"], ["z0", "z1"]].to_numpy(np.float64)
        blocks = {"descriptors": features[["d0", "d1", "d2"]].to_numpy(), "fine": z}
        found, _ = trained.apply(blocks, np.array([member.member]))
        expected = latents[latents["member"] == member.member][["z0", "z1"]].to_numpy()
        np.testing.assert_allclose(found[0], expected, atol=1e-6)
    # Members of an inner fold leave no latents, but predictions: the mean over their seeds.
    predictions = tables.read(chain / "middle.predictions.parquet", split="inner")
    groups = trained.members[trained.members["inner"] >= 0].groupby(["fold", "inner"])
    assert len(groups) == 2 * (FOLDS + 1)
    for (fold, inner), group in groups:
        stored = predictions[(predictions["fold"] == fold) & (predictions["inner"] == inner)]
        rows = features.set_index("row_id").loc[stored["row_id"]]
        means = []
        for member in group.itertuples():
            theirs = tables.read(chain / "fine__middle.parquet", fold=fold, inner=inner, seed=member.seed % 2)
            z = theirs.set_index("row_id").loc[stored["row_id"], ["z0", "z1"]].to_numpy(np.float64)
            blocks = {"descriptors": rows[["d0", "d1", "d2"]].to_numpy(), "fine": z}
            means.append(trained.apply(blocks, np.array([member.member]))[1]["middle_y"][0][0])
        np.testing.assert_allclose(np.mean(means, axis=0), stored["mean"], atol=1e-6)


def test_a_parent_without_a_stack_is_trained_on_the_inner_folds_of_its_child(tmp_path):
    def scale(name: str, *inputs: str, **more) -> dict:
        features = {"descriptors": {"columns": ["d0", "d1", "d2"]}}
        nae = {"inputs": ["descriptors", *inputs], "encoder": {"latents": 2}, "heads": {f"{name}_y": {}}}
        return {
            "dataset": "rows",
            "targets": [f"{name}_y"],
            "features": features,
            "models": {"nae": {"specification": nae}},
            **more,
        }

    study = study_from(
        {
            "study": "s",
            "title": "t",
            "question": "q",
            "datasets": {"rows": {"title": "t", "file": "t.csv", "columns": {}}},
            "scales": {
                "fine": scale("fine"),
                "coarse": scale(
                    "coarse", "fine", parents=["fine"], recommended={"stack": ["nae"], "inner_folds": 2}
                ),
            },
        }
    )
    wildcards = SimpleNamespace(scale="fine", model="nae", protocol="strict")
    write_scale(tmp_path, "fine", 12, lambda d, k: d[:, 0])
    inner = Jobs(study).inner_folds(wildcards)
    trained = train(tmp_path, "fine", model("fine_y", epochs=1), inner_folds=inner)
    assert set(trained.members["inner"]) == {-1, 0, 1}


@pytest.mark.parametrize("lacking", ["fine", "middle"])
def test_a_chain_of_which_one_scale_has_no_row_in_a_fold(tmp_path, lacking):
    for name in ("fine", "middle"):
        write_scale(tmp_path, name, 20, lambda d, k: d[:, 0], count=5)
    some = (tables.read(tmp_path / f"{lacking}.folds.parquet")["fold"] != 4).to_numpy()
    for path in (tmp_path / f"{lacking}.parquet", tmp_path / f"{lacking}.folds.parquet"):
        tables.write(path, tables.read(path)[some], tables.schema(path), tables.provenance(path))
    train(tmp_path, "fine", model("fine_y", epochs=2), inner_folds=3)
    propagate_latents(tmp_path / "fine.safetensors", tmp_path / "middle.parquet", tmp_path / "p.parquet")
    nested = model("middle_y", "fine", epochs=2)
    train(tmp_path, "middle", nested, parents={"fine": tmp_path / "p.parquet"}, inner_folds=3)
    for name in ("fine", "middle"):
        trained = Trained.load(tmp_path / f"{name}.safetensors")
        assert set(trained.members["fold"]) == {-1, 0, 1, 2, 3, 4}
        predictions = tables.read(tmp_path / f"{name}.predictions.parquet", split="validation")
        assert set(predictions["fold"]) == set(range(4 + (name != lacking)))


def test_a_protocol_that_the_parent_does_not_know_reads_its_members_of_all_rows(chain):
    data = ScaleData.read(chain / "middle.parquet")
    keys = (np.zeros(3, int), np.array([0, 2, -1]), np.full(3, -1), np.array([1, 1, 1]))
    latents = {
        protocol: data.with_propagated("fine", chain / "fine__middle.parquet", protocol).block("fine", *keys)
        for protocol in ("strict", "leave_one_out")
    }
    assert not np.allclose(latents["strict"][0], latents["strict"][2])
    for member in latents["leave_one_out"]:
        np.testing.assert_array_equal(member, latents["strict"][2])


def test_of_propagated_latents_only_the_members_asked_for_are_held(chain):
    data, path = ScaleData.read(chain / "middle.parquet"), chain / "fine__middle.parquet"
    every, outer, whole = (
        data.with_propagated("fine", path, protocol, **members).parents["fine"]
        for protocol, members in (("strict", {}), ("strict", {"inner": -1}), ("other", {"inner": 0}))
    )
    assert len(every.values) == 2 * 3 * (FOLDS + 1)
    assert len(outer.values) == 2 * (FOLDS + 1)
    np.testing.assert_array_equal(outer.values, every.values[every.inner == -1])
    # A protocol that the parent does not know has its members of all rows, whatever is asked for.
    np.testing.assert_array_equal(whole.values, every.values[(every.fold == -1) & (every.inner == -1)])


def test_a_material_left_out_of_a_fold_or_inner_fold_does_not_change_its_latents(chain, tmp_path):
    frame = tables.read(chain / "fine.parquet")
    folds = tables.read(chain / "fine.folds.parquet")
    out = folds["fold"].to_numpy() == 1
    [inner] = set(merged_inner_folds(folds["fold"].to_numpy(), 0, 0, 2, FOLDS)[out])
    frame.loc[out, "fine_y"] = -50.0
    facts, schema = tables.provenance(chain / "fine.parquet"), tables.schema(chain / "fine.parquet")
    tables.write(tmp_path / "fine.parquet", frame, schema, {"blocks": facts["blocks"]})
    shutil.copy(chain / "fine.folds.parquet", tmp_path)
    train(tmp_path, "fine", model("fine_y", "layer"), inner_folds=2)
    propagate_latents(tmp_path / "fine.safetensors", chain / "middle.parquet", tmp_path / "p.parquet")
    columns = ["row_id", "z0", "z1"]
    left_out = {(1, -1), (1, 0), (1, 1), (0, inner)}
    for fold, k in left_out | {(0, -1), (0, 1 - inner)}:
        before, after = (
            tables.read(file, fold=fold, inner=k)[columns].reset_index(drop=True)
            for file in (chain / "fine__middle.parquet", tmp_path / "p.parquet")
        )
        assert np.allclose(before, after, atol=1e-5) == ((fold, k) in left_out)


def test_prediction_along_the_chain_equals_training(chain):
    rows = tables.read(chain / "coarse.parquet")
    weights = {name: chain / f"{name}.safetensors" for name in ("fine", "middle", "coarse")}
    found = predict_chain(weights, dict.fromkeys(weights, rows))
    trained = tables.read(chain / "coarse.predictions.parquet", fold=-1, seed=-1)
    mean, std = found["coarse"].targets["coarse_y"]
    expected = trained.set_index("row_id").loc[rows["row_id"]]
    np.testing.assert_allclose(mean, expected["mean"], atol=1e-5)
    np.testing.assert_allclose(std, expected["std"], atol=1e-5)
    assert found["coarse"].units == {"coarse_y": "eV"}


def test_passed_predictions_are_the_parents_ensemble(chain):
    passed = tables.read(chain / "middle__coarse.parquet", fold=-1, inner=-1, seed=0)
    weights = {name: chain / f"{name}.safetensors" for name in ("fine", "middle")}
    rows = tables.read(chain / "coarse.parquet")
    mean, std = predict_chain(weights, dict.fromkeys(weights, rows))["middle"].targets["middle_y"]
    np.testing.assert_allclose(passed["middle_y.mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(passed["middle_y.std"], std, rtol=1e-3, atol=1e-5)
    assert tables.schema(chain / "middle__coarse.parquet")["middle_y.std"].unit == "eV"


def test_chain_without_the_parent_is_an_error(chain):
    rows = tables.read(chain / "coarse.parquet")
    with pytest.raises(InputError, match="latents of 'middle'"):
        predict_chain({"coarse": chain / "coarse.safetensors"}, {"coarse": rows})
    with pytest.raises(InputError, match=r"lack"):
        predict_chain({"fine": chain / "fine.safetensors"}, {"fine": rows.drop(columns="d1")})


def test_child_rows_without_a_level_of_the_parent_are_an_error(chain, tmp_path):
    write_scale(tmp_path, "child", 10, lambda d, k: d[:, 0], levels=2)
    with pytest.raises(InputError, match="layer=2"):
        propagate_latents(chain / "fine.safetensors", tmp_path / "child.parquet", tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_parent_without_some_rows_of_the_child_is_an_error(chain, tmp_path):
    with pytest.raises(InputError, match="lacks finite latents for 6 rows"):
        train(
            chain,
            "middle",
            model("middle_y", "fine"),
            parents={"fine": chain / "fine__coarse.parquet"},
            into=str(tmp_path / "x"),
        )
    assert not list(tmp_path.iterdir())


def test_features_that_are_not_finite_are_an_error(tmp_path):
    write_scale(tmp_path, "fine", 12, lambda d, k: np.where(d[:, 0] > 0, np.nan, 1.0))
    with pytest.raises(InputError, match="is not finite at row_id"):
        train(tmp_path, "fine", model("fine_y"))


def test_sweep_gives_every_size_on_every_fold(chain, tmp_path):
    sweep_latents(
        SweepJob(
            key=ModelKey("middle", "strict", "nae"),
            specification=model("middle_y", "fine", heads={"fine": Head()}),
            features=chain / "middle.parquet",
            folds=chain / "middle.folds.parquet",
            sweep=tmp_path / "sweep.parquet",
            sizes=[1, 3],
            epochs=3,
            parents={"fine": chain / "fine__middle.parquet"},
        )
    )
    found = tables.read(tmp_path / "sweep.parquet")
    assert list(found) == list(SWEEP)
    counts = found.groupby(["latents", "target", "metric"])["fold"].nunique()
    assert (counts == FOLDS).all()
    assert set(counts.index) == {
        (size, *rest)
        for size in (1, 3)
        for rest in (("middle_y", "mae"), ("middle_y", "rmse"), ("middle_y", "loss"), ("fine", "loss"))
    }


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


def test_joint_training_knows_no_inner_folds(joint):
    folder, child, parents = joint
    with pytest.raises(InputError, match="would see the rows of the child's inner folds"):
        train(folder, "coarse", child, joint=parents, inner_folds=2)


def test_the_chain_is_differentiable_in_the_features(chain):
    weights = {name: chain / f"{name}.safetensors" for name in ("fine", "middle", "coarse")}
    function = Chain(weights)
    generator = torch.Generator().manual_seed(0)
    features = {
        name: torch.randn(6, len(columns), generator=generator, dtype=torch.float64)
        for name, columns in function.columns.items()
    }
    first = next(iter(features))
    given = features[first].requires_grad_(True)
    last = list(weights)[-1]
    [(mean, std)] = function(features)[last].targets.values()
    [slope] = torch.autograd.grad(mean.sum(), given, retain_graph=True)
    direction = torch.randn(given.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        ends = [
            next(iter(function({**features, first: given + s * 1e-2 * direction})[last].targets.values()))[0]
            for s in (-1, 1)
        ]
    expected = (ends[1] - ends[0]).sum() / 2e-2
    assert (slope * direction).sum().item() == pytest.approx(expected.item(), rel=0.02, abs=1e-3)
    assert torch.isfinite(torch.autograd.grad(std.sum(), given)[0]).all()
