"""What a study trains, by which folds are checked to leave enough rows."""

from __future__ import annotations

from nestmat.config.study import Study
from nestmat.data.targets import class_targets
from nestmat.evaluation.training_rows import FEWEST_OF_NETWORKS, FEWEST_ROWS, TrainingUse


def training_uses(study: Study) -> dict[str, dict[str, TrainingUse]]:
    """What a study trains, by scale and protocol."""
    uses: dict[str, dict[str, TrainingUse]] = {}
    for name, scale in study.scales.items():
        classes, uses[name] = class_targets(study, name), {}
        for protocol in scale.protocols:
            models = (model for model in scale.models if protocol in scale.runs(model))
            stacked = bool(scale.stacked_in(protocol))
            stacked |= any(study.serves_stack(name, model, protocol) for model in models)
            fits = any(protocol in scale.runs(baseline) for baseline in scale.baselines)
            fewest = FEWEST_ROWS if fits else FEWEST_OF_NETWORKS
            uses[name][protocol] = TrainingUse(stacked, classes if fits else {}, fewest)
    return uses
