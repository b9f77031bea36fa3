"""DFT calculations: configuration, structures, journal, tables, rules; and GPAW itself where it is there."""

from __future__ import annotations

import sys

import pytest
import yaml

from nestmat import cli
from nestmat.dft import interpreter
from support.dft_studies import TERNARIES, study


def test_check_says_how_to_get_gpaw(tmp_path, capsys):
    assert cli.main(["dft", "check", "--python", sys.executable]) == 1
    told = capsys.readouterr().err
    for part in (sys.executable, "has no GPAW", "apt-get install gpaw gpaw-data", "conda-forge"):
        assert part in told
    assert cli.main(["dft", "check", "--python", "no-such-python"]) == 1
    assert "no program 'no-such-python'" in capsys.readouterr().err
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study(python="other-python", sets={"t": TERNARIES})))
    assert cli.main(["dft", "check", "--configfile", str(tmp_path / "study.yaml")]) == 1
    assert "other-python" in capsys.readouterr().err


def test_check_prints_versions_and_data_sets(gpaw, capsys):
    assert cli.main(["dft", "check", "--python", gpaw]) == 0
    told = capsys.readouterr().out
    for part in ("gpaw", "ase", "data"):
        assert f"\n{part} " in told


def test_a_bare_name_is_not_that_of_the_virtual_environment(monkeypatch):
    if sys.prefix == sys.base_prefix:
        pytest.skip("needs a virtual environment")
    own = f"{sys.prefix}/bin"
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    assert interpreter.search_path() == "/usr/bin:/bin"
