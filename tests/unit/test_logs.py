"""The registry, the download and the readers, on the published files and on a server that misbehaves."""

from __future__ import annotations

import logging

import pytest

from nestmat.errors import InputError
from nestmat.logs import log_to


def test_job_log_of_bad_input(tmp_path, capsys):
    path = tmp_path / "logs" / "job.log"
    with pytest.raises(SystemExit) as caught, log_to(path):  # noqa: PT012
        logging.getLogger("nestmat.x").info("working")
        raise InputError("is wrong.", file="a.csv", row=3, remedy="mend it.")
    assert caught.value.code == 1
    shown = capsys.readouterr().err
    assert "working" in shown
    assert "a.csv, row 3: is wrong. Remedy: mend it." in shown
    assert "Traceback" not in shown
    assert "Traceback" in path.read_text()
    assert not [h for h in logging.getLogger().handlers if getattr(h, "baseFilename", "") == str(path)]


def test_job_log_of_a_fault(tmp_path):
    path = tmp_path / "job.log"
    with pytest.raises(ZeroDivisionError), log_to(path):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in path.read_text()
