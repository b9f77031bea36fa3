"""How far a long job is: a bar on a terminal, else a line in the log now and then."""

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
    title: str, total: int, unit: str, interval: float = 10.0
) -> Iterator[Callable[[int, Callable[[], str]], None]]:
    """Report a job that counts what it has done.

    Args:
        title: What is done.
        total: How much in all.
        unit: Of what, in the plural.
        interval: Seconds between lines in the log.

    Yields:
        A function of how much is done and of a function that describes it further: this may wait for the
        device, so it is called only when something is shown.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}, {{task.fields[more]}}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(title, total=total, more="-")
    begun = shown = time.monotonic()

    def report(done: int, more: Callable[[], str]) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < (0.5 if console.is_terminal else interval):
            return
        shown = now
        rate = done / (now - begun)
        text = f"{rate:,.0f}/s, {more()}"
        if console.is_terminal:
            bar.update(task, completed=done, more=text)
            return
        seconds_left = (total - done) / max(rate, 1e-9)
        log.info("%s: %d of %d %s, %s, about %.0f s left", title, done, total, unit, text, seconds_left)

    with bar:
        yield report
        bar.update(task, completed=total)
