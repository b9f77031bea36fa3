"""Patches of the latents of a semi-supervised model, decoded for the targets of the problem."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nestmat.config.study import Study
from nestmat.figures import kind, style
from nestmat.figures.registry import FIGURES
from nestmat.labels.problems import DesignLabels
from nestmat.labels.text import latent_symbol

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_WRITTEN = 7
"""Points along a latent up to which the formula of each alloy is written."""
ELEMENTS_A_LINE = 2


def scanned(study: Study, problem: str) -> list[str]:
    """Methods of a problem that scan a patch; only conditional models can be scanned.

    The model is asked first: its specification needs no torch, which asking a method would import.
    """
    config = study.search[problem]
    keys = study.chain(config.scale, config.model, config.protocol).values()
    if not any(study.scales[key.scale].models[key.model].specification.conditional for key in keys):
        return []
    return [name for name, entry in config.methods.items() if entry.registered.scans_latents]


def available(study: Study, problem: str) -> bool:
    """Whether the problem has one."""
    return bool(scanned(study, problem))


def required_tables(study: Study, problem: str) -> kind.TablePaths:
    """Records of these searches."""
    return {"runs": [f"search/{problem}/{name}.runs.parquet" for name in scanned(study, problem)]}


def draw(frames: Mapping[str, pd.DataFrame], labels: DesignLabels) -> Figure:
    """A panel a method: a cell a point of the patch, its colour what is predicted, its formula written.

    Args:
        frames: ``runs``, of the first seed.
        labels: Names.
    """
    runs = frames["runs"].drop_duplicates("method")
    quantity = labels.problem_config.targets[0].quantity
    patches = {str(row["method"]): json.loads(row["details"]) for row in runs.to_dict("records")}
    predicted = np.concatenate([patch["patch"]["predicted"] for patch in patches.values()])
    ends = (0.0, 1.0) if labels.classes(quantity) else (np.nanmin(predicted), np.nanmax(predicted))
    figure, axes = style.panels(len(patches), 1, height=4.6)
    for ax, (method, patch) in zip(axes[:, 0], patches.items(), strict=True):
        image = _patch(ax, patch, ends)
        if len(patches) > 1:
            ax.set_title(labels.method(method))
        bar = figure.colorbar(image, ax=ax, aspect=28, pad=0.02)
        bar.set_label(labels.axis(quantity, "Predicted"))
        bar.outline.set_visible(False)
    return figure


def _patch(ax: Axes, details: dict[str, Any], ends: tuple[float, float]) -> Any:
    """One patch: the first latent upwards, the second to the right."""
    patch, size = details["patch"], round(np.sqrt(len(details["patch"]["predicted"])))
    first, second = (np.asarray(patch[name]).reshape(size, size) for name in ("first", "second"))
    values = np.asarray(patch["predicted"], dtype=float).reshape(size, size)
    look: dict[str, Any] = {
        "vmin": ends[0],
        "vmax": ends[1],
        "cmap": "Blues",
        "aspect": "auto",
        "origin": "lower",
    }
    image = ax.imshow(values, **look)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    for line in np.arange(0.5, size - 1):
        ax.axhline(line, color="white", linewidth=1.5)
        ax.axvline(line, color="white", linewidth=1.5)
    if size <= MOST_WRITTEN:
        dark = 0.6 * (ends[1] - ends[0]) + ends[0]
        for place, formula in enumerate(patch["formula"]):
            i, j = divmod(place, size)
            colour = "white" if values[i, j] > dark else style.INK
            text = f"{broken(formula)}\n{values[i, j]:.2f}"
            ax.text(j, i, text, ha="center", va="center", fontsize=7, color=colour, linespacing=1.3)
    ax.set_xticks(range(size), [_tick(number) for number in second[0]])
    ax.set_yticks(range(size), [_tick(number) for number in first[:, 0]])
    up, right = details["axes"]
    ax.set_xlabel(latent_symbol(f"z{right}"))
    ax.set_ylabel(latent_symbol(f"z{up}"))
    return image


def _tick(number: float) -> str:
    return f"{number:.3g}".replace("-", "−")


def broken(formula: str) -> str:
    """An alloy in atomic percent, ``Al10Co45Ni45``, with `ELEMENTS_A_LINE` elements in a line."""
    parts = re.findall(r"[A-Z][a-z]?[\d.]*", formula)
    lines = [parts[k : k + ELEMENTS_A_LINE] for k in range(0, len(parts), ELEMENTS_A_LINE)]
    return "\n".join(" ".join(line) for line in lines)


FIGURES.register("scan")(
    kind.FigureKind(
        title="A patch of the latents",
        caption=(
            "Alloys that a square patch of two latents of the searched model is decoded to, with all other "
            "latents at 0 and the target set to what is wanted, moved into the design space; in atomic "
            "percent. The colour, and the number below each formula, is what the searched model predicts of "
            "the alloy as it stands there, which need not be what was asked of the decoder."
        ),
        section="methods",
        draw=draw,
        required_tables=required_tables,
        available=available,
        filters={"runs": {"seed": 0}},
        subject="problem",
    )
)
