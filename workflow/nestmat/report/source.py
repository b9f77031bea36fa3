"""The results of a study, as the sections of the report read them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nestmat import seals, tables
from nestmat.config.study import Study
from nestmat.data import published
from nestmat.errors import InputError
from nestmat.figures import drawing
from nestmat.figures.registry import FIGURES
from nestmat.labels import comparisons
from nestmat.labels.problems import DesignLabels
from nestmat.labels.scales import Labels


@dataclass(frozen=True)
class Source:
    """A study with its results, which every section of the report is read through.

    Attributes:
        study: The study.
        results: Folder of its results.
        published_numbers: Published numbers by scale, instead of those that the study names.
        command: Command line that makes the results again.
    """

    study: Study
    results: Path
    published_numbers: Mapping[str, pd.DataFrame] | None = None
    command: str = ""
    _read: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def path(self, name: str) -> Path:
        """A file of the results.

        Raises:
            InputError: The file is missing.
        """
        file = self.results / name
        if not file.is_file():
            raise InputError(
                f"The file {name} is missing: the report needs it.",
                file=file,
                remedy="run snakemake for the study again.",
            )
        return file

    def table(self, name: str) -> pd.DataFrame:
        """A table of the results, read once."""
        if name not in self._read:
            self._read[name] = tables.read(self.path(name))
        return self._read[name]

    def labels(self, scale: str) -> Labels:
        """Names and units of a scale."""
        return Labels(self.study, scale, tables.schema(self.path(f"features/{scale}.parquet")))

    def problem_labels(self, problem: str) -> DesignLabels:
        """Names and units of a design problem."""
        return DesignLabels.of(self.study, problem)

    def summary(self, scale: str) -> pd.DataFrame:
        """Means over folds of the metrics of a scale: the first repeat, or the repeats of one split."""
        name = f"summary of {scale}"
        if name not in self._read:
            summary = comparisons.summary(self.table(f"metrics/{scale}.parquet"))
            self._read[name] = summary[summary["repeat"] == 0]
        return self._read[name]

    def published(self, scale: str) -> pd.DataFrame:
        """Published numbers of a scale; ``model`` is empty for models that the study lacks."""
        if self.published_numbers is not None:
            return self.published_numbers[scale]
        of_study = published.for_scale(self.study, scale)
        config = self.study.scales[scale]
        rows = published.load(self.study.published)
        rows = rows[
            (rows["dataset"] == self.study.datasets[config.dataset])
            & rows["target"].isin(config.targets)
            & rows["condition_value"].isna()
            & ~rows["model"].isin(set(of_study["published"]))
        ]
        return pd.concat([of_study, rows.assign(published=rows["model"], model="")], ignore_index=True)

    def figure(self, subject: str, kind: str) -> dict[str, str]:
        """A figure of an entry of the study, as the page holds it."""
        figure_kind, name = FIGURES[kind], f"figures/{subject}/{kind}.svg"
        return {
            "title": figure_kind.title,
            "caption": figure_kind.caption,
            "file": name,
            "alt": f"{figure_kind.title}: {drawing.title(self.study, subject)}",
            "data": base64.b64encode(seals.read_bytes(self.path(name))).decode(),
        }
