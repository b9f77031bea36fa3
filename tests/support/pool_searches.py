"""Tables of searches in a pool for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from nestmat.search.pool.trials import PoolTrials, search_pool
from support.device_study import device_study

torch.set_num_threads(1)


def rows(n=14, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(2, n, 3))
    return x, np.sin(2 * x[..., 0]) + x[..., 1] ** 2


def distances(a, b):
    return torch.cdist(torch.from_numpy(a), torch.from_numpy(b))


def search(results, folder, **changes):
    latents = changes.pop("latents", {})
    given = device_study().scales["gap"].pool.model_dump() | {"trials": 4, **changes}
    given["representations"] = {"descriptors": ["descriptors"]} | changes.get("representations", {})
    paths = (results / "features/gap.parquet", results / "data/gaps.parquet")
    outputs = (folder / "pool.parquet", folder / "order.parquet")
    return search_pool(*paths, *outputs, scale="gap", latents=latents, trials=PoolTrials(**given))


def table(**shares):
    return pd.concat(
        pd.DataFrame(
            {
                "representation": name,
                "way": "sound",
                "batch": 1,
                "trial": np.arange(len(values)),
                "view": np.arange(len(values)) % 2,
                "start": 10,
                "share": values,
                "found": True,
            }
        )
        for name, values in shares.items()
    )
