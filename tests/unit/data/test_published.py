"""The registry, the download and the readers, on the published files and on a server that misbehaves."""

from __future__ import annotations

import pytest

from nestmat.config.loading import load_study
from nestmat.data import published, registry
from nestmat.errors import InputError
from nestmat.paths import ROOT


def test_published_numbers():
    frame = published.load(["nestedae"])
    assert list(frame) == published.COLUMNS
    single = frame[frame["latents"].isna()].set_index(
        ["dataset", "target", "model", "protocol", "split", "metric"]
    )
    assert single.index.is_unique
    assert single.at[("nestedae_gaps", "Gap", "XGB", "published", "validation", "mae"), "value"] == 0.127
    assert (
        single.at[("psc_efficiencies", "PCE", "NestedAE", "published", "validation", "mae"), "value"] == 2.384
    )
    sweep = frame[frame["latents"].notna() & (frame["split"] == "validation")]
    assert sweep.groupby(["dataset", "model"]).size().tolist() == [16, 15, 12, 12]
    entries = registry.load()
    for row in frame.itertuples():
        assert row.target in entries[row.dataset].columns
        if row.metric == "mae":
            assert row.unit == entries[row.dataset].columns[row.target].unit
        assert row.citation
        assert row.source


def test_published_numbers_of_alloys_stand_where_their_study_measures():
    study = load_study(ROOT / "resources/studies/pbe_alloys.yaml")
    columns = registry.load()["perovskites_pbe"].columns
    for scale, target, error in (
        ("decomposition", "Decomp", 0.183),
        ("gap", "Gap", 0.239),
        ("slme", "SLME", 0.022),
    ):
        [row] = published.for_scale(study, scale).to_dict("records")
        assert (row["target"], row["value"], row["unit"]) == (target, error, columns[target].unit)
        assert (row["model"], row["metric"]) == ("random_forest", "rmse")
        assert row["protocol"] in study.scales[scale].runs("random_forest")


def test_published_numbers_need_their_citation(tmp_path):
    text = (registry.REGISTRY.parent / "published" / "nestedae.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("citation: followup", "citation: nobody"))
    with pytest.raises(InputError, match="nobody"):
        published.load(["mine"], tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        published.load(["absent"], tmp_path)
