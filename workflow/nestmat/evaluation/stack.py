"""The recommended predictor: a convex combination of models, with equal weights or learned ones.

For each fold the members of the stack have predicted rows that were held out inside its training rows.
Weights are learned on those, the spread on these and on regions that members left out whole
(`nestmat.evaluation.spread`), and both are applied to the fold's validation rows, which took no part.
Of a target with classes the probabilities are combined, by weights that minimise the log loss, over all
classes at once where there are more than two; the standard deviation is that among the members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from nestmat import seals, tables
from nestmat.domains.standing import Standing
from nestmat.errors import InputError
from nestmat.evaluation.classification import CERTAIN
from nestmat.evaluation.spread import Spread
from nestmat.evaluation.standings import StackedScale
from nestmat.models.keys import RECOMMENDED, predicted_quantities
from nestmat.scales.predictions import Predictions
from nestmat.training.inner_folds import EXTRAPOLATED

PRIOR_SPREAD = 0.1
"""Standard deviation of a weight around 1 / members in the prior."""

RENEWALS = 25
"""Renewals of the weights of the residuals; the weights of the members settle within a thousandth in ten."""

STEPS_OF_MIXTURE = 300
"""Steps after which the weights of classifiers do not move."""

KEYS = ["target", "repeat", "fold"]


def convex_weights(
    predictions: np.ndarray, true: np.ndarray, prior_spread: float = PRIOR_SPREAD
) -> np.ndarray:
    """Weights of the posterior mode: non-negative, of sum 1, near equal unless the rows speak against it.

    Minimises sum |y - P w| / b + |w - 1/m|^2 / (2 prior_spread^2) over the simplex, where b is the mean
    absolute error of equal weights: errors of Laplace's law, which suspect labels do not dominate, and a
    Gaussian prior, because few rows cannot distinguish members with similar errors. Solved as least squares
    with weights that are renewed from the residuals; non-negative after Breiman, Machine Learning 24, 49
    (1996).

    Args:
        predictions: P, held-out predictions, (n, members).
        true: y, (n,).
        prior_spread: Standard deviation of the weights' prior; infinite for none.

    Returns:
        w, (members,).

    Example:
        >>> true = np.array([0.0, 1.0, 2.0, 3.0])
        >>> convex_weights(np.column_stack([true, true]), true).round(6)
        array([0.5, 0.5])
    """
    n, members = predictions.shape
    equal = np.full(members, 1.0 / members)
    # As the weights sum to 1, y - P w = -(P - y) w.
    error = predictions - true[:, None]
    error = error / (np.abs(error @ equal).mean() or 1.0)
    # A heavy row for the sum makes this a problem of non-negative least squares.
    heavy = np.full((1, members), 1e3 * np.sqrt(n + 1))
    right_side = np.concatenate([np.zeros(n), equal / prior_spread, heavy[:, 0]])
    weights = equal
    for _ in range(RENEWALS):
        row_weights = 1.0 / np.sqrt(np.maximum(np.abs(error @ weights), 1e-3))
        rows = np.concatenate([error * row_weights[:, None], np.eye(members) / prior_spread, heavy])
        weights = nnls(rows, right_side)[0]
        weights /= weights.sum()
    return weights


def mixture_weights(probabilities: np.ndarray, prior_spread: float = PRIOR_SPREAD) -> np.ndarray:
    """Weights of the least log loss of a mixture of classifiers, near equal unless the rows speak against it.

    The posterior mode with a Dirichlet prior, by expectation and maximisation: the log loss is convex in the
    weights, and every step lessens it (Dempster, Laird & Rubin, J. R. Stat. Soc. B 39, 1 (1977)).

    Args:
        probabilities: Held-out probability of the class that each row is of, (n, members).
        prior_spread: Standard deviation of a weight around 1 / members in the prior; infinite for none.

    Returns:
        Weights, (members,), of sum 1.

    Example:
        >>> mixture_weights(np.full((5, 2), 0.7))
        array([0.5, 0.5])
    """
    probabilities = np.clip(probabilities, CERTAIN, 1 - CERTAIN)
    members = probabilities.shape[1]
    weights = np.full(members, 1.0 / members)
    # The variance of a component of a Dirichlet distribution whose parameters are all c / m, c rows of prior.
    prior_rows = max((1 - 1 / members) / members / prior_spread**2 - 1, 0.0)
    for _ in range(STEPS_OF_MIXTURE):
        shares = probabilities * weights
        shares /= shares.sum(axis=1, keepdims=True)
        weights = (shares.sum(axis=0) + prior_rows / members) / (len(shares) + prior_rows)
    return weights


def mixture(weights: np.ndarray, means: np.ndarray, stds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a mixture.

    Args:
        weights: (members,).
        means: (n, members).
        stds: (n, members).

    Returns:
        Mean (n,), and standard deviation (n,): the members' own variance plus their disagreement.
    """
    mean = means @ weights
    return mean, np.sqrt((stds**2 + (means - mean[:, None]) ** 2) @ weights)


@dataclass(frozen=True)
class Combination:
    """Weights of the members for one target in one fold, and the spread.

    Attributes:
        target: Column that is predicted.
        repeat: Repeat of the protocol.
        fold: Fold that was left out; -1 when every row trained: the predictor in use.
        weights: Weight of each member.
        spread: Standard deviation as a function; None of a class, and where nothing was learned.
        residual: Root-mean-square held-out residual of each member, which stands for the standard
            deviation that a member does not state, in the unit of the target; 0 of a class, and where nothing
            was learned.
        inner_error: Mean absolute held-out error of each member and of the stack, in the unit of the target,
            of a class the log loss; empty where nothing was learned.
        rows: Number of held-out rows.
    """

    target: str
    repeat: int
    fold: int
    weights: dict[str, float]
    spread: Spread | None
    residual: dict[str, float]
    inner_error: dict[str, float]
    rows: int

    @classmethod
    def learn(
        cls,
        key: tuple[str, int, int],
        names: Sequence[str],
        true: np.ndarray,
        means: np.ndarray,
        stds: np.ndarray,
        classes: int = 0,
    ) -> Combination:
        """Learn weights from held-out predictions.

        Args:
            key: Target, repeat and fold.
            names: Names of the members.
            true: Measured values, (n,).
            means: Held-out means, (n, members).
            stds: Held-out standard deviations, (n, members); NaN where a member states none.
            classes: Probabilities that a class is predicted by, 1 of two classes and one each of more, whose
                rows follow each other; 0 of a number.
        """
        if classes:
            # Of two classes the probability of the second is stated, of more each one in a row of its own.
            of_truth = means[true == 1] if classes > 1 else np.where(true[:, None] == 1, means, 1 - means)
            weights = mixture_weights(of_truth)
            of_all = np.clip(np.column_stack([of_truth, of_truth @ weights]), CERTAIN, 1 - CERTAIN)
            log_loss = -np.log(of_all).mean(axis=0)
            return cls(
                *key,
                weights=dict(zip(names, weights.tolist(), strict=True)),
                spread=None,
                residual=dict.fromkeys(names, 0.0),
                inner_error=dict(zip([*names, "stack"], log_loss.tolist(), strict=True)),
                rows=len(true) // classes,
            )
        weights = convex_weights(means, true)
        residual = np.sqrt(np.mean((means - true[:, None]) ** 2, axis=0))
        mae = np.abs(np.column_stack([means, means @ weights]) - true[:, None]).mean(axis=0)
        return cls(
            *key,
            weights=dict(zip(names, weights.tolist(), strict=True)),
            spread=None,
            residual=dict(zip(names, residual.tolist(), strict=True)),
            inner_error=dict(zip([*names, "stack"], mae.tolist(), strict=True)),
            rows=len(true),
        )

    @classmethod
    def equal(cls, key: tuple[str, int, int], names: Sequence[str]) -> Combination:
        """The plain mean of the members, for which nothing is learned."""
        return cls(
            *key,
            weights=dict.fromkeys(names, 1.0 / len(names)),
            spread=None,
            residual=dict.fromkeys(names, 0.0),
            inner_error={},
            rows=0,
        )

    @classmethod
    def of_document(cls, entry: Mapping[str, Any]) -> Combination:
        """From its entry in the JSON that `recommend_predictor` writes."""
        spread = Spread(**entry["spread"]) if entry["spread"] else None
        return cls(**{**entry, "spread": spread})

    def _mixture(self, means: np.ndarray, stds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stated = np.where(np.isfinite(stds), stds, np.array(list(self.residual.values())))
        return mixture(np.array(list(self.weights.values())), means, stated)

    def with_spread(
        self, true: np.ndarray, means: np.ndarray, stds: np.ndarray, standing: Standing, materials: np.ndarray
    ) -> Combination:
        """With the spread that the errors of held-out rows show.

        Args:
            true: Measured values, (n,).
            means: Held-out means, (n, members).
            stds: Held-out standard deviations, (n, members); NaN where a member states none.
            standing: How the rows stand to those that trained the members.
            materials: Material of each row, (n,).
        """
        mean, stated = self._mixture(means, stds)
        return replace(self, spread=Spread.learn(np.abs(mean - true), stated, standing, materials))

    def apply(self, means: np.ndarray, stds: np.ndarray, standing: Standing) -> tuple[np.ndarray, np.ndarray]:
        """Combine members.

        Args:
            means: (n, members), in the order of ``weights``.
            stds: (n, members); NaN where a member states none.
            standing: How the rows stand to those that trained the members, (n,).

        Returns:
            Mean and standard deviation, (n,) each.
        """
        mean, stated = self._mixture(means, stds)
        return mean, self.spread.of(stated, standing) if self.spread else stated


@dataclass(frozen=True)
class _MemberPredictions:
    """What all members of a stack predict, with what a combination of them is learned from.

    Attributes:
        rows: Keys, ``true`` and ``material`` of the rows that all members predict, (n,), numbered from 0.
        means: (n, members).
        stds: (n, members).
        standing: How the rows stand to those that trained the members.
        names: The members.
    """

    rows: pd.DataFrame
    means: np.ndarray
    stds: np.ndarray
    standing: Standing
    names: Sequence[str]

    @classmethod
    def of(
        cls, frame: pd.DataFrame, names: Sequence[str], scale: StackedScale, has_spread: bool
    ) -> _MemberPredictions:
        """From the predictions of the members, `nestmat.tables.PREDICTIONS`.

        Args:
            frame: The predictions.
            names: The members.
            scale: Tables of the scale.
            has_spread: Whether a spread is learned of some target; without one the standing is of no use.
        """
        keys = [*KEYS, "inner", "split", "row_id"]
        wide = frame.set_index([*keys, "model"])
        means = wide["mean"].unstack("model")[list(names)].dropna()
        stds = wide["std"].unstack("model").loc[means.index, list(names)]
        true = frame.groupby(keys)["true"].first().loc[means.index]
        rows = means.index.to_frame(index=False).assign(true=true.to_numpy())
        rows["material"] = scale.materials(rows["row_id"].to_numpy())
        protocol = str(frame["protocol"].iloc[0])
        standing = scale.standings(rows, protocol) if has_spread else Standing.inside(len(rows))
        return cls(rows, means.to_numpy(), stds.to_numpy(), standing, names)

    def learn(self, key: tuple[str, int, int], quantities: Sequence[str]) -> Combination:
        """Weights and spread of a fold from the rows held out inside its training rows.

        Args:
            key: Target, repeat and fold.
            quantities: Probabilities of the target that share their weights; none of a number.

        Raises:
            InputError: There are no such rows that all members predict.
        """
        target, repeat, fold = key
        together = self.rows[self.rows["target"].isin(quantities or [target])]
        inner = Predictions(together).where(repeat=repeat).inside_training_rows(fold).frame
        if inner.empty:
            raise InputError(
                f"Not all of {list(self.names)} have predictions held out inside the training rows of "
                f"target {target!r}, repeat {repeat}, fold {fold}.",
                remedy="run the members again.",
            )
        index, true = inner.index.to_numpy(), inner["true"].to_numpy()
        combination = Combination.learn(
            key, self.names, true, self.means[index], self.stds[index], len(quantities)
        )
        if quantities:
            return combination
        beyond = self._of_target(combination).extrapolated(fold).frame
        return self._with_spread(combination, np.concatenate([index, beyond.index]))

    def apply(self, combination: Combination, rows: pd.DataFrame) -> pd.DataFrame:
        """Predictions of some rows by a combination."""
        index = rows.index.to_numpy()
        mean, std = combination.apply(self.means[index], self.stds[index], self.standing[index])
        return rows.assign(mean=mean, std=std)

    def extrapolate(self, combination: Combination) -> Iterator[pd.DataFrame]:
        """Predictions of the regions that the members of a fold left out.

        The spread of each is learned on the rows that were held out at random and on the other regions,
        without the rows of the region: it has not learned how the stack errs there.
        """
        of_target = self._of_target(combination)
        pool = pd.concat([of_target.inside_training_rows(-1).frame, of_target.extrapolated(-1).frame])
        for number, region in of_target.extrapolated(combination.fold).frame.groupby("inner"):
            in_region = (pool["split"] == EXTRAPOLATED) & (pool["inner"] == number)
            others = pool[~in_region & ~pool["row_id"].isin(region["row_id"])]
            if len(others):
                yield self.apply(self._with_spread(combination, others.index.to_numpy()), region)

    def _of_target(self, combination: Combination) -> Predictions:
        return Predictions(self.rows).where(target=combination.target, repeat=combination.repeat)

    def _with_spread(self, combination: Combination, index: np.ndarray) -> Combination:
        rows = self.rows.loc[index]
        return combination.with_spread(
            rows["true"].to_numpy(),
            self.means[index],
            self.stds[index],
            self.standing[index],
            rows["material"].to_numpy(),
        )


@dataclass(frozen=True)
class StackFiles:
    """Where the results of a stack are written.

    Attributes:
        predictions: Its predictions (model ``recommended``).
        weights: Weights and spreads, as JSON.
        domain: Domain of the rows that train the predictor in use, over what its members read.
    """

    predictions: str | Path
    weights: str | Path
    domain: str | Path


def recommend_predictor(
    predictions: Sequence[str | Path],
    stack: Sequence[str],
    scale: StackedScale,
    outputs: StackFiles,
    learned: bool = True,
    classes: Mapping[str, Sequence[str]] | None = None,
    fold: int = -1,
) -> tuple[pd.DataFrame, list[Combination]]:
    """Learn and apply the stack in every fold of a protocol.

    Args:
        predictions: Files that hold the predictions of the members, with those held out inside the
            training rows.
        stack: Names of the members.
        scale: Tables of the scale.
        outputs: Where results are written.
        learned: Whether the weights are learned, or equal.
        classes: Names of the classes of each target that has some.
        fold: Fold that the predictor in use of the protocol left out; -1 for none.

    Returns:
        Predictions of the stack, and what it learned in each fold.

    Raises:
        InputError: A member has no predictions, or none that are held out inside the training rows of a fold.
    """
    frame = pd.concat([tables.read(path, seed=-1) for path in dict.fromkeys(map(str, predictions))])
    frame = frame[frame["model"].isin(stack)]
    if missing := sorted(set(stack) - set(frame["model"])):
        raise InputError(
            f"The files hold no predictions of {missing}, which the stack needs.", file=predictions[0]
        )
    # Weights of probabilities that sum to 1 are shared, so that those of the stack do so too.
    shared: dict[str, list[str]] = {}
    for target, names in (classes or {}).items():
        quantities = predicted_quantities(target, names)
        shared |= dict.fromkeys(quantities, quantities)
    has_spread = learned and not set(frame["target"]) <= set(shared)
    members = _MemberPredictions.of(frame, stack, scale, has_spread)
    rows, protocol = members.rows, str(frame["protocol"].iloc[0])
    parts, combinations = [], []
    outer = rows.loc[rows["inner"] < 0, KEYS].drop_duplicates().sort_values(KEYS)
    for target, repeat, left_out in outer.itertuples(index=False):
        key = (str(target), int(repeat), int(left_out))
        of_fold = Predictions(rows).where(target=target, repeat=repeat, fold=left_out, inner=-1).frame
        combination = Combination.equal(key, stack)
        if learned:
            combination = members.learn(key, shared.get(target, ()))
        parts.append(members.apply(combination, of_fold))
        if combination.spread is not None and left_out >= 0:
            parts.extend(members.extrapolate(combination))
        combinations.append(combination)
    combined = pd.concat(parts, ignore_index=True).assign(protocol=protocol, model=RECOMMENDED, seed=-1)
    combined = combined[list(tables.PREDICTIONS)]
    tables.write(outputs.predictions, combined, tables.PREDICTIONS, {"stack": list(stack)})
    scale.write_domain(outputs.domain, protocol, fold)
    seals.write_json(outputs.weights, document(protocol, stack, combinations))
    return combined, combinations


def document(protocol: str, stack: Sequence[str], learned: Sequence[Combination]) -> dict[str, Any]:
    """The combinations of a stack, as they are written to JSON."""
    return {"protocol": protocol, "stack": list(stack), "combinations": [asdict(entry) for entry in learned]}


def combinations_of(content: Mapping[str, Any], fold: int = -1) -> dict[str, Combination]:
    """The combination of each target, by default that in use, from the JSON of `recommend_predictor`.

    Args:
        content: The JSON.
        fold: Fold of the first repeat that was left out; -1 for what was learned on all rows.
    """
    entries = [entry for entry in content["combinations"] if (entry["repeat"], entry["fold"]) == (0, fold)]
    return {entry["target"]: Combination.of_document(entry) for entry in entries}
