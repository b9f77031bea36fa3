"""Which inputs move a prediction."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from nestmat.labels.text import lower_first, prettify, with_unit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def available(study: Study, scale: str) -> bool:
    """Whether a model of the scale that predicts something is interpreted."""
    return study.scales[scale].interpret is not None and bool(study.scales[scale].targets)


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """Shapley values of the interpreted model."""
    return {"shapley": [f"interpretation/{scale}.shapley.parquet"], "features": [kind.features(scale)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A row a target: what the inputs, and what the latents, contribute to its prediction.

    Args:
        frames: ``shapley``: function, input, mean_abs, std (over members), method, unit.
        labels: Names and units.
    """
    contributions = frames["shapley"]
    # A semi-supervised model has its predictions among its latents: those need no explanation.
    functions = ("target",) if kind.conditional_model(labels.study, labels.scale) else ("target", "head")
    cells = [
        (target, function, rows)
        for target in labels.config.targets
        for function in functions
        for rows in [contributions[contributions["function"] == f"{function}:{target}"]]
        if not rows.empty
    ]
    most = max(len(rows) for _, _, rows in cells)
    figure, axes = style.grid_of(
        len(cells), 2, height=1.0 + 0.19 * most, width=style.WIDTH if len(cells) > 1 else 5
    )
    for ax, (target, function, rows) in zip(axes, cells, strict=True):
        rows = rows.sort_values("mean_abs")
        line = {"elinewidth": 0.8, "ecolor": style.INK}
        ax.barh(
            range(len(rows)), rows["mean_abs"], xerr=rows["std"], color=style.BLUE, height=0.65, error_kw=line
        )
        ax.set_yticks(range(len(rows)), [_name(name, labels) for name in rows["input"]])
        ax.set_xlim(left=0)
        ax.set_ylim(-0.7, len(rows) - 0.3)
        ax.grid(axis="y", visible=False)
        ax.set_title("Inputs" if function == "target" else "Latent variables")
        exact = (rows["method"] == "exact").all()
        text = "Mean |Shapley value|" if exact else "Mean |change| when shuffled"
        classes = labels.classes(target)
        what_of = f"probability of {classes[1]}" if classes else lower_first(labels.name(target))
        ax.set_xlabel(textwrap.fill(with_unit(f"{text}, {what_of}", labels.unit(target)), 34))
        if len(cells) > 1:
            ax.set_xlabel(with_unit(text, labels.unit(target)))
    return figure


def draw_latents(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """Matrix of inputs by latents: which inputs set each latent.

    Args:
        frames: As of `draw`.
        labels: Names and units.
    """
    contributions = frames["shapley"]
    contributions = contributions[contributions["function"].str.startswith("latent:")]
    contributions = contributions.assign(latent=contributions["function"].str.removeprefix("latent:"))
    table = contributions.pivot(index="input", columns="latent", values="mean_abs")
    table = table.reindex(
        index=list(dict.fromkeys(contributions["input"])),
        columns=list(dict.fromkeys(contributions["latent"])),
    )
    # The latents have no common scale: each column shows shares of its own sum.
    shares = (table / table.sum()).to_numpy()
    return style.matrix(
        shares,
        rows=[_name(name, labels) for name in table.index],
        columns=[labels.latent(name) for name in table.columns],
        across=f"Latent variables of {labels.model(_model(labels))}",
        bar="Share of attribution",
        printed=shares >= 0.1,
        most=None,
    )


def _name(name: str, labels: Labels) -> str:
    block = labels.config.features.get(name)
    if block is not None:
        return f"{prettify(name)} (all)" if block.build().role == "continuous" else prettify(name)
    return labels.latent(name) if name[:1] == "z" and name[1:].isdigit() else prettify(labels.name(name))


def _model(labels: Labels) -> str:
    assert labels.config.interpret is not None
    return labels.config.interpret.model


FIGURES.register("shapley")(
    kind.FigureKind(
        title="What moves the prediction",
        caption=(
            "Mean absolute Shapley value of each input or group of inputs, and of each latent variable, over "
            "rows left out of training, in the unit of the target; lines span ± one standard deviation over "
            "members. With more than twelve inputs it is the mean change of the prediction when one input "
            "takes another row's value."
        ),
        section="interpretation",
        draw=draw,
        required_tables=required_tables,
        available=available,
    )
)
FIGURES.register("shapley_latents")(
    kind.FigureKind(
        title="What sets each latent variable",
        caption=(
            "Attribution of each latent variable to the inputs, as shares that sum to 1 down a column; "
            "shares of 0.1 and more are printed."
        ),
        section="interpretation",
        draw=draw_latents,
        required_tables=required_tables,
        available=available,
    )
)
