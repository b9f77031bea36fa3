"""Write the report of a study.

In: tables, model cards and figures of the study. Out: one self-contained HTML file.
"""

from pathlib import Path
from typing import Any

from nestmat.config.study import Study
from nestmat.logs import job_log
from nestmat.report.write import write_report


def main(snakemake: Any) -> None:
    """Map the rule's results folder onto `nestmat.report.write.write_report`."""
    with job_log(snakemake):
        study, output = Study.model_validate(snakemake.params.study), Path(snakemake.output.report)
        write_report(study, output.parent, output, command=snakemake.params.command)


if "snakemake" in globals():
    main(globals()["snakemake"])
