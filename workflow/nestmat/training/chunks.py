"""Train the members of a model in chunks that fit into memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from nestmat.errors import InputError
from nestmat.models.base import ScaleModel
from nestmat.models.specification import Specification, Training
from nestmat.progress import reporting
from nestmat.training.batches import Rows, RowSource, pack
from nestmat.training.members import Members, hold_out
from nestmat.training.scale_data import ScaleData
from nestmat.training.scaling import Scalers, fit_scalers
from nestmat.training.trainer import Trainer, pick_device
from nestmat.training.weighting import require_weights

# Bytes that the tensors of one chunk of members may take.
CHUNK_BYTES = 300_000_000


def chunk_members(
    specification: Specification, data: ScaleData, members: Members, budget: int
) -> list[np.ndarray]:
    """Divide members into chunks that fit a memory budget.

    Members of a chunk have the same number of steps an epoch: the longest would make the others take empty
    steps.

    Args:
        specification: Model to train.
        data: Rows of the scale.
        members: All members.
        budget: Bytes a chunk.

    Returns:
        Indices into ``members`` of each chunk.
    """
    count = (members.train | (members.unlabelled & specification.takes_unlabelled_rows)).sum(axis=1)
    size = specification.training.batch_size
    steps = np.ones_like(count) if size is None else -(-count // size)
    blocks = {*specification.inputs, *specification.heads}
    stored = sum(len(data.columns.get(name, "1")) for name in blocks)
    heads = specification.heads.values()
    hidden = sum(specification.encoder.hidden) + sum(sum(h.hidden) for h in heads)
    rows = int(count.max()) if size is None else size
    read = stored * specification.pieces
    numbers = 3 * len(data) * stored + 8 * rows * (hidden + read) + 8 * hidden * (read + 30)
    largest = max(1, budget // (4 * numbers))
    chunks = []
    for value in np.unique(steps):
        members_of_length = np.flatnonzero(steps == value)
        members_of_length = members_of_length[np.argsort(count[members_of_length], kind="stable")]
        chunks += np.array_split(members_of_length, -(-len(members_of_length) // largest))
    return chunks


def train_members(
    specification: Specification,
    data: ScaleData,
    members: Members,
    *,
    device: str = "auto",
    budget: int = CHUNK_BYTES,
    title: str = "training",
) -> tuple[torch.Tensor, Scalers, pd.DataFrame]:
    """Train members in chunks.

    Args:
        specification: The model.
        data: Rows of the scale, parents' latents included.
        members: Members and their rows.
        device: ``auto``, ``cpu`` or ``cuda``.
        budget: Bytes a chunk of members may take.
        title: Name in progress reports.

    Returns:
        Parameters (members, parameters), the scalers, and the history table.

    Raises:
        InputError: Training diverged.
    """
    target = pick_device(device)
    scalers = fit_scalers(specification, data, members)
    held_out_rows = held_out(specification, data, members)
    require_weights(data.weights, members.train & ~held_out_rows, members.fold)

    def start(chunk: np.ndarray) -> Start:
        part, scaled = members[chunk], {name: scaler[chunk] for name, scaler in scalers.items()}
        model = specification.network(data.shapes, members.keys()[chunk].tolist())
        model.flat = model.flat.to(target)

        def rows(chosen: np.ndarray) -> Rows:
            return pack(specification, data, part, scaled, chosen, target)

        return Start(
            model,
            rows(
                part.train & ~held_out_rows[chunk] | (part.unlabelled & specification.takes_unlabelled_rows)
            ),
            rows(held_out_rows[chunk]) if held_out_rows.any() else None,
            rows(part.validation) if part.validation.any() else None,
        )

    chunks = chunk_members(specification, data, members, budget)
    flat, history = train_chunks(specification.training, members, chunks, start, title)
    return flat, scalers, history


def held_out(specification: Specification, data: ScaleData, members: Members) -> np.ndarray:
    """Training rows that each member is stopped by, (members, n); none where it trains to the last epoch."""
    if specification.training.stop == "last":
        return np.zeros_like(members.train)
    return hold_out(members.train, data.group, specification.training.holdout, members.keys())


@dataclass(frozen=True)
class Start:
    """A chunk of members before training.

    Attributes:
        model: With the first weights.
        train: Rows that train.
        holdout: Rows that stop the training, if any.
        validation: Rows that are only looked at, if any.
    """

    model: ScaleModel
    train: RowSource
    holdout: RowSource | None
    validation: RowSource | None


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for the next step; without effect where it is not glibc.

    By default glibc returns the large tensors of each step to the system and asks for them again in the next,
    which costs a third of the time of a step in page faults.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        m_trim_threshold, m_mmap_threshold = -1, -3
        library.mallopt(m_trim_threshold, 256 * 2**20)
        library.mallopt(m_mmap_threshold, 32 * 2**20)


def train_chunks(
    training: Training,
    members: Members,
    chunks: Sequence[np.ndarray],
    start: Callable[[np.ndarray], Start],
    title: str,
) -> tuple[torch.Tensor, pd.DataFrame]:
    """Train members, one chunk of them after the other.

    Args:
        training: Optimisation.
        members: All members.
        chunks: Indices of the members of each chunk.
        start: Makes model and rows of a chunk.
        title: Name in progress reports.

    Returns:
        Parameters (members, parameters) and the history table.

    Raises:
        InputError: A member's parameters are not finite.
    """
    keep_freed_memory()
    keys = torch.from_numpy(members.keys().astype(np.uint32).view(np.int32).copy())
    parameters_by_member: list[torch.Tensor | None] = [None] * len(members)
    history, done = [], 0
    epochs = training.epochs
    with reporting(f"{title}: {len(members)} members", len(members) * epochs, "member epochs") as report:

        def report_epoch(done: int, size: int, epoch: int, loss: Callable[[], float]) -> None:
            report(
                done * epochs + size * epoch,
                lambda: f"epoch {epoch}/{epochs} of members {done + 1}-{done + size}, loss {loss():.4g}",
            )

        for chunk in chunks:
            chunk_start = start(chunk)
            model = chunk_start.model
            trainer = Trainer(
                model,
                training,
                keys[torch.from_numpy(chunk)].to(model.flat.device),
                chunk_start.train,
                chunk_start.holdout,
                chunk_start.validation,
            )
            curves = trainer.fit(partial(report_epoch, done, len(chunk)))
            history.append(curves.frame(chunk))
            for member, parameters in zip(chunk, model.flat.cpu(), strict=True):
                parameters_by_member[member] = parameters
            done += len(chunk)
    flat = torch.stack([parameters for parameters in parameters_by_member if parameters is not None])
    if diverged := int((~torch.isfinite(flat)).any(dim=1).sum()):
        raise InputError(
            f"{diverged} of {len(flat)} members diverged.",
            key="training.learning_rate",
            value=training.learning_rate,
            remedy="lower the learning rate.",
        )
    return flat, pd.concat(history, ignore_index=True)
