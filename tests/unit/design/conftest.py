"""A design problem of one number whose members predict its square, with tables that judges learn from."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.problems import Judges
from nestmat.design.members import Members
from nestmat.search.problem import Problem, Target
from nestmat.search.spaces.factors import Fixed, Interval
from nestmat.search.spaces.product import Product

N_ROWS = 120


class Square:
    """A surrogate: the square of the first number, too large by 0.1."""

    def __call__(self, x):
        return {"gap.gap": (x[:, 0] ** 2 + 0.1, torch.full_like(x[:, 0], 0.1))}

    def derive(self, x, quantities):
        return quantities


@pytest.fixture
def square_problem(tmp_path):
    """Function of the judges, as a study names them, that returns the design problem.

    The data set holds the square without the 0.1; the even rows are in fold 0, which judges learn from.
    """
    a = np.random.default_rng(0).uniform(-1, 1, N_ROWS)
    row_id = np.arange(N_ROWS)
    materials = [f"row {k}" for k in row_id]
    data = pd.DataFrame({"row_id": row_id, "row": row_id + 1, "formula": "", "material": materials, "a": a})
    kinds = {"row_id": "int64", "row": "int64", "formula": "string", "material": "string", "a": "float64"}
    data_schema = {name: tables.Column(kind) for name, kind in kinds.items()}
    tables.write(tmp_path / "data.parquet", data, data_schema, {})
    # What the judges must not see is wrong by 9.
    gap = np.where(row_id % 2 == 0, a**2, 9.0)
    features = pd.DataFrame({"row_id": row_id, "material": materials, "a": a, "gap": gap})
    feature_schema = {
        name: data_schema[name] if name in data_schema else tables.Column("float64") for name in features
    }
    tables.write(tmp_path / "features.parquet", features, feature_schema, {})
    folds = pd.DataFrame({"row_id": row_id, "material": materials, "fold": row_id % 2}).assign(
        protocol="halves", repeat=0, role="labelled", inner=-1, regions=0
    )
    tables.write(tmp_path / "folds.parquet", folds, tables.FOLDS, {})

    def build(judges):
        head = SimpleNamespace(floor=None)
        model = SimpleNamespace(specification=SimpleNamespace(heads={"gap": head}))
        scale = SimpleNamespace(models={"net": model}, targets=["gap"])
        space = Product([Interval("a", -1.0, 1.0), Fixed("b", 2.0)])
        config = SimpleNamespace(
            scale="gap",
            model="net",
            judges=Judges.model_validate(judges),
            methods={name: SimpleNamespace(predictor=name) for name in ("model", "trees")},
        )
        study = SimpleNamespace(
            scales={"gap": scale}, chain=lambda *names: {"gap": SimpleNamespace(model="net")}
        )
        files = {"features": "features", "folds": "folds"}
        paths = {key: {"gap": tmp_path / f"{name}.parquet"} for key, name in files.items()}
        problem = Problem(space, Square(), [Target("gap.gap", "minimise")])
        return SimpleNamespace(
            study=study,
            config=config,
            scales=["gap"],
            members=Members("halves", 0, {}, paths["features"], paths["folds"]),
            space=space,
            surrogate=Square(),
            problem=problem,
            searched=problem,
            data={"gap": tmp_path / "data.parquet"},
        )

    return build
