"""Parts of a study that a job depends on: a change of anything else does not repeat the job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from nestmat.config.datasets import DatasetSpec
from nestmat.config.problems import DesignProblem
from nestmat.config.study import Study
from nestmat.data.registry import resolve

Entry = TypeVar("Entry", bound=BaseModel)
PARTS: Mapping[str, tuple[str, ...]] = {
    "search_candidates": ("judges",),
    "judge_candidates": ("methods", "judges"),
    "interpolate_materials": ("judges", "interpolate"),
    "select_candidates": ("judges", "shortlist", "verify"),
    "select_structures": ("judges", "shortlist", "verify"),
    "verify_candidates": ("judges", "shortlist", "verify"),
    "screen_chunk": ("screen",),
    "distil_predictor": (),
    "retrain_on_calculated": ("retrain",),
}
"""Parts of a design problem that a rule depends on, of those that not every rule does.

Of the methods `search_candidates` depends on its own, and what uses the shortlist on the one that makes it.
"""
USES: Mapping[str, str] = {
    **dict.fromkeys(("search_candidates", "judge_candidates", "interpolate_materials"), "searched"),
    **dict.fromkeys(("select_candidates", "select_structures", "verify_candidates"), "deployed"),
}
"""Which of the recommended predictors a rule reads, `deployed` or `searched`.

Of `distil_predictor` a wildcard says so; `screen_chunk` reads the network that stands for the deployed ones,
and nothing else of them.
"""
OPTIONAL = ("judges", "shortlist", "verify", "retrain", "screen", "interpolate")
ANY_TARGET: Mapping[str, Any] = {
    "constraints": [],
    "prefer_domain": False,
    "budget": 10,
    "seeds": 1,
    "proposals": 1,
}
"""What is not asked of a predictor that stands for others in a space."""
UNUSED_OF_STUDY: dict[str, Any] = {
    **{"title": "", "question": "", "published": [], "dft": None, "plugins": []},
    "tracking": "off",
}
WORDS_OF_DATASET: Mapping[str, Any] = {
    "title": "",
    "description": "",
    **dict.fromkeys(("doi", "citation", "licence")),
}
"""What people call a data set, which only the report tells."""
UNUSED_OF_SCALE: Mapping[str, Any] = {
    "title": "",
    "compare": [],
    **dict.fromkeys(("recommended", "sweep", "interpret", "device_physics")),
}


def settings(study: Study) -> dict[str, Any]:
    """The whole study as plain values, with the entries of data sets, without words, in place of their names.

    Feature blocks are without the keys that they leave out.
    """
    values = study.model_dump(mode="json")
    values["datasets"] = {
        name: without_words(resolve(entry)).model_dump(mode="json") for name, entry in study.datasets.items()
    }
    for name, scale in study.scales.items():
        values["scales"][name]["features"] = scale.feature_settings
    return values


def without_words(entry: DatasetSpec) -> DatasetSpec:
    """The entry of a data set without `WORDS_OF_DATASET`."""
    return entry.model_copy(update=WORDS_OF_DATASET)


def problem_excerpt(study: Study, rule: str) -> Callable[[Any], dict[str, Any]]:
    """What a rule about a design problem, a key of `PARTS`, needs of the study, by its wildcards."""
    parts = PARTS[rule]

    def excerpt(wildcards: Any) -> dict[str, Any]:
        problem = study.search[wildcards.problem]
        methods = list(problem.methods) if "methods" in parts else []
        if rule == "search_candidates":
            methods = [wildcards.method]
        elif problem.shortlist and "shortlist" in parts:
            methods = [problem.shortlist.method]
        unused = dict.fromkeys(part for part in OPTIONAL if part not in parts)
        used: dict[str, Any] = {"methods": {name: untitled(problem.methods[name]) for name in methods}}
        use = USES.get(rule) or getattr(wildcards, "use", None)
        protocol = problem.protocol if use == "searched" else None
        predicting = use is not None and study.searches_recommended(wildcards.problem, protocol)
        used["predictor"] = "recommended" if predicting else "model"
        if rule == "distil_predictor":
            target = problem.targets[0].model_copy(update={"enough": None})
            used = {**used, **ANY_TARGET, "targets": [target]}
        problem = problem.model_copy(update={"title": "", "question": "", **unused, **used})
        generative = [method.model for method in problem.methods.values() if method.model]
        return _excerpt(study, problem.scale, generative, {wildcards.problem: problem}, predicting)

    return excerpt


def generative_excerpt(study: Study) -> Callable[[Any], dict[str, Any]]:
    """What training a generative model needs of the study, as a function of the wildcards."""

    def excerpt(wildcards: Any) -> dict[str, Any]:
        name = wildcards.generative
        return _excerpt(study, study.generative[name].scale, [name], {})

    return excerpt


def untitled(entry: Entry) -> Entry:
    """An entry of the study without the title that people read."""
    return entry.model_copy(update={"title": ""})


def _excerpt(
    study: Study,
    scale: str,
    generative: Iterable[str],
    problems: Mapping[str, DesignProblem],
    predicting: bool = False,
) -> dict[str, Any]:
    """A scale with its ancestors, some generative models and problems alone, as plain values.

    Where the excerpt is for ``predicting``, it has the recommended predictors.
    """
    scales = {}
    for name in study.lineage(scale):
        taught = {model.specification.teacher for model in study.scales[name].models.values()}
        used = taught.union(study.scales[name].predictor if predicting else ())
        config = study.scales[name]
        baselines = {key: untitled(entry) for key, entry in config.baselines.items() if key in used}
        models = {key: untitled(entry) for key, entry in config.models.items()}
        unused = dict(UNUSED_OF_SCALE)
        if predicting:
            del unused["recommended"]
        scales[name] = config.model_copy(update={**unused, "baselines": baselines, "models": models})
    datasets = sorted({entry.dataset for entry in scales.values()})
    update = {
        **UNUSED_OF_STUDY,
        "datasets": {key: without_words(resolve(study.datasets[key])) for key in datasets},
        "scales": scales,
        "generative": {name: untitled(study.generative[name]) for name in generative},
        "search": problems,
    }
    return study.model_copy(update=update).model_dump(mode="json")
