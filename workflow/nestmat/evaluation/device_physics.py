"""Device physics: a chain's predictions of compounds that it was not trained on, against the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.datasets import EFFICIENCY, DatasetSpec
from nestmat.config.features import FeatureBlock
from nestmat.errors import InputError
from nestmat.features.chain import featurize_chain
from nestmat.features.table import Featurized
from nestmat.physics.detailed_balance import limit
from nestmat.physics.devices import PROCESS_RANGES, efficiency, gap_curves
from nestmat.physics.perovskite_devices import calculated_gaps
from nestmat.scales.chain import predict_chain

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator

UNITS: Mapping[str, str] = {
    "thickness": "nm",
    "diffusion_length": "nm",
    "front_velocity": "cm/s",
    "back_velocity": "cm/s",
    "radiative_efficiency": "",
    "strain": "",
}
"""What a device is varied in, with the unit of ``x`` in `DEVICE_PHYSICS`."""
EXAMPLE_GAPS = (0.9, 2.5)
"""Gaps in eV between which example compounds are chosen: those of useful solar cells."""
CURVE = 200
"""Points of the continuous curve over the gap."""

DEVICE_PHYSICS: tables.Schema = {
    "formula": tables.Column("string", description="empty for the curve, which is of no compound"),
    "material": tables.Column("string", role="key", description="canonical key of the composition"),
    "fold": tables.Column("int32", description="fold that held the compound out; its members predict"),
    "kind": tables.Column(
        "string",
        description=(
            "curve and gap: devices at the middle of all process ranges and no strain, of any gap and of the "
            "compounds; device: rows of the data set; else the variable that runs, all others as for gap"
        ),
    ),
    "x": tables.Column("float64", description="the gap, or the variable that runs, in `unit`"),
    "unit": tables.Column("string", description="unit of x"),
    "true": tables.Column(
        "float64",
        unit="%",
        description="efficiency by the simulator; of a device that of the data set, noise included",
    ),
    "mean": tables.Column("float64", unit="%", description="predicted efficiency"),
    "std": tables.Column("float64", unit="%", description="predicted standard deviation"),
    "limit": tables.Column("float64", unit="%", description="detailed-balance limit of the gap"),
}


def middle_process() -> dict[str, float]:
    """The process at the middle of all ranges on their logarithmic axes, as the simulator's columns."""
    return {f"log_{name}": float(np.log10(ends).mean()) for name, ends in PROCESS_RANGES.items()}


def example_compounds(gaps: pd.Series, count: int) -> list[str]:
    """Compounds at the middles of equal shares of those whose gap is within `EXAMPLE_GAPS`.

    Args:
        gaps: Gap in eV by formula.
        count: How many to choose; fewer where there are not as many.
    """
    low, high = EXAMPLE_GAPS
    ordered = gaps[gaps.between(low, high)].sort_index().sort_values(kind="stable")
    count = min(count, len(ordered))
    return [str(ordered.index[int((k + 0.5) / count * len(ordered))]) for k in range(count)]


def devices_along(
    compounds: pd.DataFrame,
    curves: Mapping[str, PchipInterpolator],
    variables: list[str],
    *,
    strain: float,
    points: int,
    count: int,
) -> pd.DataFrame:
    """Devices of all compounds at the middle process without strain, then of examples along each variable.

    Args:
        compounds: With the columns formula, material and fold, one row a compound.
        curves: Gap over strain by formula.
        variables: Keys of `UNITS` that run.
        strain: Largest strain of either sign.
        points: Devices along a variable.
        count: Number of example compounds.

    Returns:
        The columns of ``compounds``, kind, x and unit as in `DEVICE_PHYSICS`, the inputs of the simulator,
        and the number of the row as row_id and row.
    """
    unstrained = compounds.assign(kind="gap", unit="eV", strain=0.0, **middle_process())
    unstrained["gap"] = unstrained["x"] = [float(curves[formula](0.0)) for formula in compounds["formula"]]
    formulas = example_compounds(unstrained.set_index("formula")["gap"], count)
    examples = unstrained.set_index("formula", drop=False).loc[formulas]
    parts = [unstrained]
    for variable in variables:
        part = examples.loc[examples.index.repeat(points)].assign(kind=variable, unit=UNITS[variable])
        if variable == "strain":
            x = np.tile(np.linspace(-strain, strain, points), len(examples))
            pairs = zip(part["formula"], x, strict=True)
            part = part.assign(x=x, strain=x, gap=[float(curves[formula](at)) for formula, at in pairs])
        else:
            low, high = np.log10(PROCESS_RANGES[variable])
            log = np.tile(np.linspace(low, high, points), len(examples))
            part = part.assign(x=10**log, **{f"log_{variable}": log})
        parts.append(part)
    devices = pd.concat(parts, ignore_index=True)
    return devices.assign(row_id=devices.index, row=devices.index)


@dataclass(frozen=True)
class SimulatedDevices:
    """A scale of simulated devices, and the chain of models that predicts it.

    Attributes:
        scale: Name of the scale.
        weights: Weights of the chain's models in the strict protocol by scale, parents first; each card is
            the file next to them.
        features: Features that each scale of the chain was trained on.
        blocks: Feature blocks of each scale of the chain.
        data: The data set of the scale, read.
        predictions: Predictions of the scale's model in the strict protocol.
        dataset: Its data set, of the generator `perovskite_devices`.
    """

    scale: str
    weights: Mapping[str, str | Path]
    features: Mapping[str, str | Path]
    blocks: Mapping[str, Mapping[str, FeatureBlock]]
    data: str | Path
    predictions: str | Path
    dataset: DatasetSpec


def compare_with_device_physics(
    devices: SimulatedDevices, output: str | Path, *, points: int = 25, compounds: int = 5
) -> pd.DataFrame:
    """Compare the predictions of a chain with the simulator that its devices come from.

    Every prediction is of members that the compound trained at no scale: those of the strict fold that
    validates it.

    Args:
        devices: The scale and its chain.
        output: Table to write, `DEVICE_PHYSICS`.
        points: Devices along each variable.
        compounds: Number of example compounds, of which devices are made along the variables.

    Returns:
        The table.

    Raises:
        InputError: A table is missing or lacks a column, the predictions are of other rows than the features
            and the data set, the reference calculations are not there or have no gap for a compound of the
            data set, or a device has no features.
    """
    assert devices.dataset.generator is not None
    options = devices.dataset.generator.validated_options()
    strain, (low, high) = options["strain"], options["gap_range"]
    headers = {column.header or name: name for name, column in devices.dataset.columns.items()}
    rows = _predicted_rows(devices, headers)
    held_out = rows.drop_duplicates("material")[["formula", "material", "fold"]].sort_values("formula")
    curves = gap_curves(calculated_gaps(), strain)
    if unknown := sorted(set(held_out["formula"]) - set(curves)):
        raise InputError(
            f"Compounds have no calculated gaps up to a strain of {strain}: {', '.join(unknown[:5])}.",
            file=devices.data,
            remedy="make the data set again: its reference calculations have changed.",
        )
    variables = [name for name in UNITS if {name, f"log_{name}"} & set(headers)]
    varied = devices_along(held_out, curves, variables, strain=strain, points=points, count=compounds)
    varied["true"] = efficiency(varied)
    varied[["mean", "std"]] = _predict_efficiency(devices, varied, headers)
    grid = pd.DataFrame({"gap": np.linspace(low, high, CURVE)}).assign(**middle_process())
    curve = grid.assign(
        formula="", material="", fold=-1, kind="curve", x=grid["gap"], unit="eV", true=efficiency(grid)
    )
    frame = pd.concat([curve, varied, rows], ignore_index=True)
    frame = frame.assign(limit=limit(frame["gap"].to_numpy(np.float64)).pce)[list(DEVICE_PHYSICS)]
    facts = {
        "scale": devices.scale,
        "process": middle_process(),
        "strain": strain,
        "options": options,
    }
    tables.write(output, frame, DEVICE_PHYSICS, facts)
    return frame


def _predict_efficiency(
    devices: SimulatedDevices, frame: pd.DataFrame, headers: Mapping[str, str]
) -> np.ndarray:
    """Mean and standard deviation of the efficiency of new devices, (n, 2), by members of their fold.

    Raises:
        InputError: A device has no features.
    """
    columns = {name: frame[header] for header, name in headers.items() if header != EFFICIENCY}
    inputs = featurize_chain(
        frame[["row_id", "row", "formula", "material"]].assign(**columns), devices.blocks, devices.features
    )
    _check_features(inputs, frame, devices.features)
    predicted = np.full((len(frame), 2), np.nan)
    for fold in sorted(set(frame["fold"])):
        index = np.flatnonzero(frame["fold"] == fold)
        rows = {name: table.frame.iloc[index].reset_index(drop=True) for name, table in inputs.items()}
        prediction = predict_chain(devices.weights, rows, fold=fold)[devices.scale]
        predicted[index] = np.column_stack(prediction.targets[headers[EFFICIENCY]])
    return predicted


def _predicted_rows(devices: SimulatedDevices, headers: Mapping[str, str]) -> pd.DataFrame:
    """The data set's rows that have features, each with the prediction of the ensemble that left it out."""
    ensemble: dict[str, Any] = {
        "target": headers[EFFICIENCY],
        "split": "validation",
        "repeat": 0,
        "inner": -1,
        "seed": -1,
    }
    predictions = tables.read(
        devices.predictions, columns=["row_id", "fold", "true", "mean", "std"], **ensemble
    )
    columns = ["row_id", "formula", "material", headers["gap"]]
    rows = tables.read(devices.data, columns=columns).rename(columns={headers["gap"]: "gap"})
    featurized = set(tables.read(devices.features[devices.scale], columns=["row_id"])["row_id"])
    rows = rows.merge(predictions, on="row_id", validate="one_to_one")
    if unmatched := (featurized ^ set(predictions["row_id"])) | (featurized ^ set(rows["row_id"])):
        raise InputError(
            "The predictions are of other rows than the data set and its features: "
            f"{len(unmatched)} rows are not in all three, the first with row_id {min(unmatched)}.",
            file=devices.predictions,
            remedy="delete the file and run again: the data set has changed since.",
        )
    return rows.assign(kind="device", x=rows["gap"], unit="eV")


def _check_features(
    inputs: Mapping[str, Featurized], frame: pd.DataFrame, features: Mapping[str, str | Path]
) -> None:
    for name, table in inputs.items():
        if not table.rejects.empty:
            first = table.rejects.iloc[0]
            raise InputError(
                f"{frame['formula'][first['row']]} has no features at scale {name}: {first['reason']}",
                file=features[name],
                column=first["column"],
                value=first["value"],
            )
