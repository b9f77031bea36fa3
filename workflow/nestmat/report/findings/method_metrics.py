"""Metrics of the candidates of every search method, by method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nestmat.config.problems import Method
from nestmat.design.metrics import ALL, MODEL, NEW
from nestmat.labels.problems import BASELINES, DesignLabels, order_judges

Rate = tuple[float, float, float]
"""A rate, and both ends of its 95 % interval."""


@dataclass(frozen=True)
class MethodMetrics:
    """What was measured of the candidates of every method and reference list of a problem.

    Attributes:
        frame: Rows of `nestmat.design.metrics.DESIGN_METRICS`.
        labels: Names, units and configuration of the problem.
    """

    frame: pd.DataFrame
    labels: DesignLabels

    def _distinct(self, metric: str, judge: str) -> pd.DataFrame:
        """A metric of the distinct candidates over all seeds."""
        rows = self.frame
        return rows[(rows["seed"] == -1) & (rows["metric"] == metric) & (rows["judge"] == judge)]

    def rates(self, metric: str = "hit", judge: str = ALL) -> dict[str, Rate]:
        """Rate with interval by method, of distinct candidates over all seeds."""
        rows = self._distinct(metric, judge).to_dict("records")
        return {row["method"]: (row["value"], row["low"], row["high"]) for row in rows}

    def values(self, metric: str, judge: str = MODEL) -> dict[str, float]:
        """A metric of distinct candidates over all seeds, by method."""
        rows = self._distinct(metric, judge)
        return dict(zip(rows["method"], rows["value"], strict=True))

    def share_new(self) -> dict[str, float]:
        """Share of the candidates that are new, by method."""
        rows = self._distinct("novel", MODEL)
        rows = rows[rows["at"] == NEW]
        return dict(zip(rows["method"], rows["value"], strict=True))

    def over_seeds(self, metric: str, judge: str = MODEL) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation of a metric over the seeds of each method; NaN for a single seed."""
        rows = self.frame
        rows = rows[(rows["seed"] >= 0) & (rows["metric"] == metric) & (rows["judge"] == judge)]
        moments = rows.groupby("method")["value"].agg(["mean", "std"])
        return {str(name): (float(row["mean"]), float(row["std"])) for name, row in moments.iterrows()}

    def optimism(self, method: str, quantity: str) -> list[dict[Any, Any]]:
        """Mean of a quantity by the searched model less that by each judge, of the candidates of a method."""
        rows = self.frame
        return rows[
            (rows["seed"] == -1) & (rows["method"] == method) & (rows["metric"] == f"optimism:{quantity}")
        ].to_dict("records")

    @property
    def judges(self) -> list[str]:
        """Judges other than the searched model and all of them together."""
        judges = (judge for judge in self.frame["judge"] if judge not in (MODEL, ALL))
        return order_judges(judges)

    @property
    def methods(self) -> list[str]:
        """Methods in the order of the configuration, then the reference lists."""
        return self.labels.methods(self.frame["method"])

    @property
    def windows(self) -> list[str]:
        """Metrics that are the share of candidates inside the window of a geometric criterion."""
        return [str(name) for name in dict.fromkeys(self.frame["metric"]) if str(name).endswith("_window")]

    @property
    def searched(self) -> dict[str, Method]:
        """Methods that searched the trained model, and not one of the judges."""
        entries = self.labels.problem_config.methods
        return {name: entry for name, entry in entries.items() if entry.predictor == "model"}

    def error_judge(self) -> str:
        """The judge that errors of samples are measured by: the first."""
        name = f"error:{self.labels.problem_config.targets[0].quantity}"
        return str(self.frame.loc[self.frame["metric"] == name, "judge"].iloc[0])

    def leading_method(self) -> str | None:
        """The method that findings are about: that of the shortlist, or the one with most hits."""
        if self.labels.problem_config.shortlist:
            return self.labels.problem_config.shortlist.method
        rates = {name: rate for name, rate in self.rates().items() if name in self.searched}
        return max(rates, key=lambda name: rates[name][0], default=None)

    def row(self, method: str) -> dict[str, Any]:
        """Name of a method, and whether it is a reference list, which tables set off."""
        return {"label": self.labels.method(method), "reference": method in BASELINES}


def generator_kinds(labels: DesignLabels) -> Mapping[str, Any]:
    """Registered class of the generator of each method that samples one."""
    from nestmat.search.generators.registry import GENERATORS

    return {
        name: GENERATORS[labels.study.generative[entry.model].kind]
        for name, entry in labels.problem_config.methods.items()
        if entry.model
    }


def method_kinds(labels: DesignLabels) -> Mapping[str, Any]:
    """Registered class of each method of a problem."""
    from nestmat.search.methods.registry import METHODS

    return {name: METHODS[entry.kind] for name, entry in labels.problem_config.methods.items()}


def method_options(labels: DesignLabels, method: str) -> dict[str, Any]:
    """Options of a method: those of the study, and the defaults of its kind."""
    from dataclasses import MISSING, fields

    declared = fields(method_kinds(labels)[method])
    defaults = {option.name: option.default for option in declared if option.default is not MISSING}
    return {**defaults, **labels.problem_config.methods[method].options}
