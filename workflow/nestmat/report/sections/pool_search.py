"""The search in a pool: what it cost to find the best row, by description of the rows and way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestmat.config.study import Study
from nestmat.report.registry import SECTIONS
from nestmat.report.section import Section

if TYPE_CHECKING:
    from nestmat.report.source import Source


@SECTIONS.register("search")
class SearchInPool(Section):
    """Share of the pool that searches saw, and the labels that latents saved."""

    part, title = "scales", "Search in the pool"

    def available(self, study: Study, name: str) -> bool:
        """Whether the scale's rows are searched."""
        return study.scales[name].pool is not None

    def required_tables(self, study: Study, name: str) -> list[str]:
        """Searches of the scale, and its features for the units."""
        return [f"pool/{name}.parquet", f"features/{name}.parquet"]

    def numbers(self, source: Source, name: str) -> dict[str, Any]:
        """Costs of all searches."""
        from nestmat import tables
        from nestmat.report.findings.pool import PoolFindings
        from nestmat.report.findings.published import published_notes

        config, file = source.study.scales[name].pool, f"pool/{name}.parquet"
        assert config is not None
        published = source.published(name)
        findings = PoolFindings(
            source.table(file),
            tables.provenance(source.path(file)),
            published,
            source.labels(name),
            config,
        )
        of_pool = published[published["metric"].str.startswith("pool_")]
        return {
            "target": config.target,
            "trials": config.trials,
            "first": findings.label(findings.first),
            "last_way": findings.strategies[-1].words,
            "best": findings.best_row(),
            "random": findings.random_order(),
            "costs": [(strategy.words, findings.mean_shares(strategy)) for strategy in findings.strategies],
            "savings": findings.savings(),
            "against_random": findings.against_random(),
            "against_ranking": findings.against_ranking(),
            "table": findings.table(),
            "notes": published_notes(of_pool),
        }
