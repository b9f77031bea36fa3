"""How far the published split flatters the headline predictor against the strict one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.labels import comparisons
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("optimism")
class Optimism(Section):
    """Difference of the published and the strict split."""

    part = "scales"

    def available(self, study: Study, name: str) -> bool:
        """Whether the scale predicts in the split of a publication and in the strict one."""
        scale = study.scales[name]
        return bool(scale.targets and any(split.published for split in scale.splits.values()))

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the scale, and its features for the units."""
        return [f"metrics/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """The difference of each target."""
        labels, summary = source.labels(name), source.summary(name)
        return {"targets": {t: split_optimism(summary, labels, t) for t in labels.config.targets}}


def split_optimism(summary: pd.DataFrame, labels: Labels, target: str) -> dict[str, Any] | None:
    """Mean of the headline metric in the strict protocol less that in the published split.

    Args:
        summary: As `nestmat.labels.comparisons.summary`, of the first repeat.
        labels: Names and units.
        target: Column that is predicted.

    Returns:
        ``change``, ``share`` of the published error, ``unit`` and ``of_class``; None where a protocol lacks.
    """
    of_class = bool(labels.classes(target))
    rows = comparisons.held_out(summary, target, comparisons.compared_by(of_class)[0])
    rows = rows[rows["model"] == labels.headline]
    mean = dict(zip(rows["protocol"], rows["mean"], strict=True))
    published = [name for name, split in labels.config.splits.items() if split.published and name in mean]
    if not published or "strict" not in mean:
        return None
    change = mean["strict"] - mean[published[0]]
    return {
        "change": change,
        "share": abs(change) / mean[published[0]],
        "unit": labels.unit(target),
        "of_class": of_class,
    }
