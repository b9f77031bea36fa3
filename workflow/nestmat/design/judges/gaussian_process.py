"""A Gaussian process as a judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nestmat.design.judges.learned import LearnedJudge, Numbers, Predict
from nestmat.design.judges.registry import JUDGES

SMOOTHNESS = (0.5, 1.5, 2.5)
"""Orders of the Matern kernel that have a closed form."""


@JUDGES.register("gaussian_process")
@dataclass(frozen=True)
class GaussianProcess(LearnedJudge):
    """Gaussian processes for every target of the chain, with a length scale a feature, exact on all rows.

    Where the head of the searched model has a floor, so has the process.

    Attributes:
        nu: Smoothness of the Matern kernel: 0.5, 1.5 or 2.5.
        rows: Rows, of those above the floor, that the length scales are fitted to.
    """

    title: ClassVar[str] = "Gaussian process"

    nu: float = 1.5
    rows: int = field(default=1000, metadata={"ge": 20})

    def __post_init__(self) -> None:
        if self.nu not in SMOOTHNESS:
            raise ValueError(f"The smoothness nu is {self.nu}, and has to be 0.5, 1.5 or 2.5")

    def fit_target(self, x: Numbers, y: Numbers, floor: float | None) -> Predict:
        """The process of one target."""
        from nestmat.evaluation.estimators.censored_process import CensoredProcess

        return CensoredProcess(floor, self.nu, self.rows).fit(x, y).predict
