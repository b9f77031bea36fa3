"""What the reference set holds and how good it is, as text for its README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nestmat import tables
from nestmat.physics import checks
from nestmat.physics.reference import PEROVSKITES, branch, convergence_errors, standard


def summary(folder: str | Path, published_gaps: pd.DataFrame | None = None) -> str:
    """Numbers of calculations and failures, convergence, and published values beside ours, in Markdown.

    Args:
        folder: Folder with ``calculations.parquet`` and ``compounds.parquet``.
        published_gaps: The data set ``perovskites_pbe`` as `nestmat.data.readers.read` gives it.

    Raises:
        InputError: A table is missing.
    """
    calculations = tables.read(Path(folder) / "calculations.parquet")
    compounds = tables.read(Path(folder) / "compounds.parquet")
    parts = [
        "### Contents",
        _contents(calculations, compounds),
        "### Convergence",
        _convergence(convergence_errors(calculations)),
        "### Lattice constants beside published ones",
        _lattices(pd.concat([compounds, _binaries(calculations)])),
    ]
    if published_gaps is not None:
        gaps = checks.against_cubic_rows(compounds, published_gaps)
        parts += ["### Gaps beside published ones", _gaps(gaps)]
    return "\n\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _contents(calculations: pd.DataFrame, compounds: pd.DataFrame) -> str:
    kinds = {
        "ternaries": standard(calculations[calculations["prototype"] == "perovskite"]),
        "ordered alloys": standard(calculations[calculations["prototype"] == "ordered_perovskite"]),
        "binary halides": calculations[~calculations["prototype"].isin(PEROVSKITES)],
    }
    kinds["convergence"] = calculations.drop(index=[i for part in kinds.values() for i in part.index])
    rows = []
    for name, part in kinds.items():
        good = part["status"] == "converged"
        fitted = compounds["formula"].isin(part["formula"]).sum() if "halides" not in name else "-"
        rows.append(
            (
                name,
                part["structure"].nunique(),
                fitted if name != "convergence" else "-",
                len(part),
                f"{100 * good.mean():.1f} %" if len(part) else "-",
                f"{part['seconds'].sum() / 3600:.2f}",
            )
        )
    header = (
        "set",
        "structures",
        "with an equation of state",
        "calculations",
        "converged",
        "hours on one core",
    )
    text = _table(header, rows)
    failed = calculations[calculations["status"] == "failed"]
    if failed.empty:
        return text
    reasons = [(row.structure, f"{row.scale:.4f}", row.message) for row in failed.itertuples()]
    return text + "\n\n" + _table(("failed", "scale", "message"), reasons)


def _convergence(errors: pd.DataFrame) -> str:
    rows = [
        (
            row.formula,
            f"{row.cutoff:.0f} eV" if row.change == "cutoff" else row.kpoints,
            f"{row.gap:.4f}",
            f"{100 * row.lattice:+.3f}",
        )
        for row in errors.itertuples()
    ]
    header = (
        "compound",
        "finer setting",
        "largest change of the gap, eV",
        "change of the lattice constant, %",
    )
    return _table(header, rows)


def _binaries(calculations: pd.DataFrame) -> pd.DataFrame:
    """The lattice constant of each binary halide: that of the volume of lowest energy."""
    rows = calculations[~calculations["prototype"].isin(PEROVSKITES)]
    lowest = [branch(part).nsmallest(1, "energy") for _, part in rows.groupby("structure", sort=False)]
    return pd.concat(lowest)[["formula", "prototype", "lattice"]] if lowest else rows


def _lattices(compounds: pd.DataFrame) -> str:
    both = checks.against_published(compounds, checks.load())
    both = both[both["quantity"] == "lattice"]
    rows = [
        (
            row.formula,
            f"{row.ours:.3f}",
            f"{row.published:.3f}",
            f"{100 * row.difference / row.published:+.2f}",
        )
        for row in both.itertuples()
    ]
    text = _table(("compound", "ours, Å", "published, Å", "difference, %"), rows)
    return text + "\n\nPublished: " + "; ".join(both["source"].unique()) + "."


def _gaps(gaps: pd.DataFrame) -> str:
    difference = gaps["gap_difference"]
    rows = [
        (row.formula, f"{row.gap:.2f}", f"{row.gap_published:.2f}", f"{row.gap_difference:+.2f}")
        for row in gaps.itertuples()
    ]
    return (
        f"{len(gaps)} compounds; mean absolute difference {difference.abs().mean():.3f} eV, mean "
        f"{difference.mean():+.3f} eV, largest {difference.abs().max():.2f} eV.\n\n"
        + _table(("compound", "ours, eV", "published, eV", "difference, eV"), rows)
    )
