"""What a study found, in sentences with numbers: the words of the report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nestmat.config import Split, Strict, Study
from nestmat.figures import kind, measures
from nestmat.figures.style import Labels, lower_first, word


def value(number: float, unit: str = "", sign: bool = False) -> str:
    """A number for a table or a sentence: about three decimals below ten, fewer above, with its unit."""
    if not np.isfinite(number):
        return "–"
    size = abs(number)
    places = 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    if 0 < size < 0.01:
        places = 2 - int(np.floor(np.log10(size)))
    text = f"{number:{'+' if sign else ''}.{places}f}".replace("-", "−")
    return f"{text} {unit}".strip()


def spread(mean: float, sd: float, unit: str = "", folds: int = 2) -> str:
    """``mean ± sd unit`` with as many decimals of the spread as of the mean; no spread from one fold."""
    text = value(mean)
    if folds > 1 and np.isfinite(sd) and np.isfinite(mean):
        text += f" ± {sd:.{len(text.partition('.')[2])}f}"
    return f"{text} {unit}".strip()


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * share:.0f} %"


def protocol_in_words(study: Study, scale: str, protocol: str) -> str:
    """What a protocol does with the rows of a scale, and what it can leak."""
    split = study.strict if protocol == "strict" else study.scales[scale].splits[protocol]
    text = _split_in_words(split, study.scales[scale].targets)
    if isinstance(split, Split) and split.published:
        text += " This is the split of the publication, repeated to compare with it."
    if protocol == "strict":
        return text
    for parent in study.scales[scale].parents:
        name = Labels(study, parent).title()
        if study.parent_protocol(parent, protocol) == "strict":
            text += f" Latents come from members of “{name}” that were trained on all rows of that scale."
        else:
            text += (
                f" Latents come from the members of “{name}” for its own split of this name: a material validated here "
                "may have trained them."
            )
    return text


def _split_in_words(split: Split | Strict, targets: list[str]) -> str:
    repeats = f", and {len(split.repeats)} further seeds" if split.repeats else ""
    if isinstance(split, Strict):
        return (
            f"The materials of all scales are divided into {split.folds} shared folds (seed {split.seed}{repeats}): a "
            "material that is validated in fold k trains no scale in fold k."
        )
    if split.kind == "leave_one_out":
        return f"Each {word(str(split.column))} in turn is left out of training and predicted: extrapolation to a new one."
    what = {
        "stratified": f"Rows are divided into {split.folds} folds, stratified on {split.quantiles} quantile bins of {(targets or ['the target'])[0]}",
        "kfold": f"Rows are divided at random into {split.folds} folds; rows of one material may fall into several",
        "grouped": f"Whole groups of like rows are divided into {split.folds} folds",
    }[split.kind]
    return f"{what} (seed {split.seed}{repeats})."


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
    first = kind.headline(labels.study, labels.scale)
    unit = labels.unit(target)
    table = measures.over_folds(metrics)
    table = table[
        (table["metric"] == "mae") & (table["split"] == "validation") & (table["target"] == target)
    ].set_index("model")
    found = []
    for protocol in measures.ordered(table["protocol"], labels.config.protocols):
        rows = table[table["protocol"] == protocol]
        if first not in rows.index:
            continue
        row = rows.loc[first]
        text = (
            f"MAE {spread(row['mean'], row['sd'], unit, row['folds'])} over {row['folds']} folds "
            f"({_inside(labels.model(first))})."
        )
        others = rows.drop(index=first)
        if not others.empty:
            best = others["mean"].idxmin()
            text += f" Best single model: {labels.model(str(best))}, {value(others.loc[best, 'mean'], unit)}."
        theirs = best_published(published, target, protocol)
        if theirs is not None:
            change = row["mean"] - theirs["value"]
            text += (
                f" Best published: {theirs['published']}, {value(theirs['value'], unit)}; ours is "
                f"{value(abs(change), unit)} ({percent(abs(change) / theirs['value'])}) {'lower' if change < 0 else 'higher'}."
            )
        found.append((labels.protocol(protocol), text))
    return found


def best_published(published: pd.DataFrame, target: str, protocol: str) -> pd.Series | None:
    """The published number with the least validation MAE for a target and protocol."""
    rows = published[
        (published["target"] == target)
        & (published["protocol"] == protocol)
        & (published["metric"] == "mae")
        & (published["split"] == "validation")
        & published["latents"].isna()
    ]
    return None if rows.empty else rows.loc[rows["value"].idxmin()]


def optimism(metrics: pd.DataFrame, labels: Labels, target: str) -> str | None:
    """How far the published split flatters the headline predictor against the strict one."""
    first = kind.headline(labels.study, labels.scale)
    published = [name for name, split in labels.config.splits.items() if split.published]
    table = measures.over_folds(metrics)
    table = table[
        (table["metric"] == "mae")
        & (table["split"] == "validation")
        & (table["target"] == target)
        & (table["model"] == first)
    ].set_index("protocol")["mean"]
    if not published or not {published[0], "strict"} <= set(table.index):
        return None
    change, unit = table["strict"] - table[published[0]], labels.unit(target)
    word_ = "more" if change > 0 else "less"
    return (
        f"With whole materials left out along the chain the error is {value(abs(change), unit)} "
        f"({percent(abs(change) / table[published[0]])}) {word_} than under the published split."
    )


def verdict(low: float, high: float) -> str:
    """What an interval of the difference nested minus single says."""
    if high < 0:
        return "nesting helps"
    if low > 0:
        return "nesting hurts"
    return "no difference is shown"


def nesting(comparisons: pd.DataFrame, labels: Labels, target: str) -> list[tuple[str, str]]:
    """One sentence a pair and protocol: the difference with its interval, and what it says."""
    rows = comparisons[(comparisons["metric"] == "mae") & (comparisons["target"] == target)]
    found = []
    for nested, single in labels.config.compare:
        pair = rows[(rows["nested"] == nested) & (rows["single"] == single)].set_index("protocol")
        for protocol in measures.ordered(pair.index, labels.config.protocols):
            row = pair.loc[protocol]
            found.append(
                (
                    labels.protocol(protocol),
                    f"{labels.model(nested)} less {lower_first(labels.model(single))}: "
                    f"{value(row['difference'], labels.unit(target), sign=True)} MAE "
                    f"(95 % interval {value(row['low'], sign=True)} to {value(row['high'], sign=True)}); "
                    f"{verdict(row['low'], row['high'])}.",
                )
            )
    return found


def coverage(metrics: pd.DataFrame, labels: Labels, target: str) -> str | None:
    """How many held-out values lie in the intervals of the headline predictor, in the first protocol that tells."""
    table = measures.pooled(metrics)
    table = table[
        (table["model"] == kind.headline(labels.study, labels.scale))
        & (table["target"] == target)
        & (table["split"] == "validation")
    ]
    for protocol in measures.ordered(table["protocol"], labels.config.protocols):
        values = table[table["protocol"] == protocol].set_index("metric")["value"]
        if {"coverage_68", "coverage_95"} <= set(values.index) and np.isfinite(values["coverage_68"]):
            return (
                f"{percent(values['coverage_68'])} of the held-out values lie inside the predicted 68 % interval and "
                f"{percent(values['coverage_95'])} inside the 95 % one ({lower_first(labels.protocol(protocol))})."
            )
    return None


def _inside(name: str) -> str:
    return "recommended predictor" if name == "Recommended" else lower_first(name)
