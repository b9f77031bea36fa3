"""Inputs drawn at random: how many of them, a watchdog over each, and what work costs in steps.

A test of this kind states that any input is right or refused::

    @fuzz(formulas())
    def test_any_formula_is_right_or_refused(text):
        try:
            formula = parse(text)
        except InputError as error:
            refused(error)
            return
        accepted()
        ...

`make fuzz` draws 20,000 inputs a test from a seed that it prints, the suite 500, always the same ones.
Hypothesis makes a failing input as small as it can, and names it.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from hypothesis import HealthCheck, event, given, seed, settings
from hypothesis.strategies import SearchStrategy

from nestmat.errors import InputError

COUNT = int(os.environ.get("NESTMAT_FUZZ_COUNT", "500"))
"""Inputs a test."""
SEED = os.environ.get("NESTMAT_FUZZ_SEED")
"""Seed of the inputs; None draws the same ones each time."""
PATIENCE = 30
"""Seconds after which an input is taken to hang."""


def fuzz(*strategies: SearchStrategy[Any], share: int = 1) -> Callable[[Callable[..., None]], Any]:
    """Run a test on `COUNT` inputs.

    Args:
        *strategies: What the arguments of the test are drawn from.
        share: Number of tests that share `COUNT`: with 4 the test takes a fourth of it.
    """
    few = settings(
        max_examples=max(1, COUNT // share),
        deadline=None,
        database=None,
        derandomize=SEED is None,
        suppress_health_check=list(HealthCheck),
    )

    def decorate(test: Callable[..., None]) -> Any:
        drawn = few(given(*strategies)(watch(test)))
        return drawn if SEED is None else seed(int(SEED))(drawn)

    return decorate


def watch(test: Callable[..., Any]) -> Callable[..., Any]:
    """A function that fails where it takes more than `PATIENCE`."""

    def bark(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise AssertionError(f"The input takes more than {PATIENCE} s.")

    @functools.wraps(test)
    def watched(*arguments: Any, **named: Any) -> Any:
        before = signal.signal(signal.SIGALRM, bark)
        signal.alarm(PATIENCE)
        try:
            return test(*arguments, **named)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)

    return watched


def accepted() -> None:
    """Count an input that was read."""
    event("read")


def refused(error: InputError) -> None:
    """Count an input that was refused, and check that its message is a sentence on one thing.

    Args:
        error: Why it was.
    """
    event("refused")
    assert error.message.strip().endswith((".", "?")), f"no whole sentence: {error.message!r}"
    assert "Traceback" not in str(error)
    assert len(str(error)) < 4000, f"a message of {len(str(error))} characters"


def count_steps(work: Callable[[], Any]) -> int:
    """Lines of Python that some work executes: its cost, alike on any machine."""
    steps = 0

    def trace(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal steps
        steps += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


def assert_cost_grows_as_the_input(work: Callable[[int], Any], size: int) -> None:
    """Check that four times as much input costs at most five times as many steps.

    Args:
        work: What is done with an input of some size. What is computed once only has to be done before.
        size: The smaller size.
    """
    small, large = (count_steps(lambda n=n: work(n)) for n in (size, 4 * size))
    assert large <= 5 * small, f"{small} steps for {size}, {large} for {4 * size}"
