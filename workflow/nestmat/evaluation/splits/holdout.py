"""One fold of test rows, while some of the other rows may hide their labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nestmat.config.base import LARGEST_SEED, Seed
from nestmat.errors import InputError
from nestmat.evaluation.splits.base import Division, ScaleRows, SplitKind
from nestmat.evaluation.splits.registry import SPLITS
from nestmat.training.inner_folds import LABELLED, UNLABELLED, UNUSED


@SPLITS.register("holdout")
@dataclass(frozen=True)
class Holdout(SplitKind):
    """One fold of test rows, while some of the other rows may hide their labels.

    The rows are divided by a chain of ``sklearn.model_selection.train_test_split`` with one seed: test rows
    and others, of these labelled and hidden ones, of these unlabelled and unused ones. Unlabelled rows train
    models that learn from inputs alone, unused ones none.

    Attributes:
        test: Share of the rows that validate.
        hidden: Share of the other rows that train without their label.
        unused: Share of the hidden rows that take no part, as a publication chose on them.
        labelled: Share of the labelled and hidden rows, without the unused ones, that train with their label;
            by default what `hidden` leaves.
        disjoint: No test row has the material, or the set of elements, of any other row; test rows are drawn
            at random by default.
        seed: Seed of the split.
        repeats: Further seeds, reported as repeats; choose nothing on them.
    """

    sentence: ClassVar[str] = (
        '{% set held_out = {"material": ", of materials that no other row has", "elements": ", of sets of '
        'elements that no other row has"} %}'
        "{{ split.test | format_percent }} of the rows are left out of training and predicted"
        '{{ held_out.get(split.disjoint, "") }}'
        "{% if split.unused %}; {{ (split.hidden * split.unused) | format_percent }} of the others are not "
        "used at all{% endif %}"
        "{% if split.labelled is not none %}; {{ split.labelled | format_percent }} of the "
        '{{ "rest" if split.unused else "others" }} train with label'
        "{% if split.labelled < 1 %}, and those left are seen without it by models that can learn so"
        "{% endif %}{% elif split.hidden %}; {{ (split.hidden * (1 - split.unused)) | format_percent }} of "
        "the others are seen without their label, by models that can learn so{% endif %} {{ seeds }}."
    )

    test: float = field(metadata={"gt": 0, "lt": 1})
    hidden: float = field(default=0.0, metadata={"ge": 0, "lt": 1})
    unused: float = field(default=0.0, metadata={"ge": 0, "lt": 1})
    labelled: float | None = field(default=None, metadata={"gt": 0, "le": 1})
    disjoint: Literal["material", "elements"] | None = None
    seed: int = field(default=0, metadata={"ge": 0, "le": LARGEST_SEED})
    repeats: tuple[Seed, ...] = ()

    def __post_init__(self) -> None:
        if self.unused and not self.hidden:
            raise ValueError("The share unused is one of the hidden rows; give hidden too")

    @property
    def fold_count(self) -> int:  # noqa: D102
        return 1

    @property
    def all_seeds(self) -> tuple[int, ...]:  # noqa: D102
        return (self.seed, *self.repeats)

    @property
    def test_rows(self) -> tuple[Any, ...]:  # noqa: D102
        return self.test, self.disjoint

    @property
    def without_labelled_share(self) -> Holdout:  # noqa: D102
        return replace(self, labelled=None)

    def divide(self, rows: ScaleRows, seed: int) -> Division:
        """Divide the rows into test rows, and labelled, unlabelled and unused ones.

        Raises:
            InputError: A share leaves no row, or a row has no formula to take elements from.
        """
        position = np.arange(len(rows))
        groups = position
        if self.disjoint is not None:
            groups = np.unique(self._group_names(rows), return_inverse=True)[1]
            test = _hold_out_groups(groups, self.test, seed)
            train = np.setdiff1d(position, test)
        else:
            train, test = _hold_out_share(position, self.test, seed, "test")
        labelled, hidden = _hold_out_share(train, self.hidden, seed, "hidden")
        unlabelled, unused = _hold_out_share(hidden, self.unused, seed, "unused")
        if self.labelled is not None:
            pool = np.concatenate([labelled, unlabelled])
            count = round(self.labelled * len(pool))
            labelled, unlabelled = pool[:count], pool[count:]
        if len(labelled) < 2:
            raise InputError(
                f"Only {len(labelled)} labelled rows are left to train on.",
                file=rows.file,
                key="labelled",
                remedy="raise labelled, or lower test and hidden.",
            )
        role = np.full(len(rows), LABELLED, dtype=object)
        role[unlabelled], role[unused] = UNLABELLED, UNUSED
        return Division(np.where(np.isin(position, test), 0, -1), role, groups)

    def _group_names(self, rows: ScaleRows) -> NDArray[np.str_]:
        """Name of the group of each row, (n,): test rows share none with the others."""
        from nestmat.materials.formulas import elements

        if self.disjoint == "material":
            return rows.texts("material")
        return np.array([" ".join(symbols) for symbols in elements(rows.frame["formula"])])


def _hold_out_share(rows: np.ndarray, share: float, seed: int, key: str) -> tuple[np.ndarray, np.ndarray]:
    """The remaining rows, and a share that is held out, in the order of scikit-learn."""
    from sklearn.model_selection import train_test_split

    if not share:
        return rows, rows[:0]
    try:
        remaining, held_out = train_test_split(rows, test_size=share, random_state=seed)
    except ValueError as error:
        raise InputError(
            f"{len(rows)} rows cannot be divided by {key}: {share:g}.",
            key=key,
            remedy="change the share or give more data.",
        ) from error
    return remaining, held_out


def _hold_out_groups(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Rows of whole groups, which are drawn at random until they make up a share of all rows."""
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    count = int(np.searchsorted(np.cumsum(sizes[order]), share * len(groups))) + 1
    if count >= len(sizes):
        raise InputError(
            f"{len(sizes)} groups of rows cannot be divided by test: {share:g}; nothing is left to train on.",
            key="test",
            remedy="lower the share or give more data.",
        )
    return np.flatnonzero(np.isin(groups, order[:count]))
