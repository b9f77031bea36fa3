"""Trained chains of perovskites and of alloys that tests of searches share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.spaces import DesignSpace
from nestmat.design.spaces import design_space
from nestmat.features.differentiable import feature_map
from nestmat.features.table import featurize
from nestmat.materials import ions
from nestmat.materials.formulas import parse_many
from nestmat.models.keys import ModelKey
from nestmat.scales.chain import Chain
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.search.problem import Problem
from nestmat.search.spaces.alloys import ABX3Alloy, Alloy
from nestmat.search.spaces.factors import Choice, Interval
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate
from support.alloy_search import ALLOY_BLOCKS, ALLOY_MODELS, ELEMENTS, RULES, WANTED
from support.perovskite_search import BLOCKS, MODELS, SPECIES, WEIGHTS, asked


@pytest.fixture(scope="session")
def perovskite_space():
    return ABX3Alloy(
        {site: Simplex(names, 4, site=site, most=2) for site, names in SPECIES.items()},
        {name: ions.ion(name).charge for names in SPECIES.values() for name in names},
        [Interval("strain", -0.02, 0.02, 9), Choice("solvent", ["DMF", "DMSO"])],
    )


@pytest.fixture(scope="session")
def perovskite_surrogate(perovskite_space, tmp_path_factory):
    """A chain of two scales: ions, which decodes the sites, and cell, which predicts a gap."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    x = pd.DataFrame(perovskite_space.sample(300, seed=3), columns=list(perovskite_space.columns))
    formulas = perovskite_space.formulas(x.to_numpy())
    table = pd.DataFrame(
        {
            "row_id": range(len(x)),
            "row": range(1, len(x) + 1),
            "formula": formulas,
            "material": [formula.key for formula in parse_many(formulas).formulas],
            "strain": x["strain"],
            "solvent": np.where(x["solvent=DMF"] == 1, "DMF", "DMSO"),
        }
    )
    gap = sum(weight * x[name] for name, weight in WEIGHTS.items()) + 10 * x["strain"]
    weights, maps = {}, {}
    for scale, blocks in BLOCKS.items():
        made = featurize(table, BLOCKS["ions"] | blocks)
        frame, schema = made.frame, dict(made.schema)
        if scale == "cell":
            frame, schema["gap"] = frame.assign(gap=gap), tables.Column("float64", "eV", "target")
        tables.write(folder / f"{scale}.parquet", frame, schema, {"blocks": made.blocks})
        folds = frame[["row_id", "material"]].assign(protocol="strict", repeat=0, fold=frame["row_id"] % 2)
        folds = folds.assign(role="labelled", inner=-1, regions=0)
        tables.write(folder / f"{scale}.folds.parquet", folds, tables.FOLDS, {"folds": {"strict": 2}})
        if scale == "cell":
            propagate_latents(
                weights["ions"], folder / "cell.parquet", folder / "ions__cell.parquet", pass_prediction=False
            )
        weights[scale] = folder / f"{scale}.safetensors"
        train_scale(
            TrainingJob(
                key=ModelKey(scale, "strict", "nested"),
                specification=MODELS[scale],
                features=folder / f"{scale}.parquet",
                folds=folder / f"{scale}.folds.parquet",
                parents={"ions": folder / "ions__cell.parquet"} if scale == "cell" else {},
                weights=weights[scale],
                card=folder / f"{scale}.json",
                **{key: folder / f"{scale}.{key}.parquet" for key in ("history", "predictions", "latents")},
            )
        )
        columns = {name: made.blocks[name]["columns"] for name in blocks}
        maps[scale] = feature_map(blocks, columns, perovskite_space.columns)
    return Surrogate(Chain(weights), maps)


@pytest.fixture(scope="session")
def perovskite_problem(perovskite_space, perovskite_surrogate):
    return asked(perovskite_space, perovskite_surrogate)


@pytest.fixture(scope="session")
def alloy_space():
    return design_space(DesignSpace.model_validate({"elements": RULES}))


@pytest.fixture(scope="session")
def known_alloys():
    """Alloys of two to five elements, some of which the space does not allow."""
    pair = Alloy(Simplex(ELEMENTS, 20, most=2, fewest=2, least=0.2))
    more = Alloy(Simplex(ELEMENTS, 20, most=5, fewest=3, least=0.05))
    return np.concatenate([pair.sample(120, seed=1), more.sample(280, seed=2)])


@pytest.fixture(scope="session")
def alloy_surrogates(alloy_space, known_alloys, tmp_path_factory):
    """A semi-supervised scale and a plain one: alloys of alike atoms are single-phase, a half is labelled."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    formulas = alloy_space.formulas(known_alloys)
    table = pd.DataFrame(
        {
            "row_id": range(len(known_alloys)),
            "row": range(1, len(known_alloys) + 1),
            "formula": formulas,
            "material": [formula.key for formula in parse_many(formulas).formulas],
        }
    )
    made = featurize(table, ALLOY_BLOCKS)
    alike = made.frame["radius_mismatch"] < made.frame["radius_mismatch"].median()
    schema = {**made.schema, "single": tables.Column("float64", role="target", classes=("several", "single"))}
    tables.write(
        folder / "phase.parquet",
        made.frame.assign(single=alike.astype(float)),
        schema,
        {"blocks": made.blocks},
    )
    folds = table[["row_id", "material"]].assign(protocol="strict", repeat=0, fold=table["row_id"] % 4)
    folds["role"] = np.where(table["row_id"] % 8 < 4, "labelled", "unlabelled")
    tables.write(
        folder / "folds.parquet", folds.assign(inner=-1, regions=0), tables.FOLDS, {"folds": {"strict": 4}}
    )
    found = {}
    for name, specification in ALLOY_MODELS.items():
        train_scale(
            TrainingJob(
                key=ModelKey("phase", "strict", name),
                specification=specification,
                features=folder / "phase.parquet",
                folds=folder / "folds.parquet",
                weights=folder / f"{name}.safetensors",
                card=folder / f"{name}.json",
                **{key: folder / f"{name}.{key}.parquet" for key in ("history", "predictions", "latents")},
            )
        )
        columns = {block: made.blocks[block]["columns"] for block in ALLOY_BLOCKS}
        maps = {"phase": feature_map(ALLOY_BLOCKS, columns, alloy_space.columns)}
        found[name] = Surrogate(Chain({"phase": folder / f"{name}.safetensors"}), maps)
    return found


@pytest.fixture(scope="session")
def alloy_problem(alloy_space, alloy_surrogates):
    return Problem(alloy_space, alloy_surrogates["conditional"], [WANTED])
