"""Features of a design space are those of the formulas that it writes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.errors import InputError
from nestmat.features.differentiable import feature_map
from nestmat.features.table import featurize
from nestmat.materials import ions
from nestmat.materials.formulas import parse_many
from nestmat.models.autoencoder.specification import AutoencoderSpecification
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Encoder, Head, Training
from nestmat.scales.chain import Chain, predict_chain
from nestmat.scales.propagate import propagate_latents
from nestmat.scales.train import TrainingJob, train_scale
from nestmat.search.methods.gradient import Gradient
from nestmat.search.methods.random_search import RandomSearch
from nestmat.search.problem import Constraint, Problem, Target
from nestmat.search.spaces.alloys import ABX3Alloy
from nestmat.search.spaces.factors import Choice, Interval
from nestmat.search.spaces.simplex import Simplex
from nestmat.search.surrogate import Surrogate

SPECIES = {"A": ["K", "Cs", "MA"], "B": ["Sn", "Pb", "Ca"], "X": ["Cl", "Br", "I"]}
BLOCKS = {
    "A": FeatureBlock(site="A"),
    "B": FeatureBlock(site="B"),
    "X": FeatureBlock(site="X"),
    "descriptors": FeatureBlock(site_descriptors=["A", "B", "X"]),
    "geometry": FeatureBlock(perovskite=True),
    "strain": FeatureBlock(columns=["strain"]),
    "solvent": FeatureBlock(one_hot="solvent"),
}


@pytest.fixture(scope="module")
def space():
    return ABX3Alloy(
        {site: Simplex(names, 8, site=site) for site, names in SPECIES.items()},
        {name: ions.ion(name).charge for names in SPECIES.values() for name in names},
        [Interval("strain", -0.02, 0.02, 9), Choice("solvent", ["DMF", "DMSO"])],
    )


@pytest.fixture(scope="module")
def materials(space):
    return space.sample(200, seed=3)


@pytest.fixture(scope="module")
def featurized(space, materials):
    formulas = space.formulas(materials)
    table = pd.DataFrame(
        {
            "row_id": range(len(materials)),
            "row": range(1, len(materials) + 1),
            "formula": formulas,
            "material": [formula.key for formula in parse_many(formulas).formulas],
            "strain": materials[:, space.columns.index("strain")],
            "solvent": np.where(materials[:, space.columns.index("solvent=DMF")] == 1, "DMF", "DMSO"),
        }
    )
    return featurize(table, BLOCKS)


def mapped(space, featurized):
    columns = {name: block["columns"] for name, block in featurized.blocks.items()}
    return feature_map(BLOCKS, columns, space.columns)


def test_features_are_those_of_the_formulas(space, materials, featurized):
    found = mapped(space, featurized)
    assert set(found.columns) == {c for block in featurized.blocks.values() for c in block["columns"]}
    values = found(torch.from_numpy(materials)).numpy()
    np.testing.assert_allclose(values, featurized.frame[found.columns].to_numpy(), rtol=1e-10, atol=1e-12)


def test_features_are_differentiable(space, featurized):
    found = mapped(space, featurized)
    u = torch.randn(4, space.n_free - 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    solvent = torch.tensor([[2.0, -2.0]], dtype=torch.float64).expand(4, 2)

    def features(free):
        return found(space.from_free(torch.cat([free, solvent], dim=1)))

    assert torch.autograd.gradcheck(features, (u.requires_grad_(True),))


def test_single_precision_is_close(space, materials, featurized):
    found = mapped(space, featurized)
    x = torch.from_numpy(materials)
    torch.testing.assert_close(found(x.float()).double(), found(x), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("blocks", "columns", "message"),
    [
        ({"m": FeatureBlock(composition="magpie")}, {"m": []}, "whole compositions"),
        ({"B": FeatureBlock(site="B")}, {"B": ["B:Pb", "B:Sn"]}, "no column for B:Ca"),
        ({"p": FeatureBlock(columns=["thickness"])}, {"p": ["thickness"]}, "needs thickness"),
        ({"s": FeatureBlock(one_hot="layer")}, {"s": ["layer=a"]}, "needs layer=a"),
    ],
)
def test_blocks_that_a_space_does_not_give_are_refused(space, blocks, columns, message):
    with pytest.raises(InputError, match=message):
        feature_map(blocks, columns, space.columns)


def test_ions_that_the_space_leaves_out_are_absent(space):
    found = feature_map({"B": FeatureBlock(site="B")}, {"B": ["B:Ca", "B:Ge", "B:Pb", "B:Sn"]}, space.columns)
    values = found(torch.from_numpy(space.sample(20, 0)))
    assert (values[:, 1] == 0).all()
    torch.testing.assert_close(values.sum(dim=1), torch.ones(20, dtype=torch.float64))


def model(target, *inputs):
    return AutoencoderSpecification(
        inputs=("descriptors", "geometry", *inputs),
        encoder=Encoder(latents=3, hidden=(6,)),
        heads={target: Head(hidden=(6,))},
        training=Training(epochs=5, learning_rate=0.01, seeds=2),
    )


@pytest.fixture(scope="module")
def trained(featurized, tmp_path_factory):
    """A chain of two scales on the materials of the space: weights, and features, of each scale."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(0)
    weights = {}
    for scale, parents in (("crystal", []), ("cell", ["crystal"])):
        frame = featurized.frame.assign(**{f"{scale}_y": rng.normal(size=len(featurized.frame))})
        schema = {**featurized.schema, f"{scale}_y": tables.Column("float64", "eV", "target")}
        tables.write(folder / f"{scale}.parquet", frame, schema, {"blocks": featurized.blocks})
        folds = frame[["row_id", "material"]].assign(protocol="strict", repeat=0, fold=frame["row_id"] % 3)
        folds = folds.assign(role="labelled", inner=-1, regions=0)
        tables.write(folder / f"{scale}.folds.parquet", folds, tables.FOLDS, {"folds": {"strict": 3}})
        if parents:
            propagate_latents(
                folder / "crystal.safetensors",
                folder / "cell.parquet",
                folder / "crystal__cell.parquet",
                pass_prediction=True,
            )
        weights[scale] = folder / f"{scale}.safetensors"
        train_scale(
            TrainingJob(
                key=ModelKey(scale, "strict", "nested"),
                specification=model(f"{scale}_y", *parents),
                features=folder / f"{scale}.parquet",
                folds=folder / f"{scale}.folds.parquet",
                parents={parent: folder / f"{parent}__{scale}.parquet" for parent in parents},
                weights=weights[scale],
                card=folder / f"{scale}.json",
                **{key: folder / f"{scale}.{key}.parquet" for key in ("history", "predictions", "latents")},
            )
        )
    return weights


def test_a_surrogate_predicts_what_the_chain_predicts_of_the_formulas(space, materials, featurized, trained):
    found = mapped(space, featurized)
    surrogate = Surrogate(Chain(trained), dict.fromkeys(trained, found))
    predicted = surrogate(torch.from_numpy(materials))
    expected = predict_chain(trained, dict.fromkeys(trained, featurized.frame))
    for scale in trained:
        for given, wanted in zip(
            predicted[f"{scale}.{scale}_y"], expected[scale].targets[f"{scale}_y"], strict=True
        ):
            np.testing.assert_allclose(given.detach().numpy(), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(predicted["tau"][0].numpy(), featurized.frame["tau"], rtol=1e-9)


def test_single_precision_predicts_what_the_chain_predicts(space, materials, featurized, trained):
    surrogate = Surrogate(Chain(trained), dict.fromkeys(trained, mapped(space, featurized)))
    predicted = surrogate(torch.from_numpy(materials).float())
    expected = predict_chain(trained, dict.fromkeys(trained, featurized.frame))
    for scale in trained:
        mean, std = expected[scale].targets[f"{scale}_y"]
        for given, wanted in zip(predicted[f"{scale}.{scale}_y"], (mean, std), strict=True):
            assert given.dtype == torch.float32
            # A small part of how much the materials, and the members, differ.
            np.testing.assert_allclose(given.detach().numpy(), wanted, rtol=0, atol=1e-4 * wanted.std())


def test_all_is_computed_where_the_materials_are(space, materials, featurized, trained):
    surrogate = Surrogate(Chain(trained), dict.fromkeys(trained, mapped(space, featurized)))
    # A device without memory refuses tensors of another one.
    asked = Problem(space, surrogate, [Target("cell.cell_y", "maximise")], [Constraint("tau", high=4.2)])
    found = asked.predict(torch.from_numpy(materials).float().to("meta"))
    for value in (*(part for pair in found.values() for part in pair), *asked.distance_and_violations(found)):
        assert (value.device.type, value.dtype) == ("meta", torch.float32)


def test_gradients_lead_to_what_is_wanted(space, featurized, trained):
    surrogate = Surrogate(Chain(trained), dict.fromkeys(trained, mapped(space, featurized)))
    asked = Problem(
        space, surrogate, [Target("cell.cell_y", "maximise")], [Constraint("tau", high=4.2, tolerance=0.1)]
    )
    found = Gradient(keep=5, starts=40, steps=40).propose(asked, budget=10_000, seed=0)
    drawn = RandomSearch(keep=5).propose(asked, budget=500, seed=0)
    assert found.table["violation"].iloc[0] == 0
    assert found.table["distance"].iloc[0] <= drawn.table["distance"].iloc[0]


def test_a_surrogate_needs_the_features_of_its_chain(space, trained):
    short = feature_map({"B": FeatureBlock(site="B")}, {"B": ["B:Ca", "B:Pb", "B:Sn"]}, space.columns)
    with pytest.raises(InputError, match="the design space lacks"):
        Surrogate(Chain(trained), dict.fromkeys(trained, short))
