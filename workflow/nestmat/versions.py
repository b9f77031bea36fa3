"""What a result was made with: code, packages, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from typing import Any

import nestmat
from nestmat.paths import ROOT

PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "xgboost-cpu",
    "skops",
    "pymatgen",
    "matminer",
    "snakemake",
    "mlflow",
    "safetensors",
    "zuko",
    "matplotlib",
)


def packages() -> dict[str, str]:
    """Version of each package that results depend on; those not installed are left out."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def commit() -> str | None:
    """Commit of the checked-out code, with ``+`` where files differ from it; None outside a clone."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def environment() -> dict[str, Any]:
    """Versions of the code, of Python and of the packages, and the machine."""
    return {
        "nestmat": nestmat.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "packages": packages(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
    }
