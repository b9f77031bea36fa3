"""Search for materials with one method.

In: weights of a chain, features and folds of its scales, and a generative model where the method samples
from one. Out: the best candidates of each seed with what the searched model predicts of them, and a record of
each search.
"""

from typing import Any

import torch

from nestmat.config.loading import study_from
from nestmat.design.generative import load_generators
from nestmat.design.judging import searched_problem
from nestmat.design.members import load_members
from nestmat.design.problem import build_design
from nestmat.design.search import search_candidates
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.search.search_candidates`."""
    with job_log(snakemake.log[0]):
        torch.set_num_threads(snakemake.threads)
        members = load_members(snakemake.params.members, snakemake.input.members)
        study = study_from(snakemake.params.study)
        design = build_design(study, snakemake.wildcards.problem, members)
        chosen, output = snakemake.wildcards.method, snakemake.output
        data = dict(zip(design.scales, snakemake.input.data, strict=True))
        problem = searched_problem(design, chosen, data)
        models = load_generators(study, design.config.methods[chosen], snakemake.input.generative)
        search_candidates(design, chosen, output.candidates, output.runs, problem, models)


if "snakemake" in globals():
    main(globals()["snakemake"])
