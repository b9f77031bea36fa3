"""Select the candidates of a design problem to go on with, and write them for other programs.

In: members that were trained on every row. Out: the shortlist as Parquet, CSV, JSON lines, and CIF files of
idealised prototypes.
"""

from pathlib import Path
from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.export import export_candidates
from nestmat.design.generative import load_generators
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.design.shortlist import make_shortlist
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.shortlist`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        study = study_from(snakemake.params.study)
        design = build_design(study, snakemake.wildcards.problem, members)
        output, chosen = snakemake.output, design.config.methods[design.config.shortlist.method]
        models = load_generators(study, chosen, snakemake.input.generative)
        make_shortlist(design, output.shortlist, models)
        export_candidates(design, output.shortlist, output.csv, output.jsonl, Path(output.cif))


if "snakemake" in globals():
    main(globals()["snakemake"])
