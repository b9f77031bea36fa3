"""The generators of data sets, by the kind that a study names."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from nestmat.plugins import Registry

GENERATORS: Registry[Callable[..., pd.DataFrame]] = Registry(
    "generator of data sets",
    {
        "nested_functions": "nestmat.data.generators",
        "perovskite_devices": "nestmat.physics.perovskite_devices",
        "perovskite_space": "nestmat.data.generators",
    },
)
"""Functions that make a table; their parameters are the options of a study, described under `Args`."""
