"""Protocols: which rows validate in which fold.

``strict`` is the default. It assigns every material, over all scales of the study, to one fold, so that a
material validated in fold k trains no scale in fold k: member k of a child reads latents of member k of
its parent without a leak. The other protocols are the splits of a scale, each of a kind of
`nestmat.evaluation.splits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.splits import Split, Strict
from nestmat.errors import InputError
from nestmat.evaluation.regions import Regions, choose_regions
from nestmat.evaluation.splits.base import Division, ScaleRows
from nestmat.evaluation.training_rows import TrainingUse, require_training_rows, without_bare_regions
from nestmat.training.inner_folds import (
    FEWEST_FOLDS_OF_PAIRS,
    LABELLED,
    ROWS_OF_ALL_PAIRS,
    RowSplit,
    count_regions,
    deal_inner_folds,
)

if TYPE_CHECKING:
    from nestmat.evaluation.splits.base import SplitKind


@dataclass(frozen=True)
class Protocol:
    """A protocol with the scales that it divides at once.

    Attributes:
        name: Name of the protocol.
        split: How it divides rows.
        scales: The scales: all that share the split, or a single one.
        inner_folds: Number of inner folds, where there are too few folds for pairs.
    """

    name: str
    split: SplitKind
    scales: tuple[str, ...]
    inner_folds: int


def list_protocols(
    strict: Strict, splits: Mapping[str, Mapping[str, Split]], scales: Sequence[str]
) -> list[Protocol]:
    """Protocols of a study: strict, the other shared ones, then those of each scale by itself.

    Args:
        strict: The protocol of all scales.
        splits: Further protocols of each scale.
        scales: Names of all scales.
    """
    by_name: dict[str, dict[str, Split]] = {}
    for scale in scales:
        for name, split in splits[scale].items():
            by_name.setdefault(name, {})[scale] = split
    protocols = [Protocol("strict", strict.build(), tuple(scales), strict.inner_folds)]
    for name, by_scale in by_name.items():
        kinds = {scale: split.build() for scale, split in by_scale.items()}
        first = next(iter(by_scale))
        if kinds[first].is_shared:
            protocols.append(Protocol(name, kinds[first], tuple(kinds), by_scale[first].inner_folds))
        else:
            protocols += [
                Protocol(name, kind, (scale,), by_scale[scale].inner_folds) for scale, kind in kinds.items()
            ]
    return protocols


def _deal_inner_folds(
    protocol: Protocol, divisions: Sequence[Division], seed: int
) -> tuple[list[np.ndarray], int]:
    """Inner fold of the rows of each scale, (n,), and their number.

    Rows are in none, and the number is 0, where folds make pairs or there are too few groups. A row that
    never trains with its label is in none.
    """
    inner = [np.full(len(division.fold), -1) for division in divisions]
    if max(int(division.fold.max()) for division in divisions) + 1 >= FEWEST_FOLDS_OF_PAIRS:
        return inner, 0
    trains = [(division.fold >= 0) | (np.asarray(division.role) == LABELLED) for division in divisions]
    groups = [division.groups[rows] for division, rows in zip(divisions, trains, strict=True)]
    folds = [division.fold[rows] for division, rows in zip(divisions, trains, strict=True)]
    dealt = deal_inner_folds(groups, folds, protocol.inner_folds, seed)
    if dealt is None:
        return inner, 0
    for labels, rows, values in zip(inner, trains, dealt, strict=True):
        labels[rows] = values
    return inner, protocol.inner_folds


def _choose_regions(scales: Sequence[ScaleRows], folds: int) -> Regions:
    """Regions that members of a protocol leave out; none where no number is predicted."""
    if not any(rows.predicts_numbers for rows in scales):
        return Regions((), [np.zeros(len(rows), dtype=np.int64) for rows in scales])
    return choose_regions(scales, count_regions(folds))


def _fold_frame(protocol: str, rows: ScaleRows, split: RowSplit) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "protocol": protocol,
            "repeat": np.int32(split.repeat),
            "row_id": rows.frame["row_id"].to_numpy(np.int64),
            "material": rows.frame["material"].to_numpy(str),
            "fold": split.fold.astype(np.int32),
            "role": split.role,
            "inner": split.inner.astype(np.int32),
            "regions": split.regions,
        }
    )


def split_rows(
    protocol: Protocol, scales: Sequence[ScaleRows], neighbours: int | None = None
) -> Iterator[list[RowSplit]]:
    """How each repeat of a protocol divides the rows of its scales; without regions.

    Args:
        protocol: The protocol.
        scales: Rows of each of its scales.
        neighbours: Folds on either side that a fold is paired with; all by default.

    Raises:
        InputError: The split cannot be made of these rows.
    """
    for repeat, seed in enumerate(protocol.split.all_seeds):
        divisions = divide(protocol, scales, seed)
        inner_folds, count = _deal_inner_folds(protocol, divisions, seed)
        yield [
            RowSplit(
                repeat,
                division.fold,
                np.broadcast_to(np.asarray(division.role, dtype=object), division.fold.shape),
                inner,
                # Of shared folds a scale need not have the last one.
                protocol.split.fold_count or int(division.fold.max()) + 1,
                count,
                neighbours,
            )
            for division, inner in zip(divisions, inner_folds, strict=True)
        ]


def require_members(
    protocol: Protocol,
    splits: Sequence[RowSplit],
    rows: Sequence[ScaleRows],
    targets: Mapping[str, Sequence[str]],
    uses: Mapping[str, Mapping[str, TrainingUse]],
) -> None:
    """Check that every member of a protocol has rows enough, see `require_training_rows`.

    Args:
        protocol: The protocol.
        splits: How the rows of each of its scales are divided.
        rows: The rows of each.
        targets: Targets of each scale of the study.
        uses: What is trained, by scale and protocol.
    """
    for scale, split, of_scale in zip(protocol.scales, splits, rows, strict=True):
        key = "strict" if protocol.name == "strict" else f"scales.{scale}.splits.{protocol.name}"
        use = uses[scale][protocol.name]
        require_training_rows(split, of_scale.frame, targets[scale], use, key)


def count_neighbours(protocols: Sequence[Protocol], sizes: Mapping[str, int]) -> dict[str, int]:
    """Folds on either side that a fold is paired with, by protocol of large tables; all in others.

    All scales with a protocol of the name count, whether they share its folds or not: members of a coarser
    scale read the pairs of a finer one.

    Args:
        protocols: Protocols of the study.
        sizes: Number of rows of each scale.
    """
    smallest: dict[str, int] = {}
    for protocol in protocols:
        fewest = min(sizes[scale] for scale in protocol.scales)
        smallest[protocol.name] = min(fewest, smallest.get(protocol.name, fewest))
    return {name: 1 for name, fewest in smallest.items() if fewest >= ROWS_OF_ALL_PAIRS}


def assign_folds(
    features: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    strict: Strict | Mapping[str, Any],
    splits: Mapping[str, Mapping[str, Split | Mapping[str, Any]]],
    targets: Mapping[str, Sequence[str]],
    uses: Mapping[str, Mapping[str, TrainingUse]] | None = None,
) -> dict[str, pd.DataFrame]:
    """Assign the rows of every scale to folds, for every protocol.

    Args:
        features: Features table of each scale of the study.
        outputs: Where the folds of each scale are written.
        strict: Folds and seeds of the protocol that all scales share.
        splits: Further protocols of each scale, by name.
        targets: Targets of each scale; a stratified split bins the first.
        uses: What is trained, by scale and protocol; None where nothing is.

    Returns:
        Table of folds (``tables.FOLDS``) of each scale.

    Raises:
        InputError: A split cannot be made of the rows that there are, or leaves a member too few to train on.
    """
    strict = Strict.model_validate(strict)
    own = {
        scale: {name: Split.model_validate(split) for name, split in splits.get(scale, {}).items()}
        for scale in features
    }
    rows = {
        scale: ScaleRows(
            tables.read(path).sort_values("row_id", ignore_index=True),
            next(iter(targets[scale]), None),
            path,
            tables.schema(path),
        )
        for scale, path in features.items()
    }
    parts: dict[str, list[pd.DataFrame]] = {scale: [] for scale in features}
    facts: dict[str, dict[str, dict[str, Any]]] = {
        scale: {"folds": {}, "inner_folds": {}, "regions": {}, "neighbours": {}} for scale in features
    }
    protocols = list_protocols(strict, own, list(features))
    neighbours = count_neighbours(protocols, {scale: len(of_scale) for scale, of_scale in rows.items()})
    for protocol in protocols:
        name, of_protocol = protocol.name, [rows[scale] for scale in protocol.scales]
        for divided in split_rows(protocol, of_protocol, neighbours.get(name)):
            if uses is not None:
                require_members(protocol, divided, of_protocol, targets, uses)
            regions = _choose_regions(of_protocol, max(split.folds for split in divided))
            divided = [
                replace(split, region_count=len(regions.names), regions=of_rows)
                for split, of_rows in zip(divided, regions.of_rows, strict=True)
            ]
            if uses is not None:
                divided = without_bare_regions(
                    divided,
                    [of_scale.frame for of_scale in of_protocol],
                    [targets[scale] for scale in protocol.scales],
                    [uses[scale][name] for scale in protocol.scales],
                )
            for scale, split in zip(protocol.scales, divided, strict=True):
                parts[scale].append(_fold_frame(name, rows[scale], split))
                facts[scale]["regions"][name] = regions.names
                facts[scale]["folds"][name] = split.folds
                fewest = facts[scale]["inner_folds"].get(name, split.inner_folds)
                facts[scale]["inner_folds"][name] = min(split.inner_folds, fewest)
                facts[scale]["neighbours"] |= {name: neighbours[name]} if name in neighbours else {}
    assigned = {scale: pd.concat(frames, ignore_index=True) for scale, frames in parts.items()}
    for scale, table in assigned.items():
        settings = {
            "strict": strict.model_dump(),
            "splits": {name: split.model_dump() for name, split in own[scale].items()},
        }
        tables.write(outputs[scale], table, tables.FOLDS, settings | facts[scale])
    return assigned


def divide(protocol: Protocol, scales: Sequence[ScaleRows], seed: int) -> list[Division]:
    """The division of the scales of a protocol, whose name an error states."""
    try:
        return protocol.split.divide_scales(scales, seed)
    except InputError as error:
        key = "strict" if protocol.name == "strict" else f"splits.{protocol.name}"
        raise InputError(
            error.message,
            file=error.file,
            column=error.column,
            key=f"{key}.{error.key}" if error.key else key,
            value=error.value,
            remedy=error.remedy,
        ) from error
