"""Published numbers to compare with those of a study."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nestmat.labels import comparisons


def best_published(
    published: pd.DataFrame, target: str, protocol: str, metric: str = "mae"
) -> dict[Any, Any] | None:
    """The best published number for a target and protocol: the least validation error, or highest score."""
    rows = published[
        (published["metric"] == metric)
        & (published["split"] == "validation")
        & (published["target"] == target)
        & (published["protocol"] == protocol)
        & published["latents"].isna()
    ]
    sign = -1 if metric in comparisons.SCORES else 1
    return min(rows.to_dict("records"), key=lambda row: sign * row["value"], default=None)


def published_rows(
    published: pd.DataFrame, target: str, protocol: str, metrics: dict[str, str]
) -> pd.DataFrame:
    """Published validation errors of a target and protocol, of the metrics that a table has.

    Args:
        published: Published numbers of the scale.
        target: Column that is predicted.
        protocol: Protocol.
        metrics: Metrics of the table, with their words.

    Returns:
        The rows, with the words of the metric as ``prefix``.
    """
    rows = published[
        (published["target"] == target)
        & (published["protocol"] == protocol)
        & published["metric"].isin(list(metrics))
        & (published["split"] == "validation")
        & published["latents"].isna()
    ]
    return rows.assign(prefix=rows["metric"].map(metrics))


def published_notes(published: pd.DataFrame) -> list[tuple[list[str], str]]:
    """Names of the published models that share a note, and the note."""
    return [
        (list(dict.fromkeys(rows["published"])), str(note))
        for note, rows in published.groupby("note", sort=False)
        if note
    ]


def numbers_of(published: pd.DataFrame, model: str, name: str | None = None) -> list[dict[Any, Any]]:
    """Published numbers of a model of the study, or, without one, those of a published model alone."""
    rows = published[published["model"] == model]
    return (rows if name is None else rows[rows["published"] == name]).to_dict("records")


def only_published(published: pd.DataFrame) -> list[str]:
    """Names of the published models that the study lacks."""
    return list(dict.fromkeys(published.loc[published["model"] == "", "published"]))
