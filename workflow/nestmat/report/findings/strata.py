"""Errors in each stratum of the left-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nestmat.labels import comparisons
from nestmat.labels.scales import Labels
from nestmat.labels.text import prettify


def strata_tables(strata: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """The error, of a class the accuracy and AUC, in each stratum, mean over repeats: a table a protocol.

    Args:
        strata: Metrics of the strata of the scale.
        labels: Names and classes.
        target: Class or number that is predicted.
    """
    metrics = comparisons.compared_by(bool(labels.classes(target)))
    rows = strata[strata["target"] == target]
    keys = ["protocol", "model", "stratum", "metric"]
    mean = rows.groupby(keys)["value"].mean().to_dict()
    deviation = rows.groupby(keys)["value"].std(ddof=0).to_dict()
    repeats = rows.groupby("protocol")["repeat"].nunique().to_dict()
    titles = {name: stratum.title or prettify(name) for name, stratum in labels.config.strata.items()}

    def moments(key: tuple[str, str, str, str]) -> tuple[float, float] | None:
        return (mean[key], deviation[key]) if np.isfinite(mean.get(key, np.nan)) else None

    order = [labels.headline, *labels.config.models, *labels.config.baselines]
    tables = []
    for protocol in comparisons.ordered(rows["protocol"], labels.config.protocols):
        models = comparisons.ordered(rows.loc[rows["protocol"] == protocol, "model"], order)
        cells = {
            model: [(protocol, model, stratum, metric) for stratum in titles for metric in metrics]
            for model in models
        }
        tables.append(
            {
                "protocol": labels.protocol(protocol),
                "repeats": int(repeats[protocol]),
                "unit": labels.unit(target),
                "strata": list(titles.values()),
                "metrics": [comparisons.NAMES[metric] for metric in metrics],
                "rows": [
                    {
                        "label": labels.model(model),
                        "family": labels.family(model),
                        "cells": [moments(key) for key in cell_keys],
                    }
                    for model, cell_keys in cells.items()
                ],
                "sizes": [
                    {"title": title, "rows": count, "majority_rate": mean.get((*first, "majority_rate"))}
                    for stratum, title in titles.items()
                    for first in [(protocol, models[0], stratum)]
                    if (count := mean.get((*first, "rows"))) is not None
                ],
            }
        )
    return tables
