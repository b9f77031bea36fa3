"""What training on calculated candidates changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.problems import DesignLabels
    from nestmat.report.source import Source


@SECTIONS.register("retraining")
class RetrainingSection(Section):
    """Errors before and after a second round of training."""

    part, within = "search", "verification"

    def available(self, study: Study, name: str) -> bool:
        """Whether the model is trained a second time."""
        return study.search[name].retrain is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Predictions of both rounds."""
        return [f"search/{name}/rounds.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Errors of each target in both rounds."""
        rounds = source.table(f"search/{name}/rounds.parquet")
        return {"targets": retraining_errors(rounds, source.problem_labels(name))}


def retraining_errors(rounds: pd.DataFrame, labels: DesignLabels) -> list[dict[str, Any]]:
    """Mean absolute error of each target before and after a second round, and the number of rows.

    Args:
        rounds: Rows of `nestmat.design.retraining.ROUNDS`.
        labels: Names and units.
    """
    study = labels.study
    scale = next(name for name in study.lineage(labels.scale) if study.scales[name].targets)
    errors = []
    for target, rows in rounds.groupby("target", sort=False):
        first, second = ((rows[name] - rows["calculated"]).abs().mean() for name in ("first", "second"))
        errors.append(
            {
                "name": labels.name(f"{scale}.{target}"),
                "unit": rows["unit"].iloc[0],
                "first": float(first),
                "second": float(second),
                "rows": len(rows),
            }
        )
    return errors
