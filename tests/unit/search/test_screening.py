"""A screening keeps the best and a fair sample, however its space is cut into chunks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.errors import InputError
from nestmat.search.problem import Constraint, Problem, Target, order
from nestmat.search.screening import Screening, chunk_bounds, merge_screen, screen, screen_chunk
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval
from nestmat.search.spaces.pool import Pool
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

SCREENING = Screening(keep=40, sample=70, seed=3, batch=256)
UNITS = {"gap": "eV", "t": "nm"}
FACTS = {"study": "test"}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def space():
    return Product([Simplex(["a", "b", "c", "d"], 12, most=3), Interval("t", 0.0, 1.0, 11)])


def predict(x):
    """Products of matrices, whose last bits depend on how many rows there are."""
    generator = torch.Generator().manual_seed(0)
    first, last = (torch.randn(n, m, generator=generator, dtype=torch.float64) for n, m in ((5, 64), (64, 2)))
    gap, cost = (torch.tanh(x @ first.to(x)) @ last.to(x)).unbind(dim=1)
    return {"gap": (gap, 0.1 + cost.abs()), "cost": (cost, torch.full_like(cost, torch.nan))}


def problem(**changes):
    given = {
        "space": space(),
        "predict": predict,
        "targets": [Target("gap", "value", 1.35, tolerance=0.2)],
        "constraints": [Constraint("cost", high=2.0)],
    }
    return Problem(**(given | changes))


def everything(asked):
    return asked.evaluate(asked.space.from_index(np.arange(asked.space.n_grid_points)))


def merged(folder, asked, screening, chunks):
    """The merged file of so many chunks, as bytes."""
    parts = [folder / f"{k}.parquet" for k in range(chunks)]
    for k, part in enumerate(parts):
        screen_chunk(asked, part, screening, k, chunks, units=UNITS, facts=FACTS)
    merge_screen(parts[::-1], folder / "merged.parquet")
    return (folder / "merged.parquet").read_bytes()


def test_the_best_and_the_counts_are_those_of_all_materials():
    asked = problem()
    full = everything(asked)
    found = screen(asked, SCREENING, 0, asked.space.n_grid_points)
    best = found.table[found.table["kind"] == "best"]
    wanted = full.iloc[order(full)[: SCREENING.keep]]
    np.testing.assert_allclose(best["distance"], wanted["distance"], rtol=1e-4, atol=1e-5)
    assert len(set(best["index"]) & set(wanted.index)) >= SCREENING.keep - 2
    assert found.counts == {
        "screened": len(full),
        "feasible": int((full["violation"] == 0).sum()),
        "hits": int(full["hit"].sum()),
    }
    assert 0 < found.counts["hits"] < found.counts["feasible"] < len(full)


def test_every_row_is_what_the_problem_says_of_its_material():
    asked = problem()
    table = screen(asked, SCREENING, 0, asked.space.n_grid_points).table
    x = asked.space.from_index(table["index"].to_numpy())
    np.testing.assert_array_equal(table[list(asked.space.columns)], x)
    assert table["formula"].tolist() == asked.space.formulas(x)
    expected = asked.evaluate(x)
    for name in set(expected) - {"hit"}:
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-4, atol=1e-5)
    assert (table["hit"] == expected["hit"]).all()


@pytest.mark.parametrize("chunks", [2, 3, 7, 60])
def test_the_merged_file_does_not_depend_on_the_chunks(tmp_path, chunks):
    asked = problem()
    assert merged(tmp_path, asked, SCREENING, chunks) == merged(tmp_path / "one", asked, SCREENING, 1)
    table = tables.read(tmp_path / "merged.parquet")
    assert table["kind"].value_counts().to_dict() == {"best": 40, "sample": 70}
    columns = tables.schema(tmp_path / "merged.parquet")
    assert (columns["gap.std"].unit, columns["t"].unit) == ("eV", "nm")
    about = tables.provenance(tmp_path / "merged.parquet")
    assert about["counts"]["screened"] == asked.space.n_materials
    assert (about["range"], about["study"]) == ([0, asked.space.n_materials], "test")


def test_a_material_has_the_same_bits_in_every_range():
    asked, all_of_it = problem(), replace(SCREENING, keep=0, sample=10_000)
    whole = screen(asked, all_of_it, 0, asked.space.n_grid_points).table.set_index("index")
    assert len(whole) == asked.space.n_materials
    for start, stop in ((0, 1), (5, 700), (255, 257), (2000, asked.space.n_grid_points)):
        part = screen(asked, all_of_it, start, stop).table.set_index("index")
        assert sorted(part.index) == [*range(start, stop)]
        pd.testing.assert_frame_equal(part, whole.loc[part.index], check_exact=True)


def test_chunks_are_whole_batches_and_cover_the_space():
    for chunks in (1, 3, 60):
        bounds = [chunk_bounds(space(), SCREENING, k, chunks) for k in range(chunks)]
        assert bounds[0][0] == 0
        assert bounds[-1][1] == space().n_grid_points
        assert all(a[1] == b[0] for a, b in pairwise(bounds))
        assert all(start % SCREENING.batch == 0 for start, stop in bounds if start < stop)


def test_equal_materials_are_kept_in_the_order_of_their_numbers(tmp_path):
    def constant(x):
        return {"gap": (torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0]))}

    merged(tmp_path, problem(predict=constant, constraints=[]), SCREENING, 5)
    table = tables.read(tmp_path / "merged.parquet", kind="best")
    assert table["index"].tolist() == [*range(SCREENING.keep)]


def test_every_material_is_as_likely_in_the_sample():
    asked = problem(space=Product([Interval("t", 0.0, 1.0, 25_600)]), predict=quantity)
    drawn = Screening(keep=0, sample=3200, seed=1, batch=256)
    table = screen(asked, drawn, 0, 25_600).table
    index = table["index"].to_numpy()
    assert len(set(index)) == 3200
    # By batch and by place in the batch: chi-squared of 99 and 63 degrees of freedom, six deviations above.
    for group, groups in ((index // 256, 100), (index % 256 // 4, 64)):
        expected = len(index) / groups
        found = np.bincount(group, minlength=groups)
        assert (np.square(found - expected) / expected).sum() < groups + 6 * np.sqrt(2 * groups)
    fewer = screen(asked, replace(drawn, sample=100), 0, 25_600).table
    pd.testing.assert_frame_equal(fewer, table[:100])
    other = screen(asked, replace(drawn, seed=2), 0, 25_600).table
    assert len(set(index) & set(other["index"])) < 600


def quantity(x):
    return {"gap": (x[:, 0], torch.zeros_like(x[:, 0])), "cost": (x[:, 0], torch.zeros_like(x[:, 0]))}


def test_what_has_no_value_is_not_among_the_best():
    def patchy(x):
        gap = torch.where(x[:, 0] > 0.5, x[:, 0], torch.nan)
        return {"gap": (gap, torch.zeros_like(gap))}

    asked = problem(
        space=Product([Interval("t", 0.0, 1.0, 100)]),
        predict=patchy,
        targets=[Target("gap", "minimise")],
        constraints=[],
    )
    best = screen(asked, Screening(keep=10, sample=0, batch=8), 0, 100).table
    assert best["index"].tolist() == [*range(50, 60)]


def test_an_interrupted_chunk_leaves_nothing_behind(tmp_path):
    asked, calls = problem(), 0

    def interrupted(x):
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return predict(x)

    with pytest.raises(KeyboardInterrupt):
        screen_chunk(problem(predict=interrupted), tmp_path / "a.parquet", SCREENING, 0, 1)
    assert not list(tmp_path.iterdir())
    for name in "ab":
        screen_chunk(asked, tmp_path / f"{name}.parquet", SCREENING, 0, 1)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_chunks_that_do_not_belong_together_are_refused(tmp_path):
    parts = [tmp_path / f"{k}.parquet" for k in range(3)]
    for k, part in enumerate(parts):
        screen_chunk(problem(), part, SCREENING, k, 3)
    for some, message in ((parts[1:], "point 0"), (parts[::2], "point"), (parts[:2], "last chunk")):
        with pytest.raises(InputError, match=message):
            merge_screen(some, tmp_path / "merged.parquet")
    screen_chunk(problem(), parts[1], replace(SCREENING, seed=4), 1, 3)
    with pytest.raises(InputError, match="same screening"):
        merge_screen(parts, tmp_path / "merged.parquet")
    assert not (tmp_path / "merged.parquet").exists()


def test_a_material_that_has_several_points_is_screened_once():
    box = Box([Interval(name, 0.0, 1.0, 9) for name in "ab"], [{"a": "b", "b": "a"}])
    found = screen(problem(space=box, predict=quantity), replace(SCREENING, batch=8), 0, box.n_grid_points)
    assert found.counts["screened"] == box.n_materials < box.n_grid_points
    sample = found.table.loc[found.table["kind"] == "sample", ["a", "b"]]
    assert len(sample) == box.n_materials
    assert not sample.duplicated().any()


def test_a_pool_can_be_screened():
    pool = Pool(pd.DataFrame({"x": np.linspace(0, 1, 20)}), [f"m{k}" for k in range(20)])
    found = screen(problem(space=pool, predict=quantity, constraints=[]), Screening(keep=3, sample=2), 0, 20)
    assert found.table["formula"][:3].tolist() == ["m19", "m18", "m17"]


def test_what_cannot_be_numbered_is_refused():
    loose = Product([Interval("t", 0.0, 1.0)])
    with pytest.raises(InputError, match="cannot be numbered"):
        chunk_bounds(loose, SCREENING, 0, 2)
    with pytest.raises(InputError, match="There is no range"):
        screen(problem(), SCREENING, 0, 10**9)


def test_selected_materials_are_described_and_no_others(tmp_path):
    described = []

    def describe(x):
        described.append(len(x))
        return {"domain": np.where(x[:, 0] > 0, "inside", "outside"), "reason": ["no a"] * len(x)}

    screen_chunk(problem(), tmp_path / "a.parquet", SCREENING, 0, 1, describe=describe)
    table = tables.read(tmp_path / "a.parquet")
    assert described == [len(table)] == [SCREENING.keep + SCREENING.sample]
    assert ((table["domain"] == "inside") == (table["a"] > 0)).all()
    assert "domain" not in screen(problem(), SCREENING, 0, 100).table
