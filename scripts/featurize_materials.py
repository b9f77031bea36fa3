"""Compute the feature blocks of a scale.

In: a data set's table. Out: row_id, formula, material, group, the feature columns by block, the targets and
the categories that splits need, each with its unit; the rows that have no features, with the reason.
"""

from typing import Any

from nestmat.features.matminer_cache import CACHE
from nestmat.features.table import ScaleColumns, write_features
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.features.table.write_features`."""
    params = snakemake.params
    with job_log(snakemake):
        write_features(
            str(snakemake.input.table),
            snakemake.output.features,
            snakemake.output.rejects,
            features=params.features,
            columns=ScaleColumns(params.targets, params.categories, params.group),
            threads=snakemake.threads,
            cache=CACHE,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
