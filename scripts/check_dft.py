"""Check that the interpreter of the calculations has GPAW, before any of them starts.

In: its path or name. Out: its path, for the jobs to come; the versions of GPAW, ASE, Python and numpy, and
the folder of the PAW data sets.
"""

from typing import Any

from nestmat.dft.interpreter import check_interpreter
from nestmat.files import write_text
from nestmat.logs import job_log
from nestmat.seals import write_json


def main(snakemake: Any) -> None:
    """Map the rule's files and parameters to `nestmat.dft.interpreter.check_interpreter`."""
    with job_log(snakemake):
        interpreter = check_interpreter(snakemake.params.python)
        write_json(snakemake.output.json, interpreter)
        write_text(snakemake.output.interpreter, interpreter["interpreter"] + "\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
