"""The sweep of latent sizes."""

from __future__ import annotations

from nestmat import tables
from nestmat.models.keys import ModelKey
from nestmat.models.specification import Head
from nestmat.scales.sweep import SWEEP, SweepJob, sweep_latents
from support.trained_scales import FOLDS, model


def test_sweep_gives_every_size_on_every_fold(chain, tmp_path):
    sweep_latents(
        SweepJob(
            key=ModelKey("middle", "strict", "nae"),
            specification=model("middle_y", "fine", heads={"fine": Head()}),
            features=chain / "middle.parquet",
            folds=chain / "middle.folds.parquet",
            sweep=tmp_path / "sweep.parquet",
            sizes=[1, 3],
            epochs=3,
            parents={"fine": chain / "fine__middle.parquet"},
        )
    )
    found = tables.read(tmp_path / "sweep.parquet")
    assert list(found) == list(SWEEP)
    counts = found.groupby(["latents", "target", "metric"])["fold"].nunique()
    assert (counts == FOLDS).all()
    assert set(counts.index) == {
        (size, *rest)
        for size in (1, 3)
        for rest in (("middle_y", "mae"), ("middle_y", "rmse"), ("middle_y", "loss"), ("fine", "loss"))
    }
