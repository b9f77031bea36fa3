"""How much of its blocks of features a scale keeps in its latents."""

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


@SECTIONS.register("reconstruction")
class Reconstruction(Section):
    """R2 of the blocks that autoencoders decode."""

    part, within = "scales", "results"

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Metrics of the scale, and its features for the units."""
        return [f"metrics/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """All models and blocks; of the first model also its latents, for a scale without targets."""
        from nestmat.evaluation.metrics import RECONSTRUCTION

        labels, summary = source.labels(name), source.summary(name)
        rows = summary[summary["metric"] == RECONSTRUCTION]
        return {
            "targets": labels.config.targets,
            "kept": None if labels.config.targets else kept_in_latents(rows, labels),
            **reconstruction_table(rows, labels),
        }


def kept_in_latents(rows: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    """Latents of the first model, and R2 of each block that it decodes, by protocol.

    Args:
        rows: Summary of the reconstruction.
        labels: Names and units.
    """
    first = labels.headline
    rows = rows[rows["model"] == first]
    return {
        "latents": labels.config.models[first].specification.encoder.latents,
        "protocols": [
            (labels.protocol(protocol), rows[rows["protocol"] == protocol].to_dict("records"))
            for protocol in comparisons.ordered(rows["protocol"], labels.config.protocols)
        ],
    }


def reconstruction_table(rows: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    """R2 of every block: a row a model and protocol, a column a block; None where it is not decoded."""
    blocks = comparisons.ordered(rows["target"], list(labels.config.features))
    by_key = {(row["model"], row["protocol"], row["target"]): row for row in rows.to_dict("records")}
    return {
        "blocks": blocks,
        "rows": [
            (
                labels.model(model),
                labels.protocol(protocol),
                [by_key.get((model, protocol, block)) for block in blocks],
            )
            for model, protocol in dict.fromkeys((model, protocol) for model, protocol, _ in by_key)
        ],
    }
