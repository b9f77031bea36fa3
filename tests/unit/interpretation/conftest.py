"""Small trained scales that are interpreted."""

from __future__ import annotations

import pytest

from nestmat.interpretation.members import Explained
from support.trained_toy import model_in, write_scale


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    write_scale(folder)
    return folder


@pytest.fixture(scope="session")
def explained(folder):
    return Explained.read(model_in(folder))
