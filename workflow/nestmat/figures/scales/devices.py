"""The parent's property against the child's, coloured by the classes of the child's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def classes(study: Study, scale: str) -> dict[str, str]:
    """Category columns that enter a scale one-hot, as block = column."""
    blocks = {name: block.build() for name, block in study.scales[scale].features.items()}
    return {name: column for name, block in blocks.items() for column in block.category_columns}


def parent_target(study: Study, scale: str) -> tuple[str, str] | None:
    """The first parent that predicts something, and its first target."""
    for parent in study.scales[scale].parents:
        if study.scales[parent].targets:
            return parent, study.scales[parent].targets[0]
    return None


def stated(study: Study, scale: str) -> str | None:
    """A label of the scale's data set, none of its targets, in the unit of the parent's target."""
    target_of_parent = parent_target(study, scale)
    if target_of_parent is None:
        return None
    parent, target = target_of_parent
    unit = resolve(study.datasets[study.scales[parent].dataset]).columns[target].unit
    config = study.scales[scale]
    for name, column in resolve(study.datasets[config.dataset]).columns.items():
        if column.label and column.unit == unit and name not in config.targets:
            return name
    return None


def available(study: Study, scale: str) -> bool:
    """Whether the scale has classes, and its parent's property: passed down, or stated by the data set."""
    config = study.scales[scale]
    has_values = parent_target(study, scale) and (config.pass_prediction or stated(study, scale))
    return bool(config.targets and classes(study, scale) and has_values)


def required_tables(study: Study, scale: str) -> kind.TablePaths:
    """The parent's property and predictions of the scale for its rows, and its classes."""
    target_of_parent = parent_target(study, scale)
    assert target_of_parent is not None
    parent, model = target_of_parent[0], kind.autoencoder(study, scale)
    config = study.scales[scale]
    protocol = config.interpret.protocol if config.interpret else config.runs(model)[0]
    parent_model = study.parent_model(scale, model)
    where = study.parent_protocol(parent, protocol)
    passed = {"propagated": [f"propagated/{parent}__{scale}/{where}/{parent_model}.parquet"]}
    return {
        **(passed if config.pass_prediction else {"data": [f"data/{config.dataset}.parquet"]}),
        "predictions": [f"predictions/{scale}/{protocol}/{model}.parquet"],
        "features": [kind.features(scale)],
        "parent_features": [kind.features(parent)],
    }


def draw(frames: Mapping[str, pd.DataFrame], labels: Labels) -> Figure:
    """A row for measured and for predicted values of the scale, a column a category.

    Args:
        frames: ``predictions`` (validation rows of the ensemble), ``features``, and ``propagated`` (row_id,
            ``<target>.mean``) or ``data`` (row_id and the column that states the parent's property).
        labels: Names and units.
    """
    across, label = _across(frames, labels)
    up = labels.config.targets[0]
    predicted = frames["predictions"]
    rows = predicted[predicted["target"] == up].groupby("row_id")[["true", "mean"]].mean()
    rows = rows.join(across.rename("across").dropna(), how="inner")
    blocks = classes(labels.study, labels.scale)
    figure, axes = style.panels(2, len(blocks), height=2.6, sharex=True, sharey=True)
    features = frames["features"].set_index("row_id")
    for j, column in enumerate(blocks.values()):
        levels = _levels(features, column).reindex(rows.index)
        for i, (name, which) in enumerate((("Measured", "true"), ("Predicted", "mean"))):
            _panel(axes[i, j], rows["across"], rows[which], levels)
            axes[i, j].set_title(f"{name}, by {column}", fontsize=8)
            if j == 0:
                axes[i, j].set_ylabel(labels.axis(up, name, characters=28))
        axes[1, j].set_xlabel(label)
        handles, names = axes[0, j].get_legend_handles_labels()
        axes[1, j].legend(
            *(handles, names),
            loc="upper center",
            bbox_to_anchor=(0.5, -0.24),
            ncols=2 if len(names) > 3 else 3,
            markerscale=2,
            fontsize=7,
        )
    return figure


def _across(frames: Mapping[str, pd.DataFrame], labels: Labels) -> tuple[pd.Series, str]:
    from nestmat.scales.predictions import mean_column

    target_of_parent, column = parent_target(labels.study, labels.scale), stated(labels.study, labels.scale)
    assert target_of_parent is not None
    if labels.config.pass_prediction:
        values = frames["propagated"].groupby("row_id")[mean_column(target_of_parent[1])].mean()
        return values, labels.axis(target_of_parent[1], "Predicted", characters=40)
    assert column is not None
    return frames["data"].set_index("row_id")[column], labels.axis(column, characters=40)


def _levels(features: pd.DataFrame, column: str) -> pd.Series:
    hot = features[[name for name in features if str(name).startswith(f"{column}=")]]
    hot = hot.rename(columns=lambda name: name.removeprefix(f"{column}="))
    return hot.idxmax(axis=1)


def _panel(ax: Axes, x: pd.Series, y: pd.Series, levels: pd.Series) -> None:
    # Rare classes are drawn last, or the common ones would cover them.
    for place, level in enumerate(levels.value_counts().index):
        of_level = levels == level
        ax.plot(
            x[of_level],
            y[of_level],
            linestyle="none",
            marker="os^Dv"[place // len(style.CYCLE)],
            markersize=2.6,
            markeredgewidth=0,
            alpha=0.6,
            color=style.CYCLE[place % len(style.CYCLE)],
            label=f"{level} ({int(of_level.sum())})",
        )


FIGURES.register("devices")(
    kind.FigureKind(
        title="Both scales, by class",
        caption=(
            "Rows of the coarser scale at the property of the finer one (predicted by it, or as the data set "
            "states it), measured above and predicted below by members that left the row out, coloured by "
            "class with the number of rows. Rows for which the property is not known are not shown."
        ),
        section="results",
        draw=draw,
        required_tables=required_tables,
        available=available,
        filters={"predictions": kind.ENSEMBLE, "propagated": {"inner": -1}},
    )
)
