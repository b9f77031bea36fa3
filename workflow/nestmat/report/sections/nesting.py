"""Does nesting help: differences of compared models with their intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.labels import comparisons
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("nesting")
class Nesting(Section):
    """Each compared pair in each protocol."""

    part, title = "scales", "Does nesting help?"

    def heading(self, study: Study, name: str) -> str:
        """A scale without parents nests nothing."""
        return self.title if study.scales[name].parents else "Models compared"

    def available(self, study: Study, name: str) -> bool:
        """Whether a pair is compared."""
        return bool(study.scales[name].compare and study.scales[name].targets)

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Comparisons of the scale, and its features for the units."""
        return [f"comparisons/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """The pairs of each target."""
        labels = source.labels(name)
        table = source.table(f"comparisons/{name}.parquet")
        return {
            "pairs": {target: compared_pairs(table, labels, target) for target in labels.config.targets},
            "names": {target: labels.name(target) for target in labels.config.targets},
            "of_class": any(labels.classes(target) for target in labels.config.targets),
            "nests": bool(labels.config.parents),
        }


def verdict(comparison: Mapping[Any, Any]) -> str:
    """What a comparison (metric, low, high, p_value, p_folds) shows.

    Returns:
        ``better`` or ``worse`` of the first model, ``none`` where no difference is shown, or ``unknown``
        where there is one cluster.
    """
    import numpy as np

    if not np.isfinite([comparison["low"], comparison["high"]]).all():
        return "unknown"
    if not comparisons.is_significant(comparison):
        return "none"
    return "better" if comparisons.favours_first(comparison) else "worse"


def compared_pairs(table: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """What each compared pair shows, by metric: the difference in each protocol, and how often which verdict.

    Args:
        table: Comparisons of the scale.
        labels: Names and units.
        target: Column that is predicted.
    """
    rows = table[table["target"] == target]
    metrics = comparisons.compared_by(bool(labels.classes(target)))
    pairs = []
    for (nested, single), metric in product(labels.config.compare, metrics):
        pair = rows[(rows[["nested", "single", "metric"]] == [nested, single, metric]).all(axis=1)]
        by_protocol = {row["protocol"]: row for row in pair.to_dict("records")}
        lines = [
            {
                **by_protocol[protocol],
                "protocol": labels.protocol(protocol),
                "verdict": verdict(by_protocol[protocol]),
            }
            for protocol in comparisons.ordered(by_protocol, labels.config.protocols)
        ]
        verdicts = [line["verdict"] for line in lines]
        if lines:
            pairs.append(
                {
                    "first": labels.model(nested),
                    "second": labels.model(single),
                    "metric": comparisons.NAMES[metric],
                    "unit": labels.unit(target),
                    "lines": lines,
                    "verdicts": {name: verdicts.count(name) for name in dict.fromkeys(verdicts)},
                }
            )
    return pairs
