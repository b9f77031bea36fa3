"""Select the best materials of a design problem that fit into a cell of ten atoms.

In: members that were trained on every row. Out: the materials with their predictions; a table of
structures to calculate, with formula and lattice constant (angstrom).
"""

from typing import Any

import torch

from nestmat.config import study_from
from nestmat.inverse_design import build_design, members_of
from nestmat.logs import job_log
from nestmat.shortlist import select_for_dft


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.shortlist.select_for_dft`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = members_of(snakemake.params.members, snakemake.input.members)
        design = build_design(study_from(snakemake.params.study), snakemake.wildcards.problem, members)
        select_for_dft(design, snakemake.output.table, snakemake.output.csv)


if "snakemake" in globals():
    main(globals()["snakemake"])
