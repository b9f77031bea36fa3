"""Paths between two named materials of a design problem, with predictions of the judges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.design.judging import judge_materials
from nestmat.design.problem import Design
from nestmat.design.spaces import named_materials
from nestmat.search.candidate_table import candidate_schema, prediction_columns
from nestmat.search.interpolation import interpolate

MEASURES: tables.Schema = {
    "path": tables.Column("string", description="line, slerp or mixing"),
    "measure": tables.Column("string"),
    "quantity": tables.Column("string", description="empty where it is about the composition"),
    "value": tables.Column("float64"),
}


def interpolate_materials(design: Design, points: str | Path, measures: str | Path) -> None:
    """Follow paths from one material to another, with predictions of the judges along them.

    Args:
        design: The problem with the searched members; judges are trained on what their fold held out.
        points: Table to write: `nestmat.search.interpolation.Interpolation.points` with formulas, and mean
            and standard deviation of each quantity by each judge.
        measures: Table to write, `MEASURES`.

    Raises:
        InputError: As `named_materials`, and as `nestmat.search.interpolation.interpolate`.
    """
    config = design.config.interpolate
    assert config is not None
    first, last = named_materials(config.between, design.space)
    paths = interpolate(design.problem, first, last, config.steps)
    x = paths.points[list(design.space.columns)].to_numpy(np.float64)
    frame = paths.points.assign(formula=design.space.formulas(x))
    if design.config.judges:
        for judge, predicted in judge_materials(design, frame).items():
            frame = pd.concat([frame, pd.DataFrame(prediction_columns(predicted, judge))], axis=1)
    schema = candidate_schema(frame.columns, design.units)
    schema |= {"path": MEASURES["path"], "step": tables.Column("int32")}
    facts = {"problem": design.name, "between": list(config.between)}
    tables.write(points, frame, schema, facts)
    tables.write(measures, paths.measures, MEASURES, facts)
