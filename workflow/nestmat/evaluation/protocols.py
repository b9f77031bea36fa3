"""Protocols: which rows validate in which fold.

``strict`` is the default. It assigns every material, over all scales of the study, to one fold, so that a
material validated in fold k trains no scale in fold k: member k of a child reads latents of member k of
its parent without a leak. The other protocols are the splits of a scale, each of a kind of
`nestmat.evaluation.splits`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nestmat import tables
from nestmat.config.splits import Split, Strict
from nestmat.errors import InputError
from nestmat.evaluation.regions import Regions, choose_regions
from nestmat.evaluation.splits.base import Division, ScaleRows
from nestmat.training.inner_folds import (
    FEWEST_FOLDS_OF_PAIRS,
    LABELLED,
    ROWS_OF_ALL_PAIRS,
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


def _fold_frame(
    protocol: str, repeat: int, rows: ScaleRows, division: Division, inner: np.ndarray, regions: np.ndarray
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "protocol": protocol,
            "repeat": np.int32(repeat),
            "row_id": rows.frame["row_id"].to_numpy(np.int64),
            "material": rows.frame["material"].to_numpy(str),
            "fold": division.fold.astype(np.int32),
            "role": division.role,
            "inner": inner.astype(np.int32),
            "regions": regions,
        }
    )


def _neighbours(protocols: Sequence[Protocol], sizes: Mapping[str, int]) -> dict[str, int]:
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
    counts: dict[str, dict[str, int]] = {scale: {} for scale in features}
    inner_counts: dict[str, dict[str, int]] = {scale: {} for scale in features}
    region_names: dict[str, dict[str, Sequence[str]]] = {scale: {} for scale in features}
    protocols = list_protocols(strict, own, list(features))
    for protocol in protocols:
        for repeat, seed in enumerate(protocol.split.all_seeds):
            divisions = divide(protocol, [rows[scale] for scale in protocol.scales], seed)
            inner_folds, inner_count = _deal_inner_folds(protocol, divisions, seed)
            fold_count = max(int(division.fold.max()) for division in divisions) + 1
            regions = _choose_regions([rows[scale] for scale in protocol.scales], fold_count)
            divided = zip(protocol.scales, divisions, inner_folds, regions.of_rows, strict=True)
            for scale, division, inner, of_rows in divided:
                parts[scale].append(_fold_frame(protocol.name, repeat, rows[scale], division, inner, of_rows))
                region_names[scale][protocol.name] = regions.names
                # Of shared folds a scale need not have the last one.
                folds = protocol.split.fold_count or int(division.fold.max()) + 1
                counts[scale][protocol.name] = folds
                of_repeats = inner_counts[scale].get(protocol.name, inner_count)
                inner_counts[scale][protocol.name] = min(inner_count, of_repeats)
    sizes = {scale: len(scale_rows.frame) for scale, scale_rows in rows.items()}
    neighbours = _neighbours(protocols, sizes)
    assigned = {scale: pd.concat(frames, ignore_index=True) for scale, frames in parts.items()}
    for scale, table in assigned.items():
        facts = {
            "strict": strict.model_dump(),
            "splits": {name: split.model_dump() for name, split in own[scale].items()},
            "folds": counts[scale],
            "inner_folds": inner_counts[scale],
            "regions": region_names[scale],
            "neighbours": {name: neighbours[name] for name in counts[scale] if name in neighbours},
        }
        tables.write(outputs[scale], table, tables.FOLDS, facts)
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
