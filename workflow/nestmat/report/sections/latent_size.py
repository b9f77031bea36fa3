"""The latent size that a sweep finds, and the known dimension of the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.labels import comparisons
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("latent_size")
class LatentSize(Section):
    """Smallest latent size that explains each decoded block, where the dimension is known."""

    part = "scales"

    def available(self, study: Study, name: str) -> bool:
        """Whether latent sizes are swept for inputs of a known dimension."""
        sweep = study.scales[name].sweep
        return sweep is not None and sweep.known_dimensions is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """The sweep of the scale."""
        return [f"sweeps/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """The size of each block whose loss is the mean squared error; None where no size does."""
        config, table = source.study.scales[name], source.table(f"sweeps/{name}.parquet")
        sweep = config.sweep
        assert sweep is not None
        heads = config.models[sweep.model].specification.heads
        return {
            "sizes": {
                block: comparisons.explaining_latents(table, block)
                for block in config.features
                if block in heads and heads[block].loss == "mse"
            },
            "explained": comparisons.EXPLAINED,
            "largest": max(sweep.latents),
            "dimensions": sweep.known_dimensions,
        }
