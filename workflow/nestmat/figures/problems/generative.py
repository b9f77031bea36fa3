"""Samples of generative models conditioned on a value, and how the models were trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nestmat.config.problems import Method
from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.problems import methods as designs
from nestmat.figures.problems.looks import method_looks
from nestmat.figures.registry import FIGURES
from nestmat.figures.scales import curves
from nestmat.labels.problems import BASELINES, DesignLabels, judge_name, order_judges
from nestmat.labels.text import prettify, with_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STAGES = ("raw", "filtered", "localised")
"""What may be done with samples: nothing; keep those that the searched model likes; move them before."""
SHOWN = 300
"""Points drawn of a cloud."""
PER_ROW = 4


def stage(entry: Method) -> str:
    """How far a generative method goes; see `STAGES`."""
    if entry.options.get("steps"):
        return "localised"
    return "raw" if entry.options.get("accept") is None and entry.options.get("near") is None else "filtered"


def asks_for_value(study: Study, problem: str) -> bool:
    """Whether the problem is searched with generative models conditioned on a value."""
    return any(entry.model for entry in study.search[problem].methods.values())


def staged(study: Study, problem: str) -> bool:
    """Whether a model of the problem is taken at several stages."""
    return bool(_staged(study, problem))


def _staged(study: Study, problem: str) -> dict[str, dict[str, str]]:
    """Methods by stage of each model that has several."""
    methods_by_stage: dict[str, dict[str, str]] = {}
    for name, entry in study.search[problem].methods.items():
        if entry.model:
            methods_by_stage.setdefault(entry.model, {}).setdefault(stage(entry), name)
    return {model: stages for model, stages in methods_by_stage.items() if len(stages) > 1}


def trained(study: Study, problem: str) -> bool:
    """Whether it is the first problem of its protocol with trained generative models."""
    protocol = study.search[problem].protocol
    problems = [
        name
        for name, problem_config in study.search.items()
        if problem_config.protocol == protocol and _trained(study, name)
    ]
    return problems[:1] == [problem]


def _trained(study: Study, problem: str) -> list[str]:
    models = dict.fromkeys(entry.model for entry in study.search[problem].methods.values() if entry.model)
    return [name for name in models if not study.generative[name].registered.is_reference]


def near_rows(study: Study, problem: str) -> kind.TablePaths:
    """The shortlist and the rows of the scale that it is compared with."""
    return {
        "shortlist": [f"search/{problem}/shortlist.parquet"],
        "features": [kind.features(study.search[problem].scale)],
    }


def listed(study: Study, problem: str) -> bool:
    """Whether the shortlist of the problem is made by a generative method."""
    config = study.search[problem]
    return bool(config.shortlist and config.methods[config.shortlist.method].model)


def histories(study: Study, problem: str) -> kind.TablePaths:
    """Learning curves of the generative models that the problem is searched with."""
    folder = f"generative/{study.search[problem].protocol}"
    return {"history": [f"{folder}/{name}.history.parquet" for name in _trained(study, problem)]}


def draw_samples(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A panel a method: histogram of the judged values of its candidates, and of the predicted ones.

    Args:
        frames: ``judged``.
        labels: Names and units.
    """
    from nestmat.search.candidate_table import CandidateTable, mean_column

    rows, target = frames["judged"], labels.problem_config.targets[0]
    assert target.value is not None
    [judge, *_] = order_judges(CandidateTable(rows).judges)
    judged_column, predicted_column = mean_column(target.quantity, judge), mean_column(target.quantity)
    methods = labels.methods(rows["method"])
    judged = rows[judged_column].to_numpy(np.float64)
    lowest = min(float(judged.min()), target.value - 2 * target.tolerance)
    highest = max(float(np.quantile(judged, 0.995)), target.value + 4 * target.tolerance)
    edges = np.linspace(lowest, highest, 49).tolist()
    figure, axes = style.grid_of(len(methods), PER_ROW, height=1.35)
    for ax, method in zip(axes, methods, strict=True):
        candidates = rows[rows["method"] == method]
        weights = np.full(len(candidates), 100 / len(candidates))
        values = candidates[judged_column].clip(edges[0], edges[-1])
        ax.hist(values, edges, weights=weights, color=style.BLUE, alpha=0.6, label=prettify_judge(judge))
        predicted = candidates[predicted_column].clip(edges[0], edges[-1])
        ax.hist(
            predicted,
            edges,
            weights=weights,
            histtype="step",
            color=style.INK,
            linewidth=0.8,
            label="Searched model",
        )
        ax.axvline(target.value, color=style.VERMILLION, linewidth=0.9, label="Asked for")
        ax.set_title(labels.method(method), fontsize=7)
        ax.tick_params(labelsize=6.5)
    for ax in axes[::PER_ROW]:
        ax.set_ylabel("Candidates (%)", fontsize=7)
    for ax in axes[-min(PER_ROW, len(axes)) :]:
        ax.set_xlabel(labels.axis(target.quantity, characters=24), fontsize=7)
    style.legend_below(figure, axes)
    return figure


def prettify_judge(name: str) -> str:
    """Name of a judge at the beginning of a line."""
    return prettify(judge_name(name))


def draw_pairs(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """Every two numbers of the listed candidates, over the rows of the data with such a value.

    Args:
        frames: ``shortlist``; ``features`` of the scale.
        labels: Names and units.
    """
    target = labels.problem_config.targets[0]
    assert target.value is not None
    column = target.quantity.rpartition(".")[2]
    data = frames["features"]
    near = data[(data[column] - target.value).abs() <= target.tolerance]
    near = near.sample(min(SHOWN, len(near)), random_state=0)
    candidates = frames["shortlist"].head(SHOWN)
    bounds = {
        name: part.between for name, part in labels.problem_config.space.variables.items() if part.between
    }
    names, n = list(bounds), len(bounds)
    figure, axes = style.panels(n, n, height=1.02)
    clouds = (
        ("Rows of the data", near, {"color": style.GREY, "markersize": 1.6, "alpha": 0.5}),
        ("Candidates", candidates, {"color": style.BLUE, "markersize": 1.8, "alpha": 0.6}),
    )
    for i, down in enumerate(names):
        for j, across in enumerate(names):
            ax = axes[i, j]
            if j > i:
                ax.set_axis_off()
                continue
            ax.tick_params(labelsize=5.5, labelleft=j == 0 and i > 0, labelbottom=i == n - 1)
            for text, rows, look in clouds:
                if i == j:
                    edges = np.linspace(*bounds[across], 20)
                    ax.hist(
                        rows[across], edges, histtype="step", density=True, color=look["color"], linewidth=0.9
                    )
                else:
                    ax.plot(rows[across], rows[down], linestyle="none", marker="o", label=text, **look)
            if i == n - 1:
                ax.set_xlabel(with_unit(across, labels.unit(across)), fontsize=7)
            if j == 0 and i > 0:
                ax.set_ylabel(with_unit(down, labels.unit(down)), fontsize=7)
    axes[0, 0].tick_params(labelleft=False)
    style.legend_below(figure, [axes[1, 0]])
    return figure


def draw_stages(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A panel a model: share of the candidates that the judge puts so near to the value, by stage.

    Args:
        frames: ``judged``.
        labels: Names and units.
    """
    from nestmat.search.candidate_table import CandidateTable

    rows, target = frames["judged"], labels.problem_config.targets[0]
    assert target.value is not None
    [by, *_] = order_judges(CandidateTable(rows).judges)
    off = (CandidateTable(rows).mean(target.quantity, by) - target.value).abs()
    staged = _staged(labels.study, labels.problem)
    looks = {"raw": style.GREY, "filtered": style.ORANGE, "localised": style.BLUE}
    figure, axes = style.grid_of(len(staged), PER_ROW, height=1.8)
    unit = labels.unit(target.quantity)
    for ax, (model, stages) in zip(axes, staged.items(), strict=True):
        for name in (name for name in STAGES if name in stages):
            values = np.sort(off[rows["method"] == stages[name]])
            if not len(values):
                continue
            share = 100 * np.arange(1, len(values) + 1) / len(values)
            ax.plot(
                values,
                share,
                drawstyle="steps-post",
                color=looks[name],
                linewidth=1.2,
                label=name.capitalize(),
            )
        ax.axvline(target.tolerance, color=style.INK, linewidth=0.7, linestyle=":")
        ax.set_xscale("log")
        ax.set_xlim(max(1e-3, target.tolerance / 100), 10 * target.tolerance)
        ax.set_ylim(0, 102)
        ax.set_title(labels.study.generative[model].title or prettify(model), fontsize=8)
        ax.set_xlabel(with_unit("Off by at most", unit))
    for ax in axes[::PER_ROW]:
        ax.set_ylabel("Candidates (%)")
    style.legend_below(figure, axes)
    return figure


def draw_diversity(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """How far candidates are from each other, against how far the judge puts them from the value.

    Args:
        frames: ``metrics``, over each seed and over all of them.
        labels: Names and units.
    """
    metrics, quantity = frames["metrics"], labels.problem_config.targets[0].quantity
    errors = metrics[metrics["metric"] == f"error:{quantity}"]
    by = errors["judge"].iloc[0]
    errors = errors[errors["judge"] == by].set_index(["method", "seed"])["value"]
    distances = metrics[metrics["metric"] == "pair_distance"].set_index(["method", "seed"])["value"]
    methods, looks = labels.methods(metrics["method"]), method_looks(labels)
    figure, axes = style.panels(1, 1, height=max(3.2, 0.2 * len(methods) + 1), width=style.WIDTH)
    ax = axes[0, 0]
    for method in methods:
        x, y = distances[method], errors[method]
        seeds = [seed for seed in x.index if seed >= 0]
        look: dict[str, Any] = {**looks[method], "markersize": 6}
        if method in BASELINES:
            look["markersize"] = 8
        ax.errorbar(
            x[-1],
            y[-1],
            xerr=[[x[-1] - min(x[seeds].min(), x[-1])], [max(x[seeds].max(), x[-1]) - x[-1]]],
            yerr=[[y[-1] - min(y[seeds].min(), y[-1])], [max(y[seeds].max(), y[-1]) - y[-1]]],
            linestyle="none",
            elinewidth=0.8,
            label=labels.method(method),
            **look,
        )
    ax.set_yscale("log")
    ax.set_xlabel("Mean distance of two candidates, every interval from −1 to 1")
    ax.set_ylabel(with_unit(f"Mean distance from the value by the {judge_name(by)}", labels.unit(quantity)))
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=7, frameon=False)
    return figure


def draw_training(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A panel a model: loss along the training, all seeds.

    Args:
        frames: ``history`` with a column ``source``, the file of each row.
        labels: Names.
    """
    histories_by_model = curves.by_model(frames["history"])
    figure, axes = style.grid_of(len(histories_by_model), PER_ROW, height=1.8)
    for ax, (model, rows) in zip(axes, histories_by_model.items(), strict=True):
        for split, colour in (("train", style.BLUE), ("held out", style.VERMILLION)):
            for place, (_, history) in enumerate(rows[rows["split"] == split].groupby("seed")):
                name = "" if place else f"{split} rows"
                ax.plot(history["step"], history["loss"], color=colour, linewidth=0.8, alpha=0.8, label=name)
        ax.set_title(labels.study.generative[model].title or prettify(model), fontsize=8)
        ax.set_xlabel("Step")
        # The first steps of raw coordinates cost anything, and so do rows that were held out of those that a
        # network has learned by heart.
        settled = rows["step"] > 0.04 * rows["step"].max()
        low, high = rows["loss"].min(), rows.loc[settled & (rows["split"] == "train"), "loss"].max()
        ax.set_ylim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    for ax in axes[::PER_ROW]:
        ax.set_ylabel("Loss")
    style.legend_below(figure, axes)
    return figure


FIGURES.register("samples")(
    kind.FigureKind(
        title="What each method gives for the value that was asked for",
        caption=(
            "Share of each method's candidates by what the judge says of them (filled) and what the searched "
            "model says (line). What lies beyond the axis is counted in the last bin."
        ),
        section="methods",
        draw=draw_samples,
        required_tables=designs.judged,
        available=asks_for_value,
        subject="problem",
    )
)
FIGURES.register("diversity")(
    kind.FigureKind(
        title="Accuracy and diversity",
        caption=(
            "Each method's candidates: mean Euclidean distance of two of them, against the mean distance "
            "from the value that was asked for, as the judge says; bars span the seeds. To the lower right "
            "is better. Materials drawn uniformly are the most diverse; retrieval gives rows of the data, "
            "whose true values are known, but no new material."
        ),
        section="methods",
        draw=draw_diversity,
        required_tables=designs.measured,
        available=asks_for_value,
        subject="problem",
    )
)
FIGURES.register("stages")(
    kind.FigureKind(
        title="Before and after filter and localisation",
        caption=(
            "Share of the candidates of each generative model that the judge puts no further from the value "
            "than so much: the raw samples, those that the searched model keeps, and samples that are "
            "localised and then kept. Dotted: the tolerance of a hit."
        ),
        section="methods",
        draw=draw_stages,
        required_tables=designs.judged,
        available=staged,
        subject="problem",
    )
)
FIGURES.register("pairs")(
    kind.FigureKind(
        title="Candidates among the rows of the data",
        caption=(
            "Every two numbers of the candidates on the shortlist (blue), over rows of the data set whose "
            "value is within the tolerance (grey). Diagonal: histograms."
        ),
        section="shortlist",
        draw=draw_pairs,
        required_tables=near_rows,
        available=listed,
        subject="problem",
    )
)
FIGURES.register("generative_curves")(
    kind.FigureKind(
        title="Learning curves of the generative models",
        caption=(
            "Mean loss of the training rows and of those that were held out of them, a line a seed. For "
            "flows and mixtures it is the negative log-likelihood in nats, in coordinates of their own: "
            "compare the two lines of a panel, not two panels. Where the lines part, the network learns its "
            "rows by heart."
        ),
        section="methods",
        draw=draw_training,
        required_tables=histories,
        available=trained,
        subject="problem",
    )
)
