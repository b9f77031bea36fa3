"""Composition statistics: matminer's loop against the vectorised form, in one process.

Run: python bench/bench_features.py
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence

import numpy as np
from matminer.featurizers.composition import ElementProperty
from pymatgen.core import Composition, Element

from nestmat.features.composition import composition_table


def random_compositions(count: int, elements: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers (below 95) and amounts of random compositions, each count x elements."""
    generator = np.random.default_rng(seed)
    indices = generator.permuted(np.tile(np.arange(1, 95), (count, 1)), axis=1)[:, :elements]
    return indices, generator.dirichlet(np.ones(elements), count)


def main(arguments: Sequence[str] | None = None) -> None:
    """Time both on seven-element compositions and compare every value that both computed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--elements", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--peer-rows",
        type=int,
        default=10_000,
        help="rows given to matminer; where fewer than --rows, its time is scaled up",
    )
    parser.add_argument("--preset", default="magpie")
    options = parser.parse_args(arguments)
    peer_rows = min(options.peer_rows, options.rows)

    indices, weights = random_compositions(options.rows, options.elements, seed=0)
    table = composition_table(options.preset)
    table.statistics(indices[:1000], weights[:1000], threads=options.threads)
    times, statistics = [], np.empty(0)
    for _ in range(5):
        start = time.perf_counter()
        statistics = table.statistics(indices, weights, threads=options.threads)
        times.append(time.perf_counter() - start)
    vectorised = float(np.median(times))

    symbols = [Element.from_Z(z).symbol for z in range(1, 119)]
    compositions = [
        Composition({symbols[z - 1]: w for z, w in zip(zs, ws, strict=True)})
        for zs, ws in zip(indices[:peer_rows], weights[:peer_rows], strict=True)
    ]
    featurizer = ElementProperty.from_preset(options.preset, impute_nan=True)
    featurizer.set_n_jobs(1)
    featurizer.featurize_many(compositions[:10], pbar=False)
    with warnings.catch_warnings():
        # matminer warns of imputed element properties; both sides impute them.
        warnings.simplefilter("ignore", UserWarning)
        start = time.perf_counter()
        peer = np.array(featurizer.featurize_many(compositions, pbar=False), dtype=np.float64)
    row_by_row = (time.perf_counter() - start) * options.rows / peer_rows

    statistics = statistics[:peer_rows]
    assert np.array_equal(np.isnan(statistics), np.isnan(peer))
    scale = np.maximum(np.abs(peer), np.finfo(float).tiny)
    difference = float(np.nanmax(np.where(statistics == peer, 0.0, np.abs(statistics - peer) / scale)))
    scaled = "" if peer_rows == options.rows else f" (scaled from {peer_rows} rows)"
    print("| rows | elements | preset | matminer, s | vectorised, s | ratio | largest relative difference |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {options.rows} | {options.elements} | {options.preset} | {row_by_row:.2f}{scaled} | "
        f"{vectorised:.4f} ({options.threads} threads) | {row_by_row / vectorised:.0f} | {difference:.1e} |"
    )


if __name__ == "__main__":
    main()
