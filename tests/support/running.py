"""Run Python and Snakemake on a study in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from nestmat.paths import ROOT
from support.warm_python import WARM_PYTHON


def run_python(folder: Path, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a script, or a module after ``-m``, in a folder, by the library below ``root``."""
    library = [str(root / "workflow"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, library))}
    command = [os.environ.get(WARM_PYTHON, sys.executable), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)


def run_snakemake(
    folder: Path, *arguments: str, configfile: str = "study.yaml", root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on a study in a folder, by the rules and the library below ``root``."""
    command = ["-m", "snakemake", "--cores", "2", "--snakefile", str(root / "Snakefile")]
    return run_python(folder, *command, *arguments, "--configfile", configfile, root=root)


def snakemake(folder: Path, *arguments: str, configfile: str = "study.yaml", root: Path = ROOT) -> str:
    """Run Snakemake, which must succeed, and return what it prints."""
    done = run_snakemake(folder, *arguments, configfile=configfile, root=root)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def write_study(folder: Path, content: dict) -> Path:
    """Write the YAML file of a study."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def finish_study(
    folder: Path, content: dict, *targets: str, files: Mapping[str, str | Path | pd.DataFrame] | None = None
) -> Path:
    """Run a study in a folder.

    Args:
        folder: The working directory.
        content: The study, as its YAML file holds it.
        *targets: Files to make, below the results of the study; all results where there are none.
        files: Files that the study reads, by name: the text of a file, a table, which is written as CSV or
            Parquet, or the path of a file or folder, which is linked.

    Returns:
        The folder of the results.
    """
    for name, file in (files or {}).items():
        path = folder / name
        if isinstance(file, Path):
            path.symlink_to(file)
        elif isinstance(file, str):
            path.write_text(file, encoding="utf-8")
        elif path.suffix == ".parquet":
            file.to_parquet(path)
        else:
            file.to_csv(path, index=False)
    write_study(folder, content)
    results = Path("results", content["study"])
    snakemake(folder, *(str(results / target) for target in targets))
    return folder / results
