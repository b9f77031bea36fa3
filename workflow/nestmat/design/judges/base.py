"""What every judge of designed materials is.

The modules of the kinds import scikit-learn where they fit: a study names judges and their options long
before any of them is trained.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nestmat.design.problem import Design


JudgedQuantities = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Mean and standard deviation (n,) by quantity; NaN where a judge states none."""


class FittedJudge(Protocol):
    """A judge that can predict."""

    def predict(self, table: pd.DataFrame, judged: Mapping[str, JudgedQuantities]) -> JudgedQuantities:
        """Predict quantities of materials.

        Args:
            table: Rows as `nestmat.features.table.featurize` takes them.
            judged: Predictions of the judges that this one needs, by kind.

        Returns:
            By ``<scale>.<target>``.
        """


@dataclass(frozen=True)
class Judge(ABC):
    """A judge with its options, which are the fields of the subclass.

    The class attributes answer what configuration, report and figures need to know of a kind.
    """

    title: ClassVar[str]
    """Name inside a sentence."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Judges whose predictions it takes."""
    can_be_searched: ClassVar[bool] = False
    """Whether a search may take its predictions instead of those of the searched model."""
    needs_devices: ClassVar[bool] = False
    """Whether it judges simulated devices alone."""

    @property
    def quantities(self) -> Sequence[str]:
        """Quantities of the problem that the options name."""
        return ()

    @abstractmethod
    def fit(self, design: Design) -> FittedJudge:
        """The judge, trained on what the searched members have not seen.

        Args:
            design: The problem with the searched members, which left out a fold, and data sets.
        """
