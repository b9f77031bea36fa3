"""Parts of a study that a job depends on: a change of anything else does not repeat the job."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nestmat import figures
from nestmat.config.baselines import Baseline
from nestmat.config.datasets import DataFile
from nestmat.config.problems import DesignProblem
from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.report import write

PARTS: Mapping[str, tuple[str, ...]] = {
    "search_candidates": ("judges",),
    "judge_candidates": ("methods", "judges"),
    "interpolate_materials": ("judges", "interpolate"),
    "select_candidates": ("judges", "shortlist", "verify"),
    "select_structures": ("judges", "shortlist", "verify"),
    "verify_candidates": ("judges", "shortlist", "verify"),
    "screen_chunk": ("screen",),
    "second_round": ("retrain",),
}
"""Parts of a design problem that a rule depends on, of those that not every rule does.

Of the methods `search_candidates` depends on its own, and what uses the shortlist on the one that makes it.
"""
OPTIONAL = ("judges", "shortlist", "verify", "retrain", "screen", "interpolate")
UNUSED_OF_STUDY: Mapping[str, Any] = {"title": "", "question": "", "published": [], "dft": None}
UNUSED_OF_SCALE: Mapping[str, Any] = {
    "title": "",
    "compare": [],
    **dict.fromkeys(("recommended", "sweep", "interpret", "device_physics")),
}


def settings(study: Study) -> dict[str, Any]:
    """The whole study as plain values, with the entries of data sets in place of their names.

    Feature blocks are without the keys that they leave out.
    """
    values = study.model_dump(mode="json")
    values["datasets"] = {
        name: resolve(entry).model_dump(mode="json") for name, entry in study.datasets.items()
    }
    for name, scale in study.scales.items():
        blocks = {key: block.model_dump(exclude_none=True) for key, block in scale.features.items()}
        values["scales"][name]["features"] = blocks
    return values


def problem_excerpt(study: Study, rule: str) -> Callable[[Any], dict[str, Any]]:
    """What a rule about a design problem needs of the study, as a function of the wildcards.

    Args:
        study: The study.
        rule: Key of `PARTS`.
    """
    parts = PARTS[rule]

    def excerpt(wildcards: Any) -> dict[str, Any]:
        problem = study.search[wildcards.problem]
        if "methods" in parts:
            methods = list(problem.methods)
        elif rule == "search_candidates":
            methods = [wildcards.method]
        else:
            methods = [problem.shortlist.method] if problem.shortlist and "shortlist" in parts else []
        unused = dict.fromkeys(part for part in OPTIONAL if part not in parts)
        update = {"title": "", "question": "", **unused}
        update["methods"] = {name: problem.methods[name] for name in methods}
        problem = problem.model_copy(update=update)
        generative = [method.model for method in problem.methods.values() if method.model]
        return _excerpt(study, problem.scale, generative, {wildcards.problem: problem})

    return excerpt


def generative_excerpt(study: Study) -> Callable[[Any], dict[str, Any]]:
    """What training a generative model needs of the study, as a function of the wildcards."""

    def excerpt(wildcards: Any) -> dict[str, Any]:
        name = wildcards.generative
        return _excerpt(study, study.generative[name].scale, [name], {})

    return excerpt


def _excerpt(
    study: Study, scale: str, generative: Iterable[str], problems: Mapping[str, DesignProblem]
) -> dict[str, Any]:
    """A scale with its ancestors, some generative models and problems alone, as plain values."""
    lineage = study.lineage(scale)
    datasets = {study.scales[name].dataset for name in lineage}
    update = {
        **UNUSED_OF_STUDY,
        "datasets": {key: study.datasets[key] for key in sorted(datasets)},
        "scales": {
            name: study.scales[name].model_copy(
                update={**UNUSED_OF_SCALE, "baselines": _teachers(study, name)}
            )
            for name in lineage
        },
        "generative": {name: study.generative[name].model_copy(update={"title": ""}) for name in generative},
        "search": problems,
    }
    return study.model_copy(update=update).model_dump(mode="json")


def _teachers(study: Study, scale: str) -> dict[str, Baseline]:
    """Baselines of a scale that teach one of its models, which names them."""
    names = {model.specification.teacher for model in study.scales[scale].models.values()}
    return {name: entry for name, entry in study.scales[scale].baselines.items() if name in names}


def downloads(study: Study) -> dict[str, dict[str, Any]]:
    """Files to download as plain values, by name of the data set and beginning of the checksum."""
    return {
        f"{name}-{part.sha256[:12]}": part.model_dump(include={*DataFile.model_fields})
        for name, entry in study.datasets.items()
        for part in resolve(entry).files
        if part.sha256
    }


def titles(study: Study) -> dict[str, str]:
    """Names of scales and design problems for people."""
    return {name: figures.title(study, name) for name in (*study.scales, *study.search)}


def report_files(study: Study) -> list[str]:
    """Every table that the report is written from."""
    files = write.needs(study)
    return [f"<results>/{path}" for name in files if name != "figures" for path in files[name]]


def captions() -> dict[str, str]:
    """Captions of figures by kind, for Snakemake's own report, as reStructuredText."""
    return {kind: re.sub(r"([\\|*_`])", r"\\\1", figure.caption) for kind, figure in figures.FIGURES.items()}
