"""The quantities of a design problem: what each is, and in which unit."""

from __future__ import annotations

from nestmat.config.datasets import ColumnSpec
from nestmat.config.problems import Quantity
from nestmat.config.study import Study
from nestmat.data.registry import resolve

CRITERIA = {
    "tolerance_factor": ColumnSpec(description="tolerance factor"),
    "octahedral_factor": ColumnSpec(description="octahedral factor"),
    "tau": ColumnSpec(description="tolerance factor tau"),
}


def quantity_columns(study: Study, name: str) -> dict[str, ColumnSpec]:
    """Unit and description of every quantity of a problem, by name: ``<scale>.<target>`` and the others."""
    problem = study.search[name]
    columns = dict(CRITERIA)
    for scale in study.lineage(problem.scale):
        spec = resolve(study.datasets[study.scales[scale].dataset])
        columns |= {f"{scale}.{t}": spec.columns.get(t, ColumnSpec()) for t in study.scales[scale].targets}
    return columns | {key: _extra(key, quantity) for key, quantity in problem.quantities.items()}


def _extra(key: str, quantity: Quantity) -> ColumnSpec:
    if quantity.detailed_balance:
        return ColumnSpec(unit="%", description="limit of detailed balance")
    if quantity.perovskite:
        return ColumnSpec(description="probability of a perovskite")
    if quantity.training_distance:
        return ColumnSpec(description="distance to the nearest training material")
    if quantity.domain:
        return ColumnSpec(description="verdict on the domain, 0 inside to 2 outside")
    return ColumnSpec(description=key.replace("_", " "))


def variable_columns(study: Study, name: str) -> dict[str, ColumnSpec]:
    """Unit and description of the variables of a problem's space, as the data sets of its chain have them."""
    problem = study.search[name]
    columns = {variable: ColumnSpec() for variable in problem.space.variables}
    for scale in study.lineage(problem.scale):
        declared = resolve(study.datasets[study.scales[scale].dataset]).columns
        columns |= {variable: declared[variable] for variable in columns if variable in declared}
    return columns
