"""Tables of a study's jobs, in which the rules look up their files: a row a job, or a row a file of a job."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from nestmat.config.lineage import prediction_readers, predictor_files
from nestmat.config.study import Study
from nestmat.data.registry import READS, resolve
from nestmat.plan.code import resource

Rows = Iterator[tuple[Any, ...]]
Table = Callable[[Study], pd.DataFrame]


def _table(columns: str, flags: str = "") -> Callable[[Callable[[Study], Rows]], Table]:
    """Decorator: a table of the rows of a generator; columns hold text, flags, the last, True or False."""
    dtypes = {**dict.fromkeys(columns.split(), object), **dict.fromkeys(flags.split(), bool)}

    def decorate(rows: Callable[[Study], Rows]) -> Table:
        @functools.wraps(rows)
        def table(study: Study) -> pd.DataFrame:
            return pd.DataFrame(list(rows(study)), columns=[*dtypes]).astype(dtypes)

        return table

    return decorate


@_table("dataset path")
def data_files(study: Study) -> Rows:
    """Files that each data set is read from: generated, downloaded, or the user's own."""
    for name, entry in study.datasets.items():
        spec = resolve(entry)
        if spec.generator:
            yield name, f"<results>/data/{name}.generated.parquet"
        else:
            yield from ((name, part.file or part.download(name)) for part in spec.files)


@_table("dataset path")
def generator_files(study: Study) -> Rows:
    """Files of resources/ that the generator of a data set reads."""
    for name, entry in study.datasets.items():
        generator = resolve(entry).generator
        yield from ((name, resource(path)) for path in READS.get(generator.kind if generator else "", ()))


def _trained(study: Study) -> Iterator[tuple[str, str, str]]:
    for name, scale in study.scales.items():
        for model in scale.models:
            yield from ((name, protocol, model) for protocol in scale.runs(model))


def _uses(part: Any, protocol: str, model: str) -> bool:
    return part is not None and (part.protocol, part.model) == (protocol, model)


@_table("scale protocol model", flags="interpreted probed taught")
def trainings(study: Study) -> Rows:
    """Every model of a scale in every protocol that it runs in.

    `interpreted` is the one that is explained; the latents of a `probed` one are measured; a baseline
    teaches a `taught` one.
    """
    for name, protocol, model in _trained(study):
        scale = study.scales[name]
        specification = scale.models[model].specification
        interpreted = _uses(scale.interpret, protocol, model)
        yield name, protocol, model, interpreted, specification.conditional, bool(specification.teacher)


@_table("scale protocol model parent parent_protocol parent_model", flags="interpreted swept stacked")
def links(study: Study) -> Rows:
    """Parents whose latents a model reads from files, with the parent's members that made them.

    Of a scale that is interpreted or swept, the links of that model are marked, and of each those of the
    models in the recommended stack.
    """
    for name, protocol, model in _trained(study):
        scale = study.scales[name]
        specification = scale.models[model].specification
        uses = [_uses(part, protocol, model) for part in (scale.interpret, scale.sweep)]
        uses.append(model in scale.stacked_models)
        for parent in scale.parents:
            if parent in specification.inputs and not specification.joint:
                members = study.parent_protocol(parent, protocol), study.parent_model(name, model)
                yield name, protocol, model, parent, *members, *uses


@_table("parent child protocol")
def prediction_links(study: Study) -> Rows:
    """Parents whose predictions baselines of a child read."""
    for parent, scale in study.scales.items():
        for protocol in scale.protocols:
            for child in prediction_readers(study.scales, parent, protocol):
                yield parent, child, protocol


@_table("scale model path")
def joint_files(study: Study) -> Rows:
    """Features and folds of the parents that a model is trained with, and their features for its rows."""
    for name, scale in study.scales.items():
        for model in scale.models:
            for parent in study.joint_parents(name, model):
                files = (f"features/{parent}", f"folds/{parent}", f"features/{parent}__{name}")
                yield from ((name, model, f"<results>/{file}.parquet") for file in files)


@_table("scale protocol name")
def predictions(study: Study) -> Rows:
    """Every file of predictions of a scale."""
    for key, scale in study.scales.items():
        for protocol in scale.protocols:
            yield from ((key, protocol, name) for name in scale.predictions_in(protocol))


@_table("use subject protocol scale stem")
def chains(study: Study) -> Rows:
    """Models that a prediction needs, parents first, by what it is needed for and where.

    `stem` is ``<scale>/<protocol>/<model>``, the path of a model below ``models/``. The uses are
    `interpreted` and `simulated` of a scale, `searched` and `deployed` of a design problem, `teaching` of a
    generative model; without a teacher its own scale has no stem.
    """
    uses: list[tuple[str, str, str, str, str]] = []
    for name, scale in study.scales.items():
        if scale.interpret:
            uses.append(("interpreted", name, name, scale.interpret.model, scale.interpret.protocol))
        if scale.device_physics:
            uses.append(("simulated", name, name, scale.device_physics.model, "strict"))
    for name, problem in study.search.items():
        uses.append(("searched", name, problem.scale, problem.model, problem.protocol))
        uses.append(("deployed", name, problem.scale, problem.model, "strict"))
    for name, entry in study.generative.items():
        for protocol in study.scales[entry.scale].protocols:
            if entry.pseudo_labels:
                uses.append(("teaching", name, entry.scale, entry.pseudo_labels.model, protocol))
            else:
                yield "teaching", name, protocol, entry.scale, ""
    for use, subject, scale_name, model, protocol in uses:
        for part, key in study.chain(scale_name, model, protocol).items():
            yield use, subject, protocol, part, str(key)


@_table("use problem path")
def domains(study: Study) -> Rows:
    """Domains of the scale of a design problem and of its ancestors, parents first.

    The uses are those of `chains`: `searched` are domains of the rows that the searched members saw, and
    `deployed` those of all rows.
    """
    for name, problem in study.search.items():
        for scale in study.lineage(problem.scale):
            protocol = study.parent_protocol(scale, problem.protocol)
            yield "searched", name, f"<results>/domains/{scale}/{protocol}.parquet"
            yield "deployed", name, f"<results>/domains/{scale}/strict.parquet"


@_table("use problem path", flags="distilled")
def predictors(study: Study) -> Rows:
    """Files of the recommended predictors of design problems, and the network `distilled` from them.

    The uses are those of `chains`: `searched`, where they run in the protocol of the problem, and `deployed`.
    """
    for name, problem in study.search.items():
        for use, protocol in (("searched", problem.protocol), ("deployed", None)):
            if study.searches_recommended(name, protocol):
                for path in predictor_files(study.scales, problem.scale, protocol):
                    yield use, name, f"<results>/{path}", False
                yield use, name, f"<results>/search/{name}/{use}.predictor.safetensors", True


@_table("use subject scale dataset rows", flags="predicts finest")
def lineages(study: Study) -> Rows:
    """A scale and its ancestors, parents first, with their data sets; also for the scale of a design problem.

    Those that predict have targets, and the `finest` of them is the first. `rows` are features of each
    for the rows of the coarsest, a file below ``features/``.
    """
    subjects = [("scale", name, name) for name in study.scales]
    subjects += [("problem", name, problem.scale) for name, problem in study.search.items()]
    for use, subject, scale in subjects:
        lineage = study.lineage(scale)
        predicting = [name for name in lineage if study.scales[name].targets]
        for name in lineage:
            dataset = study.scales[name].dataset
            rows = name if name == scale else f"{name}__{scale}"
            yield use, subject, name, dataset, rows, name in predicting, name in predicting[:1]


@_table("scale name path")
def representations(study: Study) -> Rows:
    """Latents that describe the rows of a pool."""
    for key, scale in study.scales.items():
        for name, entry in scale.pool.representations.items() if scale.pool else ():
            if entry.latents:
                source, members = entry.latents.scale, f"{entry.latents.protocol}/{entry.latents.model}"
                folder = f"latents/{key}" if source == key else f"propagated/{source}__{key}"
                yield key, name, f"<results>/{folder}/{members}.parquet"


@_table("problem method generative protocol", flags="deployed")
def searches(study: Study) -> Rows:
    """Methods of every design problem, with the generative model that they sample from.

    The method that makes the shortlist is `deployed`.
    """
    for name, problem in study.search.items():
        for method, entry in problem.methods.items():
            deployed = problem.shortlist is not None and problem.shortlist.method == method
            yield name, method, entry.model or "", problem.protocol, deployed


@_table("name path problem records", flags="layer")
def structure_sets(study: Study) -> Rows:
    """Sets of structures to calculate: the table that each is listed from, the problem that it is of.

    `records` are those of other calculations that its formation energies need.
    """
    for name, entry in study.dft.sets.items() if study.dft else ():
        path = f"<results>/data/{entry.dataset}.parquet" if entry.dataset else entry.file or ""
        verify = study.search[entry.candidates].verify if entry.candidates else None
        if entry.candidates:
            path = f"<results>/search/{entry.candidates}/structures.csv"
        records = (verify.records if verify else None) or ""
        yield name, path, entry.candidates or "", records, entry.layer is not None
