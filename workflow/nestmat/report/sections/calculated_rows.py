"""Rows of the data set that were calculated again, and how well the calculations reproduce them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.report.source import Source


@SECTIONS.register("calculated_rows")
class CalculatedRows(Section):
    """Calculated gaps of rows of the data set, and the errors of each set of positions."""

    part, within = "search", "verification"

    def available(self, study: Study, name: str) -> bool:
        """Whether calculated rows of the data set are named."""
        verify = study.search[name].verify
        return verify is not None and bool(verify.calibration)

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Calculated rows, and their errors."""
        return [f"search/{name}/calibration.parquet", f"search/{name}/calibration.errors.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Every row, the errors of every variant, and the best variant on rows that nothing was fitted to."""
        errors = source.table(f"search/{name}/calibration.errors.parquet")
        fitted, tested = (errors[errors["half"] == half] for half in ("fitted", "tested"))
        return {
            "errors": errors.to_dict("records"),
            "best": tested.to_dict("records")[int(fitted["mae"].argmin())],
            **gaps_by_height(source.table(f"search/{name}/calibration.parquet")),
        }


def gaps_by_height(rows: pd.DataFrame) -> dict[str, Any]:
    """Published and calculated gaps: a row a row of the data set, a column a height.

    Args:
        rows: Calculated rows of the data set.
    """
    heights = sorted(rows.loc[~rows["relaxed"], "height"].unique())
    lines = []
    for number, of_row in rows.groupby("row"):
        gaps = of_row[~of_row["relaxed"]].set_index("height")["calculated"].reindex(heights)
        relaxed = of_row.loc[of_row["relaxed"], "calculated"].tolist()
        lines.append(
            {
                "row": number,
                "half": of_row["half"].iloc[0],
                "published": of_row["published"].iloc[0],
                "gaps": gaps.tolist(),
                "relaxed": relaxed[0] if relaxed else None,
            }
        )
    return {"heights": heights, "relaxed": bool(rows["relaxed"].any()), "rows": lines}
