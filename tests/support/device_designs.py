"""Results of the design problem of the study of devices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.study import Study
from nestmat.design.candidates import RUNS
from nestmat.design.metrics import DESIGN_METRICS, assess
from nestmat.design.reach import UNMET
from nestmat.design.recommended import FIDELITY
from nestmat.design.retraining import RETRAINED
from nestmat.design.spaces import design_space
from nestmat.design.verification import VERIFIED
from nestmat.search.problem import Target
from nestmat.search.spaces.product import Product
from nestmat.tables import Column
from support.device_scales import schema_of


def write_designs(root: Path, config: Study, name: str, rng: np.random.Generator) -> None:
    """Candidates of every method and the baselines, a judge that believes less of them, and a shortlist."""
    given, space = config.search[name], design_space(config.search[name].space)
    folder, windows = root / f"search/{name}", {"tau": (-np.inf, 4.18)}
    parts, runs = [], []
    about = {**dict.fromkeys(given.methods, (60, 1.4)), "uniform": (80, 2.0), "training": (20, 1.8)}
    for method, (n, gap) in about.items():
        parts.append(_candidates(space, n, gap, rng).assign(method=method))
        if method in given.methods:
            facts = {"method": method, "seed": [0], "evaluations": 500, "details": "{}"}
            runs.append(pd.DataFrame(facts))
            tables.write(folder / f"{method}.runs.parquet", runs[-1], RUNS)
    judged = pd.concat(parts, ignore_index=True)
    judged["trees.efficiency.PCE.mean"] = judged["efficiency.PCE.mean"] - rng.uniform(0, 6, len(judged))
    judged["trees.efficiency.PCE.std"] = 1.0
    judged["trees.distance"] = -judged["trees.efficiency.PCE.mean"]
    judged["trees.hit"] = (judged["trees.efficiency.PCE.mean"] >= 15) & (judged["gap.Gap.mean"] < 1.7)
    schema = schema_of(judged, {})
    tables.write(folder / "judged.parquet", judged, schema)
    metrics = assess(
        judged,
        pd.concat(runs),
        space,
        judges=["trees"],
        targets={Target("efficiency.PCE", "maximise", enough=15): "%"},
        windows=windows,
    )
    tables.write(folder / "metrics.parquet", metrics, DESIGN_METRICS, {UNMET: []})
    best = judged[judged["method"] == "ranking"].nlargest(8, "efficiency.PCE.mean").reset_index(drop=True)
    best["rank"] = np.arange(1, 9)
    best["flags"] = ["outside the domain: tau 5 is beyond 4.5", *[""] * 7]
    tables.write(folder / "shortlist.parquet", best, {**schema, "flags": Column("string")})
    if config.searches_recommended(name):
        fidelity = pd.DataFrame({"quantity": ["gap.Gap", "efficiency.PCE"], "unit": ["eV", "%"]})
        fidelity = fidelity.assign(r2=0.999, error=[0.012, 0.2], std=[0.1, np.nan], std_error=[0.05, np.nan])
        tables.write(folder / "deployed.predictor.parquet", fidelity, FIDELITY)
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
            "domain": best["domain"],
            "reason": best["reason"],
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
    found["promised"] = rng.uniform(0.5, 1.0, n)
    found["distance"], found["violation"] = -found["efficiency.PCE.mean"], 0.0
    found["novelty"], found["domain"] = (
        rng.uniform(0, 0.5, n),
        np.where(rng.random(n) < 0.8, "inside", "outside"),
    )
    found["reason"] = np.where(found["domain"] == "inside", "", "tau 5 is beyond 4.5")
    return found.assign(seed=0, rank=np.arange(1, n + 1))
