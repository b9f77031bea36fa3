"""Tables of latents as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nestmat.errors import InputError
from nestmat.training.scale_data import is_latent


def latents_by_member(
    frame: pd.DataFrame, members: np.ndarray, row_id: np.ndarray, path: str | Path
) -> tuple[np.ndarray, np.ndarray]:
    """Latents and training rows of some members, from the table of all of them.

    Args:
        frame: Table of latents: member, row_id, split and the latents.
        members: Numbers of the members, (members,).
        row_id: Rows, (n,).
        path: File of the table, for messages.

    Returns:
        Latents, (members, n, latents), and whether the member trained on the row, (members, n).

    Raises:
        InputError: The table lacks a member or a row.
    """
    columns = [name for name in frame.columns if is_latent(name)]
    index = pd.MultiIndex.from_product([members, row_id])
    frame = frame.set_index(["member", "row_id"])[[*columns, "split"]].reindex(index)
    if frame["split"].isna().any():
        raise InputError(
            "The table lacks latents of a member or of a row of the features.",
            file=path,
            remedy="train the scale again.",
        )
    shape = (len(members), len(row_id))
    return (
        frame[columns].to_numpy(np.float64).reshape(*shape, len(columns)),
        (frame["split"] == "train").to_numpy().reshape(shape),
    )
