"""From the rule of a job to the design problem that it works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nestmat.config.loading import study_from
from nestmat.design.members import Members
from nestmat.design.problem import Design, Recommended, build_design


def open_design(snakemake: Any) -> Design:
    """The design problem of a job, with the trained members and the data sets that its rule names.

    Args:
        snakemake: The job. Parameters `study` and `fold`, the fold that the members left out, -1 for none;
            inputs `weights`, `features` and `folds` of the chain, parents first; `domains` of the problem's
            scale and its ancestors; where candidates are judged `data`, the data sets of the scales that
            predict; where the recommended predictors are used `predictor`, their files, or `student`, the
            network that stands for them, or both.

    Raises:
        InputError: The parts of the configuration do not fit each other or the trained models.
    """
    study, name = study_from(snakemake.params.study, check_options=False), snakemake.wildcards.problem
    config = study.search[name]
    protocol = "strict" if snakemake.params.fold < 0 else config.protocol
    scales = list(study.chain(config.scale, config.model, protocol))
    domains = snakemake.input.get("domains", [])
    by_scale = dict(zip(study.lineage(config.scale), domains, strict=bool(domains)))
    members = replace(members_of_job(snakemake, protocol, scales), domains=by_scale)
    design = build_design(study, name, members, _recommended(snakemake))
    data = list(snakemake.input.get("data", []))
    return replace(design, data=dict(zip(design.scales, data, strict=False)))


def _recommended(snakemake: Any) -> Recommended | None:
    """The recommended predictors that a rule names by its inputs `predictor` and `student`."""
    files, students = snakemake.input.get("predictor"), snakemake.input.get("student")
    if not files and not students:
        return None
    # Features of a scale come first: results/<study>/features/<scale>.parquet.
    results = Path(files[0]).parents[1] if files else None
    return Recommended(results, next(iter(students or []), None))


def members_of_job(snakemake: Any, protocol: str, scales: Sequence[str]) -> Members:
    """The members that a rule names by its inputs `weights`, `features` and `folds`.

    Args:
        snakemake: The job.
        protocol: Protocol that they were trained in; in a protocol other than strict they left out fold 0.
        scales: Scales of the files, parents first. Without a model there are no weights.
    """
    files = snakemake.input
    weights = dict(zip(scales, files.weights, strict=bool(files.weights)))
    features = dict(zip(scales, files.features, strict=True))
    folds = dict(zip(scales, files.folds, strict=True))
    return Members(protocol, -1 if protocol == "strict" else 0, weights, features, folds)
