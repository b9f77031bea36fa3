"""Search for materials with one method.

In: weights of a chain, features and folds of its scales, and a generative model where the method samples
from one. Out: the best candidates of each seed with what the searched model predicts of them, and a record of
each search.
"""

from typing import Any

from nestmat.design.generative import load_generators
from nestmat.design.judging import searched_problem
from nestmat.design.opening import open_design
from nestmat.design.search import search_candidates
from nestmat.logs import job_log


def main(snakemake: Any) -> None:
    """Map the rule onto `nestmat.design.search.search_candidates`."""
    with job_log(snakemake):
        design = open_design(snakemake)
        chosen, output = snakemake.wildcards.method, snakemake.output
        problem = searched_problem(design, chosen)
        models = load_generators(design.study, design.config.methods[chosen], snakemake.input.generative)
        search_candidates(design, chosen, output.candidates, output.runs, problem, models)


if "snakemake" in globals():
    main(globals()["snakemake"])
