"""Tables of searches in the pool of a scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.search.pool.trials import ORDER, POOL, describe
from nestmat.training.scale_data import ScaleData
from support.pool_searches import search

torch.set_num_threads(1)


def test_tables_hold_the_labels_read_until_the_best_row(device_results):
    pool, order = (tables.read(device_results / f"pool/gap{end}.parquet") for end in ("", ".order"))
    assert list(pool) == list(POOL)
    assert list(order) == list(ORDER)
    facts = tables.provenance(device_results / "pool/gap.parquet")
    gaps = tables.read(device_results / "data/gaps.parquet")
    [best] = facts["best"]
    assert best["Gap"] == gaps["Gap"].max()
    assert best["formula"] == gaps.loc[gaps["Gap"].idxmax(), "formula"]
    keys = ["representation", "way", "batch", "trial"]
    by_search = order.groupby(keys)
    of = pool.set_index(keys).sort_index()
    assert (by_search.size() == of["seen"]).all()
    assert (by_search["value"].max().eq(best["Gap"]) == of["found"]).all()
    assert (by_search["row_id"].nunique() == of["seen"]).all()
    np.testing.assert_allclose(of["share"], of["seen"] / len(gaps))
    assert (of["start"] == 6).all()
    assert (of.loc[~of["found"], "seen"] == 26).all()
    # The same start rows in every way of searching.
    starts = order[order["place"] < 6].groupby(["trial", "place"])["row_id"].nunique()
    assert (starts == 1).all()
    assert of.loc["random", "found"].all()
    views = pool[pool["representation"] == "latents"]
    assert (views["view"] == views["trial"] % 2).all()


def test_searches_repeat_and_can_minimise(device_results, tmp_path):
    one, other = (search(device_results, tmp_path) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    search(device_results, tmp_path, goal="minimise")
    gaps = tables.read(device_results / "data/gaps.parquet")["Gap"]
    facts = tables.provenance(tmp_path / "pool.parquet")
    assert {row["Gap"] for row in facts["best"]} == {gaps.min()}
    order = tables.read(tmp_path / "order.parquet")
    assert (order[order["place"] < 6]["value"] > gaps.min()).all()


def test_rows_are_standardised_with_a_view_for_each_member(device_results):
    data = ScaleData.read(device_results / "features/gap.parquet")
    path = device_results / "latents/gap/strict/nestedae.parquet"
    x = describe(data, ["descriptors"], path)
    assert x.shape == (2, 120, 5)
    np.testing.assert_allclose(x.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=1), 1)
    np.testing.assert_array_equal(x[0, :, :3], x[1, :, :3])
    latents = tables.read(path, seed=1).set_index("row_id").loc[data.row_id, "z1"]
    assert np.corrcoef(x[1, :, 4], latents)[0, 1] == pytest.approx(1)


def test_a_row_without_latents_is_refused(device_results, tmp_path):
    path = device_results / "latents/gap/strict/nestedae.parquet"
    frame = tables.read(path)
    tables.write(tmp_path / "latents.parquet", frame[frame["row_id"] != 7], tables.schema(path))
    with pytest.raises(InputError, match="has no latents of members"):
        search(
            device_results, tmp_path, representations={"z": []}, latents={"z": tmp_path / "latents.parquet"}
        )
