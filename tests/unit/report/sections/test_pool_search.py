"""Findings of the search in a pool."""

from __future__ import annotations

import re

import numpy as np
import torch

from nestmat import tables
from nestmat.config.loading import load_study
from nestmat.data import published
from nestmat.evaluation import pool as pools
from nestmat.labels.scales import Labels
from nestmat.paths import ROOT
from nestmat.report.registry import SECTIONS
from nestmat.report.source import Source
from support.device_study import device_study, published_numbers
from support.pool_searches import table
from support.report_text import section_text

torch.set_num_threads(1)


def test_findings_name_results_and_what_models_were_trained_on(device_results):
    source = Source(device_study(), device_results, {"gap": published_numbers()})
    found = SECTIONS["search"]().numbers(source, "gap")
    text = section_text("search", found, "summary", "Gap")
    gaps = tables.read(device_results / "data/gaps.parquet")["Gap"]
    assert f"is {gaps.max():.3f} eV" in text
    assert "(published 49.3" in text
    assert re.search(r"Part of the pool seen, as published\. Descriptors [^;]*\(published 14\.7", text)
    against = "Descriptions {}, against descriptors."
    assert f"{against.format('trained on the labels that are sought')} As published: NestedAE latents" in text
    assert against.format("that saw no label") not in text
    assert section_text("search", found, "summary", "other") == ""
    pool = tables.read(device_results / "pool/gap.parquet")
    searches = pools.select_trials(pool, "latents", "sound", 4)
    rows = {(of["label"], row["strategy"]): row for of in found["table"] for row in of["rows"]}
    assert rows["NestedAE latents", "batches of 4"]["share"].mean() == searches["share"].mean()
    assert rows["NestedAE latents", "as published"]["published"] == [13.98]
    assert [row["all_found"] for row in rows.values()] == [row["found"] == 1 for row in rows.values()]
    assert rows["Descriptors", "one ranking"]["published"] == []
    assert rows["Random", "random order"]["published"][:1] == [49.3]
    assert {of["label"]: of["trained_on_labels"] for of in found["table"]} == {
        "Descriptors": False,
        "NestedAE latents": True,
        "Random": False,
    }


def test_a_search_that_missed_the_best_row_is_counted():
    missed = table(first=np.array([0.2, 0.4])).assign(found=[True, False])
    for shares, start in ((missed, "At least 30.0 %"), (missed.assign(found=True), "30.0 %")):
        costs = [{"label": "", "share": shares["share"].mean(), "all_found": shares["found"].all()}]
        text = section_text("search", {}, "mean_shares", [{**costs[0], "published": None}])
        assert text.lower().startswith(start.lower())


def test_published_shares_belong_to_their_representations():
    study = load_study(ROOT / "resources/studies/nestedae_binding.yaml")
    frame = published.for_scale(study, "binding")
    means = frame[frame["metric"] == "pool_mean"].set_index("model")["value"]
    assert means.to_dict() == {"descriptors": 14.74, "nestedae": 13.98, "nestedhd": 12.55, "random": 49.3}
    assert not frame[frame["metric"] == "mae"]["model"].isin(["descriptors", "random"]).any()
    labels = Labels(study, "binding")
    assert labels.representation("descriptors") == "Descriptors"
