"""Folds of whole materials that a column states, the same at every scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from nestmat.errors import InputError
from nestmat.evaluation.splits.base import Division, ScaleRows
from nestmat.evaluation.splits.column import Column, fold_numbers, order_folds, stated_folds
from nestmat.evaluation.splits.registry import SPLITS


@SPLITS.register("shared_column")
@dataclass(frozen=True)
class SharedColumn(Column):
    """Your own folds of whole materials, at every scale that has a split of this name: a column states them.

    A material that is validated in fold k trains no scale in fold k, as in ``shared``.
    """

    sentence: ClassVar[str] = (
        "The column {{ split.column | humanize_key }} states the fold of each material, the same at every "
        "scale: a material that is validated in fold k trains no scale in fold k."
    )
    is_shared: ClassVar[bool] = True

    def divide(self, rows: ScaleRows, seed: int) -> Division:  # noqa: D102
        [division] = self.divide_scales([rows], seed)
        return division

    def divide_scales(self, scales: Sequence[ScaleRows], seed: int) -> list[Division]:
        """Divide the rows of the scales that share the split.

        Raises:
            InputError: As `stated_folds`; a fold is stated at some of the scales only; or a material is in
                two folds.
        """
        stated = [stated_folds(rows, self.column) for rows in scales]
        for (_, before), (rows, values) in pairwise(zip(scales, stated, strict=True)):
            if unshared := sorted(set(before.tolist()) ^ set(values.tolist())):
                raise InputError(
                    "The column states a fold at one scale that no row of another is in.",
                    file=rows.file,
                    column=self.column,
                    value=unshared[0],
                    remedy="use the same folds in the tables of all scales.",
                )
        fold_of: dict[str, str] = {}
        for rows, values in zip(scales, stated, strict=True):
            for material, fold in zip(rows.texts("material").tolist(), values.tolist(), strict=True):
                if fold_of.setdefault(material, fold) != fold:
                    raise InputError(
                        f"The material {material} is in two folds, {fold_of[material]} and {fold}: a model "
                        "that leaves out one of them learns it from the other.",
                        file=rows.file,
                        column=self.column,
                        value=fold,
                        remedy="put each material into one fold, or divide one scale by kind: column.",
                    )
        folds = order_folds(stated[0].tolist())
        return [
            Division(fold_numbers(values, folds), together=rows.texts("material"))
            for rows, values in zip(scales, stated, strict=True)
        ]
