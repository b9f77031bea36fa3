"""Write the report of a study.

In: tables, model cards and figures of the study. Out: one self-contained HTML file.
"""

from pathlib import Path
from typing import Any

from nestmat.config.loading import study_from
from nestmat.logs import job_log
from nestmat.report.write import write_report


def main(snakemake: Any) -> None:
    """Map the rule's results folder onto `nestmat.report.write.write_report`."""
    with job_log(snakemake):
        study, output = study_from(snakemake.params.study, check_options=False), Path(snakemake.output.report)
        [command] = snakemake.params.command
        write_report(study, output.parent, output, command=command)


if "snakemake" in globals():
    main(globals()["snakemake"])
