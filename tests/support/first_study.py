"""A first study for a table, from the header to the report, through the command line alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from nestmat import cli


def report_first_study(
    folder: Path,
    arguments: Sequence[str],
    change: Callable[[dict[str, Any], dict[str, Any]], None],
    *,
    epochs: int = 60,
    seeds: int = 2,
) -> None:
    """Write the study of ``mine.csv`` in a folder, make it smaller, check it and run it to its report.

    Args:
        folder: Folder with the table, where everything is written.
        arguments: Arguments of ``nestmat new`` besides the name and the table.
        change: Called with the study and its scale before it is checked.
        epochs: Epochs of the network.
        seeds: Seeds of the network.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.main(["new", "mine", "--data", "mine.csv", *arguments]) == 0
        study = yaml.safe_load((folder / "mine.yaml").read_text())
        scale = study["scales"]["materials"]
        scale["models"]["nestmat"]["specification"]["training"] |= {"epochs": epochs, "seeds": seeds}
        change(study, scale)
        (folder / "mine.yaml").write_text(yaml.safe_dump(study))
        assert cli.main(["validate", "mine.yaml"]) == 0
        assert cli.main(["report", "mine.yaml", "--cores", "2"]) == 0
