"""Bonds of strained monolayers: closed forms, symmetries, slopes, in tables and in searches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat.config.features import FeatureBlock
from nestmat.errors import InputError
from nestmat.features.differentiable import feature_map
from nestmat.features.table import featurize
from nestmat.materials.geometry import CELL
from nestmat.materials.monolayers import BONDS, bonds
from nestmat.search.spaces.box import Box
from nestmat.search.spaces.factors import Interval

HEIGHT = 0.129
LOW = np.array([2.53, 2.53, 9.84, 72, 72, 96])
HIGH = np.array([3.79, 3.79, 14.75, 108, 108, 144])


def cells(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(LOW, HIGH, size=(n, 6))


def vectors(cell: np.ndarray) -> np.ndarray:
    """Vectors a, b, c as rows."""
    a, b, c, *angles = cell
    alpha, beta, gamma = np.radians(angles)
    x = c * np.cos(beta)
    y = c * (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    return np.array(
        [[a, 0, 0], [b * np.cos(gamma), b * np.sin(gamma), 0], [x, y, np.sqrt(c**2 - x**2 - y**2)]]
    )


def cell_of(lattice: np.ndarray) -> np.ndarray:
    a, b, c = np.linalg.norm(lattice, axis=1)
    pairs = ((1, 2, b * c), (0, 2, a * c), (0, 1, a * b))
    return np.array([a, b, c, *(np.degrees(np.arccos(lattice[i] @ lattice[j] / s)) for i, j, s in pairs)])


def named(cell: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(bonds(torch.from_numpy(cell), HEIGHT).numpy(), columns=list(BONDS))


def test_bonds_are_distances_in_the_crystal():
    cell = cells(20)
    found = named(cell)
    for row, lattice in enumerate(map(vectors, cell)):
        metal, top, bottom = ([1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, HEIGHT], [2 / 3, 1 / 3, -HEIGHT])
        lengths = [
            np.linalg.norm((np.array(x) + shift - metal) @ lattice)
            for shift in ([0, 0, 0], [-1, 0, 0], [0, 1, 0])
            for x in (top, bottom)
        ]
        np.testing.assert_allclose(found.filter(like="bond").iloc[row], sorted(lengths), rtol=1e-12)
        edges = sorted(np.linalg.norm(e @ lattice) for e in ([1, 0, 0], [0, 1, 0], [1, 1, 0]))
        np.testing.assert_allclose(found.filter(like="edge").iloc[row], edges, rtol=1e-12)
        across = (np.array(top) - bottom) @ lattice
        assert found["pair"].iloc[row] == pytest.approx(np.linalg.norm(across))
        assert found["thickness"].iloc[row] == pytest.approx(across[2])
        assert found["area"].iloc[row] == pytest.approx(np.linalg.norm(np.cross(lattice[0], lattice[1])))


def test_bonds_of_the_unstrained_layer():
    a, c = 3.16, 12.3
    found = named(np.array([[a, a, c, 90, 90, 120]])).iloc[0]
    np.testing.assert_allclose(found.filter(like="bond"), np.hypot(a / np.sqrt(3), HEIGHT * c))
    np.testing.assert_allclose(found.filter(like="edge"), a)
    np.testing.assert_allclose(found[["pair", "thickness"]], 2 * HEIGHT * c)
    assert found["area"] == pytest.approx(a**2 * np.sqrt(3) / 2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda v: v[[1, 0, 2]], id="a and b exchanged"),
        pytest.param(lambda v: v * [[1], [1], [-1]], id="c turned about"),
        pytest.param(lambda v: np.array([v[1], -v[0] - v[1], v[2]]), id="another pair of edges"),
        pytest.param(
            lambda v: v @ np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0], id="turned"
        ),
    ],
)
def test_bonds_are_those_of_the_crystal_and_not_of_its_cell(change):
    cell = cells(50)
    same = np.array([cell_of(change(vectors(one))) for one in cell])
    np.testing.assert_allclose(named(same), named(cell), rtol=1e-10, atol=1e-10)


def test_other_crystals_have_other_bonds():
    found = named(cells(200)).to_numpy()
    distances = np.linalg.norm(found[:, None] - found, axis=2) + np.eye(200)
    assert distances.min() > 1e-3


def test_slopes_are_those_of_finite_differences():
    cell = torch.from_numpy(cells(8, seed=1)).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: bonds(x, HEIGHT), (cell,))


def test_slopes_are_finite_where_bonds_are_equal():
    cell = torch.tensor([[3.16, 3.16, 12.3, 90.0, 90.0, 120.0]], dtype=torch.float64, requires_grad=True)
    bonds(cell, HEIGHT).sum().backward()
    assert torch.isfinite(cell.grad).all()


def table(cell: np.ndarray) -> pd.DataFrame:
    rows = np.arange(len(cell))
    keys = {"row_id": rows, "row": rows + 1, "formula": "", "material": [f"row {k}" for k in rows]}
    return pd.DataFrame({**keys, **dict(zip(CELL, cell.T, strict=True)), "field": 0.5})


BLOCKS = {
    "bonds": FeatureBlock.model_validate({"monolayer": {}}),
    "cell": FeatureBlock(columns=list(CELL)),
    "field": FeatureBlock(columns=["field"]),
}


def test_a_table_and_a_search_have_the_same_features():
    cell = cells(30)
    made = featurize(table(cell), BLOCKS)
    assert made.blocks["bonds"] == {"kind": "continuous", "columns": list(BONDS)}
    assert made.schema["area"].unit == "Å²"
    intervals = [Interval(n, low, high) for n, low, high in zip(CELL, LOW, HIGH, strict=True)]
    space = Box([Interval("field", -1, 1), *intervals])
    columns = {name: block["columns"] for name, block in made.blocks.items()}
    found = feature_map(BLOCKS, columns, space.columns)
    x = torch.from_numpy(np.column_stack([np.full(30, 0.5), cell]))
    np.testing.assert_allclose(found(x), made.frame[found.columns], rtol=1e-14)
    free = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda u: found(space.from_free(u)), (free.requires_grad_(True),))


def test_a_cell_that_cannot_be_is_rejected():
    cell = cells(3)
    cell[1, 3:] = 70, 70, 150
    made = featurize(table(cell), {"bonds": BLOCKS["bonds"]})
    assert made.rejects[["row", "column", "value"]].to_numpy().tolist() == [[2, "gamma", "150"]]
    assert len(made.frame) == 2


def test_a_space_without_a_cell_is_named():
    with pytest.raises(InputError, match="needs alpha, beta, gamma, which the design space lacks"):
        feature_map({"bonds": BLOCKS["bonds"]}, {"bonds": list(BONDS)}, ["a", "b", "c"])


def test_the_height_changes_the_bonds_and_has_limits():
    low, high = (
        featurize(table(cells(5)), {"bonds": FeatureBlock.model_validate({"monolayer": {"height": h}})}).frame
        for h in (0.12, 0.13)
    )
    assert (high["pair"] > low["pair"]).all()
    with pytest.raises(ValueError, match=r"less than 0\.5"):
        FeatureBlock.model_validate({"monolayer": {"height": 0.5}})
