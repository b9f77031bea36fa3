"""The rows of a scale as arrays: blocks of inputs, targets, and parents' latents that differ a member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.errors import InputError
from nestmat.models.specification import Shapes
from nestmat.training.inner_folds import UNLABELLED
from nestmat.training.members import MEMBER_COLUMNS, MEMBER_KEYS

_NOT_BLOCKS = {"row_id", "formula", "material", "group"}


@dataclass(frozen=True)
class ParentLatents:
    """Latents of a parent scale for the rows of this one, one set a member of the parent.

    Attributes:
        repeat: Repeat of each parent member, (parents,).
        fold: Fold that it did not see, (parents,); -1 if it saw all rows.
        inner: Other fold of a pair, or inner fold, that it did not see either, (parents,); -1 for none.
        seed: Its seed, (parents,).
        values: (parents, n, width).
    """

    repeat: np.ndarray
    fold: np.ndarray
    inner: np.ndarray
    seed: np.ndarray
    values: np.ndarray

    def of(self, repeat: np.ndarray, fold: np.ndarray, inner: np.ndarray, seed: np.ndarray) -> np.ndarray:
        """Index of the parent member that each child member reads, (members,).

        The one of the same repeat, fold, other or inner fold and seed, the seed counted modulo the parent's
        seeds. A parent whose protocol does not split these rows has no such repeat and fold: then its members
        trained on every row.

        Raises:
            InputError: The parent has neither, or left out the fold and not the other one: its member would
                have seen what the child's holds out.
        """
        indices = np.empty(len(repeat), dtype=np.int64)
        splits = bool((self.fold >= 0).any())
        for i, (r, f, k, s) in enumerate(zip(repeat, fold, inner, seed, strict=True)):
            of_fold = (self.repeat == r) & (self.fold == f)
            # Where the protocol is not the parent's, fold -1 is no fold of it either.
            knows_fold = splits and bool(of_fold.any())
            pool = np.flatnonzero(
                of_fold & (self.inner == k) if knows_fold else (self.fold == -1) & (self.inner == -1)
            )
            if not len(pool) and knows_fold:
                raise InputError(
                    f"The parent's latents have members for repeat {r}, fold {f}, none without {k} too.",
                    remedy="give the protocol as many folds, and inner folds, at the parent as at the child, "
                    "and run the study again.",
                )
            if not len(pool):
                raise InputError(
                    f"The parent's latents have no member for repeat {r}, fold {f}, and none of all rows.",
                    remedy="propagate the parent again.",
                )
            pool = pool[np.argsort(self.seed[pool], kind="stable")]
            indices[i] = pool[s % len(pool)]
        return indices


@dataclass(frozen=True)
class PseudoLabels:
    """Predictions of a teacher for rows without a label, which it was not trained on.

    Attributes:
        members: Repeat and fold of each of its fits, (fits, 2).
        values: By target, (fits, n); NaN for other rows.
    """

    members: np.ndarray
    values: dict[str, np.ndarray]

    @classmethod
    def read(cls, path: str | Path, teacher: str, row_id: np.ndarray) -> PseudoLabels:
        """Predictions of a baseline for unlabelled rows.

        Args:
            path: Predictions of baselines in one protocol.
            teacher: Name of the baseline.
            row_id: Rows of the scale in their order, (n,).
        """
        frame = tables.read(path, model=teacher, split=UNLABELLED)
        members = frame[["repeat", "fold"]].drop_duplicates().to_numpy(np.int64)
        values = {}
        for target, part in frame.groupby("target"):
            wide = part.pivot(index=["repeat", "fold"], columns="row_id", values="mean")
            wide = wide.reindex(index=pd.MultiIndex.from_tuples(map(tuple, members)), columns=row_id)
            values[str(target)] = wide.to_numpy(np.float64)
        return cls(members, values)

    def of(self, target: str, repeat: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Probabilities for some members, (members, n); NaN where they have no such row."""
        values = self.values[target]
        fits = [
            np.flatnonzero((self.members == [r, f]).all(axis=1)) for r, f in zip(repeat, fold, strict=True)
        ]
        no_values = np.full(values.shape[1], np.nan)
        return np.stack([values[fit[0]] if len(fit) else no_values for fit in fits])


@dataclass(frozen=True)
class ScaleData:
    """Rows of one scale.

    Attributes:
        row_id: Key of each row, (n,).
        material: Canonical material, (n,).
        group: Label of rows that a split keeps together, (n,).
        x: Blocks of inputs, (n, width) each, unscaled, float64.
        kinds: continuous, categorical or simplex, by block, parents included.
        columns: Column names, by block, parents included.
        y: Targets, (n,) each, in physical units.
        units: Unit of every column and target.
        parents: Latents of parent scales, by name.
        source: Provenance of the features file.
        classes: Names of the classes of each target that is classified; such a target holds their numbers.
        pseudo_labels: Predictions of a teacher for rows without a label, if there is a teacher.
        weights: Weight of each row in training, (n,); None where all count alike.
        uncertainties: Known standard uncertainties of the labels of targets that have some, (n,) each.
    """

    row_id: np.ndarray
    material: np.ndarray
    group: np.ndarray
    x: dict[str, np.ndarray]
    kinds: dict[str, str]
    columns: dict[str, list[str]]
    y: dict[str, np.ndarray]
    units: dict[str, str]
    parents: dict[str, ParentLatents] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    pseudo_labels: PseudoLabels | None = None
    weights: np.ndarray | None = None
    uncertainties: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row_id)

    @property
    def shapes(self) -> Shapes:
        """Widths and names that a model is built from."""
        widths = {name: len(names) for name, names in self.columns.items()}
        return Shapes(widths, self.kinds, list(self.y), self.classes)

    def labels(self, target: str) -> np.ndarray:
        """What is measured of each quantity of a target, (n, quantities).

        A number as it is, of two classes 0 and 1, of more 1 in the column of the class and 0 in others.
        """
        quantities = self.shapes.quantities(target)
        y = self.y[target][:, None]
        return y if len(quantities) == 1 else (y == np.arange(len(quantities))).astype(np.float64)

    def measured(self, quantity: str) -> np.ndarray:
        """What is measured of a quantity, (n,), see `labels`."""
        target = self.shapes.target_of[quantity]
        return self.labels(target)[:, self.shapes.quantities(target).index(quantity)]

    @classmethod
    def read(cls, path: str | Path, targets: bool = True) -> ScaleData:
        """Read a features file.

        Args:
            path: File of the feature stage; its blocks and the roles of its columns are in its metadata.
            targets: Whether to read and demand the targets.

        Raises:
            InputError: The file is empty, or a feature or target is not finite.
        """
        frame, schema, facts = tables.read(path), tables.schema(path), tables.provenance(path)
        if frame.empty:
            raise InputError(
                "The features have no rows.", file=path, remedy="see their reject table for the reasons."
            )
        # Not from the schema, in which a column that several blocks share belongs to one of them.
        kinds = {block: block_facts["kind"] for block, block_facts in facts["blocks"].items()}
        columns = {block: block_facts["columns"] for block, block_facts in facts["blocks"].items()}
        x = {block: _finite(frame, names, path) for block, names in columns.items()}
        target_names = [name for name, column in schema.items() if column.role == "target"] if targets else []
        return cls(
            row_id=frame["row_id"].to_numpy(np.int64),
            material=frame["material"].to_numpy(str),
            group=frame["group"].to_numpy(str),
            x=x,
            kinds=kinds,
            columns=columns,
            y={name: _finite(frame, [name], path)[:, 0] for name in target_names},
            units={name: column.unit for name, column in schema.items() if name not in _NOT_BLOCKS},
            source=facts,
            classes={name: list(schema[name].classes) for name in target_names if schema[name].classes},
            weights=row_weights(frame, schema),
            uncertainties=label_uncertainties(frame, schema),
        )

    def with_parent(self, name: str, parent: ParentLatents, columns: Sequence[str]) -> ScaleData:
        """The same rows with a parent's latents as a further block.

        Args:
            name: Name of the parent scale, and of the block.
            parent: Its latents for the rows of this scale, in their order.
            columns: Names of the latents, and of the parent's predictions where they are passed.
        """
        return replace(
            self,
            parents={**self.parents, name: parent},
            kinds={**self.kinds, name: "continuous"},
            columns={**self.columns, name: list(columns)},
        )

    def with_propagated(self, name: str, path: str | Path, protocol: str, **members: Any) -> ScaleData:
        """The same rows with the block of a propagated-latents file.

        Args:
            name: Name of the parent scale, and of the block.
            path: The file.
            protocol: Protocol of this scale's members. Folds of another protocol are other folds: of a parent
                that does not know this one only the members trained on every row are taken.
            members: Some of `MEMBER_KEYS` with their value: the members to read; all by default.

        Raises:
            InputError: The file lacks a row of this scale.
        """
        if tables.provenance(path)["protocol"] != protocol:
            members = {"fold": -1, "inner": -1}
        frame = tables.read(path, **members)
        columns = [column for column in frame.columns if column not in MEMBER_COLUMNS and column != "row_id"]
        keys, index = np.unique(frame["member"].to_numpy(), return_inverse=True)
        values = np.full((len(keys), len(self), len(columns)), np.nan)
        place = pd.Index(self.row_id).get_indexer(frame["row_id"])
        values[index[place >= 0], place[place >= 0]] = frame.loc[place >= 0, columns].to_numpy(np.float64)
        if (missing := np.isnan(values).any(axis=(0, 2))).any():
            raise InputError(
                f"The file lacks finite latents for {missing.sum()} rows of the child, first row_id "
                f"{self.row_id[missing][0]}.",
                file=path,
                remedy="see the reject table of the parent's features for the reasons; leave the rows out.",
            )
        first = frame.drop_duplicates("member").set_index("member").loc[keys]
        repeat, fold, inner, seed = (first[key].to_numpy(np.int64) for key in MEMBER_KEYS)
        parent = ParentLatents(repeat, fold, inner, seed, values)
        return self.with_parent(name, parent, columns)

    def block(
        self, name: str, repeat: np.ndarray, fold: np.ndarray, inner: np.ndarray, seed: np.ndarray
    ) -> np.ndarray:
        """A block for some members: (n, width) where all share it, (members, n, width) for latents."""
        if name in self.parents:
            parent = self.parents[name]
            return parent.values[parent.of(repeat, fold, inner, seed)]
        return self.x[name]

    def renamed(self, columns: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
        """Blocks in the order and with the columns of a trained model.

        Args:
            columns: Column names by block, as the model was trained with.

        Returns:
            (n, width) by block.

        Raises:
            InputError: A block or a column is missing.
        """
        blocks = {}
        for block, names in columns.items():
            if block not in self.x:
                raise InputError(
                    f"The features lack the block {block!r}, which the trained model reads.",
                    remedy="use the features of the scale that the model was trained on.",
                )
            if missing := [name for name in names if name not in self.columns[block]]:
                raise InputError(
                    f"The block {block!r} lacks the columns {missing}, which the trained model reads.",
                    remedy="compute the features with the levels of the trained model.",
                )
            blocks[block] = self.x[block][:, [self.columns[block].index(name) for name in names]]
        return blocks


def row_weights(frame: pd.DataFrame, schema: tables.Schema) -> np.ndarray | None:
    """Weights of the rows of a features table, (n,); None where it has none."""
    names = [name for name, column in schema.items() if column.role == "weight"]
    return frame[names[0]].to_numpy(np.float64) if names else None


def label_uncertainties(frame: pd.DataFrame, schema: tables.Schema) -> dict[str, np.ndarray]:
    """Standard uncertainties of the labels of a features table, (n,) each, by the targets that have some."""
    return {
        name: frame[column.uncertainty_column].to_numpy(np.float64)
        for name, column in schema.items()
        if column.role == "target" and column.uncertainty_column
    }


def is_latent(column: str) -> bool:
    """Whether a column of a parent's block is a latent, and not a prediction that is passed with them."""
    return column[0] == "z" and column[1:].isdigit()


def _finite(frame: pd.DataFrame, names: Sequence[str], path: str | Path) -> np.ndarray:
    values = frame[list(names)].to_numpy(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(
            f"The value at row_id {frame['row_id'].iloc[row]} is not finite ({bad.sum()} such cells in all).",
            file=path,
            column=names[column],
            value=float(values[row, column]),
            remedy="reject or repair such rows before the features are made.",
        )
    return values
