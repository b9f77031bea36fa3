"""What a kind of baseline is: estimators of numbers, of a class, or of both, with the options of a study.

The modules of the kinds import scikit-learn and XGBoost where they build an estimator: a study names kinds
and their options long before any of them is fitted, and reading it does not wait for these imports.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nestmat.evaluation.estimators.target_transforms import (
    Numbers,
    Transform,
    build_transformer,
    learned_uncertainty,
)
from nestmat.evaluation.estimators.tuning import bound_folds
from nestmat.models.keys import predicted_quantities
from nestmat.training.weighting import ALIKE, Weighting


@dataclasses.dataclass(frozen=True)
class BaselineKind:
    """A kind of baseline. Its fields are the options of a study, and their defaults those of the kind.

    A kind that predicts numbers defines `regressor`, one that predicts the probability of a class defines
    `classifier`, and many define both. An estimator follows the interface of scikit-learn, and scales its
    inputs itself. Numbers reach it standardised by their training rows, and what it predicts is scaled back,
    so that no error depends on the unit of the target. Nothing but the training rows may reach `fit`.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Median(BaselineKind):
        ...     def regressor(self, seed):
        ...         from sklearn.dummy import DummyRegressor
        ...
        ...         return DummyRegressor(strategy="median")
        >>> Median.predicts_numbers(), Median.predicts_classes()
        (True, False)
        >>> x, y = np.zeros((3, 1)), np.array([1.0, 2.0, 6.0])
        >>> Median().fit(x, y, seed=0).predict(x)
        array([2., 2., 2.])
    """

    is_reference: ClassVar[bool] = False
    """Whether it is a rule so simple that every model should beat it, and is shown beside them."""
    stored_types: ClassVar[tuple[str, ...]] = ()
    """Types and functions, by module and name, that a fitted estimator holds besides what skops trusts (such
    as the estimators of scikit-learn) and what the module of the kind defines: only these are read back."""

    def regressor(self, seed: int) -> Any:
        """An unfitted estimator of standardised numbers.

        Args:
            seed: Seed of all that is random.
        """
        raise NotImplementedError

    def classifier(self, seed: int) -> Any:
        """An unfitted estimator with `predict_proba` for classes of the numbers 0, 1, and so on.

        Args:
            seed: Seed of all that is random.
        """
        raise NotImplementedError

    def target_scaler(self) -> Any:
        """An unfitted transformer of numbers (n, 1), which is a shift and a factor at most."""
        from sklearn.preprocessing import StandardScaler

        return StandardScaler()

    def regressor_from(self, fitted: Any, seed: int) -> Any:
        """An unfitted estimator of numbers for the rows that ``fitted`` was fitted to and further ones.

        A kind that searches spares the search here and keeps what it chose. The rows that are predicted take
        no part in either fit.

        Args:
            fitted: A regressor of this kind, fitted to some of the rows that are fitted now.
            seed: Seed of all that is random.
        """
        return self.regressor(seed)

    def standard_deviation(self, fitted: Any, x: Numbers) -> Numbers:
        """Standard deviation of predicted numbers in the unit that ``fitted`` learned in, (n,).

        A kind without this method is given the residual of predictions held out inside the training rows.

        Args:
            fitted: A fitted regressor of this kind.
            x: Inputs, (n, d).
        """
        raise NotImplementedError

    def mean_and_deviation(self, fitted: Any, x: Numbers) -> tuple[Numbers, Numbers]:
        """Predicted numbers and their `standard_deviation`, (n,) each; a kind may find both in one pass.

        Args:
            fitted: A fitted regressor of this kind.
            x: Inputs, (n, d).
        """
        return fitted.predict(x), self.standard_deviation(fitted, x)

    def notes_on_rows(self, rows: int) -> list[str]:
        """What becomes of a table of numbers with so many rows, in sentences without a full stop.

        Args:
            rows: Rows of the table.
        """
        return []

    @classmethod
    def predicts_numbers(cls) -> bool:
        """Whether the kind has a regressor."""
        return cls.regressor is not BaselineKind.regressor

    @classmethod
    def predicts_classes(cls) -> bool:
        """Whether the kind has a classifier."""
        return cls.classifier is not BaselineKind.classifier

    @classmethod
    def predicts(cls, classes: bool) -> bool:
        """Whether the kind predicts classes, or else numbers."""
        return cls.predicts_classes() if classes else cls.predicts_numbers()

    @classmethod
    def has_standard_deviation(cls) -> bool:
        """Whether the kind states the standard deviation of the numbers that it predicts."""
        return cls.standard_deviation is not BaselineKind.standard_deviation

    def stated_options(self) -> dict[str, Any]:
        """Options that a study states: those that are not None."""
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in options.items() if value is not None}

    def fit(
        self,
        x: Numbers,
        y: Numbers,
        seed: int,
        classes: bool = False,
        start: Any = None,
        transform: Transform = "none",
        weighting: Weighting = ALIKE,
    ) -> Any:
        """A fitted estimator.

        Args:
            x: Inputs, (n, d).
            y: Targets, (n,); of a class its number.
            seed: Seed of all that is random.
            classes: Whether the target is a class.
            start: What `fit` returned for some of these rows, see `regressor_from`; its transform of the
                target is kept.
            transform: What is learned of numbers. Of their logarithms the prediction is the median.
            weighting: How much the rows count.

        Raises:
            InputError: The logarithm is asked for of a target that is not positive.
        """
        if classes:
            rarest = int(np.unique(y, return_counts=True)[1].min())
            classifier = bound_folds(self.classifier(seed), rarest)
            return classifier.fit(x, y, **self.fit_parameters(classifier, weighting))
        from sklearn.base import clone
        from sklearn.compose import TransformedTargetRegressor

        # Libraries compare errors and gains with absolute limits: in a small unit trees would not split.
        if start is None:
            regressor = self.regressor(seed)
            transformer = build_transformer(transform, self.target_scaler(), x, y, seed)
        else:
            regressor, transformer = self.regressor_from(start.regressor_, seed), clone(start.transformer_)
        regressor = bound_folds(regressor, len(y))
        if weighting.uncertainty is not None:
            uncertainty = learned_uncertainty(transformer, y, weighting.uncertainty)
            weighting = dataclasses.replace(weighting, uncertainty=uncertainty)
        model = TransformedTargetRegressor(regressor, transformer=transformer)
        return model.fit(x, y, **self.fit_parameters(regressor, weighting))

    def weighs(self, classes: bool) -> bool:
        """Whether rows can count more or less in the fits of the kind.

        Args:
            classes: Whether the target is a class.
        """
        from sklearn.utils.validation import has_fit_parameter

        estimator = (self.classifier(seed=0) if classes else self.regressor(seed=0))[-1]
        # Searches and calibrations hand the weights on to what they fit.
        while getattr(estimator, "estimator", None) is not None:
            estimator = estimator.estimator
        return has_fit_parameter(estimator, "sample_weight")

    def fit_parameters(self, estimator: Any, weighting: Weighting) -> dict[str, Any]:
        """Arguments by which an estimator lets rows count more or less.

        Args:
            estimator: An unfitted pipeline; its last step takes ``sample_weight``.
            weighting: How much the rows count; the uncertainties are in the unit that is learned in.
        """
        shares = weighting.shares
        return {} if shares is None else {f"{estimator.steps[-1][0]}__sample_weight": shares}

    def probabilities(self, fitted: Any, x: Numbers) -> Numbers:
        """Probability of each class, (n, classes).

        Args:
            fitted: What `fit` returned for a target with classes.
            x: Inputs, (n, d).
        """
        return fitted.predict_proba(x)

    def predict(self, fitted: Any, x: Numbers, classes: bool = False) -> tuple[Numbers, Numbers]:
        """Mean and standard deviation, NaN where none is stated; (n,) each.

        Of two classes the mean is the probability of the second, of more see `probabilities`.

        Args:
            fitted: What `fit` returned.
            x: Inputs, (n, d).
            classes: Whether the target is a class.
        """
        none = np.full(len(x), np.nan)
        if classes:
            return self.probabilities(fitted, x)[:, 1], none
        if not self.has_standard_deviation():
            return fitted.predict(x), none
        learned, std = self.mean_and_deviation(fitted.regressor_, x)
        mean, low, high = (
            fitted.transformer_.inverse_transform(values[:, None])[:, 0]
            for values in (learned, learned - std, learned + std)
        )
        return mean, (high - low) / 2

    def predict_quantities(
        self, fitted: Any, x: Numbers, target: str, classes: Sequence[str] = ()
    ) -> dict[str, tuple[Numbers, Numbers]]:
        """What `predict` returns, of each quantity of a target.

        See `nestmat.models.keys.predicted_quantities`.

        Args:
            fitted: What `fit` returned.
            x: Inputs, (n, d).
            target: Name of the target.
            classes: Names of its classes; empty for a number.
        """
        quantities = predicted_quantities(target, classes)
        if len(quantities) == 1:
            return {target: self.predict(fitted, x, len(classes) > 0)}
        none, of_classes = np.full(len(x), np.nan), self.probabilities(fitted, x).T
        return {name: (mean, none) for name, mean in zip(quantities, of_classes, strict=True)}
