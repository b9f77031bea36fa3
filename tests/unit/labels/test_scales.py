"""Names of the latents of a scale."""

from __future__ import annotations

import pytest

from nestmat.labels.scales import Labels
from nestmat.labels.text import latent_symbol
from support.trained_alloys import labels


@pytest.fixture
def shown(trained) -> Labels:
    return labels(trained)


def test_latents_behind_z_are_called_y(shown):
    assert shown.latent("z2") == latent_symbol("z2")
    assert shown.latent("z3") == "y"
