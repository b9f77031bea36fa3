"""Names for people of what the tables of a scale hold."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nestmat.config.datasets import ColumnSpec
from nestmat.config.scales import Scale
from nestmat.config.study import Study
from nestmat.labels.text import humanize_key, latent_symbol, lower_first, prettify, with_unit
from nestmat.models.keys import RECOMMENDED, predicted_quantities

if TYPE_CHECKING:
    from nestmat.tables import Column


@dataclass(frozen=True)
class Labels:
    """Names for people of what the tables hold.

    Attributes:
        study: The study.
        scale: Name of the scale in hand.
        columns: Columns of the scale's tables by name, with unit and description.
    """

    study: Study
    scale: str
    columns: Mapping[str, Column | ColumnSpec] = field(default_factory=dict)

    @property
    def config(self) -> Scale:
        """Configuration of the scale in hand."""
        return self.study.scales[self.scale]

    def title(self, scale: str | None = None) -> str:
        """Name of a scale."""
        name = scale or self.scale
        return self.study.scales[name].title or prettify(name)

    def model(self, name: str) -> str:
        """Name of a model, a baseline or the recommended predictor."""
        entry = self.config.models.get(name) or self.config.baselines.get(name)
        return (entry.title if entry else "") or prettify(name)

    @property
    def headline(self) -> str:
        """The predictor whose errors are shown first: the recommended one, or else the first model."""
        return RECOMMENDED if self.config.recommended else next(iter(self.config.models))

    def family(self, model: str) -> str:
        """Family of a predictor: recommended, autoencoder or baseline."""
        if model == RECOMMENDED:
            return RECOMMENDED
        return "autoencoder" if model in self.config.models else "baseline"

    def representation(self, name: str) -> str:
        """Name of a description of the rows of a pool, or of the random order."""
        entry = self.config.pool.representations.get(name) if self.config.pool else None
        return (entry.title if entry else "") or prettify(name)

    def protocol(self, name: str) -> str:
        """Name of a protocol; a publication's own split is always called so."""
        split = self.config.splits.get(name)
        if split is not None and split.registered.leaves_levels_out:
            return f"Leave one {humanize_key(split.build().fold_column)} out"
        if split is not None and split.published and "published" not in name:
            return f"{prettify(name)} (published split)"
        return {"published": "Published split", "strict": "Strict"}.get(name, prettify(name))

    def name(self, column: str) -> str:
        """Name of a column: its description up to a comma where that is short, else its own name."""
        described = self.columns.get(column)
        text = re.split("[;,]", described.description)[0].rstrip(". ") if described else ""
        if text and len(text) <= 48:
            return text[:1].upper() + text[1:]
        if of_class := self._class_of(column):
            return f"{self.name(of_class[0])}: {of_class[1]}"
        parent, _, latent = column.partition(" ")
        if parent in self.study.scales and latent[:1] == "z":
            return f"{self.title(parent)}, {latent_symbol(latent)}"
        return column

    def unit(self, column: str) -> str:
        """Unit of a column; empty for a pure number."""
        return self.columns[column].unit if column in self.columns else ""

    def classes(self, column: str) -> list[str]:
        """Names of the classes of a column, or of one class and all others; empty for a number."""
        if column in self.columns:
            return list(self.columns[column].classes or ())
        if of_class := self._class_of(column):
            return [f"other than {of_class[1]}", of_class[1]]
        return []

    @property
    def quantities(self) -> list[str]:
        """What is predicted of the targets, see `nestmat.models.keys.predicted_quantities`."""
        return [
            quantity
            for target in self.config.targets
            for quantity in predicted_quantities(target, self.classes(target))
        ]

    def _class_of(self, quantity: str) -> tuple[str, str] | None:
        """Target and class of a quantity that is the probability of one of several classes."""
        for target in self.config.targets:
            names = self.classes(target) if target in self.columns else []
            named = dict(zip(predicted_quantities(target, names), names, strict=False))
            if len(names) > 2 and quantity in named:
                return target, named[quantity]
        return None

    def latent(self, name: str) -> str:
        """Symbol of a latent of the interpreted model; targets among the latents are y."""
        assert self.config.interpret is not None
        model = self.config.models[self.config.interpret.model].specification
        place = int(name.removeprefix("z")) - model.encoder.latents
        targets = [head for head in model.heads if head in self.config.targets]
        if not model.conditional or place < 0:
            return latent_symbol(name)
        return "y" if len(targets) == 1 else f"y, {lower_first(self.name(targets[place]))}"

    def axis(self, column: str, prefix: str = "", characters: int = 60) -> str:
        """Label of an axis, with its unit: ``Band gap (eV)``, or ``Measured band gap (eV)``.

        Args:
            column: The column on the axis.
            prefix: Put before the name.
            characters: Longest line; a longer label is broken between words.
        """
        name = f"{prefix} {lower_first(self.name(column))}" if prefix else self.name(column)
        return textwrap.fill(with_unit(name, self.unit(column)), characters)
