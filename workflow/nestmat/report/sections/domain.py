"""Whether predictions far from the training data err more: errors by how a row stands to the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.domains.verdicts import VERDICTS
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.scales import Labels
    from nestmat.report.source import Source


@SECTIONS.register("domain")
class DomainSection(Section):
    """Errors and coverage of the headline predictor inside, at the edge and outside of the domain."""

    part, title = "scales", "Domain of the training data"

    def available(self, study: Study, name: str) -> bool:
        """Whether the scale predicts something."""
        return bool(study.scales[name].targets)

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Errors by verdict, and the features of the scale for names and units."""
        return [f"domains/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """A table a target of which there are validation rows in the protocol strict."""
        labels, errors = source.labels(name), source.table(f"domains/{name}.parquet")
        by_target = {
            target: {
                "name": labels.name(target),
                "unit": labels.unit(target),
                "of_class": bool(labels.classes(target)),
                "rows": errors_by_verdict(errors, labels, target),
            }
            for target in labels.config.targets
        }
        return {"targets": {target: table for target, table in by_target.items() if table["rows"]}}


def errors_by_verdict(errors: pd.DataFrame, labels: Labels, target: str) -> list[dict[str, Any]]:
    """Rows, materials, error and coverage of the headline predictor by verdict, in the first repeat.

    Args:
        errors: Rows of `nestmat.evaluation.domain_errors.DOMAIN_ERRORS`.
        labels: Names of the scale.
        target: The target.
    """
    rows = errors[
        (errors["model"] == labels.headline) & (errors["target"] == target) & (errors["repeat"] == 0)
    ]
    values = rows.pivot(index="domain", columns="metric", values="value")
    return [
        {"domain": verdict, **{str(name): value for name, value in values.loc[verdict].items()}}
        for verdict in VERDICTS
        if verdict in values.index
    ]
