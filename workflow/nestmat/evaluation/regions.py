"""Regions: kinds of material that some members leave out whole, to learn how a stack errs beyond its data.

A region is what all materials with a mixture have in common, all with one species, or all with one species in
a mixture: the kinds that a design reaches for, and that a domain calls outside or at the edge
(`nestmat.domains`). Where compositions make
too few regions, clusters of the features take their place. Leaving one group out after Meredig et al., Mol.
Syst. Des. Eng. 3, 819 (2018). No label takes part in the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestmat.domains.constituents import Constituents, are_perovskites, with_site
from nestmat.evaluation.splits.base import ScaleRows

SMALLEST, USUAL, LARGEST = 0.05, 0.2, 0.5
"""Shares of the materials that a region has: at least, as a fold of five, which comes first, and at most."""
SITES = ("A", "B", "X")
KINDS = ("mixture", "mixed species", "species")
"""Kinds of region by composition, in the order of their turns."""
CLUSTERS = 5
"""Clusters of the features that are divided at least, so that most are no larger than `LARGEST`."""


@dataclass(frozen=True)
class Regions:
    """The regions of the scales of a protocol.

    Attributes:
        names: What the materials of each have in common; empty of one that no material is of.
        of_rows: Regions of the rows of each scale, (n,) each: bit k is set where a row is of region k.
    """

    names: tuple[str, ...]
    of_rows: list[NDArray[np.int64]]


def choose_regions(scales: Sequence[ScaleRows], count: int) -> Regions:
    """Choose regions of the materials of the scales that share a protocol.

    The kinds of region take turns, those with a share of the materials nearest to `USUAL` first. At every
    scale that predicts numbers the share is between `SMALLEST` and `LARGEST`.

    Args:
        scales: Rows of each scale.
        count: Number of regions.
    """
    traits = _composition_traits(scales)
    shares = _shares(traits, scales)
    fits = ((shares >= SMALLEST) & (shares <= LARGEST)).all(axis=1)
    nearest = (shares.mean(axis=1) - USUAL).abs()[fits].sort_values(kind="stable").index
    by_kind = [[name for name in nearest if name[0] == kind] for kind in KINDS]
    turns = chain.from_iterable(zip_longest(*by_kind))
    chosen = [name for name in turns if name is not None][:count]
    table = traits[chosen]
    table.columns = pd.Index([text for _, text in chosen])
    if missing := count - len(chosen):
        clusters = _feature_clusters(scales, missing)
        every = table.index.union(clusters.index)
        parts = [part.reindex(every, fill_value=False) for part in (table, clusters)]
        table = pd.concat(parts, axis=1)
    bits = table.to_numpy(np.int64) @ 2 ** np.arange(table.shape[1], dtype=np.int64)
    by_material = pd.Series(bits, index=table.index)
    of_rows = [rows.frame["material"].map(by_material).fillna(0).to_numpy(np.int64) for rows in scales]
    # Scales with an unshared protocol of one name read each other's members: all have as many regions.
    names = (*map(str, table.columns), *[""] * (count - table.shape[1]))
    return Regions(names, of_rows)


def _shares(traits: pd.DataFrame, scales: Sequence[ScaleRows]) -> pd.DataFrame:
    """Share of the materials that are of each trait, (traits, scales that predict numbers)."""
    materials = [rows.frame["material"].drop_duplicates() for rows in scales if rows.predicts_numbers]
    of_scales = [traits.reindex(of_scale, fill_value=False).mean() for of_scale in materials]
    return pd.concat(of_scales, axis=1)


def _composition_traits(scales: Sequence[ScaleRows]) -> pd.DataFrame:
    """Whether each material with a composition is of each kind: columns (kind, name)."""
    frames = [rows.frame.loc[rows.frame["formula"] != "", ["formula", "material"]] for rows in scales]
    materials = pd.concat(frames).drop_duplicates("material")
    if materials.empty:
        return pd.DataFrame(index=pd.Index([], dtype=object))
    by_site = are_perovskites(materials["formula"])
    constituents = Constituents.of_keys(materials["material"].tolist(), by_site)
    names, present = list(map(with_site, constituents.species)), constituents.present
    traits = {}
    if by_site:
        mixed = constituents.counts(SITES) > 1
        traits = {("mixture", f"mixtures on site {site}"): mixed[:, k] for k, site in enumerate(SITES)}
        # What is not an ion of a site is on none that is mixed.
        by_site_name, nowhere = dict(zip(SITES, mixed.T, strict=True)), np.zeros(len(mixed), dtype=bool)
        on_mixed_site = [by_site_name.get(str(site), nowhere) for site in constituents.sites]
        in_mixture = present & np.stack(on_mixed_site, axis=1)
        traits |= {("mixed species", f"mixtures with {n}"): in_mixture[:, k] for k, n in enumerate(names)}
    else:
        number = constituents.counts([""])[:, 0]
        traits = {("mixture", f"{k} elements or more"): number >= k for k in np.unique(number)[1:].tolist()}
    traits |= {("species", name): present[:, k] for k, name in enumerate(names)}
    return pd.DataFrame(traits, index=materials["material"].to_numpy())


def _feature_clusters(scales: Sequence[ScaleRows], count: int) -> pd.DataFrame:
    """Whether each material is of each of the largest clusters of features that are not too large.

    The clusters are those of the first scale that predicts numbers.
    """
    from sklearn.cluster import KMeans

    rows = next(rows for rows in scales if rows.predicts_numbers)
    features = rows.frame.groupby("material")[rows.features].mean()
    spread = features.std(ddof=0)
    features = features.loc[:, spread > 0] / spread[spread > 0]
    clusters = max(CLUSTERS, count)
    if features.shape[1] == 0 or len(features.drop_duplicates()) < clusters:
        return pd.DataFrame(index=features.index)
    labels = pd.Series(KMeans(clusters, n_init=4, random_state=0).fit_predict(features), features.index)
    shares = labels.value_counts(normalize=True)
    fitting = shares.index[(shares >= SMALLEST) & (shares <= LARGEST)][:count]
    return pd.DataFrame(
        {f"cluster {k} of the features": labels == label for k, label in enumerate(fitting, 1)}
    )
