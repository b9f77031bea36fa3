"""Input functions and parameters of the rules that follow from the graph of scales, where no look-up does."""

from __future__ import annotations

from typing import Any

from nestmat.config.study import Study
from nestmat.data.targets import check_classes, class_targets
from nestmat.models.keys import RECOMMENDED


class Jobs:
    """Questions about the jobs of a study; every method takes the wildcards of a rule.

    Args:
        study: Validated configuration.

    Raises:
        InputError: A head or a baseline does not fit a target with classes.
    """

    def __init__(self, study: Study):
        check_classes(study, "the configuration")
        self.study = study

    def targets_of_dataset(self, wildcards: Any) -> list[str]:
        """Columns of a data set that some scale predicts."""
        scales = [scale for scale in self.study.scales.values() if scale.dataset == wildcards.dataset]
        return sorted({target for scale in scales for target in scale.targets})

    def categories(self, wildcards: Any) -> list[str]:
        """Category columns that splits or groups of a scale need."""
        scale = self.study.scales[wildcards.scale]
        return sorted({*scale.group, *(split.column for split in scale.splits.values() if split.column)})

    def levels_left_out(self, wildcards: Any) -> dict[str, str]:
        """Column whose levels are left out, by protocol that leaves out whole levels."""
        splits = self.study.scales[wildcards.scale].splits
        return {name: split.column for name, split in splits.items() if split.column}

    def feature_threads(self, wildcards: Any) -> int:
        """Threads of a job that featurizes: several where matminer does it, row by row."""
        scale = self.study.scales[getattr(wildcards, "parent", None) or wildcards.scale]
        return 4 if any(block.matminer for block in scale.features.values()) else 1

    def feature_memory(self, _wildcards: Any, threads: int) -> int:
        """Memory in MB of a job that featurizes: each further process loads matminer."""
        return 1500 + 500 * threads

    def specification(self, wildcards: Any) -> dict[str, Any]:
        """Specification of a model as plain values."""
        return self.study.scales[wildcards.scale].models[wildcards.model].specification.as_dict()

    def teacher(self, wildcards: Any) -> list[str]:
        """Predictions of the baselines, where one of them teaches the model."""
        scale = self.study.scales[wildcards.scale]
        if scale.models[wildcards.model].specification.teacher is None:
            return []
        return [f"<results>/predictions/{wildcards.scale}/{wildcards.protocol}/baselines.parquet"]

    def inner_folds(self, wildcards: Any) -> int:
        """Folds inside the training rows: more than 0 for what a recommended stack is learned on."""
        return self.study.inner_folds(wildcards.scale, wildcards.model, wildcards.protocol)

    def joint_parents(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Specifications of the parents that a model is trained together with, by scale."""
        scale = self.study.scales[wildcards.scale]
        specification = scale.models[wildcards.model].specification
        parents = [name for name in scale.parents if specification.joint and name in specification.inputs]
        model = self.study.parent_model(wildcards.scale, wildcards.model)
        return {name: self.study.scales[name].models[model].specification.as_dict() for name in parents}

    def joint_files(self, wildcards: Any) -> list[str]:
        """For each of `joint_parents` its features, its folds, and its features for the child's rows."""
        return [
            f"<results>/{path}.parquet"
            for parent in self.joint_parents(wildcards)
            for path in (
                f"features/{parent}",
                f"folds/{parent}",
                f"features/{parent}__{wildcards.scale}",
            )
        ]

    def passes_prediction(self, wildcards: Any) -> bool:
        """Whether the parent's predictions and spreads go beside its latents."""
        return self.study.takes_prediction(wildcards.parent, wildcards.child)

    def baselines(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Baselines of a scale that run in a protocol, as plain values."""
        scale = self.study.scales[wildcards.scale]
        return {
            name: {"kind": entry.kind, "inputs": entry.inputs, **entry.options}
            for name, entry in scale.baselines.items()
            if wildcards.protocol in scale.runs(name)
        }

    def stacked(self, wildcards: Any) -> dict[str, Any]:
        """Members and inner folds of a stack whose weights are learned in a protocol; none elsewhere."""
        scale = self.study.scales[wildcards.scale]
        stack = scale.recommended
        if stack is None or stack.weights != "learned" or wildcards.protocol not in scale.runs(RECOMMENDED):
            return {"members": [], "inner_folds": 0}
        return {"members": stack.stack, "inner_folds": stack.inner_folds}

    def class_targets(self, wildcards: Any) -> list[str]:
        """Targets of a scale that are classes."""
        return list(class_targets(self.study, wildcards.scale))

    def swept_specification(self, wildcards: Any) -> dict[str, Any]:
        """Specification of the model whose latent size is varied."""
        scale = self.study.scales[wildcards.scale]
        return scale.models[scale.sweep.model].specification.as_dict() if scale.sweep else {}

    def lineage_blocks(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Feature blocks of a scale and its ancestors, parents first."""
        return {
            name: {
                key: block.model_dump(exclude_none=True)
                for key, block in self.study.scales[name].features.items()
            }
            for name in self.study.lineage(wildcards.scale)
        }

    def explained_blocks(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Feature blocks that the model which a scale explains reads along its chain, parents first."""
        use = self.study.scales[wildcards.scale].interpret
        chain = self.study.chain(wildcards.scale, use.model, use.protocol) if use else {}
        blocks = self.lineage_blocks(wildcards)
        return {
            scale: {
                key: blocks[scale][key]
                for key in self.study.scales[scale].models[model_key.model].specification.inputs
                if key in blocks[scale]
            }
            for scale, model_key in chain.items()
        }

    def designs_cells(self, wildcards: Any) -> bool:
        """Whether the materials of a design problem are cells of one crystal."""
        return self.study.search[wildcards.problem].space.cells

    def chunks(self, wildcards: Any) -> list[int]:
        """Numbers of the chunks that the space of a design problem is screened in."""
        screen = self.study.search[wildcards.problem].screen
        return list(range(screen.chunks)) if screen else []
