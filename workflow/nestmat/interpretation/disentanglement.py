"""What the latents of a semi-supervised model keep: the composition and, unwanted, the target."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from nestmat import tables
from nestmat.errors import InputError
from nestmat.evaluation.metrics import PROBE, PROBE_WHITENED, TOTAL_VARIATION
from nestmat.models.base import ConditionalNetwork
from nestmat.tables import Column, Schema
from nestmat.training.checkpoints import Trained
from nestmat.training.inner_folds import UNUSED
from nestmat.training.scale_data import ScaleData, is_latent

log = logging.getLogger(__name__)

NEIGHBOURS = 15
"""Neighbours of the probe."""
FOLDS = 5
"""Folds of its cross-validation on labelled rows."""

LATENT_ERRORS: Schema = {
    "row_id": Column("int64", role="key"),
    "repeat": Column("int32"),
    "fold": Column("int32"),
    "seed": Column("int32"),
    "split": Column("string", description="train, unlabelled or validation"),
    "total_variation": Column("float64", unit="at%", description="atoms that the decoder puts wrongly"),
    "latent_error": Column(
        "float64", description="mean |z' - z|, where z' is encoded from the decoded composition"
    ),
}


def total_variation(true: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Half the sum of absolute differences of fractions (n, elements), in at%, (n,)."""
    return 50 * np.abs(true - given).sum(axis=1)


def whitened(z: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Latents (n, latents) made uncorrelated and of unit variance on some rows, (n,), where they vary there.

    Distances are then those of any linear map of z: what hides in a direction of small variance is seen.
    """
    known = z[train] - z[train].mean(axis=0)
    variance, axes = np.linalg.eigh(known.T @ known / len(known))
    varies = variance > 1e-6 * variance.max()
    return z @ (axes[:, varies] / np.sqrt(variance[varies]))


def probe(z: np.ndarray, label: np.ndarray, train: np.ndarray, held: np.ndarray) -> dict[str, float]:
    """Accuracy of a nearest-neighbour classifier of a label by z.

    Args:
        z: (n, latents).
        label: 0 or 1, (n,).
        train: Rows that the classifier knows, (n,).
        held: Rows left out, (n,).

    Returns:
        ``validation``: on the rows left out; ``train``: cross-validated on those that it knows; NaN where a
        class has too few rows.
    """

    def classifier(rows: int) -> KNeighborsClassifier:
        return KNeighborsClassifier(min(NEIGHBOURS, rows))

    known, of_known = z[train], label[train]
    found = {"validation": np.nan, "train": np.nan}
    if held.any():
        found["validation"] = float(classifier(len(known)).fit(known, of_known).score(z[held], label[held]))
    folds = min(FOLDS, *(int((of_known == k).sum()) for k in (0, 1)))
    if folds > 1:
        parts = StratifiedKFold(folds, shuffle=True, random_state=0)
        smallest = len(known) - -(-len(known) // folds)
        found["train"] = float(cross_val_score(classifier(smallest), known, of_known, cv=parts).mean())
    return found


def measure_latents(
    weights: str | Path,
    features: str | Path,
    latents: str | Path,
    metrics: str | Path,
    errors: str | Path,
    *,
    card: str | Path | None = None,
) -> None:
    """Measure what z gives back and what it tells, of every member that left a fold out.

    z is encoded without the label, and decoded with the class that is predicted.

    Args:
        weights: Weights of a semi-supervised model.
        features: Features of the scale.
        latents: Latents of the model.
        metrics: Output, ``tables.METRICS``: `TOTAL_VARIATION` of the composition in each split, `PROBE` and
            `PROBE_WHITENED` of each class; mean over seeds.
        errors: Output, `LATENT_ERRORS`.
        card: Card of the model; beside the weights by default.

    Raises:
        InputError: A file is missing or does not fit the others.
    """
    trained, data, frame = Trained.load(weights, card), ScaleData.read(features), tables.read(latents)
    network = trained.network(np.arange(0))
    if not isinstance(network, ConditionalNetwork):
        raise InputError(
            f"The latents of model {trained.model!r} do not hold its targets.",
            file=weights,
            remedy="measure a semi-supervised model.",
        )
    columns = [name for name in frame.columns if is_latent(name)]
    found: list[dict[str, Any]] = []
    parts = []
    for member, mine in frame[frame["fold"] >= 0].groupby("member"):
        rows = mine.set_index("row_id").reindex(data.row_id)
        if rows["split"].isna().any():
            raise InputError("lacks rows of the features.", file=latents, remedy="train the scale again.")
        split, index = rows["split"].to_numpy(str), np.array([member])
        part, values = _errors_of(trained, data, rows[columns].to_numpy(np.float32), index)
        about: dict[str, Any] = {key: int(rows[key].iloc[0]) for key in ("repeat", "fold", "seed")}
        parts.append(part.assign(**about, split=split)[split != UNUSED])
        for name in ("train", "unlabelled", "validation"):
            if (here := split == name).any():
                wrong = float(part.loc[here, TOTAL_VARIATION].mean())
                of = {**about, "target": network.composition, "metric": TOTAL_VARIATION}
                found.append({**of, "split": name, "value": wrong})
        for target in data.classes:
            if target in trained.specification.heads:
                train, held = split == "train", split == "validation"
                for metric, z in ((PROBE, values), (PROBE_WHITENED, whitened(values, train))):
                    told = probe(z, data.y[target], train, held)
                    of = {**about, "target": target, "metric": metric}
                    found += [{**of, "split": k, "value": v} for k, v in told.items()]
    table = pd.DataFrame(found, columns=["repeat", "fold", "seed", "target", "metric", "split", "value"])
    table = _over_seeds(table).assign(
        scale=trained.scale, protocol=trained.protocol, model=trained.model, seed=-1
    )
    table["unit"] = np.where(table["metric"] == TOTAL_VARIATION, "at%", "")
    facts = trained.key.provenance
    tables.write(metrics, table[list(tables.METRICS)], tables.METRICS, facts)
    every = pd.concat(parts, ignore_index=True)[list(LATENT_ERRORS)]
    tables.write(errors, every, LATENT_ERRORS, facts)
    log.info("measured %d members", len(parts))


@torch.no_grad()
def _errors_of(
    trained: Trained, data: ScaleData, latents: np.ndarray, index: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Errors of every row by one member, and its z (n, latents)."""
    network = trained.network(index)
    assert isinstance(network, ConditionalNetwork)
    block, given = network.composition, torch.from_numpy(latents)[None]
    decoded = network.decode(given)[block]
    again = network.place(decoded, given[..., network.latents :])
    moved = (again - given)[0, :, : network.latents].abs().mean(dim=1)
    wrong = total_variation(data.x[block], decoded[0].double().numpy())
    columns = {"row_id": data.row_id, TOTAL_VARIATION: wrong, "latent_error": moved.double().numpy()}
    return pd.DataFrame(columns), latents[:, : network.latents]


def _over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of each fold, and over the folds of a repeat as fold -1, of values that are known."""
    keys = ["target", "metric", "split", "repeat", "fold"]
    by_fold = table.dropna().groupby(keys, as_index=False, sort=False)["value"].mean()
    over_all = by_fold.groupby(keys[:-1], as_index=False, sort=False)["value"].mean().assign(fold=-1)
    return pd.concat([over_all, by_fold], ignore_index=True)
