"""A small study that searches perovskites without lead for solar cells."""

from __future__ import annotations

import yaml

from nestmat.paths import ROOT

SITES = {
    "A": {"species": ["Rb", "Cs"], "grid": 4},
    "B": {"species": ["Ge", "Sn"], "grid": 4},
    "X": {"species": ["Br", "I"], "grid": 4},
}

HEAD = {"hidden": [16]}

TRAINING = {"epochs": 40, "seeds": 2, "learning_rate": 0.01}

PROCESS = [
    "log_thickness",
    "log_diffusion_length",
    "log_front_velocity",
    "log_back_velocity",
    "log_radiative_efficiency",
]


def lead_free_study() -> dict:
    """Two small scales on the calculations that ship with nestmat, and a problem that searches them."""
    default = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    halves = {"halves": {"kind": "shared", "folds": 2}}
    ions = {"descriptors": {"site_descriptors": ["A", "B", "X"]}, "geometry": {"perovskite": True}}

    def scale(dataset, targets, inputs, read, **more):
        model = {
            "specification": {
                "inputs": inputs,
                "encoder": {"latents": 4, "hidden": [16]},
                "heads": dict.fromkeys(targets, HEAD),
                "training": TRAINING,
            }
        }
        baselines = {"ridge": {"kind": "ridge", "inputs": read}}
        recommended = {"recommended": {"stack": ["nested", "ridge"]}}
        models = {"models": {"nested": model}, "baselines": baselines, **recommended}
        return {"dataset": dataset, "targets": targets, "splits": halves, **models, **more}

    problem = default["search"]["lead_free"]
    problem["methods"] = {"random": {"kind": "random"}, "genetic": {"kind": "genetic", "title": "Breeding"}}
    problem |= {"budget": 1500, "seeds": 2, "proposals": 20, "shortlist": {"method": "genetic", "top": 5}}
    problem["verify"] |= {"file": "calculated.parquet"}
    problem["judges"]["trees"]["trees"] = 30
    cells = default["datasets"]["cells"] | {"generator": {"kind": "perovskite_devices", "rows": 600}}
    return {
        "study": "designs",
        "title": "Designs",
        "question": "What makes a cell?",
        "tracking": "off",
        "datasets": {"calculations": default["datasets"]["calculations"], "cells": cells},
        "strict": {"folds": 2},
        "scales": {
            "electronic": scale(
                "calculations",
                ["gap", "lattice", "formation_energy"],
                ["descriptors", "geometry", "strain"],
                ["descriptors", "strain"],
                features={**ions, "strain": {"columns": ["strain"]}},
            ),
            "device": scale(
                "cells",
                ["pce"],
                ["electronic", "process"],
                ["electronic", "process"],
                parents=["electronic"],
                pass_prediction=True,
                features={"process": {"columns": PROCESS}},
            ),
        },
        "search": {"lead_free": problem},
    }
