"""What the reference set holds and how good it is, as text for its README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from nestmat import tables
from nestmat.data import registry
from nestmat.dft import published_checks
from nestmat.dft.reference_set import convergence_errors
from nestmat.physics.calculations import PEROVSKITES, with_reference_settings


def summary(folder: str | Path, published_gaps: pd.DataFrame | None = None) -> str:
    """Numbers of calculations and failures, convergence, and published values with ours, in Markdown.

    Args:
        folder: Folder with ``calculations.parquet`` and ``compounds.parquet``.
        published_gaps: The data set ``perovskites_pbe`` as `nestmat.data.reading.read` gives it.

    Raises:
        InputError: A table is missing.
    """
    calculations = tables.read(Path(folder) / "calculations.parquet", sealed=False)
    compounds = tables.read(Path(folder) / "compounds.parquet", sealed=False)
    parts = [
        "### Contents",
        _contents(calculations, compounds),
        "### Convergence",
        _convergence(convergence_errors(calculations)),
        "### Lattice constants beside published ones",
        _lattices(pd.concat([compounds, _binaries(calculations)])),
    ]
    if published_gaps is not None:
        gaps = published_checks.against_cubic_rows(compounds, published_gaps)
        parts += ["### Gaps beside published ones", _gaps(gaps)]
    return "\n\n".join(parts) + "\n"


def _table(frame: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> str:
    """Rows of a frame; columns are heading = name in the frame and format."""
    cells = [[format(value, form) for value in frame[name]] for name, form in columns.values()]
    lines = [list(columns), ["---"] * len(columns), *zip(*cells, strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _contents(calculations: pd.DataFrame, compounds: pd.DataFrame) -> str:
    fitted = compounds["formula"] + " " + compounds["prototype"]
    perovskites = ("ternaries", "ordered alloys")
    kinds = {
        "ternaries": with_reference_settings(calculations[calculations["prototype"] == "perovskite"]),
        "ordered alloys": with_reference_settings(
            calculations[calculations["prototype"] == "ordered_perovskite"]
        ),
        "binary halides": calculations[~calculations["prototype"].isin(PEROVSKITES)],
    }
    kinds["tests of convergence"] = calculations.drop(pd.concat(kinds.values()).index)
    rows = [
        {
            "set": name,
            "structures": part["structure"].nunique(),
            # Curves through binaries and tests have no rows of their own: they are fitted where needed.
            "fitted": str(fitted.isin(part["structure"]).sum()) if name in perovskites else "",
            "calculations": len(part),
            "converged": (part["status"] == "converged").sum(),
            "hours": part["seconds"].sum() / 3600,
        }
        for name, part in kinds.items()
    ]
    columns = {
        "set": ("set", ""),
        "structures": ("structures", "d"),
        "equations of state": ("fitted", ""),
        "calculations": ("calculations", "d"),
        "converged": ("converged", "d"),
        "hours on one core": ("hours", ".2f"),
    }
    text = _table(pd.DataFrame(rows), columns)
    failed = calculations[calculations["status"] == "failed"]
    if failed.empty:
        return text
    reasons = {"failed": ("structure", ""), "scale": ("scale", ".4f"), "message": ("message", "")}
    return text + "\n\n" + _table(failed, reasons)


def _convergence(errors: pd.DataFrame) -> str:
    if errors.empty:
        return "Not tested."
    cutoff = errors["cutoff"].map("{:.0f} eV".format)
    shown = errors.assign(
        setting=errors["kpoints"].where(errors["change"] == "mesh", cutoff), lattice=100 * errors["lattice"]
    )
    columns = {
        "compound": ("formula", ""),
        "finer setting": ("setting", ""),
        "largest change of the gap at one volume, eV": ("gap", ".4f"),
        "at the own minimum, eV": ("gap_at_minimum", "+.4f"),
        "change of the lattice constant, %": ("lattice", "+.3f"),
    }
    return _table(shown, columns)


def _binaries(calculations: pd.DataFrame) -> pd.DataFrame:
    """The lattice constant of each cubic binary halide with the cutoff of its elements."""
    rows = with_reference_settings(calculations[~calculations["prototype"].isin(PEROVSKITES)]).dropna(
        subset="strain"
    )
    rows = rows.assign(lattice=rows["lattice"] / (1 + rows["strain"])).drop_duplicates("structure")
    return rows[["formula", "prototype", "lattice"]]


def _lattices(compounds: pd.DataFrame) -> str:
    pairs = published_checks.against_published(compounds, published_checks.load())
    pairs = pairs[pairs["quantity"] == "lattice"]
    columns = {
        "compound": ("formula", ""),
        "ours, Å": ("ours", ".3f"),
        "published, Å": ("published", ".3f"),
        "difference, %": ("relative", "+.2f"),
    }
    text = _table(pairs.assign(relative=100 * pairs["difference"] / pairs["published"]), columns)
    return text + "\n\nPublished: " + "; ".join(pairs["source"].unique()) + "."


def _gaps(gaps: pd.DataFrame) -> str:
    difference = gaps["gap_difference"]
    columns = {
        "compound": ("formula", ""),
        "ours, eV": ("gap", ".2f"),
        "published, eV": ("gap_published", ".2f"),
        "difference, eV": ("gap_difference", "+.2f"),
    }
    source = registry.resolve("perovskites_pbe")
    return (
        f"{len(gaps)} compounds; mean absolute difference {difference.abs().mean():.3f} eV, mean "
        f"{difference.mean():+.3f} eV, largest {difference.abs().max():.2f} eV. Each crystal has the lattice "
        f"constant of its own calculation, ours and the published one.\n\n{_table(gaps, columns)}\n\n"
        f"Published: {source.citation}, doi:{source.doi}."
    )
