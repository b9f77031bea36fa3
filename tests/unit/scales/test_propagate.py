"""Latents of a scale for the rows of another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.scales.chain import predict_chain
from nestmat.scales.propagate import propagate_latents
from nestmat.training.checkpoints import Trained
from nestmat.training.scale_data import ScaleData
from support.trained_scales import FOLDS, model, train, write_scale


def test_latents_of_its_own_rows_propagate_unchanged(chain, tmp_path):
    propagate_latents(chain / "fine.safetensors", chain / "fine.parquet", tmp_path / "again.parquet")
    key = ["member", "repeat", "fold", "inner", "seed", "row_id"]
    own = tables.read(chain / "fine.latents.parquet")
    again = tables.read(tmp_path / "again.parquet")
    assert set(own["inner"]) == {-1}
    assert set(again["inner"]) == {-1, 1, 2, 3}
    whole = again[again["inner"] == -1].reset_index(drop=True)
    pd.testing.assert_frame_equal(own[[*key, "z0", "z1"]], whole[[*key, "z0", "z1"]])
    split = own[own["fold"] == 1].set_index("row_id")["split"]
    folds = tables.read(chain / "fine.folds.parquet").set_index("row_id")["fold"]
    assert ((split == "validation") == (folds.loc[split.index] == 1)).all()


def test_a_child_reads_the_parent_member_of_its_fold_and_of_its_pair(chain):
    trained = Trained.load(chain / "middle.safetensors")
    propagated = tables.read(chain / "fine__middle.parquet")
    features = tables.read(chain / "middle.parquet")
    latents = tables.read(chain / "middle.latents.parquet")
    for member in trained.members[trained.members["inner"] == -1].itertuples():
        keys = {"fold": member.fold, "inner": -1, "seed": member.seed % 2}
        theirs = propagated[(propagated[list(keys)] == keys).all(axis=1)].set_index("row_id")
        z = theirs.loc[features["row_id"], ["z0", "z1"]].to_numpy(np.float64)
        blocks = {"descriptors": features[["d0", "d1", "d2"]].to_numpy(), "fine": z}
        found, _ = trained.apply(blocks, np.array([member.member]))
        expected = latents[latents["member"] == member.member][["z0", "z1"]].to_numpy()
        np.testing.assert_allclose(found[0], expected, atol=1e-6)
    # Members of a pair leave no latents, but predictions for both stacks: the mean over their seeds.
    predictions = tables.read(chain / "middle.predictions.parquet", split="inner")
    groups = trained.members[trained.members["inner"] >= 0].groupby(["fold", "inner"])
    assert len(groups) == FOLDS * (FOLDS - 1) / 2
    for (fold, inner), group in groups:
        of_pair = predictions[["fold", "inner"]].isin([fold, inner]).all(axis=1)
        stored = predictions[of_pair]
        assert set(stored["fold"]) == {fold, inner}
        rows = features.set_index("row_id").loc[stored["row_id"]]
        means = []
        for member in group.itertuples():
            theirs = tables.read(chain / "fine__middle.parquet", fold=fold, inner=inner, seed=member.seed % 2)
            z = theirs.set_index("row_id").loc[stored["row_id"], ["z0", "z1"]].to_numpy(np.float64)
            blocks = {"descriptors": rows[["d0", "d1", "d2"]].to_numpy(), "fine": z}
            means.append(trained.apply(blocks, np.array([member.member]))[1]["middle_y"][0][0])
        np.testing.assert_allclose(np.mean(means, axis=0), stored["mean"], atol=1e-6)


@pytest.mark.parametrize("lacking", ["fine", "middle"])
def test_a_chain_of_which_one_scale_has_no_row_in_a_fold(tmp_path, lacking):
    for name in ("fine", "middle"):
        write_scale(tmp_path, name, 20, lambda d, k: d[:, 0], count=5)
    some = (tables.read(tmp_path / f"{lacking}.folds.parquet")["fold"] != 4).to_numpy()
    for path in (tmp_path / f"{lacking}.parquet", tmp_path / f"{lacking}.folds.parquet"):
        tables.write(path, tables.read(path)[some], tables.schema(path), tables.provenance(path))
    train(tmp_path, "fine", model("fine_y", epochs=2), stacked=True)
    propagate_latents(tmp_path / "fine.safetensors", tmp_path / "middle.parquet", tmp_path / "p.parquet")
    nested = model("middle_y", "fine", epochs=2)
    train(tmp_path, "middle", nested, parents={"fine": tmp_path / "p.parquet"}, stacked=True)
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
    assert len(every.values) == 2 * (FOLDS * (FOLDS - 1) // 2 + FOLDS + 1)
    assert len(outer.values) == 2 * (FOLDS + 1)
    np.testing.assert_array_equal(outer.values, every.values[every.inner == -1])
    # A protocol that the parent does not know has its members of all rows, whatever is asked for.
    np.testing.assert_array_equal(whole.values, every.values[(every.fold == -1) & (every.inner == -1)])


def test_passed_predictions_are_the_parents_ensemble(chain):
    passed = tables.read(chain / "middle__coarse.parquet", fold=-1, inner=-1, seed=0)
    weights = {name: chain / f"{name}.safetensors" for name in ("fine", "middle")}
    rows = tables.read(chain / "coarse.parquet")
    mean, std = predict_chain(weights, dict.fromkeys(weights, rows))["middle"].targets["middle_y"]
    np.testing.assert_allclose(passed["middle_y.mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(passed["middle_y.std"], std, rtol=1e-3, atol=1e-5)
    assert tables.schema(chain / "middle__coarse.parquet")["middle_y.std"].unit == "eV"


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
