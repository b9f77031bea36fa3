"""What is found of materials that may be unlike the training data, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSIDE, EDGE, OUTSIDE = 0, 1, 2
"""Codes of the verdicts, in the order of the distance from the training data."""
VERDICTS = ("inside", "edge", "outside")
"""Words of the verdicts by code."""


@dataclass(frozen=True)
class Finding:
    """How materials stand in one respect.

    Attributes:
        codes: Verdict on each material in this respect, (n,).
        reason: Returns the reason of the verdict on a material by its number, a fragment of a sentence.
    """

    codes: NDArray[np.int8]
    reason: Callable[[int], str]

    @classmethod
    def where(cls, code: int, rows: NDArray[np.bool_], reason: Callable[[int], str]) -> Finding:
        """One verdict on the rows of a mask (n,); the others are inside."""
        return cls(np.where(rows, code, INSIDE).astype(np.int8), reason)


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on n materials: the worst of several findings; of equal ones the first gives the reason.

    Attributes:
        codes: `INSIDE`, `EDGE` or `OUTSIDE`, (n,).
        findings: The findings, the strongest first.

    Example:
        >>> far = Finding.where(EDGE, np.array([True, True, False]), lambda row: "it is far")
        >>> odd = Finding.where(OUTSIDE, np.array([False, True, False]), lambda row: f"row {row} is odd")
        >>> verdicts = Verdicts.of([far, odd])
        >>> verdicts.words, verdicts.reasons
        (['edge', 'outside', 'inside'], ['it is far', 'row 1 is odd', ''])
    """

    codes: NDArray[np.int8]
    findings: Sequence[Finding]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Verdicts:
        """The worst of some findings on the same materials."""
        return cls(np.max([finding.codes for finding in findings], axis=0), findings)

    @property
    def words(self) -> list[str]:
        """Verdict on each material as one of `VERDICTS`."""
        return [VERDICTS[code] for code in self.codes]

    @cached_property
    def _deciding(self) -> NDArray[np.int64]:
        """Number of the finding that gives the reason, (n,)."""
        return np.argmax([finding.codes == self.codes for finding in self.findings], axis=0)

    def reason(self, row: int) -> str:
        """Reason of the verdict on a material: a fragment of a sentence with its values, empty inside."""
        return self.findings[self._deciding[row]].reason(row) if self.codes[row] != INSIDE else ""

    @property
    def reasons(self) -> list[str]:
        """Reason of each verdict; see `reason`."""
        return [self.reason(row) for row in range(len(self.codes))]

    def columns(self) -> dict[str, Any]:
        """Columns ``domain`` and ``reason`` of a table with a row a material."""
        return {"domain": self.words, "reason": self.reasons}


def worst_of_chain(scale: str, by_scale: Mapping[str, Verdicts]) -> Verdicts:
    """Verdicts along a chain: the worst of a scale and of those that it reads.

    Args:
        scale: Scale that predicts. Of equal verdicts its own gives the reason, and then the nearest scale.
        by_scale: Verdicts of it and of its ancestors on the same materials, parents first.
    """
    findings = [
        Finding(verdicts.codes, verdicts.reason if name == scale else _at_scale(name, verdicts.reason))
        for name, verdicts in reversed(list(by_scale.items()))
    ]
    return Verdicts.of(findings)


def _at_scale(scale: str, reason: Callable[[int], str]) -> Callable[[int], str]:
    return lambda row: f"at scale {scale} {reason(row)}"
