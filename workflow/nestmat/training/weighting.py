"""How much each row counts in what is learned from it: weights of rows, and uncertainties of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestmat.errors import InputError


@dataclass(frozen=True)
class Weighting:
    """How much rows count in what is fitted to them; alike by default.

    Attributes:
        weights: Weight of each row, 0 or more, (n,).
        uncertainty: Known standard uncertainty of each label, in its unit, (n,).

    Example:
        >>> Weighting(weights=np.array([1.0, 3.0])).shares
        array([0.5, 1.5])
        >>> Weighting(uncertainty=np.array([0.0, 1.0, 3.0])).shares.round(2)
        array([1.82, 0.91, 0.27])
    """

    weights: np.ndarray | None = None
    uncertainty: np.ndarray | None = None

    def of(self, rows: np.ndarray) -> Weighting:
        """The weighting of some rows, chosen by an index or a mask."""
        return Weighting(*(None if part is None else part[rows] for part in (self.weights, self.uncertainty)))

    @property
    def shares(self) -> np.ndarray | None:
        """What multiplies the loss of each row, of mean 1, (n,); None where all rows count alike."""
        if self.weights is None and self.uncertainty is None:
            return None
        product = np.ones(1) if self.weights is None else self.weights
        if self.uncertainty is not None:
            product = product * certainty(self.uncertainty, np.median(self.uncertainty))
        return product / product.mean()


def certainty(uncertainty: np.ndarray, typical: float | np.ndarray) -> np.ndarray:
    """Weights 1 / (s^2 + m^2) of labels with the standard uncertainties s, times m^2.

    A model errs too, in labels of any certainty, so that the inverse variance of a label alone would let the
    most certain rows outweigh all others. The error of the model is taken to be as large as m, the typical
    uncertainty: no label counts more than twice as much as a typical one.

    Args:
        uncertainty: s, of any shape.
        typical: m, positive: the median of the rows that train.

    Returns:
        Between 0 and 1, shaped as ``uncertainty``.
    """
    return 1.0 / (1.0 + np.square(uncertainty / typical))


def require_weights(weights: np.ndarray | None, train: np.ndarray, folds: np.ndarray) -> None:
    """Check that the training rows of every member weigh something.

    Args:
        weights: Weight of each row, (n,); None where all rows count alike.
        train: Rows that train, (members, n).
        folds: Fold that each member leaves out, for the message, (members,).

    Raises:
        InputError: All training rows of a member have the weight 0.
    """
    if weights is None:
        return
    if len(without := np.flatnonzero(~train[:, weights > 0].any(axis=1))):
        raise InputError(
            f"Without the rows of fold {folds[without[0]]} all rows that are left have the weight 0.",
            remedy="give more rows a positive weight, or divide the rows in another way.",
        )


ALIKE = Weighting()
"""The weighting of rows that count alike."""
