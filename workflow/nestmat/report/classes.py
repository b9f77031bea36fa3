"""Tables of the report for a target that is a class, and for strata of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nestmat.errors import InputError
from nestmat.figures import kind
from nestmat.labels import comparisons
from nestmat.labels.numbers import format_spread, format_value
from nestmat.labels.scales import Labels
from nestmat.labels.text import lower_first, prettify, with_unit
from nestmat.models.keys import RECOMMENDED
from nestmat.report.findings import classes as findings_classes

COLUMNS = {
    "accuracy": "Accuracy",
    "roc_auc": "AUC",
    "balanced_accuracy": "balanced",
    "f1": "F1",
    "log_loss": "Log-loss",
    "brier": "Brier",
    "ece": "ECE",
}
"""Metrics of the table, with their heads."""

Table = dict[str, Any]


def metric_tables(
    metrics: pd.DataFrame, theirs: pd.DataFrame, labels: Labels, target: str
) -> list[tuple[Table, list[tuple[str, str]]]]:
    """A table of metrics a protocol, best accuracy first, each with the notes to published values.

    Args:
        metrics: Metrics of the scale.
        theirs: Published numbers of the scale.
        labels: Names and classes.
        target: Class that is predicted.

    Raises:
        InputError: There are no metrics of a protocol.
    """
    table = comparisons.summary(metrics, target=target)
    table = table[table["repeat"] == 0]
    return [_metric_table(table, theirs, labels, target, protocol) for protocol in labels.config.protocols]


def _metric_table(
    table: pd.DataFrame, theirs: pd.DataFrame, labels: Labels, target: str, protocol: str
) -> tuple[Table, list[tuple[str, str]]]:
    mine = table[table["protocol"] == protocol]
    if mine.empty:
        raise InputError(
            f"no metrics of target {target!r} in protocol {protocol!r} of scale {labels.scale!r}.",
            remedy="delete the metrics of the scale and run again.",
        )
    train = {
        row["model"]: format_value(row["mean"])
        for row in mine[(mine["metric"] == "accuracy") & (mine["split"] == "train")].to_dict("records")
    }
    held = findings_classes.by_metric(mine[mine["split"] == "validation"])
    theirs = theirs[
        (theirs["target"] == target)
        & (theirs["protocol"] == protocol)
        & theirs["metric"].isin(list(findings_classes.PUBLISHED_METRICS))
        & (theirs["split"] == "validation")
        & theirs["latents"].isna()
    ]
    numbers: dict[tuple[str, str], list[str]] = {}
    for row in theirs.to_dict("records"):
        what = findings_classes.PUBLISHED_METRICS[row["metric"]]
        given = f"{what} {format_spread(row['value'], row['spread'])}"
        numbers.setdefault((row["model"], row["published"]), []).append(given)
    first = [held[key] for key in held if key[2] == "accuracy"]
    best_first = [row["model"] for row in sorted(first, key=lambda row: -row["mean"])]
    rows = []
    for model in best_first:
        shown = [findings_classes.told(held[protocol, model, metric]) for metric in COLUMNS]
        published = "; ".join("; ".join(told) for (key, _), told in numbers.items() if key == model)
        rows.append((family(model, labels), [labels.model(model), *shown, train.get(model, "–"), published]))
    blank = [""] * (len(COLUMNS) + 1)
    rows += [
        ("published", [f"{name} (published only)", *blank, "; ".join(told)])
        for (model, name), told in numbers.items()
        if not model
    ]
    if theirs.empty:
        rows = [(name, cells[:-1]) for name, cells in rows]
    heads = [("Model", ""), *((text, "n") for text in COLUMNS.values()), ("Accuracy, training rows", "n")]
    heads += [("published", "n")] * (not theirs.empty)
    count, over = first[0]["folds"], first[0]["over"]
    said = findings_classes.single_split(
        {metric: held[protocol, best_first[0], metric] for metric in ("accuracy", "rows", "majority_rate")}
    )
    told_over = f"{count} {over}" if count > 1 else "one split"
    several = f"{labels.name(target)}. " if len(labels.config.targets) > 1 else ""
    caption = f"{several}{labels.protocol(protocol)}, {told_over}"
    notes = [
        (", ".join(dict.fromkeys(part["published"])), str(note))
        for note, part in theirs.groupby("note", sort=False)
        if note
    ]
    return {"caption": caption, "head": heads, "rows": rows, "note": said}, notes


def family(model: str, labels: Labels) -> str:
    """What a model is: recommended, autoencoder or baseline."""
    if model == RECOMMENDED:
        return RECOMMENDED
    return "autoencoder" if model in labels.config.models else "baseline"


def strata_tables(strata: pd.DataFrame, labels: Labels, target: str) -> list[Table]:
    """A table a protocol of the error, of a class the accuracy and AUC, in each stratum: mean over repeats.

    Args:
        strata: Metrics of the strata of the scale.
        labels: Names and classes.
        target: Class or number that is predicted.
    """
    shown = comparisons.compared_by(bool(labels.classes(target)))
    mine = strata[strata["target"] == target]
    names = list(labels.config.strata)
    keys = ["protocol", "model", "stratum", "metric"]
    mean = mine.groupby(keys)["value"].mean().to_dict()
    deviation = mine.groupby(keys)["value"].std(ddof=0).to_dict()
    repeats = mine.groupby("protocol")["repeat"].nunique().to_dict()
    found = []
    for protocol in comparisons.ordered(mine["protocol"], labels.config.protocols):
        order = [kind.headline(labels.study, labels.scale), *labels.config.models, *labels.config.baselines]
        models = comparisons.ordered(mine.loc[mine["protocol"] == protocol, "model"], order)

        def cell(model: str, stratum: str, metric: str, where: str = protocol) -> str:
            key = (where, model, stratum, metric)
            if not np.isfinite(mean.get(key, np.nan)):
                return "–"
            return format_spread(mean[key], deviation[key], count=int(repeats[where]))

        rows = [
            (
                family(model, labels),
                [labels.model(model), *(cell(model, s, m) for s in names for m in shown)],
            )
            for model in models
        ]
        heads: Sequence[tuple[str, str]] = [("Model", "")]
        for stratum in names:
            title = labels.config.strata[stratum].title or prettify(stratum)
            first, *others = (with_unit(comparisons.NAMES[m], labels.unit(target)) for m in shown)
            heads = [*heads, (f"{title}: {lower_first(first)}", "n"), *((text, "n") for text in others)]
        parts = []
        for stratum in names:
            rate, count = (mean.get((protocol, models[0], stratum, m)) for m in ("majority_rate", "rows"))
            if count is not None:
                title = labels.config.strata[stratum].title or prettify(stratum)
                common = "" if rate is None else f", more frequent class {format_value(rate)}"
                parts.append(f"{title}: {count:.0f} rows{common}")
        caption = f"Strata of the left-out rows, {labels.protocol(protocol)}"
        note = f"A repeat, on average: {'; '.join(parts)}."
        found.append({"caption": caption, "head": heads, "rows": rows, "note": note})
    return found
