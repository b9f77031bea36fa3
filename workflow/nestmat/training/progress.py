"""How far the training of members is: a bar on a terminal, else a line in the log now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


@contextmanager
def reporting(
    title: str, members: int, epochs: int, every: float = 10.0
) -> Iterator[Callable[[int, int, int, Callable[[], float]], None]]:
    """Report epochs of a training run that proceeds in chunks of members.

    Args:
        title: What is trained.
        members: Members in all.
        epochs: Epochs of each.
        every: Seconds between lines in the log.

    Yields:
        A function of the members that are done, the members in training, the epoch, and a function that gives
        the mean loss: reading it waits for the device, so it is called only when something is shown.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("member epochs, loss {task.fields[loss]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(f"{title}: {members} members", total=members * epochs, loss="-")
    begun = shown = time.monotonic()

    def report(done: int, training: int, epoch: int, loss: Callable[[], float]) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < (0.5 if console.is_terminal else every):
            return
        shown = now
        finished = done * epochs + training * epoch
        if console.is_terminal:
            bar.update(task, completed=finished, loss=f"{loss():.4g}")
            return
        left = (now - begun) * (members * epochs / max(finished, 1) - 1)
        log.info(
            "%s: epoch %d/%d of members %d-%d of %d, loss %.4g, about %.0f s left",
            *(title, epoch, epochs, done + 1, done + training, members, loss(), left),
        )

    with bar:
        yield report
        bar.update(task, completed=members * epochs)
