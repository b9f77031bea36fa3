"""Create the MLflow store, once and before anything writes to it.

Out: the URI of the store, or why it cannot be used; the study goes on either way.
"""

import json
from typing import Any

from nestmat.files import write_text
from nestmat.logs import job_log
from nestmat.tracking.store import open_store


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.tracking.store.open_store`."""
    with job_log(snakemake):
        write_text(snakemake.output.json, json.dumps(open_store(snakemake.params.uri), indent=1) + "\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
