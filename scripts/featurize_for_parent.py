"""Compute the feature blocks of a parent scale for the rows of its child.

In: the child's table and the parent's features, which give the levels of every category. Out: the parent's
feature columns for the child's rows, with their units; the rows that have none, with the reason.
"""

from typing import Any

from nestmat.features.matminer_cache import CACHE
from nestmat.features.table import write_features_for_parent
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.features.table.write_features_for_parent`."""
    with job_log(snakemake):
        write_features_for_parent(
            str(snakemake.input.table),
            snakemake.input.parent,
            snakemake.output.features,
            snakemake.output.rejects,
            features=snakemake.params.features,
            look_up=snakemake.params.parent_features == "material",
            threads=snakemake.threads,
            cache=CACHE,
        )


if "snakemake" in globals():
    main(globals()["snakemake"])
