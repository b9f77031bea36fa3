"""Copy the runs of a study into MLflow.

In: metrics, model cards, learning curves. Out: tracking.json with the ids of the runs, or why there are none.
"""

from pathlib import Path
from typing import Any

from nestmat.config.parts import part_from
from nestmat.logs import job_log
from nestmat.seals import write_json
from nestmat.tracking.store import track


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.tracking.store.track`."""
    with job_log(snakemake):
        output, study = Path(snakemake.output.json), snakemake.params.study
        parts = {key: part_from(key, values) for key, values in snakemake.params.parts.items()}
        metrics = {
            f"{key}/{name}": number
            for key, part in parts.items()
            for name, number in part.metrics(output.parent).items()
        }
        runs = track(study, output.parent, snakemake.params.uri, metrics)
        write_json(output, runs)


if "snakemake" in globals():
    main(globals()["snakemake"])
