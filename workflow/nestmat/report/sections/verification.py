"""Predictions of candidates compared with calculations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.labels import comparisons
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.labels.problems import DesignLabels
    from nestmat.report.source import Source


@SECTIONS.register("verification")
class VerificationSection(Section):
    """Errors of the predictions of calculated candidates."""

    part, title = "search", "Against calculations"

    def available(self, study: Study, name: str) -> bool:
        """Whether calculated candidates are named."""
        verify = study.search[name].verify
        return verify is not None and verify.file is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Predictions and calculations."""
        return [f"search/{name}/verified.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Every calculated candidate, and the mean absolute error of each quantity."""
        labels = source.problem_labels(name)
        rows = source.table(f"search/{name}/verified.parquet")
        verify = labels.problem_config.verify
        aimed = bool(rows["wanted"].notna().any())
        return {
            "quantities": verified_quantities(rows, labels),
            "aimed": aimed,
            "distance": (rows["calculated"] - rows["wanted"]).abs().mean() if aimed else None,
            "offset": verify.offset if verify else 0.0,
        }


def verified_quantities(rows: pd.DataFrame, labels: DesignLabels) -> list[dict[str, Any]]:
    """Candidates and errors of each calculated quantity.

    Args:
        rows: Rows of `nestmat.design.verification.VERIFIED`.
        labels: Names and units.
    """
    quantities = []
    for quantity, of_quantity in rows.groupby("quantity", sort=False):
        error, within, count = comparisons.verification_errors(of_quantity)
        quantities.append(
            {
                "name": labels.name(str(quantity)),
                "axis": labels.axis(str(quantity), characters=200),
                "unit": of_quantity["unit"].iloc[0],
                "error": error,
                "within": within,
                "count": count,
                "rows": of_quantity.to_dict("records"),
            }
        )
    return quantities
