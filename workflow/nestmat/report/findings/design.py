"""What a design problem asks and what was found, in sentences with numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nestmat.config.problems import Constraint, Target
from nestmat.config.spaces import Factor, Simplex
from nestmat.design.metrics import ALL, MODEL, TRAINING, UNIFORM
from nestmat.figures.problems.generative import stage
from nestmat.labels import comparisons
from nestmat.labels.numbers import format_count, format_quantity, format_rate, format_spread, format_value
from nestmat.labels.problems import DesignLabels, judge
from nestmat.labels.text import humanize_key, lower_first

TRIVIAL = 0.5
"""Share of hits among uniform draws above which a problem needs no model."""

Rates = Mapping[str, tuple[float, float, float]]
"""Rate, and both ends of its 95 % interval, by method."""


def wanted(labels: DesignLabels) -> list[str]:
    """The targets of a problem, a sentence each."""
    return [_target(labels, part) for part in labels.problem_config.targets]


def _target(labels: DesignLabels, part: Target) -> str:
    name, unit = labels.name(part.quantity), labels.unit(part.quantity)
    if part.value is not None:
        return (
            f"{name} of {format_quantity(part.value, unit)}, within {format_quantity(part.tolerance, unit)}."
        )
    if part.between:
        return f"{name} from {format_quantity(part.between[0])} to {format_quantity(part.between[1], unit)}."
    more = part.goal == "maximise"
    text = f"{name} as {'high' if more else 'low'} as possible"
    if part.enough is None:
        return f"{text}; every material that keeps the bounds counts as a hit."
    return f"{text}; {format_quantity(part.enough, unit)} or {'more' if more else 'less'} counts as a hit."


def bounds(labels: DesignLabels) -> list[str]:
    """The constraints of a problem, a sentence each."""
    return [_bound(labels, part) for part in labels.problem_config.constraints]


def _bound(labels: DesignLabels, part: Constraint) -> str:
    name, unit = labels.name(part.quantity), labels.unit(part.quantity)
    if part.of == "std":
        name = f"Predicted standard deviation of the {lower_first(name)}"
    if part.low is not None and part.high is not None:
        text = f"{name} from {format_quantity(part.low)} to {format_quantity(part.high, unit)}"
    elif part.low is not None:
        text = f"{name} of at least {format_quantity(part.low, unit)}"
    else:
        text = f"{name} of at most {format_quantity(part.high or 0.0, unit)}"
    if not part.sigmas:
        return f"{text}."
    spare = f"{format_quantity(abs(part.sigmas))} predicted standard deviation{'s' * (abs(part.sigmas) != 1)}"
    return f"{text}, with {spare} to spare." if part.sigmas > 0 else f"{text}, or within {spare} of it."


def space(labels: DesignLabels, count: int | None) -> list[tuple[str, str]]:
    """The space of a problem: what may be chosen, by name.

    Args:
        labels: Names and units.
        count: Number of its materials; None where a variable has no grid.
    """
    given = labels.problem_config.space
    found = [(f"Site {site}", _shares(shares)) for site, shares in (given.sites or {}).items()]
    found += [("Elements", _shares(given.elements))] if given.elements else []
    free = {name: part for name, part in given.variables.items() if part.value is None}
    found += [(labels.name(name), _variable(part, labels.unit(name))) for name, part in free.items()]
    fixed = [
        f"{lower_first(labels.name(name))} {format_quantity(part.value, labels.unit(name))}"
        for name, part in given.variables.items()
        if part.value is not None
    ]
    found += [("Fixed", ", ".join(fixed))] if fixed else []
    endless = "endless: a variable has no grid"
    return [*found, ("Materials", format_count(count) if count is not None else endless)]


def _shares(shares: Simplex) -> str:
    parts = [
        ", ".join(shares.species),
        f"shares in steps of 1/{shares.grid}" if shares.grid > 1 else "one of them",
    ]
    if shares.most is not None and shares.grid > 1:
        least = f"{shares.fewest} to " if shares.fewest > 1 else "at most "
        parts.append(f"{least}{shares.most} at a time")
    parts += [f"at least {format_quantity(shares.least)} of each"] if shares.least else []
    parts += [f"at most {format_quantity(shares.greatest)} of each"] if shares.greatest < 1 else []
    parts += [
        f"{name} {format_quantity(low)} to {format_quantity(high)}"
        for name, (low, high) in shares.bounds.items()
    ]
    return "; ".join(parts)


def _variable(part: Factor, unit: str) -> str:
    if part.levels:
        return ", ".join(part.levels)
    assert part.between is not None
    low, high = part.between
    text = f"{format_quantity(low)} to {format_quantity(high, unit)}"
    return f"{text}, {part.grid} values" if part.grid else text


def validity(labels: DesignLabels, metrics: pd.DataFrame | None) -> str:
    """What holds for every material of a space by construction, and what does not."""
    given = labels.problem_config.space
    kept = ["every bound holds"]
    if given.sites or given.elements:
        kept.insert(0, f"the shares of {'a site' if given.sites else 'the elements'} add up to 1")
    if given.sites:
        kept.insert(1, "the charges cancel")
    held = f"{', '.join(kept[:-1])} and {kept[-1]}" if kept[1:] else kept[0]
    text = (
        f"Valid by construction: {held} in every material of the space, so that 100 % validity says nothing "
        "of a method."
    )
    if windows := windows_of(metrics) if metrics is not None else []:
        names = ", ".join(humanize_key(name.removesuffix("_window")) for name in windows)
        text += f" The windows of geometric criteria ({names}) are not built in: they are the information."
    return text


def windows_of(metrics: pd.DataFrame) -> list[str]:
    """Metrics that are the share of candidates inside the window of a geometric criterion."""
    return [str(name) for name in dict.fromkeys(metrics["metric"]) if str(name).endswith("_window")]


def rates(metrics: pd.DataFrame, judged_by: str = ALL, metric: str = "hit") -> Rates:
    """Rate with interval by method, of distinct candidates over all seeds."""
    rows = metrics[(metrics["seed"] == -1) & (metrics["judge"] == judged_by) & (metrics["metric"] == metric)]
    return {row["method"]: (row["value"], row["low"], row["high"]) for row in rows.to_dict("records")}


def numbers(metrics: pd.DataFrame, metric: str, judged_by: str = MODEL) -> dict[str, float]:
    """A metric of distinct candidates over all seeds, by method."""
    rows = metrics[(metrics["seed"] == -1) & (metrics["metric"] == metric) & (metrics["judge"] == judged_by)]
    return dict(zip(rows["method"], rows["value"], strict=True))


def over_seeds(metrics: pd.DataFrame, metric: str, judged_by: str = MODEL) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of a metric over the seeds of each method; NaN for a single seed."""
    rows = metrics[(metrics["seed"] >= 0) & (metrics["metric"] == metric) & (metrics["judge"] == judged_by)]
    told = rows.groupby("method")["value"].agg(["mean", "std"])
    return {str(name): (float(row["mean"]), float(row["std"])) for name, row in told.iterrows()}


def _models(labels: DesignLabels) -> dict[str, str]:
    """Kind of the generative model of each method that has one."""
    return {
        name: labels.study.generative[entry.model].kind
        for name, entry in labels.problem_config.methods.items()
        if entry.model
    }


def use_samples(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """Which generative method to use: the one whose samples give most hits; empty where there is none."""
    kinds, yields = _models(labels), rates(metrics, ALL, "yield")
    ours = [name for name in kinds if kinds[name] not in ("retrieval", "uniform") and name in yields]
    if not ours:
        return ""
    target = labels.problem_config.targets[0]
    best = max(ours, key=lambda name: yields[name][0])
    plain = next((name for name in kinds if kinds[name] == "uniform" and name in yields), UNIFORM)
    by_chance = rates(metrics)[UNIFORM]
    floor = yields.get(plain, by_chance)
    if by_chance[0] > TRIVIAL:
        return f"No model is needed: {format_rate(by_chance)} of materials drawn uniformly are hits."
    off = over_seeds(metrics, f"error:{target.quantity}", _judge_of(metrics, labels))[best]
    return (
        f"Use {labels.method(best)}: {format_rate(yields[best])} of its samples are kept and hits by all judges, "  # noqa: E501
        f"off by {format_spread(*off, labels.unit(target.quantity))}, against {format_rate(floor)} of uniform samples."  # noqa: E501
    )


def _judge_of(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """The judge that errors are told by: the first."""
    name = f"error:{labels.problem_config.targets[0].quantity}"
    return str(metrics.loc[metrics["metric"] == name, "judge"].iloc[0])


def sampled(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """Which generative methods are nearest to the value, give most, and are most diverse, by the judge."""
    target = labels.problem_config.targets[0]
    by, unit, kinds = _judge_of(metrics, labels), labels.unit(target.quantity), _models(labels)
    models = [name for name, kind in kinds.items() if kind not in ("retrieval", "uniform")]
    off = over_seeds(metrics, f"error:{target.quantity}", by)
    yields, apart = rates(metrics, ALL, "yield"), over_seeds(metrics, "pair_distance")
    ours = [name for name in models if name in off and name in yields]
    if not ours:
        return ""
    nearest = min(ours, key=lambda name: off[name][0])
    richest = max(ours, key=lambda name: yields[name][0])
    told = [
        f"Asked for {format_quantity(target.value or 0.0, unit)}, {labels.method(nearest)} is nearest by the "
        f"{judge(by)}: off by {format_spread(*off[nearest], unit)}",
        f"{labels.method(richest)} has the highest yield: {format_rate(yields[richest])} of its samples are hits, "  # noqa: E501
        f"at a distance of two candidates of {format_value(apart[richest][0])}",
    ]
    for kind, text in (("retrieval", "rows of the data with this value"), ("uniform", "uniform samples")):
        for name in (name for name in kinds if kinds[name] == kind and name in off):
            share = f", yield {format_rate(yields[name])}" if kind == "uniform" and name in yields else ""
            told.append(f"{labels.method(name)}, {text}: off by {format_spread(*off[name], unit)}{share}")
    for plain, filtered in _filters(labels):
        if plain in off and filtered in off:
            better = "is enough to be nearer" if off[filtered][0] < off[plain][0] else "is not enough"
            told.append(
                f"a better filter alone {better}: {labels.method(filtered)} is off by "
                f"{format_spread(*off[filtered], unit)}, {labels.method(plain)} by {format_spread(*off[plain], unit)}"  # noqa: E501
            )
    return "; ".join(told) + "."


def _filters(labels: DesignLabels) -> list[tuple[str, str]]:
    """Methods that filter and localise as published, each with one that only filters the same samples."""
    entries = labels.problem_config.methods
    return [
        (name, other)
        for name, entry in entries.items()
        if entry.options.get("scaled") is False
        for other, same in entries.items()
        if same.model == entry.model and stage(same) == "filtered"
    ]


def verdict(metrics: pd.DataFrame, runs: pd.DataFrame, labels: DesignLabels, count: int | None) -> str:
    """Which method to use for a problem, and whether ranking all of its materials is enough.

    A method that searched a judge is none to choose: that judge has no say of it.

    Args:
        metrics: What was measured of each method's candidates.
        runs: Seconds and evaluations of each method and seed.
        labels: Names.
        count: Materials of the space; None where a variable has no grid.
    """
    entries = {
        name: entry for name, entry in labels.problem_config.methods.items() if entry.predictor == "model"
    }
    found, kinds = rates(metrics), {name: entry.kind for name, entry in entries.items()}
    methods = [name for name in kinds if name in found]
    if not any(found[name][0] > 0 for name in methods):
        return "No method has a candidate that all judges call a hit."
    ranking = next((name for name in methods if kinds[name] == "ranking"), None)
    beside = _beside(found)
    if ranking is None:
        return f"{_unranked(found, methods, kinds, labels)} {_not_ranked(count)} {beside}".strip()
    above = [name for name in methods if found[name][1] > found[ranking][2]]
    took = format_value(float(runs.loc[runs["method"] == ranking, "seconds"].mean()), "s")
    of = f"all {format_count(count)} materials" if count is not None else "all materials"
    best = max(methods, key=lambda name: found[name][0])
    if not above and found[best][0] > found[ranking][2]:
        return (
            f"Ranking {of} in {took} finds what the searched model thinks best, and "
            f"{format_rate(found[ranking])} of it are hits by all judges; {labels.method(best)} has more, "
            f"{format_rate(found[best])}: the harder this model is searched, the more its errors are chosen. "
            f"{beside}"
        )
    if not above:
        others = ", and no other method has a rate whose interval lies above" if methods[1:] else ""
        return (
            f"Ranking is enough: it predicts {of} in {took}, {format_rate(found[ranking])} of its best are hits by "  # noqa: E501
            f"all judges{others}. {beside}"
        ).strip()
    best = max(above, key=lambda name: found[name][0])
    return (
        f"{_use(best, found, labels)}, against {format_rate(found[ranking])} of the best of {of}, which take {took} "  # noqa: E501
        f"to rank. {beside}"
    ).strip()


def _use(best: str, found: Rates, labels: DesignLabels) -> str:
    return f"Use {labels.method(best)}: {format_rate(found[best])} of its candidates are hits by all judges"


def _unranked(found: Rates, methods: Sequence[str], kinds: Mapping[str, str], labels: DesignLabels) -> str:
    """The best method, where its rate is shown to be above that of what is drawn at random."""
    plain = next((name for name in methods if kinds[name] == "random"), UNIFORM)
    best = max(methods, key=lambda name: found[name][0])
    better = [name for name in methods if found[name][1] > found[plain][2]]
    against = f"{format_rate(found[plain])} for {lower_first(labels.method(plain))}"
    if not better:
        return (
            f"No method is shown to be better than {lower_first(labels.method(plain))}: the highest rate of "
            f"hits by all judges is that of {labels.method(best)}, {format_rate(found[best])}, against {against}."  # noqa: E501
        )
    return f"{_use(max(better, key=lambda name: found[name][0]), found, labels)}, against {against}."


def _not_ranked(count: int | None) -> str:
    if count is None:
        return "The space cannot be ranked: a variable has no grid."
    return f"The {format_count(count)} materials of the space were not ranked."


def _beside(found: Rates) -> str:
    """The rates of what every method has to beat."""
    names = {UNIFORM: "of materials drawn uniformly", TRAINING: "of the best of the training data"}
    told = [f"{format_rate(found[name])} {text}" for name, text in names.items() if name in found]
    return f"To beat: {' and '.join(told)}." if told else ""


def chosen(metrics: pd.DataFrame, labels: DesignLabels) -> str | None:
    """The method that is spoken of: that of the shortlist, or the one with the highest rate of hits."""
    if labels.problem_config.shortlist:
        return labels.problem_config.shortlist.method
    own = [name for name, entry in labels.problem_config.methods.items() if entry.predictor == "model"]
    found = {name: pair for name, pair in rates(metrics).items() if name in own}
    return max(found, key=lambda name: found[name][0], default=None)


def promises(metrics: pd.DataFrame, labels: DesignLabels) -> str:
    """How far the searched model is from each judge in the first target, of one method's candidates."""
    method, quantity = chosen(metrics, labels), labels.problem_config.targets[0].quantity
    rows = metrics[
        (metrics["seed"] == -1)
        & (metrics["method"] == method)
        & (metrics["metric"] == f"optimism:{quantity}")
    ]
    if method is None or rows.empty:
        return ""
    told = [
        f"{format_value(abs(row['value']), row['unit'])} {'above' if row['value'] > 0 else 'below'} the "
        f"{judge(row['judge'])}"
        for row in rows.to_dict("records")
    ]
    return (
        f"Of the candidates of {labels.method(method)} the searched model predicts "
        f"{lower_first(labels.name(quantity))} {' and '.join(told)}, on average."
    )


def first_of(shortlist: pd.DataFrame, labels: DesignLabels) -> str:
    """The first candidate without a warning, or else the first, with what is predicted of it."""
    clear = shortlist[shortlist["flags"] == ""]
    row = (clear if len(clear) else shortlist).to_dict("records")[0]
    told = ", ".join(
        f"{lower_first(labels.name(quantity))} {predicted(row, quantity, labels.unit(quantity))}"
        for quantity in asked(labels)
    )
    which = "First on the shortlist without a warning" if len(clear) else "First on the shortlist"
    return (
        f"{which}: {row['formula']}, rank {row['rank']}, with {told}. "
        f"{len(shortlist) - len(clear)} of {len(shortlist)} bear a warning."
    )


def asked(labels: DesignLabels) -> list[str]:
    """Quantities that are wanted or bounded, each once."""
    parts: list[Target | Constraint] = [*labels.problem_config.targets, *labels.problem_config.constraints]
    return list(dict.fromkeys(part.quantity for part in parts))


def predicted(row: Mapping[Any, Any], quantity: str, unit: str = "") -> str:
    """What is predicted of a candidate: mean ± standard deviation."""
    return format_spread(row[f"{quantity}.mean"], row[f"{quantity}.std"], unit)


def verified(calculated: pd.DataFrame, labels: DesignLabels) -> str:
    """How far predictions are from calculations, a part of the sentence a quantity."""
    told = []
    for quantity, rows in calculated.groupby("quantity", sort=False):
        error, inside, count = comparisons.against(rows)
        size = format_value(error, rows["unit"].iloc[0])
        told.append(
            f"{lower_first(labels.name(str(quantity)))} is off by {size} on average, {inside} of {count} are "
            "within two predicted standard deviations"
        )
    return f"Against DFT: {'; '.join(told)}."


def calibrated(errors: pd.DataFrame) -> str:
    """How well the calculations reproduce the data set, on rows that no number was fitted to."""
    fitted, tested = (errors[errors["half"] == half].reset_index(drop=True) for half in ("fitted", "tested"))
    best = tested.iloc[int(fitted["mae"].argmin())]
    offset = f" and {format_value(best['offset'], 'eV', sign=True)} added" if best["offset"] else ""
    return (
        f"Rows of the data set, calculated again with {best['variant']}{offset}, have a mean absolute error "
        f"of {format_value(best['mae'], 'eV')} where nothing was fitted ({best['rows']} rows)."
    )


def learnt(rounds: pd.DataFrame, labels: DesignLabels) -> str:
    """What a second round with calculated candidates taught, a part of the sentence a target."""
    told = [
        f"{lower_first(labels.name(quantity))} from {format_value(before)} to {format_value(after, unit)}"
        for quantity, unit, before, after, _ in second_round(rounds, labels)
    ]
    return (
        f"Training on half of the calculated candidates takes the mean absolute error of the other half in "
        f"{'; in '.join(told)}."
    )


def second_round(rounds: pd.DataFrame, labels: DesignLabels) -> list[tuple[str, str, float, float, int]]:
    """Quantity, unit, mean absolute error before and after a second round, and rows, of each target."""
    study = labels.study
    scale = next(name for name in study.lineage(labels.scale) if study.scales[name].targets)
    found = []
    for target, rows in rounds.groupby("target", sort=False):
        before, after = ((rows[name] - rows["calculated"]).abs().mean() for name in ("first", "second"))
        found.append((f"{scale}.{target}", rows["unit"].iloc[0], float(before), float(after), len(rows)))
    return found


def compared_with(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """How many times a rate is another; at least so many times where the other is 0."""
    if theirs[0] > 0:
        return f"{ours[0] / theirs[0]:.2g}"
    return f"> {ours[0] / theirs[2]:.2g}" if ours[0] > 0 and np.isfinite(theirs[2]) else "–"
