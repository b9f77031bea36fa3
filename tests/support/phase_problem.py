"""A study that searches single-phase alloys, with judged candidates, metrics and results of its methods."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat import tables
from nestmat.config.loading import study_from
from nestmat.design.candidates import RUNS
from nestmat.design.interpolation import MEASURES
from nestmat.design.metrics import DESIGN_METRICS, assess
from nestmat.design.reach import UNMET
from nestmat.design.spaces import design_space, named_materials
from nestmat.figures import drawing
from nestmat.labels.problems import PATHS, DesignLabels
from nestmat.search.problem import Target

PHASE_ELEMENTS = [
    "Al",
    "Co",
    "Cr",
    "Fe",
    "Hf",
    "Mo",
    "Nb",
    "Ni",
    "Ti",
    "W",
    "Zr",
    "V",
    "Ta",
    "Mn",
    "Cu",
    "Si",
    "Re",
]

PHASE_QUANTITY = "phase.single"

PHASE_METHODS = {
    "decode": {"kind": "decode", "title": "Decoded prior", "samples": 40},
    "sure": {"kind": "decode", "title": "Filtered", "samples": 50, "near": 0.1, "accept": 0.9},
    "scan": {"kind": "scan", "title": "Scan", "seeds": 1, "points": 2},
    "inversion": {"kind": "inversion", "title": "Inversion"},
    "short": {"kind": "inversion", "title": "Short way", "within": 0.25, "accept": 0.8},
    "gradient": {"kind": "gradient", "title": "Gradient"},
}

PHASE_HITS = {"decode": 0.5, "sure": 0.95, "scan": 0.5, "inversion": 0.7, "short": 0.8, "gradient": 0.1}
"""Share of the candidates of each method that the trees call single-phase."""

PHASE_DETAILS = {
    "decode": {"sampled": 40, "inside": 8, "kept": 40, "changed": 0.2},
    "sure": {"sampled": 50, "inside": 10, "kept": 20, "changed": 0.2},
    "scan": {
        "axes": [2, 0],
        "patch": {
            "first": [-1.0, -1.0, 1.0, 1.0],
            "second": [-1.0, 1.0, -1.0, 1.0],
            "formula": ["Mo30Nb35V35", "Cr20Fe25Mn20Ni35", "Hf35Nb30Ta35", "Al35Co30Ni35"],
            "predicted": [0.98, 0.55, 0.9, 0.04],
        },
    },
    "inversion": {"started": 50, "reached": 40, "steps": 1.5, "moved": 0.4},
    "short": {"started": 50, "reached": 20, "steps": 1.0, "moved": 0.125},
    "gradient": {},
}


def phase_configuration(**changes) -> dict:
    model = {
        "inputs": ["shares", "solution"],
        "encoder": {"latents": 4, "hidden": [8]},
        "heads": {
            "single": {"loss": "binary_cross_entropy", "hidden": [8]},
            "shares": {"loss": "presence", "hidden": [8]},
        },
        "kind": "semi_supervised",
        "composition": "shares",
        "classifier": ["solution"],
    }
    problem = {
        "title": "Single-phase alloys",
        "scale": "phase",
        "model": "vae",
        "protocol": "halves",
        "space": {
            "elements": {
                "species": PHASE_ELEMENTS,
                "grid": 100,
                "fewest": 3,
                "most": 6,
                "least": 0.05,
                "greatest": 0.35,
            }
        },
        "targets": [{"quantity": PHASE_QUANTITY, "goal": "maximise", "enough": 0.5}],
        "methods": PHASE_METHODS,
        "seeds": 2,
        "judges": {"trees": {"features": {"shares": {"elements": PHASE_ELEMENTS}}}},
        "interpolate": {"between": ["MoNbTaW", "HfNbTaTiZr"], "steps": 3},
    }
    data = {
        "title": "Alloys",
        "file": "alloys.csv",
        "formula": "alloy",
        "columns": {
            "single": {"classes": ["several phases", "single phase"], "label": True, "description": "phases"}
        },
    }
    return {
        "study": "phases",
        "title": "Phases",
        "question": "Which alloy has one phase?",
        "datasets": {"alloys": data},
        "scales": {
            "phase": {
                "dataset": "alloys",
                "targets": ["single"],
                "features": {"shares": {"elements": PHASE_ELEMENTS}, "solution": {"alloy": True}},
                "splits": {"halves": {"kind": "shared", "folds": 2}},
                "models": {"vae": {"specification": model}},
            }
        },
        "search": {"alloys": {**problem, **changes}},
    }


PHASE_STUDY = study_from(phase_configuration())

PHASE_LABELS = DesignLabels.of(PHASE_STUDY, "alloys")

PHASE_SPACE = design_space(PHASE_STUDY.search["alloys"].space)


def phase_candidates() -> pd.DataFrame:
    """Ten or twenty judged candidates a method and seed; those of the gradient lie outside the domain."""
    random, parts = np.random.default_rng(0), []
    for place, name in enumerate([*PHASE_METHODS, "uniform", "training"]):
        count = 20 if name in PHASE_METHODS else 30
        for seed in range(2 if name in PHASE_METHODS else 1):
            part = pd.DataFrame(PHASE_SPACE.sample(count, [place, seed]), columns=list(PHASE_SPACE.columns))
            judged = np.arange(count) < round(PHASE_HITS.get(name, 0.2) * count)
            parts.append(
                part.assign(
                    method=name,
                    seed=seed,
                    novelty=random.random(count),
                    domain="outside" if name == "gradient" else "inside",
                    hit=True,
                    promised=0.95,
                    **{
                        f"{PHASE_QUANTITY}.mean": 0.9,
                        f"{PHASE_QUANTITY}.std": 0.05,
                        f"trees.{PHASE_QUANTITY}.mean": judged * 0.8,
                        "trees.hit": judged,
                        "trees.distance": 0.0,
                        "trees.violation": 0.0,
                    },
                )
            )
    return pd.concat(parts, ignore_index=True)


def phase_runs() -> pd.DataFrame:
    rows = [
        (name, seed, 100, json.dumps(PHASE_DETAILS[name]))
        for name in PHASE_METHODS
        for seed in range(1 if name == "scan" else 2)
    ]
    return pd.DataFrame(rows, columns=list(RUNS))


def phase_paths() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three materials on each of three ways."""
    ends = named_materials(["MoNbTaW", "HfNbTaTiZr"], PHASE_SPACE)
    x = np.stack([ends[0], 0.5 * ends.sum(axis=0), ends[1]])
    parts = []
    for path, low in (("line", 0.7), ("slerp", 0.6), ("mixing", 0.4)):
        part = pd.DataFrame(x, columns=list(PHASE_SPACE.columns))
        said = {f"{PHASE_QUANTITY}.mean": [0.9, 0.8, 0.9], f"trees.{PHASE_QUANTITY}.mean": [0.95, low, 0.9]}
        parts.append(part.assign(path=path, step=range(3), position=[0.0, 0.5, 1.0], **said))
    told = {"largest_step": 0.3, "end_error": 0.1, "allowed": 2 / 3}
    rows = [(path, name, "", number) for path in PATHS for name, number in told.items()]
    return pd.concat(parts, ignore_index=True), pd.DataFrame(rows, columns=list(MEASURES))


@pytest.fixture(scope="session")
def phase_metrics() -> pd.DataFrame:
    target = Target(PHASE_QUANTITY, "maximise", enough=0.5)
    return assess(
        phase_candidates(), phase_runs(), PHASE_SPACE, judges=["trees"], targets={target: ""}, windows={}
    )


@pytest.fixture(scope="session")
def phase_results(phase_metrics, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results") / "phases"
    folder = root / "search" / "alloys"
    judged = phase_candidates()
    schema = {name: tables.Column("float64") for name in judged} | {
        "method": tables.Column("string"),
        "seed": tables.Column("int32"),
        **{name: tables.Column("bool") for name in ("hit", "trees.hit")},
        "domain": tables.Column("string"),
    }
    tables.write(folder / "judged.parquet", judged, schema)
    tables.write(folder / "metrics.parquet", phase_metrics, DESIGN_METRICS, {UNMET: []})
    for name, part in phase_runs().groupby("method"):
        tables.write(folder / f"{name}.runs.parquet", part, RUNS)
    points, measures = phase_paths()
    schema = {name: tables.Column("float64") for name in points}
    schema |= {"path": tables.Column("string"), "step": tables.Column("int32")}
    tables.write(folder / "interpolation.parquet", points, schema)
    tables.write(folder / "interpolation.measures.parquet", measures, MEASURES)
    for subject, kind in drawing.available(PHASE_STUDY):
        if subject == "alloys":
            needed = drawing.required_tables(PHASE_STUDY, subject, kind)
            inputs = {name: [root / path for path in paths] for name, paths in needed.items()}
            drawing.draw(kind, inputs, PHASE_STUDY, subject, root / "figures" / "alloys" / f"{kind}.svg")
    return root


def phase_labels(**keys) -> DesignLabels:
    return DesignLabels.of(study_from(phase_configuration(**keys)), "alloys")
