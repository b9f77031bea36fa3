"""The figures of a study by kind, in the order of the report. Each module registers its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestmat.plugins import Registry

if TYPE_CHECKING:
    from nestmat.figures.kind import FigureKind

_SCALES, _PROBLEMS = "nestmat.figures.scales", "nestmat.figures.problems"
FIGURES: Registry[FigureKind] = Registry(
    "figure",
    {
        "parity": f"{_SCALES}.parity",
        "errors": f"{_SCALES}.errors",
        "roc": f"{_SCALES}.roc",
        "confusion": f"{_SCALES}.confusion",
        "labelled": f"{_SCALES}.labelled",
        "elements": f"{_SCALES}.elements",
        "latent_errors": f"{_SCALES}.latent_errors",
        "devices": f"{_SCALES}.devices",
        "truth": f"{_SCALES}.truth",
        "nesting": f"{_SCALES}.nesting",
        "calibration": f"{_SCALES}.calibration",
        "pool": f"{_SCALES}.pool",
        "sweep": f"{_SCALES}.sweeps",
        "curves": f"{_SCALES}.curves",
        "latents_descriptors": f"{_SCALES}.correlations",
        "latents_target": f"{_SCALES}.correlations",
        "shapley": f"{_SCALES}.shapley",
        "beeswarm": f"{_SCALES}.beeswarm",
        "shapley_latents": f"{_SCALES}.shapley",
        "latent_space": f"{_SCALES}.latent_space",
        "families": f"{_SCALES}.latent_space",
        "maps": f"{_SCALES}.maps",
        "methods": f"{_PROBLEMS}.methods",
        "optimism": f"{_PROBLEMS}.methods",
        "samples": f"{_PROBLEMS}.generative",
        "stages": f"{_PROBLEMS}.generative",
        "diversity": f"{_PROBLEMS}.generative",
        "front": f"{_PROBLEMS}.front",
        "scan": f"{_PROBLEMS}.scans",
        "novelty": f"{_PROBLEMS}.methods",
        "generative_curves": f"{_PROBLEMS}.generative",
        "pairs": f"{_PROBLEMS}.generative",
        "shortlist_map": f"{_PROBLEMS}.shortlist",
        "interpolation": f"{_PROBLEMS}.interpolation",
        "verification": f"{_PROBLEMS}.shortlist",
    },
)
