"""Judge the candidates of a design problem: all methods by the same judges, beside two plain baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nestmat import tables
from nestmat.config.study import DatasetSpec
from nestmat.data.registry import resolve
from nestmat.design.judges import Domain, Judge, Judged, gaussian_process, simulated, trees
from nestmat.design.metrics import DESIGN_METRICS, TRAINING, UNIFORM, assess
from nestmat.design.problem import (
    Design,
    candidate_schema,
    candidate_table,
    distance_to_training,
    shares_of,
    training_formulas,
    training_rows,
)
from nestmat.errors import InputError
from nestmat.materials.formulas import parse_many
from nestmat.materials.perovskites import OCTAHEDRAL_WINDOW, TAU_LIMIT, TOLERANCE_WINDOW
from nestmat.search.problem import Problem, Quantities, order
from nestmat.search.spaces.product import Choice, Product
from nestmat.search.spaces.simplex import Simplex

JUDGES = ("trees", "gaussian_process", "physics")
"""Judges beside the searched model, in the order of tables and figures."""
WINDOWS = {
    "tolerance_factor": TOLERANCE_WINDOW,
    "octahedral_factor": OCTAHEDRAL_WINDOW,
    "tau": (-np.inf, TAU_LIMIT),
}
DRAWN = 100
"""Values of variables without a grid that are tried for each training material."""


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
    given, space, problem = design.given, design.space, design.problem
    best = trained_on(design)
    found = {
        UNIFORM: space.canonical(space.sample(given.proposals * given.seeds, seed=0)),
        TRAINING: best[order(problem.evaluate(best))[: given.proposals]],
    }
    parts = [tables.read(path) for path in candidates]
    for baseline, x in found.items():
        part = candidate_table(problem, x, problem.evaluate(x))
        parts.append(part.assign(method=baseline, seed=0, rank=np.arange(1, len(part) + 1)))
    frame = described(design, pd.concat(parts, ignore_index=True))
    for judge, says in judgements(design, data, frame).items():
        frame = pd.concat([frame, _verdict(design, judge, says, frame)], axis=1)
    facts = {"problem": design.name}
    tables.write(judged, frame, candidate_schema(design, frame.columns), facts)
    measured = assess(
        frame,
        pd.concat([tables.read(path) for path in runs], ignore_index=True),
        space,
        judges=[judge for judge in JUDGES if f"{judge}.hit" in frame],
        targets={target: design.units[target.quantity] for target in problem.targets},
        windows={key: window for key, window in WINDOWS.items() if f"{key}.mean" in frame},
    )
    tables.write(metrics, measured, DESIGN_METRICS, facts)


def described(design: Design, frame: pd.DataFrame) -> pd.DataFrame:
    """Candidates with their distance to what was trained on, and whether a model has seen their like.

    Both are of the finest scale that predicts: ``novelty`` (0 to 1; of the composition, or, where the space
    has none, of all its numbers), ``log_density`` and ``in_domain``.
    """
    x = torch.from_numpy(frame[list(design.space.columns)].to_numpy(np.float64))
    scale = design.scales[0]
    if design.space.shares:
        novelty = distance_to_training(scale, design.space, design.members)(x)[0].numpy()
    else:
        known = _known_numbers(design)
        novelty = np.array([design.space.distance(known, row).min() for row in x.numpy()])
    feature_map = design.surrogate.maps[scale]
    domain = Domain(training_rows(scale, design.members, feature_map.columns).to_numpy(np.float64))
    density = domain.log_density(feature_map(x).numpy())
    return frame.assign(novelty=novelty, log_density=density, in_domain=density >= domain.threshold)


def trained_on(design: Design) -> NDArray[np.float64]:
    """Materials of the space that the finest scale was trained on, with all values of its variables.

    Returns:
        (n, columns); where variables have no grid, or a large one, `DRAWN` values of them are drawn. Of a
        space without composition they are the training rows.
    """
    space = design.space
    if not space.shares:
        return _inside(space, _known_numbers(design))
    shares = shares_of(training_formulas(design.scales[0], design.members), space)
    sites = space.shares
    sums = [np.sum([shares[column] for column in site.columns], axis=0) for site in sites]
    inside = np.isclose(sums, 1).all(axis=0)
    known = pd.DataFrame({column: values[inside] for column, values in shares.items()})
    others = [factor for factor in space.factors if not isinstance(factor, Simplex)]
    for factor in others:
        count = factor.count
        if count is None or count > DRAWN:
            values = factor.sample(DRAWN, np.random.default_rng(0))
        else:
            values = factor.points(np.arange(count))
        known = known.merge(pd.DataFrame(values, columns=list(factor.columns)), how="cross")
    return _inside(space, known[list(space.columns)].to_numpy(np.float64))


def _known_numbers(design: Design) -> NDArray[np.float64]:
    """Numbers of the space of the rows that the finest scale was trained on, (n, columns)."""
    rows = training_rows(design.scales[0], design.members, design.space.columns)
    return rows.to_numpy(np.float64)


def _inside(space: Product, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Materials (n, columns) in their one form, without those off the grid or outside the limits."""
    return space.canonical(x[np.isclose(Product.canonical(space, x), x).all(axis=1)])


def fitted_judges(design: Design, data: Mapping[str, str | Path]) -> dict[str, Judge]:
    """The judges that learn, by name, trained on what the searched members have not seen.

    Args:
        design: The problem with the searched members.
        data: Data set of each scale that predicts, read.
    """
    given = design.given.judges
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
    study, members, given = design.study, design.members, design.given
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


def problem_of_trees(design: Design, data: Mapping[str, str | Path]) -> Problem:
    """The problem with the trees that judge as its predictor, which has no gradients.

    Args:
        design: The problem with the searched members.
        data: Data set of each scale that predicts, read.
    """
    given = design.given.judges
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
    given, study = design.given, design.study
    assert given.judges is not None
    table = _rows(frame, design.space)
    found = {name: judge.predict(table) for name, judge in fitted_judges(design, data).items()}
    if given.judges.physics:
        spec = resolve(study.datasets[study.scales[given.scale].dataset])
        quantity = f"{given.scale}.{study.simulated(given.scale)}"
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
    columns = {
        f"{key}.{what}": values
        for key, pair in says.items()
        for what, values in zip(("mean", "std"), pair, strict=True)
    }
    columns |= {key: table[key].to_numpy() for key in ("distance", "violation", "hit")}
    return pd.DataFrame({f"{judge}.{key}": values for key, values in columns.items()})
