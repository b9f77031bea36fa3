"""Run Snakemake on a study in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nestmat.paths import ROOT


def snakemake(folder: Path, *arguments: str, configfile: str = "study.yaml") -> str:
    """Run Snakemake on a study in a folder, and return what it says."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(ROOT / "Snakefile")]
    command += [*arguments, "--configfile", configfile]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
