"""The figure of attributions."""

from __future__ import annotations

import pytest

from nestmat import tables
from nestmat.figures import style
from nestmat.figures.registry import FIGURES
from nestmat.labels.scales import Labels
from support.trained_alloys import labels


@pytest.fixture
def shown(trained) -> Labels:
    return labels(trained)


def test_the_beeswarm_says_which_side_is_which_class(trained, interpreted, shown):
    given = {"attributions": interpreted, "features": tables.read(trained / "alloys.parquet")}
    with style.sheet():
        figure = FIGURES["beeswarm"].draw(given, shown)
    ax = figure.axes[0]
    assert ax.get_title(loc="center") == "several ← → single"
    names = [label.get_text() for label in ax.get_yticklabels()]
    strength = interpreted.groupby("input")["value"].apply(lambda v: v.abs().mean()).sort_values()
    assert names == [name.capitalize() for name in strength.index if name != "shares"]
    assert "single" in ax.get_xlabel()
