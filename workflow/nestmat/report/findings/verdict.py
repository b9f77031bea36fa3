"""Which method to use for a problem, and whether a model is needed at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nestmat.design.metrics import ALL, TRAINING, UNIFORM
from nestmat.design.reach import UNMET, Unmet, describe_unmet
from nestmat.labels.problems import DesignLabels
from nestmat.labels.text import lower_first
from nestmat.report.findings.method_metrics import MethodMetrics, generator_kinds, method_kinds
from nestmat.search.candidate_table import PROMISED

TRIVIAL = 0.5
"""Share of hits among uniform draws above which a problem needs no model."""


def best_sampler(metrics: MethodMetrics) -> dict[str, Any] | None:
    """The generator whose samples are hits most often, of a problem that samples some.

    Returns:
        ``case`` is ``use_samples``, or ``no_model`` where uniform draws are enough; None where no trained
        generator is sampled.
    """
    labels, kinds, yields = metrics.labels, generator_kinds(metrics.labels), metrics.rates("yield", ALL)
    trained = [name for name, kind in kinds.items() if not kind.is_reference and name in yields]
    if not trained:
        return None
    by_chance = metrics.rates()[UNIFORM]
    if by_chance[0] > TRIVIAL:
        return {"case": "no_model", "uniform": by_chance}
    best = max(trained, key=lambda name: yields[name][0])
    uniform = next((name for name, kind in kinds.items() if kind.draws_uniformly and name in yields), None)
    target = labels.problem_config.targets[0]
    return {
        "case": "use_samples",
        "best": {"label": labels.method(best), "rate": yields[best]},
        "error": metrics.over_seeds(f"error:{target.quantity}", metrics.error_judge())[best],
        "unit": labels.unit(target.quantity),
        "uniform": yields[uniform] if uniform else by_chance,
    }


def method_verdict(metrics: MethodMetrics, count: int | None) -> dict[str, Any]:
    """Which method to use for a problem, and whether ranking all of its materials is enough.

    A method that searched a judge cannot be chosen: that judge is no evidence for it.

    Args:
        metrics: What was measured of each method's candidates.
        count: Materials of the space; None where a variable has no grid.

    Returns:
        ``case`` is ``no_hit``; without a ranking ``none_better`` than ``plain`` or ``better``; with one
        ``surpassed``, ``ranking`` or ``above``. The others are the rates that the sentence of a case needs.
    """
    labels, rates, kinds = metrics.labels, metrics.rates(), method_kinds(metrics.labels)
    methods = [name for name in metrics.searched if name in rates]
    if not any(rates[name][0] > 0 for name in methods):
        return {"case": "no_hit"}
    facts: dict[str, Any] = {
        "count": count,
        "to_beat": {name: rates[name] for name in (UNIFORM, TRAINING) if name in rates},
        "several": len(methods) > 1,
    }
    ranking = next((name for name in methods if kinds[name].enumerates_space), None)
    if ranking is None:
        plain = next((name for name in methods if kinds[name].draws_uniformly), UNIFORM)
        better = [name for name in methods if rates[name][1] > rates[plain][2]]
        best = _best(better or methods, rates)
        case = "better" if better else "none_better"
        facts["plain"] = {"label": labels.method(plain), "rate": rates[plain]}
    else:
        above = [name for name in methods if rates[name][1] > rates[ranking][2]]
        best = _best(above or methods, rates)
        case = "above" if above else "surpassed" if rates[best][0] > rates[ranking][2] else "ranking"
        facts["ranking"] = rates[ranking]
    return {**facts, "case": case, "best": {"label": labels.method(best), "rate": rates[best]}}


def _best(methods: list[str], rates: Mapping[str, tuple[float, float, float]]) -> str:
    return max(methods, key=lambda name: rates[name][0])


def promises(metrics: MethodMetrics) -> dict[str, Any] | None:
    """What the searched predictor promises of one method's candidates, and what the judges grant.

    Returns:
        Mean predicted probability of a hit (``promised``) with the rate by all judges (``granted``), whether
        that is ``little``, less than half, and the mean of the first target less that by each of ``judges``;
        None without judges.
    """
    labels = metrics.labels
    method, quantity = metrics.leading_method(), labels.problem_config.targets[0].quantity
    rows = metrics.optimism(method, quantity) if method else []
    if not rows:
        return None
    promised = metrics.values(PROMISED)[str(method)]
    granted = metrics.rates()[str(method)]
    return {
        "method": labels.method(str(method)),
        "quantity": labels.name(quantity),
        "promised": promised,
        "granted": granted,
        "little": granted[0] < 0.5 * promised,
        "judges": rows,
    }


def unmet_sentences(provenance: Mapping[str, Any], labels: DesignLabels) -> list[str]:
    """What no candidate meets, and the nearest that can be had, in sentences; none where one is a hit.

    Args:
        provenance: That of the metrics of the candidates.
        labels: Names and units.
    """
    unmet = [Unmet(**facts) for facts in provenance[UNMET]]
    quantities = [part.quantity for part in unmet]
    return describe_unmet(
        unmet, {name: (lower_first(labels.name(name)), labels.unit(name)) for name in quantities}
    )
