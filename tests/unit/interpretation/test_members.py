from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nestmat import tables
from nestmat.errors import InputError
from nestmat.interpretation.members import Explained, players
from nestmat.interpretation.shapley import shapley_table
from support.trained_toy import ROWS, model_in


def test_members_left_a_fold_out(explained):
    assert explained.members[["fold", "seed"]].to_numpy().tolist() == [
        [f, s] for f in range(3) for s in range(2)
    ]
    assert explained.latents.shape == (6, ROWS, 3)
    assert explained.covered.all()
    np.testing.assert_array_equal((~explained.train).sum(axis=0), 2)


def test_members_of_a_fold_without_rows_are_not_explained(folder, tmp_path):
    latents = tables.read(folder / "latents.parquet")
    latents.loc[latents["fold"] == 2, "split"] = "train"
    path = tmp_path / "latents.parquet"
    tables.write(path, latents, tables.schema(folder / "latents.parquet"))
    found = Explained.read(replace(model_in(folder), latents=path))
    assert found.members[["fold", "seed"]].to_numpy().tolist() == [[f, s] for f in range(2) for s in range(2)]
    assert np.isfinite(shapley_table(found, {}, background=4, seed=0)["mean_abs"]).all()


def test_member_networks_give_the_stored_latents_and_predictions(folder, explained):
    inputs = explained.inputs()
    stored = tables.read(folder / "predictions.parquet").query("inner == -1 and fold >= 0 and seed >= 0")
    for m in range(6):
        network = explained.network(m)
        found = network.forward(inputs[m])
        latents = explained.latents[m]
        np.testing.assert_allclose(found[:, :3], latents[:, explained.alignment.order[m]], atol=1e-5)
        np.testing.assert_allclose(network.head(latents.astype(np.float32))[:, 0], found[:, 3], atol=1e-5)
        key = explained.members.iloc[m]
        mine = stored.query(f"fold == {key.fold} and seed == {key.seed}").set_index("row_id")["mean"]
        np.testing.assert_allclose(found[:, 3], mine.loc[explained.data.row_id], atol=1e-5)


def test_latents_of_parents_are_matched(explained):
    columns, alignment = explained.parents["fine"]
    assert columns == [0, 1, 2]
    np.testing.assert_allclose(alignment.stability, 1.0, atol=1e-6)
    order = explained.input_order()
    np.testing.assert_array_equal(order[:, :6], np.tile(np.arange(6), (6, 1)))
    matched = np.take_along_axis(explained.inputs(), order[:, None], axis=2)[:, :, 6:]
    for j in range(3):
        r = np.corrcoef(matched[:, :, j])
        np.testing.assert_allclose(np.abs(r), 1.0, atol=1e-5)


def test_interpretation_names_what_is_missing(folder):
    with pytest.raises(InputError, match="latents of the parent 'fine'"):
        Explained.read(replace(model_in(folder), parents={}))


def test_players_are_groups_classes_and_single_columns():
    columns, kinds = {"d": ["a", "b"], "s": ["s=1", "s=2"]}, {"d": "continuous", "s": "categorical"}
    assert players(columns, kinds, {}) == {"a": [0], "b": [1], "s": [2, 3]}
    assert players(columns, kinds, {"g": ["b", "s"]}) == {"g": [1, 2, 3], "a": [0]}
    twice = {"d": ["a", "b"], "e": ["b"]}
    assert players(twice, dict.fromkeys(twice, "continuous"), {}) == {"a": [0], "b": [1, 2]}
    for groups, message in (
        ({"g": ["x"]}, "not an input"),
        ({"g": ["a"], "h": ["d"]}, "group 'g' as well"),
        ({"g": []}, "holds no input"),
        ({"a": ["b"]}, "name of an input outside"),
    ):
        with pytest.raises(InputError, match=message):
            players(columns, kinds, groups)
