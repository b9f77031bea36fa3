"""Association of the latents of a trained scale with descriptors, targets and each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.interpretation.association import (
    METHODS,
    adjusted,
    false_discovery_rates,
    mean_correlation,
    permutation_p_values,
    rows_of,
)
from nestmat.interpretation.members import Explained
from nestmat.tables import Column
from nestmat.training.scaling import needed_blocks

CORRELATIONS: tables.Schema = {
    "latent": Column("string", role="key", description="latent of the reference member"),
    "other": Column("string", role="key", description="descriptor, target or other latent"),
    "kind": Column("string", description="descriptor, target or latent"),
    "method": Column("string", description="pearson, spearman or distance"),
    "value": Column("float64", description="correlation on rows left out of training, mean over the seeds"),
    "adjusted": Column("float64", description="|value| above the standard error 1/sqrt(n-3), scaled to 0..1"),
    "p": Column("float64", description="permutation test"),
    "q": Column("float64", description="false-discovery rate over all pairs of the kind and method"),
    "stability": Column(
        "float64", description="mean |r| of the latent with its matches in the other members"
    ),
}


def _partners(explained: Explained) -> Iterator[tuple[np.ndarray, list[str], list[str]]]:
    """Columns that latents are compared with: values (1 or seeds, rows, columns), names and kinds."""
    data = explained.data
    blocks = needed_blocks(explained.trained.specification, data.columns)
    descriptors = {
        label: data.x[name][:, i]
        for name in blocks
        if name not in data.parents
        for i, label in enumerate(data.columns[name])
    }
    shared = {**descriptors, **data.y}
    kinds = ["descriptor"] * len(descriptors) + ["target"] * len(data.y)
    if shared:
        yield np.stack(list(shared.values()), axis=1)[None, explained.covered], list(shared), kinds
    for name, (columns, alignment) in explained.parents.items():
        values = alignment.apply(data.block(name, *explained.keys)[..., columns])
        labels = [explained.labels(name)[i] for i in columns]
        yield explained.left_out(values), labels, ["descriptor"] * len(columns)


def correlation_table(explained: Explained, permutations: int, seed: int) -> pd.DataFrame:
    """Association of the latents with descriptors, targets and each other, `CORRELATIONS`.

    Each row is encoded by the members that did not train on it, so that no correlation with a target stems
    from training on it.

    Args:
        explained: Members and rows.
        permutations: Permutations for each p-value.
        seed: Seed of the permutations and of the rows that distance correlations draw.
    """
    latents = explained.left_out(explained.alignment.apply(explained.latents))
    names = explained.latent_names
    parts = []
    for partners, labels, kinds in [*_partners(explained), (latents, names, ["latent"] * len(names))]:
        # A pair of latents is listed in one order only.
        listed = np.triu(np.ones((len(names), len(labels)), dtype=bool), 1) | (np.array(kinds) != "latent")
        i, j = np.nonzero(listed)
        for method in METHODS:
            value = mean_correlation(latents, partners, method, seed)
            p = permutation_p_values(latents, partners, method, permutations, seed)
            columns = {
                "latent": np.array(names)[i],
                "other": np.array(labels)[j],
                "kind": np.array(kinds)[j],
                "method": method,
                "value": value[i, j],
                "adjusted": adjusted(value, rows_of(method, latents.shape[1]))[i, j],
                "p": p[i, j],
                "stability": explained.alignment.stability[i],
            }
            parts.append(pd.DataFrame(columns))
    frame = pd.concat(parts, ignore_index=True)
    frame["q"] = frame.groupby(["kind", "method"])["p"].transform(
        lambda family: false_discovery_rates(family.to_numpy())
    )
    return frame
