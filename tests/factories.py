"""A small two-scale study with a whole folder of results that look like those of a real one.

Nothing is trained: predictions are the truth plus noise of a known size, so that tests know what figures and
report must show.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import yaml
from safetensors.numpy import save_file

from nestmat import tables
from nestmat.config.datasets import DatasetSpec
from nestmat.config.loading import study_from
from nestmat.config.study import Study
from nestmat.data.generated import write_generated
from nestmat.data.reading import Reading, read
from nestmat.design.candidates import RUNS
from nestmat.design.metrics import DESIGN_METRICS, assess
from nestmat.design.retraining import RETRAINED
from nestmat.design.spaces import design_space
from nestmat.design.verification import VERIFIED
from nestmat.evaluation.evaluate import Evaluation, evaluate_scale
from nestmat.interpretation.correlations import CORRELATIONS
from nestmat.interpretation.embed import EMBEDDING
from nestmat.interpretation.shapley import SHAPLEY
from nestmat.paths import ROOT
from nestmat.plan.tables import representations
from nestmat.scales.sweep import SWEEP
from nestmat.scales.train import LATENT_KEYS
from nestmat.search.pool.trials import PoolTrials, search_pool
from nestmat.search.problem import Target
from nestmat.search.spaces.product import Product
from nestmat.tables import Column

ETL = ["TiO2-c | TiO2-mp", "SnO2-np", "PCBM-60 | BCP"]
HTL = ["Spiro-MeOTAD", "PTAA"]
WHOLE = {"role": "labelled", "together": -1}
"""Columns of folds that are no holdout."""
HALVES = {"kind": "shared", "folds": 2}
SHOWN = ["strict", "published", "cells", "leave_one_etl_out"]
NOISE = {
    "gap": {"nestmat": 0.12, "nestedae": 0.15, "ridge": 0.24, "xgboost": 0.13, "recommended": 0.11},
    "efficiency": {"nestmat": 2.5, "single_scale": 2.6, "ridge": 3.2, "xgboost": 2.6, "recommended": 2.4},
}


def snakemake(folder: Path, *arguments: str, configfile: str = "study.yaml") -> str:
    """Run Snakemake on a study in a folder, and return what it says."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile")]
    command += [*arguments, "--configfile", configfile]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def read_generated(spec: DatasetSpec, **options: Any) -> Reading:
    """A generated data set, made and read as the rules do."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.generated.parquet"
        write_generated(spec.generator, path)
        return read(spec, path, **options)


def configuration() -> dict:
    """The study as its YAML file would hold it."""
    head = {"hidden": [16], "loss": "huber"}
    return {
        "study": "toy_devices",
        "title": "From the band gap of perovskites to the efficiency of their solar cells",
        "question": (
            "Does a coarse scale that reads the latents of a fine scale predict efficiencies better than a "
            "model that sees the same descriptors directly?"
        ),
        "datasets": {
            "gaps": {
                "title": "Computed band gaps",
                "description": "Band gaps of cubic halide perovskites by PBE.",
                "doi": "10.1039/D1EE02971A",
                "citation": "Mannodi-Kanakkithodi & Chan, Energy Environ. Sci. 15, 1930 (2022)",
                "url": "https://example.org/gaps.csv",
                "sha256": "ab" * 32,
                "formula": "Formula",
                "columns": {
                    "Formula": {"kind": "text"},
                    "Gap": {
                        "unit": "eV",
                        "description": "Band gap (PBE).",
                        "label": True,
                        "uncertainty": 0.015,
                    },
                    "B_IE": {"unit": "eV"},
                    "X_IONRAD": {"unit": "Å"},
                    "A_MASS": {"unit": "u"},
                },
                "suspicious": [{"row": 5, "column": "Gap", "reason": "all models say 0.8 eV"}],
            },
            "devices": {
                "title": "Device efficiencies <b>& more</b>",
                "citation": "Jacobsson et al., Nat. Energy 7, 107 (2022)",
                "licence": "CC BY 4.0",
                "file": "devices.csv",
                "formula": "Formula",
                "columns": {
                    "Formula": {"kind": "text"},
                    "ETL": {"kind": "category"},
                    "HTL": {"kind": "category"},
                    "PCE": {"unit": "%", "description": "Power conversion efficiency", "label": True},
                },
            },
        },
        "strict": {"folds": 5, "seed": 0},
        "scales": {
            "gap": {
                "title": "Band gap",
                "dataset": "gaps",
                "targets": ["Gap"],
                "features": {"descriptors": {"columns": ["B_IE", "X_IONRAD", "A_MASS"]}},
                "splits": {
                    "published": {
                        "kind": "stratified",
                        "folds": 10,
                        "seed": 42,
                        "repeats": [1, 2],
                        "published": True,
                    },
                    "halves": HALVES,
                },
                "models": {
                    "nestmat": {
                        "title": "nestmat head",
                        "specification": {
                            "inputs": ["descriptors"],
                            "encoder": {"latents": 4, "hidden": [32]},
                            "heads": {"Gap": head, "descriptors": {"loss": "mse", "weight": 0.1}},
                            "training": {"epochs": 400, "seeds": 2},
                        },
                    },
                    "nestedae": {
                        "title": "NestedAE",
                        "published": "NestedAE",
                        "protocols": ["strict", "published"],
                        "specification": {
                            "inputs": ["descriptors"],
                            "encoder": {"latents": 3},
                            "heads": {"Gap": {"loss": "mae"}},
                            "penalties": {"l1": 0.001},
                        },
                    },
                },
                "baselines": {
                    "ridge": {
                        "kind": "ridge",
                        "protocols": ["strict", "published"],
                        "inputs": ["descriptors"],
                        "title": "Ridge",
                        "published": "Ridge",
                    },
                    "xgboost": {
                        "kind": "xgboost",
                        "protocols": ["strict", "published"],
                        "inputs": ["descriptors"],
                        "title": "XGBoost",
                        "published": "XGB",
                    },
                },
                "recommended": {"stack": ["nestmat", "xgboost"]},
                "sweep": {"model": "nestedae", "latents": [2, 3, 4, 5, 6], "protocol": "published"},
                "pool": {
                    "target": "Gap",
                    "start": 0.05,
                    "picks": 20,
                    "trials": 6,
                    "batches": [1, 4],
                    "as_published": True,
                    "representations": {
                        "descriptors": {"blocks": ["descriptors"], "published": "SimpleBO"},
                        "latents": {
                            "title": "NestedAE latents",
                            "latents": {"scale": "gap", "model": "nestedae"},
                            "published": "NestedAE",
                        },
                    },
                },
                "interpret": {"model": "nestmat", "protocol": "strict"},
            },
            "efficiency": {
                "title": "Device efficiency",
                "dataset": "devices",
                "parents": ["gap"],
                "pass_prediction": True,
                "targets": ["PCE"],
                "features": {"etl": {"one_hot": "ETL"}, "htl": {"one_hot": "HTL"}},
                "group": ["ETL", "HTL"],
                "splits": {
                    "published": {"kind": "kfold", "folds": 5, "seed": 0, "published": True},
                    "cells": {"kind": "grouped", "folds": 5},
                    "leave_one_etl_out": {"kind": "leave_one_out", "column": "ETL"},
                    "halves": HALVES,
                },
                "models": {
                    name: {
                        "title": title,
                        "protocols": None if parents else SHOWN,
                        "specification": {
                            "inputs": ["etl", "htl", *parents],
                            "encoder": {"latents": 5, "hidden": [32]},
                            "heads": {"PCE": head},
                            "training": {"epochs": 300, "seeds": 2},
                        },
                    }
                    for name, title, parents in (
                        ("nestmat", "nestmat head", ["gap"]),
                        ("single_scale", "Single-scale ablation", []),
                    )
                },
                "baselines": {
                    name: {"kind": name, "protocols": SHOWN, "inputs": ["etl", "htl"], "title": title}
                    for name, title in (("ridge", "Ridge"), ("xgboost", "XGBoost"))
                },
                "recommended": {"stack": ["nestmat", "xgboost"]},
                "compare": [["nestmat", "single_scale"]],
                "interpret": {"model": "nestmat", "protocol": "published"},
            },
        },
        "search": {"absorbers": problem()},
    }


def problem() -> dict:
    """A design problem, which the made-up study cannot search: its features are no site descriptors."""
    return {
        "title": "Absorbers <i>without</i> lead",
        "question": "Which mixed perovskite makes the best cell?",
        "scale": "efficiency",
        "model": "nestmat",
        "protocol": "halves",
        "space": {
            "sites": {
                "A": {"species": ["MA", "Cs"], "grid": 4, "most": 2},
                "B": {"species": ["Sn", "Ge"], "grid": 2},
                "X": {"species": ["I", "Br"], "grid": 1, "most": 1},
            },
            "variables": {
                "ETL": {"levels": ETL},
                "thickness": {"between": [100, 500], "grid": 5},
                "area": {"value": 0.1},
            },
        },
        "quantities": {
            "limit": {"detailed_balance": "gap.Gap"},
            "price": {"weights": {"Cs": 2.0}},
        },
        "targets": [{"quantity": "efficiency.PCE", "goal": "maximise", "enough": 15}],
        "constraints": [
            {"quantity": "gap.Gap", "low": 1.1, "high": 1.7, "sigmas": 1, "tolerance": 0.1},
            {"quantity": "price", "high": 3.0},
        ],
        "methods": {
            "random": {"kind": "random"},
            "genetic_search": {"kind": "genetic"},
            "ranking": {"kind": "ranking", "title": "Rank all"},
        },
        "judges": {"trees": {"features": {"A": {"site": "A"}}}},
        "shortlist": {"method": "ranking", "top": 8},
        "verify": {"gap": "gap.Gap", "file": "calculated.parquet"},
        "retrain": {"file": "rows.parquet"},
    }


def study() -> Study:
    """The validated study."""
    return study_from(configuration())


def published() -> pd.DataFrame:
    """Published numbers of the study, in the form that figures and report take."""
    gap = ("nestedae", "Gap", "eV")
    rows = [
        ("gap", *gap, "validation", 0.150, 0.030, np.nan, "NestedAE"),
        ("gap", *gap, "train", 0.090, np.nan, np.nan, "NestedAE"),
        ("gap", "xgboost", "Gap", "eV", "validation", 0.127, 0.026, np.nan, "XGB"),
        ("gap", "ridge", "Gap", "eV", "validation", 0.235, 0.028, np.nan, "Ridge"),
        *[("gap", *gap, "validation", 0.15 + 0.01 * (n < 4), 0.03, n, "NestedAE") for n in range(2, 7)],
        ("efficiency", "nestmat", "PCE", "%", "validation", 2.384, 0.034, np.nan, "NestedAE"),
    ]
    names = ["scale", "model", "target", "unit", "split", "value", "spread", "latents", "published"]
    about = {"source": "Fig. 3", "note": "", "dataset": "", "citation": "Thota et al. (2024)"}
    errors = pd.DataFrame(rows, columns=names).assign(**about, protocol="published", metric="mae")
    shares = [("descriptors", 14.74, "SimpleBO"), ("latents", 13.98, "NestedAE"), ("random", 49.3, "random")]
    pool = pd.DataFrame(shares, columns=["model", "value", "published"]).assign(
        **about, scale="gap", target="Gap", unit="%", split="validation", protocol="pool", metric="pool_mean"
    )
    return pd.concat([errors, pool], ignore_index=True)


def _frames(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    n, m = 120, 180
    a, b, x = (
        rng.choice(options, n) for options in (["MA", "FA", "Cs"], ["Pb", "Sn", "Ge"], ["I", "Br", "Cl"])
    )
    gaps = pd.DataFrame(
        {
            "row_id": np.arange(n),
            "row": np.arange(n) + 2,
            "formula": [f"{i}{j}{k}3" for i, j, k in zip(a, b, x, strict=True)],
            "flag": ["all models say 0.8 eV" if i == 3 else "" for i in range(n)],
            "B_IE": rng.normal(7.4, 0.2, n),
            "X_IONRAD": rng.normal(2.0, 0.1, n),
            "A_MASS": rng.normal(60, 30, n),
        }
    )
    gaps["Gap"] = np.clip(
        2 + 3 * (gaps["B_IE"] - 7.4) - 4 * (gaps["X_IONRAD"] - 2) + rng.normal(0, 0.1, n), 0.3, 5.4
    )
    devices = pd.DataFrame(
        {
            "row_id": np.arange(m),
            "row": np.arange(m) + 2,
            "formula": rng.choice(
                ["MAPbI3", "FAPbI3", "Cs0.1FA0.9PbI3", "MAPbBr3"], m, p=[0.6, 0.2, 0.1, 0.1]
            ),
            "flag": "",
            "ETL": rng.choice(ETL, m, p=[0.6, 0.25, 0.15]),
            "HTL": rng.choice(HTL, m, p=[0.8, 0.2]),
        }
    )
    devices["PCE"] = np.clip(rng.normal(15, 4, m) + 2 * (devices["ETL"] == ETL[1]), 0.1, 23)
    for frame in (gaps, devices):
        frame["material"] = frame["formula"]
    return {"gap": gaps, "efficiency": devices}


def _schema(frame: pd.DataFrame, columns: dict, role: str = "") -> dict[str, Column]:
    kinds = {"i": "int64", "f": "float64", "O": "string", "b": "bool"}
    found = {}
    for name, values in frame.items():
        spec = columns.get(name)
        found[name] = Column(
            kinds[values.dtype.kind],
            unit=spec.unit if spec else "",
            description=spec.description if spec else "",
            role=role if spec else "",
        )
    return found


def _folds(frame: pd.DataFrame, plan: dict[str, tuple[int, int]], rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for protocol, (repeats, folds) in plan.items():
        for repeat in range(repeats):
            fold = rng.permutation(np.arange(len(frame)) % folds)
            parts.append(
                frame[["row_id", "material"]].assign(protocol=protocol, repeat=repeat, fold=fold, **WHOLE)
            )
    return pd.concat(parts, ignore_index=True)


def _predictions(
    scale: str, model: str, target: str, folds: pd.DataFrame, true: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    parts = []
    mae = NOISE[scale][model]
    for repeat, rows in folds.groupby("repeat"):
        for fold in sorted(rows["fold"].unique()):
            for seed in (-1, 0, 1):
                part = rows[["protocol", "row_id"]].copy()
                part["split"] = np.where(rows["fold"] == fold, "validation", "train")
                noise = np.where(part["split"] == "train", 0.6, 1) * mae * 1.25
                part["true"] = true
                part["mean"] = true + rng.normal(0, 1, len(part)) * noise
                part["std"] = mae * (1.0 if model not in ("ridge",) else np.nan)
                parts.append(
                    part.assign(repeat=repeat, fold=fold, inner=-1, seed=seed, model=model, target=target)
                )
    return pd.concat(parts, ignore_index=True)


def write_results(root: Path, seed: int = 0) -> Study:
    """Write the whole results folder of the study below ``root``.

    Args:
        root: Folder of the study, ``results/<study>``.
        seed: Seed of the noise.
    """
    rng, config = np.random.default_rng(seed), study()
    frames = _frames(rng)
    for scale, frame in frames.items():
        _write_scale(root, config, scale, frame, rng)
    _write_propagated(root, frames["efficiency"], rng)
    _write_pool(root, config, frames["gap"])
    for name in config.search:
        _write_designs(root, config, name, rng)
    (root / "run_config.yaml").write_text(
        yaml.safe_dump(
            {
                "configuration": config.model_dump(mode="json"),
                "environment": {
                    "nestmat": "0.1.0",
                    "commit": "0123abc",
                    "python": "3.11.2",
                    "packages": {"torch": "2.13.0", "snakemake": "9.27.1"},
                    "platform": "Linux-x86_64",
                    "cpus": 2,
                },
                "data": {},
            }
        )
    )
    return config


def _write_scale(
    root: Path, config: Study, scale: str, frame: pd.DataFrame, rng: np.random.Generator
) -> None:
    about = config.scales[scale]
    target = about.targets[0]
    spec = config.datasets[about.dataset]
    facts = {
        "dataset": about.dataset,
        "title": spec.title,
        "citation": spec.citation,
        "doi": spec.doi,
        "licence": spec.licence,
        "sha256": spec.sha256,
        "rows_read": len(frame) + 3,
    }
    tables.write(root / f"data/{about.dataset}.parquet", frame, _schema(frame, spec.columns), facts)
    rejects = pd.DataFrame(
        {
            "row": [200, 201, 202],
            "column": ["Formula", "Formula", target],
            "value": ["Qq<3>Pb", "MAXx3", "nan"],
            "reason": ["the formula does not parse", "the formula does not parse", "missing value"],
        }
    )
    tables.write(root / f"data/{about.dataset}.rejects.parquet", rejects, tables.REJECTS, facts)
    tables.write(root / f"features/{scale}.rejects.parquet", rejects.iloc[:0], tables.REJECTS)
    _write_features(root, config, scale, frame)
    counts = {"strict": (1, 5)}
    for name, split in about.splits.items():
        counts[name] = (1 + len(split.repeats), split.folds or len(ETL))
    folds = _folds(frame, counts, rng)
    tables.write(root / f"folds/{scale}.parquet", folds, tables.FOLDS)
    files = []
    for protocol in about.protocols:
        base = []
        for model in [name for name in NOISE[scale] if protocol in about.runs(name)]:
            rows = pd.concat(
                _predictions(scale, model, target, part, frame[target].to_numpy(), rng)
                for _, part in folds[folds["protocol"] == protocol].groupby("repeat")
            )
            if model in about.baselines:
                base.append(rows)
                continue
            files.append(root / f"predictions/{scale}/{protocol}/{model}.parquet")
            tables.write(files[-1], rows, tables.PREDICTIONS)
            if model == "recommended":
                _write_stack(root, config, scale, protocol)
            else:
                _write_model(root, config, scale, protocol, model, rng)
        if base:
            files.append(root / f"predictions/{scale}/{protocol}/baselines.parquet")
            tables.write(files[-1], pd.concat(base), tables.PREDICTIONS)
    # Its models are not trained, so that their cards do not say what they give back.
    evaluate_scale(
        Evaluation(scale, root / f"features/{scale}.parquet", files, compare=about.compare),
        {name: root / f"{name}/{scale}.parquet" for name in ("metrics", "comparisons", "calibration")},
    )
    _write_interpretation(root, config, scale, frame, rng)


def _write_features(root: Path, config: Study, scale: str, frame: pd.DataFrame) -> None:
    about = config.scales[scale]
    columns = config.datasets[about.dataset].columns
    features = frame[["row_id", "formula", "material"]].assign(group=frame["material"])
    schema = _schema(features, {})
    for name, config_of_block in about.features.items():
        block = config_of_block.build()
        values = (
            frame[block.copied_columns]
            if block.copied_columns
            else pd.get_dummies(frame[block.category_columns], prefix_sep="=", dtype=float)
        )
        for column in values:
            features[column] = values[column]
            unit = columns[column].unit if column in columns else ""
            schema[column] = Column("float64", unit=unit, role="feature", block=name)
    for target in about.targets:
        features[target] = frame[target]
        spec = columns[target]
        schema[target] = Column(
            "float64",
            unit=spec.unit,
            role="target",
            description=spec.description,
            uncertainty=spec.uncertainty,
        )
    blocks = {name: [c for c, about in schema.items() if about.block == name] for name in about.features}
    facts = {"blocks": {name: {"kind": "continuous", "columns": given} for name, given in blocks.items()}}
    tables.write(root / f"features/{scale}.parquet", features, schema, facts)


def _write_model(
    root: Path, config: Study, scale: str, protocol: str, model: str, rng: np.random.Generator
) -> None:
    stem = root / f"models/{scale}/{protocol}/{model}"
    epoch = np.arange(0, 300, 3)
    parts = []
    for member in range(4):
        for split, floor in (("train", 0.1), ("validation", 0.2)):
            loss = floor + np.exp(-epoch / 60) * rng.uniform(0.8, 1.2) + 0.01 * rng.random(len(epoch))
            parts.append(
                pd.DataFrame(
                    {"member": member, "epoch": epoch, "split": split, "term": "total", "loss": loss}
                )
            )
    tables.write(stem.with_suffix(".history.parquet"), pd.concat(parts), tables.HISTORY)
    specification = config.scales[scale].models[model].specification
    about = config.scales[scale]
    widths = {name: block.build().copied_columns or list("abc") for name, block in about.features.items()}
    widths |= {parent: ["z0", "z1", "z2", "z3"] for parent in about.parents}
    card = {
        "scale": scale,
        "model": model,
        "protocol": protocol,
        "columns": widths,
        "specification": specification.as_dict(),
        "facts": {"torch": "2.13.0"},
    }
    stem.with_suffix(".json").write_text(json.dumps(card))
    weights = {"encoder.0.weight": np.zeros((12, 3, 32), np.float32), "scaler.gap.mean": np.zeros((12, 4))}
    save_file(weights, stem.with_suffix(".safetensors"))


def _write_stack(root: Path, config: Study, scale: str, protocol: str) -> None:
    recommended = config.scales[scale].recommended
    assert recommended is not None
    combinations = [
        {
            "target": config.scales[scale].targets[0],
            "repeat": 0,
            "fold": fold,
            "weights": dict(zip(recommended.stack, (0.4 + 0.01 * fold, 0.6 - 0.01 * fold), strict=True)),
        }
        for fold in range(-1, 5)
    ]
    content = {"protocol": protocol, "stack": recommended.stack, "combinations": combinations}
    file = root / f"predictions/{scale}/{protocol}/recommended.json"
    file.write_text(json.dumps(content))


def _write_interpretation(
    root: Path, config: Study, scale: str, frame: pd.DataFrame, rng: np.random.Generator
) -> None:
    about = config.scales[scale]
    target = about.targets[0]
    latents = [f"z{i}" for i in range(about.models["nestmat"].specification.encoder.latents)]
    blocks = [block.build() for block in about.features.values()]
    inputs = [name for block in blocks for name in block.copied_columns]
    categories = [name for block in blocks for name in block.category_columns]
    inputs += [f"{name}={level}" for name in categories for level in sorted(frame[name].unique())]
    rows = []
    for place, latent in enumerate(latents):
        others = [("descriptor", v) for v in inputs] + [("target", target)]
        for group, other in [*others, *(("latent", v) for v in latents[place + 1 :])]:
            value = float(np.tanh(rng.normal()))
            strength = max(0.0, (abs(value) - 0.1) / 0.9)
            p = 0.001 if abs(value) > 0.3 else 0.4
            rows.append((latent, other, group, "pearson", value, strength, p, p, 0.9))
    folder = root / "interpretation"
    tables.write(
        folder / f"{scale}.correlations.parquet", pd.DataFrame(rows, columns=list(CORRELATIONS)), CORRELATIONS
    )
    unit = config.datasets[about.dataset].columns[target].unit
    functions = [(f"latent:{z}", "", inputs) for z in latents]
    functions += [(f"target:{target}", unit, inputs), (f"head:{target}", unit, latents)]
    shapley = pd.concat(
        pd.DataFrame(
            {
                "function": function,
                "input": names,
                "mean_abs": rng.exponential(0.3, len(names)),
                "std": 0.05,
                "method": "exact",
                "unit": unit_,
            }
        )
        for function, unit_, names in functions
    )
    tables.write(folder / f"{scale}.shapley.parquet", shapley, SHAPLEY)
    maps = pd.concat(
        pd.DataFrame(
            {
                "row_id": frame["row_id"],
                "method": method,
                "x": rng.normal(size=len(frame)),
                "y": frame[target] + rng.normal(size=len(frame)),
                "target": target,
                "value": frame[target],
                "unit": unit,
            }
        )
        for method in ("pca", "umap")
    )
    tables.write(root / f"embeddings/{scale}.parquet", maps, EMBEDDING)
    if about.sweep:
        sweep = pd.DataFrame(
            [
                {
                    "latents": n,
                    "target": name,
                    "repeat": 0,
                    "fold": fold,
                    "metric": metric,
                    "value": 0.15 + 0.04 / n + 0.02 * rng.normal(),
                    "unit": given,
                }
                for name, metric, given in ((target, "mae", unit), ("descriptors", "loss", ""))
                for n in about.sweep.latents
                for fold in range(10)
            ]
        )
        tables.write(root / f"sweeps/{scale}.parquet", sweep, SWEEP)


def _write_propagated(root: Path, devices: pd.DataFrame, rng: np.random.Generator) -> None:
    gap = devices["material"].map({"MAPbI3": 1.6, "FAPbI3": 1.5, "Cs0.1FA0.9PbI3": 1.52, "MAPbBr3": 2.3})
    for protocol in ("strict", "published"):
        frame = pd.DataFrame(
            {"member": 0, "repeat": 0, "fold": -1, "inner": -1, "seed": 0, "row_id": devices["row_id"]}
        )
        frame["z0"] = rng.normal(size=len(frame))
        frame["Gap.mean"] = gap + rng.normal(0, 0.02, len(frame))
        frame["Gap.std"] = 0.1
        schema = {
            n: Column("float32" if n[0] in "zG" else "int64" if n == "row_id" else "int32") for n in frame
        }
        tables.write(root / f"propagated/gap__efficiency/{protocol}/nestmat.parquet", frame, schema)


def _write_pool(root: Path, config: Study, gaps: pd.DataFrame) -> None:
    """Latents that follow the gap, and the search that reads them."""
    rng = np.random.default_rng(1)
    members = [
        pd.DataFrame(
            {"member": seed, "repeat": 0, "fold": -1, "inner": -1, "seed": seed, "row_id": gaps["row_id"]}
        )
        for seed in range(2)
    ]
    latents = pd.concat(members, ignore_index=True)
    for name in ("z0", "z1"):
        latents[name] = np.tile(gaps["Gap"], 2) + rng.normal(0, 0.3, len(latents))
    path = root / "latents/gap/strict/nestedae.parquet"
    keys = {**LATENT_KEYS, "z0": Column("float32"), "z1": Column("float32")}
    tables.write(path, latents, keys)
    latents = representations(config).query("scale == 'gap'")
    settings = config.scales["gap"].pool.model_dump()
    blocks = {name: entry["blocks"] for name, entry in settings.pop("representations").items()}
    search_pool(
        root / "features/gap.parquet",
        root / "data/gaps.parquet",
        root / "pool/gap.parquet",
        root / "pool/gap.order.parquet",
        scale="gap",
        latents=dict(zip(latents["name"], latents["path"].str.replace("<results>", str(root)), strict=True)),
        trials=PoolTrials(representations=blocks, **settings),
    )


def _write_designs(root: Path, config: Study, name: str, rng: np.random.Generator) -> None:
    """Candidates of every method and the baselines, a judge that believes less of them, and a shortlist."""
    given, space = config.search[name], design_space(config.search[name].space)
    folder, windows = root / f"search/{name}", {"tau": (-np.inf, 4.18)}
    parts, runs = [], []
    about = {**dict.fromkeys(given.methods, (60, 1.4)), "uniform": (80, 2.0), "training": (20, 1.8)}
    for method, (n, gap) in about.items():
        parts.append(_candidates(space, n, gap, rng).assign(method=method))
        if method in given.methods:
            facts = {"method": method, "seed": [0], "evaluations": 500, "seconds": 2.5, "details": "{}"}
            runs.append(pd.DataFrame(facts))
            tables.write(folder / f"{method}.runs.parquet", runs[-1], RUNS)
    judged = pd.concat(parts, ignore_index=True)
    judged["trees.efficiency.PCE.mean"] = judged["efficiency.PCE.mean"] - rng.uniform(0, 6, len(judged))
    judged["trees.efficiency.PCE.std"] = 1.0
    judged["trees.distance"] = -judged["trees.efficiency.PCE.mean"]
    judged["trees.hit"] = (judged["trees.efficiency.PCE.mean"] >= 15) & (judged["gap.Gap.mean"] < 1.7)
    schema = _schema(judged, {})
    tables.write(folder / "judged.parquet", judged, schema)
    metrics = assess(
        judged,
        pd.concat(runs),
        space,
        judges=["trees"],
        targets={Target("efficiency.PCE", "maximise", enough=15): "%"},
        windows=windows,
    )
    tables.write(folder / "metrics.parquet", metrics, DESIGN_METRICS)
    best = judged[judged["method"] == "ranking"].nlargest(8, "efficiency.PCE.mean").reset_index(drop=True)
    best["rank"] = np.arange(1, 9)
    best["flags"] = ["unlike the training data", *[""] * 7]
    tables.write(folder / "shortlist.parquet", best, {**schema, "flags": Column("string")})
    for file in ("candidates.csv", "candidates.jsonl"):
        (folder / file).write_text("made up")
    calculated = pd.DataFrame(
        {
            "formula": best["formula"],
            "quantity": "gap.Gap",
            "wanted": np.nan,
            "mean": best["gap.Gap.mean"],
            "std": 0.05,
            "calculated": best["gap.Gap.mean"] + np.where(np.arange(8) < 4, 0.08, 0.2),
            "unit": "eV",
            "trained_on": np.arange(8) >= 6,
        }
    )
    tables.write(folder / "verified.parquet", calculated, VERIFIED)
    rounds = calculated[["formula", "calculated", "unit"]].assign(target="Gap", first_std=0.1, second_std=0.1)
    rounds["first"], rounds["second"] = rounds["calculated"] - 0.2, rounds["calculated"] + 0.1
    tables.write(folder / "rounds.parquet", rounds, RETRAINED)


def _candidates(space: Product, n: int, gap: float, rng: np.random.Generator) -> pd.DataFrame:
    """Materials of a space with made-up predictions of about that gap."""
    x = space.sample(n, int(rng.integers(1000)))
    found = pd.DataFrame(x, columns=list(space.columns)).assign(formula=space.formulas(x))
    found["gap.Gap.mean"] = rng.normal(gap, 0.15, n)
    found["efficiency.PCE.mean"] = 22 - 12 * (found["gap.Gap.mean"] - 1.35).abs() + rng.normal(0, 1, n)
    found["limit.mean"], found["price.mean"], found["tau.mean"] = 33.0, 2.0, rng.normal(4.1, 0.1, n)
    stds = {"gap.Gap": 0.05, "efficiency.PCE": 0.8, "limit": 0.3, "price": np.nan, "tau": np.nan}
    found = found.assign(**{f"{quantity}.std": std for quantity, std in stds.items()})
    found["hit"] = (found["efficiency.PCE.mean"] >= 15) & found["gap.Gap.mean"].between(1.1, 1.7)
    found["distance"], found["violation"] = -found["efficiency.PCE.mean"], 0.0
    found["novelty"], found["in_domain"] = rng.uniform(0, 0.5, n), rng.random(n) < 0.8
    return found.assign(seed=0, rank=np.arange(1, n + 1))
