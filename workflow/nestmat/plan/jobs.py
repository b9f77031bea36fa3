"""Which file comes from which: input functions and parameters of the rules, and the code of a script."""

from __future__ import annotations

import ast
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nestmat import figures
from nestmat.config.baselines import Baseline, Recommended
from nestmat.config.datasets import DEVICES, DataFile, DatasetSpec
from nestmat.config.dft import DFT_TABLES, Dft
from nestmat.config.problems import DesignProblem
from nestmat.config.scales import Scale
from nestmat.config.study import Study
from nestmat.data.registry import READS, resolve
from nestmat.data.targets import check_classes, class_targets
from nestmat.paths import RESOURCES, ROOT
from nestmat.report import write

PACKAGE = Path(__file__).parents[1]
_PARTS: dict[str, Any] = {
    "methods": {},
    **dict.fromkeys(("judges", "shortlist", "verify", "retrain", "screen", "interpolate")),
}
"""Parts of a design problem that not every job needs, with what stands for none."""


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def _modules(file: Path) -> tuple[Path, ...]:
    found = []
    for name in _imports(file):
        if name.split(".")[0] != "nestmat":
            continue
        stem = PACKAGE.parent / Path(*name.split("."))
        found += [path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()]
    return tuple(found)


def code(script: str) -> list[str]:
    """Library modules that a script imports, directly or through others.

    Snakemake reruns a job when its script changes, but not when a module that the script imports does: rules
    name these files as inputs.

    Args:
        script: Name of the script without ``.py``.

    Returns:
        Paths relative to the working directory, sorted.
    """
    waiting, seen = [ROOT / "scripts" / f"{script}.py"], set()
    while waiting:
        for module in _modules(waiting.pop()):
            if module not in seen:
                seen.add(module)
                waiting.append(module)
    return sorted(os.path.relpath(module) for module in seen)


def resource(name: str) -> str:
    """A file of resources/, relative to the working directory."""
    return os.path.relpath(RESOURCES / name)


def program(name: str) -> str:
    """A script of the repository that is run as a command, relative to the working directory."""
    return os.path.relpath(ROOT / name)


class Plan:
    """Paths and parameters of a study's jobs; every method takes the wildcards of a rule.

    Args:
        study: Validated configuration.
        results: Folder of the study's results.

    Raises:
        InputError: A head or a baseline does not fit a target with classes.
    """

    def __init__(self, study: Study, results: str):
        check_classes(study, "the configuration")
        self.study, self.results = study, results

    def scale(self, name: str) -> Scale:
        """Configuration of a scale."""
        return self.study.scales[name]

    def dataset(self, name: str) -> DatasetSpec:
        """Registry entry or the study's own entry of a data set."""
        return resolve(self.study.datasets[name])

    # data

    def dataset_spec(self, wildcards: Any) -> dict:
        """The data set as plain values."""
        return self.dataset(wildcards.dataset).model_dump()

    def data_file(self, wildcards: Any) -> dict:
        """The file of a data set that is to be downloaded, as plain values."""
        parts = self.dataset(wildcards.dataset).files
        found = next(part for part in parts if (part.sha256 or "").startswith(wildcards.checksum))
        return found.model_dump(include={*DataFile.model_fields})

    def raw_files(self, wildcards: Any) -> list[str]:
        """The files a data set is read from: generated, downloaded, or the user's own."""
        name, spec = wildcards.dataset, self.dataset(wildcards.dataset)
        if spec.generator:
            return [f"{self.results}/data/{name}.generated.parquet"]
        return [part.file or part.download(name) for part in spec.files]

    def generator(self, wildcards: Any) -> dict:
        """Name and options of a data set's generator."""
        spec = self.dataset(wildcards.dataset)
        return {"name": spec.generator, "options": spec.options}

    def generated_from(self, wildcards: Any) -> list[str]:
        """Files that a data set's generator reads."""
        return [resource(name) for name in READS.get(self.dataset(wildcards.dataset).generator or "", ())]

    def targets_of_dataset(self, wildcards: Any) -> list[str]:
        """Columns of a data set that some scale predicts."""
        targets = [t for s in self.study.scales.values() if s.dataset == wildcards.dataset for t in s.targets]
        return sorted(set(targets))

    # features

    def table_of_scale(self, wildcards: Any) -> str:
        """Data set of a scale, read."""
        return f"{self.results}/data/{self.scale(wildcards.scale).dataset}.parquet"

    def table_of_child(self, wildcards: Any) -> str:
        """Data set of the child scale, read."""
        return f"{self.results}/data/{self.scale(wildcards.child).dataset}.parquet"

    def feature_parameters(self, wildcards: Any) -> dict:
        """Feature blocks, targets, and category columns that splits or groups need."""
        scale = self.scale(wildcards.scale)
        needed = [split.column for split in scale.splits.values() if split.column] + scale.group
        return {
            "features": {k: v.model_dump(exclude_none=True) for k, v in scale.features.items()},
            "targets": scale.targets,
            "categories": sorted(set(needed)),
            "group": scale.group,
        }

    def feature_threads(self, wildcards: Any) -> int:
        """Threads of a job that featurizes: several where matminer does it, row by row."""
        name = getattr(wildcards, "parent", None) or wildcards.scale
        return 4 if any(block.matminer for block in self.scale(name).features.values()) else 1

    def feature_memory(self, _wildcards: Any, threads: int) -> int:
        """Memory in MB of a job that featurizes: each further process loads matminer anew."""
        return 1500 + 500 * threads

    def parent_feature_parameters(self, wildcards: Any) -> dict:
        """Feature blocks of the parent, to be computed for the child's rows."""
        blocks = self.scale(wildcards.parent).features
        features = {k: v.model_dump(exclude_none=True) for k, v in blocks.items()}
        return {"features": features, "targets": [], "categories": [], "group": []}

    # folds

    def split_parameters(self, _wildcards: Any = None) -> dict:
        """Splits of every scale and the strict one."""
        return {
            "strict": self.study.strict.model_dump(),
            "splits": {
                name: {key: split.model_dump() for key, split in scale.splits.items()}
                for name, scale in self.study.scales.items()
            },
            "targets": {name: scale.targets for name, scale in self.study.scales.items()},
        }

    # models

    def specification(self, wildcards: Any) -> dict:
        """Specification of a model as plain values."""
        return self.scale(wildcards.scale).models[wildcards.model].specification.as_dict()

    def teacher(self, wildcards: Any) -> list[str]:
        """Predictions of the baselines, where one of them teaches the model."""
        taught = self.scale(wildcards.scale).models[wildcards.model].specification.teacher is not None
        return [f"{self._predictions(wildcards.scale, wildcards.protocol)}/baselines.parquet"] * taught

    def inner_folds(self, wildcards: Any) -> int:
        """Folds inside the training rows: more than 0 for what a recommended stack is learned on."""
        return self.study.inner_folds(wildcards.scale, wildcards.model, wildcards.protocol)

    def parents(self, wildcards: Any) -> list[str]:
        """Parent scales whose latents a model reads from files."""
        return self._parents(wildcards.scale, wildcards.model)

    def _parents(self, scale: str, model: str, joint: bool = False) -> list[str]:
        specification = self.scale(scale).models[model].specification
        if specification.joint != joint:
            return []
        return [parent for parent in self.scale(scale).parents if parent in specification.inputs]

    def joint(self, wildcards: Any) -> dict[str, dict]:
        """Specifications of the parents that a model is trained together with, by name."""
        scale, model = wildcards.scale, wildcards.model
        found = {}
        for parent in self._parents(scale, model, joint=True):
            theirs = self.study.parent_model(scale, model)
            found[parent] = self.scale(parent).models[theirs].specification.as_dict()
        return found

    def joint_files(self, wildcards: Any) -> list[str]:
        """For each parent of `joint` its features, its folds, and its features for the child's rows."""
        return [
            f"{self.results}/{file}.parquet"
            for parent in self._parents(wildcards.scale, wildcards.model, joint=True)
            for file in (
                f"features/{parent}",
                f"folds/{parent}",
                f"features/{parent}__{wildcards.scale}",
            )
        ]

    def propagated(self, wildcards: Any) -> list[str]:
        """Latents of the parents for a model's rows, in the order of `parents`."""
        return self._latents_for(wildcards.scale, wildcards.model, wildcards.protocol, rows=wildcards.scale)

    def _latents_for(self, scale: str, model: str, protocol: str, rows: str) -> list[str]:
        """Latents of the parents that a model of ``scale`` reads, for the rows of the scale ``rows``."""
        found = []
        for parent in self._parents(scale, model):
            theirs = self.study.parent_model(scale, model)
            where = self.study.parent_protocol(parent, protocol)
            found.append(f"{self.results}/propagated/{parent}__{rows}/{where}/{theirs}.parquet")
        return found

    # propagation: wildcards parent, child, protocol and model, which names the parent's model

    def parents_of_parent(self, wildcards: Any) -> list[str]:
        """Scales that the parent's model itself reads."""
        return self._parents(wildcards.parent, wildcards.model)

    def propagated_to_parent(self, wildcards: Any) -> list[str]:
        """Latents of the grandparents for the child's rows, in the order of `parents_of_parent`."""
        return self._latents_for(wildcards.parent, wildcards.model, wildcards.protocol, rows=wildcards.child)

    def pass_prediction(self, wildcards: Any) -> bool:
        """Whether the parent's predictions and spreads go beside its latents."""
        return self.study.takes_prediction(wildcards.parent, wildcards.child)

    def look_up(self, wildcards: Any) -> bool:
        """Whether the child's rows find the parent's features by material instead of computing them."""
        return self.scale(wildcards.child).parent_features == "material"

    # evaluation

    def baselines(self, wildcards: Any) -> dict:
        """Baselines of a scale that run in a protocol, as plain values."""
        scale = self.scale(wildcards.scale)
        return {
            name: {"kind": entry.kind, "inputs": entry.inputs, "options": entry.options}
            for name, entry in scale.baselines.items()
            if wildcards.protocol in scale.runs(name)
        }

    def _recommended(self, wildcards: Any) -> Recommended | None:
        scale = self.scale(wildcards.scale)
        return scale.recommended if wildcards.protocol in scale.runs("recommended") else None

    def stack(self, wildcards: Any) -> list[str]:
        """Members of the recommended predictor of a scale; none in a protocol that it does not run in."""
        recommended = self._recommended(wildcards)
        return recommended.stack if recommended else []

    def stack_inner_folds(self, wildcards: Any) -> int:
        """Inner folds that the stack's weights are learned on; 0 where none are learned."""
        recommended = self._recommended(wildcards)
        return recommended.inner_folds if recommended and recommended.weights == "learned" else 0

    def stack_weights(self, wildcards: Any) -> str | None:
        """How the stack's weights come about."""
        recommended = self._recommended(wildcards)
        return recommended.weights if recommended else None

    def stacked_baselines(self, wildcards: Any) -> list[str]:
        """Members of the stack that need predictions held out inside the training rows."""
        return self.stack(wildcards) if self.stack_inner_folds(wildcards) else []

    def class_targets(self, wildcards: Any) -> list[str]:
        """Targets of a scale that are classes."""
        return list(class_targets(self.study, wildcards.scale))

    def stack_predictions(self, wildcards: Any) -> list[str]:
        """Prediction files that hold the stack's members."""
        scale, folder = self.scale(wildcards.scale), self._predictions(wildcards.scale, wildcards.protocol)
        stack = self.stack(wildcards)
        files = [f"{folder}/{name}.parquet" for name in stack if name in scale.models]
        return files + [f"{folder}/baselines.parquet"] * any(name in scale.baselines for name in stack)

    def _predictions(self, scale: str, protocol: str) -> str:
        return f"{self.results}/predictions/{scale}/{protocol}"

    def predictions(self, wildcards: Any) -> list[str]:
        """Every prediction file of a scale."""
        scale, found = self.scale(wildcards.scale), []
        for protocol in scale.protocols:
            names = [name for name in scale.models if protocol in scale.runs(name)]
            names += ["baselines"] * any(protocol in scale.runs(name) for name in scale.baselines)
            names += ["recommended"] * (
                scale.recommended is not None and protocol in scale.runs("recommended")
            )
            found += [f"{self._predictions(wildcards.scale, protocol)}/{name}.parquet" for name in names]
        return found

    def cards(self, wildcards: Any) -> list[str]:
        """Cards of the autoencoders of a scale."""
        return [
            f"{self.results}/models/{name}/{protocol}/{model}.json"
            for name, protocol, model in self.trained()
            if name == wildcards.scale
        ]

    def latent_metrics(self, wildcards: Any) -> list[str]:
        """Metrics of the latents of those models of a scale whose targets are part of the latents."""
        models = self.scale(wildcards.scale).models
        return [
            f"{self.results}/disentanglement/{name}/{protocol}/{model}.parquet"
            for name, protocol, model in self.trained()
            if name == wildcards.scale and models[model].specification.conditional
        ]

    def compare(self, wildcards: Any) -> list:
        """Pairs of nested and single-scale models."""
        return [list(pair) for pair in self.scale(wildcards.scale).compare]

    def left_out(self, wildcards: Any) -> dict[str, str]:
        """Column whose levels are left out, by protocol that leaves out whole levels."""
        splits = self.scale(wildcards.scale).splits
        return {name: split.column for name, split in splits.items() if split.column}

    def strata(self, wildcards: Any) -> dict[str, dict]:
        """Parts of the rows that are measured by themselves, as plain values."""
        strata = self.scale(wildcards.scale).strata
        return {name: stratum.model_dump() for name, stratum in strata.items()}

    def sweep(self, wildcards: Any) -> dict:
        """The sweep of a scale with the specification of its model."""
        scale = self.scale(wildcards.scale)
        if scale.sweep is None:
            return {}
        model = scale.models[scale.sweep.model].specification.as_dict()
        return {**scale.sweep.model_dump(), "specification": model}

    def swept_parents(self, wildcards: Any) -> list[str]:
        """Parents that the swept model reads."""
        sweep = self.scale(wildcards.scale).sweep
        return self._parents(wildcards.scale, sweep.model) if sweep else []

    def swept_propagated(self, wildcards: Any) -> list[str]:
        """Latents of those parents, in the same order."""
        name, sweep = wildcards.scale, self.scale(wildcards.scale).sweep
        return self._latents_for(name, sweep.model, sweep.protocol, rows=name) if sweep else []

    # the physics beside the predictions

    def truth(self, wildcards: Any) -> dict:
        """What is traced of a scale's model: effort, data set, and the feature blocks along its chain."""
        truth = self.scale(wildcards.scale).device_physics
        if truth is None:
            return {}
        blocks = {
            name: {
                key: block.model_dump(exclude_none=True) for key, block in self.scale(name).features.items()
            }
            for name in self.study.lineage(wildcards.scale)
        }
        dataset = self.dataset(self.scale(wildcards.scale).dataset).model_dump()
        return {"points": truth.points, "compounds": truth.compounds, "dataset": dataset, "blocks": blocks}

    def _traced(self, scale: str) -> dict[str, str]:
        truth = self.scale(scale).device_physics
        return self.study.chain(scale, truth.model, "strict") if truth else {}

    def traced_models(self, wildcards: Any) -> list[str]:
        """Scales whose models the prediction needs, parents first."""
        return list(self._traced(wildcards.scale))

    def traced_weights(self, wildcards: Any) -> list[str]:
        """Weights of those models, in the same order."""
        return [
            f"{self.results}/models/{stem}.safetensors" for stem in self._traced(wildcards.scale).values()
        ]

    def traced_cards(self, wildcards: Any) -> list[str]:
        """Their cards."""
        return [f"{self.results}/models/{stem}.json" for stem in self._traced(wildcards.scale).values()]

    def traced_features(self, wildcards: Any) -> list[str]:
        """Features of every scale of the chain, in the order of the blocks of `truth`."""
        return [f"{self.results}/features/{name}.parquet" for name in self.study.lineage(wildcards.scale)]

    def traced_predictions(self, wildcards: Any) -> list[str]:
        """Strict predictions of the model for the rows of the data set."""
        stem = self._traced(wildcards.scale).get(wildcards.scale)
        return [f"{self.results}/predictions/{stem}.parquet"] if stem else []

    def simulated_from(self, _wildcards: Any = None) -> list[str]:
        """Calculations that the gaps of simulated devices are taken from."""
        return [resource(name) for name in READS[DEVICES]]

    # search in the pool

    def pool(self, wildcards: Any) -> dict:
        """Settings of the search in a scale's pool, with the feature blocks of each representation."""
        pool = self.scale(wildcards.scale).pool
        if pool is None:
            return {}
        blocks = {name: entry.blocks for name, entry in pool.representations.items()}
        return pool.model_dump(exclude={"representations"}) | {"representations": blocks}

    def _pool_latents(self, scale: str) -> dict[str, str]:
        pool = self.scale(scale).pool
        found = {}
        for name, entry in pool.representations.items() if pool else ():
            if entry.latents:
                theirs = entry.latents
                folder = (
                    f"latents/{scale}" if theirs.scale == scale else f"propagated/{theirs.scale}__{scale}"
                )
                found[name] = f"{self.results}/{folder}/{theirs.protocol}/{theirs.model}.parquet"
        return found

    def pool_read(self, wildcards: Any) -> list[str]:
        """Representations that are made of latents."""
        return list(self._pool_latents(wildcards.scale))

    def pool_latents(self, wildcards: Any) -> list[str]:
        """Those latents, in the same order."""
        return list(self._pool_latents(wildcards.scale).values())

    # interpretation

    def interpretation(self, wildcards: Any) -> dict:
        """Groups of inputs and effort."""
        interpret = self.scale(wildcards.scale).interpret
        return interpret.model_dump() if interpret else {}

    def _interpreted(self, scale: str, folder: str, ending: str) -> list[str]:
        interpret = self.scale(scale).interpret
        if interpret is None:
            return []
        return [f"{self.results}/{folder}/{scale}/{interpret.protocol}/{interpret.model}.{ending}"]

    def interpreted_weights(self, wildcards: Any) -> list[str]:
        """Weights of the model that is explained."""
        return self._interpreted(wildcards.scale, "models", "safetensors")

    def interpreted_card(self, wildcards: Any) -> list[str]:
        """Its card."""
        return self._interpreted(wildcards.scale, "models", "json")

    def interpreted_latents(self, wildcards: Any) -> list[str]:
        """Its latents."""
        return self._interpreted(wildcards.scale, "latents", "parquet")

    def interpreted_parents(self, wildcards: Any) -> list[str]:
        """Parents that it reads."""
        interpret = self.scale(wildcards.scale).interpret
        return self._parents(wildcards.scale, interpret.model) if interpret else []

    def interpreted_propagated(self, wildcards: Any) -> list[str]:
        """Latents of those parents, in the same order."""
        name, interpret = wildcards.scale, self.scale(wildcards.scale).interpret
        return self._latents_for(name, interpret.model, interpret.protocol, rows=name) if interpret else []

    def family_blocks(self, wildcards: Any) -> dict[str, dict[str, dict]]:
        """Feature blocks that the explained model and its parents read, by scale, parents first."""
        found = {}
        for name, stem in self._explained_chain(wildcards.scale).items():
            inputs = self.scale(name).models[stem.rpartition("/")[2]].specification.inputs
            blocks = self.scale(name).features
            found[name] = {k: blocks[k].model_dump(exclude_none=True) for k in inputs if k in blocks}
        return found

    def family_weights(self, wildcards: Any) -> list[str]:
        """Weights of these models, in the same order."""
        chain = self._explained_chain(wildcards.scale).values()
        return [f"{self.results}/models/{stem}.safetensors" for stem in chain]

    def family_cards(self, wildcards: Any) -> list[str]:
        """Their cards."""
        chain = self._explained_chain(wildcards.scale).values()
        return [f"{self.results}/models/{stem}.json" for stem in chain]

    def family_features(self, wildcards: Any) -> list[str]:
        """Features that they were trained on."""
        return [f"{self.results}/features/{name}.parquet" for name in self._explained_chain(wildcards.scale)]

    def _explained_chain(self, scale: str) -> dict[str, str]:
        interpret = self.scale(scale).interpret
        return self.study.chain(scale, interpret.model, interpret.protocol) if interpret else {}

    # inverse design

    def problem(self, wildcards: Any) -> DesignProblem:
        """Configuration of a design problem."""
        return self.study.search[wildcards.problem]

    def search_study(self, wildcards: Any) -> dict[str, Any]:
        """What one search needs of the study; a change of anything else does not repeat the search."""
        method = self.problem(wildcards).methods[wildcards.method]
        return self._excerpt(wildcards.problem, "judges", methods={wildcards.method: method})

    def judging_study(self, wildcards: Any) -> dict[str, Any]:
        """What judging needs of the study."""
        return self._excerpt(wildcards.problem, "methods", "judges")

    def interpolating_study(self, wildcards: Any) -> dict[str, Any]:
        """What ways between two materials need of the study."""
        return self._excerpt(wildcards.problem, "judges", "interpolate")

    def selecting_study(self, wildcards: Any) -> dict[str, Any]:
        """What selecting candidates needs of the study."""
        problem = self.problem(wildcards)
        name = problem.shortlist.method if problem.shortlist else None
        methods = {name: problem.methods[name]} if name else {}
        return self._excerpt(wildcards.problem, "judges", "shortlist", "verify", methods=methods)

    def screening_study(self, wildcards: Any) -> dict[str, Any]:
        """What screening needs of the study."""
        return self._excerpt(wildcards.problem, "screen")

    def second_round_study(self, wildcards: Any) -> dict[str, Any]:
        """What a second round needs of the study."""
        return self._excerpt(wildcards.problem, "retrain")

    def second_round_files(self, wildcards: Any) -> list[str]:
        """Data set of the finest scale of a problem that predicts, and the calculated candidates."""
        second = self.problem(wildcards).retrain
        return [self.judging_data(wildcards)[0], *([second.file] if second else [])]

    def screened_chunks(self, wildcards: Any) -> list[str]:
        """Chunks of the space of a problem."""
        screen = self.problem(wildcards).screen
        folder = f"{self.results}/search/{wildcards.problem}/screen"
        return [f"{folder}/{chunk}.parquet" for chunk in range(screen.chunks if screen else 0)]

    def screened(self) -> list[str]:
        """Screened spaces of the study."""
        return [
            f"{self.results}/search/{name}/screened.parquet"
            for name, problem in self.study.search.items()
            if problem.screen
        ]

    def _excerpt(self, problem: str, *kept: str, **changes: Any) -> dict[str, Any]:
        """The study with one problem and its chain alone, as plain values.

        Args:
            problem: Name of the problem.
            kept: Which of `_PARTS` stay; the others are left out.
            changes: Keys of the problem with another value.
        """
        left_out = {part: none for part, none in _PARTS.items() if part not in kept}
        update = {"title": "", "question": "", **left_out, **changes}
        given = self.study.search[problem].model_copy(update=update)
        models = [method.model for method in given.methods.values() if method.model]
        return self._part(given.scale, models, {problem: given})

    def _part(self, scale: str, generative: list[str], search: dict[str, DesignProblem]) -> dict[str, Any]:
        """The study with a scale and its ancestors, some generative models and problems alone."""
        lineage = self.study.lineage(scale)
        told: dict[str, Any] = {
            "title": "",
            "compare": [],
            "recommended": None,
            "sweep": None,
            "interpret": None,
            "device_physics": None,
        }
        datasets = {self.scale(name).dataset for name in lineage}
        study = self.study.model_copy(
            update={
                "title": "",
                "question": "",
                "published": [],
                "datasets": {key: self.study.datasets[key] for key in sorted(datasets)},
                "scales": {
                    name: self.scale(name).model_copy(update={**told, "baselines": self._taught_by(name)})
                    for name in lineage
                },
                "generative": {
                    name: self.study.generative[name].model_copy(update={"title": ""}) for name in generative
                },
                "search": search,
                "dft": None,
            }
        )
        return study.model_dump(mode="json")

    def _taught_by(self, scale: str) -> dict[str, Baseline]:
        """Baselines of a scale that teach one of its models, which names them."""
        names = {model.specification.teacher for model in self.scale(scale).models.values()}
        return {name: entry for name, entry in self.scale(scale).baselines.items() if name in names}

    # generative models

    def generative_study(self, wildcards: Any) -> dict[str, Any]:
        """What training a generative model needs of the study."""
        name = wildcards.generative
        return self._part(self.study.generative[name].scale, [name], {})

    def generative_members(self, wildcards: Any) -> dict[str, Any]:
        """Protocol, fold and scales whose rows, and whose models where it is taught, it is trained on."""
        fold = -1 if wildcards.protocol == "strict" else 0
        return {"protocol": wildcards.protocol, "fold": fold, "scales": list(self._teachers(wildcards))}

    def _teachers(self, wildcards: Any) -> dict[str, str]:
        given = self.study.generative[wildcards.generative]
        if given.pseudo_labels is None:
            return {given.scale: ""}
        return self.study.chain(given.scale, given.pseudo_labels.model, wildcards.protocol)

    def teaching_weights(self, wildcards: Any) -> list[str]:
        """Weights of the chain that teaches a generative model, or none."""
        stems = self._teachers(wildcards).values()
        return [f"{self.results}/models/{stem}.safetensors" for stem in stems if stem]

    def generative_features(self, wildcards: Any) -> list[str]:
        """Features of these scales."""
        return [f"{self.results}/features/{scale}.parquet" for scale in self._teachers(wildcards)]

    def generative_folds(self, wildcards: Any) -> list[str]:
        """Folds of these scales."""
        return [f"{self.results}/folds/{scale}.parquet" for scale in self._teachers(wildcards)]

    def searched_generative(self, wildcards: Any) -> list[str]:
        """Generative model of a search method, or none."""
        problem = self.problem(wildcards)
        return self._generative(problem.methods[wildcards.method].model, problem.protocol)

    def deployed_generative(self, wildcards: Any) -> list[str]:
        """Generative model of the shortlist's method, or none."""
        problem = self.problem(wildcards)
        return self._generative(
            problem.methods[problem.shortlist.method].model if problem.shortlist else None, "strict"
        )

    def _generative(self, name: str | None, protocol: str) -> list[str]:
        return [f"{self.results}/generative/{protocol}/{name}.safetensors"] if name else []

    def searched(self, wildcards: Any) -> dict[str, Any]:
        """Study, members and scales of a search: those that left a fold out, for the judges."""
        return self._searched(wildcards, self.problem(wildcards).protocol, fold=0)

    def deployed(self, wildcards: Any) -> dict[str, Any]:
        """The same with the members that were trained on every row."""
        return self._searched(wildcards, "strict", fold=-1)

    def _searched(self, wildcards: Any, protocol: str, fold: int) -> dict[str, Any]:
        scales = list(self._chain_of_problem(wildcards, protocol))
        return {"problem": wildcards.problem, "protocol": protocol, "fold": fold, "scales": scales}

    def _chain_of_problem(self, wildcards: Any, protocol: str) -> dict[str, str]:
        problem = self.problem(wildcards)
        return self.study.chain(problem.scale, problem.model, protocol)

    def searched_files(self, wildcards: Any) -> list[str]:
        """Weights, features and folds of each scale of a search, scale by scale."""
        return self._files_of_search(wildcards, self.problem(wildcards).protocol)

    def deployed_files(self, wildcards: Any) -> list[str]:
        """The same with the members that were trained on every row."""
        return self._files_of_search(wildcards, "strict")

    def _files_of_search(self, wildcards: Any, protocol: str) -> list[str]:
        return [
            f"{self.results}/{file}"
            for scale, stem in self._chain_of_problem(wildcards, protocol).items()
            for file in (
                f"models/{stem}.safetensors",
                f"features/{scale}.parquet",
                f"folds/{scale}.parquet",
            )
        ]

    def judging_data(self, wildcards: Any) -> list[str]:
        """Data sets of the scales of a problem that predict, in their order."""
        return [
            f"{self.results}/data/{self.scale(name).dataset}.parquet"
            for name in self.study.lineage(self.problem(wildcards).scale)
            if self.scale(name).targets
        ]

    def candidates(self, wildcards: Any) -> list[str]:
        """Candidates of every method of a problem."""
        return self._searches(wildcards, "parquet")

    def runs_of_search(self, wildcards: Any) -> list[str]:
        """Records of the searches, in the same order."""
        return self._searches(wildcards, "runs.parquet")

    def _searches(self, wildcards: Any, ending: str) -> list[str]:
        folder = f"{self.results}/search/{wildcards.problem}"
        return [f"{folder}/{name}.{ending}" for name in self.problem(wildcards).methods]

    # DFT

    @property
    def dft(self) -> Dft:
        """Configuration of the calculations; the rules that ask are there only where the study has it."""
        assert self.study.dft is not None
        return self.study.dft

    def structure_set(self, wildcards: Any) -> dict:
        """The set as plain values."""
        return self.dft.sets[wildcards.set].model_dump()

    def structure_file(self, wildcards: Any) -> list[str]:
        """The table of a set: the user's own, that of a problem's candidates or a data set; or none."""
        entry = self.dft.sets[wildcards.set]
        if entry.candidates:
            return [f"{self.results}/search/{entry.candidates}/structures.csv"]
        if entry.dataset:
            return [f"{self.results}/data/{entry.dataset}.parquet"]
        return [entry.file] if entry.file else []

    def calculations_before(self, wildcards: Any) -> list[str]:
        """Calculations that a set is made from."""
        return [f"{self.results}/dft/{other}.parquet" for other in self.dft.sets[wildcards.set].after]

    def calculated_parts(self, wildcards: Any) -> list[str]:
        """Finished parts of a set."""
        return [f"{self.results}/dft/parts/{wildcards.set}/{k}.jsonl" for k in range(self.dft.parts)]

    def calculated_sets(self) -> list[str]:
        """Calculations of every set of compounds that is not one of candidates."""
        return [f"{self.results}/dft/{name}.parquet" for name in self.reference_sets()]

    def reference_sets(self) -> list[str]:
        """Sets of compounds that are not candidates: on those nothing is to be trained unasked."""
        return [name for name, entry in self.dft.sets.items() if not entry.candidates and not entry.layer]

    def summaries(self) -> list[str]:
        """What the target `dft` makes: the tables of all compounds, and the cells of each set of layers."""
        compounds = DFT_TABLES if self.reference_sets() else ()
        layers = [name for name, entry in self.dft.sets.items() if entry.layer and not entry.candidates]
        names = [*compounds, *(f"{name}.cells" for name in layers)]
        return [f"{self.results}/dft/{name}.parquet" for name in names]

    def candidate_sets(self) -> dict[str, str]:
        """Problem by set of its candidates."""
        sets = self.study.dft.sets if self.study.dft else {}
        return {name: entry.candidates for name, entry in sets.items() if entry.candidates}

    def known_records(self, wildcards: Any) -> list[str]:
        """Records that the formation energies of a set of candidates are told by."""
        verify = self.study.search[self.candidate_sets()[wildcards.set]].verify
        return [verify.records] if verify and verify.records else []

    def calculated_candidates(self) -> list[str]:
        """Compounds, or cells, of every set of candidates."""
        return [
            f"{self.results}/dft/{name}.{table}.parquet"
            for name in self.candidate_sets()
            for table in (("cells",) if self.dft.sets[name].layer else ("compounds", "electronic"))
        ]

    def verified_compounds(self, wildcards: Any) -> str:
        """Calculated candidates of a problem: those that it names, or those of this study."""
        verify = self.problem(wildcards).verify
        if verify and verify.file:
            return verify.file
        [name] = [key for key, problem in self.candidate_sets().items() if problem == wildcards.problem]
        table = "cells" if self.dft.sets[name].layer else "compounds"
        return f"{self.results}/dft/{name}.{table}.parquet"

    def selected_from(self, wildcards: Any) -> list[str]:
        """The shortlist that cells are selected from; other materials are those of the space."""
        cells = self.problem(wildcards).space.cells
        return [f"{self.results}/search/{wildcards.problem}/shortlist.parquet"] if cells else []

    def calibration_files(self, wildcards: Any) -> list[str]:
        """Calculated rows of the data set of a problem, and the data set of the gap."""
        verify = self.problem(wildcards).verify
        assert verify is not None
        assert verify.gap is not None
        dataset = self.scale(verify.gap.partition(".")[0]).dataset
        return [*verify.calibration, f"{self.results}/data/{dataset}.parquet"]

    def calibrated_column(self, wildcards: Any) -> str:
        """Column of that data set which is the gap."""
        verify = self.problem(wildcards).verify
        assert verify is not None
        assert verify.gap is not None
        return verify.gap.partition(".")[2]

    # everything, for the report and for tracking

    def trained(self) -> list[tuple[str, str, str]]:
        """Scale, protocol and model of every training job."""
        return [
            (name, protocol, model)
            for name, scale in self.study.scales.items()
            for model in scale.models
            for protocol in scale.runs(model)
        ]

    def model_files(self, ending: str) -> list[str]:
        """One file a training job: ending is `json`, `safetensors` or `history.parquet`."""
        return [f"{self.results}/models/{s}/{p}/{m}.{ending}" for s, p, m in self.trained()]

    def tables(self) -> list[str]:
        """Data sets of the study, read, without their rejects."""
        return [f"{self.results}/data/{name}.parquet" for name in self.study.datasets]

    def published_files(self) -> list[str]:
        """Published numbers that the study is shown beside."""
        return [resource(f"published/{name}.yaml") for name in self.study.published]

    # figures

    def figures(self) -> dict[str, list[str]]:
        """Kinds of figures by scale and by design problem."""
        found: dict[str, list[str]] = {}
        for subject, kind in figures.available(self.study):
            found.setdefault(subject, []).append(kind)
        return found

    def title(self, subject: str) -> str:
        """Name of a scale or a design problem for people."""
        return figures.title(self.study, subject)

    def figure_files(self) -> list[str]:
        """Every figure of the study."""
        return [f"{self.results}/figures/{s}.{kind}.svg" for s, kind in figures.available(self.study)]

    def figure_inputs(self, subject: str) -> list[str]:
        """Tables that the figures of a scale or a design problem are drawn from."""
        found = {
            path
            for kind in self.figures().get(subject, [])
            for paths in figures.needs(self.study, subject, kind).values()
            for path in paths
        }
        return [f"{self.results}/{path}" for path in sorted(found)]

    # report

    def report_inputs(self) -> list[str]:
        """Every table that the report is written from."""
        return [f"{self.results}/{path}" for paths in write.needs(self.study).values() for path in paths]
