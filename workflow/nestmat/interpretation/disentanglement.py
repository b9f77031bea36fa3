"""What the latents of a semi-supervised model encode: the composition and, undesired, the target."""

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


def total_variation(true: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Half the sum of absolute differences of fractions (n, elements), in at%, (n,).

    Example:
        >>> total_variation(np.array([[0.5, 0.5, 0.0]]), np.array([[0.5, 0.25, 0.25]]))
        array([25.])
    """
    return 50 * np.abs(true - decoded).sum(axis=1)


def whiten(z: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Latents (n, latents) made uncorrelated and of unit variance on some rows, (n,), where they vary there.

    Distances are then those of any linear map of z: a label in a direction of small variance is found too.
    """
    centred = z[train] - z[train].mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    varies = variance > 1e-6 * variance.max()
    return z @ (axes[:, varies] / np.sqrt(variance[varies]))


def probe(z: np.ndarray, label: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> dict[str, float]:
    """Accuracy of a nearest-neighbour classifier of a label by z.

    Args:
        z: (n, latents).
        label: 0 or 1, (n,).
        train: Rows that the classifier is fitted to, (n,).
        held_out: Rows left out, (n,).

    Returns:
        ``validation``: on the rows left out; ``train``: cross-validated on the others; NaN where a class has
        too few rows.
    """

    def classifier(rows: int) -> KNeighborsClassifier:
        return KNeighborsClassifier(min(NEIGHBOURS, rows))

    z_train, label_train = z[train], label[train]
    accuracy = {"validation": np.nan, "train": np.nan}
    if held_out.any():
        fitted = classifier(len(z_train)).fit(z_train, label_train)
        accuracy["validation"] = float(fitted.score(z[held_out], label[held_out]))
    folds = min(FOLDS, *(int((label_train == k).sum()) for k in (0, 1)))
    if folds > 1:
        parts = StratifiedKFold(folds, shuffle=True, random_state=0)
        smallest = len(z_train) - -(-len(z_train) // folds)
        scores = cross_val_score(classifier(smallest), z_train, label_train, cv=parts)
        accuracy["train"] = float(scores.mean())
    return accuracy


def measure_latents(
    weights: str | Path,
    features: str | Path,
    latents: str | Path,
    metrics: str | Path,
    errors: str | Path,
    *,
    card: str | Path | None = None,
) -> None:
    """Measure the composition that z decodes to and the classes that z reveals, by every member with a fold.

    z is encoded without the label, and decoded with the class that is predicted.

    Args:
        weights: Weights of a semi-supervised model.
        features: Features of the scale.
        latents: Latents of the model.
        metrics: Output, ``tables.METRICS``: `TOTAL_VARIATION` of the composition in each split, `PROBE` and
            `PROBE_WHITENED` of each class; mean over seeds.
        errors: Output, `LATENT_ERRORS`.
        card: Card of the model; by default the file next to the weights.

    Raises:
        InputError: A file is missing or does not fit the others.
    """
    trained, data, frame = Trained.load(weights, card), ScaleData.read(features), tables.read(latents)
    if not isinstance(trained.network(np.arange(0)), ConditionalNetwork):
        raise InputError(
            f"The latents of model {trained.model!r} do not hold its targets.",
            file=weights,
            remedy="measure a semi-supervised model.",
        )
    records: list[dict[str, Any]] = []
    parts = []
    for member, of_member in frame[frame["fold"] >= 0].groupby("member"):
        rows = of_member.set_index("row_id").reindex(data.row_id)
        if rows["split"].isna().any():
            raise InputError(
                "The table of latents lacks rows of the features.",
                file=latents,
                remedy="train the scale again.",
            )
        split = rows["split"].to_numpy(str)
        row_errors, metrics_of_member = _measure_member(trained, data, rows, np.array([member]))
        keys = {key: int(rows[key].iloc[0]) for key in ("repeat", "fold", "seed")}
        parts.append(row_errors.assign(**keys, split=split)[split != UNUSED])
        records += [keys | record for record in metrics_of_member]
    table = pd.DataFrame(records, columns=["repeat", "fold", "seed", "target", "metric", "split", "value"])
    table = _mean_over_seeds(table).assign(
        scale=trained.scale, protocol=trained.protocol, model=trained.model, seed=-1
    )
    table["unit"] = np.where(table["metric"] == TOTAL_VARIATION, "at%", "")
    facts = trained.key.provenance
    tables.write(metrics, table[list(tables.METRICS)], tables.METRICS, facts)
    latent_errors = pd.concat(parts, ignore_index=True)[list(LATENT_ERRORS)]
    tables.write(errors, latent_errors, LATENT_ERRORS, facts)
    log.info("measured %d members", len(parts))


def _measure_member(
    trained: Trained, data: ScaleData, rows: pd.DataFrame, index: np.ndarray
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Errors of every row by one member, and its metrics: target, metric, split and value.

    Args:
        trained: All members.
        data: Rows of the scale.
        rows: Latents and split of every row, in the order of ``data``.
        index: The member, (1,).
    """
    latents = rows[[name for name in rows.columns if is_latent(name)]].to_numpy(np.float32)
    split = rows["split"].to_numpy(str)
    composition, row_errors, z = _row_errors(trained, data, latents, index)
    records: list[dict[str, Any]] = []
    for name in ("train", "unlabelled", "validation"):
        if (in_split := split == name).any():
            value = float(row_errors.loc[in_split, TOTAL_VARIATION].mean())
            records.append({"target": composition, "metric": TOTAL_VARIATION, "split": name, "value": value})
    for target in data.classes:
        if target in trained.specification.heads:
            train, held_out = split == "train", split == "validation"
            for metric, values in ((PROBE, z), (PROBE_WHITENED, whiten(z, train))):
                accuracy = probe(values, data.y[target], train, held_out)
                records += [
                    {"target": target, "metric": metric, "split": name, "value": value}
                    for name, value in accuracy.items()
                ]
    return row_errors, records


@torch.no_grad()
def _row_errors(
    trained: Trained, data: ScaleData, latents: np.ndarray, index: np.ndarray
) -> tuple[str, pd.DataFrame, np.ndarray]:
    """Block that is decoded, errors of every row by one member, and its z (n, latents)."""
    network = trained.network(index)
    assert isinstance(network, ConditionalNetwork)
    block, encoded = network.composition, torch.from_numpy(latents)[None]
    decoded = network.decode(encoded)[block]
    encoded_again = network.place(decoded, encoded[..., network.latents :])
    shift = (encoded_again - encoded)[0, :, : network.latents].abs().mean(dim=1)
    variation = total_variation(data.x[block], decoded[0].double().numpy())
    columns = {"row_id": data.row_id, TOTAL_VARIATION: variation, "latent_error": shift.double().numpy()}
    return block, pd.DataFrame(columns), latents[:, : network.latents]


def _mean_over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of each fold, and over the folds of a repeat as fold -1, of values that are not NaN."""
    keys = ["target", "metric", "split", "repeat", "fold"]
    by_fold = table.dropna().groupby(keys, as_index=False, sort=False)["value"].mean()
    over_all = by_fold.groupby(keys[:-1], as_index=False, sort=False)["value"].mean().assign(fold=-1)
    return pd.concat([over_all, by_fold], ignore_index=True)
