"""A folder of results of the study of devices that look like those of a real one.

Nothing is trained: predictions are the truth plus noise of a known size, so that tests know what figures and
report must show.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from nestmat import seals, tables
from nestmat.config.study import Study
from nestmat.plan.tables import representations
from nestmat.scales.train import LATENT_KEYS
from nestmat.search.pool.trials import PoolTrials, search_pool
from nestmat.tables import Column
from support.device_designs import write_designs
from support.device_scales import write_scale
from support.device_study import ETL, HTL, device_study


def write_device_results(root: Path, seed: int = 0) -> Study:
    """Write the whole results folder of the study below ``root``.

    Args:
        root: Folder of the study, ``results/<study>``.
        seed: Seed of the noise.
    """
    rng, config = np.random.default_rng(seed), device_study()
    frames = _frames(rng)
    for scale, frame in frames.items():
        write_scale(root, config, scale, frame, rng)
    _write_propagated(root, frames["efficiency"], rng)
    _write_pool(root, config, frames["gap"])
    for name in config.search:
        write_designs(root, config, name, rng)
    seals.write_text(
        root / "run_config.yaml",
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
                "plugins": {"plugins/quantile.py": "0a1b" * 16},
                "data": {},
            }
        ),
    )
    return config


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
