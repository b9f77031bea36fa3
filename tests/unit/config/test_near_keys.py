"""Keys that are spelt nearly as one that a study may not have."""

from __future__ import annotations

import pytest

from nestmat.config.near_keys import near_keys
from nestmat.config.study import Study


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("titel", ["title"]),
        ("strict.fold", ["folds"]),
        ("scales.gap.models.net.specification.encoder.latens", ["latents"]),
        # An option of one kind of network, of those that share a base class.
        ("scales.gap.models.net.specification.penaltis", ["penalties"]),
        # Of a data set that is either a name or an entry.
        ("datasets.rows.DatasetSpec.colums", ["columns"]),
        ("datasets.rows.columns.gap.unti", ["unit"]),
        ("search.strong.targets.0.tolerence", ["tolerance"]),
        ("scales.gap.zzz", []),
    ],
)
def test_the_key_is_sought_where_the_path_leads(path, near):
    steps = [int(step) if step.isdigit() else step for step in path.split(".")]
    assert near_keys(Study, steps)[:1] == near
