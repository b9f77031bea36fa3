"""Tables of predictions that are verified by DFT."""

from __future__ import annotations

import numpy as np

from nestmat import tables
from nestmat.design.problem import Design
from nestmat.search.candidate_table import DOMAIN_COLUMNS

VERIFIED: tables.Schema = {
    "formula": tables.Column("string"),
    "quantity": tables.Column("string"),
    "wanted": tables.Column("float64", description="value that the problem asks for; NaN for no value"),
    "mean": tables.Column("float64", description="prediction, in the unit of the row"),
    "std": tables.Column("float64", description="predicted standard deviation"),
    "calculated": tables.Column("float64", description="by DFT, in the unit of the row"),
    "unit": tables.Column("string"),
    **DOMAIN_COLUMNS,
    "trained_on": tables.Column("bool", description="whether the members were trained on it"),
}


def target_value(design: Design, quantity: str) -> float:
    """Value that a problem has as target of a quantity; NaN where it has none."""
    targets = design.config.targets
    values = [t.value for t in targets if t.quantity == quantity and t.value is not None]
    return values[0] if values else np.nan
