"""What a study found, in sentences with numbers: the words of the report."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from nestmat.config.splits import Split, Strict
from nestmat.config.study import Study
from nestmat.evaluation.metrics import RECONSTRUCTION
from nestmat.figures import kind
from nestmat.labels import comparisons as measures
from nestmat.labels.numbers import format_percent, format_spread, format_value
from nestmat.labels.scales import Labels
from nestmat.labels.text import humanize_key, lower_first

PUBLISHED_METRICS = {"mae": "", "rmse": "RMSE "}
"""Metrics of published errors that are shown, with what stands before the number."""


def protocol_in_words(study: Study, scale: str, protocol: str) -> str:
    """What a protocol does with the rows of a scale, and what it can leak."""
    split = study.strict if protocol == "strict" else study.scales[scale].splits[protocol]
    text = _split_in_words(split, study.scales[scale].targets)
    if isinstance(split, Split) and split.published:
        text += " This is the split of the publication, repeated to compare with it."
    if isinstance(split, Strict) or split.kind == "shared":
        return text
    for parent in study.scales[scale].parents:
        name = Labels(study, parent).title()
        if study.parent_protocol(parent, protocol) == "strict":
            text += f" Latents come from members of “{name}” that were trained on all rows of that scale."
        else:
            text += (
                f" Latents come from the members of “{name}” for its own split of this name: a material "
                "validated here may have trained them."
            )
    return text


def _split_in_words(split: Split | Strict, targets: list[str]) -> str:
    repeats = f", and {len(split.repeats)} further seeds" if split.repeats else ""
    if isinstance(split, Strict) or split.kind == "shared":
        return (
            f"The materials of all scales are divided into {split.folds} shared folds "
            f"(seed {split.seed}{repeats}): a material that is validated in fold k trains no scale in fold k."
        )
    if split.kind == "leave_one_out":
        left = humanize_key(str(split.column))
        return f"Each {left} in turn is left out of training and predicted: extrapolation to a new one."
    if split.kind == "holdout":
        return f"{_holdout_in_words(split)} (seed {split.seed}{repeats})."
    bins = f"{split.quantiles} quantile bins of {targets[0] if targets else 'the target'}"
    what = {
        "stratified": f"Rows are divided into {split.folds} folds, stratified on {bins}",
        "kfold": f"Rows are divided at random into {split.folds} folds",
        "grouped": f"Whole groups of like rows are divided into {split.folds} folds",
    }[split.kind]
    end = " Rows of one material may fall into several folds." if split.kind == "kfold" else ""
    return f"{what} (seed {split.seed}{repeats}).{end}"


def _holdout_in_words(split: Split) -> str:
    apart = {
        None: "",
        "material": ", of materials that no other row has",
        "elements": ", of sets of elements that no other row has",
    }[split.disjoint]
    text = (
        f"{format_percent(float(split.test or 0))} of the rows are left out of training and predicted{apart}"
    )
    if split.unused:
        text += f"; {format_percent(split.hidden * split.unused)} of the others are not used at all"
    if split.labelled is not None:
        text += f"; {format_percent(split.labelled)} of the {'rest' if split.unused else 'others'} train with label"  # noqa: E501
        if split.labelled < 1:
            text += ", and those left are seen without it by models that can learn so"
    elif split.hidden:
        text += (
            f"; {format_percent(split.hidden * (1 - split.unused))} of the others are seen without their label, by "  # noqa: E501
            "models that can learn so"
        )
    return text


def latent_size(sweeps: pd.DataFrame, labels: Labels) -> str:
    """What the sweep of a scale says of the latent size, held against the known dimension of its inputs.

    Args:
        sweeps: Sweep of the scale.
        labels: Names and units.

    Returns:
        A sentence a decoded block whose loss is the mean squared error; empty where the truth is not known.
    """
    sweep = labels.config.sweep
    if sweep is None or sweep.known_dimensions is None:
        return ""
    heads = labels.config.models[sweep.model].specification.heads
    said = []
    for block in labels.config.features:
        if block in heads and heads[block].loss == "mse":
            found = measures.latents_found(sweeps, block)
            size = f"{found} latents" if found else f"none of the sizes up to {max(sweep.latents)}"
            explain = "explain" if found else "explains"
            said.append(
                f"{size} {explain} {format_percent(measures.EXPLAINED)} of the variance of {block}; "
                f"they are known to fill {sweep.known_dimensions} dimensions."
            )
    return " ".join(said)


def accuracy(
    metrics: pd.DataFrame, published: pd.DataFrame, labels: Labels, target: str
) -> list[tuple[str, str]]:
    """One sentence a protocol: error of the headline predictor, best single model, best published value.

    Args:
        metrics: Metrics of the scale.
        published: Published numbers of the scale, all models.
        labels: Names and units.
        target: Column that is predicted.

    Returns:
        Protocol's name and sentence.
    """
    first, unit = kind.headline(labels.study, labels.scale), labels.unit(target)
    summary = measures.summary(metrics, target=target)
    summary = summary[summary["repeat"] == 0]
    table = _validation(summary, target)
    found = []
    for protocol in measures.ordered(table["protocol"], labels.config.protocols):
        rows = {row["model"]: row for row in table[table["protocol"] == protocol].to_dict("records")}
        if first not in rows:
            continue
        row = rows.pop(first)
        text = (
            f"MAE {format_spread(row['mean'], row['std'], unit, row['folds'])} over {row['folds']} folds "
            f"({_inside(labels.model(first))})."
        )
        if rows:
            best = min(rows.values(), key=lambda other: other["mean"])
            text += f" Best single model: {labels.model(best['model'])}, {format_value(best['mean'], unit)}."
        for metric, prefix in PUBLISHED_METRICS.items():
            theirs = best_published(published, target, protocol, metric)
            if theirs is None:
                continue
            ours = _validation(summary, target, metric).set_index(["protocol", "model"])
            change = ours.at[(protocol, first), "mean"] - theirs["value"]
            size = f"{format_value(abs(change), unit)} ({format_percent(abs(change) / theirs['value'])})"
            text += (
                f" Best published: {theirs['published']}, {prefix}{format_value(theirs['value'], unit)}; "
                f"ours is {size} {'lower' if change < 0 else 'higher'}."
            )
        found.append((labels.protocol(protocol), text))
    return found


def reconstruction(metrics: pd.DataFrame, labels: Labels) -> list[tuple[str, str]]:
    """How much of its blocks a scale without targets keeps in its latents, a sentence a protocol.

    Args:
        metrics: Metrics of the scale.
        labels: Names and units.

    Returns:
        Protocol's name and sentence, of the first model; nothing for a scale that predicts.
    """
    if labels.config.targets:
        return []
    first = kind.headline(labels.study, labels.scale)
    size = labels.config.models[first].specification.encoder.latents
    table = measures.summary(metrics, metric=RECONSTRUCTION)
    table = table[(table["model"] == first) & (table["repeat"] == 0)]
    found = []
    for protocol in measures.ordered(table["protocol"], labels.config.protocols):
        rows = table[table["protocol"] == protocol].to_dict("records")
        kept = ", ".join(
            f"{row['target']} {format_spread(row['mean'], row['std'], count=row['folds'])}" for row in rows
        )
        text = f"{size} latents give back the blocks of materials left out of training with R²: {kept}."
        found.append((labels.protocol(protocol), text))
    return found


def truth(traced: pd.DataFrame, labels: Labels, target: str) -> str:
    """How far a chain is from the physics for compounds it never saw, and how often above the limit.

    Args:
        traced: What `nestmat.evaluation.device_physics` traced of the scale.
        labels: Names and units.
        target: Column that is predicted.

    Returns:
        Two sentences; empty for a target that is not the simulated one.
    """
    if labels.config.device_physics is None or target != labels.study.efficiency_column(labels.scale):
        return ""
    unit, model = labels.unit(target), lower_first(labels.model(labels.config.device_physics.model))
    points, devices = (traced[traced["kind"] == name] for name in ("gap", "device"))
    error = (points["mean"] - points["true"]).abs().mean()
    excess = devices["mean"] - devices["limit"]
    above = excess > 0
    text = (
        f"At one process and without strain, {model} is off the physics by {format_value(error, unit)} on average "  # noqa: E501
        f"over {len(points)} compounds, each left out of every scale. It predicts {above.sum()} of "
        f"{len(devices)} left-out devices ({format_percent(above.mean())}) above the limit of detailed balance"  # noqa: E501
    )
    return f"{text}, by {format_value(excess.max(), unit)} at most." if above.any() else f"{text}."


def uncertainty(labels: Labels, target: str) -> str:
    """What is known of the uncertainty of a target's values themselves; empty where it is not stated."""
    known = labels.columns[target].uncertainty if target in labels.columns else None
    if known is None:
        return ""
    size = format_value(known, labels.unit(target))
    return (
        f"The values of {lower_first(labels.name(target))} themselves have a standard uncertainty of {size}."
    )


def _validation(table: pd.DataFrame, target: str, metric: str = "mae") -> pd.DataFrame:
    wanted = (table["metric"] == metric) & (table["split"] == "validation") & (table["target"] == target)
    return table[wanted]


def best_published(
    published: pd.DataFrame, target: str, protocol: str, metric: str = "mae"
) -> dict[Any, Any] | None:
    """The best published number for a target and protocol: the least validation error, or highest score."""
    rows = _validation(published, target, metric)
    rows = rows[(rows["protocol"] == protocol) & rows["latents"].isna()]
    sign = -1 if metric in measures.SCORES else 1
    return min(rows.to_dict("records"), key=lambda row: sign * row["value"], default=None)


def optimism(metrics: pd.DataFrame, labels: Labels, target: str) -> str | None:
    """How far the published split flatters the headline predictor against the strict one."""
    table = _validation(measures.summary(metrics, target=target), target)
    table = table[table["repeat"] == 0]
    table = table[table["model"] == kind.headline(labels.study, labels.scale)]
    mean = dict(zip(table["protocol"], table["mean"], strict=True))
    published = [name for name, split in labels.config.splits.items() if split.published and name in mean]
    if not published or "strict" not in mean:
        return None
    change = mean["strict"] - mean[published[0]]
    size = f"{format_value(abs(change), labels.unit(target))} ({format_percent(abs(change) / mean[published[0]])})"  # noqa: E501
    return (
        f"With whole materials left out along the chain the error is {size} "
        f"{'more' if change > 0 else 'less'} than under the published split."
    )


def verdict(row: Mapping[Any, Any], nests: bool = True) -> str:
    """What a comparison (metric, low, high, p_value, p_folds) says; see `measures.shown` and `outcomes`."""
    if not np.isfinite([row["low"], row["high"]]).all():
        return "one material cannot tell"
    if not measures.shown(row):
        return "no difference is shown"
    better, worse = measures.outcomes(nests)
    return better if measures.favours_first(row) else worse


def nesting(comparisons: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """What each compared pair shows: a verdict over all protocols, and the interval in each.

    Args:
        comparisons: Comparisons of the scale.
        labels: Names and units.
        target: Column that is predicted.

    Returns:
        For each pair, of a class also each metric: subject, title, metric, verdict, and lines with protocol,
        difference, interval, p_value, p_folds, clusters and verdict.
    """
    rows = comparisons[comparisons["target"] == target]
    unit, found = labels.unit(target), []
    metrics = measures.compared_by(bool(labels.classes(target)))
    for (nested, single), metric in product(labels.config.compare, metrics):
        pair = rows[(rows[["nested", "single", "metric"]] == [nested, single, metric]).all(axis=1)]
        by_protocol = {row["protocol"]: row for row in pair.to_dict("records")}
        lines = [
            {
                "protocol": labels.protocol(protocol),
                "difference": format_value(row["difference"], unit, sign=True),
                "interval": f"{format_value(row['low'], sign=True)} to {format_value(row['high'], sign=True)}",  # noqa: E501
                "p_value": format_value(row["p_value"]),
                "p_folds": format_value(row["p_folds"]),
                "clusters": row["clusters"],
                "verdict": verdict(row, bool(labels.config.parents)),
            }
            for protocol in measures.ordered(by_protocol, labels.config.protocols)
            for row in [by_protocol[protocol]]
        ]
        if lines:
            title = f"{labels.model(nested)} less {lower_first(labels.model(single))}"
            overall = _overall([line["verdict"] for line in lines])
            subject = "Nesting" if labels.config.parents else "Comparison"
            about = {"subject": subject, "title": title, "metric": lower_first(measures.NAMES[metric])}
            found.append({**about, "verdict": overall, "lines": lines})
    return found


def _overall(verdicts: list[str]) -> str:
    kinds = dict.fromkeys(verdicts)
    if len(kinds) == 1:
        return f"{verdicts[0]}{' in any protocol' if len(verdicts) > 1 and 'no' in verdicts[0] else ''}"
    return ", ".join(f"{kind_} in {verdicts.count(kind_)} of {len(verdicts)} protocols" for kind_ in kinds)


def coverage(metrics: pd.DataFrame, labels: Labels, target: str) -> str | None:
    """How many held-out values the headline predictor's intervals hold, in the first protocol that tells."""
    table = measures.summary(metrics, target=target)
    table = table[
        (table["repeat"] == 0)
        & (table["model"] == kind.headline(labels.study, labels.scale))
        & (table["split"] == "validation")
    ]
    for protocol in measures.ordered(table["protocol"], labels.config.protocols):
        rows = table[table["protocol"] == protocol]
        values = dict(zip(rows["metric"], rows["pooled"], strict=True))
        if np.isfinite(values.get("coverage_68", np.nan)):
            one, two = format_percent(values["coverage_68"]), format_percent(values["coverage_95"])
            return (
                f"{one} of the held-out values lie inside the predicted 68 % interval and {two} inside the "
                f"95 % one ({lower_first(labels.protocol(protocol))})."
            )
    return None


def _inside(name: str) -> str:
    return "recommended predictor" if name == "Recommended" else lower_first(name)
