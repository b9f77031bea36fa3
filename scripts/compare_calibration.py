"""Hold calculated rows of a data set against its gaps.

In: cells that were calculated; the data set. Out: one row a calculation, with both gaps (eV); errors with
fixed, fitted and relaxed positions (eV).
"""

from typing import Any

import pandas as pd

from nestmat import tables
from nestmat.dft import layers
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.dft.layers.calibration`."""
    with job_log(snakemake):
        cells = [tables.read(file) for file in snakemake.input.cells]
        data = tables.read(str(snakemake.input.data))
        table = layers.calibration(
            pd.concat(cells, ignore_index=True), data, snakemake.params.gap.partition(".")[2]
        )
        facts = {"problem": snakemake.wildcards.problem}
        tables.write(snakemake.output.calibration, table, layers.CALIBRATION, facts)
        errors = layers.calibration_errors(table)
        tables.write(snakemake.output.errors, errors, layers.CALIBRATION_ERRORS, facts)


if "snakemake" in globals():
    main(globals()["snakemake"])
