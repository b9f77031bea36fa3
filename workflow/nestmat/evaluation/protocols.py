"""Protocols: which rows validate in which fold.

``strict`` is the default. It assigns every material, over all scales of the study, to one fold, so that a
material validated in fold k trains no scale in fold k: member k of a child reads latents of member k of
its parent without a leak. A split of kind ``shared`` does the same over the scales that have it, with folds
of its own. All other protocols are splits of one scale. Of those, ``grouped`` keeps the
``group`` column of the scale whole: the material with the columns that the configuration names, such as
transport layers. It asks another question than ``strict``: how well a new device is predicted, where
``strict`` asks for a new material. A ``holdout`` has one fold of test rows, and of the other rows some may
hide their labels: unlabelled rows train models that learn from inputs alone, unused ones none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from nestmat import tables
from nestmat.config.splits import Split, Strict
from nestmat.errors import InputError
from nestmat.materials.formulas import elements
from nestmat.training.inner_folds import LABELLED, UNLABELLED, UNUSED, balanced_folds


def shared_folds(materials: Sequence[np.ndarray], folds: int, seed: int) -> list[np.ndarray]:
    """Divide the materials of several scales into folds that all scales share.

    The largest materials are placed first, each in the fold that it unbalances least over the scales. A scale
    of which one material has more than 1/folds of the rows cannot be even.

    Args:
        materials: Key of the material of each row, one array (n,) a scale.
        folds: Number of folds.
        seed: Seed of the assignment.

    Returns:
        Fold of each row, one array (n,) a scale. Independent of the order of the rows.
    """
    keys = [np.asarray(values).astype(str) for values in materials]
    names = np.unique(np.concatenate(keys))
    rows = [np.searchsorted(names, values) for values in keys]
    sizes = np.stack([np.bincount(row, minlength=len(names)) for row in rows], axis=1)
    label = balanced_folds(sizes, folds, np.random.default_rng(seed))
    return [label[row] for row in rows]


def split_folds(frame: pd.DataFrame, split: Split, target: str | None, seed: int) -> np.ndarray:
    """Divide the rows of one scale into folds; `hold_out_rows` is for a holdout.

    Args:
        frame: Features of the scale, in ascending order of row_id (n rows).
        split: Kind and number of folds.
        target: Column that is stratified on.
        seed: Seed of the split.

    Returns:
        Fold that validates each row, (n,).

    Raises:
        InputError: A column is missing, or there are fewer rows, groups or levels than folds.
    """
    match split.kind:
        case "stratified":
            if target is None:
                raise InputError("A stratified split needs a target.", remedy="give the scale a target.")
            values = frame[target].to_numpy(np.float64)
            edges = np.nanquantile(values, np.arange(1, split.quantiles) / split.quantiles)
            bins = np.digitize(values, edges)
            if (smallest := np.bincount(bins)[np.unique(bins)].min()) < _count(split):
                raise InputError(
                    f"{split.quantiles} bins of target {target!r} leave {smallest} rows in the smallest, "
                    f"too few for {split.folds} folds.",
                    column=target,
                    remedy="use fewer folds or fewer quantiles.",
                )
            divide = StratifiedKFold(_count(split), shuffle=True, random_state=seed).split(bins, bins)
        case "kfold":
            _check_number(len(frame), split, "rows")
            divide = KFold(_count(split), shuffle=True, random_state=seed).split(frame)
        case "grouped":
            names, row, sizes = np.unique(
                frame["group"].to_numpy(str), return_inverse=True, return_counts=True
            )
            _check_number(len(names), split, "groups")
            return balanced_folds(sizes[:, None], _count(split), np.random.default_rng(seed))[row]
        case _:
            column = str(split.column)
            if column not in frame:
                raise InputError(
                    f"The features have no column {column!r}; they have {sorted(frame.columns)}.",
                    remedy="name a category column of the data set in `splits`.",
                )
            levels, label = np.unique(frame[column].to_numpy(str), return_inverse=True)
            if len(levels) < 2:
                raise InputError(f"Column {column!r} has one level only: nothing is left to train on.")
            return label
    folds = np.full(len(frame), -1, dtype=np.int64)
    for k, (_, validation) in enumerate(divide):
        folds[validation] = k
    return folds


def hold_out_rows(frame: pd.DataFrame, split: Split, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide the rows of one scale into test rows, and labelled, unlabelled and unused ones.

    The rows are divided by a chain of `sklearn.model_selection.train_test_split` with one seed: test rows and
    others, of these labelled and hidden ones, of these unlabelled and unused ones.

    Args:
        frame: Features of the scale, in ascending order of row_id (n rows).
        split: Shares, and what test rows do not share with the others.
        seed: Seed of the split.

    Returns:
        Fold, (n,), 0 of test rows and -1 of all others; role, (n,); and number of the group that is divided
        as a whole, (n,): each row by itself, or those of one material or set of elements.

    Raises:
        InputError: A share leaves no row, or a row has no formula to take elements from.
    """
    rows = np.arange(len(frame))
    groups = rows if split.disjoint is None else np.unique(_group_names(frame, split), return_inverse=True)[1]
    role = np.full(len(frame), LABELLED, dtype=object)
    if split.disjoint is None:
        train, test = _hold_out_share(rows, float(split.test or 0), seed, "test")
    else:
        test = _hold_out_groups(groups, float(split.test or 0), seed)
        train = np.setdiff1d(rows, test)
    labelled, hidden = _hold_out_share(train, split.hidden, seed, "hidden")
    unlabelled, unused = _hold_out_share(hidden, split.unused, seed, "unused")
    if split.labelled is not None:
        pool = np.concatenate([labelled, unlabelled])
        count = round(split.labelled * len(pool))
        labelled, unlabelled = pool[:count], pool[count:]
    if len(labelled) < 2:
        raise InputError(
            f"Only {len(labelled)} labelled rows are left to train on.",
            key="labelled",
            remedy="raise labelled, or lower test and hidden.",
        )
    role[unlabelled], role[unused] = UNLABELLED, UNUSED
    return np.where(np.isin(rows, test), 0, -1), role, groups


def _hold_out_share(rows: np.ndarray, share: float, seed: int, key: str) -> tuple[np.ndarray, np.ndarray]:
    """The remaining rows, and a share that is held out, in the order of scikit-learn."""
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


def _group_names(frame: pd.DataFrame, split: Split) -> np.ndarray:
    """Name of the group of each row, (n,): test rows share none with the others."""
    if split.disjoint == "material":
        return frame["material"].to_numpy(str)
    return np.array([" ".join(symbols) for symbols in elements(frame["formula"])])


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


def _count(split: Split) -> int:
    return int(split.folds or 0)


def _check_number(count: int, split: Split, noun: str) -> None:
    if count < _count(split):
        raise InputError(
            f"{count} {noun} cannot make {split.folds} folds.", remedy="use fewer folds or give more data."
        )


def _fold_frame(
    frame: pd.DataFrame,
    protocol: str,
    repeat: int,
    folds: np.ndarray,
    role: np.ndarray | str = LABELLED,
    together: np.ndarray | int = -1,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "protocol": protocol,
            "repeat": np.int32(repeat),
            "row_id": frame["row_id"].to_numpy(np.int64),
            "material": frame["material"].to_numpy(str),
            "fold": folds.astype(np.int32),
            "role": role,
            "together": np.asarray(together, dtype=np.int32),
        }
    )


def _scale_splits(
    frame: pd.DataFrame, target: str | None, splits: Mapping[str, Split]
) -> Iterator[pd.DataFrame]:
    for name, split in splits.items():
        if split.kind == "shared":
            continue
        for repeat, seed in enumerate([split.seed, *split.repeats]):
            if split.kind == "holdout":
                yield _fold_frame(frame, name, repeat, *hold_out_rows(frame, split, seed))
            else:
                yield _fold_frame(frame, name, repeat, split_folds(frame, split, target, seed))


def assign_folds(
    features: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    strict: Strict | Mapping[str, Any],
    splits: Mapping[str, Mapping[str, Split | Mapping[str, Any]]],
    targets: Mapping[str, Sequence[str]],
) -> dict[str, pd.DataFrame]:
    """Assign the rows of every scale to folds, for every protocol.

    Args:
        features: Features table of each scale of the study.
        outputs: Where the folds of each scale are written.
        strict: Folds and seeds of the protocol that all scales share.
        splits: Further protocols of each scale, by name.
        targets: Targets of each scale; a stratified split bins the first.

    Returns:
        Table of folds (``tables.FOLDS``) of each scale.

    Raises:
        InputError: A split cannot be made of the rows that there are.
    """
    strict = Strict.model_validate(strict)
    frames = {
        scale: tables.read(path).sort_values("row_id", ignore_index=True) for scale, path in features.items()
    }
    protocols = {
        scale: {name: Split.model_validate(split) for name, split in splits.get(scale, {}).items()}
        for scale in frames
    }
    tables_of_folds: dict[str, pd.DataFrame] = {}
    shared, counts = _assign_shared_folds(frames, strict, protocols, features)
    for scale, frame in frames.items():
        own = _scale_splits(frame, next(iter(targets[scale]), None), protocols[scale])
        table = pd.concat([*shared[scale], *own], ignore_index=True)
        # Of shared folds a scale need not have the last one.
        occurring = {str(name): int(part["fold"].max()) + 1 for name, part in table.groupby("protocol")}
        facts = {
            "strict": strict.model_dump(),
            "splits": {name: split.model_dump() for name, split in protocols[scale].items()},
            "folds": {**occurring, **counts[scale]},
        }
        tables.write(outputs[scale], table, tables.FOLDS, facts)
        tables_of_folds[scale] = table
    return tables_of_folds


def _assign_shared_folds(
    frames: Mapping[str, pd.DataFrame],
    strict: Strict,
    splits: Mapping[str, Mapping[str, Split]],
    features: Mapping[str, str | Path],
) -> tuple[dict[str, list[pd.DataFrame]], dict[str, dict[str, int]]]:
    """Rows of ``tables.FOLDS`` of the protocols that scales share, and their number of folds, by scale.

    Args:
        frames: Features of each scale.
        strict: The protocol of all scales.
        splits: Further protocols of each scale.
        features: Files of the features, for messages.

    Raises:
        InputError: A scale has fewer materials than folds.
    """
    shared: dict[str, Strict | Split] = {"strict": strict}
    for own in splits.values():
        shared |= {name: split for name, split in own.items() if split.kind == "shared"}
    parts: dict[str, list[pd.DataFrame]] = {scale: [] for scale in frames}
    counts: dict[str, dict[str, int]] = {scale: {} for scale in frames}
    for protocol, split in shared.items():
        scales = [scale for scale in frames if protocol == "strict" or protocol in splits[scale]]
        folds = int(split.folds or 0)
        for scale in scales:
            counts[scale][protocol] = folds
            if (count := frames[scale]["material"].nunique()) < folds:
                raise InputError(
                    f"{count} materials cannot make {folds} folds of protocol {protocol!r}.",
                    file=features[scale],
                    remedy="lower strict.folds." if protocol == "strict" else "use fewer folds.",
                )
        for repeat, seed in enumerate([split.seed, *split.repeats]):
            labels = shared_folds([frames[scale]["material"].to_numpy() for scale in scales], folds, seed)
            for scale, label in zip(scales, labels, strict=True):
                parts[scale].append(_fold_frame(frames[scale], protocol, repeat, label))
    return parts, counts
