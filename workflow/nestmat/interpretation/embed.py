"""Maps of the latents of trained scales in the plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.interpretation.embedding import pca_map, tsne_map
from nestmat.interpretation.latents import latents_by_member
from nestmat.tables import Column
from nestmat.training.scale_data import ScaleData

EMBEDDING: tables.Schema = {
    "row_id": Column("int64", role="key"),
    "method": Column("string", role="key", description="pca or tsne"),
    "x": Column("float64"),
    "y": Column("float64"),
    "target": Column("string", role="key", description="empty for a scale without targets"),
    "value": Column("float64", description="measured value of the target"),
    "unit": Column("string", description="unit of the target"),
}


def embed_latents(latents: str | Path, features: str | Path, embedding: str | Path, *, seed: int = 0) -> None:
    """Map the latents of one member to the plane, by PCA and t-SNE, and write the maps.

    The member is the first that trained on every row, or else the first of all.

    Args:
        latents: Latents of the model.
        features: Features of the scale, for the targets.
        embedding: Output, `EMBEDDING`: one row for each row, method and target.
        seed: Seed of t-SNE.

    Raises:
        InputError: A file is missing or does not fit the other.
    """
    frame, data = tables.read(latents), ScaleData.read(features)
    first = frame.sort_values(["fold", "repeat", "seed"], kind="stable").iloc[0]
    member = {key: int(first[key]) for key in ("member", "repeat", "fold", "seed")}
    values, _ = latents_by_member(frame, np.array([member["member"]]), data.row_id, latents)
    components, share = pca_map(values[0])
    targets = data.y or {"": np.full(len(data), np.nan)}
    maps = {"pca": components, "tsne": tsne_map(values[0], seed)}
    parts = [
        pd.DataFrame(
            {
                "row_id": data.row_id,
                "method": method,
                "x": xy[:, 0],
                "y": xy[:, 1],
                "target": target,
                "value": value,
                "unit": data.units.get(target, ""),
            }
        )
        for method, xy in maps.items()
        for target, value in targets.items()
    ]
    facts = {
        **tables.provenance(latents),
        "member": member,
        "explained_variance": share.tolist(),
        "seed": seed,
    }
    tables.write(embedding, pd.concat(parts, ignore_index=True), EMBEDDING, facts)
