"""Tables of the search methods: hits by every judge, enrichment, work, and where the candidates lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nestmat.design.metrics import ALL, MODEL, NEW, TRAINING, UNIFORM
from nestmat.labels.problems import BASELINES, judge_name
from nestmat.report.findings.method_metrics import MethodMetrics, method_kinds
from nestmat.search.candidate_table import PROMISED


def hit_rates(metrics: MethodMetrics) -> dict[str, Any]:
    """Share of distinct candidates that are hits by each judge, and by all of new ones in the domain."""
    labels, judges = metrics.labels, [MODEL, *metrics.judges]
    judges += [ALL] * (len(judges) > 2)
    counts, promised = metrics.values("candidates"), metrics.values(PROMISED)
    rates = [metrics.rates(judge=name) for name in judges] + [metrics.rates("hit_new_in_domain")]
    entries = labels.problem_config.methods
    return {
        "judges": [judge_name(name) for name in judges],
        "several_judges": ALL in judges,
        "new_from": NEW,
        "searched_judges": [labels.method(n) for n, entry in entries.items() if entry.predictor != "model"],
        "rows": [
            {
                **metrics.row(name),
                "count": counts[name],
                "promised": promised[name],
                "rates": [by_method[name] for by_method in rates],
            }
            for name in metrics.methods
        ],
    }


def enrichment(metrics: MethodMetrics) -> dict[str, Any]:
    """How many times the hits by all judges are those of reference lists and of plain methods."""
    labels, rates, kinds = metrics.labels, metrics.rates(), method_kinds(metrics.labels)
    plain = [name for name in labels.problem_config.methods if kinds[name].is_reference]
    references = [name for name in (UNIFORM, TRAINING, *plain) if name in rates]
    return {
        "references": [labels.method(name) for name in references],
        "rows": [
            {
                **metrics.row(name),
                "ratios": [
                    None if reference == name else rate_ratio(rates[name], rates[reference])
                    for reference in references
                ],
            }
            for name in metrics.methods
            if name not in BASELINES
        ],
    }


def rate_ratio(rate: Sequence[float], reference: Sequence[float]) -> dict[str, Any]:
    """How many times a rate is another; where the other is 0 the least that it may be, if it is known.

    Returns:
        ``ratio`` (NaN where it is not known), and whether it is a lower ``bound``.
    """
    if reference[0] > 0:
        return {"ratio": rate[0] / reference[0], "bound": False}
    is_known = rate[0] > 0 and np.isfinite(reference[2])
    return {"ratio": rate[0] / reference[2] if is_known else np.nan, "bound": True}


def work(metrics: MethodMetrics, runs: pd.DataFrame) -> dict[str, Any]:
    """Predictions, diversity, and what the searched model promises too much.

    Args:
        metrics: Metrics of the candidates.
        runs: Evaluations of each method and seed.
    """
    labels, judges = metrics.labels, metrics.judges
    quantity = labels.problem_config.targets[0].quantity
    evaluations = runs.groupby("method")["evaluations"].sum()
    optimism = [metrics.values(f"optimism:{quantity}", name) for name in judges]
    volumes = {name: volume for name in judges if (volume := metrics.values("hypervolume", name))}
    diversity = metrics.values("diversity")
    return {
        "judges": [judge_name(name) for name in judges],
        "volume_judges": [judge_name(name) for name in volumes],
        "quantity": labels.name(quantity),
        "unit": labels.unit(quantity),
        "rows": [
            {
                **metrics.row(name),
                "evaluations": float(evaluations[name]) if name in evaluations.index else None,
                "diversity": diversity[name],
                "optimism": [by_method[name] for by_method in optimism],
                "volumes": [by_method[name] for by_method in volumes.values()],
            }
            for name in metrics.methods
        ],
    }


def places(metrics: MethodMetrics) -> dict[str, Any]:
    """Share of the candidates that are distinct, in the domain, and inside windows of geometric criteria."""
    rates = [metrics.rates(name, MODEL) for name in ("in_domain", *metrics.windows)]
    unique = metrics.values("unique")
    return {
        "windows": [window.removesuffix("_window") for window in metrics.windows],
        "rows": [
            {**metrics.row(name), "unique": unique[name], "rates": [by_method[name] for by_method in rates]}
            for name in metrics.methods
        ],
    }
