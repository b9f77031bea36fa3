"""Command lines: what makes the results of a study again, and what every job begins with."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from nestmat.errors import InputError


def repeat_command(snakefile: str | Path, configfiles: Iterable[str | Path], folder: str | Path) -> str:
    """The command line that makes the results of a study again, as the report shows it.

    It is quoted for a shell, and serves in any folder.

    Args:
        snakefile: The Snakefile of the workflow.
        configfiles: Files of the study that were named on the command line; by default ``config.yaml`` beside
            the Snakefile.
        folder: Working directory of the run, which holds the results.

    Example:
        >>> repeat_command("/nestmat/Snakefile", ["/data/my study.yaml"], "/data")
        "cd /data && nestmat report 'my study.yaml'"
    """
    paths = [Path(folder, file) for file in configfiles] or [Path(snakefile).parent / "config.yaml"]
    files = [str(path.relative_to(folder) if path.is_relative_to(folder) else path) for path in paths]
    words = ["nestmat", "report", *files]
    if len(files) > 1:
        words = ["snakemake", "--cores", "all", "--snakefile", str(snakefile), "--configfile", *files]
    return f"cd {shlex.quote(str(folder))} && {shlex.join(words)}"


def library_prefix(folder: str | Path) -> str:
    """What the shell commands of jobs begin with to find the library: a format string of Snakemake.

    Args:
        folder: Folder of the Snakefile.

    Raises:
        InputError: The path of the folder has braces.

    Example:
        >>> print(library_prefix("/my nestmat"))
        set -euo pipefail; export PYTHONPATH='/my nestmat/workflow'"${{PYTHONPATH:+:$PYTHONPATH}}";
    """
    if {"{", "}"} & set(str(folder)):
        raise InputError(
            "The path of nestmat has braces, in which Snakemake reads wildcards.",
            file=folder,
            remedy="move nestmat into a folder without braces in its path.",
        )
    library = shlex.quote(f"{folder}/workflow")
    return f'set -euo pipefail; export PYTHONPATH={library}"${{{{PYTHONPATH:+:$PYTHONPATH}}}}";'
