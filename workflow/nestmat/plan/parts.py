"""Which parts a study has, and the rules and results of each."""

from __future__ import annotations

from pathlib import Path

from nestmat.config.study import Study

RULES = {
    "datasets": ("data",),
    "scales": ("features", "scales", "evaluation", "pool"),
    "search": ("search", "verification"),
    "dft": ("dft",),
}
"""Files of rules/ by key of a study."""


def rule_files(study: Study, folder: str) -> list[str]:
    """Snakemake files of the parts that a study has: those of a folder, and those of plug-ins."""
    own = [name for key, names in RULES.items() if getattr(study, key) for name in names]
    added = [part.rules for part in study.added_parts.values() if part.rules]
    return [*(f"{folder}/{name}.smk" for name in own), *(str(Path(file).resolve()) for file in added)]


def added_results(study: Study) -> list[str]:
    """Files that the parts of plug-ins make."""
    return [f"<results>/{path}" for part in study.added_parts.values() for path in part.results()]
