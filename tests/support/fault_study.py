"""A study of seconds with two scales, a search and a screening, for tests of faults."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from support.running import write_study

SITES = {"A": ["K", "Rb", "Cs"], "B": ["Ge", "Sn", "Pb"], "X": ["Cl", "Br", "I"]}
STUDY = "faults"
TARGETS = ("all", f"results/{STUDY}/search/absorbers/screened.parquet")


def absorbers() -> pd.DataFrame:
    """A gap of each compound, and the efficiency of cells of several thicknesses of it."""
    rng = np.random.default_rng(0)
    rows = []
    for a, b, x in product(*SITES.values()):
        gap = 1.0 + 0.1 * SITES["A"].index(a) - 0.3 * SITES["B"].index(b) + 0.4 * (2 - SITES["X"].index(x))
        for thickness in (2.0, 3.0):
            noise = rng.normal(0, 0.05, 2)
            efficiency = 25 - 8 * (gap - 1.3) ** 2 + 2 * thickness
            rows.append((f"{a}{b}{x}3", thickness, gap + noise[0], efficiency + noise[1]))
    return pd.DataFrame(rows, columns=["formula", "log_thickness", "gap", "efficiency"])


def fault_study() -> dict:
    """The study, as its YAML file holds it; its table is `absorbers`, in ``absorbers.csv``."""
    columns = {
        "log_thickness": {"unit": "log10 nm"},
        "gap": {"unit": "eV", "label": True},
        "efficiency": {"unit": "%", "label": True},
    }

    def scale(target: str, inputs: list[str], features: dict, **more: object) -> dict:
        network = {
            "inputs": inputs,
            "encoder": {"latents": 2, "hidden": [8]},
            "heads": {target: {"hidden": [8]}},
            "training": {"epochs": 3, "seeds": 2, "learning_rate": 0.01},
        }
        return {
            "dataset": "absorbers",
            "targets": [target],
            "features": features,
            "splits": {"halves": {"kind": "shared", "folds": 2}},
            "models": {"nested": {"specification": network}},
            "baselines": {"ridge": {"kind": "ridge", "inputs": list(features), "protocols": ["strict"]}},
            "recommended": {"stack": ["nested", "ridge"], "weights": "equal"},
            **more,
        }

    problem = {
        "title": "Absorbers",
        "question": "Which absorber is best?",
        "scale": "cell",
        "model": "nested",
        "protocol": "halves",
        "space": {
            "sites": {site: {"species": names, "grid": 2, "most": 2} for site, names in SITES.items()},
            "variables": {"log_thickness": {"between": [2.0, 3.0], "grid": 3}},
        },
        "targets": [{"quantity": "cell.efficiency", "goal": "maximise", "enough": 20}],
        "constraints": [{"quantity": "crystal.gap", "low": 0.5, "high": 2.5, "tolerance": 0.1}],
        "methods": {"random": {"kind": "random"}, "genetic": {"kind": "genetic"}},
        "budget": 200,
        "seeds": 2,
        "proposals": 10,
        "judges": {"trees": {"features": {"A": {"site": "A"}, "B": {"site": "B"}}, "trees": 10}},
        "shortlist": {"method": "genetic", "top": 5},
        "screen": {"chunks": 2, "keep": 20, "sample": 20},
    }
    return {
        "study": STUDY,
        "title": "Faults",
        "question": "What is left after an accident?",
        "tracking": "off",
        "datasets": {
            "absorbers": {
                "title": "Absorbers",
                "file": "absorbers.csv",
                "formula": "formula",
                "columns": columns,
            }
        },
        "strict": {"folds": 2},
        "scales": {
            "crystal": scale("gap", ["ions"], {"ions": {"site_descriptors": ["A", "B", "X"]}}),
            "cell": scale(
                "efficiency",
                ["crystal", "process"],
                {"process": {"columns": ["log_thickness"]}},
                parents=["crystal"],
            ),
        },
        "search": {"absorbers": problem},
    }


def write_inputs(folder: Path, **changes: object) -> Path:
    """Write study and table into a folder, with other keys of the study where there are some."""
    folder.mkdir(parents=True, exist_ok=True)
    absorbers().to_csv(folder / "absorbers.csv", index=False)
    write_study(folder, fault_study() | changes)
    return folder
