"""The interpreter that has GPAW, which is not that of nestmat."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from nestmat.errors import InputError

INSTALLATION = (
    "get GPAW with `apt-get install gpaw gpaw-data` (Debian, Ubuntu) or `conda create -n gpaw -c conda-forge "
    "gpaw`, name its interpreter by an absolute path as dft.python, and try `nestmat dft check`."
)


# Run by the other interpreter. Lead stands for the data sets of all elements.
_PROBE = """
import glob, json, os, platform, sys
import ase, gpaw, numpy
data = [path for path in gpaw.setup_paths if glob.glob(os.path.join(path, "Pb.PBE*"))]
print(json.dumps({"python": platform.python_version(), "gpaw": gpaw.__version__, "ase": ase.__version__,
                  "numpy": numpy.__version__, "data": data[0] if data else None}))
"""


def search_path() -> str:
    """PATH without the programs of the virtual environment that nestmat runs in, which has no GPAW."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    own = str(Path(sys.prefix) / "bin")
    return os.pathsep.join(f for f in folders if sys.prefix == sys.base_prefix or f != own)


def check_interpreter(python: str) -> dict[str, str]:
    """Whether an interpreter has GPAW.

    Args:
        python: Path of the interpreter, or its name on `search_path`.

    Returns:
        ``interpreter``, the versions of ``python``, ``gpaw``, ``ase`` and ``numpy``, and ``data``, the folder
        of the PAW data sets.

    Raises:
        InputError: There is no such interpreter, or it lacks GPAW or the data sets.
    """
    path = search_path()
    program = shutil.which(python, path=path)
    if program is None:
        raise InputError(
            f"There is no program {python!r}.", key="dft.python", value=python, remedy=INSTALLATION
        )
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [program, "-c", _PROBE], capture_output=True, text=True, env=environment, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(
            f"The interpreter cannot be run: {error}.", key="dft.python", value=program, remedy=INSTALLATION
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InputError(
            f"The interpreter has no GPAW: {reason}.", key="dft.python", value=program, remedy=INSTALLATION
        )
    # GPAW may print more on the way; the last line is that of the probe.
    versions = json.loads(done.stdout.splitlines()[-1])
    if versions["data"] is None:
        raise InputError(
            "The interpreter has GPAW without PAW data sets.",
            key="dft.python",
            value=program,
            remedy="get them with `apt-get install gpaw-data` or `gpaw install-data <folder>`, or name their "
            "folder by GPAW_SETUP_PATH.",
        )
    return {"interpreter": program, **versions}
