"""Tables of a study's jobs, in which the rules look up their files: a row a job, or a row a file of a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from nestmat import figures
from nestmat.config.datasets import DatasetSpec
from nestmat.config.dft import DFT_TABLES
from nestmat.config.study import Study
from nestmat.data.registry import READS, resolve
from nestmat.models.keys import RECOMMENDED
from nestmat.plan.code import resource


def _table(columns: str, rows: Iterable[tuple[Any, ...]], flags: str = "") -> pd.DataFrame:
    """A table whose columns hold text, but for those named last, which hold True or False."""
    names, booleans = columns.split(), flags.split()
    dtypes = {**dict.fromkeys(names, object), **dict.fromkeys(booleans, bool)}
    return pd.DataFrame(list(rows), columns=[*names, *booleans]).astype(dtypes)


def _specifications(study: Study) -> Iterator[tuple[str, DatasetSpec]]:
    yield from ((name, resolve(entry)) for name, entry in study.datasets.items())


def data_files(study: Study) -> pd.DataFrame:
    """Files that each data set is read from: generated, downloaded, or the user's own."""
    return _table(
        "dataset path",
        (
            (name, path)
            for name, spec in _specifications(study)
            for path in (
                [f"<results>/data/{name}.generated.parquet"]
                if spec.generator
                else [part.file or part.download(name) for part in spec.files]
            )
        ),
    )


def generator_files(study: Study) -> pd.DataFrame:
    """Files of resources/ that the generator of a data set reads."""
    return _table(
        "dataset path",
        (
            (name, resource(path))
            for name, spec in _specifications(study)
            for path in READS.get(spec.generator or "", ())
        ),
    )


def _trained(study: Study) -> Iterator[tuple[str, str, str]]:
    for name, scale in study.scales.items():
        for model in scale.models:
            yield from ((name, protocol, model) for protocol in scale.runs(model))


def trainings(study: Study) -> pd.DataFrame:
    """Every model of a scale in every protocol that it runs in.

    `interpreted` is the one that is explained; the latents of a `probed` one are measured.
    """

    def rows() -> Iterator[tuple[Any, ...]]:
        for name, protocol, model in _trained(study):
            use, entry = study.scales[name].interpret, study.scales[name].models[model]
            interpreted = use is not None and (use.protocol, use.model) == (protocol, model)
            yield name, protocol, model, interpreted, entry.specification.conditional

    return _table("scale protocol model", rows(), flags="interpreted probed")


def predictions(study: Study) -> pd.DataFrame:
    """Every file of predictions of a scale: of each model, of all baselines, of the recommended stack."""

    def names(scale: Any, protocol: str) -> Iterator[str]:
        yield from (name for name in scale.models if protocol in scale.runs(name))
        if any(protocol in scale.runs(name) for name in scale.baselines):
            yield "baselines"
        if scale.recommended and protocol in scale.runs(RECOMMENDED):
            yield RECOMMENDED

    return _table(
        "scale protocol name",
        (
            (key, protocol, name)
            for key, scale in study.scales.items()
            for protocol in scale.protocols
            for name in names(scale, protocol)
        ),
    )


def stacks(study: Study) -> pd.DataFrame:
    """Files of predictions that the recommended stack of a scale combines."""
    return _table(
        "scale name",
        (
            (key, name)
            for key, scale in study.scales.items()
            if scale.recommended
            for name in (
                *(name for name in scale.recommended.stack if name in scale.models),
                *["baselines"] * any(name in scale.baselines for name in scale.recommended.stack),
            )
        ),
    )


def links(study: Study) -> pd.DataFrame:
    """Parents whose latents a model reads from files, with the parent's members that made them.

    Of a scale that is interpreted or swept, the links of that model are marked.
    """

    def rows() -> Iterator[tuple[Any, ...]]:
        for name, protocol, model in _trained(study):
            scale = study.scales[name]
            specification = scale.models[model].specification
            uses = [
                use is not None and (use.protocol, use.model) == (protocol, model)
                for use in (scale.interpret, scale.sweep)
            ]
            for parent in scale.parents if not specification.joint else []:
                if parent in specification.inputs:
                    members = study.parent_protocol(parent, protocol), study.parent_model(name, model)
                    yield name, protocol, model, parent, *members, *uses

    columns = "scale protocol model parent parent_protocol parent_model"
    return _table(columns, rows(), flags="interpreted swept")


def chains(study: Study) -> pd.DataFrame:
    """Models that a prediction needs, parents first, by what it is needed for and where.

    `stem` is ``<scale>/<protocol>/<model>``, the path of a model below ``models/``. The uses are
    `interpreted` and `simulated` of a scale, `searched` and `deployed` of a design problem, `teaching` of a
    generative model; without a teacher its own scale has no stem.
    """

    def chain(use: str, subject: str, scale: str, model: str, protocol: str) -> Iterator[tuple[str, ...]]:
        for name, key in study.chain(scale, model, protocol).items():
            yield use, subject, protocol, name, str(key)

    def rows() -> Iterator[tuple[str, ...]]:
        for name, scale in study.scales.items():
            if scale.interpret:
                yield from chain("interpreted", name, name, scale.interpret.model, scale.interpret.protocol)
            if scale.device_physics:
                yield from chain("simulated", name, name, scale.device_physics.model, "strict")
        for name, problem in study.search.items():
            yield from chain("searched", name, problem.scale, problem.model, problem.protocol)
            yield from chain("deployed", name, problem.scale, problem.model, "strict")
        for name, entry in study.generative.items():
            for protocol in study.scales[entry.scale].protocols:
                if entry.pseudo_labels:
                    yield from chain("teaching", name, entry.scale, entry.pseudo_labels.model, protocol)
                else:
                    yield "teaching", name, protocol, entry.scale, ""

    return _table("use subject protocol scale stem", rows())


def lineages(study: Study) -> pd.DataFrame:
    """A scale and its ancestors, parents first, with their data sets; also for the scale of a design problem.

    Those that predict have targets, and the `finest` of them is the first.
    """

    def rows() -> Iterator[tuple[Any, ...]]:
        subjects = [("scale", name, name) for name in study.scales]
        subjects += [("problem", name, problem.scale) for name, problem in study.search.items()]
        for use, subject, scale in subjects:
            lineage = study.lineage(scale)
            predicting = [name for name in lineage if study.scales[name].targets]
            for name in lineage:
                row = (use, subject, name, study.scales[name].dataset)
                yield *row, name in predicting, name in predicting[:1]

    return _table("use subject scale dataset", rows(), flags="predicts finest")


def representations(study: Study) -> pd.DataFrame:
    """Latents that describe the rows of a pool."""

    def folder(scale: str, source: str) -> str:
        return f"latents/{scale}" if source == scale else f"propagated/{source}__{scale}"

    return _table(
        "scale name path",
        (
            (key, name, f"<results>/{folder(key, latents.scale)}/{latents.protocol}/{latents.model}.parquet")
            for key, scale in study.scales.items()
            for name, entry in (scale.pool.representations.items() if scale.pool else ())
            if (latents := entry.latents)
        ),
    )


def searches(study: Study) -> pd.DataFrame:
    """Methods of every design problem, with the generative model that they sample from.

    The method that makes the shortlist is `deployed`.
    """
    return _table(
        "problem method generative protocol",
        (
            (
                *(name, method, entry.model or "", problem.protocol),
                problem.shortlist is not None and problem.shortlist.method == method,
            )
            for name, problem in study.search.items()
            for method, entry in problem.methods.items()
        ),
        flags="deployed",
    )


def structure_sets(study: Study) -> pd.DataFrame:
    """Sets of structures to calculate: the table that each is listed from, the problem that it is of.

    `known` are records of other calculations that its formation energies need.
    """

    def source(entry: Any) -> str:
        if entry.candidates:
            return f"<results>/search/{entry.candidates}/structures.csv"
        return f"<results>/data/{entry.dataset}.parquet" if entry.dataset else entry.file or ""

    def known(entry: Any) -> str:
        verify = study.search[entry.candidates].verify if entry.candidates else None
        return (verify.records if verify else None) or ""

    return _table(
        "name path problem known",
        (
            (name, source(entry), entry.candidates or "", known(entry), entry.layer is not None)
            for name, entry in (study.dft.sets.items() if study.dft else ())
        ),
        flags="layer",
    )


def calculated_tables(study: Study) -> pd.DataFrame:
    """Tables that the targets `dft`, of compounds and layers, and `verify`, of candidates, ask for."""

    def rows() -> Iterator[tuple[str, str]]:
        sets = structure_sets(study)
        if not sets.query("problem == '' and not layer").empty:
            yield from (("dft", f"<results>/dft/{name}.parquet") for name in DFT_TABLES)
        for entry in sets.query("problem != '' or layer").itertuples():
            for name in ("cells",) if entry.layer else ("compounds", "electronic"):
                yield "verify" if entry.problem else "dft", f"<results>/dft/{entry.name}.{name}.parquet"

    return _table("target path", rows())


def verification_files(study: Study) -> pd.DataFrame:
    """Calculations that predictions of a design problem are compared with.

    `calculated` are those of its candidates, which a study names or makes itself; `calibration` are rows of
    the data set of the gap, calculated anew, and last this data set.
    """

    def rows() -> Iterator[tuple[str, ...]]:
        made = structure_sets(study)
        for name, problem in study.search.items():
            if problem.verify and problem.verify.file:
                yield name, problem.verify.file, "calculated"
            else:
                for entry in made[made["problem"] == name].itertuples():
                    table = "cells" if entry.layer else "compounds"
                    yield name, f"<results>/dft/{entry.name}.{table}.parquet", "calculated"
            if problem.verify and problem.verify.gap:
                scale = study.scales[problem.verify.gap.partition(".")[0]]
                for path in (*problem.verify.calibration, f"<results>/data/{scale.dataset}.parquet"):
                    yield name, path, "calibration"

    return _table("problem path use", rows())


def figure_tables(study: Study) -> pd.DataFrame:
    """Tables that the figures of a scale or a design problem are drawn from."""
    paths = {
        (subject, path)
        for subject, kind in figures.available(study)
        for files in figures.needs(study, subject, kind).values()
        for path in files
    }
    return _table("subject path", ((subject, f"<results>/{path}") for subject, path in sorted(paths)))
