"""The command line that makes the results of a study again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path


def repeat_command(snakefile: str | Path, configfiles: Iterable[str | Path], folder: str | Path) -> str:
    """The command line that makes the results of a study again, as the report shows it.

    Args:
        snakefile: The Snakefile of the workflow.
        configfiles: Files of the study that were named on the command line.
        folder: Working directory of the run, which holds the results.

    Example:
        >>> repeat_command("/nestmat/Snakefile", ["mine.yaml"], "/nestmat")
        'snakemake --cores all --configfile mine.yaml'
        >>> repeat_command("/nestmat/Snakefile", ["/data/mine.yaml"], "/data")
        'cd /data && snakemake --cores all --snakefile /nestmat/Snakefile --configfile mine.yaml'
    """
    elsewhere = Path(snakefile).resolve().parent != Path(folder).resolve()
    files = [Path(folder, file) for file in configfiles]
    files = [file.relative_to(folder) if file.is_relative_to(folder) else file for file in files]
    words = ["snakemake", "--cores", "all"]
    words += ["--snakefile", str(snakefile)] if elsewhere else []
    words += ["--configfile", *map(str, files)] if files else []
    return (f"cd {shlex.quote(str(folder))} && " if elsewhere else "") + shlex.join(words)
