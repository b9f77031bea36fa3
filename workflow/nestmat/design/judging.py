"""Judge the candidates of a design problem: all methods by the same judges, beside two plain baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from nestmat import tables
from nestmat.config.datasets import DatasetSpec
from nestmat.data.registry import resolve
from nestmat.design.candidates import candidate_table
from nestmat.design.domain import WINDOWS, training_designs, with_novelty_and_domain
from nestmat.design.judges import Judge, Judged, gaussian_process, simulated, trees
from nestmat.design.metrics import DESIGN_METRICS, TRAINING, UNIFORM, assess
from nestmat.design.problem import Design
from nestmat.errors import InputError
from nestmat.materials.formulas import parse_many
from nestmat.search.candidate_table import (
    VERDICTS,
    CandidateTable,
    candidate_schema,
    prediction_columns,
    verdict_column,
)
from nestmat.search.problem import Problem, Quantities, order
from nestmat.search.spaces.factors import Choice
from nestmat.search.spaces.product import Product
from nestmat.search.spaces.simplex import Simplex

JUDGES = ("trees", "gaussian_process", "physics")
"""Judges beside the searched model, in the order of tables and figures."""


def judge_candidates(
    design: Design,
    data: Mapping[str, str | Path],
    candidates: Sequence[str | Path],
    runs: Sequence[str | Path],
    judged: str | Path,
    metrics: str | Path,
) -> None:
    """Judge what all methods propose for a problem.

    Args:
        design: The problem with the searched members; judges are trained on what their fold held out.
        data: Data set of each scale that predicts, read.
        candidates: Candidates of each method.
        runs: Records of their searches, in the same order.
        judged: Table to write: the candidates with what the judges say of them.
        metrics: Table to write, `DESIGN_METRICS`.

    Raises:
        InputError: A table is missing, or a judge cannot be trained.
    """
    given, space, problem = design.config, design.space, design.problem
    best = training_designs(design)
    found = {
        UNIFORM: space.canonical(space.sample(given.proposals * given.seeds, seed=0)),
        TRAINING: best[order(problem.evaluate(best))[: given.proposals]],
    }
    parts = [tables.read(path) for path in candidates]
    for baseline, x in found.items():
        part = candidate_table(problem, x, problem.evaluate(x))
        parts.append(part.assign(method=baseline, seed=0, rank=np.arange(1, len(part) + 1)))
    frame = with_novelty_and_domain(design, pd.concat(parts, ignore_index=True))
    for judge, says in judgements(design, data, frame).items():
        frame = pd.concat([frame, _verdict(design, judge, says, frame)], axis=1)
    facts = {"problem": design.name}
    tables.write(judged, frame, candidate_schema(frame.columns, design.units), facts)
    measured = assess(
        frame,
        pd.concat([tables.read(path) for path in runs], ignore_index=True),
        space,
        judges=[judge for judge in JUDGES if judge in CandidateTable(frame).judges],
        targets={target: design.units[target.quantity] for target in problem.targets},
        windows={key: window for key, window in WINDOWS.items() if CandidateTable(frame).predicts(key)},
    )
    tables.write(metrics, measured, DESIGN_METRICS, facts)


def fitted_judges(design: Design, data: Mapping[str, str | Path]) -> dict[str, Judge]:
    """The judges that learn, by name, trained on what the searched members have not seen.

    Args:
        design: The problem with the searched members.
        data: Data set of each scale that predicts, read.
    """
    given = design.config.judges
    assert given is not None
    found = {}
    if given.trees:
        found["trees"] = Judge(given.trees.features, trees(given.trees.trees))
    if process := given.gaussian_process:
        found["gaussian_process"] = Judge(process.features, gaussian_process(process.nu, process.rows))
    for judge in found.values():
        _fit(judge, design, data)
    return found


def _fit(judge: Judge, design: Design, data: Mapping[str, str | Path]) -> None:
    study, members, given = design.study, design.members, design.config
    stems = study.chain(given.scale, given.model, members.protocol)
    for name in design.scales:
        scale = study.scales[name]
        heads = scale.models[stems[name].rpartition("/")[2]].specification.heads
        judge.fit(
            name,
            data[name],
            members.features[name],
            members.folds[name],
            targets={target: heads[target].floor if target in heads else None for target in scale.targets},
            protocol=members.protocol,
            fold=members.fold,
        )


def tree_surrogate_problem(design: Design, data: Mapping[str, str | Path]) -> Problem:
    """The problem with the trees that judge as its predictor, which has no gradients.

    Args:
        design: The problem with the searched members.
        data: Data set of each scale that predicts, read.
    """
    given = design.config.judges
    assert given is not None
    assert given.trees is not None
    judge = Judge(given.trees.features, trees(given.trees.trees))
    _fit(judge, design, data)

    def predict(x: torch.Tensor) -> Quantities:
        if x.requires_grad:
            raise InputError(
                "has no gradient where trees predict.",
                column="predictor",
                remedy="search it with ranking, genetic, random or vae, or with nsga and seeded: 0.",
            )
        numbers = pd.DataFrame(x.numpy(), columns=list(design.space.columns))
        rows = _rows(numbers.assign(formula=design.space.formulas(x.numpy())), design.space)
        says = {
            key: (torch.from_numpy(mean), torch.from_numpy(std))
            for key, (mean, std) in judge.predict(rows).items()
        }
        return design.surrogate.derive(x, {**design.surrogate(x), **says})

    return dataclasses.replace(design.problem, predict=predict)


def judgements(design: Design, data: Mapping[str, str | Path], frame: pd.DataFrame) -> dict[str, Judged]:
    """What each judge says of materials, by judge.

    Args:
        design: The problem with the searched members.
        data: Data set of each scale that predicts, read.
        frame: Formula and numbers of the materials.
    """
    given, study = design.config, design.study
    assert given.judges is not None
    table = _rows(frame, design.space)
    found = {name: judge.predict(table) for name, judge in fitted_judges(design, data).items()}
    if given.judges.physics:
        spec = resolve(study.datasets[study.scales[given.scale].dataset])
        quantity = f"{given.scale}.{study.efficiency_column(given.scale)}"
        gap = found["trees"][given.judges.physics.gap][0]
        pce = simulated(table, gap, _headers(spec, design.space))
        found["physics"] = {**found["trees"], quantity: (pce, np.full_like(pce, np.nan))}
    return found


def _headers(spec: DatasetSpec, space: Product) -> dict[str, str]:
    found = {column.header or name: name for name, column in spec.columns.items()}
    if lacking := sorted({n for n in found.values() if n.startswith("log_")} - set(space.columns)):
        raise InputError(
            "is a variable of the devices that the design space lacks.",
            column="space.variables",
            value=lacking[0],
            remedy="give it a value there.",
        )
    return found


def _rows(frame: pd.DataFrame, space: Product) -> pd.DataFrame:
    """Candidates as rows of a data set: formula, material, numbers, and levels as categories."""
    formulas = frame["formula"].tolist() if space.shares else [""] * len(frame)
    parsed = parse_many(formulas).formulas
    numbers = {c: frame[c] for f in space.factors if not isinstance(f, Simplex | Choice) for c in f.columns}
    levels = {
        factor.columns[0].partition("=")[0]: [
            factor.columns[k].partition("=")[2] for k in frame[list(factor.columns)].to_numpy().argmax(axis=1)
        ]
        for factor in space.factors
        if isinstance(factor, Choice)
    }
    count = np.arange(len(frame))
    return pd.DataFrame(
        {
            "row_id": count,
            "row": count + 1,
            "formula": formulas,
            "material": [formula.key if formula else f"row {k}" for k, formula in enumerate(parsed)],
            **numbers,
            **levels,
        }
    )


def _verdict(design: Design, judge: str, says: Judged, frame: pd.DataFrame) -> pd.DataFrame:
    """What the problem makes of a judge's quantities; the judge's mean counts as exact."""
    x = torch.from_numpy(frame[list(design.space.columns)].to_numpy(np.float64))
    exact = torch.full((len(x),), torch.nan)
    with torch.no_grad():
        theirs = {key: (torch.from_numpy(mean), exact) for key, (mean, _) in says.items()}
        found = design.surrogate.derive(x, {**design.surrogate(x), **theirs})
    bounded = [constraint for constraint in design.problem.constraints if constraint.of == "mean"]
    table = dataclasses.replace(design.problem, constraints=bounded).assess(found)
    verdicts = {verdict_column(name, judge): table[name].to_numpy() for name in VERDICTS}
    return pd.DataFrame({**prediction_columns(says, judge), **verdicts})
