"""Latents of whole families of alloys that need not be in the data."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.features import FeatureBlock
from nestmat.config.interpretation import AlloyFamilies
from nestmat.errors import InputError
from nestmat.features.chain import featurize_chain
from nestmat.materials.formulas import from_species
from nestmat.scales.chain import predict_chain
from nestmat.tables import Column
from nestmat.training.checkpoints import Trained

FAMILY_KEYS: dict[str, Column] = {
    "family": Column("string", role="key"),
    "formula": Column("string", role="key"),
}


def equimolar(families: AlloyFamilies) -> pd.DataFrame:
    """All equimolar alloys of the families, as rows to featurize.

    Returns:
        Columns family, row_id, row, formula and material.

    Raises:
        InputError: A family holds a symbol that is no element.
    """
    alloys = [
        (family, from_species(dict.fromkeys(chosen, 1.0)))
        for family, elements in families.elements.items()
        for chosen in combinations(elements, families.of)
    ]
    number = np.arange(len(alloys))
    return pd.DataFrame(
        {
            "family": [family for family, _ in alloys],
            "row_id": number,
            "row": number + 1,
            "formula": [formula.text for _, formula in alloys],
            "material": [formula.key for _, formula in alloys],
        }
    )


def encode_families(
    weights: Mapping[str, str | Path],
    features: Mapping[str, str | Path],
    blocks: Mapping[str, Mapping[str, Any]],
    families: AlloyFamilies | Mapping[str, Any],
    output: str | Path,
) -> None:
    """Encode the alloys of some families by one member, and write their latents.

    The member is the first that left a fold out, whose latents can be shown together with those of rows that
    it did not train on.

    Args:
        weights: Weights by scale, parents first; the model of the last one is shown.
        features: Features that they were trained on, by scale.
        blocks: Feature blocks of these scales; those that the models read are computed.
        families: The families.
        output: `FAMILY_KEYS` and latents.

    Raises:
        InputError: An alloy has no features, for example by an element that the model does not know.
    """
    frame = equimolar(AlloyFamilies.model_validate(families))
    scale = list(weights)[-1]
    models = {name: Trained.load(path) for name, path in weights.items()}
    configured = {
        name: {
            key: FeatureBlock.model_validate(blocks[name][key])
            for key in model.specification.inputs
            if key in blocks[name]
        }
        for name, model in models.items()
    }
    featurized = featurize_chain(frame, configured, features)
    for table in featurized.values():
        if not table.rejects.empty:
            first = table.rejects.iloc[0]
            formula = frame["formula"].iloc[int(first["row"]) - 1]
            raise InputError(
                f"The alloy {formula} has no features: {first['reason']}",
                key=f"scales.{scale}.interpret.families",
                value=formula,
                remedy="name elements that the model reads.",
            )
    trained = models[scale]
    member = trained.members.query("repeat == 0 and inner == -1 and fold >= 0").sort_values("fold").iloc[0]
    predicted = predict_chain(
        weights, {name: table.frame for name, table in featurized.items()}, repeat=0, fold=int(member["fold"])
    )
    z = predicted[scale].latents[0]
    columns = [f"z{k}" for k in range(z.shape[1])]
    latents = pd.concat([frame[list(FAMILY_KEYS)], pd.DataFrame(z, columns=columns)], axis=1)
    schema = {**FAMILY_KEYS, **{name: Column("float32", role="latent") for name in columns}}
    facts = {"scale": scale, "protocol": trained.protocol, "model": trained.model}
    tables.write(output, latents, schema, facts)
