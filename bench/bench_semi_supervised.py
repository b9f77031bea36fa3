"""Semi-supervised models of eight splits: trained side by side against one after the other, in one process.

Takes features and folds of the study `dvae_hea`, which has to be run first.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch

from nestmat.config.loading import load_study
from nestmat.paths import ROOT
from nestmat.training.chunks import train_members
from nestmat.training.inner_folds import read_row_splits
from nestmat.training.members import Members
from nestmat.training.scale_data import ScaleData

STUDY = "resources/studies/dvae_hea.yaml"
SCALE, MODEL, PROTOCOL = "phase", "disentangled", "labelled_75"


def main() -> None:
    """Print the seconds of both, their ratio, and those of the whole training; or skip with the reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "dvae_hea")
    parser.add_argument("--epochs", type=int, default=40, help="epochs of the comparison")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    features, fold_table = (options.results / f"{folder}/{SCALE}.parquet" for folder in ("features", "folds"))
    if not (features.is_file() and fold_table.is_file()):
        print(f"skipped: {options.results} is missing; run `make run STUDY={STUDY}` first")
        return
    torch.set_num_threads(options.threads)
    specification = load_study(ROOT / STUDY).scales[SCALE].models[MODEL].specification
    data = ScaleData.read(features)
    every = Members.build(read_row_splits(fold_table, PROTOCOL, data.row_id), seeds=1)
    splits = every[np.flatnonzero(every.fold >= 0)]

    def seconds(epochs: int, size: int) -> float:
        training = dataclasses.replace(specification.training, epochs=epochs)
        model = dataclasses.replace(specification, training=training)
        start = time.perf_counter()
        for part in np.array_split(np.arange(len(splits)), len(splits) // size):
            train_members(model, data, splits[part], device="cpu")
        return time.perf_counter() - start

    alone, together = seconds(options.epochs, 1), seconds(options.epochs, len(splits))
    print(f"{len(splits)} splits of {len(data)} rows, {options.epochs} epochs, {options.threads} threads")
    print(f"  one by one {alone:.1f} s, together {together:.1f} s: {alone / together:.1f} times faster")
    epochs = specification.training.epochs
    print(f"  together, all {epochs} epochs: {seconds(epochs, len(splits)):.1f} s", flush=True)


if __name__ == "__main__":
    main()
