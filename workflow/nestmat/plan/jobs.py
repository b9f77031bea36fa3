"""Input functions and parameters of the rules that follow from a study, where no look-up does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from nestmat.config.scales import Scale
from nestmat.features.registry import BLOCKS


def ask(subject: Any, question: str, *names: str) -> Callable[[Any], Any]:
    """Input function: what a part of the study answers about the job with some wildcards.

    Args:
        subject: The study, or its entries by name, such as its scales, of which the first wildcard names one.
        question: Name of its method or attribute.
        names: Wildcards, whose values are the arguments.
    """

    def answer(wildcards: Any) -> Any:
        values = [getattr(wildcards, name) for name in names]
        entry = subject[values.pop(0)] if isinstance(subject, Mapping) else subject
        attribute = attrgetter(question)(entry)
        return attribute(*values) if callable(attribute) else attribute

    return answer


def grows(amount: int) -> Callable[..., int]:
    """Resource of a job: an amount, and as much again at every further attempt.

    Args:
        amount: What the first attempt takes: memory in MB, or minutes.

    Example:
        >>> grows(2000)({}, attempt=3)
        6000
    """

    def resource(_wildcards: Any, attempt: int) -> int:
        return amount * attempt

    return resource


def feature_threads(scale: Scale) -> int:
    """Threads of a job that featurizes: several where matminer does it, row by row."""
    return 4 if any(BLOCKS[kind].runs_matminer for kind in scale.block_kinds) else 1


def feature_memory(_wildcards: Any, threads: int, attempt: int) -> int:
    """Memory in MB of a job that featurizes: each further process loads matminer; more at every attempt."""
    return (1500 + 500 * threads) * attempt
