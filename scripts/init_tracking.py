"""Create the MLflow store, once and before anything writes to it.

Out: the URI of the store, or why it cannot be used; the study goes on either way.
"""

from typing import Any

from nestmat.logs import job_log
from nestmat.seals import write_json
from nestmat.tracking.store import open_store


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.tracking.store.open_store`."""
    with job_log(snakemake):
        write_json(snakemake.output.json, open_store(snakemake.params.uri))


if "snakemake" in globals():
    main(globals()["snakemake"])
