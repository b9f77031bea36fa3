"""How often a class is missed, by the number of elements of the material."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.data.targets import class_targets
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def available(study: Study, scale: str) -> bool:
    """Whether the scale predicts one of two classes of materials that have formulas."""
    spec = resolve(study.datasets[study.scales[scale].dataset])
    two = [names for names in class_targets(study, scale).values() if len(names) == 2]
    return bool(two and (spec.formula or spec.formula_template))


def _rules(study: Study, scale: str) -> list[str]:
    """Baselines that are rules so simple that every model should beat them."""
    return [name for name, entry in study.scales[scale].baselines.items() if entry.registered.is_reference]


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Predictions of the headline predictor, of the autoencoder and of a rule, and formulas."""
    models = dict.fromkeys([kind.headline(study, scale), kind.autoencoder(study, scale)])
    protocols = dict.fromkeys(p for rule in _rules(study, scale) for p in study.scales[scale].runs(rule))
    files = [path for model in models for path in kind.predictions(study, scale, model)]
    files += [f"predictions/{scale}/{protocol}/baselines.parquet" for protocol in protocols]
    return {"predictions": files, "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A panel a target and protocol: share of validation rows that are missed, a bar a model.

    Args:
        frames: ``predictions`` (validation rows of the ensembles, all repeats) and ``features`` (formulas).
        labels: Names and classes.
    """
    from nestmat.evaluation.classification import DECISION_THRESHOLD
    from nestmat.materials.formulas import elements

    features = frames["features"]
    count = dict(zip(features["row_id"], map(len, elements(features["formula"])), strict=True))
    headline, autoencoder = (find(labels.study, labels.scale) for find in (kind.headline, kind.autoencoder))
    shown = [headline, autoencoder, *_rules(labels.study, labels.scale)]
    predictions = frames["predictions"]
    targets = [target for target in labels.config.targets if len(labels.classes(target)) == 2]
    predictions = predictions[
        predictions["model"].isin(shown) & predictions["target"].isin(targets) & (predictions["fold"] >= 0)
    ]
    missed = (predictions["mean"] >= DECISION_THRESHOLD) != (predictions["true"] == 1)
    predictions = predictions.assign(missed=missed, elements=predictions["row_id"].map(count))
    protocols = comparisons.ordered(predictions["protocol"], labels.config.protocols)
    cells = [(target, protocol) for target in targets for protocol in protocols]
    figure, axes = style.grid_of(len(cells), 2, height=2.4, width=style.WIDTH if len(cells) > 1 else 4.4)
    for ax, (target, protocol) in zip(axes, cells, strict=True):
        of_panel = predictions[(predictions["target"] == target) & (predictions["protocol"] == protocol)]
        models = comparisons.ordered(of_panel["model"], shown)
        numbers = sorted(of_panel["elements"].unique())
        width = 0.8 / len(models)
        for place, model in enumerate(models):
            highlighted = {headline: style.VERMILLION, autoencoder: style.BLUE}
            colour = highlighted.get(model, (style.GREY, style.ORANGE)[place % 2])
            share = of_panel[of_panel["model"] == model].groupby("elements")["missed"].mean().reindex(numbers)
            at = np.arange(len(numbers)) + (place - (len(models) - 1) / 2) * width
            ax.bar(at, 100 * share, width, color=colour, label=labels.model(model))
        rows = (
            of_panel[of_panel["model"] == models[0]].groupby("elements")["row_id"].nunique().reindex(numbers)
        )
        ax.set_xticks(range(len(numbers)), [f"{n}\n({k})" for n, k in zip(numbers, rows, strict=True)])
        several = len(targets) > 1
        ax.set_title(labels.protocol(protocol) + (f": {labels.name(target)}" if several else ""), fontsize=8)
        ax.set_xlabel("Elements (materials tested)")
        ax.set_ylabel("Missed (%)")
        ax.grid(axis="x", visible=False)
    style.legend_below(figure, axes)
    return figure


FIGURES.register("elements")(
    kind.FigureKind(
        title="Errors by the number of elements",
        caption=(
            "Share of left-out rows whose class is missed, of all repeats, by the number of elements of the "
            "material; in brackets how many different rows were tested."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=available,
        filters={"predictions": kind.REPEATED},
    )
)
