"""Input functions and parameters of the rules that follow from the graph of scales, where no look-up does."""

from __future__ import annotations

from typing import Any

from nestmat.config.datasets import DataFile
from nestmat.config.study import Study
from nestmat.data.registry import resolve
from nestmat.data.targets import check_classes, class_targets
from nestmat.design.judges.registry import JUDGES
from nestmat.features.registry import BLOCKS
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

    def blocks(self, scale: str) -> dict[str, Any]:
        """Feature blocks of a scale as plain values, by kind."""
        blocks = self.study.scales[scale].features
        return {name: block.model_dump(exclude_none=True) for name, block in blocks.items()}

    def data_file(self, wildcards: Any) -> dict[str, Any]:
        """The file of a data set that is to be downloaded, as plain values."""
        files = resolve(self.study.datasets[wildcards.dataset]).files
        file = next(file for file in files if (file.sha256 or "").startswith(wildcards.checksum))
        return file.model_dump(include={*DataFile.model_fields})

    def targets_of_dataset(self, wildcards: Any) -> list[str]:
        """Columns of a data set that some scale predicts."""
        scales = [scale for scale in self.study.scales.values() if scale.dataset == wildcards.dataset]
        return sorted({target for scale in scales for target in scale.targets})

    def categories(self, wildcards: Any) -> list[str]:
        """Category columns that splits or groups of a scale need."""
        return sorted({*self.study.scales[wildcards.scale].group, *self.levels_left_out(wildcards).values()})

    def levels_left_out(self, wildcards: Any) -> dict[str, str]:
        """Column whose levels are left out, by protocol that leaves out whole levels."""
        splits = self.study.scales[wildcards.scale].splits
        return {name: split.column for name, split in splits.items() if split.column}

    def block_kinds(self, wildcards: Any) -> list[str]:
        """Kinds of the feature blocks that a job computes: of a parent, where it has one, or of its scale."""
        scale = getattr(wildcards, "parent", None) or wildcards.scale
        return [kind for block in self.blocks(scale).values() for kind in block]

    def feature_threads(self, wildcards: Any) -> int:
        """Threads of a job that featurizes: several where matminer does it, row by row."""
        return 4 if any(BLOCKS[kind].runs_matminer for kind in self.block_kinds(wildcards)) else 1

    def feature_memory(self, _wildcards: Any, threads: int) -> int:
        """Memory in MB of a job that featurizes: each further process loads matminer."""
        return 1500 + 500 * threads

    def lineage_blocks(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Feature blocks of a scale and its ancestors, parents first."""
        return {name: self.blocks(name) for name in self.study.lineage(wildcards.scale)}

    def teacher(self, wildcards: Any) -> list[str]:
        """Predictions of the baselines, where one of them teaches the model."""
        taught = self.study.scales[wildcards.scale].models[wildcards.model].specification.teacher
        folder = f"<results>/predictions/{wildcards.scale}/{wildcards.protocol}"
        return [f"{folder}/baselines.parquet"] if taught else []

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
            for path in (f"features/{parent}", f"folds/{parent}", f"features/{parent}__{wildcards.scale}")
        ]

    def passes_prediction(self, wildcards: Any) -> bool:
        """Whether the parent's predictions and spreads go with its latents."""
        return self.study.takes_prediction(wildcards.parent, wildcards.child)

    def baselines(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Baselines of a scale that run in a protocol, as plain values."""
        scale = self.study.scales[wildcards.scale]
        running = {n: b for n, b in scale.baselines.items() if wildcards.protocol in scale.runs(n)}
        return {n: {"kind": b.kind, "inputs": b.inputs, **b.options} for n, b in running.items()}

    def baseline_kinds(self, wildcards: Any) -> list[str]:
        """Their kinds."""
        return [entry["kind"] for entry in self.baselines(wildcards).values()]

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

    def judge_kinds(self, wildcards: Any) -> list[str]:
        """Judges of a design problem; where a method is asked for, the one that it searches with, if any."""
        problem = self.study.search[wildcards.problem]
        if method := getattr(wildcards, "method", None):
            return [kind for kind in JUDGES if kind == problem.methods[method].predictor]
        return list(problem.judges.model_dump(exclude_none=True)) if problem.judges else []

    def designs_cells(self, wildcards: Any) -> bool:
        """Whether the materials of a design problem are cells of one crystal."""
        return self.study.search[wildcards.problem].space.cells

    def chunks(self, wildcards: Any) -> list[int]:
        """Numbers of the chunks that the space of a design problem is screened in."""
        screen = self.study.search[wildcards.problem].screen
        return list(range(screen.chunks)) if screen else []

    def calibrated_dataset(self, wildcards: Any) -> list[str]:
        """Data set of the gap that calculations of a design problem are compared with."""
        verify = self.study.search[wildcards.problem].verify
        return [self.study.scales[verify.gap.partition(".")[0]].dataset] if verify and verify.gap else []
