"""The rules and results of each part of a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nestmat.config.study import Study

RULES: Mapping[str, tuple[str, ...]] = {
    "datasets": ("data",),
    "scales": ("features", "scales", "evaluation", "pool"),
    "generative": (),
    "search": ("search", "verification"),
    "dft": ("dft",),
}
"""Files of rules/ by key of a study; generative models are trained by the rules of a search."""


def rule_files(study: Study, folder: str) -> list[str]:
    """Snakemake files of the parts that a study has: those of a folder, and those of plug-ins."""
    own = [f"{folder}/{name}.smk" for key in study.part_keys for name in RULES.get(key, ())]
    added = [part.rules for part in study.added_parts.values() if part.rules]
    return [*own, *(str(Path(file).resolve()) for file in added)]


def predictor_results(study: Study) -> list[str]:
    """Files that `nestmat predict` reads and no report does, below the results of the study."""
    fits = [
        f"models/{name}/{scale.predictor_protocol}/baselines.zip"
        for name, scale in study.scales.items()
        if scale.kept_baselines(scale.predictor_protocol)
    ]
    return [*fits, *(f"domains/{name}/strict.parquet" for name in study.scales)]


def added_results(study: Study) -> list[str]:
    """Files that the parts of plug-ins make; those of the others are made for the report."""
    return [f"<results>/{path}" for part in study.added_parts.values() for path in part.results()]
