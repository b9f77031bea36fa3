"""Samples of generators: which are nearest to the value, which give most hits, and what filters alone do."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nestmat.data import published
from nestmat.design.metrics import ALL, MODEL
from nestmat.figures.problems.generative import stage
from nestmat.labels.problems import DesignLabels, judge_name
from nestmat.report.findings.method_metrics import MethodMetrics, generator_kinds


def leading_samplers(metrics: MethodMetrics) -> dict[str, Any] | None:
    """The trained generators that are nearest to the value and give most hits, and the references.

    Returns:
        None where no trained generator is sampled.
    """
    labels, kinds = metrics.labels, generator_kinds(metrics.labels)
    target, by = labels.problem_config.targets[0], metrics.error_judge()
    errors = metrics.over_seeds(f"error:{target.quantity}", by)
    yields, distances = metrics.rates("yield", ALL), metrics.over_seeds("pair_distance")
    trained = [n for n, kind in kinds.items() if not kind.is_reference and n in errors and n in yields]
    if not trained:
        return None
    nearest = min(trained, key=lambda name: errors[name][0])
    richest = max(trained, key=lambda name: yields[name][0])
    references = sorted(
        (name for name, kind in kinds.items() if kind.is_reference and name in errors),
        key=lambda name: kinds[name].draws_uniformly,
    )
    return {
        "value": target.value or 0.0,
        "unit": labels.unit(target.quantity),
        "judge": judge_name(by),
        "nearest": {"label": labels.method(nearest), "error": errors[nearest]},
        "richest": {
            "label": labels.method(richest),
            "yield": yields[richest],
            "distance": distances[richest][0],
        },
        "references": [
            {
                "label": labels.method(name),
                "noun": kinds[name].sample_noun,
                "error": errors[name],
                "yield": yields.get(name) if kinds[name].draws_uniformly else None,
            }
            for name in references
        ],
        "filters": [
            {
                "filtered": {"label": labels.method(filtered), "error": errors[filtered]},
                "published": {"label": labels.method(plain), "error": errors[plain]},
            }
            for plain, filtered in _filter_pairs(labels)
            if plain in errors and filtered in errors
        ],
    }


def _filter_pairs(labels: DesignLabels) -> list[tuple[str, str]]:
    """Methods that filter and localise as published, each with one that only filters the same samples."""
    entries = labels.problem_config.methods
    return [
        (name, filtering)
        for name, entry in entries.items()
        if entry.options.get("scaled") is False
        for filtering, candidate in entries.items()
        if candidate.model == entry.model and stage(candidate) == "filtered"
    ]


def sample_table(metrics: MethodMetrics) -> dict[str, Any]:
    """Shares inside the space and kept, errors, hits and distances: a row a method, published ones last."""
    labels = metrics.labels
    target, by = labels.problem_config.targets[0], metrics.judges[0]
    inside, accepted = metrics.rates("inside", MODEL), metrics.rates("kept", MODEL)
    within, yields = metrics.rates(judge=by), metrics.rates("yield", ALL)
    errors = metrics.over_seeds(f"error:{target.quantity}", by)
    distances = metrics.over_seeds("pair_distance")
    scale, _, column = target.quantity.partition(".")
    reported, citations = published.for_samples(labels.study, scale, column, target.value or 0.0)
    return {
        "judge": judge_name(by),
        "unit": labels.unit(target.quantity),
        "tolerance": target.tolerance,
        "rows": [
            {
                **metrics.row(method),
                "inside": inside[method][0] if method in inside else None,
                "kept": accepted[method][0] if method in accepted else None,
                "error": errors[method],
                "within": within[method],
                "yield": yields.get(method),
                "distance": distances.get(method),
            }
            for method in metrics.methods
        ],
        "published": [
            {
                "label": row["model"],
                **{
                    metric: None if pd.isna(row.get(metric)) else row[metric]
                    for metric in ("inside", "error", "yield", "pair_distance")
                },
            }
            for row in reported.reset_index().to_dict("records")
        ],
        "citations": citations,
    }
