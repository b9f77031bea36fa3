"""Select the candidates of a design problem to go on with, and write them for other programs.

In: members that were trained on every row. Out: the shortlist as Parquet, CSV, JSON lines, and CIF files of
idealised prototypes.
"""

from pathlib import Path
from typing import Any

from nestmat.design.export import export_candidates
from nestmat.design.generative import load_generators
from nestmat.design.opening import open_design
from nestmat.design.shortlist import make_shortlist
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.shortlist`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        output, chosen = snakemake.output, design.config.methods[design.config.shortlist.method]
        models = load_generators(design.study, chosen, snakemake.input.generative)
        make_shortlist(design, output.shortlist, models)
        export_candidates(design, output.shortlist, output.csv, output.jsonl, Path(output.cif))


if "snakemake" in globals():
    main(globals()["snakemake"])
