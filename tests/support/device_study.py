"""A small two-scale study: band gaps of perovskites, and efficiencies of their solar cells."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nestmat.config.loading import study_from
from nestmat.config.study import Study

ETL = ["TiO2-c | TiO2-mp", "SnO2-np", "PCBM-60 | BCP"]
HTL = ["Spiro-MeOTAD", "PTAA"]
WHOLE = {"role": "labelled", "inner": -1, "regions": 0}
"""Columns of folds that are no holdout."""
HALVES = {"kind": "shared", "folds": 2}
SHOWN = ["strict", "published", "cells", "leave_one_etl_out"]


def device_configuration() -> dict:
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
        "search": {"absorbers": device_problem()},
    }


def device_problem() -> dict:
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


def device_study() -> Study:
    """The validated study."""
    return study_from(device_configuration())


def published_numbers() -> pd.DataFrame:
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
