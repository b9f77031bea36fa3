"""Data cards: what was read of each data set, what was rejected and why, and which labels are suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.errors import InputError
from nestmat.labels.scales import Labels
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    import pandas as pd

    from nestmat.report.source import Source

EXAMPLES = 3
"""Rejected rows shown for each reason."""
FLAGGED = 12
"""Flagged labels shown for each data set."""


@SECTIONS.register("data")
class Data(Section):
    """A data card for each data set."""

    part, title, collected = "datasets", "Data", True

    def required_tables(self, study: Study, name: str) -> list[str]:
        """The data set, its rejected rows, and those without features for a scale."""
        scales = [f"features/{scale}.rejects.parquet" for scale in _scales_of(study, name)]
        return [f"data/{name}.parquet", f"data/{name}.rejects.parquet", *scales]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Rows read, kept and rejected, with examples; an `InputError` where they do not add up."""
        from nestmat import tables

        study, file = source.study, f"data/{name}.parquet"
        spec = resolve(study.datasets[name])
        provenance, frame = tables.provenance(source.path(file)), source.table(file)
        rejects = source.table(f"data/{name}.rejects.parquet")
        read, rejected = int(provenance["rows_read"]), rejects["row"].nunique()
        if read != len(frame) + rejected:
            raise InputError(
                f"{read} rows were read, but {len(frame)} are kept and {rejected} rejected.",
                file=source.path(file),
                remedy="delete the file and run again.",
            )
        flagged = frame[frame["flag"] != ""]
        scales = _scales_of(study, name)
        without_features = {scale: source.table(f"features/{scale}.rejects.parquet") for scale in scales}
        files = (provenance, *provenance.get("beside", ()))
        return {
            "title": spec.title,
            "spec": spec,
            "sha256": [file["sha256"] for file in files if file.get("sha256")],
            "read": read,
            "kept": len(frame),
            "rejected": rejected,
            "materials": frame["material"].nunique() if (frame["formula"] != "").any() else None,
            "reasons": rejection_reasons(rejects),
            "without_features": [
                (Labels(study, scale).title(), rejection_reasons(rows))
                for scale, rows in without_features.items()
                if not rows.empty
            ],
            "gaps": [
                (Labels(study, scale).title(), gaps)
                for scale in scales
                if (gaps := tables.provenance(source.path(f"features/{scale}.rejects.parquet")).get("gaps"))
            ],
            "flags": flagged.head(FLAGGED)[["row", "formula", "flag"]].to_dict("records"),
            "flagged": len(flagged),
            "used_by": [Labels(study, scale).title() for scale in scales],
        }


def _scales_of(study: Study, dataset: str) -> list[str]:
    return [name for name, config in study.scales.items() if config.dataset == dataset]


def rejection_reasons(rejects: pd.DataFrame) -> list[dict[str, Any]]:
    """Reasons for rejection with their number of rows and some examples, most frequent first."""
    reasons = [
        {"reason": reason, "rows": len(rows), "examples": rows.head(EXAMPLES).to_dict("records")}
        for reason, rows in rejects.groupby("reason", sort=False)
    ]
    return sorted(reasons, key=lambda entry: -entry["rows"])
