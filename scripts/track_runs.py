"""Copy the runs of a study into MLflow.

In: metrics, model cards, learning curves. Out: tracking.json with the ids of the runs, or why there are none.
"""

import json
from pathlib import Path
from typing import Any

from nestmat.files import write_text
from nestmat.logs import job_log
from nestmat.tracking.store import track


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.tracking.store.track`."""
    with job_log(snakemake):
        output = Path(snakemake.output.json)
        found = track(snakemake.params.study, output.parent, snakemake.params.uri)
        write_text(output, json.dumps(found, indent=1) + "\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
